package rstp

import (
	"testing"
	"time"

	"decenter/net/frame"
)

// one makes a constellation of m satellites that is root, in a world where nothing is late by more than 50 ms.
func one(t testing.TB, priority, m int) *world {
	w := newWorld(t, 11)
	w.constellation(bridgeID(priority, 500), m)
	return w
}

func (w *world) status(i int, port PortID) PortStatus {
	for _, p := range w.sats[i].e.Ports() {
		if p.Port == port {
			return p
		}
	}
	w.t.Fatalf("satellite %d has no port %d", i, port)
	return PortStatus{}
}

// until runs the world until ok holds, and tells how long that took.
func (w *world) until(limit time.Duration, ok func() bool) time.Duration {
	began := w.now
	for w.now < began+limit {
		if ok() {
			return w.now - began
		}
		w.run(time.Millisecond)
	}
	w.t.Errorf("not within %v\n%s", limit, w.picture())
	return limit
}

// A host says no BPDUs: after the standard's three seconds its port forwards; one that is known to be a host's
// does at once.
func TestAPortWithAHostBehindIt(t *testing.T) {
	w := one(t, 0x4000, 1)
	w.cable("unknown", end{sat(0), 1})
	took := w.until(10*time.Second, func() bool { return w.forwards(end{sat(0), 1}) })
	if took < 2900*time.Millisecond || took > 3100*time.Millisecond {
		t.Errorf("after %v", took)
	}
	e := New(Config{ID: mac(3, 9, 0), Bridge: bridgeID(0x4000, 500)}, 0)
	e.SetPort(1, Port{Up: true, MAC: mac(4, 9, 1), Host: true}, 0)
	if f := e.Ready(); len(f.Open) != 1 || f.Open[0] != (Move{1, Forwarding}) {
		t.Errorf("known: %+v", f.Open)
	}
}

// A bridge behind a host's port ends its being one, at the first BPDU, before anything loops.
func TestAHostTurnsOutToBeABridge(t *testing.T) {
	w := one(t, 0x4000, 2)
	w.rapid(bridgeID(0x8000, 1), 2)
	w.cable("a", end{sat(0), 1}, end{0, 1})
	w.run(5 * time.Second)
	w.cable("b", end{sat(1), 1}, end{0, 2})
	w.run(5 * time.Second)
	if w.status(0, 1).Host || w.status(1, 1).Host || w.loops > 0 || w.forwards(end{0, 1}) == w.forwards(end{0, 2}) {
		t.Errorf("%d loops\n%s", w.loops, w.picture())
	}
}

// A cable between two edges of the constellation is no way to anywhere: one end, and always the same, blocks. It
// does not matter whether they are one satellite's, nor whether they happen to have the same port id.
func TestACableFromOurselvesToOurselves(t *testing.T) {
	for name, c := range map[string]struct{ a, b end }{
		"one satellite":  {end{sat(0), 1}, end{sat(0), 2}},
		"two satellites": {end{sat(0), 1}, end{sat(1), 1}},
		"same port id":   {end{sat(0), 7}, end{sat(1), 7}},
	} {
		w := one(t, 0x4000, 2)
		w.numbered = name == "same port id"
		w.cable("patch", c.a, c.b)
		w.run(60 * time.Second)
		if w.loops > 0 || w.forwards(c.a) == w.forwards(c.b) {
			t.Errorf("%s: %d loops\n%s", name, w.loops, w.picture())
		}
		backup := 0
		for _, x := range []end{c.a, c.b} {
			if w.status(x.node-1000, PortID(x.port)).Role == Backup {
				backup++
			}
		}
		if backup != 1 {
			t.Errorf("%s: %d backup ports\n%s", name, backup, w.picture())
		}
	}
}

