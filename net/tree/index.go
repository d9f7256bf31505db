package tree

import (
	"iter"
	"slices"

	"decenter/net/frame"
)

// index tells of every MAC which satellite is its home. It holds what the stored objects claim, and is moved on from each
// object's old and new content alone; the bytes of the claims stay where they are, in the objects.
//
// A claim is one MAC in one object of one satellite, with its class, guest or learned, and its epoch. Among several the home is
// told by, in this order: satellites that can be reached, guests, the higher epoch, the lower id. Nearly all MACs have one
// claim, of epoch 0, and take eight bytes in one map. Those that have more are held apart, so that a satellite that comes or goes touches these only.
type index struct {
	slots     map[frame.MAC]uint16
	claimants []claimant // by slot; slot 0 is ourselves
	free      []uint16

	homes    map[frame.MAC]seat
	moved    map[frame.MAC]rank    // of the only claim, where its epoch is not 0: seatMoved
	contests map[frame.MAC][]claim // two claims and more: seatContest
	news     []frame.MAC           // whose home changed since it was told; some twice

	was, is   []frame.Moved // of take, kept for their memory
	classless bool          // tests only: epochs alone tell
}

// claimant is a satellite that claims something, or can be reached.
type claimant struct {
	id        frame.MAC
	reachable bool
	claims    int
	contested int // of these, in contests
}

// rank is what tells between the claims of satellites that can be reached.
type rank struct {
	epoch   uint32
	learned bool // at an edge; else a guest's
}

type claim struct {
	rank
	slot   uint16
	object uint16 // the index of the object that makes it; 0: not known, which at most one claim of a MAC is
}

// seat is the slot of a MAC's home, and what claims there are of the MAC.
type seat uint16

const (
	seatSlot seat = 1<<14 - 1
	seatKind seat = 3 << 14

	seatGuest   seat = 0 << 14 // one, a guest's, of epoch 0
	seatLearned seat = 1 << 14 // one, learned, of epoch 0
	seatMoved   seat = 2 << 14 // one, of another epoch
	seatContest seat = 3 << 14 // more
)

// Derived limit: slots suffice for all who are in the store and as many who are still in the topology.
const _ = uint(seatSlot - 2*MaxSatellites)

func newIndex(self frame.MAC) index {
	return index{slots: map[frame.MAC]uint16{self: 0}, claimants: []claimant{{id: self, reachable: true}},
		homes: map[frame.MAC]seat{}, moved: map[frame.MAC]rank{}, contests: map[frame.MAC][]claim{}}
}

// home tells where a MAC lives: a satellite that can be reached is home to its own id, whoever claims that. The home of
// other MACs may be out of reach.
func (x *index) home(mac frame.MAC) (satellite frame.MAC, found bool) {
	if x.satellite(mac) {
		return mac, true
	}
	s, found := x.homes[mac]
	if !found {
		return frame.MAC{}, false
	}
	return x.claimants[s&seatSlot].id, true
}

// satellite tells whether a MAC is the id of a satellite that can be reached.
func (x *index) satellite(mac frame.MAC) bool {
	slot, found := x.slots[mac]
	return found && x.claimants[slot].reachable
}

// reach notes that a satellite can be reached, or not any more, and gives the contested MACs that it claims.
func (x *index) reach(id frame.MAC, reachable bool) (contested []frame.MAC) {
	slot := x.slot(id)
	w := &x.claimants[slot]
	if w.reachable == reachable {
		return nil
	}
	w.reachable = reachable
	x.news = append(x.news, id)
	if w.contested > 0 {
		for mac, all := range x.contests {
			if slices.ContainsFunc(all, func(c claim) bool { return c.slot == slot }) {
				contested = append(contested, mac)
			}
		}
		slices.SortFunc(contested, frame.MAC.Compare)
		for _, mac := range contested {
			x.judge(mac)
		}
	}
	x.release(slot)
	return contested
}

// take moves the index from an object's old body to its new one; nil: there was none, or there is none any more. It gives
// the new body's claims, in order, until the next call.
func (x *index) take(k frame.Key, old, body []byte) []frame.Moved {
	slot := x.slot(k.Origin)
	x.was, x.is = claims(x.was[:0], old), claims(x.is[:0], body)
	was, is := x.was, x.is
	learned := frame.Learned(body)
	reclassed := learned != frame.Learned(old)
	for len(was)+len(is) > 0 {
		switch {
		case len(is) == 0 || len(was) > 0 && was[0].MAC.Compare(is[0].MAC) < 0:
			x.remove(was[0].MAC, slot, k.Index)
			was = was[1:]
		case len(was) == 0 || is[0].MAC.Compare(was[0].MAC) < 0:
			x.add(is[0].MAC, claim{rank{is[0].Epoch, learned}, slot, k.Index})
			is = is[1:]
		default:
			if reclassed || was[0].Epoch != is[0].Epoch {
				x.remove(was[0].MAC, slot, k.Index)
				x.add(is[0].MAC, claim{rank{is[0].Epoch, learned}, slot, k.Index})
			}
			was, is = was[1:], is[1:]
		}
	}
	x.release(slot)
	return x.is
}

// claims lists what a body claims by MAC, each once with its highest epoch. What can be nobody's address is left out.
func claims(to []frame.Moved, body []byte) []frame.Moved {
	for m := range frame.Claims(body) {
		if !m.MAC.IsGroup() && !m.MAC.IsZero() {
			to = append(to, m)
		}
	}
	slices.SortFunc(to, func(a, b frame.Moved) int {
		if c := a.MAC.Compare(b.MAC); c != 0 {
			return c
		}
		return -compareEpochs(a.Epoch, b.Epoch)
	})
	return slices.CompactFunc(to, func(a, b frame.Moved) bool { return a.MAC == b.MAC })
}

