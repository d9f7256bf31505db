package path

import (
	"slices"

	"decenter/net/frame"
)

// Tables are one satellite's tables as its data path reads them; Decide is the rule that the data path follows. They are not
// written to once they were given to anybody. Those without Routes forward nothing.
type Tables struct {
	Routes *Routes
	Repair *Repair   // done; or nil: then there are no detours, and of F1 only the port is checked
	Agreed bool      // F6a: detours may be taken
	Before []*Repair // F6b: what a neighbour may still act upon; a path must be marked there too
	Blind  bool      // F6b: not all of that is remembered, so no transit frame is on-path
	Legal  []uint64  // U1: bit colour*n+destination tells whether the next hop may be used; nil: all may
}

// Equal tells whether two tables are the same: made of the same Routes and Repairs, and with the same bits.
func (t *Tables) Equal(o *Tables) bool {
	return t.Routes == o.Routes && t.Repair == o.Repair && t.Agreed == o.Agreed && t.Blind == o.Blind &&
		slices.Equal(t.Before, o.Before) && slices.Equal(t.Legal, o.Legal)
}

// Allows is U1: whether the colour's next hop to a destination, which must not be this satellite, may be used.
func (t *Tables) Allows(colour, destination int) bool {
	if t.Legal == nil {
		return true
	}
	bit := colour*t.Routes.topo.Len() + destination
	return t.Legal[bit/64]>>(bit%64)&1 != 0
}

// Local is the port of a frame that began at this satellite.
const Local = Port(1<<32 - 1)

// Verdict tells what becomes of a frame.
type Verdict uint8

// The verdicts.
const (
	Deliver Verdict = iota // this satellite is its home
	Forward                // over the primary
	Deflect                // over the backup, and off its path from here on
	Follow                 // off its path, over the precomputed entry
	NoPath                 // the destination is not in the topology
	Illegal                // the primary waits for U1
	Dead                   // the way on is down, and there is no other or none may be taken
	Stray                  // off its path, and no entry is there or none may be followed; or from a port that is not up
)

// Decide tells what becomes of a frame and, if it goes on, by which port. Source and destination are indices; up tells
// which ports have carrier and a living neighbour. A frame from a port that is not up is of a neighbour whose promises are over;
// it is nobody's.
func (t *Tables) Decide(in Port, colour, source, destination int, up func(Port) bool) (Verdict, Port) {
	switch {
	case t.Routes == nil:
		return NoPath, 0
	case in != Local && !up(in):
		return Stray, 0
	}
	return t.decide(in, colour, source, destination, up)
}

// decide is Decide of a frame that may come in.
func (t *Tables) decide(in Port, colour, source, destination int, up func(Port) bool) (Verdict, Port) {
	if destination == t.Routes.self {
		return Deliver, 0
	}
	primary, ok := t.Routes.Next(colour, destination)
	if !ok {
		return NoPath, 0
	}
	ready := t.Agreed && t.Repair != nil
	if !t.onPath(in, colour, source, destination) {
		if at := t.local(in); ready && at >= 0 {
			if p, ok := t.Repair.Off(colour, at, destination); ok && up(p) {
				return Follow, p
			}
		}
		return Stray, 0
	}
	if up(primary) {
		if !t.Allows(colour, destination) {
			return Illegal, 0
		}
		return Forward, primary
	}
	if ready {
		if p, ok := t.Repair.Backup(colour, destination); ok && up(p) {
			return Deflect, p
		}
	}
	return Dead, 0
}

// onPath is F1, and the F6b.
func (t *Tables) onPath(in Port, colour, source, destination int) bool {
	if in == Local {
		return true
	}
	if back, ok := t.Routes.Next(colour, source); !ok || back != in || t.Blind {
		return false
	}
	for _, old := range t.Before {
		if !old.accepts(in, colour, t.Routes.topo.ids[source], t.Routes.topo.ids[destination]) {
			return false
		}
	}
	return t.Repair == nil || t.Repair.OnPath(colour, source, destination)
}

// accepts is F1 in an older topology.
func (p *Repair) accepts(in Port, colour int, source, destination frame.MAC) bool {
	s, ok := p.routes.topo.Index(source)
	d, known := p.routes.topo.Index(destination)
	if !ok || !known || colour >= p.routes.colours {
		return false
	}
	back, ok := p.routes.Next(colour, s)
	return ok && back == in && p.OnPath(colour, s, d)
}

func (t *Tables) local(in Port) int {
	lo, hi := t.Routes.topo.out(t.Routes.self)
	for i, a := range t.Routes.topo.arcs[lo:hi] {
		if a.port == in {
			return i
		}
	}
	return -1
}
