package sshd

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"decenter/keys"
)

// end is one end of a connection that goes nowhere.
type end struct {
	net.Conn
	from   net.Addr
	closed bool
}

func (e *end) RemoteAddr() net.Addr      { return e.from }
func (e *end) Close() error              { e.closed = true; return nil }
func (*end) SetDeadline(time.Time) error { return nil }

func from(format string, args ...any) *end {
	return &end{from: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(fmt.Sprintf(format, args...) + ":22"))}
}

// closed names the ends that were sent away.
func closed(ends map[string]*end) (gone string) {
	for id, e := range ends {
		if e.closed {
			gone += id
		}
	}
	return gone
}

// Who makes room for a newcomer, by what the handshakes are.
func TestWhoMakesRoomForANewcomer(t *testing.T) {
	limits := Limits{Handshakes: 20, FromOneSource: 15, Burst: 1000}.withDefaults()
	now := time.Unix(1_700_000_000, 0)
	for name, c := range map[string]struct {
		sources  []int  // how many of each, in this order
		keyed    bool   // they exchanged keys
		known    string // from where somebody logged in before
		comes    string
		advances bool   // and exchanges keys
		goes     string // source/which
	}{
		"the oldest":                              {sources: []int{5, 5, 5, 5}, comes: "10.9.9.9", goes: "0/0"},
		"one over its share":                      {sources: []int{1, 10, 8, 1}, comes: "10.9.9.9", goes: "1/0"},
		"the one furthest over":                   {sources: []int{9, 11}, comes: "10.9.9.9", goes: "1/0"},
		"within a share all count the same":       {sources: []int{1, 3, 8, 8}, comes: "10.9.9.9", goes: "0/0"},
		"not one of a source that is known":       {sources: []int{5, 5, 5, 5}, known: "10.0.0.0", comes: "10.9.9.9", goes: "1/0"},
		"a known one over its share all the same": {sources: []int{11, 9}, known: "10.0.0.0", comes: "10.9.9.9", goes: "0/0"},
		"its own source's, at its bound":          {sources: []int{2, 15}, comes: "10.0.0.1", goes: "1/0"},
		"nobody where there is room":              {sources: []int{2, 14}, comes: "10.0.0.1", goes: ""},
		"nobody of the other stage":               {sources: []int{5, 5, 5, 5}, keyed: true, comes: "10.9.9.9", goes: ""},
		"who exchanges keys takes a place there":  {sources: []int{5, 5, 5, 5}, keyed: true, comes: "10.9.9.9", advances: true, goes: "0/0"},
	} {
		g := newGate(limits, false)
		if c.known != "" {
			g.remember(source(from("%s", c.known).from))
		}
		ends, conns := map[string]*end{}, []*guardedConn{}
		admit := func(e *end, advances bool) {
			conn, why := g.admit(now, e)
			if conn == nil {
				t.Fatalf("%s: turned away: %s", name, why)
			}
			if advances {
				g.advance(conn)
			}
			conns = append(conns, conn)
		}
		for source, n := range c.sources {
			for i := range n {
				id := fmt.Sprintf("%d/%d", source, i)
				ends[id] = from("10.0.0.%d", source)
				admit(ends[id], c.keyed)
			}
		}
		admit(from("%s", c.comes), c.advances)
		if gone := closed(ends); gone != c.goes {
			t.Errorf("%s: %q goes, want %q", name, gone, c.goes)
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
		if len(g.shaking)+len(g.connections)+len(g.bySource)+g.at[fresh]+g.at[keyed] != 0 {
			t.Errorf("%s: after all ended there are %d handshakes, %d connections, %d sources, %v", name, len(g.shaking), len(g.connections), len(g.bySource), g.at)
		}
	}
}

// The sources that are known are bounded; the one that was not seen for longest is forgotten.
func TestTheKnownSourcesAreBounded(t *testing.T) {
	g := newGate(DefaultLimits(), false)
	at := func(i int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 32)
	}
	for i := range maxKnown + 1 {
		g.seq++
		g.remember(at(i))
		g.remember(at(0))
	}
	_, first := g.known[at(0)]
	_, second := g.known[at(1)]
	if len(g.known) != maxKnown || !first || second {
		t.Errorf("%d sources are known, the first: %v, the second: %v", len(g.known), first, second)
	}
}

