package tree

import (
	"slices"
	"time"

	"decenter/net/frame"
	"decenter/net/rstp"
)

// This file runs package rstp on the ports without a satellite behind them; see "Legacy edges" in the package comment.

const (
	// edgeIndex is the object that holds our Edge and whose engine is silent.
	edgeIndex = firstMACs - 1
	// edgeProbes is how many probes in a row, one each Config.Hello, nobody answers before a port is an edge.
	edgeProbes = 3
	// probeSerials keeps answers to probes apart from those of a neighbour's data path.
	probeSerials = 1 << 63
)

// Derived limit: the links of MaxPorts ports do not need that index.
const _ = uint(edgeIndex - (MaxPorts+frame.MaxLinksBody-1)/frame.MaxLinksBody)

// edges is the satellite's part of the one bridge that the constellation is to the legacy.
type edges struct {
	engine *rstp.Engine          // nil without Config.Edges
	due    time.Duration         // when the engine wants a Tick; 0: never
	ran    time.Duration         // when the engine was last looked after
	using  int                   // ports that the engine speaks on
	edge   frame.Edge            // what it tells the other satellites
	told   map[PortID]rstp.State // what the caller was told
	sends  []Transmit
	flush  []PortID

	parts
}

// edgePort is what a port needs to be an edge.
//
//	         no satellite heard             edgeProbes unanswered
//	nothing -------------------> spoken on -----------------------> edge
//	   ^                            |                                 |
//	   |    anything of a satellite heard, admitted or not            |
//	   |                            v                                 |
//	   +------------------------- met <-------------------------------+
//	     carrier lost, also of the other two
type edgePort struct {
	since   time.Duration // carrier came
	changes uint32        // Link.Changes then
	due     time.Duration // of the next probe; 0: none
	asked   uint64        // probes since a satellite was last heard
	quiet   int           // of these, in a row, unanswered though we were there; at most edgeProbes
	send    bool
	met     bool       // a satellite was heard since carrier came
	host    bool       // known to be a host's since before a restart
	said    rstp.Port  // to the engine
	wants   rstp.State // by the engine
	held    []byte     // a BPDU that came before a satellite had the time to say Hello
}

func newEdges(cfg *Config, satellite func(frame.MAC) bool, now time.Duration) edges {
	e := edges{told: map[PortID]rstp.State{}, ran: now}
	e.left, e.silent = map[frame.MAC]departed{}, map[frame.MAC]time.Duration{}
	e.stale = true
	if cfg.Edges {
		e.engine = rstp.New(rstp.Config{ID: cfg.ID, Bridge: frame.MakeBridgeID(cfg.Priority, cfg.ID), Instance: cfg.Instance,
			Lease: cfg.EdgeLease, Drain: cfg.Drain, Satellite: satellite}, now)
	}
	return e
}

// cabledAnew notes what the kernel says of a port.
func (c *Core) cabledAnew(p *port, old, l Link, shown bool) {
	if c.edges.engine == nil {
		return
	}
	if shown && old.Up && l.Up && old.Changes == l.Changes {
		return
	}
	if was := p.edge.said; was.Up { // it has to hear that carrier went, also if it is back already
		c.wakeEdges()
		c.edges.engine.SetPort(rstp.PortID(p.id), rstp.Port{MAC: was.MAC}, c.now)
		p.edge.said = rstp.Port{}
	}
	untouched := !shown && l.Up && l.Changes != 0 && l.Changes == p.edge.changes && old.Name == l.Name && old.MAC == l.MAC
	p.edge = edgePort{since: c.now, changes: l.Changes, due: max(c.now, 1), host: untouched && p.edge.host,
		met: untouched && p.edge.met, said: p.edge.said, wants: p.edge.wants}
}

// satellite notes that one is behind the port, whoever it is: such a port is no edge until its carrier changes.
func (c *Core) satellite(p *port) {
	q := &p.edge
	if c.edges.engine == nil {
		return
	}
	if c.isEdge(p) {
		c.event(Event{Kind: EdgeEnded, Port: p.id})
	}
	if !q.met {
		q.met, c.changed = true, true
	}
	q.quiet, q.asked, q.host, q.held = 0, 0, false, nil
	q.due = c.now + c.cfg.Hello
}

