package path

import (
	"slices"

	"decenter/net/frame"
)

// keep bounds the topologies whose distances are remembered one by one. What is older is folded into one vector of the
// least distances, which is as safe, and only slower to let go.
const keep = 8

// Agreement holds U1 to U3 for one satellite: which next hops its neighbours' knowledge lets it use. Each topology that is
// adopted has a serial; neighbours acknowledge serials, as the same version may come, go and come back. A neighbour is one
// end of one cable: what two satellites say over two cables are two conversations, of which one may begin anew.
type Agreement struct {
	serial  uint64 // of the current routes; 0: none yet
	past    []held // the newest last, with serials that grow
	floor   map[frame.MAC]uint64
	floored uint64 // the newest serial folded into floor
	peers   map[Port]*peer
	fd      []uint64 // by index of the current topology; nil: to be computed
}

// held is one topology that was adopted.
type held struct {
	*Routes
	serial uint64
	repair *Repair // nil, or being worked through; in use once it is done
	ready  bool    // it was done, maybe in an earlier life
}

// usable gives the Repair once it may be used.
func (h *held) usable() *Repair {
	if h.ready && h.repair != nil && h.repair.Done() {
		return h.repair
	}
	return nil
}

// peer is a neighbour that is up. acked <= the serial that we announced last; acked grows.
type peer struct {
	id    frame.MAC
	port  Port // its own
	seen  Version
	ready bool   // it holds its Repair of that version
	known bool   // seen was heard since the neighbour came up
	acked uint64 // the serial that the neighbour last echoed, or the one that stood when it came up
	echo  bool   // acked was echoed
}

// NewAgreement begins with no topology and no neighbours.
func NewAgreement() *Agreement {
	return &Agreement{peers: map[Port]*peer{}}
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
	if now := a.now(); p.Done() && p.routes == now.Routes {
		now.repair, now.ready = p, true
	}
}

// Step works through up to so many destinations of a Repair that is owed, and tells whether none is owed any more: first
// those that were Ready in an earlier life (Recall), then the current topology's, which is Ready when it is done.
func (a *Agreement) Step(destinations int) bool {
	for i := range a.past {
		h, last := &a.past[i], i == len(a.past)-1
		if h.usable() != nil || !h.ready && !last {
			continue
		}
		if h.repair == nil {
			h.repair = NewRepair(h.Routes)
		}
		if !h.repair.Step(destinations) {
			return false
		}
		h.ready = true
		return last
	}
	return true
}