func compareEpochs(a, b uint32) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (x *index) add(mac frame.MAC, c claim) {
	x.claimants[c.slot].claims++
	s, found := x.homes[mac]
	switch {
	case !found:
		x.sole(mac, c)
		x.news = append(x.news, mac)
		return
	case s&seatKind != seatContest:
		first := x.only(mac, s)
		delete(x.moved, mac)
		x.homes[mac] = seat(first.slot) | seatContest
		x.contests[mac] = []claim{first, c}
		x.claimants[first.slot].contested++
	default:
		x.contests[mac] = append(x.contests[mac], c)
	}
	x.claimants[c.slot].contested++
	x.judge(mac)
}

// sole seats a MAC's only claim.
func (x *index) sole(mac frame.MAC, c claim) {
	s := seat(c.slot)
	switch {
	case c.epoch != 0:
		s |= seatMoved
		x.moved[mac] = c.rank
	case c.learned:
		s |= seatLearned
	}
	x.homes[mac] = s
}

// only is a MAC's only claim, but for the object that makes it.
func (x *index) only(mac frame.MAC, s seat) claim {
	c := claim{slot: uint16(s & seatSlot)}
	switch s & seatKind {
	case seatMoved:
		c.rank = x.moved[mac]
	case seatLearned:
		c.learned = true
	}
	return c
}

func (x *index) remove(mac frame.MAC, slot, object uint16) {
	x.claimants[slot].claims--
	s := x.homes[mac]
	if s&seatKind != seatContest {
		delete(x.homes, mac)
		delete(x.moved, mac)
		x.news = append(x.news, mac)
		return
	}
	all := x.contests[mac]
	at := slices.IndexFunc(all, func(c claim) bool { return c.slot == slot && c.object == object })
	if at < 0 {
		at = slices.IndexFunc(all, func(c claim) bool { return c.slot == slot && c.object == 0 })
	}
	x.claimants[slot].contested--
	all = slices.Delete(all, at, at+1)
	if len(all) > 1 {
		x.contests[mac] = all
		x.judge(mac)
		return
	}
	delete(x.contests, mac)
	x.claimants[all[0].slot].contested--
	x.sole(mac, all[0])
	if uint16(s&seatSlot) != all[0].slot {
		x.news = append(x.news, mac)
	}
}

// judge finds the home of a MAC with several claims.
func (x *index) judge(mac frame.MAC) {
	all := x.contests[mac]
	best := all[0]
	for _, c := range all[1:] {
		if x.beats(c, best) {
			best = c
		}
	}
	if before := x.homes[mac]; uint16(before&seatSlot) != best.slot {
		x.homes[mac] = seat(best.slot) | seatContest
		x.news = append(x.news, mac)
	}
}

// beats tells whether claim a wins over b.
func (x *index) beats(a, b claim) bool {
	s, t := &x.claimants[a.slot], &x.claimants[b.slot]
	if s.reachable != t.reachable {
		return s.reachable
	}
	if a.learned != b.learned && !x.classless {
		return b.learned
	}
	if a.epoch != b.epoch {
		return a.epoch > b.epoch
	}
	return s.id.Compare(t.id) < 0
}

// others gives a MAC's claims by other satellites, in no order.
func (x *index) others(mac frame.MAC) iter.Seq[claim] {
	return func(yield func(claim) bool) {
		s, claimed := x.homes[mac]
		switch {
		case !claimed:
		case s&seatKind != seatContest:
			if c := x.only(mac, s); c.slot != 0 {
				yield(c)
			}
		default:
			for _, c := range x.contests[mac] {
				if c.slot != 0 && !yield(c) {
					return
				}
			}
		}
	}
}

// rival is the best of these.
func (x *index) rival(mac frame.MAC) (best claim, found bool) {
	for c := range x.others(mac) {
		if !found || x.beats(c, best) {
			best, found = c, true
		}
	}
	return best, found
}

// highest is the highest epoch of those of one class.
func (x *index) highest(mac frame.MAC, learned bool) (epoch uint32, found bool) {
	for c := range x.others(mac) {
		if c.learned == learned || x.classless {
			epoch, found = max(epoch, c.epoch), true
		}
	}
	return epoch, found
}

// claims tells how many MACs a satellite claims.
func (x *index) claims(id frame.MAC) int {
	if slot, found := x.slots[id]; found {
		return x.claimants[slot].claims
	}
	return 0
}

// slot is a satellite's; one that has none gets one.
func (x *index) slot(id frame.MAC) uint16 {
	slot, found := x.slots[id]
	if found {
		return slot
	}
	if n := len(x.free); n > 0 {
		slot, x.free = x.free[n-1], x.free[:n-1]
		x.claimants[slot] = claimant{id: id}
	} else {
		slot = uint16(len(x.claimants))
		x.claimants = append(x.claimants, claimant{id: id})
	}
	x.slots[id] = slot
	return slot
}

// release gives a slot back that nothing needs.
func (x *index) release(slot uint16) {
	if w := &x.claimants[slot]; slot != 0 && w.claims == 0 && !w.reachable {
		delete(x.slots, w.id)
		x.free = append(x.free, slot)
	}
}

// drain gives up to most of the changes that were not told yet.
func (x *index) drain(most int) []Home {
	n := min(most, len(x.news))
	if n == 0 {
		return nil
	}
	out := make([]Home, n)
	for i, mac := range x.news[:n] {
		out[i].MAC = mac
		out[i].Satellite, _ = x.home(mac)
	}
	if x.news = x.news[n:]; len(x.news) == 0 {
		x.news = nil // a burst's memory is not kept
	}
	return out
}
