package path

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"decenter/net/frame"
)

// Bounds of a topology. An index fits 16 bits and a path's length 48, so that both fit one word of the queue.
const (
	MaxSatellites = 1<<16 - 1
	MaxPorts      = 255 // of one satellite with a cable to another; a local port index fits a byte, with one value for none
	MaxColours    = 16
)

// Version is a digest of a topology: of its satellites and cables, with ports and costs, and of nothing else. It is the
// first eight bytes of a SHA-256, read big-endian; satellites that hold the same topology hold the same version.
type Version uint64

// Told is what one satellite says of its cables.
type Told struct {
	ID    frame.MAC
	Links []frame.Link
}

// Topology is an immutable graph: the satellites that can be reached from one of them, and the cables that both ends
// tell. A satellite's index is its place among the ids in ascending order. A cable is two arcs, one each way.
type Topology struct {
	ids     []frame.MAC
	first   []int32 // arcs of i are first[i] … first[i+1]-1, by (neighbour, own port)
	arcs    []arc
	version Version
}

type arc struct {
	to   int32
	back int32 // the arc the other way
	cost uint32
	port uint32 // at the end where the arc begins
}

// end is one end of a cable: it belongs to one cable at most.
type end struct {
	id   frame.MAC
	port uint32
}

// NewTopology builds the graph that can be reached from self. A cable counts if both ends tell it, with the larger of
// the two costs, which is at least 1. A cable to itself counts not, nor does a port that tells of two cables: one could not
// tell by the port where a frame came from.
func NewTopology(self frame.MAC, told []Told) (*Topology, error) {
	cables := pairs(told)
	near := map[frame.MAC][]frame.MAC{}
	for _, c := range cables {
		near[c.a.id] = append(near[c.a.id], c.b.id)
	}
	reached := map[frame.MAC]bool{self: true}
	t := &Topology{ids: []frame.MAC{self}}
	for i := 0; i < len(t.ids); i++ {
		for _, n := range near[t.ids[i]] {
			if !reached[n] {
				reached[n] = true
				t.ids = append(t.ids, n)
			}
		}
	}
	if len(t.ids) > MaxSatellites {
		return nil, fmt.Errorf("%d satellites; at most %d can be counted", len(t.ids), MaxSatellites)
	}
	slices.SortFunc(t.ids, frame.MAC.Compare)
	return t, t.fill(cables)
}

// fill writes the arcs of the cables whose ends are reached, and the version.
func (t *Topology) fill(cables []cable) error {
	place := map[end]int32{}
	t.first = make([]int32, 1, len(t.ids)+1)
	digest := sha256.New()
	for _, id := range t.ids {
		digest.Write(id[:])
	}
	var b []byte
	for i := 0; i < len(cables); {
		id := cables[i].a.id
		at, in := t.Index(id)
		for in && len(t.first) <= at {
			t.first = append(t.first, int32(len(t.arcs)))
		}
		for ; i < len(cables) && cables[i].a.id == id; i++ {
			if c := cables[i]; in {
				place[c.a] = int32(len(t.arcs))
				to, _ := t.Index(c.b.id)
				t.arcs = append(t.arcs, arc{to: int32(to), cost: c.cost, port: c.a.port})
				b = append(append(b[:0], c.a.id[:]...), c.b.id[:]...)
				b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, c.a.port), c.b.port)
				digest.Write(binary.BigEndian.AppendUint32(b, c.cost))
			}
		}
	}
	for len(t.first) <= len(t.ids) {
		t.first = append(t.first, int32(len(t.arcs)))
	}
	for _, c := range cables {
		if at, in := place[c.a]; in {
			t.arcs[at].back = place[c.b]
		}
	}
	for i, id := range t.ids {
		if n := t.first[i+1] - t.first[i]; n > MaxPorts {
			return fmt.Errorf("satellite %v has %d cables; at most %d can be told apart", id, n, MaxPorts)
		}
	}
	t.version = Version(binary.BigEndian.Uint64(digest.Sum(nil)))
	return nil
}

// cable is a cable seen from end a; each is there twice.
type cable struct {
	a, b end
	cost uint32
}

// pairs gives the cables that both ends tell, each from both its ends, ordered by (a's id, b's id, a's port).
func pairs(told []Told) []cable {
	type claim struct{ a, b end }
	claims := map[claim]uint32{}
	crowd := map[end]int{}
	for _, n := range told {
		for _, l := range n.Links {
			k := claim{end{n.ID, l.Port}, end{l.Neighbour, l.NeighbourPort}}
			if _, twice := claims[k]; !twice {
				crowd[k.a]++
			}
			claims[k] = max(claims[k], l.Cost, 1)
		}
	}
	var out []cable
	for k, cost := range claims {
		back, both := claims[claim{k.b, k.a}]
		if both && k.a.id != k.b.id && crowd[k.a] == 1 && crowd[k.b] == 1 {
			out = append(out, cable{k.a, k.b, max(cost, back)})
		}
	}
	sort.Slice(out, func(i, j int) bool {
		x, y := out[i], out[j]
		if c := x.a.id.Compare(y.a.id); c != 0 {
			return c < 0
		}
		if c := x.b.id.Compare(y.b.id); c != 0 {
			return c < 0
		}
		return x.a.port < y.a.port
	})
	return out
}

// Version gives the digest.
func (t *Topology) Version() Version { return t.version }

// Len gives the number of satellites.
func (t *Topology) Len() int { return len(t.ids) }

// ID gives the satellite of an index, which is less than Len.
func (t *Topology) ID(index int) frame.MAC { return t.ids[index] }

// Index finds a satellite.
func (t *Topology) Index(id frame.MAC) (int, bool) {
	return slices.BinarySearchFunc(t.ids, id, frame.MAC.Compare)
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
