package fabric

import (
	"cmp"
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"decenter/engine/api"
	"decenter/net/datapath"
	"decenter/net/frame"
	"decenter/net/tree"
)

// brief does a question that has no context of its own.
func (f *Fabric) brief(do func()) error {
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	return f.ask(ctx, func() error { do(); return nil })
}

// View is the tree as this satellite knows it; empty while Run does not answer.
func (f *Fabric) View() (v tree.View) {
	_ = f.brief(func() { v = f.core.View() })
	return v
}

// Knows tells whether any satellite is home to the MAC, as far as the link state says.
func (f *Fabric) Knows(addr net.HardwareAddr) (known bool) {
	mac, err := checkMAC(addr)
	if err != nil {
		return false
	}
	_ = f.brief(func() {
		for _, s := range f.core.MACs() {
			if s.ID == mac || slices.Contains(f.core.Homes(s.ID), mac) {
				known = true
				return
			}
		}
		_, known = f.taps[mac]
	})
	return known
}

// Satellites gives the link-local addresses of the other satellites in the link state, with the host port as zone.
func (f *Fabric) Satellites() (addrs []netip.Addr) {
	_ = f.brief(func() {
		for _, s := range f.core.MACs() {
			if s.ID != f.cfg.MAC {
				addrs = append(addrs, s.ID.LinkLocal().WithZone(f.cfg.Host))
			}
		}
	})
	return addrs
}

// Tree tells the tree with the counters of our own ports; of nobody but ourselves while Run does not answer.
func (f *Fabric) Tree() api.Tree {
	t := api.Tree{Satellite: f.cfg.Name}
	_ = f.brief(func() { t = f.describe(f.core.View()) })
	return t
}

func (f *Fabric) describe(v tree.View) api.Tree {
	t := api.Tree{Satellite: f.cfg.Name, Root: v.Root.String()}
	for _, n := range v.Nodes {
		node := api.TreeNode{ID: n.ID.String(), Name: n.Name, Priority: int(n.Priority), Distance: n.Distance, MACs: n.MACs}
		if !n.Parent.IsZero() {
			node.Parent = n.Parent.String()
		}
		node.Set = n.ID == f.cfg.MAC && f.set != nil
		if n.ID == v.Root && n.Name != "" {
			t.Root = n.Name
		}
		t.Nodes = append(t.Nodes, node)
	}
	for _, l := range v.Links {
		t.Links = append(t.Links, api.TreeLink{A: l.A.String(), APort: f.portName(l.A, l.APort), B: l.B.String(),
			BPort: f.portName(l.B, l.BPort), Cost: uint64(l.Cost), Tree: l.Tree})
	}
	for _, p := range v.Ports {
		port := api.TreePort{Name: p.Name, Role: string(p.Role), Neighbour: p.NeighbourName, Note: p.Note}
		if port.Neighbour == "" && !p.Neighbour.IsZero() {
			port.Neighbour = p.Neighbour.String()
		}
		t.Ports = append(t.Ports, f.counted(uint32(p.ID), port))
	}
	t.Ports = append(t.Ports, f.counted(f.inner.Index, api.TreePort{Name: f.cfg.Host, Role: datapath.Host.String()}))
	for _, tap := range f.taps {
		t.Ports = append(t.Ports, f.counted(tap.ifindex, api.TreePort{Name: tap.name, Role: datapath.VM.String()}))
	}
	slices.SortFunc(t.Ports, func(a, b api.TreePort) int { return cmp.Compare(a.Name, b.Name) })
	return t
}

// portName is the name of our own port, and the number of another satellite's: names are not told on the cable.
func (f *Fabric) portName(owner frame.MAC, id tree.PortID) string {
	if p, ours := f.ports[uint32(id)]; ours && owner == f.cfg.MAC {
		return p.link.Name
	}
	return strconv.FormatUint(uint64(id), 10)
}

func (f *Fabric) counted(ifindex uint32, p api.TreePort) api.TreePort {
	if c, err := f.dp.Counters(ifindex); err == nil {
		p.RX, p.TX, p.Dropped = c.RX, c.TX, c.Dropped()
	}
	return p
}
