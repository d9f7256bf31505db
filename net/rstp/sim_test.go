package rstp

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/rstp/legacy"
)

// The simulation: satellites, switches of others and LANs. A LAN is a cable or, with more than two ends, a hub.
// The inside of the constellation is taken for a perfect broadcast tree; what satellites tell one another of their
// edges is late.

const frameDelay = 200 * time.Microsecond

// end is one end of a LAN: port of a node. Nodes from 0 on are switches; sat(i) are satellites.
type end struct {
	node int
	port int
}

func sat(i int) int { return 1000 + i }

type occurrence struct {
	at  time.Duration
	seq int
	do  func()
}

type agenda []occurrence

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].seq < a[j].seq
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(occurrence)) }
func (a *agenda) Pop() any {
	x := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return x
}

type simSwitch struct {
	legacy.Switch
	name string
}

type simSat struct {
	e     *Engine
	state map[PortID]State
	told  frame.Edge
	views map[int]Member // by satellite
	dead  bool
	part  int           // satellites of one part reach one another
	lease time.Duration // while frozen: until when the data path forwards all the same
	timer time.Duration // the deadline asked for
	flush int
}

// part names what a part of the constellation is in islands.
type part int

type lan struct {
	name string
	ends []end
	up   bool
	busy map[end]time.Duration // until when frames are under way
}

type world struct {
	t        testing.TB
	rng      *rand.Rand
	now      time.Duration
	seq      int
	agenda   agenda
	switches []*simSwitch
	sats     []*simSat
	lans     []*lan
	at       map[end]*lan
	late     time.Duration // the longest that an Edge takes
	loss     float64       // of BPDUs
	trace    *strings.Builder
	stamps   map[[2]int]int // of the newest Edge, by hearer and teller
	numbered bool           // port ids are the ports' numbers, as in the published cases
	mbps     uint64

	loopSince time.Duration // -1: none
	loops     int           // through the constellation, or of any where there is none
	standIn   bool          // the first switch stands in for the constellation
	foreign   int           // steps with a loop of others alone
	longest   time.Duration
	firstLoop string
}

func newWorld(t testing.TB, seed uint64) *world {
	return &world{t: t, rng: rand.New(rand.NewPCG(seed, 1)), at: map[end]*lan{}, stamps: map[[2]int]int{}, mbps: 1000, late: 50 * time.Millisecond, loopSince: -1}
}

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.agenda, occurrence{w.now + d, w.seq, do})
}

func mac(kind, node, port int) frame.MAC {
	return frame.MAC{2, byte(kind), byte(node >> 8), byte(node), byte(port >> 8), byte(port)}
}

func bridgeID(priority, n int) frame.BridgeID {
	return frame.MakeBridgeID(uint16(priority), mac(1, n, 0))
}

// rapid and plain add a switch; each has as many ports as asked for.
func (w *world) rapid(id frame.BridgeID, ports int) int {
	return w.add(legacy.NewRapid(id, w.configs(ports)), "rstp")
}
func (w *world) plain(id frame.BridgeID, ports int) int {
	return w.add(legacy.NewPlain(id, w.configs(ports)), "stp")
}

func (w *world) configs(n int) []legacy.PortConfig {
	var all []legacy.PortConfig
	for i := range n {
		all = append(all, legacy.PortConfig{ID: uint16(0x8001 + i), Cost: 20000, MAC: mac(2, len(w.switches), i+1)})
	}
	return all
}

func (w *world) add(s legacy.Switch, kind string) int {
	n := len(w.switches)
	w.switches = append(w.switches, &simSwitch{s, fmt.Sprintf("%s%d", kind, n)})
	var second func()
	second = func() {
		s.Second()
		w.sent(n)
		w.after(time.Second, second)
	}
	w.after(time.Duration(w.rng.Int64N(int64(time.Second))), second)
	return n
}

// constellation makes m satellites of one bridge.
func (w *world) constellation(id frame.BridgeID, m int) {
	for i := range m {
		e := New(Config{ID: mac(3, i, 0), Bridge: id, Instance: w.rng.Uint64()}, w.now)
		w.sats = append(w.sats, &simSat{e: e, state: map[PortID]State{}, views: map[int]Member{}})
	}
	for i, s := range w.sats {
		for j, o := range w.sats {
			if i != j {
				s.views[j] = Member{Satellite: o.e.cfg.ID}
			}
		}
		s.e.Remote(s.members(), w.now)
	}
	for i := range w.sats {
		w.act(i)
	}
}

