package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"decenter/engine/api"
	"decenter/shell/output"
)

// DefaultIdle is how long a guest must be quiet after the end of an input that is no terminal.
const DefaultIdle = time.Second

// escapeKey is Ctrl-], as in telnet.
const escapeKey = 0x1d

// closePatience bounds the wait for the last output of a console that is left.
const closePatience = time.Second

// maxUnsent is how many reads of the keyboard wait for a guest that does not take them; more are dropped.
const maxUnsent = 64

// console joins the streams to a VM's serial line until the person leaves, the line ends or ctx ends.
func (r *Runner) console(ctx context.Context, ref string, idle time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rw, err := r.svc.Console(ctx, ref)
	if err != nil {
		return err
	}
	l := attach(ctx, rw, r.s.Out)
	defer l.close()
	if !r.s.InTerminal {
		if idle == 0 {
			idle = DefaultIdle
		}
		return l.pipe(ctx, r.input(), idle)
	}
	r.say(fmt.Sprintf("serial console of %s; Ctrl-] and then q leaves it\r\n", output.Clean(ref)))
	if r.s.Raw != nil {
		restore, err := r.s.Raw()
		if err != nil {
			return api.Errorf(api.CodeFailed, "the terminal does not become raw: %v", err)
		}
		defer func() { _ = restore() }() // there is no other way to restore it
	}
	err = l.keyboard(ctx, r.input(), r.s.Err)
	r.say(fmt.Sprintf("\r\nleft the serial console of %s\r\n", output.Clean(ref)))
	return err
}

// serial is an open serial line being copied both ways.
type serial struct {
	rw     io.ReadWriteCloser
	unsent chan []byte   // to the guest; closed by close
	sent   chan struct{} // closed once nothing more is sent
	heard  chan struct{} // has one when the guest said or took something
	over   chan struct{} // closed once the guest's side ended
	err    error         // why, after over
	stop   func() bool   // keeps the end of ctx from closing rw; false when it has
	cancel context.CancelFunc
}

// attach begins to copy. Both goroutines end once the line is closed, which happens when ctx ends.
func attach(ctx context.Context, rw io.ReadWriteCloser, out io.Writer) *serial {
	ctx, cancel := context.WithCancel(ctx)
	l := &serial{rw: rw, unsent: make(chan []byte, maxUnsent), sent: make(chan struct{}), heard: make(chan struct{}, 1), over: make(chan struct{}), cancel: cancel}
	l.stop = context.AfterFunc(ctx, func() { _ = rw.Close() })
	go l.send(ctx)
	go l.receive(out)
	return l
}

// close detaches: the guest gets what was typed and the screen what it said, as far as both still take it.
func (l *serial) close() {
	patience, done := context.WithTimeout(context.Background(), closePatience)
	defer done()
	close(l.unsent) // keyboard and pipe, which fill it, have returned
	select {
	case <-l.sent:
	case <-l.over:
	case <-patience.Done():
	}
	if l.stop() {
		_ = l.rw.Close()
	}
	l.cancel()
	select {
	case <-l.over:
	case <-patience.Done():
	}
}

// send gives the guest what is typed until there is no more, or the line is closed.
func (l *serial) send(ctx context.Context) {
	defer close(l.sent)
	for {
		select {
		case b, ok := <-l.unsent:
			if !ok {
				return
			}
			if _, err := l.rw.Write(b); err != nil {
				return // the reading side finds out why
			}
			l.stir()
		case <-ctx.Done():
			return
		}
	}
}

// stir tells that the line is not quiet.
func (l *serial) stir() {
	select {
	case l.heard <- struct{}{}:
	default:
	}
}

func (l *serial) receive(out io.Writer) {
	defer close(l.over)
	buf := make([]byte, 16<<10)
	for {
		n, err := l.rw.Read(buf)
		if n > 0 {
			if _, werr := out.Write(buf[:n]); werr != nil {
				l.err = api.Errorf(api.CodeFailed, "the output is gone: %v", werr)
				return
			}
			l.stir()
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				l.err = api.Errorf(api.CodeUnavailable, "the serial console broke off: %v", err)
			}
			return
		}
	}
}

// keyboard sends what is typed until the escape leaves. A guest that does not read never holds up the escape.
func (l *serial) keyboard(ctx context.Context, in *input, bell io.Writer) error {
	var e escape
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // The line's end ends the wait for a key.
		select {
		case <-l.over:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		b, err := in.read(ctx)
		select {
		case <-l.over:
			return l.err
		default:
		}
		if err != nil {
			return nil // the terminal or ctx is gone: that detaches
		}
		send, rest, leave := e.keys(b)
		if len(send) > 0 {
			select {
			case l.unsent <- send:
			default:
				_, _ = io.WriteString(bell, "\a")
			}
		}
		if leave {
			in.rest = rest
			return nil
		}
	}
}

// pipe sends an input to its end and waits until the guest has been quiet for idle.
func (l *serial) pipe(ctx context.Context, in *input, idle time.Duration) error {
	for {
		b, err := in.read(ctx)
		if err != nil {
			break
		}
		select {
		case l.unsent <- b:
		case <-l.over:
			return l.err
		case <-ctx.Done():
		}
	}
	quiet := time.NewTimer(idle)
	defer quiet.Stop()
	for {
		select {
		case <-l.heard:
			quiet.Reset(idle)
		case <-quiet.C:
			return nil
		case <-l.over:
			return l.err
		case <-ctx.Done():
			return &api.Error{Code: api.CodeOf(ctx.Err()), Message: "the console was left"}
		}
	}
}

// escape finds the escape in what is typed. Its two states: armed is after Ctrl-].
type escape struct{ armed bool }

// keys takes bytes typed. It gives those for the guest, and on leaving those typed after.
func (e *escape) keys(typed []byte) (send, rest []byte, leave bool) {
	for i, b := range typed {
		switch {
		case !e.armed && b == escapeKey:
			e.armed = true
			continue
		case !e.armed:
			send = append(send, b)
			continue
		case b == 'q' || b == '.':
			return send, typed[i+1:], true
		case b == escapeKey:
			send = append(send, b)
		default:
			send = append(send, escapeKey, b)
		}
		e.armed = false
	}
	return send, nil, false
}
