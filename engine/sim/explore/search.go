package explore

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
)

// Result is what an exploration found.
type Result struct {
	States, Transitions, Depth int
	Locals                     int   // different states of one satellite, over all
	Moments                    int   // different sets of all satellites' tables: what was checked for loops
	Exhausted                  bool  // else Limit was reached, and only what is nearest to the beginning was seen
	Loop                       *Loop // nil: none
	Trace                      []string
	Strange                    []string // where a mirror differs
}

// A state is a string of bytes of fixed length: for each satellite the number of its local state, for each pair what there
// is of its session, and for each end the announcements under way from it, the oldest first.
const (
	localBytes   = 3
	messageBytes = 2
)

// session bits: the end of a pair whose neighbour has let go of it already, and how often each end has changed.
const (
	stale0 = 1 << iota
	stale1
	count0
	_
	_
	count1
)

const counts = 7

// search is one exploration under way, breadth first, so that the way to the first loop is a shortest one.
type search struct {
	*plan
	stride   int
	arena    []byte // the states, in the order in which they were found
	parent   []uint32
	slots    []uint32 // open addressing: 1 + the state's number
	seed     maphash.Seed
	known    []map[local]uint32 // by satellite: the numbers of local states
	locals   [][]local
	memo     []map[uint64]uint32 // by satellite: what an event makes of a local state
	messages map[message]uint16
	spoken   []message
	telling  bool
	begins   []local // if pairOnly
	pairOnly bool    // two satellites are looked at alone: nothing is forgotten, and no frames are looked at
	mirror   *mirror // nil: nothing is compared

	tables  map[string]uint16
	content []table
	table   [][]uint16 // by satellite and local state
	moments map[[maxSatellites]uint16]bool
}

const maxSatellites = 8

// Explore goes through all states of a scenario that can be reached, until one has a loop.
func Explore(s Scenario) Result { return newSearch(newPlan(s)).run() }

func newSearch(p *plan) *search {
	f := &search{plan: p, seed: maphash.MakeSeed(), messages: map[message]uint16{}, tables: map[string]uint16{},
		moments: map[[maxSatellites]uint16]bool{}, slots: make([]uint32, 1<<12)}
	f.stride = localBytes*f.N + len(f.pairs) + messageBytes*f.Queue*len(f.ends)
	f.spoken = []message{{}} // 0: none
	for range f.N {
		f.known, f.memo = append(f.known, map[local]uint32{}), append(f.memo, map[uint64]uint32{})
		f.locals, f.table = append(f.locals, nil), append(f.table, nil)
	}
	return f
}

func (f *search) run() Result {
	first := make([]byte, f.stride)
	for i := range f.N {
		l := f.begin(i)
		if f.pairOnly {
			l = f.begins[i]
		}
		f.put(first, i, f.number(i, l))
	}
	f.add(first, 0)
	r := Result{Exhausted: true}
	edge := 1 // the first state of the next depth
	at := 0
	for ; at < len(f.parent); at++ {
		if at == edge {
			r.Depth, edge = r.Depth+1, len(f.parent)
		}
		if r.Loop = f.check(at); r.Loop != nil {
			r.Trace = f.trace(at)
			break
		}
		if f.Limit > 0 && len(f.parent) >= f.Limit {
			r.Exhausted = false
			continue // what is known is checked all the same
		}
		f.expand(f.state(at), func(_ string, next []byte) {
			r.Transitions++
			f.add(next, at)
		})
	}
	r.States, r.Moments = len(f.parent), len(f.moments)
	for _, l := range f.locals {
		r.Locals += len(l)
	}
	if f.mirror != nil {
		r.Strange = f.mirror.strange
	}
	return r
}

func (f *search) state(n int) []byte { return f.arena[n*f.stride:][:f.stride] }

// slot gives a state's place among the slots, or the free one where it belongs.
func (f *search) slot(state []byte) uint64 {
	mask := uint64(len(f.slots) - 1)
	at := maphash.Bytes(f.seed, state) & mask
	for f.slots[at] != 0 && !bytes.Equal(f.state(int(f.slots[at]-1)), state) {
		at = (at + 1) & mask
	}
	return at
}

// find gives the number of a state that is known.
func (f *search) find(state []byte) int { return int(f.slots[f.slot(state)]) - 1 }

// add remembers a state, if it is new.
func (f *search) add(state []byte, parent int) {
	at := f.slot(state)
	if f.slots[at] != 0 {
		return
	}
	f.arena = append(f.arena, state...)
	f.parent = append(f.parent, uint32(parent))
	f.slots[at] = uint32(len(f.parent))
	if 2*len(f.parent) > len(f.slots) {
		f.rehash()
	}
}

func (f *search) rehash() {
	f.slots = make([]uint32, 4*len(f.slots))
	for n := range f.parent {
		f.slots[f.slot(f.state(n))] = uint32(n + 1)
	}
}

