package path

import (
	"maps"
	"slices"

	"decenter/net/frame"
)

// keep bounds the topologies whose distances are remembered one by one. What is older is folded into one vector of the
// least distances, which is as safe, and only slower to let go.
const keep = 8

// Agreement holds U1 to U3 for one satellite: which next hops its neighbours' knowledge lets it use. Each topology that is
// adopted has a serial; neighbours acknowledge serials, as the same version may come, go and come back.
type Agreement struct {
	serial  uint64    // of the current routes; 0: none yet
	past    []*Routes // the newest last; past[i] has the serial that is len(past)-1-i below the current
	floor   map[frame.MAC]uint64
	floored uint64 // the newest serial folded into floor
	peers   map[frame.MAC]*peer
	fd      []uint64 // by index of the current topology; nil: to be computed
}

// peer is a neighbour that is up. acked <= the serial that we announced last; acked grows.
type peer struct {
	seen  Version
	known bool   // seen was heard since the neighbour came up
	acked uint64 // the serial that the neighbour last echoed, or the one that stood when it came up
	echo  bool   // acked was echoed
}

// NewAgreement begins with no topology and no neighbours.
func NewAgreement() *Agreement {
	return &Agreement{peers: map[frame.MAC]*peer{}}
}

// Adopt makes routes the current ones and gives the serial to announce with their version. U3: the caller then deletes the
// entries that are not Legal any more, and only then announces; what has become legal is added after that.
func (a *Agreement) Adopt(r *Routes) uint64 {
	a.serial++
	a.past = append(a.past, r)
	a.forget()
	if len(a.past) > keep {
		a.fold(a.past[0])
		a.past = slices.Delete(a.past, 0, 1)
	}
	a.fd = nil
	return a.serial
}

// fold takes the least distance of the floor and of routes that are remembered no more.
func (a *Agreement) fold(r *Routes) {
	if a.floor == nil {
		a.floor = map[frame.MAC]uint64{}
	}
	a.floored = a.serial - uint64(len(a.past)-1)
	for i, id := range r.topo.ids {
		if old, in := a.floor[id]; !in || r.dist[i] < old {
			a.floor[id] = r.dist[i]
		}
	}
}

// Up tells that the neighbour is there. What it knew before counts not.
func (a *Agreement) Up(k frame.MAC) {
	a.peers[k] = &peer{acked: a.serial}
	a.fd = nil
}

// Down tells that no link to the neighbour is left.
func (a *Agreement) Down(k frame.MAC) {
	delete(a.peers, k)
	a.forget()
	a.fd = nil
}

// Heard takes a neighbour's announcement: its version, and the serial of ours that it echoes (0: none yet). The caller
// passes announcements of one session only, in the order in which they were made.
func (a *Agreement) Heard(k frame.MAC, seen Version, acked uint64) {
	p := a.peers[k]
	if p == nil || acked > a.serial {
		return
	}
	p.seen, p.known = seen, true
	if acked > 0 && acked >= p.acked {
		p.acked, p.echo = acked, true
	}
	a.forget()
	a.fd = nil
}

// oldest gives the lowest serial that a neighbour may still act upon.
func (a *Agreement) oldest() uint64 {
	low := a.serial
	for _, p := range a.peers {
		low = min(low, p.acked)
	}
	return low
}

// forget drops routes that nobody acts upon and that are nobody's version.
func (a *Agreement) forget() {
	low := a.oldest()
	if a.floored < low {
		a.floor = nil
	}
	for len(a.past) > 1 && a.serial-uint64(len(a.past)-1) < low && !a.isSeen(a.past[0].topo.version) {
		a.past = slices.Delete(a.past, 0, 1)
	}
}

func (a *Agreement) isSeen(v Version) bool {
	for _, p := range a.peers {
		if p.known && p.seen == v {
			return true
		}
	}
	return false
}

// Routes gives the current ones; nil before the first.
func (a *Agreement) Routes() *Routes {
	if len(a.past) == 0 {
		return nil
	}
	return a.past[len(a.past)-1]
}

// Serial gives the current serial.
func (a *Agreement) Serial() uint64 { return a.serial }

// Feasible is U2: the distance that a next hop's must be less than, by the destination's index in the current topology.
func (a *Agreement) Feasible(destination int) uint64 {
	r := a.Routes()
	if a.fd == nil {
		a.fd = slices.Clone(r.dist)
		low := a.oldest()
		for i, old := range a.past[:len(a.past)-1] {
			if a.serial-uint64(len(a.past)-1-i) < low {
				continue
			}
			for d, id := range r.topo.ids {
				a.fd[d] = min(a.fd[d], old.Distance(id))
			}
		}
		for d, id := range r.topo.ids {
			if f, in := a.floor[id]; in {
				a.fd[d] = min(a.fd[d], f)
			}
		}
	}
	return a.fd[destination]
}

// Legal is U1 for the current next hop of a colour. It knows nothing of carrier.
func (a *Agreement) Legal(colour, destination int) bool {
	r := a.Routes()
	k, ok := r.Hop(colour, destination)
	if !ok {
		return false
	}
	p := a.peers[k]
	if p == nil || !p.known {
		return false
	}
	seen := a.find(p.seen)
	return seen != nil && seen.NeighbourDistance(k, r.topo.ids[destination]) < a.Feasible(destination)
}

// find gives routes of a version; those of the same version are alike.
func (a *Agreement) find(v Version) *Routes {
	for _, r := range slices.Backward(a.past) {
		if r.topo.version == v {
			return r
		}
	}
	return nil
}

// Agreed is F6: each neighbour of the current topology that is up has our version, and has said that it knows so.
func (a *Agreement) Agreed() bool {
	for _, p := range a.peers {
		if !p.known || p.seen != a.Routes().topo.version || !p.echo || p.acked != a.serial {
			return false
		}
	}
	return a.serial > 0
}

// Waiting lists, ascending, the neighbours for which Agreed waits.
func (a *Agreement) Waiting() []frame.MAC {
	var out []frame.MAC
	for k, p := range a.peers {
		if !p.known || a.serial == 0 || p.seen != a.Routes().topo.version || !p.echo || p.acked != a.serial {
			out = append(out, k)
		}
	}
	return slices.SortedFunc(slices.Values(out), frame.MAC.Compare)
}

// Neighbours lists, ascending, the neighbours that are up.
func (a *Agreement) Neighbours() []frame.MAC {
	return slices.SortedFunc(maps.Keys(a.peers), frame.MAC.Compare)
}
