package sim

import (
	"decenter/net/frame"
	"decenter/net/rstp/legacy"
)

// legacySwitch is a switch of others: package legacy speaks for it; it learns and forwards here (802.1D-2004 7.7 to 7.9).
type legacySwitch struct {
	w       *world
	number  int
	proto   legacy.Switch
	ends    []int // by port, from 0
	learned map[frame.MAC]int
	flushes int
	passing uint64 // the ports that let frames through, as bits
}

func newSwitch(w *world, i int, spec SwitchSpec, ports int) *legacySwitch {
	s := &legacySwitch{w: w, number: i, learned: map[frame.MAC]int{}}
	var configs []legacy.PortConfig
	for e := range w.ends {
		if x := &w.ends[e]; x.kind == AtSwitch && x.node == i {
			s.ends = append(s.ends, e)
			configs = append(configs, legacy.PortConfig{ID: uint16(0x8000 + x.port), Cost: 20000, MAC: frame.MAC{2, 0, 0, 0x20, byte(i), byte(x.port)}})
		}
	}
	id := frame.MakeBridgeID(spec.Priority, frame.MAC{2, 0, 0, 0x20, byte(i), 0})
	if spec.Plain {
		s.proto = legacy.NewPlain(id, configs)
	} else {
		s.proto = legacy.NewRapid(id, configs)
	}
	return s
}

// sent puts on the cables what the protocol says, and forgets what it says to forget.
func (s *legacySwitch) sent() {
	for _, o := range s.proto.Take() {
		if x := &s.w.ends[s.ends[o.Port-1]]; !s.w.frozen {
			x.cable.carryRaw(x.side, o.Frame)
		}
	}
	passing := uint64(0)
	for port := 1; port <= len(s.ends); port++ {
		if s.proto.Forwards(port) {
			passing |= 1 << port
		}
	}
	if passing&^s.passing != 0 {
		s.w.checks.rapid = s.w.now
	}
	s.passing = passing
	if n := s.proto.Flushes(); n != s.flushes {
		s.flushes = n
		clear(s.learned)
	}
}

func (s *legacySwitch) link(port int, up bool) {
	s.proto.Link(port, up)
	s.sent()
}

func (s *legacySwitch) second() {
	s.proto.Second()
	s.sent()
}

// rawArrives takes a BPDU. Frames of satellites go to addresses that no bridge forwards.
func (s *legacySwitch) rawArrives(port int, b []byte) {
	if len(b) >= 6 && frame.MAC(b[:6]) == frame.BridgeGroup {
		s.proto.Input(port, b)
		s.sent()
	}
}

// forward passes a host's frame on.
func (s *legacySwitch) forward(in int, f *flight) {
	w := s.w
	if !s.proto.Forwards(in) {
		return
	}
	b := w.packets[f.packet].bytes(nil, f.form)
	source, to := frame.MAC(b[6:12]), frame.MAC(b[:6])
	if !source.IsGroup() {
		s.learned[source] = in
	}
	out, known := s.learned[to]
	for i, e := range s.ends {
		port := i + 1
		if port == in || known && port != out || !s.proto.Forwards(port) {
			continue
		}
		w.carry(e, *f)
	}
}
