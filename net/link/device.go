package link

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"decenter/net/frame"
)

// CreateTap makes a persistent tap, up, for a VM: one queue, and with the virtio header so that guests keep their
// offloads. It has no IPv6 of its own, so that only the fabric speaks to the guest. One of that name already there is
// taken as it is. The hypervisor opens it by name; no device is made or removed with the guest.
func CreateTap(name string) (Link, error) {
	if l, err := netlink.LinkByName(name); err == nil {
		if t, ok := l.(*netlink.Tuntap); !ok || t.Mode != netlink.TUNTAP_MODE_TAP {
			return Link{}, fmt.Errorf("tap %s: a device of that name is a %s", name, l.Type())
		}
		return setUpTap(l)
	}
	if err := tap(name, true); err != nil {
		return Link{}, fmt.Errorf("create tap %s: %w", name, err)
	}
	l, err := netlink.LinkByName(name)
	if err != nil {
		return Link{}, fmt.Errorf("create tap %s: %w", name, err)
	}
	return setUpTap(l)
}

func setUpTap(l netlink.Link) (Link, error) {
	name := l.Attrs().Name
	if err := errors.Join(setSysctl(name, "ipv6", "disable_ipv6", "1"), netlink.LinkSetMTU(l, PortMTU), netlink.LinkSetUp(l)); err != nil {
		return Link{}, fmt.Errorf("set up tap %s: %w", name, err)
	}
	return ByName(name)
}

// tap makes or ends a persistent tap.
func tap(name string, persist bool) error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
		return fmt.Errorf("TUNSETIFF: %w", err)
	}
	on := 0
	if persist {
		on = 1
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETPERSIST, on); err != nil {
		return fmt.Errorf("TUNSETPERSIST: %w", err)
	}
	return nil
}

// Delete removes a device; one that is gone already is no error.
func Delete(name string) error {
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(l)
	}
	if err != nil && !Absent(err) {
		return fmt.Errorf("delete %s: %w", name, err)
	}
	return nil
}

// InnerName is the name of the host port's inner end.
func InnerName(host string) string { return host[:min(len(host), unix.IFNAMSIZ-1-len(".in"))] + ".in" }

// CreateHost makes the satellite's own port on the fabric: a veth pair whose outer end belongs to the machine's stack,
// with that address and the IPv6 link-local address made from it (RFC 4291 appendix A), and whose inner end is a port of
// the switch. The outer end listens to no router and tests its address for no duplicates: it is made from a key.
// A pair already there is set up anew, which changes nothing if it was right.
func CreateHost(name string, mac frame.MAC) (outer, inner Link, err error) {
	fail := func(err error) (Link, Link, error) {
		return Link{}, Link{}, fmt.Errorf("create host port %s: %w", name, err)
	}
	o, err := netlink.LinkByName(name)
	if Absent(err) {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.HardwareAddr, attrs.MTU = name, mac[:], MTU
		if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: InnerName(name)}); err != nil {
			return fail(err)
		}
		o, err = netlink.LinkByName(name)
	}
	if err != nil {
		return fail(err)
	}
	i, err := netlink.LinkByName(InnerName(name))
	if err != nil {
		return fail(err)
	}
	if o.Attrs().ParentIndex != i.Attrs().Index {
		return fail(fmt.Errorf("%s and %s are there, but not a veth pair", name, InnerName(name)))
	}
	if frame.MAC(o.Attrs().HardwareAddr) != mac {
		if err := netlink.LinkSetHardwareAddr(o, mac[:]); err != nil {
			return fail(err)
		}
	}
	// Of an earlier life with another key; forwarding and autoconfiguration would let the fabric change our routes.
	for _, s := range [][2]string{{"accept_ra", "0"}, {"accept_dad", "0"}, {"autoconf", "0"}, {"router_solicitations", "0"},
		{"forwarding", "0"}, {"addr_gen_mode", "0"}, {"disable_ipv6", "0"}} {
		if err := setSysctl(name, "ipv6", s[0], s[1]); err != nil {
			return fail(err)
		}
	}
	if err := setSysctl(InnerName(name), "ipv6", "disable_ipv6", "1"); err != nil {
		return fail(err)
	}
	if err := errors.Join(netlink.LinkSetUp(i), netlink.LinkSetUp(o)); err != nil {
		return fail(err)
	}
	if outer, err = ByName(name); err != nil {
		return fail(err)
	}
	inner, err = ByName(InnerName(name))
	return outer, inner, err
}

// Offloads on taps and ports stay as the drivers have them; a size check keeps the ioctl honest.
var _ [44]byte = [unsafe.Sizeof(ethtoolCmd{})]byte{}
