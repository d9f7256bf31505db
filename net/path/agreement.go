package path

import (
	"slices"

	"decenter/net/frame"
)

// keep bounds the topologies whose distances are remembered one by one. What is older is folded into one vector of the
// least distances, which is as safe, and only slower to let go.
const keep = 8

// Agreement holds U1 to U3 for one satellite: which next hops its neighbours' knowledge lets it use. Each topology that is
// adopted has a serial; neighbours acknowledge serials, as the same version may come, go and come back.
type Agreement struct {
	serial  uint64 // of the current routes; 0: none yet
	past    []held // the newest last, with serials that grow
	floor   map[frame.MAC]uint64
	floored uint64 // the newest serial folded into floor
	peers   map[frame.MAC]*peer
	fd      []uint64 // by index of the current topology; nil: to be computed
}

// held is one topology that was adopted.
type held struct {
	*Routes
	serial uint64
	repair *Repair // nil until Ready
}

// peer is a neighbour that is up. acked <= the serial that we announced last; acked grows.
type peer struct {
	seen  Version
	ready bool   // it holds its Repair of that version
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
	a.past = append(a.past, held{Routes: r, serial: a.serial})
	a.forget()
	if len(a.past) > keep {
		if a.past[0].serial >= a.oldest() {
			a.fold(a.past[0])
		}
		a.past = slices.Delete(a.past, 0, 1)
	}
	a.fd = nil
	return a.serial
}

// Ready adds the current topology's Repair, which must be done. From then on the announcements may say so.
func (a *Agreement) Ready(p *Repair) {
	if now := &a.past[len(a.past)-1]; p.Done() && p.routes == now.Routes {
		now.repair = p
	}
}

// fold takes the least distance of the floor and of routes that are remembered no more.
func (a *Agreement) fold(r held) {
	if a.floor == nil {
		a.floor = map[frame.MAC]uint64{}
	}
	a.floored = r.serial
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

// Heard takes a neighbour's announcement: its version, whether it holds the Repair of it, and the serial of ours that it
// echoes (0: none yet). The caller passes announcements of one session only, in the order in which they were made.
func (a *Agreement) Heard(k frame.MAC, seen Version, ready bool, acked uint64) {
	p := a.peers[k]
	if p == nil || acked > a.serial {
		return
	}
	p.seen, p.ready, p.known = seen, ready, true
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
	for len(a.past) > 1 && a.past[0].serial < low && !a.isSeen(a.past[0].topo.version) {
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
	return a.past[len(a.past)-1].Routes
}

// Serial gives the current serial.
func (a *Agreement) Serial() uint64 { return a.serial }

// Feasible is U2: the distance that a next hop's must be less than, by the destination's index in the current topology.
func (a *Agreement) Feasible(destination int) uint64 {
	r := a.Routes()
	if a.fd == nil {
		a.fd = slices.Clone(r.dist)
		low := a.oldest()
		for _, old := range a.past[:len(a.past)-1] {
			if old.serial < low {
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
			return r.Routes
		}
	}
	return nil
}

// Agreed is F6a: each neighbour that is up holds our version and its Repair, and knows that we do.
func (a *Agreement) Agreed() bool {
	return a.serial > 0 && a.past[len(a.past)-1].repair != nil && len(a.Waiting()) == 0
}

// Waiting lists, ascending, the neighbours for which Agreed waits.
func (a *Agreement) Waiting() []frame.MAC {
	var out []frame.MAC
	for k, p := range a.peers {
		if !p.known || !p.ready || !p.echo || p.acked != a.serial || p.seen != a.Routes().topo.version {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, frame.MAC.Compare)
	return out
}

// Tables gives what the data path is to follow now.
func (a *Agreement) Tables() Tables {
	now := a.past[len(a.past)-1]
	t := Tables{Routes: now.Routes, Repair: now.repair, Agreed: a.Agreed(), Legal: a.Legal, Blind: a.floor != nil}
	low := a.oldest()
	for _, old := range a.past[:len(a.past)-1] {
		if old.serial >= low && old.repair != nil {
			t.Before = append(t.Before, old.repair)
		}
	}
	return t
}
