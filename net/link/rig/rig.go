// Package rig is what tests of the network cable together: namespaces, cables, and taps whose far end the test holds.
// A test binary that calls Main runs in a mount namespace of its own, with an empty /run and a bpffs of its own,
// so that whatever a test leaves is gone with it, also after kill -9.
package rig

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	envInside = "DECENTER_RIG" // the folder of the rig, in the inner process
	envRole   = "DECENTER_RIG_ROLE"
	vnetHdr   = 10 // struct virtio_net_hdr
)

// Main runs the tests, or the role that Role gave this process, and returns the exit code.
func Main(m *testing.M, roles map[string]func() int) int {
	if name := os.Getenv(envRole); name != "" {
		role, ok := roles[name]
		if !ok {
			fmt.Fprintf(os.Stderr, "rig: no role %q\n", name)
			return 2
		}
		return role()
	}
	if dir := os.Getenv(envInside); dir != "" {
		if err := settle(dir); err != nil {
			fmt.Fprintf(os.Stderr, "rig: %v\n", err)
			return 2
		}
		return m.Run()
	}
	if os.Getuid() != 0 {
		return m.Run() // New skips, and says why
	}
	return outer()
}

// outer runs this binary again in a mount namespace of its own.
func outer() int {
	dir, err := os.MkdirTemp("", "decenter-rig-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	c := exec.Command(self, os.Args[1:]...)
	c.Env = append(os.Environ(), envInside+"="+dir)
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // Pdeathsig watches the thread
	defer runtime.UnlockOSThread()
	err = c.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	return 0
}

func settle(dir string) error {
	for _, sub := range []string{"bpf", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	return errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("rig", "/run", "tmpfs", 0, ""), // not just /run/netns: who removes that outside would unmount it here
		os.Mkdir("/run/netns", 0o755),
		unix.Mount("rig", filepath.Join(dir, "run"), "tmpfs", 0, ""),
		unix.Mount("rig", filepath.Join(dir, "bpf"), "bpf", 0, ""))
}

// Need skips the test where the rig cannot be.
func Need(t testing.TB) {
	t.Helper()
	if os.Getenv(envInside) == "" {
		t.Skip("needs root, for network namespaces and eBPF")
	}
}

// BPF is a folder on the rig's bpffs, of that name.
func BPF(name string) string { return filepath.Join(os.Getenv(envInside), "bpf", name) }

// Run is a path in the rig's tmpfs, of that name.
func Run(name string) string { return filepath.Join(os.Getenv(envInside), "run", name) }

// NS is a network namespace.
type NS string

// Namespace makes a namespace, with loopback up, until the test ends.
func Namespace(t testing.TB, name string) NS {
	t.Helper()
	Need(t)
	ns := NS(name)
	IP(t, "netns", "add", name)
	t.Cleanup(func() { exec.Command("ip", "netns", "del", name).Run() })
	IP(t, "-n", name, "link", "set", "lo", "up")
	return ns
}

// Cable joins two namespaces by a veth pair, both ends up.
func Cable(t testing.TB, a NS, aPort string, b NS, bPort string) {
	t.Helper()
	IP(t, "-n", string(a), "link", "add", aPort, "type", "veth", "peer", "name", bPort, "netns", string(b))
	IP(t, "-n", string(a), "link", "set", aPort, "up")
	IP(t, "-n", string(b), "link", "set", bPort, "up")
}

// IP runs ip(8).
func IP(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Do runs f in the namespace, on a thread of its own.
func (ns NS) Do(t testing.TB, f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		fd, err := unix.Open("/run/netns/"+string(ns), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err == nil {
			err = unix.Setns(fd, unix.CLONE_NEWNET)
			unix.Close(fd)
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatalf("in %s: %v", ns, err)
	}
}

// Command is a program to run in the namespace.
func (ns NS) Command(name string, args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"--net=/run/netns/" + string(ns), name}, args...)...)
}

// Role is this test binary, to run in the namespace as one of Main's roles.
func (ns NS) Role(t testing.TB, role string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := ns.Command(self)
	c.Env = append(append(os.Environ(), envRole+"="+role), env...)
	return c
}

// Wire is the far end of a tap: what a guest, or a cable, would see.
type Wire struct {
	Name string
	file *os.File
}

// Open takes the far end of an existing tap in the namespace.
func (ns NS) Open(t testing.TB, name string) *Wire {
	t.Helper()
	w := &Wire{Name: name}
	ns.Do(t, func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		req, err := unix.NewIfreq(name)
		if err != nil {
			return err
		}
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
			return err
		}
		w.file = os.NewFile(uintptr(fd), name)
		return nil
	})
	t.Cleanup(func() { w.file.Close() })
	return w
}

// Send puts a frame on the wire.
func (w *Wire) Send(t testing.TB, frame []byte) {
	t.Helper()
	if _, err := w.file.Write(append(make([]byte, vnetHdr), frame...)); err != nil {
		t.Fatalf("send on %s: %v", w.Name, err)
	}
}

// SendMerged puts a TCP frame (IPv4, no options) on the wire as a guest does that leaves its segmenting to us.
func (w *Wire) SendMerged(t testing.TB, frame []byte, segment uint16) {
	t.Helper()
	hdr := make([]byte, vnetHdr) // struct virtio_net_hdr, VIRTIO 1.2 5.1.6: in our byte order
	hdr[0], hdr[1] = 1, 1        // checksum needed, TCPv4
	for i, v := range []uint16{54, segment, 34, 16} {
		binary.NativeEndian.PutUint16(hdr[2+2*i:], v)
	}
	if _, err := w.file.Write(append(hdr, frame...)); err != nil {
		t.Fatalf("send on %s: %v", w.Name, err)
	}
}

// Receive waits for the next frame, at most so long; nil is silence.
func (w *Wire) Receive(t testing.TB, wait time.Duration) []byte {
	t.Helper()
	w.file.SetReadDeadline(time.Now().Add(wait))
	buf := make([]byte, 1<<16)
	n, err := w.file.Read(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	if err != nil || n < vnetHdr {
		t.Fatalf("receive on %s: %d bytes, %v", w.Name, n, err)
	}
	return buf[vnetHdr:n]
}
