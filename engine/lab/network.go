package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

const (
	netnsDir  = "/run/netns"    // as ip-netns(8)
	ownerMark = "decenter lab " // and the lab's folder: the alias of lo in each of its namespaces
	panel     = "cables"        // the patch panel's namespace is decenter-cables; no satellite is called so
	nsfsMagic = 0x6e736673      // NSFS_MAGIC, linux/magic.h
)

// nsName is the name under which `ip netns` knows a satellite.
func nsName(satellite string) string { return "decenter-" + satellite }

func nsPath(satellite string) string { return filepath.Join(netnsDir, nsName(satellite)) }

// isNS tells whether a namespace is mounted on the file; a crash may leave the file alone.
func isNS(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Type == nsfsMagic
}

// onThread runs f on a thread of its own, which is thrown away: f may leave it in another namespace.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		done <- f()
	}()
	return <-done
}

// makeNS makes a network namespace with loopback up, marked as this lab's.
func (l *Lab) makeNS(name string) error {
	if err := shareNetnsDir(); err != nil {
		return fmt.Errorf("make %s: %w", netnsDir, err)
	}
	path := nsPath(name)
	// The file's text says whose it is until a namespace is mounted on it; O_EXCL makes it a claim.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o444)
	if err != nil {
		return fmt.Errorf("make network namespace %s: %w", nsName(name), err)
	}
	_, err = f.WriteString(ownerMark + l.Dir)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return err
		}
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		if err := errors.Join(netlink.LinkSetAlias(lo, ownerMark+l.Dir), netlink.LinkSetUp(lo)); err != nil {
			return err
		}
		if name == panel { // cables do not speak
			err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
	})
	if err != nil {
		return fmt.Errorf("make network namespace %s: %w", nsName(name), err)
	}
	return nil
}

// shareNetnsDir makes /run/netns a shared mount of its own before anything is mounted in it, as ip-netns(8) does: done
// later, by `ip netns add`, it would hide our names under copies of them, and they could not be removed.
func shareNetnsDir() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return err
	}
	err := unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
	if err != unix.EINVAL { // EINVAL: not a mount yet
		return err
	}
	if err := unix.Mount(netnsDir, netnsDir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
}

// tidyNetnsDir removes /run/netns when nothing is left in it. ip-netns(8) makes it anew when it needs it.
func tidyNetnsDir() {
	if entries, err := os.ReadDir(netnsDir); err != nil || len(entries) > 0 {
		return
	}
	if unix.Unmount(netnsDir, unix.UMOUNT_NOFOLLOW) != unix.EBUSY { // busy: somebody just began to use it
		_ = os.Remove(netnsDir)
	}
}

// owner tells the folder of the lab that a namespace belongs to; empty when it carries no lab's mark.
func owner(name string) string {
	if !isNS(nsPath(name)) {
		text, err := os.ReadFile(nsPath(name))
		dir, ok := strings.CutPrefix(string(text), ownerMark)
		if err != nil || !ok {
			return ""
		}
		return dir
	}
	h, err := handle(name)
	if err != nil {
		return ""
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return ""
	}
	dir, ok := strings.CutPrefix(lo.Attrs().Alias, ownerMark)
	if !ok {
		return ""
	}
	return dir
}

// owned lists the namespaces that carry this lab's mark, whatever lab.json says.
func (l *Lab) owned() (names []string) {
	entries, _ := os.ReadDir(netnsDir)
	for _, e := range entries {
		if name, ok := strings.CutPrefix(e.Name(), nsName("")); ok && owner(name) == l.Dir {
			names = append(names, name)
		}
	}
	return names
}

// dropNS removes a namespace's devices, so that they are gone at once and not when the kernel gets to it, and its name.
// One that is another lab's, or nobody's, stays.
func (l *Lab) dropNS(name string) error {
	path := nsPath(name)
	if owner(name) != l.Dir {
		return nil
	}
	if h, err := handle(name); err == nil && isNS(path) {
		links, _ := h.LinkList()
		for _, link := range links {
			if link.Attrs().Name != "lo" {
				_ = h.LinkDel(link) // its peer may have taken it along
			}
		}
		h.Close()
	}
	for range 4 { // a crash may have left more than one mount
		if unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) != nil {
			break
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// handle talks netlink inside a namespace.
func handle(name string) (*netlink.Handle, error) {
	ns, err := netns.GetFromPath(nsPath(name))
	if err != nil {
		return nil, err
	}
	defer ns.Close()
	return netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
}