// People who are logged in make room for nobody.
func TestGuestsAreNotSentAway(t *testing.T) {
	g := newGate(Limits{Connections: 2}.withDefaults(), false)
	now := time.Unix(1_700_000_000, 0)
	for range 2 {
		c, why := g.admit(now, from("10.0.0.1"))
		if c == nil {
			t.Fatal(why)
		}
		c.authenticated()
	}
	if c, _ := g.admit(now, from("10.0.0.2")); c != nil {
		t.Error("there is no bound")
	}
}

func TestASourcesRateIsBounded(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	a, b := netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.2/32")
	m := newMeter(2, 3, 100)
	take := func(p netip.Prefix) bool { ok, _ := m.take(now, p); return ok }
	for range 3 {
		if !take(a) {
			t.Fatal("no burst")
		}
	}
	if take(a) || !take(b) {
		t.Error("one source's bucket is not its own")
	}
	now = now.Add(time.Second)
	if got := []bool{take(a), take(a), take(a)}; !slices.Equal(got, []bool{true, true, false}) {
		t.Errorf("it does not fill at its rate: %v", got)
	}
	m.give(now, a)
	if got := []bool{take(a), take(a)}; !got[0] || got[1] {
		t.Error("a token given back is not there, or too many are")
	}
	if ok, refused := m.take(now.Add(time.Minute), a); !ok || refused != 1 {
		t.Errorf("%d refusals were counted", refused)
	}
	now = now.Add(-time.Hour)
	if ok, _ := m.take(now, b); !ok {
		t.Error("a clock that is set back empties buckets")
	}
}

// However many sources come, the table stays small, and the busiest is remembered.
func TestTheTableOfSourcesIsBounded(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	m := newMeter(1, 10, 64)
	busy := netip.MustParsePrefix("10.0.0.1/32")
	for range 10 {
		m.take(now, busy)
	}
	for i := range 1000 {
		m.take(now, netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 32))
	}
	if len(m.buckets) > 64 {
		t.Errorf("%d buckets", len(m.buckets))
	}
	if ok, _ := m.take(now, busy); ok {
		t.Error("the busiest source is forgotten first")
	}
}

func TestOneSourceIsAnAddressOrASubnet(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true}, {"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::2", true}, {"2001:db8::1", "2001:db8:0:1::1", false},
		{"::ffff:192.0.2.1", "192.0.2.1", true}, {"fe80::1%lo", "fe80::2", true},
	} {
		at := func(s string) net.Addr {
			addr, err := net.ResolveIPAddr("ip", s)
			if err != nil {
				t.Fatal(err)
			}
			return &net.TCPAddr{IP: addr.IP, Zone: addr.Zone, Port: 1}
		}
		if got := source(at(c.a)) == source(at(c.b)); got != c.same {
			t.Errorf("%s and %s: %v", c.a, c.b, got)
		}
	}
}

// A silent handshake is sent away after its time, and one that exchanged keys has longer.
func TestASilentHandshakeIsSentAway(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.Exchange, c.Limits.Handshake = time.Second, 4*time.Second })
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	quiet := dialRaw(t, w.addr)
	began := time.Now()
	if _, err := io.Copy(io.Discard, quiet); err != nil {
		t.Errorf("it ended with %v, not by the server", err)
	}
	if took := time.Since(began); took > 3500*time.Millisecond {
		t.Errorf("it was kept for %v", took)
	}
	slow, err := dialWire(w.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer slow.conn.Close()
	if err := slow.begin(); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	_, _ = slow.read()
	if took := time.Since(began); took < 2*time.Second || took > 20*time.Second {
		t.Errorf("with keys exchanged it was kept for %v", took)
	}
	w.mustLogin(h)
}

// Too many connections from one address are turned away with a reason; a login that succeeds costs nothing.
func TestAFastSourceIsTurnedAway(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits = Limits{Rate: 0.001, Burst: 4} })
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	for range 8 {
		_ = w.mustLogin(h).Close()
	}
	for range 4 {
		dialRaw(t, w.addr)
	}
	last := dialRaw(t, w.addr)
	_ = last.SetReadDeadline(time.Now().Add(5 * time.Second))
	said, _ := io.ReadAll(last)
	if want := "decenter: too many connections from your address: wait a moment\r\n"; string(said) != want {
		t.Errorf("it is told %q", said)
	}
}
