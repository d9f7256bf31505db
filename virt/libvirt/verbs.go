package libvirt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	lv "libvirt.org/go/libvirt"

	"decenter/virt"
)

// nothing is the result of a call that has none.
type nothing struct{}

// Define makes the domain.
func (d *Driver) Define(ctx context.Context, s virt.Spec) error {
	const op = "define"
	if err := s.Check(); err != nil {
		return fail(op, s.Name, err)
	}
	text, err := encode(s, d.layout)
	if err != nil {
		return fail(op, s.Name, err)
	}
	_, err = call(ctx, d, s.ID, func(c *lv.Connect) (nothing, error) {
		// libvirt would take a second definition for a change of the first.
		if dom, err := c.LookupDomainByUUID(s.ID[:]); err == nil {
			dom.Free()
			return nothing{}, fmt.Errorf("%w: id %s", virt.ErrExists, s.ID)
		} else if !errors.Is(err, lv.ERR_NO_DOMAIN) {
			return nothing{}, err
		}
		dom, err := c.DomainDefineXML(text)
		if err != nil {
			return nothing{}, err
		}
		defer dom.Free()
		d.remember(dom)
		return nothing{}, d.prepareLog(s.ID)
	})
	return fail(op, s.Name, err)
}

// remember reads a domain anew.
func (d *Driver) remember(dom *lv.Domain) {
	if id, k, err := readDomain(dom); err == nil {
		d.mu.Lock()
		d.known[id] = k
		d.mu.Unlock()
	}
}

// move runs one verb: it checks the move against the present state, then does it.
func (d *Driver) move(ctx context.Context, id virt.ID, v virt.Verb, do func(*lv.Domain) error) error {
	lane := id
	if v == virt.Kill { // the way out when another act hangs
		lane = virt.ID{}
	}
	_, err := on(ctx, d, lane, id, func(dom *lv.Domain) (nothing, error) {
		s, reason, err := dom.GetState()
		if err != nil {
			return nothing{}, err
		}
		state, _ := stateOf(s, reason)
		if _, err := state.After(v); err != nil {
			return nothing{}, err
		}
		return nothing{}, do(dom)
	})
	return fail(string(v), id.String(), err)
}

// Start gives the guest a process.
func (d *Driver) Start(ctx context.Context, id virt.ID) error {
	return d.move(ctx, id, virt.Start, func(dom *lv.Domain) error {
		if err := d.prepareLog(id); err != nil {
			return err
		}
		return dom.Create()
	})
}

// Pause stands the processors still.
func (d *Driver) Pause(ctx context.Context, id virt.ID) error {
	return d.move(ctx, id, virt.Pause, func(dom *lv.Domain) error { return dom.Suspend() })
}

// Resume lets them go on.
func (d *Driver) Resume(ctx context.Context, id virt.ID) error {
	return d.move(ctx, id, virt.Resume, func(dom *lv.Domain) error { return dom.Resume() })
}

// Reset is the reset button.
func (d *Driver) Reset(ctx context.Context, id virt.ID) error {
	return d.move(ctx, id, virt.Reset, func(dom *lv.Domain) error { return dom.Reset(0) })
}

// Kill ends the process.
func (d *Driver) Kill(ctx context.Context, id virt.ID) error {
	return d.move(ctx, id, virt.Kill, func(dom *lv.Domain) error { return dom.Destroy() })
}

// Stop presses the power button, by the agent where there is one, waits, and kills.
func (d *Driver) Stop(ctx context.Context, id virt.ID, grace time.Duration) error {
	const op = "stop"
	g, err := d.Get(ctx, id)
	if err != nil {
		return err
	}
	if _, err := g.State.After(virt.Stop); err != nil {
		return fail(op, id.String(), err)
	}
	wait, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	events := d.Watch(wait) // before asking, so that the answer is not missed
	asked := make(chan error, 1)
	go func() { asked <- d.move(ctx, id, virt.Stop, d.askToPowerOff) }() // may hang as long as a call may
	gone, err := d.awaitPowerOff(ctx, id, events, asked)
	if gone || err != nil {
		return err
	}
	if ctx.Err() != nil {
		return fail(op, id.String(), ctx.Err())
	}
	err = d.Kill(ctx, id)
	if errors.Is(err, virt.ErrConflict) { // it had just gone by itself
		return nil
	}
	return err
}

// awaitPowerOff waits until the guest has no process, events ends, or asking fails in a way that waiting cannot mend.
func (d *Driver) awaitPowerOff(ctx context.Context, id virt.ID, events <-chan virt.Event, asked <-chan error) (gone bool, err error) {
	poll := time.NewTicker(time.Second) // for events that a lost connection took with it
	defer poll.Stop()
	for {
		select {
		case e, open := <-events:
			if !open {
				return false, nil
			}
			if e.ID == id && e.Kind == virt.EventState && !e.State.Live() {
				return true, nil
			}
		case err := <-asked:
			if errors.Is(err, virt.ErrConflict) { // it went before we could ask
				return true, nil
			}
			if errors.Is(err, virt.ErrNotFound) {
				return false, err
			}
		case <-poll.C:
			if g, err := d.Get(ctx, id); err == nil && !g.State.Live() {
				return true, nil
			}
		}
	}
}

// askToPowerOff tries every way a guest may listen to. That none was open is no error: the grace decides.
func (d *Driver) askToPowerOff(dom *lv.Domain) error {
	s, reason, err := dom.GetState()
	if err != nil {
		return err
	}
	if state, _ := stateOf(s, reason); state == virt.Paused {
		if err := dom.Resume(); err != nil {
			d.cfg.Log.Debug("resume to power off", "error", err)
		}
	}
	if err := dom.AgentSetResponseTimeout(agentTimeout, 0); err != nil {
		d.cfg.Log.Debug("bound the agent's answer", "error", err)
	}
	if err := dom.ShutdownFlags(lv.DOMAIN_SHUTDOWN_GUEST_AGENT | lv.DOMAIN_SHUTDOWN_ACPI_POWER_BTN); err != nil {
		d.cfg.Log.Debug("ask to power off", "error", err)
	}
	return nil
}

// Undefine forgets the domain and its files.
func (d *Driver) Undefine(ctx context.Context, id virt.ID) error {
	return d.move(ctx, id, virt.Undefine, func(dom *lv.Domain) error {
		err := dom.UndefineFlags(lv.DOMAIN_UNDEFINE_MANAGED_SAVE | lv.DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
			lv.DOMAIN_UNDEFINE_CHECKPOINTS_METADATA | lv.DOMAIN_UNDEFINE_NVRAM)
		if err != nil {
			return err
		}
		var left error
		for _, f := range []string{d.layout.log(id), d.layout.tty(id)} {
			if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
				left = errors.Join(left, err)
			}
		}
		d.wake(id)
		return left
	})
}
