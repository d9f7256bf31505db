package tree

import (
	"time"

	"decenter/net/frame"
	"decenter/net/path"
)

// This file turns the graph into unicast tables and keeps U1 to U3 with the neighbours; see "Unicast" in the package comment.

// unicast is what the core knows of paths.
type unicast struct {
	agreement *path.Agreement
	given     *path.Tables  // to the caller, last; nil: none in this life
	moved     bool          // the agreement may allow something else than given
	sliceAt   time.Duration // when to work on at a Repair; 0: none is owed
}

// counts counts computations, for tests.
type counts struct {
	graphs int // topologies built
	routes int // paths computed
}

// accord is what one end of a cable knows of the agreement with the other. It ends with the session.
type accord struct {
	heard   frame.Agree   // the neighbour's last announcement; zero: none
	news    bool          // the tables do not follow it yet
	follows uint64        // the serial of the announcement that they do; 0: none
	said    frame.Agree   // ours, as the next Hello tells it
	acked   uint64        // the serial of ours that the neighbour follows
	since   time.Duration // when that last changed, or was the newest
	old     bool          // the session is of an earlier life
}

// A Repair is worked through in slices of about a millisecond: as many destinations as fit, for one takes about a microsecond
// for each satellite. Between two slices is time for everything else.
const (
	sliceWork  = 1000
	slicePause = time.Millisecond
)

func slice(satellites int) int { return max(1, sliceWork/satellites) }

// agreed takes a neighbour's announcement. It counts when tables that follow it are given out.
func (c *Core) agreed(p *port, a frame.Agree) {
	switch {
	case a == frame.Agree{} || a == p.accord.heard:
	case a.Serial < p.accord.heard.Serial:
		c.counters.Stray++ // Hellos come in order, and serials grow
	default:
		p.accord.heard, p.accord.news = a, true
	}
}

// settle brings the agreement up to date and gives the tables to follow, nil if they are as before. Ready calls it before anything
// is sent: what it has Hellos say of serials is true of those tables.
func (c *Core) settle() *path.Tables {
	u := &c.unicast
	c.workOn()
	if !u.agreement.Recalling() {
		c.adopt()
		c.hear()
	}
	tables := c.tables()
	for _, id := range c.order {
		if p := c.ports[id]; p.twoWay {
			c.tellPaths(p)
		}
	}
	return tables
}

// resume goes on with the agreement of an earlier life.
func (u *unicast) resume(a *path.Agreement, now time.Duration) {
	u.agreement, u.moved = a, true
	if a.Serial() > 0 {
		u.sliceAt = max(now, 1)
	}
}

// workOn works a slice of the Repair that is owed, if any is.
func (c *Core) workOn() {
	u := &c.unicast
	if u.sliceAt == 0 || c.now < u.sliceAt {
		return
	}
	u.sliceAt = c.now + slicePause
	if u.agreement.Step(slice(u.agreement.Routes().Topology().Len())) {
		u.sliceAt, u.moved, c.changed = 0, true, true
	}
}

// adopt makes the graph's paths the current ones, if they are others.
func (c *Core) adopt() {
	u, g := &c.unicast, c.topo.graph
	if g == nil || c.resumeBy > 0 {
		return
	}
	if now := u.agreement.Routes(); now != nil && now.Version() == g.Version(c.cfg.Colours) {
		return
	}
	r, err := path.NewRoutes(g, c.cfg.ID, c.cfg.Colours)
	if err != nil {
		panic("tree: " + err.Error()) // we are in our own graph, and the configuration was filled
	}
	u.agreement.Adopt(r)
	u.sliceAt, u.moved, c.changed = max(c.now, 1), true, true
	c.counts.routes++
	if slice(g.Len()) >= g.Len() {
		c.workOn() // it takes no longer than this
	}
}

// hear gives the neighbours' announcements to the agreement.
func (c *Core) hear() {
	for _, id := range c.order {
		p := c.ports[id]
		a := &p.accord
		if !a.news {
			continue
		}
		a.news = false
		if !c.unicast.agreement.Heard(path.Port(id), path.Version(a.heard.Version), a.heard.Ready, a.heard.Acked) {
			c.counters.Stray++ // it acknowledges what we never said
			continue
		}
		a.follows = a.heard.Serial
		c.unicast.moved, c.changed = true, true
	}
}

// tables gives what the agreement allows, nil if it is as before. A core that never gave any, and has no earlier life's to go on
// with, takes away what the data path may hold.
func (c *Core) tables() *path.Tables {
	u := &c.unicast
	if u.agreement.Recalling() || u.given != nil && !u.moved {
		return nil
	}
	u.moved = false
	t := u.agreement.Tables()
	c.breakUnicast(&t)
	if u.given != nil && u.given.Equal(&t) {
		return nil
	}
	u.given = &t
	return &t
}

// tellPaths has the port's next Hello tell where we stand.
func (c *Core) tellPaths(p *port) {
	if c.unicast.agreement.Serial() == 0 {
		return
	}
	version, serial, ready := c.unicast.agreement.Announcement()
	say := frame.Agree{Version: uint64(version), Serial: serial, Acked: p.accord.follows, Ready: ready}
	if say != p.accord.said {
		p.accord.said = say
		p.tell()
		c.changed = true
	}
}

// lives compares what the ports are to what the caller was told of them: whether frames for single satellites may go over them,
// and come from them.
func (c *Core) lives() []Gate {
	recalling := c.unicast.agreement.Recalling() // the data path's tables know nothing of the sessions of this life
	return c.compare(c.lit, func(p *port) bool { return p.usable() && p.joined && (p.accord.old || !recalling) })
}

// lags tells whether the neighbour speaks, and for as long as an engine may be silent follows nothing that we told. Until it
// does, U2 has us shun whatever way is longer than it was.
func (c *Core) lags(p *port) bool {
	acked, current := c.unicast.agreement.Acked(path.Port(p.id))
	if a := &p.accord; current || acked != a.acked {
		a.acked, a.since = acked, c.now
	}
	return c.now-p.accord.since > c.cfg.HoldEngine
}

// breakUnicast leaves out what a test wants left out.
func (c *Core) breakUnicast(t *path.Tables) {
	if c.broken&ruleU1 != 0 {
		t.Legal = nil
	}
	if c.broken&ruleF6a != 0 {
		t.Agreed = t.Repair != nil
	}
	if c.broken&ruleF6b != 0 {
		t.Before, t.Blind = nil, false
	}
}
