package tree

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/path"
)

// Each rule of unicast in turn is left out, and storms are let loose until the checker sees a frame go round. U1 is tried by
// itself, with data paths that look at nothing but the destination: elsewhere F1 hides most of what it is for. (What is for
// F6b is rare; package path plays it.)
func TestWithoutARuleOfUnicastItLoops(t *testing.T) {
	for name, test := range map[string]struct {
		rule    rule
		routers bool
	}{"U1": {ruleU1, true}, "F6a": {ruleF6a, false}} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(100) {
				if test.routers {
					if _, err := storm(seed, 0, true); err != nil {
						t.Fatalf("with the rule, storm %d: %v", seed, err)
					}
				}
				_, err := storm(seed, test.rule, test.routers)
				var l looped
				if errors.As(err, &l) {
					t.Logf("storm %d: %v", seed, err)
					return
				}
			}
			t.Error("nothing went round")
		})
	}
}

// ways tells how every frame goes at this moment.
func (w *world) ways() map[string]string {
	out := map[string]string{}
	for _, s := range w.nodes {
		for _, d := range w.nodes {
			for colour := range w.cfg.Colours {
				way, v := w.walk(colour, s, d)
				out[fmt.Sprint(colour, s.id, d.id)] = fmt.Sprint(way, v)
			}
		}
	}
	return out
}

// arrives tells which frame does not arrive that could.
func (w *world) arrives() error {
	part := w.parts()
	for _, s := range w.nodes {
		for _, d := range w.nodes {
			for colour := range w.cfg.Colours {
				if way, v := w.walk(colour, s, d); (v == path.Deliver) != (part[s] == part[d]) {
					return fmt.Errorf("colour %d, %v to %v: verdict %d after %v", colour, s.id, d.id, v, way)
				}
			}
		}
	}
	return nil
}

// at rest: all is delivered and all agree.
func (w *world) atRest() bool {
	for _, n := range w.nodes {
		if n.core == nil || !n.core.unicast.agreement.Agreed() {
			return false
		}
	}
	return w.delivers() == nil
}

// given counts the tables that were given to data paths.
func (w *world) given() (n int) {
	for _, x := range w.nodes {
		n += x.plane.given
	}
	return n
}

// cut cuts a cable while no engine is quick enough to do anything: whatever can arrive, does.
func (w *world) cut(t *testing.T, c *wire) {
	t.Helper()
	for _, n := range w.nodes {
		n.freeze()
	}
	c.set(w, false)
	if err := w.arrives(); err != nil {
		t.Error("in the instant of the cut: ", err)
	}
	for _, n := range w.nodes {
		n.thaw()
	}
	begin := w.now
	if !w.runUntil(time.Second, func() bool { return w.arrives() == nil }) {
		t.Error("a second later: ", w.arrives())
	}
	t.Logf("frames were lost for %v", w.now-begin)
}

// A ring of four. A cable is cut, and in that instant, before anybody else knows, what went over it goes the other way round.
// Soon all agree on what is left, and when the cable is back, on that.
func TestACableOfARingIsCut(t *testing.T) {
	w := settled(t, ring(5, 4))
	if !w.atRest() {
		t.Fatal("no rest: ", w.delivers())
	}
	w.cut(t, w.cables[0])
	if !w.runUntil(200*time.Millisecond, w.atRest) {
		t.Error("later: ", w.delivers())
	}
	w.cables[0].set(w, true)
	if !w.runUntil(2*time.Second, w.atRest) {
		t.Error("with the cable again: ", w.delivers())
	}
}

// Each satellite of a ring of five dies and comes back, soon or late: its frames go on as they went, and so do all others' at
// every moment; nobody gets other tables. Then it is in charge again.
func TestARestartKeepsEveryPath(t *testing.T) {
	for i, pause := range []time.Duration{0, time.Millisecond, time.Second, 20 * time.Second, 90 * time.Second} {
		w := settled(t, ring(uint64(i), 5))
		before, given, n := w.ways(), w.given(), w.nodes[i]
		serial := n.core.unicast.agreement.Serial()
		n.kill(true)
		w.run(pause)
		n.start()
		end := w.now + 3*time.Second
		w.runUntil(3*time.Second, func() bool {
			if !maps.Equal(before, w.ways()) {
				t.Fatalf("after a pause of %v, at %v frames go other ways", pause, w.now)
			}
			return w.now >= end
		})
		if more := w.given() - given; more != 1 || n.core.unicast.agreement.Serial() != serial || !n.core.unicast.agreement.Agreed() {
			t.Errorf("after a pause of %v: %d tables, serial %d and then %d", pause, more, serial, n.core.unicast.agreement.Serial())
		}
		w.cut(t, w.cables[i])
		if !w.runUntil(2*time.Second, w.atRest) {
			t.Error("after its restart: ", w.delivers())
		}
	}
}

