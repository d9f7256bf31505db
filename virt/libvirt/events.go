package libvirt

import (
	"context"
	"errors"

	lv "libvirt.org/go/libvirt"

	"decenter/virt"
)

// rawEvent is what a callback tells, before it is known whether the domain is ours.
type rawEvent struct {
	kind   virt.EventKind
	id     virt.ID
	name   string
	state  virt.State
	reason string
	agent  bool
}

// lifecycle reads one lifecycle event; kind is empty where it tells nothing that we pass on.
func lifecycle(e *lv.DomainEventLifecycle) rawEvent {
	switch e.Event {
	case lv.DOMAIN_EVENT_DEFINED:
		return rawEvent{kind: virt.EventDefined}
	case lv.DOMAIN_EVENT_UNDEFINED:
		return rawEvent{kind: virt.EventGone}
	}
	if state, reason, ok := changeOf(e); ok {
		return rawEvent{kind: virt.EventState, state: state, reason: reason}
	}
	return rawEvent{}
}

// receive takes an event in libvirt's event loop, which must not wait.
func (d *Driver) receive(e rawEvent) {
	if e.kind == "" {
		return
	}
	select {
	case d.raw <- e:
	default:
		d.mu.Lock()
		d.missed = true
		d.mu.Unlock()
	}
}

// digest turns raw events into events of our guests, in order.
func (d *Driver) digest(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-d.raw:
			d.digestOne(ctx, e)
		}
		d.mu.Lock()
		missed := d.missed && len(d.raw) == 0
		if missed {
			d.missed = false
		}
		d.mu.Unlock()
		if missed && d.sync(ctx) != nil {
			d.mu.Lock()
			d.missed = true // again, after the next event or connection
			d.mu.Unlock()
		}
	}
}

func (d *Driver) digestOne(ctx context.Context, e rawEvent) {
	d.mu.Lock()
	k, ok := d.known[e.id]
	d.mu.Unlock()
	if e.kind == virt.EventGone {
		d.mu.Lock()
		delete(d.known, e.id)
		d.mu.Unlock()
	} else {
		// What the event changed in the description: an agent, a socket's path, anything on a new definition.
		k, ok = d.reread(ctx, e.id, k, ok)
	}
	if ok && !k.foreign {
		d.hub.publish(virt.Event{Kind: e.kind, ID: e.id, Name: e.name, State: e.state, Reason: e.reason, Agent: e.agent})
	}
	if e.kind == virt.EventState || e.kind == virt.EventGone {
		d.wake(e.id)
	}
}

// reread reads a domain's description anew; what was known stays where libvirt does not answer.
func (d *Driver) reread(ctx context.Context, id virt.ID, old knownGuest, had bool) (knownGuest, bool) {
	k, err := call(ctx, d, virt.ID{}, func(c *lv.Connect) (knownGuest, error) {
		dom, err := c.LookupDomainByUUID(id[:])
		if err != nil {
			return knownGuest{}, err
		}
		defer dom.Free()
		_, k, err := readDomain(dom)
		return k, err
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case err == nil:
		d.known[id] = k
		return k, true
	case errors.Is(err, lv.ERR_NO_DOMAIN): // its own event tells the rest
	default:
		delete(d.known, id) // whoever needs it reads it
	}
	return old, had
}
