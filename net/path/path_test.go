package path

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// long multiplies the number of random cases; set NET_PATH_LONG for a run of hours.
func long(n int) int {
	if k, err := strconv.Atoi(os.Getenv("NET_PATH_LONG")); err == nil {
		return n * k
	}
	return n
}

func drawn(t *rapid.T) graph {
	dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	n := rapid.IntRange(2, 14).Draw(t, "satellites")
	more := rapid.IntRange(0, 2*n).Draw(t, "more cables")
	if rapid.Bool().Draw(t, "alike") {
		return scattered(dice, n, more, 10)
	}
	return scattered(dice, n, more, 1, 2, 3, 5)
}

// whole checks a world without failures against the oracle: each colour's path is shortest, is the reverse of the
// reverse, and the marks are those of the path.
func whole(w *world, g graph, colours int) error {
	far := g.floyd()
	for s := range g.n {
		for d := range g.n {
			for c := range colours {
				v, way, err := w.walk(c, s, d)
				if err != nil || v != Deliver {
					return fmt.Errorf("%d to %d: %v, %v", s, d, v, err)
				}
				_, back, _ := w.walk(c, d, s)
				if err := w.mirrored(g, way, back, far[s][d]); err != nil {
					return fmt.Errorf("colour %d, %d to %d: %w", c, s, d, err)
				}
				for x := range g.n {
					on := slices.ContainsFunc(way, func(h hole) bool { return h.node == x })
					if on != w.tables[x].Repair.OnPath(c, s, d) {
						return fmt.Errorf("colour %d, %d to %d: mark at %d is %v", c, s, d, x, !on)
					}
				}
			}
		}
		for x := range g.n {
			if got := w.tables[s].Routes.Distance(name(x)); got != far[s][x] {
				return fmt.Errorf("distance %d to %d is %d instead of %d", s, x, got, far[s][x])
			}
		}
	}
	return nil
}

func (w *world) mirrored(g graph, way, back []hole, far uint64) error {
	cost := map[Port]uint64{}
	for _, c := range g.cables {
		cost[c.portA], cost[c.portB] = uint64(c.cost), uint64(c.cost)
	}
	var length uint64
	for i, h := range way[1:] {
		length += cost[h.port]
		if b := back[len(back)-1-i]; w.far[h.port] != b {
			return fmt.Errorf("%v back is %v", way, back)
		}
	}
	if length != far {
		return fmt.Errorf("%v has length %d instead of %d", way, length, far)
	}
	return nil
}

// single breaks each cable and each satellite in turn.
func single(w *world, g graph, colours int) error {
	for i, c := range g.cables {
		w.mend()
		w.cut(c)
		if err := w.repairs(colours); err != nil {
			return fmt.Errorf("cable %d (%d to %d) down: %w", i, c.a, c.b, err)
		}
	}
	for i := range g.n {
		w.mend()
		w.dead[i] = true
		if err := w.repairs(colours); err != nil {
			return fmt.Errorf("satellite %d dead: %w", i, err)
		}
	}
	w.mend()
	return nil
}

// many breaks several at once: nothing need arrive, but nothing may loop.
func many(w *world, g graph, dice *rand.Rand, rounds, colours int) error {
	for range rounds {
		w.mend()
		for range 2 + dice.IntN(4) {
			if dice.IntN(4) == 0 {
				w.dead[dice.IntN(g.n)] = true
			} else {
				w.cut(g.cables[dice.IntN(len(g.cables))])
			}
		}
		if err := w.whirls(colours); err != nil {
			return err
		}
	}
	w.mend()
	return nil
}

