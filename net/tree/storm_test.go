package tree

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"decenter/net/frame"
)

// storm is a schedule made to bring vectors up and down as often as may be: speeds, priorities and carriers change,
// engines stop for moments, and a third of all frames is lost or late.
func storm(seed uint64, broken rule, routers bool) (w *world, err error) {
	defer func() {
		if r := recover(); r != nil {
			l, ok := r.(looped)
			if !ok {
				panic(r)
			}
			err = l
		}
	}()
	r := rand.New(rand.NewPCG(seed, 2))
	n := 5 + r.IntN(5)
	w = newWorld(seed, n)
	for i := range n {
		w.connect(i, (i+1)%n, speeds[r.IntN(len(speeds))])
		if i%2 == 0 {
			w.connect(i, (i+2+r.IntN(n-3))%n, speeds[r.IntN(len(speeds))])
		}
	}
	w.cfg.Grace, w.cfg.EchoLost = 1, 30 // no patience; a lost echo is no event here
	w.loss, w.slow, w.broken, w.routers, w.sample = 0.2, 40*time.Millisecond, broken, routers, 3
	w.startAll()
	w.run(400 * time.Millisecond)
	for range 60 {
		n := w.nodes[w.rng.IntN(len(w.nodes))]
		c := w.cables[w.rng.IntN(len(w.cables))]
		switch w.rng.IntN(8) {
		case 0, 1, 2:
			c.mbps = speeds[w.rng.IntN(len(speeds))]
			c.set(w, c.carrier)
		case 3, 4:
			c.set(w, !c.carrier)
		case 5:
			n.freeze()
			w.after(w.chance(200*time.Millisecond), n.thaw)
		case 6, 7:
			if !n.frozen {
				prio := uint16(w.rng.IntN(3) * 0x4000)
				n.step(func() { n.core.SetPriority(prio, w.now) })
			}
		}
		w.run(w.chance(80 * time.Millisecond))
	}
	return w, nil
}

// In storms, as in the schedules, no loop appears.
func TestStormsDoNotLoop(t *testing.T) {
	for seed := range uint64(40) {
		if w, err := storm(seed, 0, false); err != nil {
			t.Fatalf("storm %d: %v\n%v", seed, err, w.log)
		}
	}
}

// All satellites of a ring are made to believe that the way to the root is clockwise. The order of vectors keeps
// one cable shut; once grants no longer ask for it, the checker sees the loop.
func TestWithoutOrderALoopForms(t *testing.T) {
	run := func(broken rule) (err error) {
		defer func() {
			if l, ok := recover().(looped); ok {
				err = l
			}
		}()
		w := settled(t, ring(1, 5))
		for i, n := range w.nodes {
			n.core.broken = broken
			next := w.nodes[(i+1)%5]
			n.step(func() {
				n.core.want = want{frame.Vector{Priority: 0xf000, Distance: 1, ID: n.id}, next.id, w.now}
			})
		}
		w.run(300 * time.Millisecond)
		return nil
	}
	if err := run(0); err != nil {
		t.Errorf("with the rule: %v", err)
	}
	var l looped
	if err := run(ruleOrder); !errors.As(err, &l) {
		t.Errorf("without the rule: %v, want a loop", err)
	}
}

// x claims y, and the frame is delayed; x thinks better of it and takes y for its child; y thinks better of
// that, and only now hears the old claim. Would both ends be down, an edge would be open that is nobody's way up.
func TestWithoutSeenBothEndsGoDown(t *testing.T) {
	run := func(broken rule) (both bool) {
		w := newWorld(1, 2)
		c := w.connect(0, 1, 1000)
		settled(t, w)
		x, y := w.nodes[0].core, w.nodes[1].core
		x.broken, y.broken = broken, broken
		px, py := x.ports[c.port], y.ports[c.bport]
		var held []byte
		deafX, deafY := false, false // who hears no Hello
		w.drop = func(b []byte) bool {
			if b[frame.OffType] != byte(frame.TypeHello) {
				return false
			}
			fromX := frame.MAC(b[6:12]) == portMAC(c.port)
			if m, err := frame.ParseHello(b[frame.OffBody:]); fromX && err == nil && m.Claim.Join {
				held = b
			}
			return fromX && deafY || !fromX && deafX
		}
		wants := func(n *node, parent frame.MAC) {
			v := frame.Vector{Priority: 1, ID: n.id}
			if !parent.IsZero() {
				v.Priority = 2 // a child is above every root
			}
			n.step(func() { n.core.want = want{v, parent, 0} })
			w.run(30 * time.Millisecond)
			both = both || px.gate == gateDown && py.gate == gateDown
		}
		wants(w.nodes[0], frame.MAC{})
		wants(w.nodes[1], frame.MAC{}) // nobody claims anything now
		deafY = true
		wants(w.nodes[0], y.cfg.ID) // held
		wants(w.nodes[0], frame.MAC{})
		wants(w.nodes[1], x.cfg.ID) // x hears it
		deafX = true
		wants(w.nodes[1], frame.MAC{})
		w.nodes[1].step(func() { y.Input(c.bport, held, w.now) })
		return both || px.gate == gateDown && py.gate == gateDown
	}
	if run(0) {
		t.Error("with the rule both ends are down")
	}
	if !run(ruleSeen) {
		t.Error("without the rule not both ends went down: the story proves nothing")
	}
}

// The one situation that the rule "a worsening closes first" is for: a loses its way to the root and takes d for
// its new parent, while d, whom late link state keeps in the dark, is still the child of a's own child c.
//
//	r ====== a ---- c        r-a is cut; a-d becomes fast; d-r is slow.
//	 \       \      |        d knows neither and stays below c.
//	  \....... d ----+
func TestWithoutClosingFirstALoopForms(t *testing.T) {
	run := func(broken rule) (err error) {
		defer func() {
			if l, ok := recover().(looped); ok {
				err = l
			}
		}()
		w := newWorld(1, 4)
		w.broken = broken
		for i := range w.nodes {
			w.nodes[i].id = frame.MAC{2, 0xde, 0xce, 0, 0, byte(i + 1)} // r is the root
		}
		ra := w.connect(0, 1, 10000)
		w.connect(1, 2, 10000)
		cd, ad, dr := w.connect(2, 3, 10000), w.connect(1, 3, 1000), w.connect(3, 0, 100)
		w.startAll()
		w.run(2 * time.Second)
		if err := w.spans(); err != nil {
			t.Fatal(err)
		}
		if d := w.nodes[3]; !d.gates[cd.bport] || d.gates[ad.bport] || d.gates[dr.port] {
			t.Fatalf("d is not below c: %v", d.gates)
		}
		cd.late[0], ad.late[0], dr.late[1] = true, true, true
		ad.mbps = 40000
		ad.set(w, true)
		w.run(time.Millisecond)
		ra.set(w, false)
		w.run(300 * time.Millisecond)
		cd.late[0], ad.late[0], dr.late[1] = false, false, false
		w.run(2 * time.Second)
		return w.spans()
	}
	if err := run(0); err != nil {
		t.Errorf("with the rule: %v", err)
	}
	var l looped
	// While a waits for what is under way, c hears that a left, so it takes both.
	if err := run(ruleClosing | ruleDrain); !errors.As(err, &l) {
		t.Errorf("without the rule: %v, want a loop", err)
	}
}
