package rstp

import "time"

// topology is the topology change machine (17.31): addresses behind ports that are no host's may be anywhere after
// a port began to forward. It tells whether anything moved.
func (e *Engine) topology(p *port) bool {
	active := (p.role == Root || p.role == Designated) && p.forward && !p.operEdge
	switch p.tc {
	case tcInactive:
		if !p.learn {
			return false
		}
		p.tc = tcLearning
		p.rcvdTc, p.rcvdTcn, p.rcvdTcAck, p.tcProp = false, false, false, false
	case tcLearning:
		switch {
		case active:
			e.newTcWhile(p)
			e.changed(p)
			p.newInfo, p.tc = true, tcActive
		case p.role != Root && p.role != Designated && !p.learn || p.role == Disabled:
			p.tc, p.tcWhile, p.tcAck = tcInactive, 0, false
			e.flush(p)
		case p.rcvdTc || p.rcvdTcn || p.rcvdTcAck || p.tcProp:
			p.rcvdTc, p.rcvdTcn, p.rcvdTcAck, p.tcProp = false, false, false, false
		default:
			return false
		}
	case tcActive:
		return e.activeTopology(p)
	}
	return true
}

func (e *Engine) activeTopology(p *port) bool {
	switch {
	case p.role != Root && p.role != Designated || p.operEdge:
		p.tc = tcLearning
	case p.rcvdTcn:
		e.newTcWhile(p)
		p.tcAck = p.role == Designated
		p.rcvdTcn, p.rcvdTc = false, false
		e.changed(p)
	case p.rcvdTc:
		p.tcAck = p.tcAck && p.role == Designated
		p.rcvdTc = false
		e.changed(p)
	case p.tcProp:
		e.newTcWhile(p)
		e.flush(p)
		p.tcProp = false
	case p.rcvdTcAck:
		p.tcWhile, p.rcvdTcAck = 0, false
	default:
		return false
	}
	return true
}

// newTcWhile begins to tell the neighbour (17.21.7).
func (e *Engine) newTcWhile(p *port) {
	if e.on(p.tcWhile) {
		return
	}
	p.newInfo = true
	if p.stp {
		p.tcWhile = e.now + e.rootTimes.max + e.rootTimes.delay
	} else {
		p.tcWhile = e.now + e.cfg.Hello + time.Second
	}
}

// changed is setTcPropTree: every other port, of every satellite.
func (e *Engine) changed(from *port) {
	for _, p := range e.ports {
		if p != from && !p.operEdge {
			p.tcProp = true
		}
	}
	e.changeDue = true
	e.tellChange()
}

// tellChange tells the other satellites, at most once in changeGap.
func (e *Engine) tellChange() {
	if e.changeDue && !e.on(e.changeAt) {
		e.edge.Changes++
		e.changeDue, e.changeAt = false, e.now+changeGap
	}
}

func (e *Engine) flush(p *port) { e.flushes[p.id] = true }
