package plane

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/path"
)

// mind is what a satellite's engine holds: it adopts one topology after the other, and tells its neighbours.
type mind struct {
	agreement *path.Agreement
	level     int             // of the topologies that all come by
	ready     bool            // its Repair is done
	heard     map[Port]uint64 // the serial that a neighbour told last
	said      map[Port]word
}

// word is an announcement over one cable.
type word struct {
	version path.Version
	ready   bool
	serial  uint64
	acked   uint64
}

// talk is a web whose engines learn of everything at different times. Words over a cable arrive in order, some time.
type talk struct {
	*web
	dice   *rand.Rand
	minds  []*mind
	levels [][]int // which cables each topology lacks
	tables [][]*path.Tables
	lines  map[Port][]word // by the port at which they arrive
	moved  frame.MAC
	to     int
}

func newTalk(t testing.TB, seed uint64, broken Broken) *talk {
	dice := rand.New(rand.NewPCG(seed, 5))
	n := 4 + dice.IntN(5)
	pairs := ring(n)
	for range dice.IntN(n) {
		if a, b := dice.IntN(n), dice.IntN(n); a != b {
			pairs = append(pairs, [2]int{a, b})
		}
	}
	k := &talk{web: weave(t, n, Config{Broken: broken}, pairs...), dice: dice, lines: map[Port][]word{}, moved: unknown, to: dice.IntN(n)}
	a, b := dice.IntN(len(pairs)), dice.IntN(len(pairs))
	k.levels = [][]int{nil, {a}, {a, b}, {b}, nil}
	for _, without := range k.levels {
		var all []*path.Tables
		for i := range n {
			all = append(all, k.web.tables(i, without...))
		}
		k.tables = append(k.tables, all)
	}
	from := dice.IntN(n)
	for i, p := range k.planes {
		m := &mind{agreement: path.NewAgreement(), heard: map[Port]uint64{}, said: map[Port]word{}, ready: true}
		k.minds = append(k.minds, m)
		p.Home(k.moved, id(from), k.now)
		m.agreement.Adopt(k.tables[0][i].Routes)
		m.agreement.Ready(k.tables[0][i].Repair)
		for _, port := range k.own(i) {
			far := k.far[port]
			m.agreement.Up(uint32(port), id(far.at), uint32(far.port))
		}
	}
	k.planes[k.to].LocalMAC(k.moved, other)
	k.planes[k.to].Home(k.moved, id(k.to), k.now)
	for i := range k.planes {
		k.act(i)
	}
	for k.deliver() {
	}
	return k
}

// own gives a satellite's ports with cables, in order.
func (k *talk) own(i int) (out []Port) {
	for _, c := range k.cables {
		if c.a == i {
			out = append(out, c.portA)
		} else if c.b == i {
			out = append(out, c.portB)
		}
	}
	return out
}

// act does what effects ask for: narrow, tell, follow. between is called while it is narrow.
func (k *talk) act(i int, between ...func()) {
	m, p := k.minds[i], k.planes[i]
	t := m.agreement.Tables()
	p.Narrow(&t)
	version, serial, ready := m.agreement.Announcement()
	for _, port := range k.own(i) {
		w := word{version, ready, serial, m.heard[port]}
		if m.said[port] != w {
			far := k.far[port].port
			m.said[port], k.lines[far] = w, append(k.lines[far], w)
		}
	}
	for _, f := range between {
		f()
	}
	p.Follow(&t)
	p.Renew(k.now)
}

// deliver brings one word to its hearer and tells whether there was one.
func (k *talk) deliver(between ...func()) bool {
	var waiting []Port
	for _, c := range k.cables {
		for _, port := range []Port{c.portA, c.portB} {
			if len(k.lines[port]) > 0 {
				waiting = append(waiting, port)
			}
		}
	}
	if len(waiting) == 0 {
		return false
	}
	port := waiting[k.dice.IntN(len(waiting))]
	w, i := k.lines[port][0], k.far[k.far[port].port].at
	k.lines[port] = k.lines[port][1:]
	k.minds[i].agreement.Heard(uint32(port), w.version, w.ready, w.acked)
	k.minds[i].heard[port] = w.serial
	k.act(i, between...)
	return true
}

// event is one thing that happens anywhere.
func (k *talk) event(between func()) {
	i := k.dice.IntN(len(k.planes))
	m := k.minds[i]
	k.now += 100 * time.Microsecond
	switch x := k.dice.IntN(12); {
	case x == 0 && m.level+1 < len(k.levels):
		m.level++
		m.ready = false
		m.agreement.Adopt(k.tables[m.level][i].Routes)
		k.act(i, between)
	case x == 1 && !m.ready:
		m.ready = true
		m.agreement.Ready(k.tables[m.level][i].Repair)
		k.act(i, between)
	case x == 3:
		c := k.cables[k.levels[2][k.dice.IntN(2)]]
		up := k.dice.IntN(4) == 0
		k.planes[c.a].Carrier(c.portA, up, k.now)
		k.planes[c.b].Carrier(c.portB, up, k.now)
	case x == 4 && k.dice.IntN(4) == 0:
		k.planes[i].Home(k.moved, id(k.to), k.now)
	default:
		k.deliver(between)
	}
}

// round sends a few frames between anybody and gives the first that goes round or comes twice.
func (k *talk) round() error {
	for range 4 {
		s, d := k.dice.IntN(len(k.planes)), k.dice.IntN(len(k.planes))
		port, from, to := guest, guestOf(s), guestOf(d)
		switch k.dice.IntN(4) {
		case 0:
			to = k.moved
		case 1:
			s, port, from = k.to, other, k.moved
		}
		if tr := k.send(s, port, plain(to, from, uint16(k.dice.Uint32()))); tr.loop != nil || len(tr.arrived) > 1 {
			return fmt.Errorf("%v to %v: %+v", from, to, tr)
		}
	}
	return nil
}

// run plays one schedule to its first fault.
func run(t testing.TB, seed uint64, broken Broken) (fault error) {
	k := newTalk(t, seed, broken)
	look := func() {
		if fault == nil {
			fault = k.round()
		}
	}
	for range 150 {
		k.event(look)
		look()
		if fault != nil {
			return fmt.Errorf("seed %d: %w", seed, fault)
		}
	}
	return nil
}

// Satellites hold different topologies, know different things of their neighbours and of a guest that has moved, and cables fail
// meanwhile. Nothing goes round, and nothing comes twice.
func TestUnderMixedVersionsNothingGoesRound(t *testing.T) {
	for seed := range uint64(120) {
		if err := run(t, seed, Broken{}); err != nil {
			t.Fatal(err)
		}
	}
}

// Each of these is needed: without it the same schedules find a frame that goes round. Package path has such a control for U1, with
// frames that begin anywhere. Of those that a satellite sends, the marks of F6b alone stopped all in thousands of schedules.
func TestEachRuleIsNeeded(t *testing.T) {
	for name, b := range map[string]Broken{"F1": {NoF1: true}, "F4": {NoF4: true}, "F6a": {NoF6a: true}, "F6b": {NoF6b: true}, "F7": {NoF7: true}} {
		found := false
		for seed := uint64(0); seed < 600 && !found; seed++ {
			if err := run(t, seed, b); err != nil {
				t.Logf("without %s: seed %d", name, seed)
				found = true
			}
		}
		if !found {
			t.Errorf("without %s nothing goes round", name)
		}
	}
}
