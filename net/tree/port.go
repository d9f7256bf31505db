package tree

import (
	"time"

	"decenter/net/frame"
	"decenter/net/path"
)

// gateState is what a port's gate is and which promise goes with it.
//
//	         claim granted, vec >= claim             their claim > vec, our claim gone and seen so
//	up  <---------------------------------  shut  ------------------------------------------->  down
//	    --------------------------------->        <-------------------------------------------
//	     another parent, session ended             claim gone, session ended, vec about to reach bound
//
// There is no way from up to down or back but through shut.
type gateState uint8

const (
	gateShut gateState = iota
	gateUp             // open toward our parent: vec >= floor
	gateDown           // open toward a child: vec < bound
)

// peer is the other end of the cable as we hear it.
type peer struct {
	frame.Peer
	Instance uint64
	Name     string
	MAC      frame.MAC // of its port
}

// others notices when more than one satellite speaks on a port.
type others struct {
	id     frame.Peer // who spoke last, without session
	at     time.Duration
	until  time.Duration // the port is crowded so long
	looped time.Duration // the port hears ourselves so long

	refused     frame.MAC // who says hello and is not admitted; zero: nobody
	refusedAt   time.Duration
	refusedTold time.Duration // as an event
}

// port is one end of a cable. See gateState for gate, floor and bound.
type port struct {
	id     PortID
	link   Link
	absent bool // restored, but the kernel has not shown it yet

	session uint64 // never 0; new whenever a session that was two-way ends
	peer    peer   // zero: nobody heard
	twoWay  bool   // the peer hears this very session; nothing below is meant otherwise
	others  others
	sec     secrets // with Config.Auth

	gate    gateState
	claim   frame.Claim  // ours; Join is never set while gate is down
	floor   frame.Vector // gate up: the highest vector we claimed since the claim last granted, that included
	heard   frame.Claim  // theirs, the highest number
	bound   frame.Vector // gate down: of the claim granted
	granted uint64       // gate down: its number
	seen    uint64       // the highest number of ours that they heard
	consent uint64       // the claim of ours for which their end was open, as last heard

	// Hellos. What changed must be acknowledged: seq >= changedSeq.
	seq, seqHeard, acked, changedSeq uint64
	sendHello                        bool
	helloDue                         time.Duration
	backoff                          time.Duration
	heardAt                          time.Duration // last Hello of the peer, moved by our own stalls
	silent                           bool          // the peer's engine is

	echo  echo
	proof int // how many echoes in a row make the cable count

	outbox
	sync  agreement
	taken time.Duration // see afford; it outlives the peer

	edge        edgePort
	joined      bool           // the cable leads within our part of the constellation; see parts.go
	theyJoined  bool           // as last heard
	theirBridge frame.BridgeID // frame.Hello.Bridge as last heard; NoBridge before

	accord accord // on unicast paths
}

// usable tells whether the adjacency may carry the tree: both engines hear one another and the data path works.
func (p *port) usable() bool { return p.twoWay && p.echo.alive && !p.absent && p.link.Up }

// self is our end as told to the peer.
func (c *Core) self(p *port) frame.Self {
	return frame.Self{ID: c.cfg.ID, Port: uint32(p.id), Instance: c.cfg.Instance, Session: p.session}
}

// me is our end as the peer tells it when it hears us.
func (c *Core) me(p *port) frame.Peer {
	return frame.Peer{ID: c.cfg.ID, Port: uint32(p.id), Session: p.session}
}

// renew begins a session that nobody has heard of.
func (c *Core) renew(p *port) {
	for first := true; first || p.session == 0; first = false {
		c.sessions++
		p.session = mix(c.cfg.Instance ^ mix(c.sessions))
	}
	c.fresh(p)
	c.changed = true
}

// reset ends the adjacency: the gate shuts, all promises end, and so that none of them is mistaken for one of
// the next adjacency, the session ends too.
func (c *Core) reset(p *port, why string) {
	if p.usable() {
		c.event(Event{Kind: NeighbourDown, Port: p.id, Neighbour: p.peer.ID, Name: p.peer.Name, Why: why})
		c.restart, c.recompute = true, true
	}
	if p.gate == gateDown || p.gate == gateUp {
		c.shut(p)
	}
	if p.twoWay {
		c.unicast.agreement.Down(path.Port(p.id))
		c.unicast.moved = true
		c.renew(p)
		clear(c.asked) // nobody knows what he would have sent
	}
	p.unbind()
}

