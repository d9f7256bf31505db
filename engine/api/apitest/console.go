package apitest

import (
	"context"
	"io"
	"strings"
	"sync"

	"decenter/engine/api"
)

// Prompt is what the guest's shell says when it waits.
const Prompt = "/ # "

// maxUnread is how many bytes an open serial line keeps for a reader; more push the oldest out.
const maxUnread = 64 << 10

// line is a VM's serial line with a small shell at its other end: it echoes, and knows `hostname` and `echo`.
type line struct {
	mu    sync.Mutex // guards all below
	name  string
	typed []byte // of the line being typed
	ends  map[*end]bool
}

// end is one open console. It is readable when unread is not empty or it is closed.
type end struct {
	line   *line
	cond   *sync.Cond // on line.mu
	unread []byte
	closed bool
	stop   func() bool // no longer waits for the constellation's end
}

// open attaches to a VM's line. c.mu is held.
func (c *Constellation) open(vm api.VM) io.ReadWriteCloser {
	l := c.lines[vm.ID]
	if l == nil {
		l = &line{name: vm.Name, ends: map[*end]bool{}}
		c.lines[vm.ID] = l
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := &end{line: l, cond: sync.NewCond(&l.mu)}
	l.ends[e] = true
	e.stop = context.AfterFunc(c.ctx, func() { e.Close() })
	return e
}

// Read gives what the guest said since this end was opened.
func (e *end) Read(p []byte) (int, error) {
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	for len(e.unread) == 0 && !e.closed {
		e.cond.Wait()
	}
	if len(e.unread) == 0 {
		return 0, io.EOF
	}
	n := copy(p, e.unread)
	e.unread = e.unread[n:]
	return n, nil
}

// Write types into the guest.
func (e *end) Write(p []byte) (int, error) {
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	if e.closed {
		return 0, io.ErrClosedPipe
	}
	for _, b := range p {
		e.line.key(b)
	}
	return len(p), nil
}

// Close detaches.
func (e *end) Close() error {
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	e.closed = true
	delete(e.line.ends, e)
	e.stop()
	e.cond.Broadcast()
	return nil
}

// key is one byte typed. l.mu is held.
func (l *line) key(b byte) {
	switch b {
	case '\r', '\n':
		l.say("\r\n" + l.answer(string(l.typed)) + Prompt)
		l.typed = nil
	case 0x03: // Ctrl-C
		l.typed = nil
		l.say("^C\r\n" + Prompt)
	case 0x7f, '\b':
		if n := len(l.typed); n > 0 {
			l.typed = l.typed[:n-1]
			l.say("\b \b")
		}
	default:
		if len(l.typed) < 4096 {
			l.typed = append(l.typed, b)
			l.say(string([]byte{b}))
		}
	}
}

func (l *line) answer(typed string) string {
	verb, rest, _ := strings.Cut(strings.TrimSpace(typed), " ")
	switch verb {
	case "":
		return ""
	case "hostname":
		return l.name + "\r\n"
	case "echo":
		return rest + "\r\n"
	}
	return "sh: " + verb + ": not found\r\n"
}

func (l *line) say(s string) {
	for e := range l.ends {
		e.unread = append(e.unread, s...)
		if over := len(e.unread) - maxUnread; over > 0 {
			e.unread = e.unread[over:]
		}
		e.cond.Broadcast()
	}
}