// Recalling tells whether a Repair is owed that was Ready in an earlier life. Until it is not, the tables of that life cannot be
// made; they stand in the data path, and the caller neither adopts, nor hears, nor announces anything new.
func (a *Agreement) Recalling() bool {
	return slices.ContainsFunc(a.past, func(h held) bool { return h.ready && h.usable() == nil })
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

// Up tells that this satellite and k hear one another over a cable, whose ports these are. What k was told before counts not.
func (a *Agreement) Up(port Port, k frame.MAC, far Port) {
	a.peers[port] = &peer{id: k, port: far, acked: a.serial}
	a.forget()
	a.fd = nil
}

// Down tells that this is no longer so.
func (a *Agreement) Down(port Port) {
	delete(a.peers, port)
	a.forget()
	a.fd = nil
}

// Heard takes a neighbour's announcement: its version, whether it holds the Repair of it, and the serial of ours that it
// echoes (0: none yet). The caller passes announcements of one session only, in the order in which they were made. One that
// cannot be is not taken: it echoes what was not said.
func (a *Agreement) Heard(port Port, seen Version, ready bool, acked uint64) (taken bool) {
	p := a.peers[port]
	if p == nil || acked > a.serial {
		return false
	}
	p.seen, p.ready, p.known = seen, ready, true
	if acked > 0 && acked >= p.acked {
		p.acked, p.echo = acked, true
	}
	a.forget()
	a.fd = nil
	return true
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
	for len(a.past) > 1 && a.past[0].serial < low && !a.isSeen(a.past[0].Version()) {
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

// now gives the current topology; there must be one.
func (a *Agreement) now() *held { return &a.past[len(a.past)-1] }

// Routes gives the current ones; nil before the first.
func (a *Agreement) Routes() *Routes {
	if len(a.past) == 0 {
		return nil
	}
	return a.now().Routes
}

// Serial gives the current serial; 0 before the first.
func (a *Agreement) Serial() uint64 { return a.serial }

// Hears tells whether the port's neighbour is up, and this one.
func (a *Agreement) Hears(port Port, k frame.MAC, far Port) bool {
	p := a.peers[port]
	return p != nil && p.id == k && p.port == far
}

// Acked gives the serial that a neighbour is known to follow, and whether there is no newer; so it is for one that never
// announced anything.
func (a *Agreement) Acked(port Port) (serial uint64, current bool) {
	p := a.peers[port]
	if p == nil || !p.known {
		return 0, true
	}
	return p.acked, p.acked == a.serial
}

// Announcement gives what is to be told of the current topology, of which there must be one.
func (a *Agreement) Announcement() (v Version, serial uint64, ready bool) {
	return a.now().Version(), a.serial, a.now().ready
}

// Feasible is U2: the distance that a next hop's must be less than, by the destination's index in the current topology.
func (a *Agreement) Feasible(destination int) uint64 {
	if a.fd == nil {
		a.fd = a.feasible()
	}
	return a.fd[destination]
}

func (a *Agreement) feasible() []uint64 {
	r := a.Routes()
	fd := slices.Clone(r.dist)
	low := a.oldest()
	for _, old := range a.past[:len(a.past)-1] {
		if old.serial < low {
			continue
		}
		for d, far := range old.topo.aligned(old.dist, r.topo) {
			fd[d] = min(fd[d], far)
		}
	}
	if a.floor != nil {
		for d, id := range r.topo.ids {
			if f, in := a.floor[id]; in {
				fd[d] = min(fd[d], f)
			}
		}
	}
	return fd
}

// Legal is U1 for the current next hop of a colour. It knows nothing of carrier.
func (a *Agreement) Legal(colour, destination int) bool {
	r := a.Routes()
	k := r.next[colour*r.topo.Len()+destination]
	if k == noArc {
		return false
	}
	p := a.beyond(r.topo.first[r.self] + int32(k))
	if p == nil || !p.known {
		return false
	}
	seen := a.find(p.seen)
	return seen != nil && seen.NeighbourDistance(p.id, r.topo.ids[destination]) < a.Feasible(destination)
}

// legal is Legal of all colours and destinations at once: bit colour*n+destination.
func (a *Agreement) legal() []uint64 {
	r := a.Routes()
	n := r.topo.Len()
	lo, hi := r.topo.out(r.self)
	far := make([][]uint64, hi-lo) // by own arc: what the neighbour there is known to hold
	for i := range far {
		if p := a.beyond(lo + int32(i)); p != nil && p.known {
			if seen := a.find(p.seen); seen != nil && seen.near[p.id] != nil {
				far[i] = seen.topo.aligned(seen.near[p.id], r.topo)
			}
		}
	}
	bits := make([]uint64, (r.colours*n+63)/64)
	for c := range r.colours {
		for d, k := range r.next[c*n:][:n] {
			if k != noArc && far[k] != nil && far[k][d] < a.Feasible(d) {
				bits[(c*n+d)/64] |= 1 << ((c*n + d) % 64)
			}
		}
	}
	return bits
}

// beyond gives the neighbour at the end of an own arc of the current topology, if it is the one that the topology tells.
func (a *Agreement) beyond(own int32) *peer {
	t := a.Routes().topo
	x := t.arcs[own]
	if p := a.peers[x.port]; p != nil && p.id == t.ids[x.to] && p.port == t.arcs[x.back].port {
		return p
	}
	return nil
}

// find gives routes of a version; those of the same version are alike.
func (a *Agreement) find(v Version) *Routes {
	for _, r := range slices.Backward(a.past) {
		if r.Version() == v {
			return r.Routes
		}
	}
	return nil
}

// Agreed is F6a: each neighbour that is up holds our version and its Repair, and knows that we do; and is where that tells.
func (a *Agreement) Agreed() bool {
	if a.serial == 0 || a.now().usable() == nil || len(a.Waiting()) > 0 {
		return false
	}
	r := a.Routes()
	lo, hi := r.topo.out(r.self)
	for i := lo; i < hi; i++ {
		if a.peers[r.topo.arcs[i].port] != nil && a.beyond(i) == nil {
			return false // the cable was moved, and detours would lead elsewhere
		}
	}
	return true
}

// Waiting lists, ascending, the ports of the neighbours for which Agreed waits.
func (a *Agreement) Waiting() []Port {
	var out []Port
	for port, p := range a.peers {
		if a.serial == 0 || !p.known || !p.ready || !p.echo || p.acked != a.serial || p.seen != a.now().Version() {
			out = append(out, port)
		}
	}
	slices.Sort(out)
	return out
}

// Tables gives what the data path is to follow now. They do not change when the Agreement does.
func (a *Agreement) Tables() Tables {
	if a.serial == 0 {
		return Tables{}
	}
	now := a.now()
	t := Tables{Routes: now.Routes, Repair: now.usable(), Agreed: a.Agreed(), Legal: a.legal(), Blind: a.floor != nil}
	low := a.oldest()
	for _, old := range a.past[:len(a.past)-1] {
		if old.serial >= low && old.usable() != nil {
			t.Before = append(t.Before, old.repair)
		}
	}
	return t
}
