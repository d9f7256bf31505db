package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const netnsDir = "/run/netns"

// nsName is the name under which `ip netns` knows a satellite.
func nsName(satellite string) string { return "decenter-" + satellite }

func nsPath(satellite string) string { return filepath.Join(netnsDir, nsName(satellite)) }

// onThread runs f on a thread of its own, which is thrown away: f may leave it in another namespace.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- f()
	}()
	return <-done
}

// makeNS makes a satellite's network namespace, with loopback up.
func makeNS(satellite string) error {
	return onThread(func() error {
		ns, err := netns.NewNamed(nsName(satellite))
		if err != nil {
			return fmt.Errorf("make network namespace %s: %w", nsName(satellite), err)
		}
		defer ns.Close()
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
}

// dropNS removes a namespace's name; the kernel removes the namespace when nobody is in it any more.
func dropNS(satellite string) error {
	path := nsPath(satellite)
	if err := unix.Unmount(path, unix.MNT_DETACH); err != nil && err != unix.EINVAL && err != unix.ENOENT {
		return fmt.Errorf("unmount %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// dropLinks removes every device of a namespace, so that cables are gone at once and not when the kernel gets to it.
func dropLinks(satellite string) error {
	h, err := handle(satellite)
	if err != nil {
		return err
	}
	defer h.Close()
	links, err := h.LinkList()
	if err != nil {
		return err
	}
	for _, l := range links {
		if l.Attrs().Name != "lo" {
			_ = h.LinkDel(l) // its peer may have taken it along
		}
	}
	return nil
}

// handle talks netlink inside a satellite's namespace.
func handle(satellite string) (*netlink.Handle, error) {
	ns, err := netns.GetFromPath(nsPath(satellite))
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	return netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
}

// run lays a cable, both ends up.
func (c Cable) run() error {
	a, err := netns.GetFromPath(nsPath(c.A))
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := netns.GetFromPath(nsPath(c.B))
	if err != nil {
		return err
	}
	defer b.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.Namespace = c.APort, netlink.NsFd(a)
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: c.BPort, PeerNamespace: netlink.NsFd(b)}); err != nil {
		return fmt.Errorf("lay the cable %s: %w", c, err)
	}
	return c.set(true)
}

func (c Cable) String() string { return c.A + " – " + c.B }

// set plugs the cable in or out; both ends lose their carrier.
func (c Cable) set(up bool) error {
	return errors.Join(setLink(c.A, c.APort, up), setLink(c.B, c.BPort, up))
}

func setLink(satellite, port string, up bool) error {
	h, err := handle(satellite)
	if err != nil {
		return err
	}
	defer h.Close()
	l, err := h.LinkByName(port)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", port, satellite, err)
	}
	if up {
		return h.LinkSetUp(l)
	}
	return h.LinkSetDown(l)
}
