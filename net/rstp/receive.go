package rstp

import (
	"time"

	"decenter/net/frame"
)

// Input takes a frame to frame.BridgeGroup that arrived on a port. It keeps no reference to b.
func (e *Engine) Input(id PortID, b []byte, now time.Duration) {
	e.pass(now)
	p := e.ports[id]
	if p == nil || !p.cfg.Up {
		e.counters.Stray++
		return
	}
	if e.now-p.rateAt >= time.Second {
		p.rate, p.rateAt = 0, e.now
	}
	if p.rate++; p.rate > MaxRate {
		e.counters.Excess++
		return
	}
	m, src, err := frame.ParseBPDUFrame(b)
	if err != nil {
		e.counters.Malformed++
		return
	}
	if e.own(p, &m, src) {
		e.settle()
		return
	}
	e.settle() // whatever was due comes first
	e.migration(p, &m)
	p.operEdge = false
	p.edgeDelayWhile = max(p.edgeDelayWhile, e.now+e.cfg.EdgeDelay)
	p.bpdu, p.rcvdMsg = m, true
	p.message = vector{m.Root, m.Cost, m.Bridge, portKey{id: m.Port}}
	if m.Kind != frame.KindTCN && m.Bridge.Address() == e.cfg.Bridge.Address() {
		p.message.port.mac = src
	}
	p.messageTimes = heardTimes(&m)
	e.settle()
}

// own sees to what comes from our own bridge, or tells of it, and tells whether it is of no further use. An id of
// our address with another priority is ours too, and so is that of any satellite: it comes from a satellite, or from a switch,
// that heard of the change sooner or later than we.
func (e *Engine) own(p *port, m *frame.BPDU, src frame.MAC) bool {
	if p.sender != src && !p.sender.IsZero() && e.on(p.senderAt+3*e.cfg.Hello) {
		p.sharedWhile = e.now + 3*e.cfg.Hello
	}
	p.sender, p.senderAt = src, e.now
	if m.Kind == frame.KindTCN {
		return src == p.cfg.MAC && e.looped(p)
	}
	ours := e.kin(m.Bridge.Address())
	if root := m.Root.Address(); e.kin(root) {
		m.Root = e.cfg.Bridge
		// What is behind the port serves us under another id, so it waits for no agreement of ours: the port is not to stay open.
		other := root != e.cfg.Bridge.Address()
		p.disputed = p.disputed || other && !ours && (m.Kind == frame.KindConfig || m.Role == frame.BPDUDesignated)
	}
	if !ours {
		return false
	}
	m.Bridge = e.cfg.Bridge
	if src == p.cfg.MAC && m.Port == p.num {
		return e.looped(p)
	}
	if e.broken&ruleSelf != 0 {
		return true
	}
	if !e.on(p.sharedWhile) && p.role != Backup {
		e.event(Event{Kind: OwnHeard, Port: p.id})
	}
	p.operEdge = false
	p.edgeDelayWhile = e.now + e.cfg.EdgeDelay
	p.sharedWhile = e.now + 3*e.cfg.Hello
	if m.Kind == frame.KindRST && m.Role != frame.BPDUDesignated && m.Role != frame.BPDUUnknown {
		e.counters.Own++ // a backup port of ours has nothing to agree to
		return true
	}
	return false
}

// looped shuts a port whose cable leads back to itself, for as long as that is heard.
func (e *Engine) looped(p *port) bool {
	if e.broken&ruleSelf != 0 {
		return true
	}
	if !e.on(p.loopWhile) {
		e.event(Event{Kind: PortLooped, Port: p.id})
	}
	e.counters.Own++
	p.operEdge = false
	p.edgeDelayWhile = e.now + e.cfg.EdgeDelay
	p.loopWhile = e.now + 3*e.cfg.Hello
	return true
}

