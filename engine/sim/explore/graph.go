package explore

import (
	"cmp"
	"slices"
)

const (
	none = -1
	far  = 1 << 30 // the distance of what cannot be reached
)

// Cable joins two satellites; several may join the same two.
type Cable struct {
	A, B int
	Cost int
}

// arc is one direction of a cable: arc 2c goes from A to B of cable c, arc 2c+1 back.
func (p *plan) tail(arc int) int {
	if arc%2 == 0 {
		return p.Cables[arc/2].A
	}
	return p.Cables[arc/2].B
}

func (p *plan) head(arc int) int { return p.tail(arc ^ 1) }

// port is the number that the satellite at the arc's tail gives to the port there.
func port(arc int) uint32 { return uint32(100 + arc) }

// word is a satellite's id as a number.
func word(i int) uint64 { return 2<<40 | uint64(i+1) }

// view is what a satellite that holds a topology knows by it: the part of a version that can be reached from there.
// Two satellites hold the same topology if and only if they hold the same view.
type view struct {
	cables uint32 // by bit
	nodes  uint32
	order  []int       // the arcs, by (tail, head, port), which is how ties among exits are broken
	dist   [][]int     // by satellites
	trees  [][]*tree   // by colour and destination; nil outside of the view
	marks  [][][]int   // [colour][source][destination]: the satellites of the path, as bits
	first  [][][]int   // [colour][satellite][destination]: the arc out; none
	detour [][]*detour // by colour and destination
}

// tree is all paths of one colour to one destination.
type tree struct {
	up    []int // by satellite: the arc toward the destination; none at it
	depth []int
	order []int // the satellites, by (distance, index)
}

// mix is the finalizer of SplitMix64, of which net/path's tie-breakers are made. What differs from it there would show as
// another path, and is compared.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// weight is a cable's tie-breaker for a colour: the same both ways.
func (p *plan) weight(cable, colour int) uint64 {
	out := 2 * cable
	if p.tail(out) > p.head(out) {
		out++
	}
	h := mix(mix(word(p.tail(out))<<16^uint64(port(out))) ^ word(p.head(out)))
	h = mix(h ^ uint64(port(out^1))<<32 ^ uint64(port(out)))
	return mix(h+uint64(colour)*0x9e3779b97f4a7c15) >> 17
}

// look works out the view of satellite self of a version.
func (p *plan) look(version uint32, self int) *view {
	v := &view{nodes: 1 << self}
	for again := true; again; {
		again = false
		for c := range p.Cables {
			a, b := p.Cables[c].A, p.Cables[c].B
			if version>>c&1 == 1 && v.cables>>c&1 == 0 && (v.nodes>>a|v.nodes>>b)&1 == 1 {
				v.cables |= 1 << c
				v.nodes |= 1<<a | 1<<b
				again = true
			}
		}
	}
	for a := range 2 * len(p.Cables) {
		if v.cables>>(a/2)&1 == 1 {
			v.order = append(v.order, a)
		}
	}
	slices.SortFunc(v.order, func(x, y int) int {
		return cmp.Or(cmp.Compare(p.tail(x), p.tail(y)), cmp.Compare(p.head(x), p.head(y)), cmp.Compare(x, y))
	})
	v.dist = make([][]int, p.N)
	v.trees, v.marks, v.first, v.detour = make([][]*tree, p.Colours), make([][][]int, p.Colours), make([][][]int, p.Colours), make([][]*detour, p.Colours)
	for c := range p.Colours {
		v.trees[c], v.detour[c] = make([]*tree, p.N), make([]*detour, p.N)
		v.marks[c], v.first[c] = matrix(p.N, 0), matrix(p.N, none)
		for d := range p.N {
			dist, t := p.grow(v, c, d)
			v.dist[d] = dist
			if v.nodes>>d&1 == 0 {
				continue
			}
			v.trees[c][d] = t
			for s := range p.N {
				for at := s; t.up[s] != none; at = p.head(t.up[at]) {
					v.marks[c][s][d] |= 1 << at
					if at == d {
						break
					}
				}
				v.first[c][s][d] = t.up[s]
			}
			v.detour[c][d] = p.detours(v, t, dist, d)
		}
	}
	return v
}

func matrix(n, value int) [][]int {
	m := make([][]int, n)
	for i := range m {
		m[i] = slices.Repeat([]int{value}, n)
	}
	return m
}

// grow relaxes all arcs until nothing changes (Bellman 1958), in the order (length, sum of tie-breakers).
func (p *plan) grow(v *view, colour, d int) ([]int, *tree) {
	dist, tie := slices.Repeat([]int{far}, p.N), make([]uint64, p.N)
	t := &tree{up: slices.Repeat([]int{none}, p.N), depth: make([]int, p.N)}
	dist[d] = 0
	for again := true; again; {
		again = false
		for _, a := range v.order {
			x, y := p.tail(a), p.head(a)
			if x == d || dist[y] == far {
				continue
			}
			length, sum := dist[y]+p.Cables[a/2].Cost, tie[y]+p.weight(a/2, colour)
			if length < dist[x] || length == dist[x] && sum < tie[x] {
				dist[x], tie[x], t.up[x], again = length, sum, a, true
			}
		}
	}
	for x := range p.N {
		if dist[x] < far {
			t.order = append(t.order, x)
			for at := x; at != d; at = p.head(t.up[at]) {
				t.depth[x]++
			}
		}
	}
	slices.SortFunc(t.order, func(x, y int) int { return cmp.Or(cmp.Compare(dist[x], dist[y]), cmp.Compare(x, y)) })
	return dist, t
}