// A plug that leads what we send back to the same port shuts it for as long as it is there.
func TestALoopedPlug(t *testing.T) {
	e := New(Config{ID: mac(3, 0, 0), Bridge: bridgeID(0x4000, 500)}, 0)
	e.SetPort(1, Port{Up: true, MAC: mac(4, 0, 1), Host: true}, 0)
	f := e.Ready()
	now := 10 * time.Millisecond
	for _, s := range f.Send {
		e.Input(1, s.Frame, now)
	}
	if f = e.Ready(); len(f.Close) != 1 || !e.Ports()[0].Looped {
		t.Fatalf("%+v", f)
	}
	for now < 20*time.Second { // pulled out: nothing comes back any more
		now += 100 * time.Millisecond
		e.Tick(now)
		if f = e.Ready(); len(f.Open) > 0 {
			break
		}
	}
	if now < 5*time.Second || now > 10*time.Second {
		t.Errorf("open again at %v", now)
	}
}

// A neighbour that speaks STP only is spoken to in STP, and its ports take the time that STP takes.
func TestANeighbourWithSTPOnly(t *testing.T) {
	w := one(t, 0x4000, 2)
	w.plain(bridgeID(0x8000, 1), 2)
	w.cable("a", end{sat(0), 1}, end{0, 1})
	w.cable("b", end{sat(1), 1}, end{0, 2})
	took := w.until(60*time.Second, func() bool {
		return w.forwards(end{0, 1}) && w.forwards(end{sat(0), 1}) || w.forwards(end{0, 2}) && w.forwards(end{sat(1), 1})
	})
	w.run(60 * time.Second)
	if !w.status(0, 1).STP || !w.status(1, 1).STP || w.loops > 0 || w.settled() != nil {
		t.Errorf("%d loops, %v\n%s", w.loops, w.settled(), w.picture())
	}
	t.Logf("forwarding after %v", took)
}

// An island hangs on two satellites. When one cable breaks the other takes over, without a timer, and the
// addresses that the other satellites learned are flushed.
func TestASecondCableTakesOver(t *testing.T) {
	w := one(t, 0x4000, 3)
	w.rapid(bridgeID(0x8000, 1), 3)
	a := w.cable("a", end{sat(0), 1}, end{0, 1})
	w.cable("b", end{sat(1), 1}, end{0, 2})
	w.rapid(bridgeID(0x8000, 2), 1)
	w.cable("c", end{sat(2), 1}, end{1, 1})
	w.run(20 * time.Second)
	before := w.sats[2].flush
	w.setLAN(a, false)
	took := w.until(5*time.Second, func() bool { return w.forwards(end{0, 2}) && w.forwards(end{sat(1), 1}) })
	w.run(time.Second)
	if took > 10*time.Millisecond || w.sats[2].flush == before {
		t.Errorf("after %v, %d flushes elsewhere", took, w.sats[2].flush-before)
	}
	t.Logf("taken over after %v", took)
}

// The root is outside, two ways lead there from two satellites, and the better breaks: the other satellite's port
// forwards after one exchange of edges between the satellites.
func TestAnotherSatelliteBecomesTheWayToTheRoot(t *testing.T) {
	w := one(t, 0xf000, 3)
	w.late = 20 * time.Millisecond
	w.rapid(bridgeID(0x1000, 1), 3)
	a := w.cable("a", end{sat(0), 1}, end{0, 1})
	b := w.cable("b", end{sat(1), 1}, end{0, 2})
	w.rapid(bridgeID(0x8000, 2), 1)
	w.cable("c", end{sat(2), 1}, end{1, 1})
	w.run(20 * time.Second)
	root := 0
	if w.status(1, 1).Role == Root {
		root, a = 1, b
	}
	if w.settled() != nil || w.status(root, 1).Role != Root || w.status(1-root, 1).Role != Alternate {
		t.Fatalf("%v\n%s", w.settled(), w.picture())
	}
	w.setLAN(a, false)
	took := w.until(5*time.Second, func() bool { return w.status(1-root, 1).Role == Root && w.forwards(end{sat(1 - root), 1}) })
	if took > 100*time.Millisecond {
		t.Errorf("after %v", took)
	}
	t.Logf("taken over after %v with edges up to %v late", took, w.late)
}

