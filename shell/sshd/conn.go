package sshd

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// gate counts connections and handshakes, so that strangers cannot keep users out for long or exhaust memory.
type gate struct {
	limits Limits

	mu          sync.Mutex
	handshakes  int
	bySource    map[netip.Prefix]int // handshakes; no zero entries
	connections map[*guardedConn]struct{}
	closed      bool
}

func newGate(l Limits) *gate {
	return &gate{limits: l, bySource: make(map[netip.Prefix]int), connections: make(map[*guardedConn]struct{})}
}

// admit takes a connection in, or tells why not. The caller closes it in the end.
func (g *gate) admit(conn net.Conn) (*guardedConn, string) {
	from := source(conn.RemoteAddr())
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return nil, "the server ends"
	case len(g.connections) >= g.limits.Connections:
		return nil, "too many connections"
	case g.handshakes >= g.limits.Handshakes:
		return nil, "too many handshakes"
	case g.bySource[from] >= g.limits.FromOneSource:
		return nil, "too many handshakes from one source"
	}
	c := &guardedConn{Conn: conn, gate: g, from: from, shaking: true}
	g.handshakes++
	g.bySource[from]++
	g.connections[c] = struct{}{}
	c.expect(g.limits.Handshake)
	return c, ""
}

// shut closes all connections and admits no more.
func (g *gate) shut() {
	g.mu.Lock()
	g.closed = true
	all := make([]*guardedConn, 0, len(g.connections))
	for c := range g.connections {
		all = append(all, c)
	}
	g.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // it is going away anyhow
	}
}

// source is what counts as one: an IPv4 address, an IPv6 /64, or everything that is neither.
func source(addr net.Addr) netip.Prefix {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// guardedConn is a connection whose deadlines are ours alone: one for the login, then one for each write.
type guardedConn struct {
	net.Conn
	gate *gate
	from netip.Prefix

	mu      sync.Mutex
	shaking bool // the login is not over; counted in gate
}

// expect gives the login's present step so long.
func (c *guardedConn) expect(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shaking {
		_ = c.Conn.SetDeadline(time.Now().Add(d)) // a closed connection needs none
	}
}

// authenticated ends the login's deadline and its place among the handshakes.
func (c *guardedConn) authenticated() {
	c.mu.Lock()
	was := c.shaking
	c.shaking = false
	if was {
		_ = c.Conn.SetDeadline(time.Time{})
	}
	c.mu.Unlock()
	if was {
		c.gate.handshakeOver(c)
	}
}

func (g *gate) handshakeOver(c *guardedConn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.handshakes--
	if g.bySource[c.from]--; g.bySource[c.from] <= 0 {
		delete(g.bySource, c.from)
	}
}

// Close ends the connection and its count.
func (c *guardedConn) Close() error {
	c.authenticated()
	c.gate.mu.Lock()
	delete(c.gate.connections, c)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}

// Write gives a peer that takes nothing only so long. During the login its deadline is the login's.
func (c *guardedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if !c.shaking {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(c.gate.limits.Write))
	}
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// SetDeadline and its kin do nothing: the library below has no timeouts of its own to set, and clears ours.
func (c *guardedConn) SetDeadline(time.Time) error      { return nil }
func (c *guardedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *guardedConn) SetWriteDeadline(time.Time) error { return nil }
