package path

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
)

// What an Agreement remembers makes the same Agreement, and the same tables once its Repairs are worked through anew.
func TestRecallForgetsNothing(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 3))
	for range long(20) {
		g := scattered(dice, 6, 8, 1, 2, 3)
		a := NewAgreement()
		met(t, a, g, 0, tablesOf(t, g, 0, 1))
		for i := range 1 + dice.IntN(12) {
			c := g.cables[dice.IntN(len(g.cables))]
			now := tablesOf(t, g.without(func(o wire) bool { return o == c && dice.IntN(2) == 0 }), 0, 1)
			a.Adopt(now.Routes)
			if i%2 == 0 {
				a.Ready(now.Repair)
			}
			for k := range g.near(0) {
				if dice.IntN(2) == 0 {
					hear(a, g, 0, k, now.Routes.Version(), i%2 == 0, uint64(dice.IntN(int(a.Serial())+1)))
				}
			}
		}
		text, err := json.Marshal(a.Memory())
		if err != nil {
			t.Fatal(err)
		}
		var m Memory
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		b, err := Recall(name(0), m)
		if err != nil {
			t.Fatal(err)
		}
		for b.Recalling() {
			b.Step(2)
		}
		x, y := a.Tables(), b.Tables()
		if !reflect.DeepEqual(x, y) || !reflect.DeepEqual(a.Memory(), b.Memory()) {
			t.Fatal("another life, another agreement")
		}
	}
}

// The bits of Tables against the rule, one by one.
func TestLegalOfAllAtOnce(t *testing.T) {
	dice := rand.New(rand.NewPCG(4, 4))
	legal := 0
	for range long(200) {
		m := shuffle(t, scattered(dice, 7, 7, 1, 2, 3), dice, 1)
		for i, a := range m.agreements {
			now := m.tables[[2]int{i, -1}]
			for d := range now.Routes.Topology().Len() {
				if d == now.Routes.Self() {
					continue
				}
				if now.Allows(0, d) != a.Legal(0, d) {
					t.Fatalf("satellite %d to %d: %v", i, d, a.Legal(0, d))
				}
				if a.Legal(0, d) {
					legal++
				}
			}
		}
	}
	if legal == 0 {
		t.Error("nothing was tried")
	}
}

// Whatever a snapshot was turned into, it is a topology that NewTopology could have made, or refused.
func FuzzTopology(f *testing.F) {
	for _, g := range []graph{ring(2), ring(3), grid(2, 3), mesh(4)} {
		f.Add(g.topology(f, 0).Append(nil))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		topo, err := ParseTopology(b)
		if err != nil {
			return
		}
		out := topo.Append(nil)
		again, err := ParseTopology(out)
		if err != nil || !bytes.Equal(out, again.Append(nil)) || again.Version(4) != topo.Version(4) {
			t.Fatal("not the same again", err)
		}
		var told []Told
		for i := range topo.Len() {
			told = append(told, Told{topo.ID(i), topo.Links(i)})
		}
		made, err := NewTopology(topo.ID(0), told)
		if err != nil || !bytes.Equal(out, made.Append(nil)) || made.Version(4) != topo.Version(4) {
			t.Fatal("NewTopology makes another", err)
		}
		if r, err := NewRoutes(topo, topo.ID(0), 2); err != nil || topo.Len() > 1 && r.Distance(topo.ID(1)) == Far {
			t.Fatal("no routes", err)
		}
	})
}

// A number of colours is part of the version, so satellites that differ in it never agree.
func TestColoursArePartOfTheVersion(t *testing.T) {
	topo := ring(4).topology(t, 0)
	seen := map[Version]bool{}
	for colours := 1; colours <= MaxColours; colours++ {
		seen[topo.Version(colours)] = true
	}
	if len(seen) != MaxColours {
		t.Error("two numbers of colours have one version")
	}
}

// Who tells more cables than can be told apart loses those beyond, and nobody else loses anything.
func TestMoreCablesThanCanBeToldApart(t *testing.T) {
	g := ring(3)
	for range 300 {
		g.join(1, 2, 5)
	}
	a, b := g.topology(t, 0), g.topology(t, 2)
	lo, hi := a.out(1)
	if a.Version(1) != b.Version(1) || hi-lo > MaxPorts || a.Len() != 3 {
		t.Fatalf("%d cables, %d satellites", hi-lo, a.Len())
	}
	if _, err := NewRoutes(a, name(0), 1); err != nil {
		t.Fatal(err)
	}
}

// A cable that was moved to another port of another neighbour is not the cable that the topology tells of.
func TestACableThatWasMovedIsNotTheOldOne(t *testing.T) {
	g := ring(4)
	now := tablesOf(t, g, 0, 1)
	a := NewAgreement()
	met(t, a, g, 0, now)
	c := g.cables[0] // to 1
	a.Down(c.portA)
	a.Up(c.portA, name(3), 77)
	a.Heard(c.portA, now.Routes.Version(), true, a.Serial())
	if a.Legal(0, 1) {
		t.Error("frames for 1 go to 3 for it")
	}
	if len(a.Waiting()) != 0 || a.Agreed() {
		t.Error("detours may go over a cable that leads elsewhere")
	}
}