// hasMet tells whether a satellite is behind the port, or was since its carrier came.
func (c *Core) hasMet(p *port) bool {
	return p.twoWay || p.edge.met && (p.edge.quiet < edgeProbes || c.broken&ruleMet == 0)
}

// isEdge tells whether the port may let frames of the legacy through.
func (c *Core) isEdge(p *port) bool {
	return p.link.Up && !p.absent && !c.hasMet(p) && (p.edge.host || p.edge.quiet >= edgeProbes)
}

// speaks tells whether BPDUs are spoken on the port: sooner than it is an edge, so that a host need not wait twice.
func (c *Core) speaks(p *port) bool {
	q := &p.edge
	return p.link.Up && !p.absent && !c.hasMet(p) && (q.host || c.resumeBy == 0)
}

// probeEvery is how long a port waits from probe to probe. What an edge lets through goes round if a satellite comes to be behind it
// without carrier, until an answer shuts it.
func (c *Core) probeEvery(p *port) time.Duration {
	if c.isEdge(p) && p.edge.wants == rstp.Forwarding {
		return c.cfg.Hello / 4
	}
	return c.cfg.Hello
}

// probe asks whether a satellite's data path is there; its engine may be dead.
func (c *Core) probe(p *port) {
	q := &p.edge
	switch {
	case c.edges.engine == nil || p.twoWay || c.now < q.due:
		return
	}
	switch late := c.now-q.due > c.cfg.Hello/2; {
	case q.quiet == edgeProbes || q.asked == 0:
	case late:
		q.quiet = 0
	default:
		q.quiet++
	}
	q.asked++
	q.send, q.due = true, c.now+c.probeEvery(p)
	if q.held != nil && c.now-q.since >= c.cfg.Hello {
		b := q.held
		q.held = nil
		if q.said.Up {
			c.wakeEdges()
			c.edges.engine.Input(rstp.PortID(p.id), b, c.now)
		}
	}
}

// appendProbe makes the probe.
func (p *port) appendProbe() []byte {
	h := frame.Header{Destination: frame.Group, Source: p.link.MAC, Type: frame.TypeEchoRequest}
	return frame.Echo{Session: p.session, Serial: probeSerials | p.edge.asked}.Append(nil, h)
}

// isBPDU tells whether a frame is for the engine of the edges.
func isBPDU(b []byte) bool {
	return len(b) >= frame.HeaderLen && frame.MAC(b[:6]) == frame.BridgeGroup &&
		(b[12] != frame.EtherType>>8 || b[13] != frame.EtherType&0xff)
}

// bpdu takes a frame to frame.BridgeGroup.
func (c *Core) bpdu(p *port, b []byte) {
	e := &c.edges
	switch {
	case e.engine == nil || p == nil || !p.edge.said.Up || !c.speaks(p):
		c.counters.Stray++
	case c.now-p.edge.since < c.cfg.Hello && !p.edge.host: // a satellite that speaks BPDUs too will soon say Hello
		p.edge.held = slices.Clone(b)
	default:
		c.wakeEdges()
		e.engine.Input(rstp.PortID(p.id), b, c.now)
	}
}

// wakeEdges lets the engine's timers expire before it is told anything.
func (c *Core) wakeEdges() {
	if e := &c.edges; e.due != 0 && c.now >= e.due {
		e.engine.Tick(c.now)
		e.due = 0
	}
}

