package plane

import (
	"encoding/binary"
	"time"

	"decenter/net/flow"
	"decenter/net/frame"
	"decenter/net/rstp"
)

// Out says by which port a frame leaves, and in which form. It holds no frame: see Append.
type Out struct {
	Port   Port
	source byte // the I/G bit with which the source leaves: the choice bit, or the mark of a flooded unicast frame
	group  byte // likewise the destination
	echo   bool // it leaves as an echo's answer
}

// Append writes the frame as it leaves: b is what was given to Input, unchanged since.
func (o Out) Append(to, b []byte) []byte {
	from := len(to)
	to = append(to, b...)
	if b = to[from:]; o.echo {
		frame.Reflect(b)
		return to
	}
	b[0] = b[0]&^1 | o.group
	b[6] = b[6]&^1 | o.source
	return to
}

// passage is a frame on its way through.
type passage struct {
	in          *port
	b           []byte
	source      frame.MAC // as its owner has it: without the choice bit
	destination frame.MAC // likewise
	bit         byte      // the choice bit
	spread      bool      // a unicast frame that is flooded, between satellites
	now         time.Duration
	out         []Out
}

// Input takes a frame that came by a port: one whole untruncated Ethernet frame without its check sequence. What leaves is appended to out, and
// nothing keeps b. Engine means that the caller hands b to the engine.
func (p *Plane) Input(id Port, b []byte, now time.Duration, out []Out) ([]Out, Fate) {
	f := passage{b: b, in: p.ports[id], now: now, out: out}
	fate := p.pass(&f)
	p.counts[fate]++
	return f.out, fate
}

func (p *Plane) pass(f *passage) Fate {
	if f.in == nil || !f.in.carrier || f.in.kind == gone {
		return DropDetached
	}
	if len(f.b) < frame.HeaderLen {
		return DropShort
	}
	f.destination, f.source = frame.MAC(f.b), frame.MAC(f.b[6:])
	if binary.BigEndian.Uint16(f.b[12:]) == frame.EtherType || f.destination == frame.BridgeGroup {
		return p.control(f)
	}
	switch {
	case f.in.kind == Local:
		return p.fromLocal(f)
	case f.in.satellite():
		return p.fromSatellite(f)
	case f.in.legacy():
		return p.fromLegacy(f)
	}
	return DropClosed
}

// control answers echoes and gives the rest to the engine, whatever the state of the port.
func (p *Plane) control(f *passage) Fate {
	if f.in.kind == Local {
		return DropReserved
	}
	h, err := frame.ParseHeader(f.b)
	if err != nil || h.Type != frame.TypeEchoRequest {
		return Engine
	}
	asked := h.Destination == f.in.mac || f.in.mac.IsZero() && !h.Destination.IsGroup()
	if !asked && h.Destination != frame.Group { // someone else's, on a hub
		return DropReserved
	}
	f.out = append(f.out, Out{Port: f.in.id, echo: true})
	return Reflected
}

// reserved tells addresses that go to the next bridge only: 01-80-C2-00-00-00 to -0F (IEEE 802.1Q-2018 table 8-1); and the same
// without I/G bit, as a frame to one of these would carry a reserved address when it is flooded.
func reserved(m frame.MAC) bool {
	return m[0]|1 == 1 && m[1] == 0x80 && m[2] == 0xC2 && m[3] == 0 && m[4] == 0 && m[5] < 16
}

func (p *Plane) fromLocal(f *passage) Fate {
	switch owner, in := p.local[f.source]; {
	case f.source.IsGroup() || f.source.IsZero():
		return DropSource
	case !in || owner != f.in.id:
		return DropSpoof
	}
	return p.enter(f)
}

func (p *Plane) fromLegacy(f *passage) Fate {
	if !p.leased(min(p.cfg.EdgeLease, p.cfg.HoldEngine), f.now) {
		return DropLease
	}
	if f.source.IsGroup() || f.source.IsZero() {
		return DropSource
	}
	if _, in := p.local[f.source]; in {
		return DropSpoof
	}
	if reserved(f.destination) {
		return DropReserved
	}
	p.learn(f)
	if f.in.edge != rstp.Forwarding {
		return DropLearning
	}
	return p.enter(f)
}

// enter is the first satellite's part.
func (p *Plane) enter(f *passage) Fate {
	switch {
	case reserved(f.destination):
		return DropReserved
	case f.destination.IsGroup():
		return p.flood(f)
	}
	if to, in := p.port(f.destination); in {
		return p.deliver(f, to)
	}
	switch at, in := p.homes[f.destination]; {
	case !in:
		f.spread = true
		return p.flood(f)
	case at.satellite == p.self:
		return p.search(f)
	default:
		return p.depart(f, at)
	}
}

