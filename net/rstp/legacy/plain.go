package legacy

import "decenter/net/frame"

// Plain is an STP switch.
type Plain struct {
	id    frame.BridgeID
	ports []*plainPort
	root  prio // root, cost
	at    int  // root port's index, -1: root
	times clock

	hello, tcn, tc     int // timers that count down; 0: stopped
	changing, detected bool
	out                []Out
	flush              int
}

type plainPort struct {
	PortConfig
	n       int
	up      bool
	state   byte // '-', 'B'locking, 'L'istening, 'l'earning, 'F'orwarding
	des     prio // what the designated port of this LAN says
	age     int  // message age; counted up
	aging   bool
	delay   int // forward delay timer
	hold    int
	pending bool
	ack     bool
}

// NewPlain makes a switch whose ports have no carrier.
func NewPlain(id frame.BridgeID, ports []PortConfig) *Plain {
	s := &Plain{id: id, at: -1, times: clock{0, 20, 2, 15}, hello: 2}
	s.root = prio{root: id, bridge: id}
	for i, c := range ports {
		s.ports = append(s.ports, &plainPort{PortConfig: c, n: i + 1, state: '-'})
	}
	return s
}

// Take implements Switch.
func (s *Plain) Take() []Out { o := s.out; s.out = nil; return o }

// Forwards implements Switch.
func (s *Plain) Forwards(n int) bool { return s.ports[n-1].state == 'F' }

// RootPath implements Switch.
func (s *Plain) RootPath() (frame.BridgeID, uint32) { return s.root.root, s.root.cost }

// Flushes implements Switch.
func (s *Plain) Flushes() int { return s.flush }

// Role implements Switch.
func (s *Plain) Role(n int) string {
	p := s.ports[n-1]
	switch {
	case p.state == '-':
		return "-"
	case s.at == n-1:
		return "R"
	case s.designated(p):
		return "D"
	}
	return "A"
}

func (s *Plain) mine(p *plainPort) prio { return prio{s.root.root, s.root.cost, s.id, p.ID} }

func (s *Plain) designated(p *plainPort) bool { return p.des.bridge == s.id && p.des.port == p.ID }

// Link implements Switch.
func (s *Plain) Link(n int, up bool) {
	p := s.ports[n-1]
	if up == p.up {
		return
	}
	p.up = up
	wasRoot := s.at < 0
	p.aging, p.pending, p.delay, p.ack = false, false, 0, false
	if up {
		p.des, p.state = s.mine(p), 'B'
	} else {
		if p.state == 'F' || p.state == 'l' {
			s.changed()
		}
		p.state = '-'
	}
	s.update(wasRoot)
	if up && s.at < 0 {
		s.config(p)
	}
}

// update elects root and designated ports and moves the states.
func (s *Plain) update(wasRoot bool) {
	s.root, s.at = prio{root: s.id, bridge: s.id}, -1
	for i, p := range s.ports {
		if p.state == '-' || s.designated(p) || p.des.root >= s.id {
			continue
		}
		v := p.des
		v.cost += p.Cost
		if d := v.cmp(s.root); d < 0 || d == 0 && s.at >= 0 && p.ID < s.ports[s.at].ID {
			s.root, s.at = v, i
		}
	}
	for i, p := range s.ports {
		if p.state != '-' && i != s.at && (s.designated(p) || s.mine(p).cmp(p.des) < 0 || p.des.bridge == s.id && p.ID <= p.des.port) {
			p.des = s.mine(p)
		}
	}
	for i, p := range s.ports {
		switch {
		case p.state == '-':
		case i == s.at:
			p.pending, p.ack = false, false
			s.open(p)
		case s.designated(p):
			p.aging = false
			s.open(p)
		default:
			p.pending, p.ack = false, false
			if p.state == 'F' || p.state == 'l' {
				s.changed()
			}
			p.state, p.delay = 'B', 0
		}
	}
	if s.at < 0 && !wasRoot {
		s.times, s.hello, s.tcn = clock{0, 20, 2, 15}, 2, 0
		s.changed()
		s.configs()
	}
	if s.at >= 0 && wasRoot {
		s.hello = 0
		if s.detected {
			s.tc, s.tcn = 0, 2
			s.tcnOut()
		}
	}
}

