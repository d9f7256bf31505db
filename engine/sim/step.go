package sim

import (
	"time"

	"decenter/net/tree"
)

// doing is Effects that are being applied, and how far. The steps are those that tree.Effects names, in its order.
type doing struct {
	e      tree.Effects
	at     int
	before []byte // the stored snapshot of before; only if the Effects may break off
}

// The steps.
const (
	stepClose = iota // gates, live ports and edges shut, tables restricted
	stepStore
	stepSend
	stepOpen
	stepHomes
	stepArm
	steps
)

// step gives the core an input and applies what follows.
func (s *satellite) step(input func()) {
	s.begin()
	input()
	s.finish()
}

// begin comes before each input: what is stored must be known if the Effects break off.
func (s *satellite) begin() {
	if s.half >= 0 {
		s.settleDisk()
	}
}

// finish applies what an input led to.
func (s *satellite) finish() {
	s.last = s.clock()
	e := s.core.Ready()
	s.w.Totals.Steps++
	s.renewed()
	if s.half < 0 && quiet(&e) { // the common case, without ceremony
		s.send(e.Send)
		s.arm(e.Deadline)
		return
	}
	for _, ev := range e.Events { // the journal is nil but for one failing schedule
		s.w.log.add(s.w.now, "satellite %d: %s port %d %v %s", s.number, ev.Kind, ev.Port, ev.Neighbour, ev.Why)
	}
	s.apply(&doing{e: e, before: s.disk})
}

// quiet tells whether there is nothing but frames to send.
func quiet(e *tree.Effects) bool {
	return !e.Changed && !e.FlushLearned && len(e.Gates) == 0 && len(e.Live) == 0 && len(e.Edges) == 0 && len(e.Flush) == 0 &&
		len(e.Homes) == 0 && e.Tables == nil && len(e.Events) == 0
}

// apply does the steps that are left. If they break off, the engine is stopped there, or killed.
func (s *satellite) apply(d *doing) {
	for ; d.at < steps; d.at++ {
		if d.at == s.half && s.core != nil {
			s.breakOff(d)
			return
		}
		switch d.at {
		case stepClose:
			s.closings(&d.e)
		case stepStore:
			s.store(&d.e)
		case stepSend:
			s.send(d.e.Send)
		case stepOpen:
			s.openings(&d.e)
		case stepHomes:
			s.homes(&d.e)
		case stepArm:
			s.arm(d.e.Deadline)
		}
	}
}

func (s *satellite) store(e *tree.Effects) {
	if !e.Changed {
		return
	}
	if s.w.s.Eager || s.half >= 0 {
		s.disk, s.lazy = s.core.Snapshot(), false
		return
	}
	s.lazy = true
}

// breakOff stops or kills the engine in the middle of Effects.
func (s *satellite) breakOff(d *doing) {
	wait := s.halfWait
	s.half = -1
	s.w.Totals.Halves++
	if wait > 0 {
		s.w.log.add(s.w.now, "satellite %d: stopped before step %d", s.number, d.at)
		s.frozen, s.held = true, d
		s.w.q.push(event{at: s.w.now + wait, kind: evThaw, a: int32(s.number)})
		return
	}
	s.w.log.add(s.w.now, "satellite %d: killed before step %d", s.number, d.at)
	if d.at <= stepStore {
		s.disk, s.lazy = d.before, false
	}
	s.stop()
	s.w.q.push(event{at: s.w.now + 200*time.Millisecond, kind: evStart, a: int32(s.number)})
}

func (s *satellite) send(out []tree.Transmit) {
	for _, t := range out {
		x := &s.w.ends[t.Port-1]
		if x.up && !s.w.frozen {
			x.cable.carryRaw(x.side, t.Frame)
		}
	}
}
