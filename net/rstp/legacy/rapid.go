package legacy

import "decenter/net/frame"

type prio struct {
	root   frame.BridgeID
	cost   uint32
	bridge frame.BridgeID
	port   uint16
}

func (a prio) cmp(b prio) int {
	switch {
	case a == b:
		return 0
	case a.root != b.root:
		return sign(a.root < b.root)
	case a.cost != b.cost:
		return sign(a.cost < b.cost)
	case a.bridge != b.bridge:
		return sign(a.bridge < b.bridge)
	}
	return sign(a.port < b.port)
}

func sign(less bool) int {
	if less {
		return -1
	}
	return 1
}

type clock struct{ age, max, hello, delay int } // seconds

// Rapid is an RSTP switch.
type Rapid struct {
	id    frame.BridgeID
	ports []*rapidPort
	best  prio
	at    int // root port's index, -1: root
	times clock
	out   []Out
	flush int
}

type rapidPort struct {
	PortConfig
	n                                       int
	up                                      bool
	info                                    byte // 'D'isabled, 'A'ged, 'M'ine, 'R'eceived
	prio, des                               prio
	times, desTimes                         clock
	role, want                              byte // '-', 'R', 'D', 'A', 'B'
	updt, resel                             bool
	agree, agreed, proposed, proposing      bool
	disputed, sync, synced, reroot          bool
	learn, forward, edge, newInfo, stp      bool
	tcAck, tcProp, rcvTc, rcvTcn, rcvTcAck  bool
	tc                                      byte // 'I', 'L', 'A'
	fd, rr, rb, rcv, tcw, mdelay, edgeDelay int
	hello, tx                               int
}

// NewRapid makes a switch whose ports have no carrier.
func NewRapid(id frame.BridgeID, ports []PortConfig) *Rapid {
	s := &Rapid{id: id, at: -1}
	for i, c := range ports {
		s.ports = append(s.ports, &rapidPort{PortConfig: c, n: i + 1, info: 'D', role: '-', want: '-', synced: true, tc: 'I', hello: 2})
	}
	s.run()
	return s
}

// Link implements Switch.
func (s *Rapid) Link(n int, up bool) {
	s.ports[n-1].up = up
	s.run()
}

// SetID changes the bridge's priority.
func (s *Rapid) SetID(id frame.BridgeID) {
	s.id = id
	for _, p := range s.ports {
		p.resel = true
	}
	s.run()
}

// SetPort changes a port's id and cost.
func (s *Rapid) SetPort(n int, id uint16, cost uint32) {
	p := s.ports[n-1]
	p.ID, p.Cost, p.resel = id, cost, true
	s.run()
}

// Take implements Switch.
func (s *Rapid) Take() []Out { o := s.out; s.out = nil; return o }

// Forwards implements Switch.
func (s *Rapid) Forwards(n int) bool { return s.ports[n-1].forward }

// Role implements Switch.
func (s *Rapid) Role(n int) string { return string(s.ports[n-1].role) }

// RootPath implements Switch.
func (s *Rapid) RootPath() (frame.BridgeID, uint32) { return s.best.root, s.best.cost }

// Flushes implements Switch.
func (s *Rapid) Flushes() int { return s.flush }

// Second implements Switch.
func (s *Rapid) Second() {
	for _, p := range s.ports {
		for _, t := range []*int{&p.fd, &p.rr, &p.rb, &p.rcv, &p.tcw, &p.mdelay, &p.edgeDelay, &p.hello, &p.tx} {
			if *t > 0 {
				*t--
			}
		}
	}
	s.run()
}

// Input implements Switch.
func (s *Rapid) Input(n int, b []byte) {
	p := s.ports[n-1]
	m, _, err := frame.ParseBPDUFrame(b)
	if err != nil || !p.up || m.Kind == frame.KindConfig && m.Bridge == s.id && m.Port == p.ID {
		return
	}
	s.run()
	if rst := m.Kind == frame.KindRST; p.mdelay == 0 && rst == p.stp {
		p.stp, p.mdelay = !rst, 3
	}
	p.edge, p.edgeDelay = false, 3
	s.hear(p, &m)
	s.run()
}

