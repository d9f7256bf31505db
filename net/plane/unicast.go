package plane

import (
	"decenter/net/flow"
	"decenter/net/frame"
	"decenter/net/path"
)

// step is what the tables say of a frame under one choice.
type step struct {
	verdict path.Verdict
	port    path.Port
	narrow  bool // the tables of before and those to come do not agree
	primary path.Port
}

func (s step) goes(v path.Verdict) bool { return s.verdict == v && !s.narrow }

// route asks the tables; in is path.Local at the first satellite. ok is false if the source's home is not in the topology.
func (p *Plane) route(in path.Port, hash uint64, choice int, source, destination frame.MAC) (step, bool) {
	if p.tables == nil {
		return step{verdict: path.NoPath}, true
	}
	now, ok := p.ask(p.tables, in, hash, choice, source, destination)
	if !ok || p.next == nil {
		return now, ok
	}
	then, ok := p.ask(p.next, in, hash, choice, source, destination)
	now.narrow = !ok || now.verdict != then.verdict || now.port != then.port
	return now, true
}

func (p *Plane) ask(t *path.Tables, in path.Port, hash uint64, choice int, source, destination frame.MAC) (step, bool) {
	if t.Routes == nil {
		return step{verdict: path.NoPath}, true
	}
	topo := t.Routes.Topology()
	from, ok := topo.Index(source)
	if !ok {
		return step{}, false
	}
	to, known := topo.Index(destination)
	if !known {
		return step{verdict: path.NoPath}, true
	}
	colour := flow.Colour(hash, choice, t.Routes.Colours())
	if p.cfg.Broken.NoF1 {
		in = path.Local
	}
	v, out := t.Decide(in, colour, from, to, p.up)
	if v == path.Stray && p.cfg.Broken.NoF4 {
		v, out = t.Decide(path.Local, colour, from, to, p.up)
	}
	primary, _ := t.Routes.Next(colour, to)
	if v == path.Illegal && p.cfg.Broken.NoU1 {
		v, out = path.Forward, primary
	}
	return step{verdict: v, port: out, primary: primary}, true
}

// depart sends a frame on its way by the better of its two paths.
func (p *Plane) depart(f *passage, at home) Fate {
	if !p.leased(p.cfg.HoldEngine, f.now) {
		return DropLease
	}
	hash := flow.Hash(f.b)
	var steps [2]step
	var to [2]*port
	for choice := range steps {
		s, ok := p.route(path.Local, hash, choice, p.self, at.satellite)
		if !ok {
			return DropNoPath
		}
		steps[choice], to[choice] = s, p.ports[Port(s.port)]
	}
	choice := 0
	switch a, b := steps[0].goes(path.Forward), steps[1].goes(path.Forward); {
	case a && b:
		choice = p.pick(f, hash, to)
	case a, b, steps[0].goes(path.Deflect), steps[1].goes(path.Deflect):
		if b || !a && !steps[0].goes(path.Deflect) {
			choice = 1
		}
		p.choices.Force(hash, len(f.b), f.now, choice)
	}
	f.bit = byte(choice)
	return p.onward(f, steps[choice], at)
}

// transit is the part of every other satellite. A frame may come back to the first one on its way around what is dead; anything
// else that is said to be from here is not.
func (p *Plane) transit(f *passage, from home) Fate {
	at, in := p.homes[f.destination]
	switch {
	case !in:
		return DropUnknown
	case at.satellite == p.self && from.satellite == p.self:
		return DropLocal
	case at.satellite == p.self:
		return p.search(f)
	}
	s, ok := p.route(path.Port(f.in.id), flow.Hash(f.b), int(f.bit), from.satellite, at.satellite)
	switch {
	case !ok:
		return DropStranger
	case from.satellite == p.self && s.verdict != path.Follow && !p.cfg.Broken.NoSource:
		return DropLocal
	}
	return p.onward(f, s, at)
}

// onward carries out a step between satellites.
func (p *Plane) onward(f *passage, s step, at home) Fate {
	if s.narrow {
		return DropNarrow
	}
	fate := Forwarded
	switch s.verdict {
	case path.Forward:
	case path.Deflect, path.Follow:
		if p.cfg.Broken.NoDetour {
			return DropDead
		}
		if fate = Followed; s.verdict == path.Deflect {
			fate = Deflected
		}
	case path.Illegal:
		return DropIllegal
	case path.Dead:
		return DropDead
	case path.Stray:
		return DropStray
	default: // Deliver cannot be: homes here were looked up before
		return DropNoPath
	}
	to := p.ports[Port(s.port)]
	if fate != Forwarded {
		if why, may := p.detour(f, s, at, to); !may {
			return why
		}
	}
	p.send(f, to, Out{Port: to.id, source: f.bit})
	return fate
}

// detour is F5: how long, and how much; and F7, the rule that all on the way must hold the same homes.
func (p *Plane) detour(f *passage, s step, at home, to *port) (Fate, bool) {
	if !p.cfg.Broken.NoF7 {
		switch {
		case !p.leased(p.cfg.Settle/2, f.now):
			return DropLease, false
		case p.settling(at, f), p.settling(p.homes[f.source], f):
			return DropSettling, false
		}
	}
	if p.cfg.Broken.NoF5 {
		return 0, true
	}
	if s.verdict == path.Deflect {
		dead := p.ports[Port(s.primary)]
		if dead == nil || !dead.died || f.now-dead.diedAt > p.cfg.Detour {
			return DropLate, false
		}
	}
	if !to.detours.take(len(f.b), f.now) {
		return DropPoliced, false
	}
	return 0, true
}

func (p *Plane) settling(h home, f *passage) bool { return h.moved && f.now-h.since < p.cfg.Settle }