func (f *search) get(state []byte, i int) uint32 {
	b := state[localBytes*i:]
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
}

func (f *search) put(state []byte, i int, n uint32) {
	b := state[localBytes*i:]
	b[0], b[1], b[2] = byte(n), byte(n>>8), byte(n>>16)
}

func (f *search) session(state []byte, pair int) *byte { return &state[localBytes*f.N+pair] }

// flight gives the announcements under way from an end.
func (f *search) flight(state []byte, e int) []byte {
	size := messageBytes * f.Queue
	return state[localBytes*f.N+len(f.pairs)+size*e:][:size]
}

// number gives a local state its number.
func (f *search) number(i int, l local) uint32 {
	n, in := f.known[i][l]
	if !in {
		n = uint32(len(f.locals[i]))
		f.known[i][l] = n
		f.locals[i] = append(f.locals[i], l)
		if f.pairOnly {
			return n
		}
		t := f.plan.table(i, &l)
		key := make([]byte, 0, 2*len(t))
		for _, out := range t {
			key = append(key, byte(out[0]), byte(out[1]))
		}
		id, known := f.tables[string(key)]
		if !known {
			id = uint16(len(f.content))
			f.tables[string(key)] = id
			f.content = append(f.content, t)
		}
		f.table[i] = append(f.table[i], id)
	}
	return n
}

// event is what happens to one satellite.
type event struct {
	kind byte // see the constants
	at   uint8
	msg  message
}

const (
	adopts  = iota // view at
	works          // its detours are ready
	rises          // peer at
	falls          // peer at
	hearing        // peer at, msg
)

func (l local) after(e event) local {
	switch e.kind {
	case adopts:
		return l.adopt(e.at)
	case works:
		return l.worked()
	case rises:
		return l.up(int(e.at))
	case falls:
		return l.down(int(e.at))
	}
	return l.hear(int(e.at), e.msg)
}

// apply gives what an event makes of a satellite's local state.
func (f *search) apply(i int, n uint32, e event) uint32 {
	key := uint64(n)<<32 | uint64(e.kind)<<24 | uint64(e.at)<<16
	if e.kind == hearing {
		key |= uint64(f.speak(e.msg))
	}
	to, in := f.memo[i][key]
	if !in {
		to = f.number(i, f.locals[i][n].after(e))
		f.memo[i][key] = to
		if f.mirror != nil {
			f.mirror.step(f, i, n, e, to)
		}
	}
	return to
}

func (f *search) speak(m message) uint16 {
	n, in := f.messages[m]
	if !in {
		n = uint16(len(f.spoken))
		f.messages[m] = n
		f.spoken = append(f.spoken, m)
	}
	return n
}

// check tells whether a frame can go round in a state. What differs in nothing that frames see is looked at once.
func (f *search) check(n int) *Loop {
	if f.pairOnly {
		return nil
	}
	var key [maxSatellites]uint16
	state := f.state(n)
	for i := range f.N {
		key[i] = f.table[i][f.get(state, i)]
	}
	return f.moment(key)
}

// moment looks at the tables of all satellites by number.
func (f *search) moment(key [maxSatellites]uint16) *Loop {
	if f.moments[key] {
		return nil
	}
	f.moments[key] = true
	tables := make([]table, f.N)
	for i := range f.N {
		tables[i] = f.content[key[i]]
	}
	return f.round(tables)
}

// trace tells how a state was come to.
func (f *search) trace(n int) []string {
	var out []string
	f.telling = true
	for n > 0 {
		child, parent := f.state(n), int(f.parent[n])
		f.expand(f.state(parent), func(what string, next []byte) {
			if bytes.Equal(next, child) {
				out, child = append(out, what), nil
			}
		})
		n = parent
	}
	slices.Reverse(out)
	return out
}

func (v *view) String() string {
	var b strings.Builder
	for c := range 32 {
		if v.cables>>c&1 == 1 {
			fmt.Fprintf(&b, " %d", c)
		}
	}
	return "{" + strings.TrimPrefix(b.String(), " ") + "}"
}

// describe puts a local state in words.
func (f *search) describe(i int, l local) string {
	s := fmt.Sprintf("%d holds", i)
	for at := l.low(); at <= l.serial; at++ {
		s += fmt.Sprintf(" %d.%v", at, f.views[l.past[at-1].view])
		if !l.past[at-1].ready {
			s += "(not ready)"
		}
	}
	for k, p := range l.peers {
		if p.up {
			s += fmt.Sprintf("; %d: %v", f.ends[f.from[i][k]].other, f.views[p.view])
			if p.ready {
				s += " ready"
			}
			s += fmt.Sprintf(", acknowledged %d", p.acked)
		}
	}
	return s
}