func (s *simSat) members() []Member {
	var all []Member
	for i := range 1000 {
		if m, ok := s.views[i]; ok {
			all = append(all, m)
		}
	}
	return all
}

// cable connects the ends by a LAN, which is up at once.
func (w *world) cable(name string, ends ...end) *lan {
	l := &lan{name: name, ends: ends, busy: map[end]time.Duration{}}
	w.lans = append(w.lans, l)
	for _, e := range ends {
		if w.at[e] != nil {
			w.t.Fatalf("port %v is cabled twice", e)
		}
		w.at[e] = l
	}
	w.setLAN(l, true)
	return l
}

func (w *world) setLAN(l *lan, up bool) {
	l.up = up
	if w.trace != nil {
		fmt.Fprintf(w.trace, "%v LAN %s up=%v\n", w.now, l.name, up)
	}
	for _, e := range l.ends {
		if e.node >= 1000 {
			s := w.sats[e.node-1000]
			if !s.dead {
				s.e.SetPort(PortID(e.port), Port{Up: up, Mbps: w.mbps, MAC: mac(4, e.node, e.port), Shared: len(l.ends) > 2}, w.now)
				if p := s.e.ports[PortID(e.port)]; w.numbered {
					p.num, p.reselect, p.selected = uint16(0x8000+e.port), true, false
					s.e.settle()
				}
				w.act(e.node - 1000)
			}
			continue
		}
		w.switches[e.node].Link(e.port, up)
		w.sent(e.node)
	}
	w.check()
}

func (w *world) sent(n int) {
	for _, o := range w.switches[n].Take() {
		w.transmit(end{n, o.Port}, o.Frame)
	}
	w.check()
}

func (w *world) transmit(from end, b []byte) {
	l := w.at[from]
	if l == nil || !l.up || w.loss > 0 && w.rng.Float64() < w.loss {
		return
	}
	if w.trace != nil {
		m, _, _ := frame.ParseBPDUFrame(b)
		fmt.Fprintf(w.trace, "%v %v -> %s k%d tc%v P%v r%d L%v F%v A%v root %v cost %d br %v port %x age %v\n", w.now, from, l.name, m.Kind, m.TopologyChange, m.Proposal, m.Role, m.Learning, m.Forwarding, m.Agreement, m.Root, m.Cost, m.Bridge, m.Port, m.MessageAge.Duration())
	}
	for _, e := range l.ends {
		if e == from {
			continue
		}
		// A cable overtakes nothing.
		at := max(w.now+frameDelay+time.Duration(w.rng.Int64N(int64(frameDelay))), l.busy[e]+1)
		l.busy[e] = at
		w.after(at-w.now, func() {
			if !l.up {
				return
			}
			if e.node >= 1000 {
				if s := w.sats[e.node-1000]; !s.dead {
					s.e.Input(PortID(e.port), b, w.now)
					w.act(e.node - 1000)
				}
				return
			}
			w.switches[e.node].Input(e.port, b)
			w.sent(e.node)
		})
	}
}

// act does what a satellite's engine says.
func (w *world) act(i int) {
	s := w.sats[i]
	f := s.e.Ready()
	for _, m := range append(f.Close, f.Open...) {
		if w.trace != nil {
			fmt.Fprintf(w.trace, "%v sat%d port %d %v\n", w.now, i, m.Port, m.State)
		}
		s.state[m.Port] = m.State
	}
	s.flush += len(f.Flush)
	if f.Edge != nil {
		if w.trace != nil {
			fmt.Fprintf(w.trace, "%v sat%d edge claim %v #%d sync %v %v cost %d; consent %v #%d %v\n", w.now, i, f.Edge.Claim.Valid, f.Edge.Claim.Number%1000, f.Edge.Claim.Sync, f.Edge.Claim.Root, f.Edge.Claim.Cost, f.Edge.Consent.Satellite, f.Edge.Consent.Number%1000, f.Edge.Consent.Synced)
		}
		s.told = *f.Edge
		w.flood(i, *f.Edge)
	}
	for _, t := range f.Send {
		w.transmit(end{sat(i), int(t.Port)}, t.Frame)
	}
	if n := s.e.Counters().Unsettled; n != 0 {
		w.t.Fatalf("satellite %d did not settle", i)
	}
	if f.Deadline != 0 && (s.timer <= w.now || f.Deadline < s.timer) {
		s.timer = f.Deadline
		w.after(f.Deadline-w.now, func() {
			if !s.dead && s.timer <= w.now {
				s.e.Tick(w.now)
				w.act(i)
			}
		})
	}
	w.check()
}

