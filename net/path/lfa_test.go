package path

import (
	"slices"
	"testing"
)

// alternates counts, of all (source, destination, first hop of a shortest path), those that have an alternate by RFC 5286:
// loop-free (inequality 1), downstream (2), node-protecting (1 and 3). It knows nothing but distances.
type alternates struct{ all, loopFree, downstream, nodes int }

func (g graph) alternates(far [][]uint64) (out alternates) {
	for s := range g.n {
		for d := range g.n {
			for _, e := range g.firstHops(far, s, d) {
				out.all++
				var free, down, node bool
				for n := range g.near(s) {
					if n == e || far[n][d] >= far[n][s]+far[s][d] {
						continue
					}
					free = true
					down = down || far[n][d] < far[s][d]
					node = node || far[n][d] < far[n][e]+far[e][d]
				}
				out.loopFree += one(free)
				out.downstream += one(down)
				out.nodes += one(node)
			}
		}
	}
	return out
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// firstHops gives the neighbours that shortest paths from s to d begin with, ascending.
func (g graph) firstHops(far [][]uint64, s, d int) []int {
	var out []int
	for _, w := range g.cables {
		for _, to := range [][2]int{{w.a, w.b}, {w.b, w.a}} {
			if to[0] == s && s != d && uint64(w.cost)+far[to[1]][d] == far[s][d] {
				out = append(out, to[1])
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// What tests of link-state routing hold implementations against, on their usual graphs: next hops are those of an oracle of distances
// (Floyd and Warshall), and alternates those of the definition. And then the detours: where RFC 5286 has nothing to offer, and
// where it has, each frame that can arrive does, whichever cable or satellite fails.
func TestNextHopsAndAlternatesOfTheDefinition(t *testing.T) {
	for _, test := range []struct {
		what string
		g    graph
		want alternates
	}{
		{"6-ring", ring(6), alternates{36, 12, 12, 12}},    // 2 of 6
		{"8-ring", ring(8), alternates{64, 16, 16, 16}},    // 25 %
		{"9-ring", ring(9), alternates{72, 18, 0, 18}},     // an odd ring has no equal paths: the far two have an alternate that is as far
		{"24-ring", ring(24), alternates{576, 48, 48, 48}}, // 8 %
		{"grid 3x4", grid(3, 4), alternates{204, 144, 144, 144}},
		{"torus 4x4", torus(4, 4), alternates{512, 448, 448, 448}},
	} {
		const colours = 4
		w := agree(t, test.g, colours)
		far := test.g.floyd()
		got := test.g.alternates(far)
		if got != test.want {
			t.Errorf("%s: %+v instead of %+v", test.what, got, test.want)
		}
		used := 0
		for s := range test.g.n {
			for d := range test.g.n {
				hops, seen := test.g.firstHops(far, s, d), map[int]bool{}
				for c := range colours {
					hop, ok := w.tables[s].Routes.Hop(c, d)
					if s == d {
						continue
					}
					if !ok || !slices.Contains(hops, number(hop)) {
						t.Errorf("%s: colour %d, %d to %d goes by %v, shortest are %v", test.what, c, s, d, hop, hops)
					}
					seen[number(hop)] = true
					if _, ok := w.tables[s].Repair.Backup(c, d); !ok {
						t.Errorf("%s: colour %d, %d to %d has no detour", test.what, c, s, d)
					}
				}
				used += len(seen)
			}
		}
		if err := single(w, test.g, 1); err != nil {
			t.Errorf("%s: %v", test.what, err)
		}
		t.Logf("%s: of %d next hops %d%% have a loop-free alternate, %d%% downstream, %d%% node-protecting; %d colours use %d of them", test.what,
			got.all, 100*got.loopFree/got.all, 100*got.downstream/got.all, 100*got.nodes/got.all, colours, used)
	}
}

// The definition itself, by all shortest ways written down: an alternate is loop-free if none of them from it to the destination
// leads back through the source, and node-protecting if none leads through the next hop.
func TestAlternatesByAllWays(t *testing.T) {
	for what, g := range map[string]graph{"6-ring": ring(6), "8-ring": ring(8), "9-ring": ring(9), "grid 3x4": grid(3, 4)} {
		far := g.floyd()
		begins := map[Port]int{} // where an arc does
		for _, w := range g.cables {
			begins[w.portA], begins[w.portB] = w.a, w.b
		}
		through := func(n, d, x int) bool {
			return x == d || slices.ContainsFunc(g.ways(n, d, far[n][d]), func(way []Port) bool {
				return slices.ContainsFunc(way, func(p Port) bool { return begins[p] == x })
			})
		}
		var got alternates
		for s := range g.n {
			for d := range g.n {
				for _, e := range g.firstHops(far, s, d) {
					got.all++
					var free, down, node bool
					for n := range g.near(s) {
						if n == e || through(n, d, s) {
							continue
						}
						free = true
						down = down || len(g.ways(n, d, far[n][d])[0]) < len(g.ways(s, d, far[s][d])[0]) // costs are alike
						node = node || !through(n, d, e)
					}
					got.loopFree += one(free)
					got.downstream += one(down)
					got.nodes += one(node)
				}
			}
		}
		if want := g.alternates(far); got != want {
			t.Errorf("%s: %+v by all ways, %+v by inequalities", what, got, want)
		}
	}
}
