package sim

import (
	"decenter/net/flow"
	"decenter/net/frame"
	"decenter/net/plane"
	"decenter/net/rstp"
	"decenter/net/tree"
)

// kernel is what of a satellite lives without its engine.
type kernel struct {
	plane *plane.Plane
	edge  []rstp.State // by the satellite's ends, as in satellite.ends
	outs  []plane.Out
	in    []byte // one frame, as it comes in
	out   []byte // … and as it goes out
	news  bool   // that something was learned is on its way to the engine
}

// hostPort is the port of a host of the satellite itself.
func hostPort(host int) plane.Port { return plane.Port(1<<20 + host) }

// bootKernel begins with all shut.
func (s *satellite) bootKernel() {
	cfg := s.config()
	s.plane = plane.New(s.id, plane.Config{Flow: flow.Config{Slots: 64}, Broken: s.w.o.Broken, HoldEngine: cfg.HoldEngine, EdgeLease: cfg.EdgeLease})
	s.edge, s.news = make([]rstp.State, len(s.ends)), false
	for i, e := range s.ends {
		p := plane.Port(e + 1)
		s.plane.Attach(p, plane.Fabric, portMAC(tree.PortID(p)))
		s.plane.Speed(p, s.w.ends[e].cable.mbps)
		s.plane.Carrier(p, s.w.ends[e].up, s.clock())
		s.edge[i], s.w.checks.ports[e] = rstp.Discarding, port{}
	}
	s.localPorts()
}

// carrier is what the kernel sees at once.
func (s *satellite) carrier(e int, up bool) {
	if s.power && s.plane != nil {
		s.plane.Carrier(plane.Port(e+1), up, s.clock())
	}
}

// localPorts makes the hosts that are here be here, and no others.
func (s *satellite) localPorts() {
	if !s.power {
		return
	}
	for i, h := range s.w.hosts {
		if h.sat == s.number && !h.away {
			s.plane.Attach(hostPort(i), plane.Local, frame.MAC{})
			s.plane.LocalMAC(h.mac, hostPort(i))
		} else if h.sat >= 0 && i >= len(s.w.sats) {
			s.plane.Detach(hostPort(i), s.clock())
		}
	}
}

// takeOver comes before the first step of a new engine.
func (s *satellite) takeOver() {}

// renewed tells the kernel that the engine lives.
func (s *satellite) renewed() { s.plane.Renew(s.clock()) }

// closings is the first step of Effects.
func (s *satellite) closings(e *tree.Effects) {
	now := s.clock()
	s.w.checks.said(e, false)
	for _, g := range e.Gates {
		if !g.Open {
			s.plane.Gate(plane.Port(g.Port), false, now)
		}
	}
	for _, g := range e.Live {
		if !g.Open {
			s.plane.Live(plane.Port(g.Port), false, now)
		}
	}
	for _, x := range e.Edges {
		if at := s.edgeOf(x.Port); x.State < *at {
			*at = x.State
			s.plane.Edge(plane.Port(x.Port), x.State, now)
		}
	}
	for _, p := range e.Flush {
		s.plane.FlushPort(plane.Port(p))
	}
	s.plane.Narrow(e.Tables)
}

// openings is the fourth.
func (s *satellite) openings(e *tree.Effects) {
	now := s.clock()
	s.w.checks.said(e, true)
	for _, g := range e.Gates {
		if g.Open {
			s.plane.Gate(plane.Port(g.Port), true, now)
		}
	}
	for _, g := range e.Live {
		if g.Open {
			s.plane.Live(plane.Port(g.Port), true, now)
		}
	}
	for _, x := range e.Edges {
		*s.edgeOf(x.Port) = x.State
		s.plane.Edge(plane.Port(x.Port), x.State, now)
	}
	s.plane.Follow(e.Tables)
}

func (s *satellite) edgeOf(p tree.PortID) *rstp.State {
	for i, e := range s.ends {
		if e+1 == int(p) {
			return &s.edge[i]
		}
	}
	panic("sim: effects for a port that is not there")
}

// homes is the fifth.
func (s *satellite) homes(e *tree.Effects) {
	for _, h := range e.Homes {
		s.plane.Home(h.MAC, h.Satellite, s.clock())
	}
	if e.FlushLearned {
		s.plane.FlushLearned()
	}
}

// fromHost takes a frame of a host that is here.
func (s *satellite) fromHost(host int, packet int32) {
	s.forward(hostPort(host), -1, flight{packet: packet, inside: true})
}

// fromCable takes a host's frame from a cable.
func (s *satellite) fromCable(e int, f flight) {
	s.forward(plane.Port(e+1), e, f)
	if !s.news && *s.edgeOf(tree.PortID(e + 1)) != rstp.Discarding {
		s.news = true
		s.w.q.push(event{at: s.w.now + netlag, kind: evLearned, a: int32(s.number), ref: s.boot})
	}
}

// tellLearned hands over what the data path learned, which waits for an engine that does not run.
func (s *satellite) tellLearned() {
	if s.news = false; !s.runs() {
		return
	}
	news := s.plane.Learned()
	if len(news) == 0 {
		return
	}
	s.step(func() {
		for _, n := range news {
			s.core.Learned(tree.PortID(n.Port), []frame.MAC{n.MAC}, s.clock())
		}
	})
}

// forward gives a frame to the data path and carries out what that says.
func (s *satellite) forward(in plane.Port, e int, f flight) {
	w := s.w
	s.in = w.packets[f.packet].bytes(s.in[:0], f.form)
	outs, fate := s.plane.Input(in, s.in, s.clock(), s.outs[:0])
	s.outs = outs
	w.Totals.Fates[fate]++
	if w.log != nil {
		w.log.frame(w.now, f.packet, "satellite %d: %v", s.number, fate)
	}
	if len(outs) > 0 && e >= 0 {
		w.checks.takes(s, f.packet, e)
	}
	for _, o := range outs {
		s.out = o.Append(s.out[:0], s.in)
		if o.Port >= hostPort(0) {
			w.checks.delivered(&f, int(o.Port-hostPort(0)), s.out)
			continue
		}
		to := int(o.Port) - 1
		w.checks.leaves(s, f.packet, to)
		f.form = w.checks.form(f.packet, s.out)
		w.carry(to, f)
	}
}

// rawArrives is what the data path does with an engine's frame: it answers echoes, and gives the engine the rest.
func (s *satellite) rawArrives(e int, b []byte) {
	if !s.power {
		return
	}
	outs, fate := s.plane.Input(plane.Port(e+1), b, s.clock(), s.outs[:0])
	s.outs = outs
	for _, o := range outs {
		x := &s.w.ends[o.Port-1]
		x.cable.carryRaw(x.side, o.Append(nil, b))
	}
	switch {
	case fate != plane.Engine || s.core == nil:
	case s.frozen:
		if len(s.inbox) < inboxLen {
			s.inbox = append(s.inbox, arrival{e, b})
		}
	default:
		s.input(e, b)
	}
}
