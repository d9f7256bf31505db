package libvirt

import (
	"context"
	"fmt"
	"sync"

	lv "libvirt.org/go/libvirt"

	"decenter/virt"
)

// maxIdle is how many connections wait for the next call.
const maxIdle = 4

// link is one time of being connected. Its main connection carries events and pings and tells when the time is over;
// calls run on others, one at a time on each. libvirt would allow many at a time, but its client library before 10.3
// loses wake-ups and reads freed memory when two threads call through one connection (CVE-2024-4418); besides, a call
// that hangs then takes nothing but its own connection.
type link struct {
	uri       string
	main      *lv.Connect
	callbacks []int

	dead chan struct{} // closed by die
	once sync.Once
	why  string // set before dead is closed

	mu   sync.Mutex
	over bool          // guarded by mu
	idle []*lv.Connect // at most maxIdle, none when over; guarded by mu
}

func (l *link) die(why string) {
	l.once.Do(func() {
		l.why = why
		close(l.dead)
	})
}

// connect dials, registers each event's one callback and starts the pings. It may hang.
func connect(uri string, receive func(rawEvent)) (*link, error) {
	c, err := lv.NewConnect(uri)
	if err != nil {
		return nil, err
	}
	l := &link{uri: uri, main: c, dead: make(chan struct{})}
	if err := l.prepare(receive); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *link) prepare(receive func(rawEvent)) error {
	if err := l.main.RegisterCloseCallback(func(_ *lv.Connect, r lv.ConnectCloseReason) { l.die(closeWhy(r)) }); err != nil {
		return err
	}
	// These run in the event loop: no call to libvirt, and nothing that waits.
	with := func(dom *lv.Domain, e rawEvent) {
		if raw, err := dom.GetUUID(); err == nil {
			e.id = virt.ID(raw)
			e.name, _ = dom.GetName()
			receive(e)
		}
	}
	register := []func() (int, error){
		func() (int, error) {
			return l.main.DomainEventLifecycleRegister(nil, func(_ *lv.Connect, dom *lv.Domain, e *lv.DomainEventLifecycle) {
				with(dom, lifecycle(e))
			})
		},
		func() (int, error) {
			return l.main.DomainEventAgentLifecycleRegister(nil, func(_ *lv.Connect, dom *lv.Domain, e *lv.DomainEventAgentLifecycle) {
				with(dom, rawEvent{kind: virt.EventAgent, agent: e.State == lv.CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED})
			})
		},
		func() (int, error) {
			return l.main.DomainEventRebootRegister(nil, func(_ *lv.Connect, dom *lv.Domain) {
				with(dom, rawEvent{kind: virt.EventState, state: virt.Running, reason: "rebooted"})
			})
		},
	}
	for _, r := range register {
		id, err := r()
		if err != nil {
			return err
		}
		l.callbacks = append(l.callbacks, id)
	}
	// Last, so that no ping meets a call on this connection.
	return l.main.SetKeepAlive(pingInterval, pingsLost)
}

func closeWhy(r lv.ConnectCloseReason) string {
	switch r {
	case lv.CONNECT_CLOSE_REASON_EOF:
		return "closed by libvirtd"
	case lv.CONNECT_CLOSE_REASON_KEEPALIVE:
		return "pings lost"
	}
	return fmt.Sprintf("reason %d", r)
}

// close gives everything back to the library; the callbacks hold references of their own. It may hang.
func (l *link) close() {
	l.mu.Lock()
	idle := l.idle
	l.over, l.idle = true, nil
	l.mu.Unlock()
	for _, id := range l.callbacks {
		l.main.DomainEventDeregister(id)
	}
	l.main.UnregisterCloseCallback()
	l.main.Close()
	for _, c := range idle {
		c.Close()
	}
}

// get gives a connection for one call: an idle one, or a new one. It may hang.
func (l *link) get() (*lv.Connect, error) {
	for {
		l.mu.Lock()
		n := len(l.idle)
		if n == 0 {
			l.mu.Unlock()
			return lv.NewConnect(l.uri)
		}
		c := l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.mu.Unlock()
		if alive, err := c.IsAlive(); err == nil && alive {
			return c, nil
		}
		c.Close()
	}
}

// put takes it back after the call. It may hang.
func (l *link) put(c *lv.Connect) {
	l.mu.Lock()
	keep := !l.over && len(l.idle) < maxIdle
	if keep {
		l.idle = append(l.idle, c)
	}
	l.mu.Unlock()
	if !keep {
		c.Close()
	}
}

// current gives the present link, waiting for one up to connectWait.
func (d *Driver) current(ctx context.Context) (*link, error) {
	wait, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	for {
		d.mu.Lock()
		l, changed := d.up, d.changed
		d.mu.Unlock()
		if l != nil {
			return l, nil
		}
		select {
		case <-changed:
		case <-wait.Done():
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			return nil, fmt.Errorf("%w: no connection to libvirt", virt.ErrUnavailable)
		}
	}
}
