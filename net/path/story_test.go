package path

import (
	"slices"
	"testing"

	"decenter/net/frame"
)

// What doc.go tells as the counterexample to F1–F5 with deflection among agreeing neighbours only. The cable d–Z has
// just died. y and q know since a moment of a cable between them and of the end of s–q; nobody has heard so of them.
func TestPathsOfBeforeAreNeeded(t *testing.T) {
	const d, z, r, q, s, x, y, w = 0, 1, 2, 3, 4, 5, 6, 7
	all := graph{n: 8}
	all.join(d, z, 1)
	all.join(z, r, 1)
	all.join(r, q, 1)
	all.join(s, x, 10)
	all.join(x, w, 5)
	all.join(w, z, 1)
	all.join(x, y, 1)
	all.join(y, d, 6)
	all.join(q, s, 1)
	all.join(y, q, 1)
	is := func(a, b int) func(wire) bool { return func(c wire) bool { return c.a == a && c.b == b } }
	before, after := all.without(is(y, q)), all.without(is(q, s))

	world := agree(t, before, 1)
	world.plug(all)
	for i := range all.n {
		a := NewAgreement()
		met(t, a, before, i, world.tables[i])
		if i == y || i == q {
			now, peer := tablesOf(t, after, i, 1), y+q-i
			a.Adopt(now.Routes)
			a.Ready(now.Repair)
			meet(a, all, i, peer)
			hear(a, all, i, peer, after.topology(t, peer).Version(1), true, 0)
		}
		world.tables[i] = a.Tables()
	}
	world.cut(all.cables[0])
	if err := world.whirls(1); err != nil {
		t.Error(err)
	}
	for i := range world.tables {
		world.tables[i].Before = nil
	}
	if err := world.whirls(1); err == nil {
		t.Error("without the paths of before there is no loop")
	} else {
		t.Log(err)
	}
}

// met lets satellite i and its neighbours in a graph hold that graph and say so.
func met(t *testing.T, a *Agreement, g graph, i int, now Tables) {
	serial := a.Adopt(now.Routes)
	a.Ready(now.Repair)
	for _, c := range g.cables {
		for _, ends := range [][2]int{{c.a, c.b}, {c.b, c.a}} {
			if ends[0] == i {
				meet(a, g, i, ends[1])
				hear(a, g, i, ends[1], g.topology(t, ends[1]).Version(1), true, serial)
			}
		}
	}
	if !a.Agreed() {
		t.Fatalf("satellite %d waits for %v", i, a.Waiting())
	}
}

// A ring of four, and satellite 0. First 0–1 breaks, then it comes back.
func TestAgreement(t *testing.T) {
	g := ring(4)
	broken := g.without(func(c wire) bool { return c.a == 0 && c.b == 1 })
	old, now := tablesOf(t, g, 0, 1), tablesOf(t, broken, 0, 1)
	a := NewAgreement()
	met(t, a, g, 0, old)
	if !a.Legal(0, 1) || a.Feasible(1) != 10 {
		t.Fatal("at rest the way to 1 is not legal")
	}

	serial := a.Adopt(now.Routes)
	a.Down(g.cables[0].portA)
	if a.Agreed() || a.Legal(0, 1) || a.Feasible(1) != 10 {
		t.Fatal("3 may think that 0 is near to 1, and 0 goes by 3 all the same")
	}
	if !a.Legal(0, 3) {
		t.Fatal("what did not change is touched")
	}
	if got := a.Waiting(); !slices.Equal(got, []Port{g.cables[3].portB}) {
		t.Fatal(got)
	}
	v := broken.topology(t, 3).Version(1)
	hear(a, g, 0, 3, v, false, serial-1)
	if a.Legal(0, 1) {
		t.Fatal("3 holds the new topology, but does not know that 0 does")
	}
	hear(a, g, 0, 3, v, false, serial)
	if !a.Legal(0, 1) || a.Feasible(1) != 30 {
		t.Fatal("3 knows, and still the way is shut")
	}
	a.Ready(now.Repair)
	if a.Agreed() {
		t.Fatal("3 does not know the detours yet")
	}
	hear(a, g, 0, 3, v, true, serial)
	if !a.Agreed() || len(a.Tables().Before) != 0 {
		t.Fatal("all is said, and still there is no agreement")
	}

	serial = a.Adopt(old.Routes)
	a.Ready(old.Repair)
	meet(a, g, 0, 1)
	hear(a, g, 0, 1, g.topology(t, 1).Version(1), true, serial)
	if !a.Legal(0, 1) {
		t.Fatal("1 itself is nearer than ever")
	}
	hear(a, g, 0, 3, g.topology(t, 3).Version(1), true, serial)
	if !a.Agreed() {
		t.Fatal(a.Waiting())
	}
}

