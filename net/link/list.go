package link

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"unsafe"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"decenter/net/frame"
)

// Link is a network device as it is now.
type Link struct {
	Index   uint32
	Name    string
	Kind    string // rtnetlink's IFLA_INFO_KIND, such as veth or tun; "device" is hardware
	MAC     frame.MAC
	MTU     int    // bytes of payload
	Mbps    uint64 // 0: not known
	Up      bool   // set up by someone
	Carrier bool   // something answers at the other end of the cable
	Promisc bool   // set promiscuous by someone
	Slave   bool   // part of a bridge, bond or the like
	Ether   bool   // an Ethernet device
}

// List gives all devices of the namespace, by index.
func List() ([]Link, error) {
	all, err := whole(netlink.LinkList)
	if err != nil {
		return nil, fmt.Errorf("list network devices: %w", err)
	}
	ls := make([]Link, 0, len(all))
	for _, l := range all {
		ls = append(ls, describe(l))
	}
	slices.SortFunc(ls, func(a, b Link) int { return int(a.Index) - int(b.Index) })
	return ls, nil
}

// attempts bounds how often a list is asked for that changes while it is read.
const attempts = 10

// whole asks for a list until it was not changed meanwhile (NLM_F_DUMP_INTR): one that was may lack anything, and must not
// be taken for what is there.
func whole[T any](list func() ([]T, error)) (all []T, err error) {
	for range attempts {
		if all, err = list(); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return all, nil
}

// ByName finds one device.
func ByName(name string) (Link, error) {
	l, err := netlink.LinkByName(name)
	if err != nil {
		return Link{}, fmt.Errorf("device %s: %w", name, err)
	}
	return describe(l), nil
}

// Absent tells whether err says that there is no such device.
func Absent(err error) bool {
	var not netlink.LinkNotFoundError
	return errors.As(err, &not) || errors.Is(err, unix.ENODEV)
}

func describe(l netlink.Link) Link {
	a := l.Attrs()
	d := Link{Index: uint32(a.Index), Name: a.Name, Kind: l.Type(), MTU: a.MTU, Mbps: speed(a.Name),
		Up:      a.RawFlags&unix.IFF_UP != 0,
		Carrier: a.RawFlags&unix.IFF_LOWER_UP != 0,
		Promisc: a.RawFlags&unix.IFF_PROMISC != 0,
		Slave:   a.MasterIndex != 0,
		Ether:   a.EncapType == "ether" && a.RawFlags&unix.IFF_LOOPBACK == 0}
	copy(d.MAC[:], a.HardwareAddr)
	return d
}

// ethtoolCmd is struct ethtool_cmd of linux/ethtool.h: understood by every driver, and enough for a speed.
type ethtoolCmd struct {
	cmd                   uint32
	supported, advertised uint32
	speed                 uint16
	duplex, port, phy     uint8
	transceiver, autoneg  uint8
	mdio                  uint8
	maxTx, maxRx          uint32
	speedHi               uint16
	ethTP, ethTPctrl      uint8
	lpAdvertising         uint32
	_                     [2]uint32
}

// ethtoolValue is struct ethtool_value.
type ethtoolValue struct{ cmd, data uint32 }

// Commands of linux/ethtool.h.
const (
	ethtoolGSet   = 0x01
	ethtoolGFlags = 0x25
	ethtoolSFlags = 0x26
	ethFlagLRO    = 1 << 15
)

// ethtool sends one command (ioctl SIOCETHTOOL) about a device.
func ethtool(name string, cmd unsafe.Pointer) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var req struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}
	copy(req.name[:unix.IFNAMSIZ-1], name)
	req.data = cmd
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&req))); e != 0 {
		return e
	}
	return nil
}

// speed gives Mbit/s; 0 where the driver does not know.
func speed(name string) uint64 {
	c := ethtoolCmd{cmd: ethtoolGSet}
	if ethtool(name, unsafe.Pointer(&c)) != nil {
		return 0
	}
	s := uint32(c.speedHi)<<16 | uint32(c.speed)
	if s == 1<<32-1 || s == 1<<16-1 {
		return 0
	}
	return uint64(s)
}

// Filter says which devices become ports of the fabric. Patterns are those of path.Match.
type Filter struct {
	Include []string // in any case
	Exclude []string // unless included
}

// Check tells of a pattern that is none.
func (f Filter) Check() error {
	for _, p := range slices.Concat(f.Include, f.Exclude) {
		if _, err := path.Match(p, "x"); err != nil {
			return fmt.Errorf("pattern %q of a port's name: %w: use letters with *, ? or [a-z]", p, err)
		}
	}
	return nil
}

// Choose picks the fabric's ports: Ethernet hardware, veth pairs that look like it in a laboratory, and whatever is
// included; not what is excluded, what holds the default route, or what serves a bridge or bond.
func (f Filter) Choose(all []Link, defaultRoute map[uint32]bool) []Link {
	var ports []Link
	for _, l := range all {
		switch {
		case !l.Ether:
		case match(f.Include, l.Name):
			ports = append(ports, l)
		case match(f.Exclude, l.Name), defaultRoute[l.Index], l.Slave:
		case l.Kind == "device" || l.Kind == "veth":
			ports = append(ports, l)
		}
	}
	return ports
}

func match(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return ok && err == nil
	})
}

// Addresses lists a device's own addresses that reach beyond its cable, IPv4 and IPv6.
func Addresses(ifindex uint32) ([]netip.Addr, error) {
	n := &netlink.Dummy{LinkAttrs: netlink.LinkAttrs{Index: int(ifindex)}} // only its index is asked for
	all, err := whole(func() ([]netlink.Addr, error) { return netlink.AddrList(n, netlink.FAMILY_ALL) })
	if err != nil {
		return nil, fmt.Errorf("list addresses of device %d: %w", ifindex, err)
	}
	var found []netip.Addr
	for _, a := range all {
		if ip, ok := netip.AddrFromSlice(a.IP); ok && !ip.IsLinkLocalUnicast() && !ip.IsLoopback() {
			found = append(found, ip.Unmap())
		}
	}
	return found, nil
}

// DefaultRoutes gives the indices of the devices that a default route, IPv4 or IPv6, leads out of.
func DefaultRoutes() (map[uint32]bool, error) {
	found := map[uint32]bool{}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		routes, err := whole(func() ([]netlink.Route, error) {
			return netlink.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_DST|netlink.RT_FILTER_TABLE)
		})
		if err != nil {
			return nil, fmt.Errorf("list default routes: %w", err)
		}
		for _, r := range routes {
			if r.LinkIndex > 0 {
				found[uint32(r.LinkIndex)] = true
			}
			for _, hop := range r.MultiPath {
				found[uint32(hop.LinkIndex)] = true
			}
		}
	}
	return found, nil
}
