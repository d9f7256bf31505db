package path

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"decenter/net/frame"
)

// Bounds of a topology. An index fits 16 bits and a path's length 48, so that both fit one word of the queue.
const (
	MaxSatellites = 1<<16 - 1
	MaxPorts      = 255 // of one satellite with a cable to another; a local port index fits a byte, with one value for none
	MaxColours    = 16
)

// Version is a digest of a topology, that is of its satellites and cables, with ports and costs, and of the number of colours;
// of nothing else. So satellites that hold the same topology, and colour it alike, hold the same version.
type Version uint64

// Told is what one satellite says of its cables.
type Told struct {
	ID    frame.MAC
	Links []frame.Link
}

// Topology is an immutable graph: the satellites that can be reached from one of them, and the cables that both ends
// tell. A satellite's index is its place among the ids in ascending order. A cable is two arcs, one each way.
type Topology struct {
	ids    []frame.MAC
	first  []int32 // arcs of i are first[i] … first[i+1]-1, by (neighbour, own port)
	arcs   []arc
	digest uint64 // the first eight bytes of a SHA-256, read big-endian
}

type arc struct {
	to   int32
	back int32 // the arc the other way
	cost uint32
	port uint32 // at the end where the arc begins
}

// claim is a cable as one end tells it; the ends are indices of those who tell anything.
type claim struct {
	a, b                int32
	portA, portB, price uint32
}

func (c claim) from() int32 { return c.a }

func (c claim) back() claim { return claim{c.b, c.a, c.portB, c.portA, 0} }

// compare orders by (a, b, a's port, b's port). As ids are counted in ascending order, so are arcs.
func (c claim) compare(o claim) int {
	if c.a != o.a {
		return cmp.Compare(c.a, o.a)
	}
	if c.b != o.b {
		return cmp.Compare(c.b, o.b)
	}
	if c.portA != o.portA {
		return cmp.Compare(c.portA, o.portA)
	}
	return cmp.Compare(c.portB, o.portB)
}

// end is one end of a cable, and what it says to be at the other, admitted or not.
type end struct {
	at      int32
	port    uint32
	far     uint64
	farPort uint32
}

func (e end) compare(o end) int {
	switch {
	case e.at != o.at:
		return cmp.Compare(e.at, o.at)
	case e.port != o.port:
		return cmp.Compare(e.port, o.port)
	case e.far != o.far:
		return cmp.Compare(e.far, o.far)
	}
	return cmp.Compare(e.farPort, o.farPort)
}

// NewTopology builds the graph that can be reached from self. A cable counts if both ends tell it, with the larger of
// the two costs, which is at least 1. A cable to itself counts not, nor does a port that tells of two cables: one could not
// tell by the port where a frame came from; nor do those beyond the first MaxPorts of a satellite, by (neighbour, ports).
// The same satellite, and the same cable, may be told more than once.
func NewTopology(self frame.MAC, told []Told) (*Topology, error) {
	ids := []frame.MAC{self}
	for _, n := range told {
		ids = append(ids, n.ID)
	}
	slices.SortFunc(ids, frame.MAC.Compare)
	ids = slices.Compact(ids)
	cables := fitting(pairs(ids, told))
	at, _ := slices.BinarySearchFunc(ids, self, frame.MAC.Compare)
	index := reached(int32(at), len(ids), cables)
	t := &Topology{}
	for i, id := range ids {
		if index[i] != none {
			index[i] = int32(len(t.ids))
			t.ids = append(t.ids, id)
		}
	}
	if len(t.ids) > MaxSatellites {
		return nil, fmt.Errorf("%d satellites; at most %d can be counted", len(t.ids), MaxSatellites)
	}
	cables = slices.DeleteFunc(cables, func(c claim) bool { return index[c.a] == none })
	t.fill(cables, index)
	return t, nil
}

// pairs gives the cables that both ends tell, each from both its ends, in the order of arcs.
func pairs(ids []frame.MAC, told []Told) []claim {
	index := make(map[frame.MAC]int32, len(ids))
	for i, id := range ids {
		index[id] = int32(i)
	}
	var claims []claim
	var ends []end
	for _, n := range told {
		for _, l := range n.Links {
			ends = append(ends, end{index[n.ID], l.Port, word(l.Neighbour), l.NeighbourPort})
			if b, in := index[l.Neighbour]; in && n.ID != l.Neighbour {
				claims = append(claims, claim{index[n.ID], b, l.Port, l.NeighbourPort, max(l.Cost, 1)})
			}
		}
	}
	sorted(len(ids), ends, func(e end) int32 { return e.at }, end.compare)
	ends = slices.Compact(ends)
	endsOf := starts(len(ids), ends, func(e end) int32 { return e.at })
	alone := func(i int32, port uint32) bool {
		own := ends[endsOf[i]:endsOf[i+1]]
		at, _ := slices.BinarySearchFunc(own, end{at: i, port: port}, end.compare)
		return at+1 == len(own) || own[at+1].port != port
	}
	sorted(len(ids), claims, claim.from, func(x, y claim) int { return cmp.Or(x.compare(y), cmp.Compare(y.price, x.price)) })
	claims = slices.CompactFunc(claims, func(x, y claim) bool { return x.compare(y) == 0 })
	claimsOf := starts(len(ids), claims, claim.from)
	var out []claim
	for _, c := range claims {
		if at, both := claimsOf.find(claims, c.back()); both && alone(c.a, c.portA) && alone(c.b, c.portB) {
			c.price = max(c.price, claims[at].price)
			out = append(out, c)
		}
	}
	return out
}

// offsets tell where the items of each satellite begin among all, which are in the order of satellites; and one more: where all end.
type offsets []int32

