package sim

import (
	"bytes"
	"fmt"
	"time"

	"decenter/net/rstp"
	"decenter/net/tree"
)

// Failure is what a checker saw.
type Failure struct {
	Kind   string // loop, duplicate, blocked, changed, reach, symmetric, shortest, deflected, coverage
	At     time.Duration
	Frame  int // its number; -1: none
	Action int // by which it was sent; -1: a probe
	What   string
	Events []string // the world's journal, and the frame's way; with Options.Journal
}

// Error implements error.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s: at %v, frame %d: %s", f.Kind, f.At, f.Frame, f.What)
}

// port is what the engines said of a satellite's end, as the checkers noted it: not what the data path made of it.
type port struct {
	gate bool // broadcast
	live bool // unicast between satellites
	edge bool // forwarding, to what is no satellite
}

// checks looks on. It knows frames, cables, deliveries, and what the engines said of ports.
type checks struct {
	w       *world
	ports   []port // by end
	failure *Failure
	rapid   time.Duration // a switch of others opened a port
}

func (c *checks) init(w *world) {
	c.w = w
	c.ports = make([]port, len(w.ends))
}

func (c *checks) fail(kind string, packet int32, format string, args ...any) {
	if c.failure != nil {
		return
	}
	c.failure = &Failure{Kind: kind, At: c.w.now, Frame: int(packet), Action: -1, What: fmt.Sprintf(format, args...)}
	if packet >= 0 {
		c.failure.Action = int(c.w.packets[packet].action)
	}
	if c.w.log != nil {
		c.w.log.add(c.w.now, "%v", c.failure)
		c.failure.Events = c.w.log.about(packet)
	}
}

func has(set []uint64, i int) bool { return set[i/64]>>(i%64)&1 != 0 }
func put(set []uint64, i int)      { set[i/64] |= 1 << (i % 64) }

// arrives notes that a packet came by an end, and tells whether it may go on: one that goes round is stopped.
func (c *checks) arrives(f *flight, e int) bool {
	p := &c.w.packets[f.packet]
	if c.w.log != nil {
		c.w.log.frame(c.w.now, f.packet, "at %s by end %d of cable %d, form %d", c.w.where(e), e, c.w.ends[e].cable.number, f.form)
	}
	if p.watch {
		p.way = append(p.way, int32(e))
		p.choice |= f.form
	}
	if has(p.seen, e) {
		if c.w.ends[e].kind == AtSwitch && !f.through || !f.inside || p.foreign { // it went round without us
			p.foreign = true
			c.w.Totals.Foreign++
			return false
		}
		c.fail("loop", f.packet, "host %d to %d came twice to %s by end %d", p.from, p.to, c.w.where(e), e)
		return false
	}
	put(p.seen, e)
	return true
}

// form tells in which form a frame leaves; anything but the two bits must be as the host sent it.
func (c *checks) form(packet int32, b []byte) form {
	p := &c.w.packets[packet]
	destination, source := b[0]^p.plain[0], b[6]^p.plain[6]
	if len(b) != len(p.plain) || !bytes.Equal(b[1:6], p.plain[1:6]) || !bytes.Equal(b[7:], p.plain[7:]) || destination > 1 || source > 1 {
		c.fail("changed", packet, "under way: % x instead of % x", b, p.plain)
		return 0
	}
	return form(destination)*formDestination | form(source)*formSource
}

// delivered notes that a host was given a packet.
func (c *checks) delivered(f *flight, host int, b []byte) {
	p := &c.w.packets[f.packet]
	if c.w.log != nil {
		c.w.log.frame(c.w.now, f.packet, "delivered to host %d", host)
	}
	c.w.Totals.Delivered++
	if !bytes.Equal(b, p.plain) {
		c.fail("changed", f.packet, "host %d got % x instead of % x", host, b, p.plain)
	}
	switch {
	case !has(p.got, host) || p.copied || p.foreign:
	case p.sent <= c.rapid && c.w.now-p.sent < transit: // as 802.1D-2004 has it: see the package comment
		c.w.Totals.Rapid++
	default:
		c.fail("duplicate", f.packet, "host %d to %d delivered twice to host %d", p.from, p.to, host)
	}
	put(p.got, host)
}

// leaves judges that a satellite sends a packet out of an end; takes, that it took one which came by it.
func (c *checks) leaves(s *satellite, packet int32, e int) { c.open(s, packet, e, "leaves by") }
func (c *checks) takes(s *satellite, packet int32, e int)  { c.open(s, packet, e, "is taken from") }

// open tells a failure unless the end is open for something, by what the engine said last and by the lease that it then had.
func (c *checks) open(s *satellite, packet int32, e int, what string) {
	p := &c.ports[e]
	if p.gate || p.live || p.edge && s.clock()-s.last <= edgeLease {
		return
	}
	c.fail("blocked", packet, "frame %s satellite %d's end %d: gate %v, live %v, edge %v, engine's last word %v ago", what, s.number, e,
		p.gate, p.live, p.edge, s.clock()-s.last)
}

// edgeLease is tree.Config's default, to the letter.
const edgeLease = 3 * time.Second

// said notes what Effects say of ports: the closings in step 1, the openings in step 4.
func (c *checks) said(e *tree.Effects, open bool) {
	for _, g := range e.Gates {
		if g.Open == open {
			c.ports[g.Port-1].gate = open
		}
	}
	for _, g := range e.Live {
		if g.Open == open {
			c.ports[g.Port-1].live = open
		}
	}
	for _, x := range e.Edges {
		if is := x.State == rstp.Forwarding; is == open {
			c.ports[x.Port-1].edge = open
		}
	}
}

// where names what is at an end.
func (w *world) where(e int) string { return fmt.Sprintf("%s %d", w.ends[e].kind, w.ends[e].node) }
