package kvmprobe

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"decenter/virt"
)

// Config says what guest to try, and how long.
type Config struct {
	// Disk is a qcow2 image that boots by itself; it is not written to. Or Kernel and Initrd are booted.
	Disk           string
	Kernel, Initrd string
	// Line begins the serial output that proves the guest runs: "DECENTER-GUEST-UP".
	Line string
	// Timeout bounds the guest's start; 0 is 20 s, several times what KVM needs on a slow machine.
	Timeout time.Duration
	// File holds the verdict; empty remembers nothing.
	File string
	// QEMU is the program; empty is qemu-system-x86_64.
	QEMU string
}

// Verdict is what was found.
type Verdict struct {
	Accel  virt.Accel    `json:"accel"`
	Reason string        `json:"reason"`         // one line
	Took   time.Duration `json:"took,omitempty"` // nanoseconds until the line came or it was given up
}

// Our own limits.
const (
	defaultTimeout = 20 * time.Second
	saidMax        = 256 << 10 // bytes of the guest's output that are searched
	probeMemory    = "192M"
)

// Probe gives the verdict, running the guest where it is not remembered. It returns an error only where it could not
// tell: no guest, no QEMU, or ctx ended; the Verdict says TCG then.
func Probe(ctx context.Context, c Config) (Verdict, error) {
	if c.QEMU == "" {
		c.QEMU = "qemu-system-x86_64"
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	dev, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return Verdict{Accel: virt.TCG, Reason: err.Error()}, nil
	}
	dev.Close()
	k, err := keyOf(ctx, c)
	if err != nil {
		return Verdict{Accel: virt.TCG, Reason: "not probed"}, err
	}
	if v, ok := recall(c.File, k); ok {
		return v, nil
	}
	v, err := c.try(ctx, virt.KVM)
	if err != nil {
		return Verdict{Accel: virt.TCG, Reason: "not probed"}, err
	}
	return v, remember(c.File, k, v)
}

// try runs the guest with one accelerator until it says the line.
func (c Config) try(ctx context.Context, accel virt.Accel) (Verdict, error) {
	dir, err := os.MkdirTemp("", "kvmprobe")
	if err != nil {
		return Verdict{}, err
	}
	defer os.RemoveAll(dir)
	inner, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	cmd := exec.CommandContext(inner, c.QEMU, c.args(accel)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+dir) // where -snapshot keeps what the guest writes
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 2 * time.Second // a process stuck in the kernel must not hold us
	stderr := &searcher{}
	found := make(chan struct{})
	cmd.Stdout, cmd.Stderr = &searcher{want: []byte(c.Line), found: found}, stderr
	begun := time.Now()
	ended := make(chan error, 1)
	go func() {
		// The death signal is bound to the thread that starts the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		ended <- cmd.Run()
	}()
	var end error
	select {
	case <-found:
		v := Verdict{Accel: accel, Reason: "a guest ran", Took: time.Since(begun)}
		cancel()
		<-ended
		return v, nil
	case end = <-ended:
	}
	return c.failed(ctx, inner, accel, end, time.Since(begun), found, stderr.String())
}

// failed tells what it means that QEMU ended before the line was seen.
func (c Config) failed(ctx, inner context.Context, accel virt.Accel, end error, took time.Duration, found chan struct{}, stderr string) (Verdict, error) {
	select {
	case <-found: // the line was its last
		return Verdict{Accel: accel, Reason: "a guest ran", Took: took}, nil
	default:
	}
	switch {
	case ctx.Err() != nil:
		return Verdict{}, ctx.Err()
	case inner.Err() != nil:
		return Verdict{Accel: virt.TCG, Reason: fmt.Sprintf("a guest with %s did not come up in %s", accel, c.Timeout), Took: took}, nil
	case errors.Is(end, exec.ErrNotFound):
		return Verdict{}, fmt.Errorf("%w: %w", virt.ErrUnavailable, end)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n")
	return Verdict{Accel: virt.TCG, Reason: fmt.Sprintf("QEMU with %s ended (%v): %s", accel, end, line), Took: took}, nil
}

func (c Config) args(accel virt.Accel) []string {
	cpu := "host"
	if accel == virt.TCG {
		cpu = "qemu64"
	}
	a := []string{"-accel", string(accel), "-cpu", cpu, "-M", "q35", "-m", probeMemory, "-nodefaults", "-no-user-config",
		"-no-reboot", "-display", "none", "-serial", "stdio", "-nic", "none"}
	if c.Kernel != "" {
		return append(a, "-kernel", c.Kernel, "-initrd", c.Initrd, "-append", "console=ttyS0 panic=-1")
	}
	// The format is pinned; a comma in the path is doubled for QEMU's option parser.
	path := strings.ReplaceAll(c.Disk, ",", ",,")
	return append(a, "-snapshot", "-drive", "if=virtio,format=qcow2,file="+path)
}

// searcher keeps what is written to it, up to saidMax bytes, and closes found when want is in it.
type searcher struct {
	mu    sync.Mutex
	said  bytes.Buffer  // guarded by mu
	want  []byte        // nil: nothing is searched
	found chan struct{} // closed once
}

func (s *searcher) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if room := saidMax - s.said.Len(); room > 0 {
		from := max(0, s.said.Len()-len(s.want))
		had := len(s.want) == 0 || bytes.Contains(s.said.Bytes(), s.want)
		s.said.Write(p[:min(room, len(p))])
		if !had && bytes.Contains(s.said.Bytes()[from:], s.want) {
			close(s.found)
		}
	}
	return len(p), nil
}

func (s *searcher) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// Later is a Probe in the background, for an engine that must not wait for it.
type Later struct {
	done chan struct{}
	v    Verdict // read after done
	err  error
}

// Begin starts a Probe that ends with ctx.
func Begin(ctx context.Context, c Config) *Later {
	l := &Later{done: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.v, l.err = Probe(ctx, c)
	}()
	return l
}

// Wait gives the verdict, or TCG where it is not there when ctx ends.
func (l *Later) Wait(ctx context.Context) (Verdict, error) {
	select {
	case <-l.done:
		return l.v, l.err
	default:
	}
	select {
	case <-l.done:
		return l.v, l.err
	case <-ctx.Done():
		return Verdict{Accel: virt.TCG, Reason: "still probing"}, ctx.Err()
	}
}

// Accel gives the verdict so far: TCG until there is another.
func (l *Later) Accel() virt.Accel {
	select {
	case <-l.done:
		return l.v.Accel
	default:
		return virt.TCG
	}
}

// guestFile is the file that stands for the guest in the key.
func (c Config) guestFile() string {
	if c.Kernel != "" {
		return filepath.Clean(c.Kernel)
	}
	return filepath.Clean(c.Disk)
}
