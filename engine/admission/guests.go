package admission

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"decenter/engine/identity"
)

// The bounds of strangers: of connections whose other end proved no admitted key.
const (
	maxStrangers  = 16              // connections at once
	maxFromSource = 4               // of those, from one address
	strangerLife  = 5 * time.Second // from the handshake's end to the connection's
	maxHandshakes = 256             // under way at once, whoever they are; the oldest gives way to the newest
	maxShaking    = 16              // of those, from one address
	handshakeWait = 5 * time.Second
	askPerSecond  = 20 // requests of all strangers together
	askBurst      = 40
	askFromSource = 4 // of one source, per second; its burst is twice that
	maxSources    = 256
)

// guests counts strangers.
type guests struct {
	now func() time.Time

	mu      sync.Mutex
	inside  int
	from    map[netip.Addr]int // of inside; no zeros
	all     bucket
	sources map[netip.Addr]bucket
}

// bucket is a token bucket: left tokens at a time.
type bucket struct {
	left float64
	at   time.Time
}

func (b *bucket) take(now time.Time, perSecond, burst float64) bool {
	if b.at.IsZero() || now.Before(b.at) {
		b.left = burst
	} else {
		b.left = min(burst, b.left+now.Sub(b.at).Seconds()*perSecond)
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

func newGuests(now func() time.Time) *guests {
	return &guests{now: now, from: map[netip.Addr]int{}, sources: map[netip.Addr]bucket{}}
}

// mayAsk tells whether a stranger's request is to be looked at.
func (g *guests) mayAsk(from netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if _, known := g.sources[from]; !known && len(g.sources) >= maxSources {
		clear(g.sources) // the bound on all together holds on
	}
	b := g.sources[from]
	ok := b.take(now, askFromSource, 2*askFromSource)
	g.sources[from] = b
	return ok && g.all.take(now, askPerSecond, askBurst)
}

// enter lets a stranger's connection in, if there is room.
func (g *guests) enter(from netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside >= maxStrangers || g.from[from] >= maxFromSource {
		return false
	}
	g.inside++
	g.from[from]++
	return true
}

func (g *guests) leave(from netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.from[from]--; g.from[from] == 0 {
		delete(g.from, from)
	}
}

// door is a listener whose connections have proved a key.
type door struct {
	net.Listener
	a      *Admission
	config *tls.Config
	ready  chan net.Conn
	over   chan struct{}
	err    error // of the listener; written before over is closed

	mu      sync.Mutex
	shaking []*guest // the oldest first
}

// guest is a connection below TLS.
type guest struct {
	net.Conn
	from  netip.Addr
	once  sync.Once
	after func() // when it is closed
}

func (g *guest) Close() error {
	err := g.Conn.Close()
	g.once.Do(func() {
		if g.after != nil {
			g.after()
		}
	})
	return err
}

// Listen gives the connections of a TCP listener after their TLS handshake, as *tls.Conn, with identity.ListenTLS's
// configuration: admitted satellites' without bound, strangers' within the bounds above. The goroutine behind it ends when the
// listener is closed.
func (a *Admission) Listen(l net.Listener) (net.Listener, error) {
	config, err := a.cfg.Identity.ListenTLS()
	if err != nil {
		return nil, err
	}
	config.NextProtos = []string{"h2"}
	d := &door{Listener: l, a: a, config: config, ready: make(chan net.Conn), over: make(chan struct{})}
	go d.accept()
	return d, nil
}

// Accept gives the next connection.
func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.ready:
		return c, nil
	case <-d.over:
		return nil, d.err
	}
}

func (d *door) accept() {
	defer close(d.over)
	for {
		c, err := d.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				d.err = err
				return
			}
			// Out of descriptors, or a connection that was gone before it was taken: neither ends the listener.
			time.Sleep(50 * time.Millisecond)
			continue
		}
		g := &guest{Conn: c, from: source(c.RemoteAddr().String())}
		if d.begin(g) {
			go d.shake(g)
		}
	}
}

// begin makes room for a handshake.
func (d *door) begin(g *guest) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	same := 0
	for _, h := range d.shaking {
		if h.from == g.from {
			same++
		}
	}
	if same >= maxShaking {
		g.Close()
		return false
	}
	if len(d.shaking) >= maxHandshakes {
		d.shaking[0].Close() // its handshake fails
		d.shaking = d.shaking[1:]
	}
	d.shaking = append(d.shaking, g)
	return true
}

func (d *door) end(g *guest) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for n, h := range d.shaking {
		if h == g {
			d.shaking = append(d.shaking[:n:n], d.shaking[n+1:]...)
			return
		}
	}
}

// shake does the handshake, and lets the connection in if it may.
func (d *door) shake(g *guest) {
	conn := tls.Server(g, d.config)
	ctx, cancel := context.WithTimeout(context.Background(), handshakeWait)
	defer cancel()
	err := conn.HandshakeContext(ctx)
	d.end(g)
	if err != nil {
		g.Close()
		return
	}
	_, peer, err := identity.PeerKey(conn.ConnectionState())
	if err != nil {
		g.Close()
		return
	}
	if !d.a.cfg.Admitted(peer) {
		if !d.a.guest.enter(g.from) {
			g.Close()
			return
		}
		g.after = func() { d.a.guest.leave(g.from) }
		time.AfterFunc(strangerLife, func() { g.Close() })
	}
	select {
	case d.ready <- conn:
	case <-d.over:
		g.Close()
	}
}