func (s *Plain) open(p *plainPort) {
	if p.state == 'B' {
		p.state, p.delay = 'L', s.times.delay
	}
}

// changed is topology change detection.
func (s *Plain) changed() {
	if s.at < 0 {
		s.changing, s.tc = true, s.times.max+s.times.delay
	} else if !s.detected {
		s.tcnOut()
		s.tcn = 2
	}
	s.detected = true
	s.flush++
}

func (s *Plain) tcnOut() {
	if s.at >= 0 {
		m := frame.BPDU{Kind: frame.KindTCN}
		s.out = append(s.out, Out{s.at + 1, m.AppendFrame(nil, s.ports[s.at].MAC)})
	}
}

func (s *Plain) configs() {
	for _, p := range s.ports {
		if p.state != '-' && s.designated(p) {
			s.config(p)
		}
	}
}

func (s *Plain) config(p *plainPort) {
	if p.hold > 0 {
		p.pending = true
		return
	}
	age := 0
	if s.at >= 0 {
		age = s.ports[s.at].age + 1
	}
	if age >= s.times.max {
		return
	}
	t := func(s int) frame.Ticks { return frame.Ticks(s * 256) }
	m := frame.BPDU{Kind: frame.KindConfig, TopologyChange: s.changing, TopologyChangeAck: p.ack, Root: s.root.root, Cost: s.root.cost,
		Bridge: s.id, Port: p.ID, MessageAge: t(age), MaxAge: t(s.times.max), HelloTime: t(s.times.hello), ForwardDelay: t(s.times.delay)}
	p.ack, p.pending, p.hold = false, false, 1
	s.out = append(s.out, Out{p.n, m.AppendFrame(nil, p.MAC)})
}

// Input implements Switch.
func (s *Plain) Input(n int, b []byte) {
	p := s.ports[n-1]
	m, _, err := frame.ParseBPDUFrame(b)
	switch {
	case err != nil || p.state == '-' || m.Kind == frame.KindRST:
		return
	case m.Kind == frame.KindTCN:
		if s.designated(p) {
			s.changed()
			p.ack = true
			s.config(p)
		}
		return
	}
	v := prio{m.Root, m.Cost, m.Bridge, m.Port}
	if d := v.cmp(p.des); d < 0 || d == 0 && m.Bridge != s.id || m.Bridge == p.des.bridge && m.Port == p.des.port && m.Bridge != s.id {
		wasRoot := s.at < 0
		p.des, p.age, p.aging = v, secs(m.MessageAge), true
		s.update(wasRoot)
		if n-1 == s.at {
			s.times = clock{0, secs(m.MaxAge), secs(m.HelloTime), secs(m.ForwardDelay)}
			s.changing = m.TopologyChange
			if s.changing {
				s.flush++
			}
			s.configs()
			if m.TopologyChangeAck {
				s.detected, s.tcn = false, 0
			}
		}
		return
	}
	if s.designated(p) {
		s.config(p)
	}
}

// Second implements Switch.
func (s *Plain) Second() {
	if s.at < 0 {
		if s.hello--; s.hello <= 0 {
			s.hello = s.times.hello
			s.configs()
		}
	}
	if s.tcn > 0 {
		if s.tcn--; s.tcn == 0 && s.at >= 0 {
			s.tcn = 2
			s.tcnOut()
		}
	}
	if s.tc > 0 {
		if s.tc--; s.tc == 0 {
			s.changing, s.detected = false, false
		}
	}
	for _, p := range s.ports {
		if p.aging {
			if p.age++; p.age >= s.times.max {
				wasRoot := s.at < 0
				p.aging, p.des = false, s.mine(p)
				s.update(wasRoot)
			}
		}
		if p.delay > 0 {
			if p.delay--; p.delay == 0 {
				s.advance(p)
			}
		}
		if p.hold > 0 {
			if p.hold--; p.hold == 0 && p.pending {
				s.config(p)
			}
		}
	}
}

func (s *Plain) advance(p *plainPort) {
	switch p.state {
	case 'L':
		p.state, p.delay = 'l', s.times.delay
	case 'l':
		p.state = 'F'
		s.changed()
	}
}