// info is the port information machine (17.27): what the port knows, and from whom. It tells whether anything
// moved.
func (e *Engine) info(p *port) bool {
	switch {
	case !p.cfg.Up:
		if p.info == infoDisabled && !p.rcvdMsg {
			return false
		}
		p.rcvdMsg, p.proposing, p.proposed, p.agree, p.agreed = false, false, false, false, false
		p.rcvdInfoWhile, p.info = 0, infoDisabled
		p.operEdge, p.stp, p.txCount, p.loopWhile, p.sharedWhile = false, false, 0, 0, 0
		p.sender = frame.MAC{}
		p.mdelayWhile, p.newInfo = e.now+migrateTime, true
		p.reselect, p.selected = true, false
	case p.info == infoDisabled:
		p.info, p.reselect, p.selected = infoAged, true, false
		p.mdelayWhile, p.helloWhen = e.now+migrateTime, e.now+e.cfg.Hello
	case p.selected && p.updtInfo:
		p.proposing, p.proposed = false, false
		p.agreed = p.agreed && p.info == infoMine && p.designated.compare(p.priority) <= 0
		p.synced = p.synced && p.agreed
		p.priority, p.times = p.designated, p.desTimes
		p.updtInfo, p.info, p.newInfo = false, infoMine, true
	case p.info == infoReceived && !e.on(p.rcvdInfoWhile) && !p.updtInfo && !p.rcvdMsg:
		p.info, p.reselect, p.selected = infoAged, true, false
	case p.rcvdMsg && !p.updtInfo && p.info != infoAged:
		e.receive(p)
	default:
		return false
	}
	return true
}

// receive classifies a message (17.21.8) and takes from it what counts.
func (e *Engine) receive(p *port) {
	m := &p.bpdu
	p.rcvdMsg = false
	if m.Kind == frame.KindTCN {
		p.rcvdTcn = true
		return
	}
	byDesignated := m.Kind == frame.KindConfig || m.Role == frame.BPDUDesignated || m.Role == frame.BPDUUnknown
	diff := p.message.compare(p.priority)
	replaces := diff < 0 || diff != 0 && p.info == infoReceived && p.message.sameSender(p.priority)
	switch {
	case byDesignated && (replaces || diff == 0 && p.info == infoReceived && p.messageTimes != p.times):
		e.setFlags(p)
		p.agreed, p.proposing = false, false
		p.proposed = p.proposed || m.Kind == frame.KindRST && m.Proposal
		p.agree = p.agree && p.info == infoReceived && diff <= 0
		if diff != 0 || p.info != infoReceived {
			p.since = e.now
		}
		p.priority, p.times, p.info = p.message, p.messageTimes, infoReceived
		e.refresh(p)
		p.reselect, p.selected = true, false
	case byDesignated && diff == 0 && p.info == infoReceived:
		e.setFlags(p)
		p.proposed = p.proposed || m.Kind == frame.KindRST && m.Proposal
		e.refresh(p)
	case byDesignated && diff > 0:
		if m.Kind == frame.KindRST && m.Learning {
			p.disputed, p.agreed = true, false
		}
	case !byDesignated && diff >= 0:
		e.setFlags(p)
		p.agreed = m.Agreement && !p.stp && e.pointToPoint(p)
		p.proposing = p.proposing && !p.agreed
	}
}

// setFlags notes the topology change flags (setTcFlags).
func (e *Engine) setFlags(p *port) {
	p.rcvdTc = p.rcvdTc || p.bpdu.TopologyChange
	p.rcvdTcAck = p.rcvdTcAck || p.bpdu.TopologyChangeAck
}

// refresh says how long the message counts (updtRcvdInfoWhile): three hellos, unless it is too old already.
func (e *Engine) refresh(p *port) {
	p.rcvdInfoWhile = 0
	if p.times.age+time.Second <= p.times.max {
		p.rcvdInfoWhile = e.now + 3*p.times.hello
	}
}

// migration is the port protocol migration machine's receiving half (17.24): speak STP where STP is heard.
func (e *Engine) migration(p *port, m *frame.BPDU) {
	if e.on(p.mdelayWhile) {
		return
	}
	if rst := m.Kind == frame.KindRST; rst == p.stp {
		p.stp, p.mdelayWhile = !rst, e.now+migrateTime
		if p.stp {
			e.event(Event{Kind: Migrated, Port: p.id})
		}
	}
}

// migrate is the bridge detection machine (17.25): a port on which no bridge is heard is a host's.
func (e *Engine) migrate(p *port) {
	if p.cfg.Up && !p.operEdge && p.role == Designated && p.selectedRole == Designated && p.proposing && !p.stp &&
		!e.on(p.edgeDelayWhile) && !e.on(p.loopWhile) {
		p.operEdge = true
		e.event(Event{Kind: NotBridge, Port: p.id})
	}
}
