package rstp

import (
	"time"

	"decenter/net/frame"
)

// elect is the port role selection machine (17.28) with updtRolesTree (17.21.25), over the ports of all
// satellites: a path that another satellite claims stands beside our own ports' paths.
func (e *Engine) elect() {
	us := e.cfg.Bridge
	best := path{vector: vector{root: us, bridge: us}}
	bestTimes := times{max: maxAge, hello: e.cfg.Hello, delay: forwardDelay}
	consider := func(c path) {
		if e.kin(c.vector.root.Address()) || e.kin(c.vector.bridge.Address()) {
			return
		}
		if c.compare(best) < 0 {
			best, bestTimes = c, c.times
			bestTimes.age = (bestTimes.age + time.Second + time.Second/2).Truncate(time.Second)
		}
	}
	var own *port
	for _, p := range e.each() {
		p.reselect = false
		if p.info != infoReceived {
			continue
		}
		before := best.port
		consider(e.pathOf(p))
		if best.port != before {
			own = p
		}
	}
	e.claim(own)
	for id, m := range e.members {
		if m.Known && m.Edge.Claim.Valid {
			consider(claimed(id, &m.Edge.Claim))
		}
	}
	if best.vector.root != e.root.vector.root || best.owner != e.root.owner {
		e.event(Event{Kind: RootChanged, Bridge: best.vector.root, Satellite: best.owner})
	}
	if best.vector.root != e.root.vector.root || best.vector.cost != e.root.vector.cost {
		e.said(e.root.vector)
	}
	if e.afresh(best) {
		e.setSync(true)
	}
	e.root, e.rootTimes = best, bestTimes
	for _, p := range e.each() {
		e.assign(p)
		p.selected = true
	}
	e.hear()
}

// afresh tells whether our open ports have to come to terms with what is behind them once more: when the root is another, or the way to it
// got better by another port than before, which may be another satellite's. What is behind a port that was open turns to us at
// once when we are better, and leads to the old root port's neighbour before that port has shut. When we are worse it may have a
// better way, which another satellite uses, and be kept from saying so by its transmit limit.
func (e *Engine) afresh(now path) bool {
	before := e.root
	if e.broken&ruleAfresh != 0 || len(e.members) == 0 {
		return false
	}
	elsewhere := now.owner.IsZero() || now.owner != before.owner || now.port != before.port
	return now.vector.root != before.vector.root || elsewhere && now.vector.cost < before.vector.cost
}

func (e *Engine) pathOf(p *port) path {
	return path{p.priority.plus(p.cost), p.times, p.num, e.cfg.ID, p.id}
}

func claimed(id frame.MAC, c *frame.EdgeClaim) path {
	return path{vector{c.Root, c.Cost, c.Bridge, portKey{id: c.Port}},
		times{c.Age.Duration(), c.Max.Duration(), c.Hello.Duration(), c.Delay.Duration()}, c.At, id, PortID(c.AtPort)}
}

// assign gives a port its designated vector and its role.
func (e *Engine) assign(p *port) {
	us := e.cfg.Bridge
	p.designated = vector{e.root.vector.root, e.root.vector.cost, us, portKey{p.num, p.cfg.MAC}}
	p.desTimes = e.rootTimes
	p.desTimes.hello = e.cfg.Hello
	p.updtInfo = false
	switch p.info {
	case infoDisabled:
		p.selectedRole = Disabled
	case infoAged:
		p.selectedRole, p.updtInfo = Designated, true
	case infoMine:
		p.selectedRole = Designated
		p.updtInfo = p.priority != p.designated || p.times != p.desTimes
	case infoReceived:
		switch {
		case e.root.owner == e.cfg.ID && e.root.port == p.id:
			p.selectedRole = Root
		case p.designated.compare(p.priority) < 0:
			p.selectedRole, p.updtInfo = Designated, true
		case e.kin(p.priority.bridge.Address()):
			p.selectedRole = Backup
		default:
			p.selectedRole = Alternate
		}
	}
}

// claimKey names a claim of another satellite.
type claimKey struct {
	satellite frame.MAC
	number    uint64
	sync      bool
}

