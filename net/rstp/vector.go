package rstp

import (
	"cmp"
	"time"

	"decenter/net/frame"
)

// portKey tells ports apart. mac is set for ports of our own bridge only, whose ids need not be unique; it is zero
// for others', so that a bridge may send from which address it likes.
type portKey struct {
	id  uint16
	mac frame.MAC
}

// vector is a priority vector (17.5): lower is better.
type vector struct {
	root   frame.BridgeID
	cost   uint32
	bridge frame.BridgeID
	port   portKey
}

func (v vector) compare(o vector) int {
	return cmp.Or(cmp.Compare(v.root, o.root), cmp.Compare(v.cost, o.cost), cmp.Compare(v.bridge, o.bridge),
		cmp.Compare(v.port.id, o.port.id), v.port.mac.Compare(o.port.mac))
}

// sameSender tells whether two vectors are of the same designated port: the later replaces the earlier, also if it
// is worse (17.6).
func (v vector) sameSender(o vector) bool {
	return v.bridge.Address() == o.bridge.Address() && v.port.id&0xfff == o.port.id&0xfff && v.port.mac == o.port.mac
}

// plus is the path vector behind a port of that cost.
func (v vector) plus(cost uint32) vector {
	v.cost += min(cost, ^uint32(0)-v.cost)
	return v
}

// times are what the root says (17.18).
type times struct {
	age, max, hello, delay time.Duration
}

func clamp(t frame.Ticks, low, high time.Duration) time.Duration {
	return min(max(t.Duration(), low), high)
}

// heardTimes are a message's, kept within what the standard lets a bridge be set to.
func heardTimes(b *frame.BPDU) times {
	return times{b.MessageAge.Duration(), clamp(b.MaxAge, minMaxAge, maxMaxAge), clamp(b.HelloTime, minHello, maxHello),
		clamp(b.ForwardDelay, minDelay, maxDelay)}
}

// path is a way to the root: where the election (17.21.25) chooses from.
type path struct {
	vector vector
	times  times
	at     uint16 // receiving port's id, then whose it is
	owner  frame.MAC
	port   PortID
}

func (p path) compare(o path) int {
	return cmp.Or(p.vector.compare(o.vector), cmp.Compare(p.at, o.at), p.owner.Compare(o.owner), cmp.Compare(p.port, o.port))
}