func starts[T any](n int, items []T, of func(T) int32) offsets {
	first := make(offsets, n+1)
	for _, x := range items {
		first[of(x)+1]++
	}
	for i := range n {
		first[i+1] += first[i]
	}
	return first
}

// find gives the place of a cable, as one end tells it.
func (o offsets) find(cables []claim, c claim) (int, bool) {
	lo := int(o[c.a])
	at, in := slices.BinarySearchFunc(cables[lo:o[c.a+1]], c, claim.compare)
	return lo + at, in
}

// sorted sorts items of satellites, of each of which there are few.
func sorted[T any](n int, items []T, of func(T) int32, compare func(x, y T) int) {
	first := starts(n, items, of)
	free, all := slices.Clone(first), slices.Clone(items)
	for _, x := range all {
		items[free[of(x)]] = x
		free[of(x)]++
	}
	for i := range n {
		slices.SortFunc(items[first[i]:first[i+1]], compare)
	}
}

// reached gives none for each satellite that cannot be reached.
func reached(self int32, n int, cables []claim) []int32 {
	index := slices.Repeat([]int32{none}, n)
	index[self] = 0
	first := starts(n, cables, claim.from)
	for line := []int32{self}; len(line) > 0; line = line[1:] {
		for _, c := range cables[first[line[0]]:first[line[0]+1]] {
			if index[c.b] == none {
				index[c.b] = 0
				line = append(line, c.b)
			}
		}
	}
	return index
}

// fitting leaves out what a satellite could not tell apart. Whoever tells so many cables has nobody's topology refused.
func fitting(cables []claim) []claim {
	first := 0
	var over []claim
	for i, c := range cables {
		if cables[first].a != c.a {
			first = i
		}
		if i-first >= MaxPorts {
			over = append(over, c, c.back())
		}
	}
	if over == nil {
		return cables
	}
	slices.SortFunc(over, claim.compare)
	return slices.DeleteFunc(cables, func(c claim) bool {
		_, out := slices.BinarySearchFunc(over, c, claim.compare)
		return out
	})
}

// fill writes the arcs of the cables and the digest.
func (t *Topology) fill(cables []claim, index []int32) {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 4+6*len(t.ids)+10*len(cables)), uint32(len(t.ids)))
	for _, id := range t.ids {
		b = append(b, id[:]...)
	}
	t.first = make([]int32, len(t.ids)+1)
	t.arcs = make([]arc, len(cables))
	of := starts(len(index), cables, claim.from)
	for i, c := range cables {
		back, _ := of.find(cables, c.back())
		from, to := index[c.a], index[c.b]
		t.arcs[i] = arc{to: to, back: int32(back), cost: c.price, port: c.portA}
		t.first[from+1]++
		if from < to {
			b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, uint32(from)), uint32(to))
			b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, c.portA), c.portB)
			b = binary.BigEndian.AppendUint32(b, c.price)
		}
	}
	for i := range t.ids {
		t.first[i+1] += t.first[i]
	}
	sum := sha256.Sum256(b)
	t.digest = binary.BigEndian.Uint64(sum[:])
}

// Version gives the digest for a number of colours.
func (t *Topology) Version(colours int) Version { return Version(mix(t.digest ^ uint64(colours))) }

// Len gives the number of satellites.
func (t *Topology) Len() int { return len(t.ids) }

// ID gives the satellite of an index, which is less than Len.
func (t *Topology) ID(index int) frame.MAC { return t.ids[index] }

// Index finds a satellite.
func (t *Topology) Index(id frame.MAC) (int, bool) {
	return slices.BinarySearchFunc(t.ids, id, frame.MAC.Compare)
}

// Links gives the cables of a satellite by (neighbour, own port), as it would tell them, with the cost that counts.
func (t *Topology) Links(index int) []frame.Link {
	lo, hi := t.out(index)
	links := make([]frame.Link, 0, hi-lo)
	for _, a := range t.arcs[lo:hi] {
		links = append(links, frame.Link{Neighbour: t.ids[a.to], Port: a.port, NeighbourPort: t.arcs[a.back].port, Cost: a.cost})
	}
	return links
}

// Distances gives the distance of each satellite from one.
func (t *Topology) Distances(root int) []uint64 {
	s := spf{t: t, dist: make([]uint64, t.Len()), order: make([]int32, 0, t.Len())}
	s.distances(root)
	return s.dist
}

// out gives the range of the arcs that begin at v.
func (t *Topology) out(v int) (from, to int32) { return t.first[v], t.first[v+1] }

// weights gives for each arc and colour the tie-breaker that both directions share: 47 bits each, so that the sum along
// any simple path fits 63. The mixer is SplitMix64's finalizer (Steele, Lea, Flood: Fast splittable pseudorandom
// number generators, 2014), over the ids and ports of the two ends in ascending order and the colour.
func (t *Topology) weights(colours int) []uint64 {
	w := make([]uint64, len(t.arcs)*colours)
	for v := range t.ids {
		for a, hi := t.out(v); a < hi; a++ {
			x := t.arcs[a]
			if int(x.to) < v {
				continue
			}
			h := mix(mix(word(t.ids[v])<<16^uint64(x.port)) ^ word(t.ids[x.to]))
			h = mix(h ^ uint64(t.arcs[x.back].port)<<32 ^ uint64(x.port))
			for c := range colours {
				k := mix(h+uint64(c)*0x9e3779b97f4a7c15) >> 17
				w[int(a)*colours+c], w[int(x.back)*colours+c] = k, k
			}
		}
	}
	return w
}

func word(id frame.MAC) uint64 {
	return uint64(binary.BigEndian.Uint16(id[:]))<<32 | uint64(binary.BigEndian.Uint32(id[2:]))
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