func secs(t frame.Ticks) int { return int(t) / 256 }

func (s *Rapid) hear(p *rapidPort, m *frame.BPDU) {
	if m.Kind == frame.KindTCN {
		p.rcvTcn = true
		return
	}
	rst := m.Kind == frame.KindRST
	v := prio{m.Root, m.Cost, m.Bridge, m.Port}
	t := clock{secs(m.MessageAge), secs(m.MaxAge), max(secs(m.HelloTime), 1), secs(m.ForwardDelay)}
	d := v.cmp(p.prio)
	same := m.Bridge.Address() == p.prio.bridge.Address() && m.Port&0xfff == p.prio.port&0xfff
	flags := func() {
		p.rcvTc = p.rcvTc || m.TopologyChange
		p.rcvTcAck = p.rcvTcAck || m.TopologyChangeAck
	}
	if !rst || m.Role == frame.BPDUDesignated || m.Role == frame.BPDUUnknown {
		switch {
		case d < 0 || d != 0 && same || d == 0 && t != p.times: // superior
			flags()
			p.agreed, p.proposing = false, false
			p.proposed = p.proposed || rst && m.Proposal
			p.agree = p.agree && p.info == 'R' && d <= 0
			p.prio, p.times, p.info, p.resel = v, t, 'R', true
			p.live()
		case d == 0 && p.info == 'R': // repeated
			flags()
			p.proposed = p.proposed || rst && m.Proposal
			p.live()
		case d > 0 && rst && m.Learning: // inferior
			p.disputed, p.agreed = true, false
		}
	} else if d >= 0 {
		flags()
		p.agreed = m.Agreement && !p.stp && !p.Shared
		p.proposing = p.proposing && !p.agreed
	}
}

func (p *rapidPort) live() {
	p.rcv = 0
	if p.times.age+1 <= p.times.max {
		p.rcv = 3 * p.times.hello
	}
}

// run lets every machine go until none moves.
func (s *Rapid) run() {
	for i := 0; i < 500; i++ {
		moved := false
		for _, p := range s.ports {
			moved = s.information(p) || moved
		}
		for _, p := range s.ports {
			if p.resel {
				s.selection()
				moved = true
				break
			}
		}
		for _, p := range s.ports {
			if p.updt || p.resel {
				moved = true
				continue
			}
			if !p.edge && p.up && p.role == 'D' && p.want == 'D' && p.proposing && !p.stp && p.edgeDelay == 0 {
				p.edge = true
			}
			moved = s.roles(p) || moved
			moved = s.change(p) || moved
		}
		if !moved {
			for _, p := range s.ports {
				s.send(p)
			}
			return
		}
	}
	panic("legacy: an RSTP switch does not come to rest")
}

func (s *Rapid) information(p *rapidPort) bool {
	switch {
	case !p.up && p.info != 'D':
		p.info, p.rcv, p.resel, p.edge, p.stp = 'D', 0, true, false, false
		p.agree, p.agreed, p.proposed, p.proposing = false, false, false, false
	case !p.up:
		return false
	case p.info == 'D':
		p.info, p.resel, p.mdelay, p.tx, p.newInfo = 'A', true, 3, 0, true
	case p.updt:
		p.proposing, p.proposed = false, false
		p.agreed = p.agreed && p.info == 'M' && p.des.cmp(p.prio) <= 0
		p.synced = p.synced && p.agreed
		p.prio, p.times, p.updt, p.info, p.newInfo = p.des, p.desTimes, false, 'M', true
	case p.info == 'R' && p.rcv == 0:
		p.info, p.resel = 'A', true
	default:
		return false
	}
	return true
}