// runEdges gives the engine what changed and takes what it decided.
func (c *Core) runEdges(members []rstp.Member, changed bool) {
	e := &c.edges
	if c.now-e.ran > c.cfg.EdgeLease { // the others went on without us: what is behind our ports we do not know any more
		for _, p := range c.ports {
			if !p.edge.host {
				p.edge.quiet, p.edge.asked = 0, 0
			}
		}
	}
	e.ran = c.now
	c.wakeEdges()
	e.engine.SetBridge(c.bridgeID(), c.now)
	if changed {
		e.engine.Remote(members, c.now)
	}
	using := 0
	for _, id := range c.order {
		p := c.ports[id]
		up := c.speaks(p)
		if up {
			using++
		}
		if !up && !p.edge.said.Up {
			continue
		}
		if now := (rstp.Port{Up: up, Mbps: p.link.Mbps, MAC: p.link.MAC, Host: p.edge.host}); now != p.edge.said {
			p.edge.said = now
			e.engine.SetPort(rstp.PortID(id), now, c.now)
		}
	}
	if (using == 0) != (e.using == 0) {
		c.restart = true
	}
	e.using = using
	c.heed(e.engine.Ready())
}

// heed takes what the engine decided.
func (c *Core) heed(f rstp.Effects) {
	e := &c.edges
	for _, m := range slices.Concat(f.Close, f.Open) {
		if p := c.ports[PortID(m.Port)]; p != nil {
			p.edge.wants = m.State
		}
	}
	for _, id := range f.Flush {
		e.flushPort(c, PortID(id))
	}
	if f.Edge != nil {
		e.edge = *f.Edge
		c.restart = true
	}
	for _, t := range f.Send {
		e.sends = append(e.sends, Transmit{PortID(t.Port), t.Frame})
	}
	for _, v := range f.Events {
		c.edgeEvent(v)
	}
	e.due = f.Deadline
}

func (e *edges) flushPort(c *Core, id PortID) {
	if !slices.Contains(e.flush, id) {
		e.flush = append(e.flush, id)
		c.forgetPort(id)
	}
}

func (c *Core) edgeEvent(v rstp.Event) {
	switch v.Kind {
	case rstp.RootChanged:
		c.event(Event{Kind: EdgeRootChanged, Neighbour: v.Satellite, Why: v.Bridge.String()})
	case rstp.RoleChanged:
		c.event(Event{Kind: EdgeChanged, Port: PortID(v.Port), Why: v.Role.String()})
	case rstp.PortLooped:
		c.event(Event{Kind: PortLooped, Port: PortID(v.Port), Neighbour: c.cfg.ID, Name: c.cfg.Name})
	case rstp.OwnHeard, rstp.Migrated, rstp.NotBridge:
		c.event(Event{Kind: EdgeChanged, Port: PortID(v.Port), Why: string(v.Kind)})
	}
}

// letThrough compares what edge ports let through to what the caller was told; closings come first. A port that lets nothing
// through any more has no addresses behind it.
func (c *Core) letThrough() []Edge {
	e := &c.edges
	if e.engine == nil {
		return nil
	}
	var open, shut []Edge
	for _, id := range c.order {
		p := c.ports[id]
		if p.absent {
			continue
		}
		is := rstp.Discarding
		if c.isEdge(p) {
			is = p.edge.wants
		}
		was, known := e.told[id]
		if known && was == is {
			continue
		}
		e.told[id] = is
		c.changed = true
		if is > was {
			p.edge.due = min(p.edge.due, c.now+c.probeEvery(p))
			open = append(open, Edge{id, is})
			continue
		}
		shut = append(shut, Edge{id, is})
		if !c.isEdge(p) {
			e.flushPort(c, id)
		}
	}
	for id := range e.told {
		if c.ports[id] == nil {
			delete(e.told, id)
			shut = append(shut, Edge{id, rstp.Discarding})
			e.flushPort(c, id)
		}
	}
	slices.SortFunc(shut, func(a, b Edge) int { return int(a.Port) - int(b.Port) })
	return append(shut, open...)
}

// removeEdge forgets a port.
func (c *Core) removeEdge(id PortID) {
	if e := &c.edges; e.engine != nil {
		c.wakeEdges()
		e.engine.Remove(rstp.PortID(id), c.now)
	}
}

// hosts tells which ports let a host's frames through.
func (c *Core) hosts() map[PortID]bool {
	e := &c.edges
	if e.engine == nil {
		return nil
	}
	hosts := map[PortID]bool{}
	for _, s := range e.engine.Ports() {
		if id := PortID(s.Port); s.Host && e.told[id] == rstp.Forwarding {
			hosts[id] = true
		}
	}
	return hosts
}
