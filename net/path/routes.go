package path

import (
	"fmt"
	"slices"

	"decenter/net/frame"
)

// Port is a satellite's own number of one of its ports.
type Port = uint32

// Routes is what one satellite must know at once when the topology changes: its own distances, its neighbours', and for
// each colour its next hops. It is immutable.
type Routes struct {
	topo    *Topology
	self    int
	colours int
	dist    []uint64
	next    []uint8 // [colour*n+destination]: own arc, counted from the first; noArc at self
	near    map[frame.MAC][]uint64
}

const noArc = 0xff

// NewRoutes computes the routes of a satellite of the topology: one run for itself and one for each neighbour.
func NewRoutes(t *Topology, self frame.MAC, colours int) (*Routes, error) {
	at, in := t.Index(self)
	if !in {
		return nil, fmt.Errorf("satellite %v is not in the topology", self)
	}
	if colours < 1 || colours > MaxColours {
		return nil, fmt.Errorf("%d colours; there may be 1 to %d", colours, MaxColours)
	}
	s := newSPF(t, colours)
	s.run(at)
	n := t.Len()
	r := &Routes{topo: t, self: at, colours: colours, dist: append([]uint64(nil), s.dist...), near: map[frame.MAC][]uint64{},
		next: make([]uint8, colours*n)}
	for c := range colours {
		next := r.next[c*n:][:n]
		next[at] = noArc
		for _, v := range s.order[1:] {
			up := s.t.arcs[s.up[int(v)*colours+c]]
			if int(up.to) == at {
				next[v] = uint8(up.back - t.first[at])
			} else {
				next[v] = next[up.to]
			}
		}
	}
	lo, hi := t.out(at)
	for _, a := range t.arcs[lo:hi] {
		if id := t.ids[a.to]; r.near[id] == nil {
			s.distances(int(a.to))
			r.near[id] = append([]uint64(nil), s.dist...)
		}
	}
	return r, nil
}

// Topology gives what the routes were computed from.
func (r *Routes) Topology() *Topology { return r.topo }

// Version gives the topology's, for this number of colours.
func (r *Routes) Version() Version { return r.topo.Version(r.colours) }

// Self gives the satellite's own index.
func (r *Routes) Self() int { return r.self }

// Colours gives the number of colours.
func (r *Routes) Colours() int { return r.colours }

// Next gives the port of the colour's path to a destination; false at the destination itself.
func (r *Routes) Next(colour, destination int) (Port, bool) {
	return r.port(r.next[colour*r.topo.Len()+destination])
}

// Hop gives the neighbour that Next leads to.
func (r *Routes) Hop(colour, destination int) (frame.MAC, bool) {
	k := r.next[colour*r.topo.Len()+destination]
	if k == noArc {
		return frame.MAC{}, false
	}
	return r.topo.ids[r.topo.arcs[r.topo.first[r.self]+int32(k)].to], true
}

// Distance gives the satellite's own distance to another.
func (r *Routes) Distance(to frame.MAC) uint64 { return r.of(r.dist, to) }

// NeighbourDistance gives a neighbour's distance; Far also if it is no neighbour in this topology.
func (r *Routes) NeighbourDistance(k, to frame.MAC) uint64 { return r.of(r.near[k], to) }

func (r *Routes) of(dist []uint64, to frame.MAC) uint64 {
	if at, in := r.topo.Index(to); in && dist != nil {
		return dist[at]
	}
	return Far
}

// aligned gives a vector by index of t as one by index of another topology: Far where that has a satellite more. The caller
// must not write to it.
func (t *Topology) aligned(vector []uint64, other *Topology) []uint64 {
	if slices.Equal(t.ids, other.ids) {
		return vector
	}
	out := make([]uint64, other.Len())
	at := 0
	for i, id := range other.ids {
		for at < len(t.ids) && t.ids[at].Compare(id) < 0 {
			at++
		}
		out[i] = Far
		if at < len(t.ids) && t.ids[at] == id {
			out[i] = vector[at]
		}
	}
	return out
}

func (r *Routes) port(k uint8) (Port, bool) {
	if k == noArc {
		return 0, false
	}
	return r.topo.arcs[r.topo.first[r.self]+int32(k)].port, true
}

// Ports gives the satellite's ports with a cable that counts. A port's place here is its local index in Repair.
func (r *Routes) Ports() []Port {
	lo, hi := r.topo.out(r.self)
	out := make([]Port, 0, hi-lo)
	for _, a := range r.topo.arcs[lo:hi] {
		out = append(out, a.port)
	}
	return out
}

// Bytes gives the size of the routes without the topology.
func (r *Routes) Bytes() int {
	return 8*len(r.dist)*(1+len(r.near)) + len(r.next)
}
