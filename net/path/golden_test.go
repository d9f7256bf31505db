package path

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"
)

// Satellites of different releases must compute the same tables from the same topology, down to ties. Whoever changes this digest makes
// the two kinds of satellite disagree on detours, and has to make their versions differ too.
func TestTablesAreTheSameInEachRelease(t *testing.T) {
	const want = "ddd5a0335699937c2dd317e913242cead03d3651886035b6f62fb6b309054688"
	h := sha256.New()
	dice := rand.New(rand.NewPCG(10, 11))
	for i := range 30 {
		n := 3 + dice.IntN(40)
		costs := []uint32{1, 2, 3}
		if i%2 == 0 {
			costs = []uint32{10}
		}
		g := scattered(dice, n, dice.IntN(2*n), costs...)
		for s := range n {
			r, err := NewRoutes(g.topology(t, s), name(s), 3)
			if err != nil {
				t.Fatal(err)
			}
			p := NewRepair(r)
			p.Step(n)
			fmt.Fprint(h, p.backup, p.off, p.marks)
		}
	}
	if got := fmt.Sprintf("%x", h.Sum(nil)); got != want {
		t.Error("the tables have digest", got)
	}
}
