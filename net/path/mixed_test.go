package path

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// mixture is a moment at which satellites hold different topologies, and have heard different things of one another.
type mixture struct {
	w          *world
	views      []graph           // what a satellite may hold; the first is the whole
	told       [][]int           // by satellite: the views it has adopted, in order
	tables     map[[2]int]Tables // by satellite and view
	busy       []bool            // by satellite: it has not worked through the Repair of its last view yet
	agreements []*Agreement
	heard      []map[Port]int // heard[i][p]: the place in the neighbour's told of what i has last heard by its port p
}

// shuffle draws a moment. All once agreed on one graph. Then cables broke, came back and came new, and each satellite heard
// of it in its own order, or not yet.
func shuffle(t testing.TB, g graph, dice *rand.Rand, colours int) *mixture {
	less := func() graph {
		gone := map[Port]bool{}
		for range dice.IntN(3) {
			gone[g.cables[dice.IntN(len(g.cables))].portA] = true
		}
		return g.without(func(c wire) bool { return gone[c.portA] })
	}
	m := &mixture{views: []graph{less(), less(), less()}, tables: map[[2]int]Tables{}}
	m.w = agree(t, m.views[0], colours)
	m.w.plug(g)
	for range dice.IntN(4) {
		m.w.cut(g.cables[dice.IntN(len(g.cables))])
	}
	for i := range g.n {
		m.told = append(m.told, []int{0})
		for range dice.IntN(3) * dice.IntN(3) / 2 {
			m.told[i] = append(m.told[i], dice.IntN(len(m.views)))
		}
		m.busy = append(m.busy, len(m.told[i]) > 1 && dice.IntN(4) == 0)
		m.heard = append(m.heard, map[Port]int{})
	}
	for i := range g.n {
		for k := range g.near(i) {
			g.between(i, k, func(own, _ Port) {
				m.heard[i][own] = dice.IntN(len(m.told[k]))
				if dice.IntN(2) == 0 {
					m.heard[i][own] = len(m.told[k]) - 1
				}
			})
		}
	}
	for i := range g.n {
		m.settle(t, g, i, colours, dice)
	}
	return m
}

// settle lets satellite i live through what the mixture says, by the Agreement's own methods.
func (m *mixture) settle(t testing.TB, g graph, i, colours int, dice *rand.Rand) {
	version := func(k, view int) Version { return m.views[view].topology(t, k).Version(colours) }
	a := NewAgreement()
	now := m.w.tables[i]
	a.Adopt(now.Routes)
	a.Ready(now.Repair)
	before := map[Port]bool{}
	for k := range m.views[0].near(i) {
		m.views[0].between(i, k, func(own, far Port) {
			before[own] = true
			a.Up(own, name(k), far)
			a.Heard(own, version(k, 0), true, 1)
		})
	}
	for at, view := range m.told[i][1:] {
		now = m.of(t, i, view, colours)
		a.Adopt(now.Routes)
		if !m.busy[i] || at+2 < len(m.told[i]) {
			a.Ready(now.Repair)
		}
	}
	for k := range g.near(i) {
		g.between(i, k, func(own, far Port) {
			heard, known := m.heard[i][own], m.heard[k][far] // what k knows of i; its echo may be under way
			switch {
			case before[own]:
				if dice.IntN(4) == 0 {
					known = dice.IntN(known + 1)
				}
				a.Heard(own, version(k, m.told[k][heard]), !m.busy[k] || heard+1 < len(m.told[k]), uint64(known+1))
			default: // plugged in a moment ago: both tell what they hold now
				a.Up(own, name(k), far)
				if heard > 0 {
					echo := uint64(0)
					if known > 0 {
						echo = a.Serial()
					}
					a.Heard(own, version(k, m.told[k][len(m.told[k])-1]), !m.busy[k], echo)
				}
			}
		})
	}
	m.tables[[2]int{i, -1}] = a.Tables()
	m.agreements = append(m.agreements, a)
}

func (m *mixture) of(t testing.TB, i, view, colours int) Tables {
	k := [2]int{i, view}
	if _, in := m.tables[k]; !in {
		m.tables[k] = tablesOf(t, m.views[view], i, colours)
	}
	return m.tables[k]
}

// look gives the world of the moment with a rule or two left out.
func (m *mixture) look(change func(*Tables)) *world {
	w := *m.w
	w.tables = nil
	for i := range w.n {
		now := m.tables[[2]int{i, -1}]
		if change != nil {
			change(&now)
		}
		w.tables = append(w.tables, now)
	}
	return &w
}

func TestMixedVersionsDoNotLoop(t *testing.T) {
	detours, legal := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		const colours = 1
		g := drawn(t)
		dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "moment"), 3))
		for range 5 {
			w := shuffle(fake{rapid: t}, g, dice, colours).look(nil)
			if err := w.whirls(colours); err != nil {
				t.Fatal(err)
			}
			for _, now := range w.tables {
				if now.Agreed {
					detours++
				}
				for d := range now.Routes.Topology().Len() {
					if now.Allows(0, d) {
						legal++
					}
				}
			}
		}
	})
	t.Logf("%d satellites could take detours, %d next hops were legal", detours, legal)
	if detours == 0 || legal == 0 {
		t.Error("nothing was tried")
	}
}

// U1 alone, of everything: a satellite that looks at nothing but the destination, as an ordinary router does.
func TestU1AloneDoesNotLoop(t *testing.T) {
	blind := func(m *mixture, change func(*Tables)) *world {
		w := m.look(func(t *Tables) {
			t.Agreed = false
			if change != nil {
				change(t)
			}
		})
		w.routers = true
		return w
	}
	dice := rand.New(rand.NewPCG(6, 7))
	for range long(500) {
		if err := blind(shuffle(t, scattered(dice, 8, 8, 1, 2, 3), dice, 1), nil).whirls(1); err != nil {
			t.Fatal(err)
		}
	}
	t.Log("without U1: ", hunt(t, func(m *mixture) error {
		return blind(m, func(t *Tables) { t.Legal = nil }).whirls(1)
	}))
}

// Without its first half F6 does not hold what it promises. (Of the second, TestPathsOfBeforeAreNeeded.)
func TestDetoursWithoutAgreementLoop(t *testing.T) {
	t.Log(hunt(t, func(m *mixture) error { return m.look(func(t *Tables) { t.Agreed = true }).whirls(1) }))
}

// hunt goes through moments until a check fails.
func hunt(t *testing.T, check func(*mixture) error) error {
	dice := rand.New(rand.NewPCG(4, 5))
	for i := range long(20000) {
		n := 4 + i/40%5
		g := ring(n)
		if i%2 == 0 {
			g = scattered(dice, n, n, 1, 2, 3)
		}
		if err := check(shuffle(t, g, dice, 1)); err != nil {
			return fmt.Errorf("after %d moments: %w", i, err)
		}
	}
	t.Fatal("no loop was found")
	return nil
}
