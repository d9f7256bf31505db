package path

import "math"

// Far is the distance of what cannot be reached.
const Far = math.MaxUint64

const none = -1

// spf is the working memory of shortest-path runs over one topology; a run leaves its result there.
type spf struct {
	t       *Topology
	colours int
	weight  []uint64 // [arc*colours+colour]
	dist    []uint64 // to the root
	order   []int32  // by distance
	up      []int32  // [v*colours+colour]: arc from v toward the root; none at the root
	tie     []uint64 // [v*colours+colour]: sum of weights along it
	heap    []uint64 // distance<<16 | index, smallest first
}

func newSPF(t *Topology, colours int) *spf {
	n := t.Len()
	return &spf{t: t, colours: colours, weight: t.weights(colours), dist: make([]uint64, n), order: make([]int32, 0, n),
		up: make([]int32, n*colours), tie: make([]uint64, n*colours)}
}

// distances runs Dijkstra's algorithm. Costs are at least 1, so order puts the head of each arc that shortens before its tail.
func (s *spf) distances(root int) {
	for i := range s.dist {
		s.dist[i] = Far
	}
	s.dist[root] = 0
	s.order = s.order[:0]
	s.heap = append(s.heap[:0], uint64(root))
	for len(s.heap) > 0 {
		k := s.pop()
		v, d := int(k&0xffff), k>>16
		if d != s.dist[v] {
			continue
		}
		s.order = append(s.order, int32(v))
		lo, hi := s.t.out(v)
		for _, a := range s.t.arcs[lo:hi] {
			if e := d + uint64(a.cost); e < s.dist[a.to] {
				s.dist[a.to] = e
				s.push(e<<16 | uint64(a.to))
			}
		}
	}
}

// run finds distances and, for each colour, the shortest-path tree of least weight toward the root.
func (s *spf) run(root int) {
	s.distances(root)
	k := s.colours
	for i := range s.up {
		s.up[i], s.tie[i] = none, Far
	}
	for c := range k {
		s.tie[root*k+c] = 0
	}
	for _, v := range s.order[1:] {
		tie, up := s.tie[int(v)*k:][:k], s.up[int(v)*k:][:k]
		lo, hi := s.t.out(int(v))
		for a := lo; a < hi; a++ {
			x := &s.t.arcs[a]
			if s.dist[x.to]+uint64(x.cost) != s.dist[v] {
				continue
			}
			head, w := s.tie[int(x.to)*k:][:k], s.weight[int(a)*k:][:k]
			for c := range w {
				if sum := head[c] + w[c]; sum < tie[c] {
					tie[c], up[c] = sum, a
				}
			}
		}
	}
}

func (s *spf) push(k uint64) {
	h := append(s.heap, k)
	i := len(h) - 1
	for i > 0 {
		p := (i - 1) / 4
		if h[p] <= k {
			break
		}
		h[i] = h[p]
		i = p
	}
	h[i] = k
	s.heap = h
}

func (s *spf) pop() uint64 {
	h := s.heap
	least, k := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	s.heap = h
	i := 0
	for {
		first := 4*i + 1
		if first >= len(h) {
			break
		}
		c := first
		for j := first + 1; j < min(first+4, len(h)); j++ {
			if h[j] < h[c] {
				c = j
			}
		}
		if h[c] >= k {
			break
		}
		h[i] = h[c]
		i = c
	}
	if len(h) > 0 {
		h[i] = k
	}
	return least
}