// A satellite that forgot everything takes away what its data path held before it speaks, which is in new sessions: nobody counts on what it said
// before, and soon all is delivered again.
func TestASatelliteThatForgotBeginsWithoutTables(t *testing.T) {
	w := settled(t, ring(7, 4))
	n := w.nodes[2]
	n.kill(false)
	w.run(time.Second)
	if n.plane.tables == nil {
		t.Fatal("its data path did not outlive it")
	}
	said := 0
	w.drop = func(b []byte) bool {
		if h, ok := isHello(b); ok && h.Self.ID == n.id {
			said++
			for _, d := range w.nodes {
				if _, v := (hole{n, inside}).forward(0, n, d); v == path.Forward {
					t.Error("something is said while old tables stand")
				}
			}
		}
		return false
	}
	n.start()
	if w.drop = nil; said == 0 {
		t.Error("nothing was said")
	}
	if !w.runUntil(3*time.Second, w.atRest) {
		t.Error(w.delivers())
	}
}

// Two cables between the same two satellites are two conversations. One is cut: the other one's goes on, and carries all.
func TestOneOfTwoParallelCablesIsCut(t *testing.T) {
	w := newWorld(8, 3)
	first, second := w.connect(0, 1, 10000), w.connect(0, 1, 10000)
	w.connect(1, 2, 10000)
	settled(t, w)
	session := w.nodes[0].core.ports[second.port].session
	w.cut(t, first)
	if !w.runUntil(2*time.Second, w.atRest) {
		t.Error(w.delivers())
	}
	if w.nodes[0].core.ports[second.port].session != session {
		t.Error("the other cable began anew")
	}
	first.set(w, true)
	if !w.runUntil(2*time.Second, w.atRest) {
		t.Error(w.delivers())
	}
}

// MACs, names, and who is root or parent are nothing to paths.
func TestOnlyCablesMakePaths(t *testing.T) {
	w := settled(t, ring(9, 6))
	count := func() (graphs, routes int) {
		for _, n := range w.nodes {
			graphs, routes = graphs+n.core.counts.graphs, routes+n.core.counts.routes
		}
		return graphs, routes
	}
	graphs, routes := count()
	given := w.given()
	for i, n := range w.nodes {
		n.step(func() { n.core.Local([]frame.MAC{{2, 9, 9, 9, 9, byte(i)}}, w.now) })
		w.run(100 * time.Millisecond)
		n.step(func() { n.core.SetPriority(uint16(1000-i), w.now) })
		w.run(time.Second)
	}
	if g, r := count(); g != graphs || r != routes || w.given() != given {
		t.Errorf("%d graphs, %d times paths, %d tables", g-graphs, r-routes, w.given()-given)
	}
	w.cables[2].set(w, false)
	w.run(time.Second)
	if g, r := count(); g == graphs || r < routes+len(w.nodes) || w.given() == given {
		t.Errorf("of a cable %d graphs, %d times paths", g-graphs, r-routes)
	}
}

// lies has what one satellite says of paths changed, in every Hello of its.
func (w *world) lies(liar *node, change func(*frame.Agree)) {
	w.drop = func(b []byte) bool {
		h, ok := isHello(b)
		if !ok || h.Self.ID != liar.id || h.Agree == (frame.Agree{}) {
			return false
		}
		change(&h.Agree)
		_, n, port := w.other(source(b))
		said := h.Append(nil, source(b))
		w.after(w.delay, func() { n.arrive(port, said) })
		return true
	}
}

