package rstp

import (
	"slices"
	"time"

	"decenter/net/frame"
)

// Transmit is a whole frame to send out of a port.
type Transmit struct {
	Port  PortID
	Frame []byte
}

// Move is a port's new state.
type Move struct {
	Port  PortID
	State State
}

// Effects is what the caller does next, in this order:
//
//  1. apply Close: these ports let less through than before;
//  2. forget the addresses learned on the ports of Flush, here and at every other satellite;
//  3. if Edge is not nil, tell it to all other satellites in place of the one before;
//  4. send Send; a failing send is a lost frame;
//  5. apply Open.
//
// Agreements and consents say that ports are shut, so Close comes before 3 and 4.
type Effects struct {
	Close    []Move
	Flush    []PortID
	Edge     *frame.Edge
	Send     []Transmit
	Open     []Move
	Events   []Event
	Deadline time.Duration // call Tick at this time, or as soon after as possible; 0: nothing is due
}

// Counters counts what arrived and was not used, or should not happen.
type Counters struct {
	Malformed uint64 // could not be read
	Stray     uint64 // on a port that is not there or not up
	Excess    uint64 // more than MaxRate a second
	Own       uint64 // our own, come back, and of no further use
	Full      uint64 // refused because a table is full
	Slept     uint64 // times the engine came far too late
	Unsettled uint64 // the state machines did not come to rest: a fault of this package
}

// Engine is one satellite's part of the constellation's bridge. It is not safe for concurrent use, starts nothing
// and waits for nothing: inputs and the time go in, Ready tells what to do.
type Engine struct {
	cfg   Config
	now   time.Duration // without the time slept
	slept time.Duration

	ports map[PortID]*port
	order []PortID // the keys of ports, ascending

	root      path // the way to the root, of whoever's port; owner is zero if the root is our own bridge
	rootTimes times
	members   map[frame.MAC]Member
	words     []word // what we told lately of the way to roots

	edge      frame.Edge // what we tell
	told      frame.Edge // what we told
	counter   uint64     // claim numbers
	wantSync  bool       // our root port waits to agree
	heard     claimKey   // the claim of another satellite that we make way for
	consentBy time.Duration
	changeDue bool          // a topology change is still to be told
	changeAt  time.Duration // not before

	names   map[frame.MAC]bool
	former  []former      // the ids that we had lately
	renamed time.Duration // by then nobody believes in the id that we had
	again   time.Duration // we have an id that we gave up a moment ago; by then words of that time are replaced

	sends    []Transmit
	flushes  map[PortID]bool
	applied  map[PortID]State
	events   []Event
	counters Counters
	broken   rule // tests only
}

// rule names a rule that a test breaks to see that the checker notices.
type rule uint8

const (
	ruleConsent   rule = 1 << iota // a root port waits for the other satellites
	ruleSelf                       // our own bridge's BPDUs make a backup port
	ruleHandshake                  // a designated port waits for agreement or timers
	ruleGhost                      // a way that may be our own word come back has to stand first
	ruleUnited                     // a designated port waits for the other satellites to give way
	ruleOneName                    // and for them to have the same id
	ruleKin                        // what tells of another satellite's id as root or bridge is our own word
)

// New makes an engine without ports that knows of no other satellite. now is any monotonic time; later calls go on
// from it.
func New(cfg Config, now time.Duration) *Engine {
	cfg.fill()
	e := &Engine{cfg: cfg, now: max(now, 1), ports: map[PortID]*port{}, members: map[frame.MAC]Member{}, names: map[frame.MAC]bool{},
		flushes: map[PortID]bool{}, applied: map[PortID]State{}, counter: cfg.Instance}
	e.slept = now - e.now
	e.edge.Bridge, e.edge.Changes = cfg.Bridge, cfg.Instance
	e.elect()
	return e
}

// Counters tells what was not used.
func (e *Engine) Counters() Counters { return e.counters }

// pass moves the time on. Time in which the engine was not run, though something was due, is not counted: what it
// would have heard meanwhile it does not know.
func (e *Engine) pass(now time.Duration) {
	due := e.deadline()
	late := now - e.slept - due
	if due == 0 || late <= stall {
		e.now = max(e.now, now-e.slept)
		return
	}
	gap := now - e.slept - e.now
	e.slept = now - due
	e.now = max(e.now, due)
	e.counters.Slept++
	if gap > e.cfg.Lease { // the others may have gone on without us, and what hosts' ports are may have changed
		e.anew(func(p *port) bool { return !p.operEdge || !p.cfg.Host })
	}
}

// anew shuts those ports and begins again there.
func (e *Engine) anew(which func(*port) bool) {
	for _, p := range e.each() {
		p.reselect, p.selected = true, false
		if p.cfg.Up && which(p) {
			p.cfg.Up = false
			e.info(p)
			e.elect()
			e.roles(p)
			p.cfg.Up = true
		}
	}
	e.settle()
}

