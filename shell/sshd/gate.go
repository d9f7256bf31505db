package sshd

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// stage is how far a handshake has come.
type stage uint8

const (
	fresh stage = iota // keys are not exchanged
	keyed              // they are: it did as much work as we
	stages
)

// fairShare is how many handshakes of one source count no more than those of others: the people behind one address.
const fairShare = 8

// gate counts connections and handshakes, so that strangers cannot keep users out for long or exhaust memory. Each of the
// two stages has its own room. A newcomer to a stage is always let in, where its source's bucket has a token; for it, another
// handshake of that stage is sent away:
//
//  1. one of its own source, if that has FromOneSource of them;
//  2. one of the source that is furthest over its fair share;
//  3. one of a source from which nobody logged in of late;
//  4. the oldest.
//
// So who holds many handshakes open loses them, from however many sources, and who goes on with the protocol as clients do is
// through a stage before being its oldest. How far one came within a stage must not count: the newcomer came least far.
type gate struct {
	limits Limits
	hold   bool // of tests: newcomers are refused instead
	rates  *meter

	mu          sync.Mutex
	seq         uint64
	shaking     map[*guardedConn]struct{}
	at          [stages]int          // how many of them
	bySource    map[netip.Prefix]int // shaking ones; no zero entries
	connections map[*guardedConn]struct{}
	known       map[netip.Prefix]uint64 // where people logged in from, and the seq of the time; at most maxKnown
	closed      bool
}

func newGate(l Limits, hold bool) *gate {
	return &gate{
		limits: l, hold: hold, rates: newMeter(l.Rate, l.Burst, maxSources),
		shaking: make(map[*guardedConn]struct{}), bySource: make(map[netip.Prefix]int), connections: make(map[*guardedConn]struct{}),
		known: make(map[netip.Prefix]uint64),
	}
}

// admit takes a connection in, or tells why not. The caller closes it in the end.
func (g *gate) admit(now time.Time, conn net.Conn) (*guardedConn, string) {
	from := source(conn.RemoteAddr())
	if ok, _ := g.rates.take(now, from); !ok {
		return nil, "too many connections from your address: wait a moment"
	}
	c, evicted, why := g.enter(conn, from)
	if evicted != nil {
		_ = evicted.Close() // it is going away anyhow
	}
	if c != nil {
		c.expect(min(g.limits.Exchange, g.limits.Handshake))
	}
	return c, why
}

// enter makes room and puts the connection there.
func (g *gate) enter(conn net.Conn, from netip.Prefix) (c, evicted *guardedConn, why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return nil, nil, "the server ends"
	case g.bySource[from] >= g.limits.FromOneSource:
		evicted = g.least(func(o *guardedConn) bool { return o.from == from })
	case g.at[fresh] >= g.limits.Handshakes:
		evicted = g.least(func(o *guardedConn) bool { return o.stage == fresh })
	case len(g.connections) >= g.limits.Connections:
		if evicted = g.least(func(*guardedConn) bool { return true }); evicted == nil {
			return nil, nil, "too many connections"
		}
	}
	if evicted != nil && g.hold {
		return nil, nil, "too many handshakes"
	}
	g.drop(evicted)
	delete(g.connections, evicted)
	g.seq++
	_, known := g.known[from]
	c = &guardedConn{Conn: conn, gate: g, from: from, known: known, seq: g.seq, shaking: true}
	g.shaking[c] = struct{}{}
	g.at[fresh]++
	g.bySource[from]++
	g.connections[c] = struct{}{}
	return c, evicted, ""
}

// advance moves a handshake on to the stage in which keys are exchanged, as its newest.
func (g *gate) advance(c *guardedConn) {
	evicted := func() (evicted *guardedConn) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if _, found := g.shaking[c]; !found || c.stage == keyed {
			return nil
		}
		if g.at[keyed] >= g.limits.Handshakes {
			if evicted = g.least(func(o *guardedConn) bool { return o.stage == keyed }); g.hold {
				evicted = c
			}
			g.drop(evicted)
			delete(g.connections, evicted)
		}
		if evicted != c {
			g.seq++
			g.at[c.stage]--
			c.stage, c.seq = keyed, g.seq
			g.at[c.stage]++
		}
		return evicted
	}()
	if evicted != nil {
		_ = evicted.Close() // it is going away anyhow
	}
}

// least needs mu. It finds the handshake to send away, among those that may; nil: there is none.
func (g *gate) least(may func(*guardedConn) bool) *guardedConn {
	var worst *guardedConn
	for c := range g.shaking {
		if may(c) && (worst == nil || g.before(c, worst)) {
			worst = c
		}
	}
	return worst
}

// before needs mu. It tells whether a goes before b: a strict order.
func (g *gate) before(a, b *guardedConn) bool {
	if over, other := max(fairShare, g.bySource[a.from]), max(fairShare, g.bySource[b.from]); over != other {
		return over > other
	}
	if a.known != b.known {
		return b.known
	}
	return a.seq < b.seq
}

// drop needs mu. It ends a handshake's count; nil has none.
func (g *gate) drop(c *guardedConn) {
	if _, found := g.shaking[c]; !found {
		return
	}
	delete(g.shaking, c)
	g.at[c.stage]--
	if g.bySource[c.from]--; g.bySource[c.from] <= 0 {
		delete(g.bySource, c.from)
	}
}

// remember notes that somebody logged in from a source.
func (g *gate) remember(from netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, found := g.known[from]; !found && len(g.known) >= maxKnown {
		oldest := from
		for p, at := range g.known {
			if oldest == from || at < g.known[oldest] {
				oldest = p
			}
		}
		delete(g.known, oldest)
	}
	g.known[from] = g.seq
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