func (s *Rapid) selection() {
	best, at, times := prio{root: s.id, bridge: s.id}, -1, clock{0, 20, 2, 15}
	for i, p := range s.ports {
		p.resel = false
		if p.info != 'R' || p.prio.bridge.Address() == s.id.Address() {
			continue
		}
		v := p.prio
		v.cost += p.Cost
		d := v.cmp(best)
		if d < 0 || d == 0 && at >= 0 && p.ID < s.ports[at].ID {
			best, at, times = v, i, p.times
			times.age++
		}
	}
	s.best, s.at, s.times = best, at, times
	for i, p := range s.ports {
		p.des, p.desTimes, p.updt = prio{best.root, best.cost, s.id, p.ID}, times, false
		p.desTimes.hello = 2
		switch {
		case p.info == 'D':
			p.want = '-'
		case p.info == 'A':
			p.want, p.updt = 'D', true
		case p.info == 'M':
			p.want, p.updt = 'D', p.prio != p.des || p.times != p.desTimes
		case i == at:
			p.want = 'R'
		case p.des.cmp(p.prio) < 0:
			p.want, p.updt = 'D', true
		case p.prio.bridge.Address() == s.id.Address():
			p.want = 'B'
		default:
			p.want = 'A'
		}
	}
}

func (s *Rapid) forwardDelay(p *rapidPort) int {
	if p.stp {
		return s.times.delay
	}
	return 2
}

func (s *Rapid) all(test func(*rapidPort) bool) bool {
	for _, p := range s.ports {
		if !test(p) {
			return false
		}
	}
	return true
}

func (s *Rapid) each(do func(*rapidPort)) {
	for _, p := range s.ports {
		do(p)
	}
}

func (s *Rapid) synced(but *rapidPort) bool {
	return s.all(func(p *rapidPort) bool {
		return p == but || p.role == p.want && (p.role == 'R' || p.synced && !p.sync)
	})
}

func (s *Rapid) roles(p *rapidPort) bool {
	if p.role != p.want {
		p.role = p.want
		switch p.role {
		case '-', 'A', 'B':
			p.learn, p.forward = false, false
		}
		return true
	}
	switch p.role {
	case '-':
		p.fd, p.synced, p.rr, p.sync, p.reroot = 20, true, 0, false, false
		return false
	case 'R':
		p.rr = s.times.delay
		return s.rootRole(p)
	case 'D':
		return s.designatedRole(p)
	}
	p.fd, p.rr = s.forwardDelay(p), 0
	if p.role == 'B' {
		p.rb = 4
	}
	switch {
	case p.proposed && !p.agree:
		s.each(func(o *rapidPort) { o.sync = true })
		p.proposed = false
	case s.synced(p) && !p.agree, p.proposed && p.agree:
		p.proposed, p.agree, p.newInfo = false, true, true
	case p.sync || p.reroot || !p.synced:
		p.sync, p.reroot, p.synced = false, false, true
	default:
		return false
	}
	return true
}

func (s *Rapid) rootRole(p *rapidPort) bool {
	rerooted := s.all(func(o *rapidPort) bool { return o == p || o.rr == 0 })
	ready := p.fd == 0 || rerooted && p.rb == 0
	switch {
	case p.proposed && !p.agree:
		s.each(func(o *rapidPort) { o.sync = true })
		p.proposed = false
	case s.synced(p) && !p.agree, p.proposed && p.agree:
		p.proposed, p.sync, p.agree, p.newInfo = false, false, true, true
	case !p.forward && p.rb == 0 && !p.reroot:
		s.each(func(o *rapidPort) { o.reroot = true })
	case p.forward && p.reroot:
		p.reroot = false
	case ready && !p.learn:
		p.learn, p.fd = true, s.forwardDelay(p)
	case ready && !p.forward:
		p.forward, p.fd = true, 0
	default:
		return false
	}
	return true
}

