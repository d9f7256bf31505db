package tree

import (
	"maps"
	"slices"
	"time"

	"decenter/net/frame"
	"decenter/net/rstp"
)

// This file sees to it that two parts of a constellation become one bridge to the legacy before they become one network; see
// "Legacy edges" in the package comment.

// parts is what is known of the satellites with edges.
type parts struct {
	stale   bool          // what the store says of edges changed, or who can be reached
	staleAt time.Duration // when it has to be looked at again; 0: never
	members []rstp.Member // others that have edges
	left    map[frame.MAC]departed
	silent  map[frame.MAC]time.Duration // whose engine all neighbours call silent, and since when

	id         frame.BridgeID // of our bridge; 0: nobody that we can reach has edges
	confirmed  frame.BridgeID // the same, once all that have edges told it; frame.NoBridge: not yet
	incomplete time.Duration  // since when somebody is named in the link state of whom it says nothing; 0: nobody is
}

// departed is a satellite that cannot be reached any more, while its edges may still be open.
type departed struct {
	member rstp.Member
	until  time.Duration
}

// bridgeID is what the constellation's bridge is called: after the root of the tree. All 16 bits of its priority count, as
// in 802.1D-1998; to a bridge that takes the lower twelve for a system id extension they compare all the same.
func (c *Core) bridgeID() frame.BridgeID {
	if len(c.topo.order) == 0 || c.resumeBy > 0 {
		return frame.MakeBridgeID(c.vec.Priority, c.vec.Root)
	}
	return frame.MakeBridgeID(c.topo.priority, c.topo.root)
}

// reachable tells whether there is such a satellite.
func (c *Core) reachable(id frame.MAC) bool { return c.topo.nodes[id] != nil }

// bridge brings edges up to date with the link state, and joins what may be joined.
func (c *Core) bridge() {
	e := &c.edges
	changed := e.stale || e.staleAt > 0 && c.now >= e.staleAt
	if changed {
		c.survey()
	}
	if e.engine != nil {
		c.runEdges(e.members, changed)
	}
	if changed || c.restart {
		c.confirm()
	}
	c.join()
}

