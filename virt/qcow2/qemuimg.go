package qcow2

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"decenter/virt"
)

// Our own limits on qemu-img.
const (
	quickTime  = 30 * time.Second // info, create, resize: some 20 ms when all is well
	copyTime   = 2 * time.Hour    // convert of the largest image
	addressMax = 4 << 30          // bytes of address space: a lying header must not take the machine's memory
	outputMax  = 1 << 20          // bytes of its output that we keep
	processes  = 4                // at a time
)

// tool runs qemu-img. It is safe for concurrent use.
type tool struct {
	slots chan struct{} // capacity: processes
}

func newTool() *tool { return &tool{slots: make(chan struct{}, processes)} }

// run is one qemu-img command. extra become file descriptors 3, 4, … of it; out, if not nil, gets its standard
// output as it comes. Errors are of virt's kinds, with what it said on standard error.
func (t *tool) run(ctx context.Context, limit time.Duration, extra []*os.File, out io.Writer, args ...string) error {
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	said := &bounded{max: outputMax}
	// prlimit replaces itself by qemu-img, so the process we may have to kill is qemu-img.
	cmd := exec.CommandContext(inner, "prlimit", append([]string{"--as=" + strconv.Itoa(addressMax), "--core=0", "--", "qemu-img"}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, said, extra
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	// The death signal is bound to the thread that starts the process: hold it until the process is over.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := cmd.Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case inner.Err() != nil:
		return fmt.Errorf("%w: qemu-img %s took more than %s", virt.ErrUnavailable, args[0], limit)
	}
	return classify(args[0], said.buf.String(), err)
}

// classify finds the kind of a qemu-img failure by its words, which is all that it gives.
func classify(verb, said string, err error) error {
	kind := virt.ErrFailed
	switch {
	case errors.Is(err, exec.ErrNotFound), strings.Contains(said, "failed to execute qemu-img"):
		kind, said = virt.ErrUnavailable, "install qemu-utils and util-linux"
	case strings.Contains(said, "No space left on device"), strings.Contains(said, "Disk quota exceeded"):
		kind = virt.ErrExhausted
	case strings.Contains(said, "lock"): // Failed to get "write" lock, Is another process using the image
		kind = virt.ErrConflict
	}
	if said = strings.TrimSpace(said); said == "" {
		said = err.Error()
	}
	line, _, _ := strings.Cut(said, "\n")
	return fmt.Errorf("%w: qemu-img %s: %s", kind, verb, line)
}

// bounded keeps the first max bytes written to it.
type bounded struct {
	buf bytes.Buffer
	max int
}

func (b *bounded) Write(p []byte) (int, error) {
	if room := b.max - b.buf.Len(); room > 0 {
		b.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// percent reads qemu-img's progress, "    (12.50/100%)\r", and calls f with it.
type percent struct {
	f    func(float64)
	last []byte
}

func (p *percent) Write(b []byte) (int, error) {
	for _, c := range b {
		switch {
		case c == '(':
			p.last = p.last[:0]
		case c == '/':
			if v, err := strconv.ParseFloat(string(p.last), 64); err == nil && v >= 0 && v <= 100 {
				p.f(v)
			}
			p.last = p.last[:0]
		case len(p.last) < 16:
			p.last = append(p.last, c)
		}
	}
	return len(b), nil
}
