package libvirt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"decenter/virt"
)

// Limits of a console.
const (
	lookAgain   = time.Second            // readers look into the log so often even if nothing woke them
	settle      = 2 * time.Millisecond   // QEMU writes to the socket first, to the log just after
	redial      = 250 * time.Millisecond // between tries to reach the socket of a guest that does not run
	writeWait   = 5 * time.Second        // a guest that takes no input for so long does not listen
	dialTimeout = time.Second
)

// line is a guest's serial socket while at least one console is open on it: QEMU lets one in at a time.
type line struct {
	cancel context.CancelFunc
	users  int // guarded by Driver.mu

	mu   sync.Mutex
	conn net.Conn      // nil while the guest has no process; guarded by mu
	news chan struct{} // closed and replaced when there may be output; guarded by mu
	poke chan struct{} // capacity 1: try to connect now
}

// attach finds or makes the guest's line.
func (d *Driver) attach(id virt.ID) *line {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.lines[id]
	if l == nil {
		ctx, cancel := context.WithCancel(context.Background()) // its end is the last detach
		l = &line{cancel: cancel, news: make(chan struct{}), poke: make(chan struct{}, 1)}
		d.lines[id] = l
		go l.run(ctx, d.layout.tty(id))
	}
	l.users++
	return l
}

func (d *Driver) detach(id virt.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := d.lines[id]; l != nil {
		if l.users--; l.users == 0 {
			delete(d.lines, id)
			l.cancel()
		}
	}
}

// wake tells a guest's line that its state changed.
func (d *Driver) wake(id virt.ID) {
	d.mu.Lock()
	l := d.lines[id]
	d.mu.Unlock()
	if l == nil {
		return
	}
	l.wakeAll()
	select {
	case l.poke <- struct{}{}:
	default:
	}
}

// run keeps the socket connected, and tells the readers whenever something comes out of it.
func (l *line) run(ctx context.Context, path string) {
	dialer := net.Dialer{Timeout: dialTimeout}
	for ctx.Err() == nil {
		if conn, err := dialer.DialContext(ctx, "unix", path); err == nil {
			l.set(conn)
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			l.drain(conn)
			stop()
			l.set(nil)
			conn.Close()
		}
		timer := time.NewTimer(redial)
		select {
		case <-timer.C:
		case <-l.poke: // its state changed
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// drain reads the socket until it ends. What comes is in the log too; it only tells when to look there.
func (l *line) drain(conn net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		_, err := conn.Read(buf)
		l.wakeAll()
		if err != nil {
			return
		}
		time.Sleep(settle) // also gathers a fast writer's bytes
		l.wakeAll()
	}
}

func (l *line) set(c net.Conn) {
	l.mu.Lock()
	l.conn = c
	l.mu.Unlock()
	l.wakeAll() // whoever waits to write
}

func (l *line) wakeAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.news)
	l.news = make(chan struct{})
}

// await is closed when there may be output after this call.
func (l *line) await() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.news
}

// connected gives the socket; a line that was just attached is given a moment to reach it.
func (l *line) connected() net.Conn {
	patience := time.NewTimer(dialTimeout)
	defer patience.Stop()
	for {
		l.mu.Lock()
		conn, news := l.conn, l.news
		l.mu.Unlock()
		if conn != nil {
			return conn
		}
		select {
		case <-news:
		case <-patience.C:
			return nil
		}
	}
}

// write sends input; ErrConflict where no process is there to take it.
func (l *line) write(p []byte) (int, error) {
	conn := l.connected()
	if conn == nil {
		return 0, fmt.Errorf("%w: the guest does not run", virt.ErrConflict)
	}
	conn.SetWriteDeadline(time.Now().Add(writeWait))
	n, err := conn.Write(p)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("%w: the guest takes no input", virt.ErrUnavailable)
	case err != nil:
		err = fmt.Errorf("%w: the guest does not run", virt.ErrConflict)
	}
	return n, err
}

// console is one reader and writer of a line.
type console struct {
	d      *Driver
	id     virt.ID
	line   *line
	ctx    context.Context
	cancel context.CancelFunc

	mu   sync.Mutex
	tail *tail // guarded by mu; one Read at a time
}

// Read gives output as it comes.
func (c *console) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	for {
		news := c.line.await() // before looking, so that nothing falls between
		if err := c.ctx.Err(); err != nil {
			return 0, io.ErrClosedPipe
		}
		n, err := c.tail.read(p)
		if !errors.Is(err, errNothingYet) {
			return n, err
		}
		select {
		case <-news:
		case <-timer.C:
			timer.Reset(lookAgain)
		case <-c.ctx.Done():
		}
	}
}

// Write sends input.
func (c *console) Write(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, io.ErrClosedPipe
	}
	n, err := c.line.write(p)
	return n, fail("type to", c.id.String(), err)
}

// Close detaches.
func (c *console) Close() error {
	c.cancel()
	c.mu.Lock() // a Read under way sees the end first
	defer c.mu.Unlock()
	return c.tail.f.Close()
}
