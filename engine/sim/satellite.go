package sim

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"decenter/net/frame"
	"decenter/net/tree"
)

// satellite is an engine, which may be dead or stopped, on a kernel, which lives as long as there is power.
type satellite struct {
	kernel
	w      *world
	number int
	id     frame.MAC
	ends   []int // where its cables are; an end's number plus one is the port's
	absent bool
	power  bool
	boot   int32         // counts those of the kernel
	skew   time.Duration // what its clock is ahead of the world's; it only grows

	core     *tree.Core // nil: the engine does not run
	lives    uint64
	frozen   bool
	inbox    []arrival
	disk     []byte        // the stored snapshot
	lazy     bool          // the core's present Snapshot is what is stored
	deadline time.Duration // of the satellite's clock
	armed    time.Duration // of the world's clock, for which a tick is queued; -1: none
	timer    int32
	held     *doing // Effects in which a stopped engine stopped

	half     int // the step before which the next Effects break off; -1: they do not
	halfWait time.Duration
	last     time.Duration // of the last call of Ready, of its clock
}

type arrival struct {
	end int
	b   []byte
}

const inboxLen = 200

func newSatellite(w *world, i int, absent bool) *satellite {
	id := frame.MAC{2, 0xde, 0xce, 0, 0, byte(w.s.Order[i] + 1)}
	binary.BigEndian.PutUint16(id[4:], uint16(w.s.Order[i]+1))
	return &satellite{w: w, number: i, id: id, absent: absent, armed: -1, half: -1,
		skew: time.Duration(rand.New(rand.NewPCG(w.s.Seed, 4000+uint64(i))).Int64N(int64(time.Hour)))}
}

// clock is the satellite's own.
func (s *satellite) clock() time.Duration { return s.w.now + s.skew }

func (s *satellite) runs() bool { return s.core != nil && !s.frozen }

// powerOn begins with a kernel that has all shut, and an engine that knows nothing.
func (s *satellite) powerOn() {
	if s.power || s.absent {
		return
	}
	s.power = true
	s.boot++
	s.bootKernel()
	s.neighbours()
	s.startEngine()
}

// powerOff takes all but the cables. The snapshot lies where it does not outlive the kernel.
func (s *satellite) powerOff() {
	if !s.power {
		return
	}
	s.stop()
	s.power, s.disk, s.lazy = false, nil, false
	s.boot++
	s.neighbours()
}

func (s *satellite) neighbours() {
	for _, e := range s.ends {
		s.w.ends[e].cable.carrier()
	}
}

// config is what the engine is started with.
func (s *satellite) config() tree.Config {
	w := s.w
	cfg := tree.Config{ID: s.id, Name: fmt.Sprint("s", s.number), Priority: 0x8000, Echo: w.s.Echo, Colours: w.s.Colours, Edges: true, Drain: w.o.Drain,
		Unauthenticated: w.auth == nil, Instance: rand.New(rand.NewPCG(w.s.Seed, 5000+uint64(s.number)<<20+s.lives)).Uint64()}
	if w.s.HoldShort {
		cfg.Hello, cfg.HoldEngine = 80*ms, 400*ms
	}
	if w.auth != nil {
		cfg.Auth = w.auth.of(s)
	}
	return cfg
}

// startEngine begins a new life of the engine, from the stored snapshot if there is one.
func (s *satellite) startEngine() {
	if s.core != nil || !s.power {
		return
	}
	s.lives++
	s.core = tree.New(s.config(), s.clock())
	s.deadline = 0
	if s.disk != nil {
		if err := s.core.Restore(s.disk, s.clock()); err != nil {
			panic(err) // a snapshot that a core made is one that it reads
		}
	}
	s.takeOver()
	s.step(func() { s.links(); s.local() })
}

// stop is kill -9: what is stored stays, and so does the kernel.
func (s *satellite) stop() {
	s.settleDisk()
	s.core, s.frozen, s.inbox, s.held, s.half = nil, false, nil, nil, -1
	s.timer++
	s.armed = -1
}

// settleDisk makes what counts as stored be stored.
func (s *satellite) settleDisk() {
	if s.lazy && s.core != nil {
		s.disk = s.core.Snapshot()
	}
	s.lazy = false
}

func (s *satellite) kill(keep bool) {
	if s.core == nil {
		return
	}
	s.stop()
	if !keep {
		s.disk = nil
	}
}

func (s *satellite) freeze() {
	if s.core != nil {
		s.frozen = true
	}
}

// thaw goes on where the engine stopped, and hands over what has come meanwhile before it ticks.
func (s *satellite) thaw() {
	if s.core == nil || !s.frozen {
		return
	}
	s.frozen = false
	d, inbox := s.held, s.inbox
	s.held, s.inbox = nil, nil
	if d != nil {
		s.apply(d)
	}
	if s.runs() {
		s.step(func() { s.links(); s.local() }) // hosts may have come and gone meanwhile
	}
	for _, a := range inbox {
		if s.runs() {
			s.input(a.end, a.b)
		}
	}
	if s.runs() {
		s.step(func() { s.core.Tick(s.clock()) })
	}
}

// links tells the core of all its ports: after any event all are looked at, since the kernel drops some.
func (s *satellite) links() {
	for _, e := range s.ends {
		x := &s.w.ends[e]
		p := tree.PortID(e + 1)
		s.core.Link(p, tree.Link{Name: fmt.Sprint("p", p), Up: x.up, Mbps: x.cable.mbps, MAC: portMAC(p), Changes: x.changes}, s.clock())
	}
}

func portMAC(p tree.PortID) frame.MAC { return frame.MAC{2, 0, 0, 0x10, byte(p >> 8), byte(p)} }

func (s *satellite) tellLinks() {
	if s.runs() {
		s.step(s.links)
	}
}

// local tells the core which hosts are here.
func (s *satellite) local() {
	var macs []frame.MAC
	for _, h := range s.w.hosts[s.w.s.Satellites:] {
		if h.sat == s.number && !h.away {
			macs = append(macs, h.mac)
		}
	}
	s.core.Local(macs, s.clock())
}

func (s *satellite) tellLocal() {
	s.localPorts()
	if s.runs() {
		s.step(s.local)
	}
}

func (s *satellite) setPriority(p uint16) {
	if s.runs() {
		s.step(func() { s.core.SetPriority(p, s.clock()) })
	}
}

func (s *satellite) input(e int, b []byte) {
	s.begin()
	s.core.Input(tree.PortID(e+1), b, s.clock())
	s.finish()
}

func (s *satellite) tick(timer int32) {
	if s.timer != timer {
		return
	}
	s.armed = -1
	if s.runs() {
		s.begin()
		s.core.Tick(s.clock())
		s.finish()
	}
}

// arm has the engine woken at a time of its own clock.
func (s *satellite) arm(deadline time.Duration) {
	s.deadline = deadline
	at := max(deadline-s.skew, s.w.now)
	if at == s.armed || s.core == nil {
		return
	}
	s.timer++
	s.armed = at
	s.w.q.push(event{at: at, kind: evTick, a: int32(s.number), ref: s.timer})
}
