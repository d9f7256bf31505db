package fabric

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"decenter/net/datapath"
	"decenter/net/link"
	"decenter/net/tree"
)

const priorsFile = "ports.json"

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

// scan compares the machine's devices with our ports: adds, removes, and tells the core of every change.
func (f *Fabric) scan(ctx context.Context) {
	all, err := link.List()
	if err != nil {
		f.cfg.Log.Warn("devices are not known", "err", err)
		return
	}
	routes, err := link.DefaultRoutes()
	if err != nil {
		f.cfg.Log.Warn("default routes are not known", "err", err)
		return
	}
	chosen := map[uint32]link.Link{}
	for _, l := range f.cfg.Ports.Choose(all, routes) {
		if l.Index != f.inner.Index && l.Index != f.outer.Index && !isTap(l) {
			chosen[l.Index] = l
		}
	}
	f.drop(chosen)
	for index, l := range chosen {
		p, there := f.ports[index]
		if there && p.link.MAC != l.MAC { // its echoes would be answered from the old address
			f.remove(index)
			there = false
		}
		if !there {
			if err := f.add(ctx, l); err != nil {
				f.cfg.Log.Warn("device does not become a port", "port", l.Name, "err", err)
			}
			continue
		}
		if p.link != l {
			p.link = l
			f.core.Link(tree.PortID(index), coreLink(l), f.now())
		}
	}
}

// drop removes the ports that are not chosen any more, also those that only the data path remembers.
func (f *Fabric) drop(chosen map[uint32]link.Link) {
	for _, dp := range f.dp.Ports() {
		if _, stays := chosen[dp.Ifindex]; !stays && dp.Kind == datapath.Fabric {
			f.remove(dp.Ifindex)
		}
	}
	for index := range f.ports {
		if _, stays := chosen[index]; !stays {
			f.remove(index)
		}
	}
}

// add makes a device a port. One that the data path has kept attached is taken as it is.
func (f *Fabric) add(ctx context.Context, l link.Link) error {
	if !f.attached(l.Index) {
		if _, known := f.priors[l.Name]; !known {
			f.priors[l.Name] = link.Inspect(l)
			if err := writePriors(f.cfg.State, f.priors); err != nil {
				return err
			}
		}
		if err := link.Prepare(l); err != nil {
			return err
		}
		now, err := link.ByName(l.Name)
		if err != nil {
			return err
		}
		l = now
	}
	if err := f.dp.Attach(datapath.Port{Ifindex: l.Index, Kind: datapath.Fabric, MAC: l.MAC}); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	packet, err := link.OpenPacket(ctx, l.Index)
	if err != nil {
		cancel()
		return errors.Join(err, f.dp.Detach(l.Index))
	}
	p := &port{link: l, packet: packet, cancel: cancel}
	f.ports[l.Index] = p
	f.core.Link(tree.PortID(l.Index), coreLink(l), f.now())
	go f.listen(ctx, tree.PortID(l.Index), packet)
	return nil
}

func (f *Fabric) attached(ifindex uint32) bool {
	for _, p := range f.dp.Ports() {
		if p.Ifindex == ifindex {
			return true
		}
	}
	return false
}

// remove ends a port. Its gate shuts before the core knows, which harms nobody.
func (f *Fabric) remove(ifindex uint32) {
	if err := f.dp.Detach(ifindex); err != nil {
		f.cfg.Log.Warn("port is not detached", "ifindex", ifindex, "err", err)
	}
	f.core.Remove(tree.PortID(ifindex), f.now())
	if p, ok := f.ports[ifindex]; ok {
		p.close()
		delete(f.ports, ifindex)
	}
}

// listen hands over what arrives on a port. While Run is busy, frames wait in the socket, and then are lost.
func (f *Fabric) listen(ctx context.Context, id tree.PortID, packet *link.Packet) {
	for ctx.Err() == nil {
		b, err := packet.Receive()
		if errors.Is(err, unix.ENETDOWN) { // set down by someone; it may come back
			select {
			case <-ctx.Done():
			case <-time.After(10 * time.Millisecond):
			}
			continue
		}
		if err != nil {
			return
		}
		select {
		case f.frames <- arrival{id, b}:
		case <-ctx.Done():
		}
	}
}

// coreLink is a device as the core sees it.
func coreLink(l link.Link) tree.Link {
	return tree.Link{Name: l.Name, Up: l.Up && l.Carrier, Mbps: l.Mbps, MAC: l.MAC}
}

// readPriors reads how devices were before they became ports.
func readPriors(dir string) (map[string]link.Prior, error) {
	priors := map[string]link.Prior{}
	b, err := os.ReadFile(filepath.Join(dir, priorsFile))
	if errors.Is(err, os.ErrNotExist) {
		return priors, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &priors)
	}
	if err != nil {
		return nil, fmt.Errorf("read how ports were before: %w", err)
	}
	return priors, nil
}

func writePriors(dir string, priors map[string]link.Prior) error {
	b, err := json.MarshalIndent(priors, "", "  ")
	if err == nil {
		err = writeWhole(filepath.Join(dir, priorsFile), b)
	}
	if err != nil {
		return fmt.Errorf("store how ports were before: %w", err)
	}
	return nil
}

// Uninstall ends the fabric on this machine: the data path goes, devices become what they were, the host port and all
// taps are removed. No engine may run. What is gone already is no error.
func Uninstall(cfg Config) error {
	errs := []error{datapath.Uninstall(cfg.BPF)}
	priors, err := readPriors(cfg.State)
	errs = append(errs, err)
	for _, p := range priors {
		errs = append(errs, link.Restore(p))
	}
	errs = append(errs, link.Delete(cfg.Host))
	all, err := link.List()
	errs = append(errs, err)
	for _, l := range all {
		if isTap(l) {
			errs = append(errs, link.Delete(l.Name))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err // the record of how ports were stays for another try
	}
	return os.RemoveAll(cfg.State)
}