// claim tells our best path to a root outside. It gets a new number whenever the others' consent to the old one is
// worth nothing any more.
func (e *Engine) claim(p *port) {
	var c frame.EdgeClaim
	if p != nil {
		w := e.pathOf(p)
		c = frame.EdgeClaim{Valid: true, Root: w.vector.root, Cost: w.vector.cost, Bridge: w.vector.bridge, Port: w.vector.port.id,
			Age: frame.TicksOf(w.times.age), Max: frame.TicksOf(w.times.max), Hello: frame.TicksOf(w.times.hello),
			Delay: frame.TicksOf(w.times.delay), At: w.at, AtPort: uint32(w.port)}
	}
	old := e.edge.Claim
	c.Number, c.Sync = old.Number, old.Sync
	same := old
	same.Age, same.Max, same.Hello, same.Delay = c.Age, c.Max, c.Hello, c.Delay
	e.edge.Claim = c
	if c != same {
		e.renumber()
	}
}

// renumber asks the others anew.
func (e *Engine) renumber() {
	e.counter++
	e.edge.Claim.Number, e.edge.Claim.Sync = e.counter, e.wantSync && e.edge.Claim.Valid
	e.consentBy = e.now + consentGrace
}

// consentGrace is how long a forwarding root port goes on while the others have not consented to its claim: less
// than the two hello times of one second that a bridge behind it needs to forward without our agreement.
const consentGrace = time.Second

// hear begins to make way when another satellite's claim wins (setReRootTree, setSyncTree).
func (e *Engine) hear() {
	var k claimKey
	if o := e.root.owner; !o.IsZero() && o != e.cfg.ID {
		c := e.members[o].Edge.Claim
		k = claimKey{o, c.Number, c.Sync}
	}
	if k == e.heard {
		return
	}
	e.heard, e.edge.Consent = k, frame.EdgeConsent{}
	if k.satellite.IsZero() {
		return
	}
	for _, p := range e.ports {
		p.reRoot = true
	}
	if k.sync {
		e.setSync(true)
	}
}

// consent tells the winner once all our ports have made way, and tells whether something moved.
func (e *Engine) consent() bool {
	if e.heard.satellite.IsZero() {
		return false
	}
	c := frame.EdgeConsent{Satellite: e.heard.satellite, Number: e.heard.number, Synced: e.heard.sync}
	if e.edge.Consent == c {
		return false
	}
	for _, p := range e.ports {
		if !p.selected || p.updtInfo || p.role != p.selectedRole || p.role == Root || e.on(p.rrWhile) {
			return false
		}
		c.Synced = c.Synced && p.synced && !p.sync
	}
	moved := e.edge.Consent != c
	e.edge.Consent = c
	return moved
}

// consented tells whether all other satellites made way for our claim: none has a recent root port, and with sync
// none has a port on which anything but what agreed to the claim is behind.
func (e *Engine) consented(sync bool) bool {
	if e.broken&ruleConsent != 0 {
		return true
	}
	for _, m := range e.members {
		c := m.Edge.Consent
		if !m.Known || m.Edge.Bridge != e.cfg.Bridge || c.Satellite != e.cfg.ID || c.Number != e.edge.Claim.Number || sync && !c.Synced {
			return false
		}
	}
	return true
}

// united tells whether all satellites have our id, and gave way to the root port that we think is the right one. A bridge that
// agrees to one port's vector counts on our old root port being shut, as it is at once where one bridge has both.
func (e *Engine) united() bool {
	o := e.root.owner
	switch {
	case !e.oneName():
		return false
	case o.IsZero() || e.broken&ruleUnited != 0:
		return true
	case o == e.cfg.ID:
		return e.consented(false)
	case e.edge.Consent.Satellite != o || e.edge.Consent.Number != e.heard.number:
		return false
	}
	for id, m := range e.members {
		if c := m.Edge.Consent; id != o && (!m.Known || c.Satellite != o || c.Number != e.heard.number) {
			return false
		}
	}
	return true
}
