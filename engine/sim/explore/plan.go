package explore

import (
	"fmt"
	"slices"
)

// Scenario is one exploration: a graph, what may happen to it, and how far to go.
type Scenario struct {
	Name     string
	N        int // satellites
	Cables   []Cable
	Colours  int
	Versions []uint32 // by version the cables that exist, as bits; all satellites begin in agreement on the first
	Next     [][]int  // by version those that a satellite may learn of next; any satellite, at any time
	Adopt    int      // how often each satellite does so at most
	Flap     []int    // the cables over which two satellites may cease to be neighbours, or become them, each end at its own time
	Flaps    int      // how often at each end
	Queue    int      // announcements under way in each direction; 0: they arrive at once, but are sent at any time
	Limit    int      // states at most; 0: no limit
	Rules    Rules
}

// plan is a scenario with all that can be worked out before.
type plan struct {
	Scenario
	views  []*view
	start  []uint8     // by satellite: its view of the first version
	then   [][][]uint8 // by satellite and view: the views that it may adopt next
	near   []int       // by arc: the place among the peers of the satellite at its tail
	pairs  [][2]int
	flap   []bool // by pair
	ends   []end
	actors []int   // the satellites that do anything
	from   [][]int // by satellite and place among its peers: the end
}

// end is one satellite's end of a pair, which is a cable: two cables between the same two are two conversations. Ends 2k and
// 2k+1 are those of pair k, as are arcs.
type end struct{ self, other, peer int }

func newPlan(s Scenario) *plan {
	p := &plan{Scenario: s, from: make([][]int, s.N)}
	for arc := range 2 * len(s.Cables) {
		self := p.tail(arc)
		if len(p.from[self]) == maxDegree {
			panic(fmt.Sprintf("explore: %s: satellite %d has more than %d cables", s.Name, self, maxDegree))
		}
		p.near = append(p.near, len(p.from[self]))
		p.ends = append(p.ends, end{self, p.head(arc), len(p.from[self])})
		p.from[self] = append(p.from[self], arc)
	}
	for c, cable := range s.Cables {
		p.pairs = append(p.pairs, [2]int{cable.A, cable.B})
		p.flap = append(p.flap, slices.Contains(s.Flap, c))
	}
	seen := map[[2]uint32]uint8{}
	index := func(version, self int) uint8 {
		v := p.look(s.Versions[version], self)
		k := [2]uint32{v.cables, v.nodes}
		if _, in := seen[k]; !in {
			seen[k] = uint8(len(p.views))
			p.views = append(p.views, v)
		}
		return seen[k]
	}
	of := make([][]uint8, s.N)
	for i := range s.N {
		p.actors = append(p.actors, i)
		for v := range s.Versions {
			of[i] = append(of[i], index(v, i))
		}
		p.start = append(p.start, of[i][0])
	}
	for i := range s.N {
		p.then = append(p.then, p.successors(of[i]))
	}
	if len(p.views) > 32 || s.Adopt >= serials || len(s.Cables) > 31 {
		panic(fmt.Sprintf("explore: %s is too large", s.Name))
	}
	return p
}

// successors gives by view the views that may be next, past versions in which a satellite sees no difference.
func (p *plan) successors(of []uint8) [][]uint8 {
	out := make([][]uint8, len(p.views))
	for v := range of {
		line := []int{v}
		for at := 0; at < len(line); at++ {
			for _, w := range p.Next[line[at]] {
				switch {
				case of[w] != of[v]:
					if !slices.Contains(out[of[v]], of[w]) {
						out[of[v]] = append(out[of[v]], of[w])
					}
				case !slices.Contains(line, w):
					line = append(line, w)
				}
			}
		}
	}
	return out
}

// begin gives the local state in which all agree on the first version.
func (p *plan) begin(i int) local {
	l := local{}.adopt(p.start[i])
	l = l.worked()
	for k, arc := range p.from[i] {
		if p.Versions[0]>>(arc/2)&1 == 1 {
			l = l.up(k)
			l = l.hear(k, message{view: p.start[p.head(arc)], serial: 1, ready: true, echo: 1})
		}
	}
	return l
}
