package explore

import (
	"fmt"
	"math/bits"
	"math/rand/v2"
)

// Graphs lists the connected graphs of n satellites, one of each shape, as lists of pairs.
func Graphs(n int) [][][2]int {
	var all [][2]int
	for b := range n {
		for a := range b {
			all = append(all, [2]int{a, b})
		}
	}
	orders := permutations(n)
	var out [][][2]int
	for mask := range uint32(1) << len(all) {
		if connected(n, all, mask) && least(mask, all, orders) {
			out = append(out, chosen(all, mask))
		}
	}
	return out
}

func chosen(all [][2]int, mask uint32) (out [][2]int) {
	for i, e := range all {
		if mask>>i&1 == 1 {
			out = append(out, e)
		}
	}
	return out
}

func connected(n int, all [][2]int, mask uint32) bool {
	reached := uint32(1)
	for range n {
		for _, e := range chosen(all, mask) {
			if (reached>>e[0]|reached>>e[1])&1 == 1 {
				reached |= 1<<e[0] | 1<<e[1]
			}
		}
	}
	return bits.OnesCount32(reached) == n
}

// least tells whether no renaming gives a smaller mask, so that of each shape one is taken.
func least(mask uint32, all [][2]int, orders [][]int) bool {
	at := map[[2]int]int{}
	for i, e := range all {
		at[e], at[[2]int{e[1], e[0]}] = i, i
	}
	for _, o := range orders {
		renamed := uint32(0)
		for _, e := range chosen(all, mask) {
			renamed |= 1 << at[[2]int{o[e[0]], o[e[1]]}]
		}
		if renamed < mask {
			return false
		}
	}
	return true
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var out [][]int
	for _, p := range permutations(n - 1) {
		for at := range n {
			o := append(append(append([]int{}, p[:at]...), n-1), p[at:]...)
			out = append(out, o)
		}
	}
	return out
}

// Cost says what the cables of a scenario cost: all alike, or drawn from few values, so that there are ties and detours.
func cables(pairs [][2]int, dice *rand.Rand, costs ...int) []Cable {
	var out []Cable
	for _, e := range pairs {
		out = append(out, Cable{e[0], e[1], costs[dice.IntN(len(costs))]})
	}
	return out
}

// Change is what happens to the cables of a scenario, as versions and what may follow what.
type Change struct {
	Name     string
	Versions []uint32
	Next     [][]int
	Adopt    int
}

// One is a cable that fails.
func One(all uint32, x int) Change {
	return Change{fmt.Sprintf("cable %d fails", x), []uint32{all, all &^ (1 << x)}, [][]int{{1}, nil}, 1}
}

// Comes is a cable that is new.
func Comes(all uint32, x int) Change {
	return Change{fmt.Sprintf("cable %d comes", x), []uint32{all &^ (1 << x), all}, [][]int{{1}, nil}, 1}
}

// Back is a cable that fails and comes back.
func Back(all uint32, x int) Change {
	return Change{fmt.Sprintf("cable %d fails and comes back", x), []uint32{all, all &^ (1 << x)}, [][]int{{1}, {0}}, 2}
}

// Two is a cable that fails while another one fails or comes; satellites learn of the two in any order, or of both at once.
func Two(all uint32, x, y int, comes bool) Change {
	v0, v1, v2, v3 := all, all&^(1<<x), all&^(1<<y), all&^(1<<x|1<<y)
	what := "fails"
	if comes {
		v0, v1, v2, v3 = v2, v3, v0, v1
		what = "comes"
	}
	return Change{fmt.Sprintf("cable %d fails and cable %d %s", x, y, what), []uint32{v0, v1, v2, v3}, [][]int{{1, 2, 3}, {3}, {3}, nil}, 2}
}

// Of makes a scenario.
func (c Change) Of(name string, n int, cables []Cable, colours int) Scenario {
	return Scenario{Name: name + ": " + c.Name, N: n, Cables: cables, Colours: colours, Versions: c.Versions, Next: c.Next, Adopt: c.Adopt}
}
