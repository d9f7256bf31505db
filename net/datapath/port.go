package datapath

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"

	"decenter/net/frame"
)

// Attach makes a device a port. A fabric port begins with its gate shut; a VM's or the host's is open at once and its
// address local. Attached already with the same kind and address, nothing changes, the gate least of
// all; but if its device was exchanged for another of the same index, it begins anew.
func (d *Datapath) Attach(p Port) error {
	old, there := d.ports[p.Ifindex]
	if there && old.port.Kind == p.Kind && old.port.MAC == p.MAC && d.Hooked(p.Ifindex) {
		return nil
	}
	if there {
		if err := d.Detach(p.Ifindex); err != nil {
			return err
		}
	}
	if len(d.next) == 0 {
		return fmt.Errorf("attach port %d: %w: %d", p.Ifindex, ErrFull, MaxPorts)
	}
	if _, known := d.progs[p.Kind]; !known {
		return fmt.Errorf("attach port %d: unknown %v", p.Ifindex, p.Kind)
	}
	if err := d.attach(p); err != nil {
		return errors.Join(fmt.Errorf("attach port %d: %w", p.Ifindex, err), d.Detach(p.Ifindex))
	}
	return nil
}

func (d *Datapath) attach(p Port) error {
	slot := d.next[len(d.next)-1]
	var was port
	if err := d.maps["ports"].Lookup(slot, &was); err != nil {
		return err
	}
	p.Open = p.Kind != Fabric
	e := entry{slot: slot, port: p, gen: was.Generation + 1}
	d.next = d.next[:len(d.next)-1]
	d.ports[p.Ifindex] = e
	if err := d.clearCounters(slot); err != nil {
		return err
	}
	if err := d.maps["places"].Put(p.Ifindex, place{Slot: slot, MAC: p.MAC}); err != nil {
		return err
	}
	if err := d.store(e); err != nil {
		return err
	}
	if err := d.setUsed(); err != nil {
		return err
	}
	if p.Kind != Fabric {
		if err := d.maps["local"].Put(key(p.MAC), slot); err != nil {
			return err
		}
	}
	if err := d.unhook(p.Ifindex); err != nil {
		return err
	}
	return d.hook.add(p.Ifindex, d.progs[p.Kind])
}

// Detach ends a port: frames from its device go to the stack again. Not attached is no error; the device may be gone.
func (d *Datapath) Detach(ifindex uint32) error {
	var errs []error
	note := func(err error) {
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			errs = append(errs, err)
		}
	}
	e, there := d.ports[ifindex]
	if there && e.port.Open {
		e.port.Open = false
		if err := d.store(e); err != nil { // the port stays, and so does the caller's knowledge of its gate
			return fmt.Errorf("detach port %d: %w", ifindex, err)
		}
	}
	note(d.unhook(ifindex))
	if there {
		if e.port.Kind != Fabric {
			var slot uint32
			if d.maps["local"].Lookup(key(e.port.MAC), &slot) == nil && slot == e.slot {
				note(d.maps["local"].Delete(key(e.port.MAC)))
			}
		}
		note(d.maps["ports"].Put(e.slot, port{Generation: e.gen + 1}))
		note(d.maps["places"].Delete(ifindex))
		delete(d.ports, ifindex)
		d.next = append(d.next, e.slot)
		slices.SortFunc(d.next, func(a, b uint32) int { return cmp.Compare(b, a) })
		note(d.setUsed())
	}
	if len(errs) > 0 {
		return fmt.Errorf("detach port %d: %w", ifindex, errors.Join(errs...))
	}
	return nil
}

// SetGate opens or shuts a port. What was learned before is forgotten, also by frames that were under way meanwhile.
func (d *Datapath) SetGate(ifindex uint32, open bool) error {
	e, there := d.ports[ifindex]
	if !there {
		return fmt.Errorf("gate of port %d: %w", ifindex, ErrUnknownPort)
	}
	if e.port.Open == open {
		return nil
	}
	e.port.Open = open
	e.gen++
	if err := d.store(e); err != nil {
		return fmt.Errorf("gate of port %d: %w", ifindex, err)
	}
	d.ports[ifindex] = e
	return nil
}

// Flush forgets every learned address.
func (d *Datapath) Flush() error {
	for ifindex, e := range d.ports {
		if e.port.Kind != Fabric {
			continue
		}
		e.gen++
		if err := d.store(e); err != nil {
			return fmt.Errorf("flush port %d: %w", ifindex, err)
		}
		d.ports[ifindex] = e
	}
	return nil
}

// Ports lists the attached ports by ifindex.
func (d *Datapath) Ports() []Port {
	ps := make([]Port, 0, len(d.ports))
	for _, e := range d.ports {
		ps = append(ps, e.port)
	}
	slices.SortFunc(ps, func(a, b Port) int { return cmp.Compare(a.Ifindex, b.Ifindex) })
	return ps
}

// store writes a port's value whole.
func (d *Datapath) store(e entry) error {
	v := port{Ifindex: e.port.Ifindex, Kind: uint8(e.port.Kind), Generation: e.gen}
	if e.port.Open {
		v.Open = 1
	}
	return d.maps["ports"].Put(e.slot, v)
}

// setUsed tells the flood where the last port is.
func (d *Datapath) setUsed() error {
	var n uint32
	for _, e := range d.ports {
		n = max(n, e.slot+1)
	}
	return d.maps["used"].Put(uint32(0), n)
}

// key is an address as the maps have it.
func key(m frame.MAC) [8]byte {
	var k [8]byte
	copy(k[:], m[:])
	return k
}