// unbind forgets the peer.
func (p *port) unbind() {
	*p = port{id: p.id, link: p.link, absent: p.absent, session: p.session, others: p.others, sec: p.sec.forget(), proof: p.proof,
		seq: p.seq, sendHello: true, helloDue: p.helloDue, taken: p.taken, edge: p.edge, theirBridge: frame.NoBridge}
}

// bind takes a new peer. Nothing was promised in this session yet, or reset renewed it.
func (c *Core) bind(p *port, h *frame.Hello) {
	p.unbind()
	p.peer.Peer = frame.Peer{ID: h.Self.ID, Port: h.Self.Port, Session: h.Self.Session}
	p.peer.Instance = h.Self.Instance
	if c.cfg.Auth != nil {
		c.key(p, h.Keys)
	}
	p.echo.due = c.now
	p.tell()
	c.changed = true
}

// tell has the next Hello sent at once and repeated until it is acknowledged.
func (p *port) tell() {
	p.changedSeq, p.sendHello, p.backoff = p.seq+1, true, 0
}

// hello takes a Hello; b is the whole frame.
func (c *Core) hello(p *port, h *frame.Hello, src frame.MAC, b []byte) {
	auth := c.cfg.Auth != nil
	if auth && !c.vet(p, h, src, b) || !auth && !c.welcome(p, h) {
		return
	}
	from := end(h)
	switch {
	case from == p.peer.Peer:
		if h.Seq <= p.seqHeard {
			c.counters.Stale++
			return
		}
	case !auth && p.twoWay && h.Peer != (frame.Peer{}) && h.Peer.Session != p.session:
		c.counters.Stale++ // of an earlier life of the same neighbour, or it will soon hear who we are now
		p.sendHello = p.sendHello || h.Answer
		return
	default:
		c.reset(p, "neighbour began anew")
		c.bind(p, h)
	}
	p.heardAt = c.now
	c.greet(p, h, src)
	if auth && !p.twoWay && !c.completes(p, h, b) {
		p.sendHello = p.sendHello || h.Answer
		return
	}
	p.seqHeard = h.Seq // and so acknowledged: from here on all of it is used
	if h.Peer != c.me(p) {
		if p.twoWay {
			c.reset(p, "neighbour does not hear us")
			c.bind(p, h)
			p.seqHeard, p.heardAt, p.peer.MAC, p.peer.Name = h.Seq, c.now, src, h.Name
		}
		p.sendHello = p.sendHello || h.Answer
		return
	}
	if !p.twoWay {
		p.twoWay = true
		c.unicast.agreement.Up(path.Port(p.id), p.peer.ID, p.peer.Port)
		p.accord.since = c.now
		c.unicast.moved, c.changed = true, true
		if auth {
			p.sec.private = nil // what was said in this session stays secret if we are broken into later
			c.throw(p)
		}
		p.tell()
		if p.echo.alive {
			c.adjacent(p)
		}
	}
	p.acked = max(p.acked, h.Ack)
	p.sendHello = p.sendHello || h.Answer
	c.promises(p, h)
	c.agreed(p, h.Agree)
	c.changed = c.changed || p.theyJoined != h.Joined
	p.theirBridge, p.theyJoined = h.Bridge, h.Joined
	if !h.Untold {
		c.compareDigests(p, h.Digest)
	}
}

// welcome tells whether the sender may be this port's neighbour.
func (c *Core) welcome(p *port, h *frame.Hello) bool {
	if h.Self.ID == c.cfg.ID {
		c.loops(p, h)
	}
	c.crowds(p, h)
	if c.shared(p) {
		if p.peer.Peer != (frame.Peer{}) {
			c.reset(p, "not one neighbour alone")
		}
		return false
	}
	// Asked every time: who was admitted may be ejected.
	if c.cfg.Admit != nil && !c.cfg.Admit(h.Self.ID) {
		if p.peer.ID == h.Self.ID {
			c.reset(p, "no longer admitted")
		}
		c.refuse(p, h, "not admitted")
		return false
	}
	p.others.refused = frame.MAC{}
	return true
}

