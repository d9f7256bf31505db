package libvirt

import (
	"context"
	"fmt"
	"sync"

	lv "libvirt.org/go/libvirt"

	"decenter/virt"
)

// link is one connection. It is closed when nobody uses it any more, not earlier: a call may still hang in it.
type link struct {
	c         *lv.Connect
	callbacks []int

	refs int // users; guarded by Driver.mu
	hung int // calls given up but not over; guarded by Driver.mu

	dead chan struct{} // closed by die
	once sync.Once
	why  string // set before dead is closed
}

func (l *link) die(why string) {
	l.once.Do(func() {
		l.why = why
		close(l.dead)
	})
}

// connect dials, starts the pings and registers each event's one callback. It may hang.
func connect(uri string, receive func(rawEvent)) (*link, error) {
	c, err := lv.NewConnect(uri)
	if err != nil {
		return nil, err
	}
	l := &link{c: c, dead: make(chan struct{})}
	if err := l.prepare(receive); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *link) prepare(receive func(rawEvent)) error {
	if err := l.c.SetKeepAlive(pingInterval, pingsLost); err != nil {
		return err
	}
	if err := l.c.RegisterCloseCallback(func(_ *lv.Connect, r lv.ConnectCloseReason) { l.die(closeWhy(r)) }); err != nil {
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
			return l.c.DomainEventLifecycleRegister(nil, func(_ *lv.Connect, dom *lv.Domain, e *lv.DomainEventLifecycle) {
				with(dom, lifecycle(e))
			})
		},
		func() (int, error) {
			return l.c.DomainEventAgentLifecycleRegister(nil, func(_ *lv.Connect, dom *lv.Domain, e *lv.DomainEventAgentLifecycle) {
				with(dom, rawEvent{kind: virt.EventAgent, agent: e.State == lv.CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED})
			})
		},
		func() (int, error) {
			return l.c.DomainEventRebootRegister(nil, func(_ *lv.Connect, dom *lv.Domain) {
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
	return nil
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
	for _, id := range l.callbacks {
		l.c.DomainEventDeregister(id)
	}
	l.c.UnregisterCloseCallback()
	l.c.Close()
}

// take gives the current connection, waiting for one up to connectWait.
func (d *Driver) take(ctx context.Context) (*link, error) {
	wait, cancel := context.WithTimeout(ctx, connectWait)
	defer cancel()
	for {
		d.mu.Lock()
		l, changed := d.up, d.changed
		if l != nil {
			l.refs++
		}
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

// drop gives it back; the last one closes it, aside.
func (d *Driver) drop(l *link) {
	d.mu.Lock()
	l.refs--
	last := l.refs == 0
	d.mu.Unlock()
	if last {
		go func() {
			d.closing <- struct{}{}
			defer func() { <-d.closing }()
			l.close()
		}()
	}
}

// gaveUp counts a call that hangs; with too many of them the connection has no room for others and is replaced, as
// long as the replaced ones have not piled up.
func (d *Driver) gaveUp(l *link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.hung++
	if l.hung >= maxHung && len(d.closing) < maxClosing {
		l.die("too many calls hang")
	}
}
