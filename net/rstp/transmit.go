package rstp

import (
	"time"

	"decenter/net/frame"
)

// transmit is the port transmit machine (17.26): at most txHold messages a second.
func (e *Engine) transmit(p *port) {
	if !p.cfg.Up || !p.newInfo || !p.selected || p.updtInfo || p.txCount >= txHold {
		return
	}
	var m frame.BPDU
	switch {
	case !p.stp && p.role != Disabled:
		m = e.message(p)
		m.Kind, m.Version = frame.KindRST, 2
		m.Role = [...]frame.BPDURole{Root: frame.BPDURoot, Designated: frame.BPDUDesignated,
			Alternate: frame.BPDUBlocked, Backup: frame.BPDUBlocked}[p.role]
		m.Agreement, m.Proposal = p.agree && e.pointToPoint(p), p.proposing && p.role == Designated
		m.Learning, m.Forwarding = p.learn, p.forward
	case p.stp && p.role == Root:
		m.Kind = frame.KindTCN
	case p.stp && p.role == Designated:
		m = e.message(p)
		m.Kind, m.TopologyChangeAck = frame.KindConfig, p.tcAck
	default:
		p.newInfo = false
		return
	}
	if m.Kind == frame.KindTCN && !e.on(p.tcWhile) {
		p.newInfo = false
		return
	}
	if p.txCount == 0 {
		p.txDecay = e.now + time.Second
	}
	p.txCount++
	p.newInfo, p.tcAck = false, false
	e.sends = append(e.sends, Transmit{p.id, m.AppendFrame(nil, p.cfg.MAC)})
}

// message is the designated vector and times of a port (txRstp, txConfig).
func (e *Engine) message(p *port) frame.BPDU {
	v, t := p.designated, p.desTimes
	return frame.BPDU{Root: v.root, Cost: v.cost, Bridge: v.bridge, Port: v.port.id, TopologyChange: e.on(p.tcWhile),
		MessageAge: frame.TicksOf(t.age), MaxAge: frame.TicksOf(t.max), HelloTime: frame.TicksOf(t.hello),
		ForwardDelay: frame.TicksOf(t.delay)}
}
