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
	netnsDir    = "/run/netns" // as ip-netns(8)
	netnsPrefix = "decenter-"
	panelName   = netnsPrefix + "cables"
	ownerMark   = "decenter lab " // the alias of lo: the mark and the lab's folder
	nsfsMagic   = 0x6e736673      // NSFS_MAGIC of linux/magic.h
)

func netnsName(sat string) string    { return netnsPrefix + sat }
func netnsPath(name string) string   { return filepath.Join(netnsDir, name) }
func (l *Lab) mark() string          { return ownerMark + l.Dir }
func isNamespace(path string) bool   { var st unix.Statfs_t; return unix.Statfs(path, &st) == nil && st.Type == nsfsMagic }
func inode(path string) (ino uint64) { var st unix.Stat_t; _ = unix.Stat(path, &st); return st.Ino }

// makeNetns makes a network namespace with a name, marked as this lab's. fs.ErrExist when the name is taken.
func (l *Lab) makeNetns(name string, quiet bool) error {
	if err := shareNetnsDir(); err != nil {
		return fmt.Errorf("make %s: %w", netnsDir, err)
	}
	path := netnsPath(name)
	// The file tells whose it is while nothing is mounted on it yet; O_EXCL makes it a claim.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o444)
	if err != nil {
		return err
	}
	_, err = f.WriteString(l.mark())
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its namespace
		done <- func() error {
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				return fmt.Errorf("make a network namespace: %w", err)
			}
			if err := furnishNetns(l.mark(), quiet); err != nil {
				return err
			}
			return unix.Mount("/proc/thread-self/ns/net", path, "", unix.MS_BIND, "")
		}()
	}()
	if err := <-done; err != nil {
		return errors.Join(err, removeNetns(name))
	}
	return nil
}

// furnishNetns marks the namespace of the calling thread and brings up its lo. A quiet one speaks no IPv6.
func furnishNetns(mark string, quiet bool) error {
	if quiet {
		err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err != nil {
		return err
	}
	return errors.Join(h.LinkSetAlias(lo, mark), h.LinkSetUp(lo))
}

// shareNetnsDir makes /run/netns a shared mount as ip-netns(8) does, so that names made by either vanish for both.
func shareNetnsDir() error {
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		return err
	}
	for range 2 {
		err := unix.Mount("", netnsDir, "none", unix.MS_SHARED|unix.MS_REC, "")
		if err != unix.EINVAL { // EINVAL: not a mount point yet
			return err
		}
		if err := unix.Mount(netnsDir, netnsDir, "none", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return err
		}
	}
	return nil
}

// tidyNetnsDir removes /run/netns when nothing is left in it; ip-netns(8) makes it anew when needed.
func tidyNetnsDir() {
	if entries, err := os.ReadDir(netnsDir); err != nil || len(entries) > 0 {
		return
	}
	_ = unix.Unmount(netnsDir, unix.UMOUNT_NOFOLLOW) // busy: somebody just began to use it
	_ = os.Remove(netnsDir)
}

// removeNetns takes the name away; the namespace goes with its last process. A missing name is no error.
func removeNetns(name string) error {
	path := netnsPath(name)
	for range 8 { // a crash may have left more than one mount
		if unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) != nil {
			break
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the network namespace %s: %w", name, err)
	}
	return nil
}

// netnsOwner tells the lab's folder that a name belongs to; empty when it is not a lab's.
func netnsOwner(name string) string {
	path := netnsPath(name)
	if !isNamespace(path) {
		text, err := os.ReadFile(path)
		if err != nil || len(text) > unix.PathMax {
			return ""
		}
		dir, _ := strings.CutPrefix(string(text), ownerMark)
		return dir
	}
	var owner string
	_ = inNetns(path, func(h *netlink.Handle) error {
		lo, err := h.LinkByName("lo")
		if err == nil {
			if dir, ok := strings.CutPrefix(lo.Attrs().Alias, ownerMark); ok {
				owner = dir
			}
		}
		return err
	})
	return owner
}

// inNetns calls fn with a netlink handle of a namespace.
func inNetns(path string, fn func(*netlink.Handle) error) error {
	ns, err := netns.GetFromPath(path)
	if err != nil {
		return err
	}
	defer ns.Close()
	h, err := netlink.NewHandleAt(ns, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer h.Close()
	return fn(h)
}

// labNames lists the names in /run/netns that are a lab's, with its folder ("" where nothing tells whose).
func labNames() map[string]string {
	out := map[string]string{}
	entries, _ := os.ReadDir(netnsDir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), netnsPrefix) {
			out[e.Name()] = netnsOwner(e.Name())
		}
	}
	return out
}
