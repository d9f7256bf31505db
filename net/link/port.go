package link

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"unsafe"

	"github.com/vishvananda/netlink"

	"decenter/net/frame"
)

// The sizes of payloads. A fabric port has room for two tags in the payload, besides the one that the kernel keeps aside
// and does not count, so that a triple-tagged frame of full size passes.
const (
	MTU     = 1500
	TagLen  = 4
	PortMTU = MTU + 3*TagLen
)

// Prior is how a device was before Prepare, for Restore.
type Prior struct {
	Name    string    `json:"name"`
	MAC     frame.MAC `json:"mac"`
	MTU     int       `json:"mtu"`
	Up      bool      `json:"up"`
	Promisc bool      `json:"promisc"`
	LRO     bool      `json:"lro"`
	// NoIPv6 is net.ipv6.conf.NAME.disable_ipv6; empty where the kernel has no IPv6.
	NoIPv6 string `json:"no_ipv6"`
}

// Inspect tells how a device is, for a later Restore.
func Inspect(l Link) Prior {
	return Prior{Name: l.Name, MAC: l.MAC, MTU: l.MTU, Up: l.Up, Promisc: l.Promisc, LRO: lro(l.Name),
		NoIPv6: sysctl(l.Name, "ipv6", "disable_ipv6")}
}

// Prepare makes a device fit to be a fabric port: up, promiscuous, LRO off (it cannot be undone on the way out), room for
// tags where the driver allows it, and no IPv6 of its own unless someone gave it an address. A device that is so
// already is not touched.
func Prepare(l Link) error {
	n, err := netlink.LinkByIndex(int(l.Index))
	if err != nil {
		return fmt.Errorf("prepare %s: %w", l.Name, err)
	}
	var errs []error
	if l.MTU < PortMTU {
		// Drivers refuse with all kinds of errors; one that leaves less room than for a plain frame is none for us.
		if err := netlink.LinkSetMTU(n, PortMTU); err != nil && l.MTU < MTU {
			errs = append(errs, err)
		}
	}
	if !l.Promisc {
		errs = append(errs, netlink.SetPromiscOn(n))
	}
	if lro(l.Name) {
		errs = append(errs, setLRO(l.Name, false))
	}
	if sysctl(l.Name, "ipv6", "disable_ipv6") == "0" && !addressed(l.Index) {
		errs = append(errs, setSysctl(l.Name, "ipv6", "disable_ipv6", "1"))
	}
	if !l.Up {
		errs = append(errs, netlink.LinkSetUp(n))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("prepare %s: %w", l.Name, err)
	}
	return nil
}

// Restore puts a device back as Inspect saw it. A device that is gone, or is another one by now, is no error.
func Restore(p Prior) error {
	n, err := netlink.LinkByName(p.Name)
	if Absent(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("restore %s: %w", p.Name, err)
	}
	now := describe(n)
	if now.MAC != p.MAC {
		return nil
	}
	var errs []error
	if now.Promisc && !p.Promisc {
		errs = append(errs, netlink.SetPromiscOff(n))
	}
	if p.LRO && !lro(p.Name) {
		errs = append(errs, setLRO(p.Name, true))
	}
	if now.MTU != p.MTU {
		errs = append(errs, netlink.LinkSetMTU(n, p.MTU))
	}
	if p.NoIPv6 != "" && p.NoIPv6 != sysctl(p.Name, "ipv6", "disable_ipv6") {
		errs = append(errs, setSysctl(p.Name, "ipv6", "disable_ipv6", p.NoIPv6))
	}
	if now.Up && !p.Up {
		errs = append(errs, netlink.LinkSetDown(n))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("restore %s: %w", p.Name, err)
	}
	return nil
}

// addressed tells whether a device has an IPv6 address besides its link-local one.
func addressed(ifindex uint32) bool {
	as, err := Addresses(ifindex)
	return err != nil || slices.ContainsFunc(as, netip.Addr.Is6)
}

func lro(name string) bool {
	v := ethtoolValue{cmd: ethtoolGFlags}
	return ethtool(name, unsafe.Pointer(&v)) == nil && v.data&ethFlagLRO != 0
}

func setLRO(name string, on bool) error {
	v := ethtoolValue{cmd: ethtoolGFlags}
	if err := ethtool(name, unsafe.Pointer(&v)); err != nil {
		return fmt.Errorf("read offloads: %w", err)
	}
	v.cmd, v.data = ethtoolSFlags, v.data&^ethFlagLRO
	if on {
		v.data |= ethFlagLRO
	}
	if err := ethtool(name, unsafe.Pointer(&v)); err != nil {
		return fmt.Errorf("set LRO: %w", err)
	}
	return nil
}

// /proc/sys/net follows the caller's namespace, unlike /sys.
func sysctlPath(name, family, key string) string {
	return filepath.Join("/proc/sys/net", family, "conf", name, key)
}

// sysctl reads a device's setting; empty where there is none.
func sysctl(name, family, key string) string {
	b, err := os.ReadFile(sysctlPath(name, family, key))
	if err != nil || len(b) == 0 {
		return ""
	}
	return string(b[:len(b)-1])
}

// setSysctl writes a device's setting; a kernel without that protocol has none to write.
func setSysctl(name, family, key, value string) error {
	err := os.WriteFile(sysctlPath(name, family, key), []byte(value), 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
