package sim

// far is a distance to what cannot be reached.
const far = 1 << 50

// graph is what the world's cables make of its satellites, as one sees who walks along them.
type graph struct {
	n    int
	cost [][]uint64 // by pair, of the best cable; far: none
	dist [][]uint64 // Floyd and Warshall
	part []int      // satellites first, then switches, then hosts: equal if frames can get from one to the other
}

// priceOf is 20 Tbit/s over the speed (802.1D-2004 table 17-3).
func priceOf(mbps uint64) uint64 { return max(20_000_000/max(mbps, 1), 1) }

// bothWays tells whether a cable of two ends works in both directions.
func (c *cable) bothWays() bool { return len(c.ends) == 2 && c.works(0, 1) && c.works(1, 0) }

// alive tells whether a node can forward.
func (w *world) alive(e *end) bool {
	return e.kind != AtSatellite || w.sats[e.node].power && w.sats[e.node].runs()
}

// node numbers satellites, switches and hosts in one row.
func (w *world) node(e *end) int {
	switch e.kind {
	case AtSatellite:
		return e.node
	case AtSwitch:
		return len(w.sats) + e.node
	}
	return len(w.sats) + len(w.switches) + e.node
}

// look draws the graph of what works now. Hubs are left out: satellites are not asked to use them.
func (w *world) look() *graph {
	n := len(w.sats)
	g := &graph{n: n, part: make([]int, n+len(w.switches)+len(w.hosts))}
	for i := range g.part {
		g.part[i] = i
	}
	for range n {
		row := make([]uint64, n)
		for j := range row {
			row[j] = far
		}
		g.cost = append(g.cost, row)
	}
	for _, c := range w.cables {
		if !c.bothWays() {
			continue
		}
		a, b := &w.ends[c.ends[0]], &w.ends[c.ends[1]]
		if !w.alive(a) || !w.alive(b) {
			continue
		}
		g.join(w.node(a), w.node(b))
		if i, j := a.node, b.node; c.fabric && i != j {
			g.cost[i][j] = min(g.cost[i][j], priceOf(c.mbps))
			g.cost[j][i] = g.cost[i][j]
		}
	}
	for i, h := range w.hosts {
		if h.sat >= 0 {
			g.join(h.sat, n+len(w.switches)+i)
		}
	}
	return g
}

func (g *graph) join(a, b int) {
	from, to := g.part[a], g.part[b]
	for i, p := range g.part {
		if p == from {
			g.part[i] = to
		}
	}
}

// distances fills dist.
func (g *graph) distances() {
	for i, row := range g.cost {
		g.dist = append(g.dist, append([]uint64(nil), row...))
		g.dist[i][i] = 0
	}
	for k := range g.n {
		for i := range g.n {
			if g.dist[i][k] == far {
				continue
			}
			for j := range g.n {
				g.dist[i][j] = min(g.dist[i][j], g.dist[i][k]+g.dist[k][j])
			}
		}
	}
}

// spans tells whether the gates that engines opened connect all satellites that working cables connect: cheap, and false
// long before frames show it.
func (w *world) spans() bool {
	part := make([]int, len(w.sats))
	for i := range part {
		part[i] = i
	}
	find := func(i int) int {
		for part[i] != i {
			i = part[i]
		}
		return i
	}
	for open := range 2 {
		for _, c := range w.cables {
			if !c.fabric || !c.bothWays() {
				continue
			}
			a, b := c.ends[0], c.ends[1]
			if !w.alive(&w.ends[a]) || !w.alive(&w.ends[b]) {
				continue
			}
			i, j := find(w.ends[a].node), find(w.ends[b].node)
			switch {
			case open == 0 && w.checks.ports[a].gate && w.checks.ports[b].gate:
				part[i] = j
			case open == 1 && i != j:
				return false
			}
		}
	}
	return true
}
