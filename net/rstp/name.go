package rstp

import (
	"time"

	"decenter/net/frame"
)

// This file sees to it that the constellation stays one bridge while its id changes. The news of a new id takes time, so for a moment some
// satellites have the old id and some the new, with open gates between them. What is to be kept from forming is a
// loop that leaves by a port under one id and comes back by a port under the other.
//
//	SetBridge      told by all
//	    |  shut   |  as any new bridge ...
//	----+---------+------------------------> under the new id
//	    |  no agreement counts before all the others told the same id, and so had shut too
//
// So there is an instant at which no port but hosts' is open anywhere. Before it, only ports under the old id are; the others are as
// if their cables were pulled. After it, only ports under the new id.

const (
	maxFormer = 16
	// rumour is how long an old id counts as ours: as long as information counts.
	rumour = ghostTime
	// newsTime is more than an Edge takes within the constellation.
	newsTime = time.Second
)

// former is an id that was the constellation's, and may still be believed in.
type former struct {
	address frame.MAC
	until   time.Duration
}

// rename notes that the id's address changed. If we had the new one a moment ago, the others' word that they have it too may be of
// that time.
func (e *Engine) rename(old, id frame.MAC) {
	keep := e.former[:0]
	for _, f := range e.former {
		if f.address == id && e.on(f.until) {
			e.again = e.now + newsTime
		}
		if e.on(f.until) && f.address != old && f.address != id {
			keep = append(keep, f)
		}
	}
	if len(keep) == maxFormer {
		keep = keep[1:]
	}
	e.renamed = e.now + rumour + e.cfg.Hello
	e.former = append(keep, former{old, e.renamed})
}

// kin tells whether a bridge's address is ours: that of now, of a moment ago, or any other satellite's, which we shall be called after, or
// were, by a satellite that heard of it sooner or later than we. Such a bridge is no root outside. A satellite that has left, and
// is a bridge of its own now, is a stranger once our memory of its having been our root is over.
func (e *Engine) kin(a frame.MAC) bool {
	if a == e.cfg.Bridge.Address() {
		return true
	}
	if e.broken&ruleKin != 0 {
		return false
	}
	if a == e.cfg.ID || e.names[a] || e.cfg.Satellite != nil && e.cfg.Satellite(a) {
		return true
	}
	for _, f := range e.former {
		if f.address == a && e.on(f.until) {
			return true
		}
	}
	return false
}

// name notes what the members are called, and their bridge by them.
func (e *Engine) name() {
	clear(e.names)
	for id, m := range e.members {
		e.names[id] = true
		if m.Known {
			e.names[m.Edge.Bridge.Address()] = true
		}
	}
}

// oneName tells whether all satellites that may have open edges told our id, so that none has one open under another.
func (e *Engine) oneName() bool {
	if e.broken&ruleOneName != 0 {
		return true
	}
	for _, m := range e.members {
		if !m.Known || m.Edge.Bridge != e.cfg.Bridge {
			return false
		}
	}
	return !e.on(e.again)
}
