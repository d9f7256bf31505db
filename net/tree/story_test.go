package tree

import (
	"maps"
	"slices"
	"testing"
	"time"

	"decenter/net/frame"
)

// settled starts all satellites and waits until the tree spans and everybody knows everybody.
func settled(t *testing.T, w *world) *world {
	t.Helper()
	w.startAll()
	if !w.runUntil(10*time.Second, func() bool { return w.spans() == nil && w.agree() }) {
		t.Fatalf("not settled: %v, agree %v", w.spans(), w.agree())
	}
	w.run(3 * time.Second)
	return w
}

// agree tells whether every satellite sees all satellites and one root.
func (w *world) agree() bool {
	for _, n := range w.nodes {
		v := n.core.View()
		if len(v.Nodes) != len(w.nodes) || v.Root != w.nodes[0].core.View().Root {
			return false
		}
	}
	return true
}

// gates is a copy of everybody's kernel gates, and how often any of them moved.
func (w *world) gates() (map[frame.MAC]map[PortID]bool, int) {
	all := map[frame.MAC]map[PortID]bool{}
	for _, n := range w.nodes {
		all[n.id] = maps.Clone(n.gates)
	}
	return all, w.steps
}

func TestThreeInARing(t *testing.T) {
	w := settled(t, ring(1, 3))
	v := w.nodes[0].core.View()
	trees, roles := 0, map[Role]int{}
	for _, l := range v.Links {
		if l.Tree {
			trees++
		}
	}
	for _, n := range w.nodes {
		for _, p := range n.core.View().Ports {
			roles[p.Role]++
		}
	}
	if len(v.Links) != 3 || trees != 2 {
		t.Errorf("%d links, %d of them in the tree, want 3 and 2: %+v", len(v.Links), trees, v.Links)
	}
	if roles[RoleRoot] != 2 || roles[RoleChild] != 2 || roles[RoleBlocked] != 2 {
		t.Errorf("roles %v, want two each of root, child and blocked", roles)
	}
	if s := w.nodes[1].core.MACs(); len(s) != 3 || s[0].Name == "" {
		t.Errorf("satellites %v, want three with names", s)
	}
}

// kill -9 and a start from the snapshot, in an idle ring: no gate of any satellite moves.
func TestARestartedEngineTakesOverWithoutAnyPathChange(t *testing.T) {
	for i := range 5 {
		w := settled(t, ring(uint64(i), 5))
		before, steps := w.gates()
		w.nodes[i].kill(true)
		w.run(20 * time.Second)
		w.nodes[i].start()
		w.run(20 * time.Second)
		after, now := w.gates()
		if now != steps || !maps.EqualFunc(before, after, maps.Equal) {
			t.Errorf("satellite %d: %d gates moved", i, now-steps)
		}
		if r := w.nodes[i].core.resumeBy; r != 0 {
			t.Errorf("satellite %d still resumes", i)
		}
		// And it is in charge again: cut what it leads over.
		w.cables[i].set(w, false)
		if !w.runUntil(2*time.Second, func() bool { return w.spans() == nil }) {
			t.Errorf("satellite %d does not heal after its restart: %v", i, w.spans())
		}
	}
}

// All engines of the constellation restart within a second: still no gate moves.
func TestAllEnginesRestartWithoutAnyPathChange(t *testing.T) {
	w := settled(t, ring(3, 6))
	_, steps := w.gates()
	for _, n := range w.nodes {
		n.kill(true)
	}
	w.run(5 * time.Second)
	for _, n := range w.nodes {
		n.start()
		w.run(150 * time.Millisecond)
	}
	w.run(20 * time.Second)
	if _, now := w.gates(); now != steps {
		t.Errorf("%d gates moved", now-steps)
	}
}

// Without its snapshot an engine shuts everything first, and is a child or parent again soon after.
func TestARestartWithoutSnapshotHeals(t *testing.T) {
	w := settled(t, ring(2, 5))
	w.nodes[0].kill(false)
	w.run(3 * time.Second)
	w.nodes[0].start()
	begin := w.now
	if !w.runUntil(2*time.Second, func() bool { return w.spans() == nil }) {
		t.Fatal(w.spans())
	}
	t.Logf("whole again after %v", w.now-begin)
}