// flood tells the other satellites, each after its own delay, never an older Edge after a newer one.
func (w *world) flood(from int, e frame.Edge) {
	w.seq++
	stamp := w.seq
	for j, o := range w.sats {
		if j == from {
			continue
		}
		w.after(time.Duration(w.rng.Int64N(int64(w.late))), func() {
			if o.dead || w.sats[from].dead || o.part != w.sats[from].part || w.stamps[[2]int{j, from}] > stamp {
				return
			}
			w.stamps[[2]int{j, from}] = stamp
			o.views[from] = Member{w.sats[from].e.cfg.ID, true, e}
			o.e.Remote(o.members(), w.now)
			w.act(j)
		})
	}
}

// die takes a satellite away: its edges lose carrier, and the others stop naming it after a while.
func (w *world) die(i int) {
	s := w.sats[i]
	s.dead = true
	for p := range s.state {
		s.state[p] = Discarding
	}
	for _, l := range w.lans {
		if slices.ContainsFunc(l.ends, func(e end) bool { return e.node == sat(i) }) && len(l.ends) == 2 {
			w.setLAN(l, false)
		}
	}
	for j, o := range w.sats {
		if j != i && !o.dead {
			w.after(100*time.Millisecond+time.Duration(w.rng.Int64N(int64(w.late))), func() {
				delete(o.views, i)
				o.e.Remote(o.members(), w.now)
				w.act(j)
			})
		}
	}
}

// run lets time pass.
func (w *world) run(d time.Duration) {
	until := w.now + d
	for len(w.agenda) > 0 && w.agenda[0].at <= until {
		o := heap.Pop(&w.agenda).(occurrence)
		w.now = o.at
		o.do()
	}
	w.now = until
}

// divide puts satellites into parts: data goes no further at once, each hears of it a little later. The satellites
// of a part take the bridge id of that number.
func (w *world) divide(parts []int, ids map[int]frame.BridgeID) {
	for i, p := range parts {
		w.sats[i].part = p
	}
	w.check()
	for i := range w.sats {
		w.after(time.Duration(w.rng.Int64N(int64(w.late))), func() { w.belong(i, ids[parts[i]]) })
	}
}

// belong tells an engine its part's id and members.
func (w *world) belong(i int, id frame.BridgeID) {
	s := w.sats[i]
	s.e.SetBridge(id, w.now)
	for j, o := range w.sats {
		if j != i {
			delete(s.views, j)
			if o.part == s.part {
				s.views[j] = Member{Satellite: o.e.cfg.ID, Known: true, Edge: o.told}
			}
		}
	}
	s.e.Remote(s.members(), w.now)
	w.act(i)
}

// freeze stops a satellite's engine for a while. Its data path shuts the edges when their lease is over; the
// others name it no more a second later, until it speaks again. It hears nothing meanwhile.
func (w *world) freeze(i int, d time.Duration) {
	s := w.sats[i]
	s.dead, s.lease = true, w.now+3*time.Second
	name := func(known bool) {
		for j, o := range w.sats {
			if j != i && !o.dead {
				w.after(time.Duration(w.rng.Int64N(int64(w.late))), func() {
					delete(o.views, i)
					if known {
						o.views[i] = Member{Satellite: s.e.cfg.ID, Known: true, Edge: s.told}
					}
					o.e.Remote(o.members(), w.now)
					w.act(j)
				})
			}
		}
	}
	w.after(3*time.Second, w.check)
	w.after(4*time.Second, func() {
		if s.dead {
			name(false)
		}
	})
	w.after(d, func() {
		s.dead, s.lease = false, 0
		for p := range s.state { // what a link did meanwhile is heard first of all
			if l := w.at[end{sat(i), int(p)}]; l != nil && !l.up {
				s.e.SetPort(p, Port{MAC: mac(4, sat(i), int(p))}, w.now)
			}
		}
		s.e.Tick(w.now)
		w.act(i)
		name(true)
		for j, o := range w.sats {
			if j != i {
				s.views[j] = Member{Satellite: o.e.cfg.ID, Known: true, Edge: o.told}
			}
		}
		s.e.Remote(s.members(), w.now)
		w.act(i)
	})
}
