package tree

import (
	"slices"
	"time"

	"decenter/net/frame"
)

// fragments are the objects by which we tell what we are home to. A MAC stays in the fragment it was put into, and a
// new one goes where there is room, so that what changes a few MACs changes as few objects. A fragment holds either guests or
// learned MACs, and either MACs of epoch 0 or moved ones. One is begun only when all of its kind are full, hence there are no
// more than maxIndex allows, but for an earlier life that somebody made up.
//
// Changes wait in line, so that whoever makes us change much makes the constellation flood little: a change by Local goes
// first, others at most once in gatherTime, all together fragmentBurst at once and one in fragmentPace in the long run.
type fragments struct {
	all    []fragment // number i is object firstMACs + i
	roomy  [kinds]int // by kind: below this number all of the kind are full
	vacant int        // below this number none is empty
	urgent []uint16   // numbers in line
	lazy   []uint16
	paid   time.Duration // by then what was said will be paid for; the generic cell rate algorithm, ITU-T I.371
	gather time.Duration // lazy ones not before
}

type fragment struct {
	claims []frame.Moved
	kind   kind
	waits  waiting
}

// waiting is where in line a fragment is.
type waiting uint8

const (
	notWaiting waiting = iota
	waitsLazily
	waitsUrgently // it may be in the lazy line too
)

// kind is what a fragment's claims have in common.
type kind uint8

const (
	kindMoved   kind = 1 << iota // of other epochs than 0
	kindLearned                  // else guests'
	kinds
)

func kindOf(epoch uint32, learned bool) (k kind) {
	if epoch != 0 {
		k |= kindMoved
	}
	if learned {
		k |= kindLearned
	}
	return k
}

// capacity is how many claims of a kind fit one fragment.
func (k kind) capacity() int {
	if k&kindMoved != 0 {
		return frame.MaxMovedBody
	}
	return frame.MaxMACsBody
}

// put finds a fragment for a MAC, if there is one, and tells its number.
func (f *fragments) put(m frame.Moved, learned, urgent bool) (number uint16, found bool) {
	kind := kindOf(m.Epoch, learned)
	i := f.roomy[kind]
	for i < len(f.all) && (f.all[i].kind != kind || len(f.all[i].claims) == 0 || len(f.all[i].claims) == kind.capacity()) {
		i++
	}
	f.roomy[kind] = i
	if i == len(f.all) {
		i = f.vacant
		for i < len(f.all) && len(f.all[i].claims) > 0 {
			i++
		}
		f.vacant = i
		if firstMACs+i > maxIndex {
			return 0, false
		}
		f.reserve(uint16(i))
		f.all[i].kind = kind
		f.roomy[kind] = min(f.roomy[kind], i)
	}
	f.all[i].claims = append(f.all[i].claims, m)
	f.touch(uint16(i), urgent)
	return uint16(i), true
}

// putBack puts a MAC into the fragment that an earlier life of ours had it in, if there is room.
func (f *fragments) putBack(m frame.Moved, learned bool, number uint16) (at uint16, found bool) {
	kind := kindOf(m.Epoch, learned)
	f.reserve(number)
	g := &f.all[number]
	if len(g.claims) > 0 && g.kind != kind || len(g.claims) == kind.capacity() {
		return f.put(m, learned, false)
	}
	g.kind = kind
	g.claims = append(g.claims, m)
	f.roomy[kind] = min(f.roomy[kind], int(number))
	f.touch(number, false)
	return number, true
}

// reserve makes sure that there is a fragment of that number.
func (f *fragments) reserve(number uint16) {
	for int(number) >= len(f.all) {
		f.all = append(f.all, fragment{})
	}
}

// remove takes a MAC out of its fragment.
func (f *fragments) remove(mac frame.MAC, number uint16, urgent bool) {
	g := &f.all[number]
	at := slices.IndexFunc(g.claims, func(m frame.Moved) bool { return m.MAC == mac })
	g.claims = slices.Delete(g.claims, at, at+1)
	if len(g.claims) == 0 {
		g.claims = nil
		f.vacant = min(f.vacant, int(number))
	} else {
		f.roomy[g.kind] = min(f.roomy[g.kind], int(number))
	}
	f.touch(number, urgent)
}

// touch puts a fragment in line to be said anew.
func (f *fragments) touch(number uint16, urgent bool) {
	f.reserve(number) // it may be of an earlier life of ours
	switch g := &f.all[number]; {
	case urgent && g.waits != waitsUrgently:
		g.waits = waitsUrgently
		f.urgent = append(f.urgent, number)
	case g.waits == notWaiting:
		g.waits = waitsLazily
		f.lazy = append(f.lazy, number)
	}
}

// next takes the fragment out of the line that is to be said now.
func (f *fragments) next(now time.Duration) (number uint16, found bool) {
	if now < f.paid-fragmentBurst*fragmentPace {
		return 0, false
	}
	if len(f.urgent) > 0 {
		number, f.urgent = f.urgent[0], f.urgent[1:]
		f.all[number].waits = notWaiting
		return number, true
	}
	for len(f.lazy) > 0 && now >= f.gather {
		number, f.lazy = f.lazy[0], f.lazy[1:]
		if f.all[number].waits == waitsLazily { // else it went ahead
			f.all[number].waits = notWaiting
			return number, true
		}
	}
	return 0, false
}

// pay counts one that was said.
func (f *fragments) pay(now time.Duration) { f.paid = max(f.paid, now) + fragmentPace }

// due is when next may give something; 0: nothing waits.
func (f *fragments) due(now time.Duration) time.Duration {
	at := f.paid - fragmentBurst*fragmentPace
	switch {
	case len(f.urgent) > 0:
	case len(f.lazy) > 0:
		at = max(at, f.gather)
	default:
		return 0
	}
	return max(at, now, 1)
}

// body is what a fragment says.
func (f *fragments) body(number uint16) []byte {
	g := &f.all[number]
	n := frame.Node{Learned: g.kind&kindLearned != 0 && len(g.claims) > 0} // an empty fragment says nothing
	for _, m := range g.claims {
		if m.Epoch == 0 {
			n.MACs = append(n.MACs, m.MAC)
		} else {
			n.Moved = append(n.Moved, m)
		}
	}
	return n.Append(nil)
}

// sayFragments says anew what changed of the MACs we are home to, as far as the pace allows.
func (c *Core) sayFragments() {
	f := &c.own.fragments
	lazily := len(f.lazy)
	for {
		number, found := f.next(c.now)
		if !found {
			break
		}
		if c.tellObject(firstMACs+number, f.body(number)) {
			f.pay(c.now)
		}
	}
	if len(f.lazy) < lazily {
		f.gather = c.now + gatherTime
	}
}