// A stopped engine forwards for as long as HoldEngine says; then the others go around it.
func TestAFrozenEngineIsHeldAndThenLeft(t *testing.T) {
	w := settled(t, ring(4, 5))
	_, steps := w.gates()
	w.nodes[2].freeze()
	w.run(115 * time.Second)
	if _, now := w.gates(); now != steps {
		t.Fatalf("%d gates moved while the engine was merely silent", now-steps)
	}
	if p := w.nodes[1].core.View().Ports; !p[1].Silent && !p[0].Silent {
		t.Errorf("nobody says that the engine is silent: %+v", p)
	}
	w.run(10 * time.Second)
	for _, n := range []int{1, 3} {
		for _, p := range w.nodes[n].core.View().Ports {
			if p.Neighbour == w.nodes[2].id && (p.Role == RoleRoot || p.Role == RoleChild) {
				t.Errorf("satellite %d still holds on: %+v", n, p)
			}
		}
	}
	w.nodes[2].thaw()
	if !w.runUntil(5*time.Second, func() bool { return w.spans() == nil }) {
		t.Fatal(w.spans())
	}
}

// Our own stall is no loss: an engine that was stopped for a minute finds all its neighbours as they were.
func TestOwnStallLosesNobody(t *testing.T) {
	w := settled(t, ring(5, 4))
	_, steps := w.gates()
	w.nodes[1].freeze()
	w.run(time.Minute)
	w.nodes[1].thaw()
	w.run(5 * time.Second)
	if _, now := w.gates(); now != steps {
		t.Errorf("%d gates moved", now-steps)
	}
}

func TestSeveralCablesAndOneThatLeadsBack(t *testing.T) {
	w := newWorld(6, 2)
	w.connect(0, 1, 1000)
	fast := w.connect(0, 1, 10000)
	w.connect(1, 0, 1000)
	back := w.connect(0, 0, 10000)
	settled(t, w)
	if !w.nodes[0].gates[fast.port] || w.nodes[0].gates[back.port] || w.nodes[0].gates[back.bport] {
		t.Errorf("gates %v, want only port %d open", w.nodes[0].gates, fast.port)
	}
	for _, p := range w.nodes[0].core.View().Ports {
		if p.ID == back.port && p.Note == "" {
			t.Error("nothing tells that the cable leads back")
		}
	}
}

// The root is the lowest (priority, id), and a change of priority moves it without a lasting gap.
func TestSetPriorityMovesTheRoot(t *testing.T) {
	w := settled(t, ring(7, 6))
	n := w.nodes[3]
	n.step(func() { n.core.SetPriority(0x1000, w.now) })
	if !w.runUntil(time.Second, func() bool { return w.agree() && w.nodes[0].core.View().Root == n.id && w.spans() == nil }) {
		t.Fatalf("root %v, want %v; %v", w.nodes[0].core.View().Root, n.id, w.spans())
	}
	w.run(time.Second)
	for _, m := range w.nodes {
		if m.core.vec != m.core.want.vec {
			t.Errorf("%v stands at %v, not %v", m.id, m.core.vec, m.core.want.vec)
		}
	}
}

// Every satellite learns the MACs that another is home to, in as many objects as they need.
func TestLocalMACsReachEverybody(t *testing.T) {
	w := settled(t, ring(8, 4))
	var macs []frame.MAC
	for i := range MaxMACs + 10 {
		macs = append(macs, frame.MAC{0x52, 0x54, 0, byte(i >> 16), byte(i >> 8), byte(i)})
	}
	n := w.nodes[0]
	n.step(func() { n.core.Local(macs, w.now) })
	w.run(time.Second)
	for _, m := range w.nodes {
		if got := m.core.Homes(n.id); len(got) != MaxMACs || got[77] != macs[77] {
			t.Errorf("%v knows %d MACs, want %d", m.id, len(got), MaxMACs)
		}
	}
	n.step(func() { n.core.Local(macs[:3], w.now) })
	w.run(time.Second)
	if got := w.nodes[2].core.Homes(n.id); len(got) != 3 {
		t.Errorf("%d MACs remain, want 3", len(got))
	}
	if c := n.core.Counters(); c.Full != 10 {
		t.Errorf("%d MACs counted as too many, want 10", c.Full)
	}
}