// A satellite of which nothing is known yet withholds its consent: the root port does not open until it is heard
// or named no more.
func TestNoRootPortWithoutConsent(t *testing.T) {
	w := one(t, 0xf000, 2)
	ghost := Member{Satellite: mac(3, 99, 0)}
	w.sats[0].views[99] = ghost
	w.sats[0].e.Remote(w.sats[0].members(), w.now)
	w.rapid(bridgeID(0x1000, 1), 1)
	w.cable("a", end{sat(0), 1}, end{0, 1})
	w.run(90 * time.Second)
	if w.forwards(end{sat(0), 1}) {
		t.Error("it forwards although a satellite did not give way")
	}
	delete(w.sats[0].views, 99)
	w.sats[0].e.Remote(w.sats[0].members(), w.now)
	w.act(0)
	if !w.forwards(end{sat(0), 1}) {
		t.Errorf("it does not forward though all gave way\n%s", w.picture())
	}
}

// A satellite dies that had the root port.
func TestASatelliteDies(t *testing.T) {
	w := one(t, 0xf000, 4)
	w.rapid(bridgeID(0x1000, 1), 3)
	w.rapid(bridgeID(0x8000, 2), 3)
	w.cable("in", end{0, 3}, end{1, 3})
	for i := range 4 {
		w.cable("edge", end{sat(i), 1}, end{i % 2, 1 + i/2})
	}
	w.run(20 * time.Second)
	for i := range 4 {
		if w.status(i, 1).Role == Root {
			w.die(i)
			break
		}
	}
	took := w.until(10*time.Second, func() bool { return w.settled() == nil })
	t.Logf("connected again after %v", took)
	if w.loops > 0 {
		t.Errorf("%d loops", w.loops)
	}
}

// The constellation falls apart: one half takes another bridge id, and the island joins the halves. Then they come
// together again: every port of the half that gives up its id shuts before the engine says anything.
func TestAnotherAddressIsAnotherBridge(t *testing.T) {
	e := New(Config{ID: mac(3, 0, 0), Bridge: bridgeID(0x4000, 500)}, 0)
	e.SetPort(1, Port{Up: true, MAC: mac(4, 0, 1)}, 0)
	e.SetPort(2, Port{Up: true, MAC: mac(4, 0, 2), Host: true}, 0)
	e.Ready()
	m := frame.BPDU{Kind: frame.KindRST, Role: frame.BPDURoot, Agreement: true, Root: bridgeID(0x4000, 500), Cost: 20000,
		Bridge: bridgeID(0x8000, 1), Port: 0x8001, MaxAge: 20 << 8, HelloTime: 2 << 8, ForwardDelay: 15 << 8}
	e.Input(1, m.AppendFrame(nil, mac(2, 0, 1)), time.Millisecond)
	if f := e.Ready(); len(f.Open) != 1 {
		t.Fatalf("%+v", f)
	}
	e.SetBridge(bridgeID(0x3000, 500), 2*time.Millisecond)
	if f := e.Ready(); len(f.Close) != 0 || f.Edge == nil {
		t.Errorf("another priority closed %v", f.Close)
	}
	e.SetBridge(bridgeID(0x3000, 600), 3*time.Millisecond)
	if f := e.Ready(); len(f.Close) != 1 || f.Close[0].Port != 1 || f.Edge.Bridge != bridgeID(0x3000, 600) {
		t.Errorf("another address: %+v", f)
	}
	if e.Counters().Unsettled > 0 {
		t.Error("unsettled")
	}
}