// fromSatellite reads what the two I/G bits mean between satellites; see the package comment.
func (p *Plane) fromSatellite(f *passage) Fate {
	if !p.leased(p.cfg.HoldEngine, f.now) {
		return DropLease
	}
	f.bit = f.source[0] & 1
	f.source[0] &^= 1
	group := f.destination.IsGroup()
	f.spread = group && f.bit == 1
	switch {
	case f.source.IsZero():
		return DropSource
	case group && !f.spread && reserved(f.destination):
		return DropReserved
	case group && !f.in.gate && !p.cfg.Broken.NoB2, !group && !f.in.live:
		return DropClosed
	case group && p.lives(f.source) && !p.cfg.Broken.NoSource:
		return DropLocal
	}
	if f.spread {
		f.destination[0] &^= 1
	}
	if group {
		return p.flood(f)
	}
	from := p.homes[f.source]
	if p.lives(f.source) {
		from.satellite = p.self
	}
	if from.satellite.IsZero() {
		return DropStranger
	}
	if to, in := p.port(f.destination); in {
		if from.satellite == p.self && !p.cfg.Broken.NoSource {
			return DropLocal
		}
		return p.deliver(f, to)
	}
	return p.transit(f, from)
}

// port tells behind which of our own ports an address lives. What was learned at an edge does not count while the address is
// at home elsewhere: a device may send under any, and the core decides who has it.
func (p *Plane) port(m frame.MAC) (*port, bool) {
	if id, in := p.local[m]; in {
		return p.ports[id], true
	}
	if s, in := p.learned[m]; in && !p.elsewhere(m) {
		return p.ports[s.port], true
	}
	return nil, false
}

// elsewhere tells whether an address is at home at another satellite.
func (p *Plane) elsewhere(m frame.MAC) bool {
	at, in := p.homes[m]
	return in && at.satellite != p.self && !p.cfg.Broken.NoHome
}

// lives tells whether an address lives behind one of our own ports.
func (p *Plane) lives(m frame.MAC) bool { _, in := p.port(m); return in }

// lets tells whether plain frames may leave by a local port or an edge now.
func (p *Plane) lets(to *port, now time.Duration) bool {
	switch {
	case to == nil || !to.carrier:
		return false
	case to.kind == Local:
		return true
	}
	return to.legacy() && to.edge == rstp.Forwarding && p.leased(min(p.cfg.EdgeLease, p.cfg.HoldEngine), now)
}

// deliver is the last hop: the frame leaves as its sender said it.
func (p *Plane) deliver(f *passage, to *port) Fate {
	switch {
	case to == f.in:
		return DropHairpin
	case !p.lets(to, f.now):
		return DropOut
	}
	p.send(f, to, Out{Port: to.id})
	return Delivered
}

// search is the last hop for an address that is ours by what everybody knows, but was forgotten here: behind one of the edges.
func (p *Plane) search(f *passage) Fate {
	before := len(f.out)
	for _, to := range p.order {
		if to != f.in && to.legacy() && p.lets(to, f.now) {
			p.send(f, to, Out{Port: to.id})
		}
	}
	if len(f.out) == before {
		return DropNowhere
	}
	return Delivered
}

// flood sends to everybody: along gates, in the form that frames have between satellites, and to edges and local ports as it
// was. A unicast frame goes to the port behind which its destination lives, if one does, and to no other local port.
func (p *Plane) flood(f *passage) Fate {
	if !f.in.satellite() && !p.cfg.Broken.NoB4 && !f.in.storms.take(1, f.now) {
		return DropStorm
	}
	group, mark := byte(1), byte(0)
	var owner *port
	if f.spread {
		group, mark = 0, 1
		owner, _ = p.port(f.destination)
	}
	before := len(f.out)
	fabric := p.leased(p.cfg.HoldEngine, f.now)
	for _, to := range p.order {
		switch {
		case to == f.in:
		case to.floods():
			if fabric {
				p.send(f, to, Out{Port: to.id, source: mark, group: 1})
			}
		case f.spread && to != owner && (owner != nil || to.kind == Local):
		case p.lets(to, f.now):
			p.send(f, to, Out{Port: to.id, group: group})
		}
	}
	if len(f.out) == before {
		return DropNowhere
	}
	return Flooded
}

func (p *Plane) send(f *passage, to *port, o Out) {
	to.load.Add(len(f.b), f.now)
	f.out = append(f.out, o)
}

// Load tells which share of its speed a port has sent lately, in thousandths.
func (p *Plane) Load(id Port, now time.Duration) uint64 {
	if at := p.ports[id]; at != nil {
		return at.load.Permille(now)
	}
	return 0
}

// Moved tells how many flows changed their path for load.
func (p *Plane) Moved() uint64 { return p.choices.Moved }

// pick asks the flow table.
func (p *Plane) pick(f *passage, hash uint64, to [2]*port) int {
	return p.choices.Pick(hash, len(f.b), f.now, [2]*flow.Load{&to[0].load, &to[1].load})
}
