package sim

import (
	"math/rand/v2"
	"time"

	"decenter/net/frame"
)

// world is a Schedule that lives.
type world struct {
	s   *Schedule
	o   Options
	now time.Duration
	q   queue

	sats     []*satellite
	switches []*legacySwitch
	hosts    []host
	cables   []*cable
	ends     []end

	packets []packet
	raws    raws
	checks  checks
	auth    *auth
	log     *journal
	Totals  Totals
	frozen  bool // no engine's frame moves, and no engine acts
}

// end is where a cable and a node meet. A satellite's port has the number of its end plus one; so it names both.
type end struct {
	cable *cable
	side  int // among the cable's ends
	kind  NodeKind
	node  int
	port  int // a switch's own number of the port, from 1
	up    bool

	changes uint32 // of carrier, from 1: what the kernel counts
}

// host is what sends and takes frames: a satellite's own, a VM, or one on a cable.
type host struct {
	mac  frame.MAC
	sat  int // where it is; -1: at a cable
	end  int // with sat -1
	gone bool
	away bool // a VM that stands still while it is moved
}

// newWorld builds what the schedule says; nothing runs yet.
func newWorld(s *Schedule, o Options) *world {
	w := &world{s: s, o: o}
	if o.Journal {
		w.log = &journal{}
	}
	absent := make([]bool, s.Satellites)
	for _, i := range s.Absent {
		absent[i] = true
	}
	for i := range s.Satellites {
		w.sats = append(w.sats, newSatellite(w, i, absent[i]))
		w.hosts = append(w.hosts, host{mac: w.sats[i].id, sat: i, gone: absent[i]})
	}
	for i, h := range s.Hosts {
		w.hosts = append(w.hosts, host{mac: frame.MAC{2, 0, 0, 0x40, 0, byte(i + 1)}, sat: h.Satellite, gone: h.Satellite >= 0 && absent[h.Satellite]})
	}
	ports := make([]int, len(s.Switches))
	for i, c := range s.Cables {
		w.plug(i, c, absent, ports)
	}
	for i, sw := range s.Switches {
		w.switches = append(w.switches, newSwitch(w, i, sw, ports[i]))
	}
	if s.Auth {
		w.auth = newAuth(w)
	}
	w.checks.init(w)
	return w
}

// plug cables ends together. A satellite that is absent takes its cables with it.
func (w *world) plug(i int, spec CableSpec, absent []bool, ports []int) {
	c := &cable{w: w, number: i, mbps: spec.Mbps, fabric: spec.fabric(), speed: spec.Mbps}
	c.dice.Seed(w.s.Seed, 1000+uint64(i))
	w.cables = append(w.cables, c)
	for _, e := range spec.Ends { // none: Shrink took the cable away
		c.gone = c.gone || e.Kind == AtSatellite && absent[e.Node]
	}
	for side, e := range spec.Ends {
		x := end{cable: c, side: side, kind: e.Kind, node: e.Node, changes: 1}
		c.ends = append(c.ends, int32(len(w.ends)))
		c.mute, c.dark, c.free = append(c.mute, false), append(c.dark, false), append(c.free, 0)
		switch e.Kind {
		case AtSatellite:
			if !c.gone {
				w.sats[e.Node].ends = append(w.sats[e.Node].ends, len(w.ends))
			}
		case AtSwitch:
			ports[e.Node]++
			x.port = ports[e.Node]
		case AtHost:
			w.hosts[e.Node].end = len(w.ends)
			w.hosts[e.Node].gone = c.gone
		}
		w.ends = append(w.ends, x)
	}
}

// start lets all begin.
func (w *world) start() {
	for i, a := range w.s.Actions {
		w.q.push(event{at: a.At, kind: evAction, a: int32(i)})
	}
	for _, c := range w.cables {
		c.carrier()
	}
	for i := range w.switches {
		w.q.push(event{at: time.Duration(rand.New(rand.NewPCG(w.s.Seed, 7000+uint64(i))).Int64N(int64(time.Second))), kind: evSecond, a: int32(i)})
	}
	for _, s := range w.sats {
		s.powerOn()
	}
}

// run lets virtual time pass, or stops at the first failure.
func (w *world) run(until time.Duration) {
	for len(w.q.heap) > 0 && w.q.heap[0].at <= until && w.checks.failure == nil {
		e := w.q.pop()
		w.now = e.at
		w.Totals.Events++
		w.happen(&e)
	}
	w.now = max(w.now, until)
}

func (w *world) happen(e *event) {
	switch e.kind {
	case evData:
		w.dataArrives(e)
	case evRaw:
		w.rawArrives(e)
	case evTick:
		w.sats[e.a].tick(e.ref)
	case evLinks:
		if s := w.sats[e.a]; s.boot == e.ref {
			s.tellLinks()
		}
	case evSecond:
		w.switches[e.a].second()
		w.q.push(event{at: w.now + time.Second, kind: evSecond, a: e.a})
	case evThaw:
		w.sats[e.a].thaw()
	case evStart:
		w.sats[e.a].startEngine()
	case evLearned:
		if s := w.sats[e.a]; s.boot == e.ref {
			s.tellLearned()
		}
	case evArrive:
		h := &w.hosts[e.a]
		h.away = false
		w.sats[h.sat].tellLocal()
	case evAction:
		w.act(int(e.a))
	}
}

// act does what an Action says.
func (w *world) act(index int) {
	a := &w.s.Actions[index]
	if a.Do != Send {
		w.Totals.Faults++
		w.log.add(w.now, "%v", a)
	}
	var s *satellite
	if a.Satellite < len(w.sats) && !w.sats[a.Satellite].absent {
		s = w.sats[a.Satellite]
	}
	switch a.Do {
	case Cut, Mend, Dark, Mute, Silence, Lossy, Speed:
		w.cables[a.Cable].act(a)
		return
	case Send:
		if n := w.inject(a.Host, a.To, a.Value%8, a.Value/8); n >= 0 {
			w.packets[n].action = int32(index)
		}
		return
	case Move:
		if s != nil {
			w.move(a.Host, a.Satellite)
		}
		return
	}
	if s == nil {
		return
	}
	switch a.Do {
	case Kill:
		s.kill(a.Value == 0)
	case Start:
		s.startEngine()
	case Freeze:
		s.freeze()
	case Thaw:
		s.thaw()
	case Half:
		s.half, s.halfWait = a.Value, a.Wait
	case PowerOff:
		s.powerOff()
	case PowerOn:
		s.powerOn()
	case Jump:
		s.skew += a.Wait
		s.armed = -1
		s.arm(s.deadline)
	case Priority:
		s.setPriority(uint16(a.Value))
	}
}

// standstill is how long a VM runs nowhere when it is moved: longer than frames are under way that its old place got too.
const standstill = 10 * ms

// move takes a VM from its satellite; it goes on at another one a little later.
func (w *world) move(i, to int) {
	h := &w.hosts[i]
	if h.sat < 0 || h.sat == to || h.gone || h.away {
		return
	}
	from := w.sats[h.sat]
	h.sat, h.away = to, true
	from.tellLocal()
	w.q.push(event{at: w.now + standstill, kind: evArrive, a: int32(i)})
}
