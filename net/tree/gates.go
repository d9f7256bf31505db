package tree

import "decenter/net/frame"

// This file is all that opens and shuts gates. The rules' numbers are those of the package comment.

// steer brings the gates nearer to what the link state wants, as far as every promise allows. A grant may free
// our own way, hence the second look.
func (c *Core) steer() {
	if c.steerOnce() {
		c.steerOnce()
	}
}

// steerOnce tells whether it granted anything.
func (c *Core) steerOnce() (granted bool) {
	if c.resumeBy == 0 {
		t := c.toward(c.want.parent)
		for _, id := range c.order {
			if p := c.ports[id]; p != t && p.claim.Join && (p.gate != gateUp || c.want.parent.IsZero()) {
				c.withdraw(p)
			}
		}
		switch {
		case c.want.parent.IsZero():
			c.stand()
		case t == nil:
		case t.gate != gateDown:
			c.pursue(t)
			c.enter(t)
		case c.up != nil && c.broken&ruleDrain == 0: // our parent to be is our child still, and will leave: while he waits, we wait
			c.withdraw(c.up)
		}
	}
	for _, id := range c.order {
		granted = c.grant(c.ports[id]) || granted
	}
	return granted
}

// toward picks the cable to a neighbour: the cheapest, among equals the one in use, then the lowest port.
func (c *Core) toward(id frame.MAC) *port {
	var best *port
	for _, pid := range c.order {
		p := c.ports[pid]
		if id.IsZero() || p.peer.ID != id || !p.usable() {
			continue
		}
		if best == nil || Cost(p.link.Mbps) < Cost(best.link.Mbps) || Cost(p.link.Mbps) == Cost(best.link.Mbps) && p == c.up {
			best = p
		}
	}
	return best
}

// stand moves the root's vector: down once what came from its parent has passed (D2), up when no child is in the way.
func (c *Core) stand() {
	if v := c.want.vec; v.Less(c.vec) && (c.now >= c.leftUntil || c.broken&ruleDrain != 0) || c.vec.Less(v) && c.free(v) {
		c.setVec(v)
	}
}

// drained tells whether what was under way when our gates last moved has arrived (D1).
func (c *Core) drained() bool { return c.now >= c.calmUntil || c.broken&ruleDrain != 0 }

// pursue claims t's neighbour as parent, under the vector we shall have there (R1).
func (c *Core) pursue(t *port) {
	v := c.want.vec
	if t.claim.Join && t.claim.Vector == v {
		return
	}
	if t.gate == gateUp && c.vec.Less(v) {
		// Children first: a claim above our vector obliges us to rise at once.
		if !c.free(v) && (t.consent != 0 || !c.patienceOver()) {
			return
		}
		c.setVec(v)
	}
	t.claim = frame.Claim{Number: t.claim.Number + 1, Join: true, Vector: v}
	if t.gate == gateUp && t.floor.Less(v) {
		t.floor = v
	}
	t.tell()
	c.changed = true
}

// enter uses the grant of t's claim (R3).
func (c *Core) enter(t *port) {
	if !t.claim.Join || t.consent != t.claim.Number {
		return
	}
	v := t.claim.Vector
	if t.gate == gateUp {
		if t.floor != v {
			t.floor = v
			c.changed = true
		}
		if v.Less(c.vec) {
			c.setVec(v)
		}
		return
	}
	if !t.joined || c.vec.Less(v) && !c.free(v) && !c.patienceOver() {
		return
	}
	if c.up != nil {
		c.withdraw(c.up)
	}
	if c.vec.Less(v) {
		c.setVec(v) // now, lest those who have to make way come back while we wait
	}
	if !c.drained() {
		return
	}
	c.setVec(v)
	t.gate, t.floor, c.up = gateUp, v, t
	c.moved()
	c.event(Event{Kind: ParentChanged, Port: t.id, Neighbour: t.peer.ID, Name: t.peer.Name})
}

// patienceOver tells whether the children had their time to make way.
func (c *Core) patienceOver() bool { return c.now >= c.want.since+c.cfg.Grace }

// free tells whether our vector may become v without a gate shut for it.
func (c *Core) free(v frame.Vector) bool {
	for _, p := range c.ports {
		if p.gate == gateDown && p.bound.Compare(v) <= 0 {
			return false
		}
	}
	return true
}

// setVec moves our vector (R4). Gates whose promise v would break shut, and Ready has them shut before anything
// is said. It never goes below the floor of an open gate: our callers see to that, and it is our own bug if not.
func (c *Core) setVec(v frame.Vector) {
	if v == c.vec {
		return
	}
	if c.up != nil && v.Less(c.up.floor) {
		panic("tree: vector below the floor")
	}
	for _, id := range c.order {
		if p := c.ports[id]; p.gate == gateDown && p.bound.Compare(v) <= 0 && c.broken&ruleClosing == 0 {
			c.shut(p)
			p.tell()
		}
	}
	c.vec = v
	c.changed = true
}

// grant opens or re-dates our end for the neighbour's claim (R2).
func (c *Core) grant(p *port) bool {
	if !p.usable() || p.gate == gateUp || p.claim.Join || !p.heard.Join || p.gate == gateDown && p.granted == p.heard.Number {
		return false
	}
	if p.gate == gateShut && !p.joined {
		return false
	}
	if p.seen < p.claim.Number && c.broken&ruleSeen == 0 || !c.vec.Less(p.heard.Vector) && c.broken&ruleOrder == 0 {
		return false
	}
	if p.gate == gateShut {
		p.gate = gateDown
		c.moved()
	}
	if p.granted != 0 && p.bound.Less(p.heard.Vector) {
		c.calmUntil = c.now + c.cfg.Drain
	}
	p.bound, p.granted = p.heard.Vector, p.heard.Number
	p.tell()
	c.changed = true
	return true
}

// withdraw ends our claim on a port, its open gate first.
func (c *Core) withdraw(p *port) {
	if p.gate == gateUp {
		c.shut(p)
	}
	p.claim = frame.Claim{Number: p.claim.Number + 1}
	p.tell()
	c.changed = true
}

// shut closes a gate and ends its promise. The claim, if any, stays and must not be used again: a gate up shuts
// only in withdraw and reset, which end it.
func (c *Core) shut(p *port) {
	c.calmUntil = c.now + c.cfg.Drain
	if p == c.up {
		c.up, c.leftUntil = nil, c.calmUntil
		c.event(Event{Kind: ParentChanged})
	}
	p.gate, p.granted, p.floor, p.bound = gateShut, 0, frame.Vector{}, frame.Vector{}
	c.moved()
}

// moved notes that one of our gates changed.
func (c *Core) moved() {
	c.gen++
	c.changed, c.flush, c.restart = true, true, true
}
