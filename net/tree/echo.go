package tree

import (
	"time"

	"decenter/net/frame"
)

// echo judges the cable and the neighbour's data path, whatever its engine does.
type echo struct {
	alive  bool
	asked  uint64 // serial of the last request; 0: none
	heard  uint64 // highest serial answered
	misses int    // requests in a row that we waited for in vain
	voids  int    // requests in a row that we could not judge because we were late
	good   int    // answers in a row
	due    time.Duration
	send   bool
}

// maxVoids bounds how long our own lateness excuses a missing answer.
const maxVoids = 20

// echoed takes an answer of the peer's data path.
func (c *Core) echoed(p *port, m frame.Echo) {
	e := &p.echo
	if m.Session != p.session || m.Serial > e.asked || m.Serial <= e.heard {
		c.counters.Stale++
		return
	}
	e.heard = m.Serial
	if e.asked-m.Serial >= uint64(c.cfg.EchoLost) {
		return // too old to tell anything
	}
	e.misses, e.voids = 0, 0
	e.good++
	if !e.alive && e.good >= p.proof {
		e.alive = true
		c.changed = true
		if p.twoWay {
			c.adjacent(p)
		}
	}
}

// tickEcho judges the last request and has the next one sent. A request counts as lost only if we ourselves
// were there to wait for its answer: a Tick that comes late judges nothing.
func (c *Core) tickEcho(p *port) {
	e := &p.echo
	if c.now < e.due || p.peer.MAC == (frame.MAC{}) {
		return
	}
	late := c.now-e.due > c.cfg.Echo/2
	switch {
	case e.asked <= e.heard:
		e.misses, e.voids = 0, 0
	case late && e.voids < maxVoids:
		e.voids++
	default:
		e.misses++
		e.good = 0
	}
	if e.misses >= c.cfg.EchoLost && e.alive {
		p.proof = provenAgain
		c.reset(p, "cable or data path silent")
		return
	}
	e.asked++
	e.send = true
	e.due = c.now + c.cfg.Echo
}