// An engine that slept believes nothing of what the clock says: no timer ran meanwhile.
func TestAnEngineThatSlept(t *testing.T) {
	e := New(Config{ID: mac(3, 0, 0), Bridge: bridgeID(0x4000, 500)}, time.Hour)
	e.SetPort(1, Port{Up: true, MAC: mac(4, 0, 1)}, time.Hour)
	e.Ready()
	e.Tick(2 * time.Hour)
	f := e.Ready()
	if len(f.Open) > 0 || e.Counters().Slept != 1 {
		t.Errorf("after an hour asleep: %+v", f)
	}
	if f.Deadline <= 2*time.Hour || f.Deadline > 2*time.Hour+2*time.Second {
		t.Errorf("deadline %v", f.Deadline)
	}
}

// What anybody can send costs little: a port hears at most MaxRate BPDUs a second, and a flapping island is told
// of once a second.
func TestAFloodOfBPDUs(t *testing.T) {
	e := New(Config{ID: mac(3, 0, 0), Bridge: bridgeID(0x4000, 500)}, 0)
	e.SetPort(1, Port{Up: true, MAC: mac(4, 0, 1)}, 0)
	m := frame.BPDU{Kind: frame.KindRST, Role: frame.BPDURoot, Agreement: true, TopologyChange: true, Root: bridgeID(0x4000, 500),
		Cost: 20000, Bridge: bridgeID(0x8000, 1), Port: 0x8001, MaxAge: 20 << 8, HelloTime: 2 << 8, ForwardDelay: 15 << 8}
	told, sent := 0, 0
	for i := range 10000 {
		e.Input(1, m.AppendFrame(nil, mac(2, 0, 1)), time.Duration(i)*time.Millisecond)
		f := e.Ready()
		sent += len(f.Send)
		if f.Edge != nil {
			told++
		}
	}
	if c := e.Counters(); c.Excess < 9000 || told > 12 || sent > 70 {
		t.Errorf("%+v, %d edges told, %d sent", c, told, sent)
	}
}

// FuzzInput: nothing that arrives makes an engine restless, and it never sends what it would refuse.
func FuzzInput(f *testing.F) {
	m := frame.BPDU{Kind: frame.KindRST, Role: frame.BPDUDesignated, Proposal: true, Root: 1, Bridge: 2, Port: 3}
	f.Add(m.AppendFrame(nil, mac(2, 0, 1)), m.AppendFrame(nil, mac(2, 0, 2)), uint16(100))
	f.Fuzz(func(t *testing.T, a, b []byte, ms uint16) {
		e := New(Config{ID: mac(3, 0, 0), Bridge: bridgeID(0x4000, 500)}, 0)
		e.SetPort(1, Port{Up: true, MAC: mac(4, 0, 1)}, 0)
		e.SetPort(2, Port{Up: true, MAC: mac(4, 0, 2)}, 0)
		now := time.Duration(0)
		for i := range 6 {
			now += time.Duration(ms) * time.Millisecond / 8
			e.Input(PortID(1+i%2), a, now)
			e.Input(PortID(2-i%2), b, now)
			e.Tick(now)
			for _, s := range e.Ready().Send {
				if _, _, err := frame.ParseBPDUFrame(s.Frame); err != nil {
					t.Error(err)
				}
			}
		}
		if e.Counters().Unsettled > 0 {
			t.Error("unsettled")
		}
	})
}

// 1,000 satellites: what hearing one of them anew costs.
func BenchmarkRemote1000(b *testing.B) {
	e := New(Config{ID: mac(3, 0, 0), Bridge: bridgeID(0x4000, 500)}, 0)
	for i := range 24 {
		e.SetPort(PortID(i+1), Port{Up: true, MAC: mac(4, 0, i+1)}, 0)
	}
	var all []Member
	for i := range 1000 {
		all = append(all, Member{Satellite: mac(3, i+1, 0), Known: true, Edge: frame.Edge{Bridge: bridgeID(0x4000, 500)}})
	}
	for i := 0; b.Loop(); i++ {
		all[i%1000].Edge.Consent.Number++
		e.Remote(all, time.Duration(i))
		e.Ready()
	}
}