// SetPort tells that a port is there, or what became of it.
func (e *Engine) SetPort(id PortID, c Port, now time.Duration) {
	e.pass(now)
	p := e.ports[id]
	if p == nil {
		if id == 0 || len(e.ports) >= MaxPorts {
			e.counters.Full++
			return
		}
		p = &port{id: id, num: Number(e.cfg.ID, id)}
		e.ports[id] = p
		at, _ := slices.BinarySearch(e.order, id)
		e.order = slices.Insert(e.order, at, id)
		e.begin(p)
	}
	if p.cfg.MAC != c.MAC && p.cfg.Up {
		p.cfg.Up = false // another interface
		e.settle()
	}
	if c.Up && !p.cfg.Up {
		p.operEdge = c.Host
	}
	if p.cost != cost(c.Mbps) || p.cfg.MAC != c.MAC {
		p.reselect, p.selected = true, false
	}
	p.cfg, p.cost = c, cost(c.Mbps)
	e.settle()
}

// Remove tells that a port is gone.
func (e *Engine) Remove(id PortID, now time.Duration) {
	p := e.ports[id]
	if p == nil {
		return
	}
	e.SetPort(id, Port{MAC: p.cfg.MAC}, now)
	delete(e.ports, id)
	if at, ok := slices.BinarySearch(e.order, id); ok {
		e.order = slices.Delete(e.order, at, at+1)
	}
	e.settle()
}

// SetBridge tells the constellation's bridge id. Another priority of the same address is a matter of the election.
// Another address is another bridge, which shares no agreement with its neighbours: every port that is not a
// host's shuts and begins anew; see name.go.
func (e *Engine) SetBridge(id frame.BridgeID, now time.Duration) {
	e.pass(now)
	old := e.cfg.Bridge
	if id == old {
		return
	}
	e.cfg.Bridge, e.edge.Bridge = id, id
	for _, p := range e.each() {
		p.reselect, p.selected = true, false
	}
	if old.Address() != id.Address() {
		e.rename(old.Address(), id.Address())
		e.anew(func(p *port) bool { return !p.operEdge })
	}
	if len(e.ports) == 0 {
		e.elect()
	}
	e.settle()
}

// Member is another satellite of the constellation, as the link state tells it.
type Member struct {
	Satellite frame.MAC
	Known     bool // its Edge was heard; one of which nothing is known yet withholds its consent
	Edge      frame.Edge
}

// Remote tells all other satellites whose edges may be open, in place of those told before. One whose engine has
// been silent for longer than its edges' leases need not be named.
func (e *Engine) Remote(all []Member, now time.Duration) {
	e.pass(now)
	next := make(map[frame.MAC]Member, len(all))
	changed := false
	for _, m := range all {
		if m.Satellite == e.cfg.ID {
			continue
		}
		if len(next) >= MaxMembers {
			e.counters.Full++
			break
		}
		next[m.Satellite] = m
		if old := e.members[m.Satellite]; old.Known && m.Known && old.Edge.Changes != m.Edge.Changes {
			changed = true
		}
	}
	e.members = next
	e.name()
	for _, p := range e.each() {
		p.tcProp = p.tcProp || changed && p.tc == tcActive
		p.reselect, p.selected = true, false
	}
	if len(e.ports) == 0 {
		e.elect()
	}
	e.settle()
}

// Tick lets time pass.
func (e *Engine) Tick(now time.Duration) {
	e.pass(now)
	for _, p := range e.each() {
		e.expire(p)
	}
	e.tellChange()
	e.settle()
}

// each gives the ports in the order of their ids.
func (e *Engine) each() []*port {
	all := make([]*port, len(e.order))
	for i, id := range e.order {
		all[i] = e.ports[id]
	}
	return all
}

// settle runs the state machines until nothing moves, then sees to what the other satellites are told.
func (e *Engine) settle() {
	for range settleRounds {
		moved := false
		for _, p := range e.each() {
			moved = e.info(p) || moved
		}
		if e.reselection() {
			e.elect()
			moved = true
		}
		for _, p := range e.each() {
			e.migrate(p)
			moved = e.roles(p) || moved
			moved = e.topology(p) || moved
		}
		moved = e.consent() || moved
		if !moved {
			for _, p := range e.each() {
				e.transmit(p)
			}
			return
		}
	}
	e.counters.Unsettled++
}

func (e *Engine) reselection() bool {
	for _, p := range e.ports {
		if p.reselect {
			return true
		}
	}
	return false
}

// Ready tells what to do now; see Effects.
func (e *Engine) Ready() Effects {
	var f Effects
	for _, p := range e.each() {
		is, was := p.state(), e.applied[p.id]
		switch {
		case is < was:
			f.Close = append(f.Close, Move{p.id, is})
		case is > was:
			f.Open = append(f.Open, Move{p.id, is})
		}
		e.applied[p.id] = is
		if e.flushes[p.id] {
			f.Flush = append(f.Flush, p.id)
		}
	}
	for id, was := range e.applied {
		if e.ports[id] == nil {
			if was > Discarding {
				f.Close = append(f.Close, Move{id, Discarding})
			}
			delete(e.applied, id)
		}
	}
	slices.SortFunc(f.Close, func(a, b Move) int { return int(a.Port) - int(b.Port) })
	if e.edge != e.told {
		e.told = e.edge
		told := e.edge
		f.Edge = &told
	}
	f.Send, f.Events = e.sends, e.events
	e.sends, e.events = nil, nil
	clear(e.flushes)
	if due := e.deadline(); due != 0 {
		f.Deadline = due + e.slept
	}
	return f
}