func (s *Rapid) designatedRole(p *rapidPort) bool {
	ready := (p.fd == 0 || p.agreed || p.edge) && (p.rr == 0 || !p.reroot) && !p.sync
	switch {
	case !p.forward && !p.agreed && !p.proposing && !p.edge:
		p.proposing, p.newInfo, p.edgeDelay = true, true, 3
		if p.Shared {
			p.edgeDelay = 20
		}
	case !p.learn && !p.forward && !p.synced, p.agreed && !p.synced, p.edge && !p.synced, p.sync && p.synced:
		p.rr, p.synced, p.sync = 0, true, false
	case p.rr == 0 && p.reroot:
		p.reroot = false
	case (p.sync && !p.synced || p.reroot && p.rr > 0 || p.disputed) && !p.edge && (p.learn || p.forward):
		p.learn, p.forward, p.disputed, p.fd = false, false, false, s.forwardDelay(p)
	case ready && !p.learn:
		p.learn, p.fd = true, s.forwardDelay(p)
	case ready && !p.forward:
		p.forward, p.fd, p.agreed = true, 0, !p.stp
	default:
		return false
	}
	return true
}

func (s *Rapid) change(p *rapidPort) bool {
	served := p.role == 'R' || p.role == 'D'
	start := func() {
		if p.tcw == 0 {
			p.tcw, p.newInfo = 3, true
			if p.stp {
				p.tcw = s.times.max + s.times.delay
			}
		}
	}
	spread := func() {
		s.each(func(o *rapidPort) { o.tcProp = o.tcProp || o != p })
	}
	switch {
	case p.tc == 'I' && p.learn:
		p.tc = 'L'
		p.rcvTc, p.rcvTcn, p.rcvTcAck, p.tcProp = false, false, false, false
	case p.tc == 'I':
		return false
	case p.tc == 'L' && served && p.forward && !p.edge:
		start()
		spread()
		p.newInfo, p.tc = true, 'A'
	case p.tc == 'L' && !served && !p.learn:
		p.tc, p.tcw, p.tcAck = 'I', 0, false
		s.flush++
	case p.tc == 'L':
		p.rcvTc, p.rcvTcn, p.rcvTcAck, p.tcProp = false, false, false, false
		return false
	case !served || p.edge:
		p.tc = 'L'
	case p.rcvTcn:
		start()
		p.tcAck = p.role == 'D'
		p.rcvTcn, p.rcvTc = false, false
		spread()
	case p.rcvTc:
		p.rcvTc = false
		spread()
	case p.tcProp:
		start()
		s.flush++
		p.tcProp = false
	case p.rcvTcAck:
		p.tcw, p.rcvTcAck = 0, false
	default:
		return false
	}
	return true
}

func (s *Rapid) send(p *rapidPort) {
	if p.hello == 0 {
		p.hello = 2
		p.newInfo = p.newInfo || p.role == 'D' || p.role == 'R' && p.tcw > 0
	}
	if !p.newInfo || p.tx >= 6 || p.role == '-' {
		return
	}
	p.newInfo = false
	t := func(s int) frame.Ticks { return frame.Ticks(s * 256) }
	m := frame.BPDU{Kind: frame.KindRST, TopologyChange: p.tcw > 0, Root: p.des.root, Cost: p.des.cost, Bridge: p.des.bridge,
		Port: p.des.port, MessageAge: t(p.desTimes.age), MaxAge: t(p.desTimes.max), HelloTime: t(p.desTimes.hello),
		ForwardDelay: t(p.desTimes.delay)}
	switch {
	case !p.stp:
		m.Role = map[byte]frame.BPDURole{'R': frame.BPDURoot, 'D': frame.BPDUDesignated, 'A': frame.BPDUBlocked, 'B': frame.BPDUBlocked}[p.role]
		m.Proposal, m.Agreement = p.proposing && p.role == 'D', p.agree
		m.Learning, m.Forwarding = p.learn, p.forward
	case p.role == 'R' && p.tcw > 0:
		m = frame.BPDU{Kind: frame.KindTCN}
	case p.role == 'D':
		m.Kind, m.TopologyChangeAck = frame.KindConfig, p.tcAck
	default:
		return
	}
	p.tcAck = false
	p.tx++
	s.out = append(s.out, Out{p.n, m.AppendFrame(nil, p.MAC)})
}
