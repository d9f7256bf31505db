package lab

import (
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"decenter/engine/api"
)

// end is one end of a cable.
type end struct {
	sat, port, panel string // satellite, its device, the panel's device
}

func (c cabState) ends(index int) (a, b end) {
	return end{c.A, c.APort, fmt.Sprintf("c%da", index)}, end{c.B, c.BPort, fmt.Sprintf("c%db", index)}
}

// wire makes what the state says of the cables of one satellite (of all: ""): missing devices, carrier and
// redirection. It can be called again after any crash. A satellite without a namespace has no ends.
func (l *Lab) wire(s *state, sat string) error {
	return inNetns(netnsPath(panelName), func(panel *netlink.Handle) error {
		for i, c := range s.Cables {
			if sat != "" && c.A != sat && c.B != sat {
				continue
			}
			if err := wireOne(panel, s, i, c); err != nil {
				return fmt.Errorf("cable %s %s: %w", c.A, c.B, err)
			}
		}
		return nil
	})
}

func wireOne(panel *netlink.Handle, s *state, index int, c cabState) error {
	a, b := c.ends(index)
	la, err := plug(panel, a, c.Mbit)
	if err != nil {
		return err
	}
	lb, err := plug(panel, b, c.Mbit)
	if err != nil {
		return err
	}
	powered := func(name string) bool { x, err := s.satellite(name); return err == nil && x.On }
	live := la != nil && lb != nil && powered(c.A) && powered(c.B) && c.State != CableCut
	for _, x := range [2][2]netlink.Link{{la, lb}, {lb, la}} {
		if x[0] == nil {
			continue
		}
		// Down before the redirection changes and up after it: no frame meets a half-made cable.
		if !live {
			if err := panel.LinkSetDown(x[0]); err != nil {
				return err
			}
		}
		if err := redirect(panel, x[0], x[1], live && c.State == CableWhole); err != nil {
			return err
		}
	}
	if !live {
		return nil
	}
	return errors.Join(panel.LinkSetUp(la), panel.LinkSetUp(lb))
}

// plug gives the panel's device of an end and makes the pair when it is missing. Nil when the satellite has no namespace.
func plug(panel *netlink.Handle, e end, mbit int) (netlink.Link, error) {
	path := netnsPath(netnsName(e.sat))
	if !isNamespace(path) {
		return nil, nil
	}
	if link, err := panel.LinkByName(e.panel); err == nil {
		return link, nil
	}
	ns, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = e.panel
	veth := &netlink.Veth{LinkAttrs: attrs, PeerName: e.port, PeerNamespace: netlink.NsFd(int(ns.Fd()))}
	if err := panel.LinkAdd(veth); err != nil {
		return nil, fmt.Errorf("make port %s of %s: %w", e.port, e.sat, err)
	}
	link, err := panel.LinkByName(e.panel)
	if err != nil {
		return nil, err
	}
	if err := panel.LinkSetARPOff(link); err != nil {
		return nil, err
	}
	if mbit > 0 {
		if err := limit(panel, link, mbit); err != nil {
			return nil, err
		}
	}
	return link, inNetns(path, func(h *netlink.Handle) error {
		port, err := h.LinkByName(e.port)
		if err != nil {
			return err
		}
		return h.LinkSetUp(port)
	})
}

// limit lets so many Mbit/s out of the panel, with a token bucket (tc-tbf(8)) of 10 ms and a queue of 50 ms.
func limit(h *netlink.Handle, link netlink.Link, mbit int) error {
	rate := uint64(mbit) * 1_000_000 / 8 // bytes per second
	bucket := uint32(max(rate/100, 16<<10))
	return h.QdiscReplace(&netlink.Tbf{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
		Rate:       rate, Buffer: netlink.Xmittime(rate, bucket), Limit: bucket + uint32(rate/20),
	})
}

// redirect sends what comes in at one device out at the other, or nowhere. u32 is the one classifier that every
// Debian kernel and small self-made ones have.
func redirect(h *netlink.Handle, from, to netlink.Link, on bool) error {
	ingress := netlink.QdiscAttrs{LinkIndex: from.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_INGRESS}
	err := h.QdiscDel(&netlink.Ingress{QdiscAttrs: ingress})
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("take the redirection away: %w", err)
	}
	if !on {
		return nil
	}
	if err := h.QdiscAdd(&netlink.Ingress{QdiscAttrs: ingress}); err != nil {
		return fmt.Errorf("make an ingress queue (sch_ingress): %w", err)
	}
	err = h.FilterAdd(&netlink.U32{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: from.Attrs().Index, Parent: ingress.Handle, Priority: 1, Protocol: unix.ETH_P_ALL},
		Actions:     []netlink.Action{netlink.NewMirredAction(to.Attrs().Index)},
	})
	if err != nil {
		return fmt.Errorf("redirect (cls_u32, act_mirred): %w", err)
	}
	return nil
}

// unplug takes the carrier from the neighbours of a satellite, as its loss of power does.
func (l *Lab) unplug(s *state, sat string) error {
	return inNetns(netnsPath(panelName), func(panel *netlink.Handle) error {
		var errs []error
		for i, c := range s.Cables {
			a, b := c.ends(i)
			if c.A != sat && c.B != sat {
				continue
			}
			for _, name := range []string{a.panel, b.panel} {
				if link, err := panel.LinkByName(name); err == nil {
					errs = append(errs, panel.LinkSetDown(link))
				}
			}
		}
		return errors.Join(errs...)
	})
}

// find lists the cables between two satellites, in either order.
func (s *state) find(a, b string) ([]int, error) {
	for _, name := range []string{a, b} {
		if _, err := s.satellite(name); err != nil {
			return nil, err
		}
	}
	var out []int
	for i, c := range s.Cables {
		if c.A == a && c.B == b || c.A == b && c.B == a {
			out = append(out, i)
		}
	}
	if len(out) == 0 {
		return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no cable between %s and %s", a, b), Hint: "`decenter lab status` lists them"}
	}
	return out, nil
}