// Many topologies in a row that nobody acknowledges are remembered as one.
func TestAgreementIsBounded(t *testing.T) {
	g := ring(6)
	a := NewAgreement()
	met(t, a, g, 0, tablesOf(t, g, 0, 1))
	var serial uint64
	for i := range uint32(50) {
		g.cables[3].cost = 20 + i
		now := tablesOf(t, g, 0, 1)
		serial = a.Adopt(now.Routes)
		a.Ready(now.Repair)
	}
	if len(a.past) > keep || !a.Tables().Blind || a.Feasible(3) != 30 {
		t.Fatalf("%d remembered, blind %v, feasible %d", len(a.past), a.Tables().Blind, a.Feasible(3))
	}
	for _, k := range []int{1, 5} {
		hear(a, g, 0, k, g.topology(t, k).Version(1), true, serial)
	}
	if a.Tables().Blind || !a.Agreed() || len(a.past) != 1 {
		t.Fatal("what all have acknowledged is not let go")
	}
}

// Only what both ends tell counts, and the version is of that alone.
func TestTopology(t *testing.T) {
	g := ring(3)
	told := g.told()
	same, _ := NewTopology(name(2), told)
	told[0].Links = append(told[0].Links,
		frame.Link{Neighbour: name(0), Port: 7, NeighbourPort: 8, Cost: 1},
		frame.Link{Neighbour: name(0), Port: 8, NeighbourPort: 7, Cost: 1},
		frame.Link{Neighbour: name(2), Port: 9, NeighbourPort: 9, Cost: 1})
	told = append(told, Told{ID: name(9)}, Told{ID: name(1), Links: told[1].Links[:1]})
	slices.Reverse(told)
	more, _ := NewTopology(name(0), told)
	if same.Version(1) != more.Version(1) || more.Len() != 3 {
		t.Fatal("a cable to oneself, a cable one end tells of, or an island count")
	}
	told[2].Links[0].Cost += 5
	dearer, _ := NewTopology(name(0), told)
	if dearer.Version(1) == more.Version(1) {
		t.Fatal("a cost counts not")
	}
	crowd := ring(3).told()
	crowd[0].Links = append(crowd[0].Links, frame.Link{Neighbour: name(9), Port: crowd[0].Links[0].Port, NeighbourPort: 1, Cost: 1})
	crowd = append(crowd, Told{name(9), []frame.Link{{Neighbour: name(0), Port: 1, NeighbourPort: crowd[0].Links[0].Port, Cost: 1}}})
	less, _ := NewTopology(name(0), crowd)
	if n := less.first[3] - less.first[0]; less.Len() != 3 || n != 4 {
		t.Fatal("a crowded port counts", n)
	}
}

// Known cover of classical loop-free alternates (RFC 5286 inequality 1), against which the detours are measured: a pair is
// covered if some neighbour n but the next hop has D(n,d) < D(n,s) + D(s,d).
func TestLoopFreeAlternatesOfTheUsualCases(t *testing.T) {
	for _, test := range []struct {
		what             string
		g                graph
		covered, ofPairs int
	}{
		{"6-ring", ring(6), 6, 30}, {"8-ring", ring(8), 8, 56}, {"24-ring", ring(24), 24, 552}, {"grid 3x4", grid(3, 4), 72, 132},
	} {
		w := agree(t, test.g, 1)
		covered, repaired, pairs := 0, 0, 0
		far := test.g.floyd()
		for s := range test.g.n {
			for d := range test.g.n {
				if s == d {
					continue
				}
				pairs++
				r := w.tables[s].Routes
				hop, _ := r.Hop(0, d)
				for n := range test.g.near(s) {
					if n != number(hop) && r.NeighbourDistance(name(n), name(d)) < r.NeighbourDistance(name(n), name(s))+far[s][d] {
						covered++
						break
					}
				}
				if _, ok := w.tables[s].Repair.Backup(0, d); ok {
					repaired++
				}
			}
		}
		t.Logf("%s: alternates cover %d of %d pairs, detours %d", test.what, covered, pairs, repaired)
		if covered != test.covered || pairs != test.ofPairs || repaired != pairs {
			t.Errorf("%s: %d of %d instead of %d of %d, detours %d", test.what, covered, pairs, test.covered, test.ofPairs, repaired)
		}
	}
}
