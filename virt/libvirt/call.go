package libvirt

import (
	"context"
	"fmt"

	lv "libvirt.org/go/libvirt"

	"decenter/virt"
)

// lane lets one call at a time into a guest.
type lane struct {
	in    chan struct{} // capacity 1
	users int           // in or waiting; guarded by Driver.mu
}

// enter waits for the guest's lane and for one of the slots; the zero id has no lane.
func (d *Driver) enter(ctx context.Context, id virt.ID) (leave func(), err error) {
	var ln *lane
	if !id.IsZero() {
		d.mu.Lock()
		if ln = d.lanes[id]; ln == nil {
			ln = &lane{in: make(chan struct{}, 1)}
			d.lanes[id] = ln
		}
		ln.users++
		d.mu.Unlock()
	}
	unlane := func(in bool) {
		if ln == nil {
			return
		}
		if in {
			<-ln.in
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if ln.users--; ln.users == 0 {
			delete(d.lanes, id)
		}
	}
	if ln != nil {
		select {
		case ln.in <- struct{}{}:
		case <-ctx.Done():
			unlane(false)
			return nil, ctx.Err()
		}
	}
	select {
	case d.slots <- struct{}{}:
		return func() { <-d.slots; unlane(true) }, nil
	case <-ctx.Done():
		unlane(true)
		return nil, ctx.Err()
	}
}

// call runs f with a connection of its own, in the lane of id, and waits for it no longer than CallTimeout. A call that
// hangs keeps its lane, slot and connection until it ends; f must free what it takes from libvirt, for its result may go
// nowhere.
func call[T any](ctx context.Context, d *Driver, id virt.ID, f func(*lv.Connect) (T, error)) (T, error) {
	var none T
	inner, cancel := context.WithTimeout(ctx, d.cfg.CallTimeout)
	defer cancel()
	late := func() error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: libvirt took more than %s", virt.ErrUnavailable, d.cfg.CallTimeout)
	}
	leave, err := d.enter(inner, id)
	if err != nil {
		return none, late()
	}
	l, err := d.current(inner)
	if err != nil {
		leave()
		if inner.Err() != nil {
			return none, late()
		}
		return none, err
	}
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		defer leave()
		c, err := l.get()
		if err != nil {
			done <- result{none, err}
			return
		}
		v, err := f(c)
		done <- result{v, err}
		l.put(c)
	}()
	select {
	case r := <-done:
		return r.v, r.err
	case <-inner.Done():
		return none, late()
	}
}

// on runs f with the guest's domain, after checking that it is ours. lane is id for an act, and zero for what must not
// wait behind an act that hangs.
func on[T any](ctx context.Context, d *Driver, lane, id virt.ID, f func(*lv.Domain) (T, error)) (T, error) {
	return call(ctx, d, lane, func(c *lv.Connect) (T, error) {
		var none T
		dom, err := c.LookupDomainByUUID(id[:])
		if err != nil {
			return none, err
		}
		defer dom.Free()
		if d.isForeign(id, dom) {
			return none, virt.ErrNotFound
		}
		return f(dom)
	})
}

// isForeign asks what we know, and libvirt where we do not.
func (d *Driver) isForeign(id virt.ID, dom *lv.Domain) bool {
	d.mu.Lock()
	k, ok := d.known[id]
	d.mu.Unlock()
	if ok {
		return k.foreign
	}
	_, k, err := readDomain(dom)
	return err != nil || k.foreign
}
