package path

import (
	"math/rand/v2"
	"testing"

	"decenter/net/frame"
)

// graph is a plain list of cables: what the tests and the oracles share.
type graph struct {
	n      int
	cables []wire
}

// wire has a port number at each end that is unique in the whole graph.
type wire struct {
	a, b         int
	portA, portB Port
	cost         uint32
}

func (g *graph) join(a, b int, cost uint32) {
	k := Port(2 * len(g.cables))
	g.cables = append(g.cables, wire{a, b, 100 + k, 101 + k, cost})
}

// near gives the neighbours of i.
func (g graph) near(i int) map[int]bool {
	out := map[int]bool{}
	for _, w := range g.cables {
		if w.a == i {
			out[w.b] = true
		} else if w.b == i {
			out[w.a] = true
		}
	}
	return out
}

// meet lets satellite i hear k over each of their cables.
func meet(a *Agreement, g graph, i, k int) {
	g.between(i, k, func(own, far Port) { a.Up(own, name(k), far) })
}

// hear passes an announcement of k to satellite i.
func hear(a *Agreement, g graph, i, k int, seen Version, ready bool, acked uint64) {
	g.between(i, k, func(own, _ Port) { a.Heard(own, seen, ready, acked) })
}

func (g graph) between(i, k int, do func(own, far Port)) {
	for _, c := range g.cables {
		switch {
		case c.a == i && c.b == k:
			do(c.portA, c.portB)
		case c.a == k && c.b == i:
			do(c.portB, c.portA)
		}
	}
}

// without gives the graph less the cables that are down.
func (g graph) without(down func(wire) bool) graph {
	h := graph{n: g.n}
	for _, w := range g.cables {
		if !down(w) {
			h.cables = append(h.cables, w)
		}
	}
	return h
}

func name(i int) frame.MAC { return frame.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)} }

func number(id frame.MAC) int { return int(id[4])<<8 | int(id[5]) }

func (g graph) told() []Told {
	out := make([]Told, g.n)
	for i := range out {
		out[i].ID = name(i)
	}
	for _, w := range g.cables {
		out[w.a].Links = append(out[w.a].Links, frame.Link{Neighbour: name(w.b), Port: w.portA, NeighbourPort: w.portB, Cost: w.cost})
		out[w.b].Links = append(out[w.b].Links, frame.Link{Neighbour: name(w.a), Port: w.portB, NeighbourPort: w.portA, Cost: w.cost})
	}
	return out
}

func (g graph) topology(t testing.TB, self int) *Topology {
	t.Helper()
	topo, err := NewTopology(name(self), g.told())
	if err != nil {
		t.Fatal(err)
	}
	return topo
}

func ring(n int) graph {
	g := graph{n: n}
	for i := range n {
		if n > 2 || i == 0 {
			g.join(i, (i+1)%n, 10)
		}
	}
	return g
}

func grid(rows, columns int) graph {
	g := graph{n: rows * columns}
	for i := range g.n {
		if i%columns+1 < columns {
			g.join(i, i+1, 10)
		}
		if i+columns < g.n {
			g.join(i, i+columns, 10)
		}
	}
	return g
}

func torus(sizes ...int) graph {
	g := graph{n: 1}
	for _, s := range sizes {
		g.n *= s
	}
	for i := range g.n {
		stride := 1
		for _, s := range sizes {
			at := i / stride % s
			g.join(i, i+((at+1)%s-at)*stride, 10)
			stride *= s
		}
	}
	return g
}

func mesh(n int) graph {
	g := graph{n: n}
	for i := range n {
		for j := range i {
			g.join(j, i, 10)
		}
	}
	return g
}

// scattered is a connected graph with more cables, some of them parallel, and costs of which many are alike.
func scattered(dice *rand.Rand, n, more int, costs ...uint32) graph {
	g := graph{n: n}
	cost := func() uint32 { return costs[dice.IntN(len(costs))] }
	for i := 1; i < n; i++ {
		g.join(dice.IntN(i), i, cost())
	}
	for range more {
		if a, b := dice.IntN(n), dice.IntN(n); a != b {
			g.join(a, b, cost())
		}
	}
	return g
}

// regular is a connected graph of about the given degree: a ring with random chords.
func regular(dice *rand.Rand, n, degree int) graph {
	g := ring(n)
	for len(g.cables) < n*degree/2 {
		if a, b := dice.IntN(n), dice.IntN(n); a != b {
			g.join(a, b, uint32(10*(1+dice.IntN(3))))
		}
	}
	return g
}

// usual is the collection of graphs that every check goes through.
func usual() map[string]graph {
	return map[string]graph{
		"two": ring(2), "triangle": ring(3), "ring of 6": ring(6), "ring of 8": ring(8), "ring of 9": ring(9), "ring of 24": ring(24),
		"grid 3x4": grid(3, 4), "torus 4x4": torus(4, 4), "torus 5x5": torus(5, 5), "torus 3x3x3": torus(3, 3, 3),
		"mesh of 5": mesh(5), "mesh of 8": mesh(8),
	}
}

// floyd is the slow obvious oracle of distances (Floyd 1962, Warshall 1962).
func (g graph) floyd() [][]uint64 {
	const far = 1 << 60
	d := make([][]uint64, g.n)
	for i := range d {
		d[i] = make([]uint64, g.n)
		for j := range d[i] {
			if i != j {
				d[i][j] = far
			}
		}
	}
	for _, w := range g.cables {
		d[w.a][w.b] = min(d[w.a][w.b], uint64(w.cost))
		d[w.b][w.a] = d[w.a][w.b]
	}
	for k := range d {
		for i := range d {
			for j := range d {
				d[i][j] = min(d[i][j], d[i][k]+d[k][j])
			}
		}
	}
	for i := range d {
		for j := range d {
			if d[i][j] >= far {
				d[i][j] = Far
			}
		}
	}
	return d
}
