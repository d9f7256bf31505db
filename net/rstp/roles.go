package rstp

import "time"

// roles is the port role transitions machine (17.29) together with port state transition (17.30), which here takes
// no time: what a port lets through is what learn and forward say, once Ready's Close was applied.
func (e *Engine) roles(p *port) bool {
	if !p.selected || p.updtInfo {
		return false
	}
	if p.role != p.selectedRole {
		e.leave(p)
		p.role = p.selectedRole
		e.enter(p)
		e.event(Event{Kind: RoleChanged, Port: p.id, Role: p.role})
		return true
	}
	switch p.role {
	case Root:
		return e.rootRole(p)
	case Designated:
		return e.designatedRole(p)
	case Alternate, Backup:
		return e.blockedRole(p)
	}
	moved := p.sync || p.reRoot || !p.synced
	p.sync, p.reRoot, p.synced = false, false, true
	return moved
}

// leave starts the timers that stand still while a port keeps a role.
func (e *Engine) leave(p *port) {
	switch p.role {
	case Disabled:
		p.fdWhile = e.now + maxAge
	case Root:
		p.rrWhile = e.now + e.rootTimes.delay
		e.wantSync = false
	case Alternate, Backup:
		p.fdWhile = e.now + e.rootTimes.delay
		if p.role == Backup {
			p.rbWhile = e.now + 2*e.cfg.Hello
		}
	}
}

func (e *Engine) enter(p *port) {
	switch p.role {
	case Disabled, Alternate, Backup:
		p.learn, p.forward, p.rrWhile, p.disputed = false, false, 0, false
		p.sync, p.reRoot, p.synced = false, false, true
	case Root:
		p.rrWhile = 0 // stands for FwdDelay; see leave
		p.drainWhile = e.now + e.cfg.Drain
		p.agree = false // what an alternate port agreed to, the other satellites never heard of
		e.wantSync = false
		e.renumber()
	}
}

// rootRole: a root port forwards once no other port of any satellite was root port a moment ago, and agrees once
// all others are in sync.
func (e *Engine) rootRole(p *port) bool {
	ghost := e.suspect(p)
	ready := !ghost && e.consented(false) && !e.on(p.rbWhile) && !e.on(p.drainWhile) && (e.reRooted(p) || !e.on(p.fdWhile))
	switch {
	case p.proposed && !p.agree:
		p.proposed = false
		if !e.wantSync {
			e.setSync(true)
			e.wantSync = true
			e.renumber()
		}
	case !ghost && (!p.agree && e.wantSync && e.allSynced(p) && e.consented(true) || p.proposed && p.agree):
		p.proposed, p.sync, p.agree, p.newInfo, e.wantSync = false, false, true, true, false
	case !p.forward && !e.on(p.rbWhile) && !p.reRoot:
		for _, o := range e.ports {
			o.reRoot = true
		}
	case p.forward && p.reRoot:
		p.reRoot = false
	case p.forward && (ghost || !e.consented(false) && !e.on(e.consentBy)):
		p.learn, p.forward = false, false
		p.fdWhile = e.now + e.rootTimes.delay
	case ready && !p.learn:
		p.learn = true
		p.fdWhile = e.now + e.rootTimes.delay
	case ready && !p.forward:
		p.forward, p.fdWhile = true, 0
	default:
		return false
	}
	return true
}

// designatedRole: a designated port forwards once the bridge behind it agreed and no other satellite has another
// root port in mind, or there is no bridge, or twice the forward delay has passed.
func (e *Engine) designatedRole(p *port) bool {
	looped := e.on(p.loopWhile)
	ready := (!e.on(p.fdWhile) || p.agreed && e.united() || p.operEdge || e.broken&ruleHandshake != 0) &&
		(!e.on(p.rrWhile) || !p.reRoot) && !p.sync && !looped
	switch {
	case !p.forward && !p.agreed && !p.proposing && !p.operEdge:
		p.proposing, p.newInfo = true, true
		p.edgeDelayWhile = e.now + e.edgeDelay(p)
	case !p.learn && !p.forward && !p.synced, p.agreed && !p.synced, p.operEdge && !p.synced, p.sync && p.synced:
		p.rrWhile, p.synced, p.sync = 0, true, false
	case !e.on(p.rrWhile) && p.reRoot:
		p.reRoot = false
	case (p.sync && !p.synced || p.reRoot && e.on(p.rrWhile) || p.disputed || looped) && !p.operEdge && (p.learn || p.forward):
		p.learn, p.forward, p.disputed = false, false, false
		p.fdWhile = e.now + e.rootTimes.delay
	case ready && !p.learn:
		p.learn = true
		p.fdWhile = e.now + e.rootTimes.delay
	case ready && !p.forward:
		p.forward, p.fdWhile = true, 0
		p.agreed = !p.stp
	default:
		return false
	}
	return true
}

// blockedRole: an alternate or backup port lets nothing through, so it agrees to whatever is proposed once our own
// ports are in sync; what the other satellites' ports do makes no loop through a port that is shut.
func (e *Engine) blockedRole(p *port) bool {
	switch {
	case p.proposed && !p.agree:
		e.setSync(false)
		p.proposed = false
	case p.role == Alternate && (e.allSynced(p) && !p.agree || p.proposed && p.agree):
		p.proposed, p.agree, p.newInfo = false, true, true
	case p.sync || p.reRoot || !p.synced || p.learn || p.forward:
		p.sync, p.reRoot, p.synced, p.learn, p.forward = false, false, true, false, false
	default:
		return false
	}
	return true
}

// setSync is setSyncTree of our own ports. Unlike the standard, afresh lets no earlier agreement count, though it
// was to a vector no better: the bridge that gave it may have found a better root port since, and be kept by its
// transmit limit from saying so.
func (e *Engine) setSync(afresh bool) {
	for _, p := range e.ports {
		p.sync = true
		if afresh && p.role == Designated && !p.operEdge {
			p.agreed, p.synced = false, false
		}
	}
}

// allSynced of our own ports, but p and the root port (17.20.3).
func (e *Engine) allSynced(p *port) bool {
	for _, o := range e.ports {
		if o != p && (!o.selected || o.updtInfo || o.role != o.selectedRole || o.role != Root && (o.sync || !o.synced)) {
			return false
		}
	}
	return true
}

// reRooted of our own ports (17.20.10).
func (e *Engine) reRooted(p *port) bool {
	for _, o := range e.ports {
		if o != p && e.on(o.rrWhile) {
			return false
		}
	}
	return true
}

// edgeDelay is how long a port must hear nothing from now on to count as a host's. A bridge that still believes in the id
// that we had says nothing on its root port, and takes nothing worse from us, until what it knows has aged.
func (e *Engine) edgeDelay(p *port) time.Duration {
	delay := max(e.cfg.EdgeDelay, e.renamed-e.now)
	if p.cfg.Shared {
		return max(delay, maxAge)
	}
	return delay
}