// survey finds who has edges that may be open.
func (c *Core) survey() {
	e := &c.edges
	e.stale, e.staleAt = false, 0
	c.listen()
	present := map[frame.MAC]bool{}
	var members []rstp.Member
	for _, id := range c.topo.order {
		if id == c.cfg.ID || !c.main(id).Edges {
			continue
		}
		present[id] = true
		if since, ok := e.silent[id]; ok {
			if c.now-since >= c.cfg.EdgeLease { // its data path has shut them by itself
				continue
			}
			e.lookAgain(since + c.cfg.EdgeLease)
		}
		m := rstp.Member{Satellite: id}
		if o := c.store.objects[frame.Key{Origin: id, Index: edgeIndex}]; o != nil && o.node.Edge != nil {
			m.Known, m.Edge = true, *o.node.Edge
		}
		members = append(members, m)
	}
	for _, m := range e.members {
		if _, already := e.left[m.Satellite]; !already && c.topo.nodes[m.Satellite] == nil {
			e.left[m.Satellite] = departed{m, c.now + c.cfg.EdgeLease}
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(e.left), frame.MAC.Compare) {
		d := e.left[id]
		if c.topo.nodes[id] != nil || c.now >= d.until {
			delete(e.left, id)
			continue
		}
		e.lookAgain(d.until)
		members = append(members, d.member)
	}
	e.members = members
}

func (e *parts) lookAgain(at time.Duration) {
	if e.staleAt == 0 || at < e.staleAt {
		e.staleAt = at
	}
}

// listen finds whose engines are silent by the word of all their neighbours, and whether the link state names somebody of
// whom it says nothing.
func (c *Core) listen() {
	e := &c.edges
	cables, silent := map[frame.MAC]int{}, map[frame.MAC]int{}
	missing := false
	for k, o := range c.store.graph {
		if c.topo.nodes[k.Origin] == nil {
			continue
		}
		var says []frame.MAC
		if s := c.store.objects[frame.Key{Origin: k.Origin, Index: edgeIndex}]; s != nil {
			says = s.node.Silent
		}
		for _, l := range o.node.Links {
			missing = missing || !c.main(l.Neighbour).Main
			cables[l.Neighbour]++
			if slices.Contains(says, l.Neighbour) {
				silent[l.Neighbour]++
			}
		}
	}
	for id := range e.silent {
		if silent[id] == 0 || silent[id] != cables[id] {
			delete(e.silent, id)
		}
	}
	for id, n := range silent {
		if _, already := e.silent[id]; !already && n == cables[id] {
			e.silent[id] = c.now
		}
	}
	switch {
	case !missing:
		e.incomplete = 0
	case e.incomplete == 0:
		e.incomplete = max(c.now, 1)
	}
	if missing && c.now-e.incomplete < c.cfg.EdgeLease {
		e.lookAgain(e.incomplete + c.cfg.EdgeLease)
	}
}

// confirm finds which bridge we are, and whether all that have edges told so. If we become another one, then a cable that
// the neighbour has not joined yet is not joined any more: he may have been told of the one before.
func (c *Core) confirm() {
	e := &c.edges
	id, all := frame.BridgeID(0), true
	if e.using > 0 {
		id = c.bridgeID()
		all = e.edge.Bridge == id
	}
	for _, m := range e.members {
		if _, gone := e.left[m.Satellite]; gone {
			continue // no cable leads there
		}
		id = c.bridgeID()
		all = all && m.Known && m.Edge.Bridge == id
	}
	confirmed := id
	if !all || c.resumeBy > 0 || e.incomplete > 0 && c.now-e.incomplete < c.cfg.EdgeLease {
		confirmed = frame.NoBridge
	}
	if id != e.id && c.resumeBy == 0 {
		for _, pid := range c.order {
			if p := c.ports[pid]; p.joined && !p.theyJoined {
				c.part(p)
			}
		}
		e.id = id
	}
	if confirmed == e.confirmed {
		return
	}
	tell := id != 0 || e.confirmed != 0 && e.confirmed != frame.NoBridge
	e.confirmed = confirmed
	for _, p := range c.ports {
		if tell && p.twoWay && !(p.joined && p.theyJoined) {
			p.tell()
		}
	}
}

// part takes back that a cable is within our part.
func (c *Core) part(p *port) {
	p.joined = false
	c.changed = true
	switch p.gate {
	case gateUp:
		c.withdraw(p)
	case gateDown:
		c.shut(p)
	}
	p.tell()
}

// join finds which cables lead within our part, or to one that is the same bridge, or to or from one without edges.
func (c *Core) join() {
	if c.resumeBy > 0 || c.recompute || c.edges.stale {
		return
	}
	for _, id := range c.order {
		p := c.ports[id]
		if p.joined || !p.usable() || !c.mayJoin(p) {
			continue
		}
		p.joined, c.changed = true, true
		if c.edges.id != 0 {
			p.tell()
		}
	}
}

// mayJoin tells whether a usable cable may carry frames as far as the legacy is concerned.
func (c *Core) mayJoin(p *port) bool {
	if c.broken&ruleJoin != 0 {
		return true
	}
	us, they := c.edges.confirmed, p.theirBridge
	return us != frame.NoBridge && (us == 0 || they == 0 || us == they) && c.tellsOf(p)
}

// tellsOf tells whether the link state of the neighbour tells the cable, so that we know who is behind him.
func (c *Core) tellsOf(p *port) bool {
	if c.topo.nodes[p.peer.ID] == nil {
		return false
	}
	here := frame.Link{Neighbour: c.cfg.ID, Port: p.peer.Port, NeighbourPort: uint32(p.id)}
	for index := range uint16(firstMACs) {
		if o := c.store.objects[frame.Key{Origin: p.peer.ID, Index: index}]; o != nil {
			for _, l := range o.node.Links {
				if l.Cost = 0; l == here {
					return true
				}
			}
		}
	}
	return false
}

// sayEdges adds to our objects what others have to know of our edges and of our neighbours'.
func (c *Core) sayEdges(said map[uint16]*frame.Node) {
	e := &c.edges
	n := &frame.Node{}
	if e.using > 0 {
		said[0].Edges = true
		edge := e.edge
		n.Edge = &edge
	}
	for _, id := range c.order {
		if p := c.ports[id]; p.usable() && p.silent && len(n.Silent) < frame.MaxSilentBody && c.main(p.peer.ID).Edges &&
			!slices.Contains(n.Silent, p.peer.ID) {
			n.Silent = append(n.Silent, p.peer.ID)
		}
	}
	if n.Edge != nil || n.Silent != nil {
		said[edgeIndex] = n
	}
}

func sameEdge(a, b *frame.Edge) bool { return a == b || a != nil && b != nil && *a == *b }