// loops notes that the port hears ourselves.
func (c *Core) loops(p *port, h *frame.Hello) {
	if c.now >= p.others.looped {
		c.event(Event{Kind: PortLooped, Port: p.id, Neighbour: h.Self.ID, Name: h.Name})
	}
	p.others.looped = c.now + crowdHold
}

// crowds notes who speaks, and whether another one did of late.
func (c *Core) crowds(p *port, h *frame.Hello) {
	o := &p.others
	id := frame.Peer{ID: h.Self.ID, Port: h.Self.Port}
	if o.id != (frame.Peer{}) && o.id != id && c.now-o.at < 7*c.cfg.Hello/2 {
		if c.now >= o.until {
			c.event(Event{Kind: PortCrowded, Port: p.id, Neighbour: h.Self.ID, Name: h.Name})
		}
		o.until = c.now + crowdHold
	}
	o.id, o.at = id, c.now
}

// greet notes who speaks, and that its engine lives.
func (c *Core) greet(p *port, h *frame.Hello, src frame.MAC) {
	again := h.Self.Instance != p.peer.Instance
	if p.twoWay && (p.silent || again) {
		e := Event{Kind: EngineBack, Port: p.id, Neighbour: h.Self.ID, Name: h.Name}
		if again {
			e.Why = "restarted"
			p.sync = agreement{} // it may have lost its store
			p.sendHello = true
		}
		c.event(e)
	}
	c.restart = c.restart || p.silent
	p.silent = false
	p.peer.Instance, p.peer.Name, p.peer.MAC = h.Self.Instance, h.Name, src
}

// promises takes what the peer claims, saw and granted.
func (c *Core) promises(p *port, h *frame.Hello) {
	if h.Claim.Number > p.heard.Number && (!h.Claim.Join || h.Claim.Vector.ID == p.peer.ID) {
		p.heard = h.Claim
		if p.gate == gateDown && !h.Claim.Join {
			c.shut(p)
		}
		p.tell()
		c.changed = true
	}
	p.seen = max(p.seen, h.Seen)
	p.consent = h.Grant
}

// adjacent notes that a port became usable.
func (c *Core) adjacent(p *port) {
	c.event(Event{Kind: NeighbourUp, Port: p.id, Neighbour: p.peer.ID, Name: p.peer.Name})
	c.restart, c.recompute = true, true
}

// due is when the port wants a Tick.
func (p *port) due() time.Duration {
	at := p.helloDue
	if p.edge.due > 0 && !p.twoWay {
		at = min(at, p.edge.due)
	}
	if p.peer.MAC != (frame.MAC{}) {
		at = min(at, p.echo.due)
	}
	if p.floodDue > 0 {
		at = min(at, p.floodDue)
	}
	if p.sync.tellAt > 0 {
		at = min(at, p.sync.tellAt)
	}
	return at
}

func (c *Core) tickPort(p *port) {
	if c.now >= p.helloDue {
		p.sendHello = true
	}
	c.probe(p)
	if p.peer.Peer == (frame.Peer{}) {
		return
	}
	quiet := c.now - p.heardAt
	switch {
	case !(p.twoWay && p.echo.alive) && quiet > 7*c.cfg.Hello/2: // nothing of the neighbour is known to live
		c.reset(p, "silent")
		return
	case quiet > c.cfg.HoldEngine:
		c.reset(p, "engine silent for too long")
		return
	case p.twoWay && c.lags(p):
		c.reset(p, "neighbour does not follow our topology")
		return
	case p.twoWay && !p.silent && quiet > 7*c.cfg.Hello/2:
		p.silent, c.restart = true, true
		c.event(Event{Kind: EngineSilent, Port: p.id, Neighbour: p.peer.ID, Name: p.peer.Name})
	}
	c.tickEcho(p)
}