func TestNobodyIsAdmittedUnasked(t *testing.T) {
	w := ring(9, 3)
	stranger := w.nodes[2].id
	w.cfg.Admit = func(id frame.MAC) bool { return id != stranger }
	w.startAll()
	w.run(3 * time.Second)
	for _, n := range w.nodes[:2] {
		for _, p := range n.core.View().Ports {
			if p.Neighbour == stranger && (p.Role != RoleWaiting || p.Note != NoteStranger) || len(n.core.MACs()) != 2 {
				t.Errorf("%v lets the stranger in: %+v", n.id, p)
			}
		}
	}
}

func TestAnEjectedNeighbourGoesAtOnce(t *testing.T) {
	w := ring(9, 4)
	var ejected frame.MAC
	w.cfg.Admit = func(id frame.MAC) bool { return id != ejected }
	w.startAll()
	w.run(3 * time.Second)
	for _, n := range w.nodes {
		if len(n.core.MACs()) != 4 {
			t.Fatalf("%v knows %d satellites before, want 4", n.id, len(n.core.MACs()))
		}
	}
	ejected = w.nodes[2].id
	w.run(5 * time.Second)
	for _, n := range append(slices.Clone(w.nodes[:2]), w.nodes[3]) {
		if len(n.core.MACs()) != 3 {
			t.Errorf("%v knows %d satellites after, want 3", n.id, len(n.core.MACs()))
		}
		for _, p := range n.core.View().Ports {
			if p.Neighbour == ejected && (p.Role != RoleWaiting || p.Note != NoteStranger) {
				t.Errorf("%v keeps the ejected one: %+v", n.id, p)
			}
		}
	}
}

// How long a ring of 8 is torn after a cable of the tree breaks, in virtual time: frames take 50 to 350 µs.
func TestRecoveryOfARingOfEight(t *testing.T) {
	measure := func(breaks func(w *world, c *wire)) (worst, sum time.Duration, n int) {
		for i := range 8 {
			for _, seed := range []uint64{1, 2, 3} {
				w := settled(t, ring(seed, 8))
				c := w.cables[i]
				if !c.a.gates[c.port] || !c.b.gates[c.bport] {
					continue // not in the tree
				}
				w.run(w.chance(100 * time.Millisecond))
				begin := w.now
				breaks(w, c)
				if !w.runUntil(5*time.Second, func() bool { return w.spans() == nil }) {
					t.Fatalf("cable %d, seed %d: %v", i, seed, w.spans())
				}
				worst, sum, n = max(worst, w.now-begin), sum+w.now-begin, n+1
			}
		}
		return worst, sum / time.Duration(n), n
	}
	worst, mean, n := measure(func(w *world, c *wire) { c.set(w, false) })
	t.Logf("carrier loss: worst %v, mean %v of %d", worst, mean, n)
	if worst > 50*time.Millisecond {
		t.Errorf("carrier loss: %v, want at most 50 ms", worst)
	}
	worst, mean, n = measure(func(_ *world, c *wire) { c.mute = [2]bool{true, true} })
	t.Logf("silent loss: worst %v, mean %v of %d", worst, mean, n)
	if worst > 500*time.Millisecond {
		t.Errorf("silent loss: %v, want at most 500 ms", worst)
	}
	worst, mean, n = measure(func(_ *world, c *wire) { c.mute[0] = true })
	t.Logf("silent loss in one direction: worst %v, mean %v of %d", worst, mean, n)
	if worst > 500*time.Millisecond {
		t.Errorf("silent loss in one direction: %v, want at most 500 ms", worst)
	}
}
