package lab

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// CableState is what was done to a cable.
type CableState string

// The states. A cable without one is whole.
const (
	CableWhole  CableState = ""
	CableCut    CableState = "cut"    // both ends lost their carrier
	CableSilent CableState = "silent" // both have it, and no frame passes
)

// end is one end of a cable: a device of a satellite, and its other half in the patch panel.
type end struct{ satellite, port, socket string }

func (c Cable) String() string { return c.A + " – " + c.B }

// key names the cable in lab.json.
func (c Cable) key() string { return c.A + " " + c.APort }

func (c Cable) has(satellite string) bool { return c.A == satellite || c.B == satellite }

// ends gives both ends. number is the cable's place in the topology.
func (c Cable) ends(number int) [2]end {
	return [2]end{{c.A, c.APort, fmt.Sprintf("c%da", number)}, {c.B, c.BPort, fmt.Sprintf("c%db", number)}}
}

// lay makes the cables of a satellite ("": all) what they should be: devices, carrier and the way from one to the other.
// It can be called again whatever was there before. A satellite without a namespace has no ends.
func (l *Lab) lay(satellite string) error {
	h, err := handle(panel)
	if err != nil {
		return err
	}
	defer h.Close()
	for n, c := range l.Topology.Cables {
		if satellite != "" && !c.has(satellite) {
			continue
		}
		if err := l.layOne(h, n, c); err != nil {
			return fmt.Errorf("cable %s: %w", c, err)
		}
	}
	return nil
}

func (l *Lab) layOne(h *netlink.Handle, number int, c Cable) error {
	var links [2]netlink.Link
	for i, e := range c.ends(number) {
		var err error
		if links[i], err = plug(h, e); err != nil {
			return err
		}
	}
	state := l.Cables[c.key()]
	up := links[0] != nil && links[1] != nil && state != CableCut
	for i, link := range links {
		if link == nil {
			continue
		}
		if !up {
			if err := h.LinkSetDown(link); err != nil {
				return err
			}
		}
		if err := lead(h, link, links[1-i], up && state == CableWhole); err != nil {
			return err
		}
	}
	if !up {
		return nil
	}
	return errors.Join(h.LinkSetUp(links[0]), h.LinkSetUp(links[1]))
}

// plug gives the panel's half of an end, and makes both halves where they are missing. Nil: the satellite has no
// namespace.
func plug(h *netlink.Handle, e end) (netlink.Link, error) {
	if !isNS(nsPath(e.satellite)) {
		return nil, nil
	}
	if link, err := h.LinkByName(e.socket); err == nil {
		return link, nil
	}
	ns, err := netns.GetFromPath(nsPath(e.satellite))
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name = e.socket
	if err := h.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: e.port, PeerNamespace: netlink.NsFd(ns)}); err != nil {
		return nil, fmt.Errorf("make port %s of %s: %w", e.port, e.satellite, err)
	}
	link, err := h.LinkByName(e.socket)
	if err != nil {
		return nil, err
	}
	// A cable has no MTU: it passes what the ports at its ends send.
	if err := errors.Join(h.LinkSetMTU(link, 65535), h.LinkSetARPOff(link)); err != nil {
		return nil, err
	}
	in, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	port, err := in.LinkByName(e.port)
	if err != nil {
		return nil, err
	}
	return link, in.LinkSetUp(port)
}

// lead sends every frame that comes in at one device out at the other, or into nothing. It is done by tc's u32 and
// mirred, which need no program and are in every kernel that Debian ships.
func lead(h *netlink.Handle, from, to netlink.Link, on bool) error {
	ingress := netlink.QdiscAttrs{LinkIndex: from.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_INGRESS}
	err := h.QdiscDel(&netlink.Ingress{QdiscAttrs: ingress})
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) { // there was none
		return err
	}
	if !on {
		return nil
	}
	if err := h.QdiscAdd(&netlink.Ingress{QdiscAttrs: ingress}); err != nil {
		return fmt.Errorf("tc ingress: %w", err)
	}
	err = h.FilterAdd(&netlink.U32{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: from.Attrs().Index, Parent: ingress.Handle, Priority: 1, Protocol: unix.ETH_P_ALL},
		Actions:     []netlink.Action{netlink.NewMirredAction(to.Attrs().Index)},
	})
	if err != nil {
		return fmt.Errorf("tc u32 and mirred: %w", err)
	}
	return nil
}

// unplug takes the carrier off the cables of a satellite whose power is cut.
func (l *Lab) unplug(satellite string) error {
	h, err := handle(panel)
	if err != nil {
		return err
	}
	defer h.Close()
	var errs []error
	for n, c := range l.Topology.Cables {
		if !c.has(satellite) {
			continue
		}
		for _, e := range c.ends(n) {
			if link, err := h.LinkByName(e.socket); err == nil {
				errs = append(errs, h.LinkSetDown(link))
			}
		}
	}
	return errors.Join(errs...)
}