func TestUsualGraphs(t *testing.T) {
	for what, g := range usual() {
		t.Run(what, func(t *testing.T) {
			const colours = 2
			w := agree(t, g, colours)
			if err := whole(w, g, colours); err != nil {
				t.Error(err)
			}
			if err := single(w, g, colours); err != nil {
				t.Error(err)
			}
			if err := many(w, g, rand.New(rand.NewPCG(1, 2)), long(5), colours); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDrawnGraphs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const colours = 2
		g := drawn(t)
		w := agree(fake{rapid: t}, g, colours)
		dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "failures"), 2))
		for _, err := range []error{whole(w, g, colours), single(w, g, colours), many(w, g, dice, 10, colours)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Sparse graphs of more satellites, where subtrees are deep and must help one another.
func TestLargerGraphs(t *testing.T) {
	dice := rand.New(rand.NewPCG(10, 11))
	for i := range long(3) {
		g := regular(dice, 20+dice.IntN(20), 3)
		if i%2 == 1 {
			g = scattered(dice, 20+dice.IntN(20), 25, 1, 2, 10)
		}
		w := agree(t, g, 1)
		for _, err := range []error{single(w, g, 1), many(w, g, dice, 5, 1)} {
			if err != nil {
				t.Fatalf("graph %d: %v", i, err)
			}
		}
	}
}

// Cables come and go while a frame is on its way, and still it comes nowhere twice.
func TestFlappingDoesNotLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawn(t)
		w := agree(fake{rapid: t}, g, 1)
		dice := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "flapping"), 2))
		w.flap = func() {
			w.mend()
			for _, c := range g.cables {
				if dice.IntN(5) == 0 {
					w.cut(c)
				}
			}
		}
		for s := range g.n {
			for d := range g.n {
				for range 3 {
					if _, _, err := w.walk(0, s, d); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
}

// Two cables down, or one and a satellite: without F1 or F4 a frame goes to and fro between them.
func TestWithoutF1OrF4ItLoops(t *testing.T) {
	for rule, without := range map[string]func(*world){
		"F1": func(w *world) { w.routers = true },
		"F4": func(w *world) { w.again = true },
	} {
		t.Run(rule, func(t *testing.T) {
			w := agree(t, ring(6), 1)
			without(w)
			err := many(w, ring(6), rand.New(rand.NewPCG(8, 9)), 1000, 1)
			if err == nil {
				t.Fatal("no loop was found")
			}
			t.Log(err)
		})
	}
}

// The marks of F1 are needed: neither the port toward the source tells enough, nor that and whether the frame comes from a
// neighbour whose next hop to the destination is this satellite, which both would need no table of pairs.
func TestWithoutMarksItLoops(t *testing.T) {
	for what, mark := range map[string]func(*world) func(hole, Tables, int, int, int) bool{
		"port": func(*world) func(hole, Tables, int, int, int) bool {
			return func(hole, Tables, int, int, int) bool { return true }
		},
		"port and next hop": func(w *world) func(hole, Tables, int, int, int) bool {
			return func(at hole, t Tables, c, _, d int) bool {
				from := w.far[at.port]
				out, ok := w.tables[from.node].Routes.Next(c, d)
				return ok && out == from.port
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(12, 13))
			for i := range long(3000) {
				g := scattered(dice, 4+i%9, 2+i%9, 1, 2, 3)
				w := agree(t, g, 1)
				w.mark = mark(w)
				if err := many(w, g, dice, 10, 1); err != nil {
					t.Logf("after %d graphs: %v", i, err)
					return
				}
			}
			t.Error("no loop was found")
		})
	}
}

// The slow oracle of colours: of all shortest ways, written down one by one, a colour's is the one of least weight.
func TestColoursAgainstAllShortestWays(t *testing.T) {
	for _, g := range []graph{torus(4, 4), mesh(5), scattered(rand.New(rand.NewPCG(1, 1)), 9, 20, 1, 2)} {
		const colours = 4
		w := agree(t, g, colours)
		topo := g.topology(t, 0)
		weight, differ := topo.weights(colours), 0
		for s := range g.n {
			for d := range g.n {
				var chosen [colours]string
				for c := range colours {
					var least uint64
					for _, way := range g.ways(s, d, g.floyd()[s][d]) {
						if sum := topo.sum(weight, way, c, colours); chosen[c] == "" || sum < least {
							least, chosen[c] = sum, fmt.Sprint(way)
						}
					}
					_, way, _ := w.walk(c, s, d)
					ports := []Port{}
					for _, h := range way[1:] {
						ports = append(ports, w.far[h.port].port)
					}
					if fmt.Sprint(ports) != chosen[c] {
						t.Fatalf("colour %d, %d to %d: %v instead of %v", c, s, d, ports, chosen[c])
					}
					if chosen[c] != chosen[0] {
						differ++
					}
				}
			}
		}
		t.Logf("%d of %d pairs and colours go another way than colour 0", differ, g.n*(g.n-1)*(colours-1))
	}
}

// ways writes down all ways of a length, as the ports by which they go out.
func (g graph) ways(s, d int, length uint64) [][]Port {
	if s == d && length == 0 {
		return [][]Port{{}}
	}
	var out [][]Port
	for _, c := range g.cables {
		for _, e := range []wire{c, {a: c.b, b: c.a, portA: c.portB, cost: c.cost}} {
			if e.a == s && uint64(e.cost) <= length {
				for _, rest := range g.ways(e.b, d, length-uint64(e.cost)) {
					out = append(out, append([]Port{e.portA}, rest...))
				}
			}
		}
	}
	return out
}

func (t *Topology) sum(weight []uint64, way []Port, colour, colours int) (sum uint64) {
	for _, p := range way {
		a := slices.IndexFunc(t.arcs, func(a arc) bool { return a.port == p })
		sum += weight[a*colours+colour]
	}
	return sum
}

// fake lets helpers that want a testing.TB fail a rapid test.
type fake struct {
	testing.TB
	rapid *rapid.T
}

func (f fake) Helper()           {}
func (f fake) Fatal(args ...any) { f.rapid.Fatal(args...) }