// A member may lie of what it holds and heard. What does not go by it is delivered all the same; nothing goes round that it does not
// turn round itself; and when it is honest again all is well. One that follows nothing is given up like one that is silent.
func TestALyingMember(t *testing.T) {
	var n uint64
	for name, lie := range map[string]func(*frame.Agree){
		"a serial that was never told": func(a *frame.Agree) { a.Acked += 1 << 40 },
		"a version of its own":         func(a *frame.Agree) { a.Version ^= 77 },
		"serials that run back":        func(a *frame.Agree) { n++; a.Serial = 1<<30 - n },
		"no serial ever":               func(a *frame.Agree) { a.Acked = 0 },
		"always the first serial":      func(a *frame.Agree) { a.Acked = min(a.Acked, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			w := ring(10, 5)
			w.cfg.Unauthenticated, w.cfg.Hello, w.cfg.HoldEngine = true, 80*time.Millisecond, 400*time.Millisecond
			across := w.connect(0, 2, 10000)
			settled(t, w)
			liar := w.nodes[4]
			w.lies(liar, lie)
			across.set(w, false)
			w.run(2 * time.Second)
			across.set(w, true)
			w.run(2 * time.Second)
			w.cables[0].set(w, false) // 0-1: what is left is 0-2, 1-2, 2-3, and the liar between 3 and 0
			w.run(2 * time.Second)
			for i, s := range w.nodes[:4] {
				for _, d := range w.nodes[:i] {
					if way, v := w.walk(0, s, d); v != path.Deliver && !slices.Contains(way, liar.id) {
						t.Errorf("%v to %v: verdict %d after %v", s.id, d.id, v, way)
					}
				}
			}
			w.drop = nil
			if !w.runUntil(5*time.Second, w.atRest) {
				t.Error("honest again: ", w.delivers())
			}
		})
	}
}

// A snapshot of an engine that knew no paths is taken, and the data path begins without. One of another number of colours is not.
func TestSnapshotsOfOthers(t *testing.T) {
	w := settled(t, ring(11, 3))
	n := w.nodes[1]
	var s map[string]any
	if err := json.Unmarshal(n.core.Snapshot(), &s); err != nil {
		t.Fatal(err)
	}
	delete(s, "unicast")
	s["version"] = 1
	b, _ := json.Marshal(s)
	old := New(n.config(), w.now)
	if err := old.Restore(b, w.now); err != nil {
		t.Fatal(err)
	}
	if e := old.Ready(); e.Tables == nil || e.Tables.Routes != nil {
		t.Error("old tables stay")
	}
	cfg := n.config()
	cfg.Colours++
	if err := New(cfg, w.now).Restore(n.core.Snapshot(), w.now); !errors.Is(err, ErrSnapshot) {
		t.Errorf("another number of colours: %v", err)
	}
}

// Detours for many satellites are worked out between other things.
func TestDetoursAreWorkedOutInSlices(t *testing.T) {
	c := constellate(200, 5)
	core := c.core()
	if _, _, ready := core.unicast.agreement.Announcement(); ready {
		t.Error("ready at once")
	}
	if n := work(core); n != 200/slice(200) {
		t.Errorf("%d slices", n)
	}
	if _, _, ready := core.unicast.agreement.Announcement(); !ready {
		t.Error("not ready")
	}
	c.answer(core, true)
	if e := core.Ready(); e.Tables == nil || !e.Tables.Agreed {
		t.Error("no agreement")
	}
	other := New(core.cfg, core.now)
	if err := other.Restore(core.Snapshot(), core.now); err != nil {
		t.Fatal(err)
	}
	if e := other.Ready(); e.Tables != nil {
		t.Error("tables before they are as they were")
	}
	work(other)
	if !reflect.DeepEqual(other.unicast.given, core.unicast.given) {
		t.Error("other tables than before")
	}
}

// While a restarted core cannot tell yet what its data path's tables are, these count for the sessions of then alone: a port that
// begins anew stays dead until there are tables that know of it.
func TestOldTablesAreNothingToANewSession(t *testing.T) {
	c := constellate(100, 5)
	core := c.core()
	work(core)
	c.answer(core, true)
	core.Ready()
	other := New(core.cfg, core.now)
	if err := other.Restore(core.Snapshot(), core.now); err != nil {
		t.Fatal(err)
	}
	live := map[PortID]bool{}
	ready := func() {
		for _, g := range other.Ready().Live {
			live[g.Port] = g.Open
		}
	}
	first, second := lead(c.nodes[0].Links[0]), lead(c.nodes[0].Links[1])
	for _, l := range []lead{first, second} {
		other.ports[PortID(l.Port)].joined = true
		other.Link(PortID(l.Port), l.is(true), other.now)
	}
	ready()
	if !live[PortID(first.Port)] || !live[PortID(second.Port)] {
		t.Fatal("a restart ended what went on: ", live)
	}
	other.Link(PortID(first.Port), first.is(false), other.now)
	ready()
	other.Link(PortID(first.Port), first.is(true), other.now)
	first.greets(other, 4)
	other.ports[PortID(first.Port)].joined = true
	ready()
	if live[PortID(first.Port)] || !live[PortID(second.Port)] {
		t.Error("old tables, and a new session is alive: ", live)
	}
	for other.unicast.sliceAt > 0 {
		other.pass(other.unicast.sliceAt)
		other.ports[PortID(first.Port)].joined = true
		ready()
	}
	if !live[PortID(first.Port)] {
		t.Error("dead for ever: ", live)
	}
}
