package fabric

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"decenter/net/datapath"
	"decenter/net/link"
	"decenter/net/tree"
)

// port is a device that is part of the fabric.
type port struct {
	link   link.Link
	packet *link.Packet
	cancel context.CancelFunc
}

func (p *port) close() {
	p.cancel()
	p.packet.Close()
}

// errUnknown: what devices there are could not be found out.
var errUnknown = errors.New("devices are not known")

// rescan is scan after the first one: while devices are not known all stays as it is, for a moment.
func (f *Fabric) rescan(ctx context.Context, again *time.Timer) error {
	again.Reset(rescan)
	err := f.scan(ctx)
	if errors.Is(err, errUnknown) {
		f.cfg.Log.Warn("looking again soon", "err", err)
		again.Reset(rescanSoon)
		return nil
	}
	return err
}

// scan compares the machine's devices with our ports: adds, removes, and tells the core of every change. An error that is
// not errUnknown ends Run: a gate that could not be shut, or the host port gone.
func (f *Fabric) scan(ctx context.Context) error {
	all, err := link.List()
	if err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	routes, err := link.DefaultRoutes()
	if err != nil {
		return fmt.Errorf("%w: %w", errUnknown, err)
	}
	f.rememberUplinks(all, routes)
	chosen := map[uint32]link.Link{}
	for _, l := range f.cfg.Ports.Choose(all, routes) {
		if l.Index != f.inner.Index && l.Index != f.outer.Index && !isTap(l) {
			chosen[l.Index] = l
		}
	}
	if err := errors.Join(f.checkHost(all), f.drop(all, chosen), f.checkTaps(all)); err != nil {
		return err
	}
	for index, l := range chosen {
		if err := f.update(ctx, index, l); err != nil {
			return err
		}
	}
	return nil
}

// checkHost tells of a host port that somebody removed. What listens on it is deaf for good then, in every part of the
// engine: only its next start mends that.
func (f *Fabric) checkHost(all []link.Link) error {
	for _, end := range []link.Link{f.outer, f.inner} {
		if !slices.ContainsFunc(all, func(l link.Link) bool { return l.Index == end.Index && l.MAC == end.MAC }) {
			return fmt.Errorf("the host port's device %s was removed or changed; the next start of the engine makes it anew", end.Name)
		}
	}
	return nil
}

// rememberUplinks adds to the default routes' devices those that had one before: a cable pulled, or a lease run out, takes
// the route away, and as a port of the fabric the device could never get it back.
func (f *Fabric) rememberUplinks(all []link.Link, routes map[uint32]bool) {
	for _, l := range all {
		if routes[l.Index] {
			f.uplinks[l.Index] = l.Name
		}
		if f.uplinks[l.Index] == l.Name {
			routes[l.Index] = true
		}
	}
}

// update brings one port up to what its device is now.
func (f *Fabric) update(ctx context.Context, index uint32, l link.Link) error {
	p, there := f.ports[index]
	switch {
	case there && p.link.MAC != l.MAC: // its echoes would be answered from the old address
		f.renamePrior(p.link, l)
		there = false
	case there && (!p.packet.Bound() || !f.dp.Hooked(index)): // gone and back, or another of the same index
		f.cfg.Log.Warn("port's device was exchanged", "port", l.Name)
		there = false
	case there && p.link.Name != l.Name:
		f.renamePrior(p.link, l)
	}
	if there {
		if p.link != l {
			p.link = l
			f.core.Link(tree.PortID(index), coreLink(l), f.now())
		}
		return nil
	}
	if _, old := f.ports[index]; old {
		if err := f.remove(index); err != nil {
			return err
		}
	}
	if err := f.add(ctx, l); err != nil {
		f.cfg.Log.Warn("device does not become a port", "port", l.Name, "err", err)
		return f.remove(index) // also from the core, which may know its gate as open
	}
	return nil
}

// drop removes the ports that are not chosen any more, also those that only the data path remembers. Devices that are still
// there become what they were.
func (f *Fabric) drop(all []link.Link, chosen map[uint32]link.Link) error {
	var errs []error
	for _, dp := range f.dp.Ports() {
		if _, stays := chosen[dp.Ifindex]; !stays && dp.Kind == datapath.Fabric {
			errs = append(errs, f.remove(dp.Ifindex))
		}
	}
	for index := range f.ports {
		if _, stays := chosen[index]; !stays {
			errs = append(errs, f.remove(index))
		}
	}
	for _, l := range all {
		if _, ours := chosen[l.Index]; !ours {
			f.giveBack(l)
		}
	}
	return errors.Join(errs...)
}

// add makes a device a port. One that the data path has kept attached is taken as it is.
func (f *Fabric) add(ctx context.Context, l link.Link) error {
	if !f.attached(l.Index) {
		if err := f.prepare(&l); err != nil {
			return err
		}
	}
	if err := f.dp.Attach(datapath.Port{Ifindex: l.Index, Kind: datapath.Fabric, MAC: l.MAC}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	packet, err := link.OpenPacket(ctx, l.Index)
	if err != nil {
		cancel()
		return err
	}
	p := &port{link: l, packet: packet, cancel: cancel}
	f.ports[l.Index] = p
	f.core.Link(tree.PortID(l.Index), coreLink(l), f.now())
	f.warnOfAddresses(l)
	go f.listen(ctx, p, l.Name)
	return nil
}

// warnOfAddresses tells of a port that was in use for something else, as far as one can see.
func (f *Fabric) warnOfAddresses(l link.Link) {
	if as, err := link.Addresses(l.Index); err == nil && len(as) > 0 {
		f.cfg.Log.Warn("this device has addresses of its own, which are not reachable while it is a port of the fabric; "+
			"if it is not meant to be one, name it in [net] exclude", "port", l.Name, "addresses", as)
	}
}

func (f *Fabric) attached(ifindex uint32) bool {
	for _, p := range f.dp.Ports() {
		if p.Ifindex == ifindex {
			return true
		}
	}
	return false
}

// remove ends a port. Its gate shuts before the core knows, which harms nobody; one that does not shut is an error.
func (f *Fabric) remove(ifindex uint32) error {
	err := f.dp.Detach(ifindex)
	f.core.Remove(tree.PortID(ifindex), f.now())
	if p, ok := f.ports[ifindex]; ok {
		p.close()
		delete(f.ports, ifindex)
	}
	if err != nil {
		return fmt.Errorf("remove port %d: %w", ifindex, err)
	}
	return nil
}

// listen tells Run when frames wait on a port. Run takes them out: while it is busy they stay in the socket, and then
// are lost.
func (f *Fabric) listen(ctx context.Context, p *port, name string) {
	for {
		if err := p.packet.Wait(); err != nil {
			if ctx.Err() == nil {
				f.cfg.Log.Error("port is not listened to any more", "port", name, "err", err)
			}
			return
		}
		select {
		case f.readable <- p:
		case <-ctx.Done():
			return
		}
	}
}

// coreLink is a device as the core sees it.
func coreLink(l link.Link) tree.Link {
	return tree.Link{Name: l.Name, Up: l.Up && l.Carrier, Mbps: l.Mbps, MAC: l.MAC}
}
