package explore

import "slices"

// Product is what All found.
type Product struct {
	PairStates int    // of any two neighbours by themselves, all pairs together
	Elements   int    // of those what matters to tables, and is not dominated
	Combined   uint64 // sets of local states, one for each satellite, that are consistent pair by pair
	Moments    int    // of those, different sets of tables: what was checked for loops
	Exhausted  bool
	Loop       *Loop
	LoopLocals []string // what the satellites hold then
}

// All goes through more than all moments of a scenario that can be reached, which takes far less than all states. What a
// satellite knows of a neighbour comes from that neighbour alone. So each pair of neighbours is explored by itself, with
// all that the two may learn, in any order, and with sessions and queues. A moment of the whole is then any choice of
// what each satellite has adopted, with any choice for each pair that goes with it. Each reachable moment is one of these. Some of
// these cannot be reached, as the order of events of three satellites need not be consistent: no loop here is a proof, and a
// loop here is only a hint.
//
// Of two choices for a pair that differ only in that in one of them more is acknowledged or agreed on, the other is left
// out, as the first has a larger set of ways for each frame (not so if F6a is off).
func All(s Scenario) Product { return newProduct(s, s.Rules.NoF6a) }

// newProduct may keep what is dominated too.
func newProduct(s Scenario, keep bool) Product {
	f := newSearch(newPlan(s))
	m := &product{search: f, keep: keep, history: make([][]local, f.N), index: make([]map[local]int, f.N),
		partial: make([]map[local]uint32, f.N), half: make([][]local, f.N)}
	for i := range f.N {
		m.index[i], m.partial[i] = map[local]int{}, map[local]uint32{}
		l := f.begin(i)
		l.peers = [maxDegree]peer{}
		m.past(i, l)
	}
	for k := range f.pairs {
		m.pair(k)
	}
	m.combine()
	m.done.Moments = len(f.moments)
	return m.done
}

type product struct {
	*search
	keep    bool                  // what is dominated
	history [][]local             // by satellite: what it may have adopted; no peers
	index   []map[local]int       // the place there
	choices []map[[2]int][]choice // by pair and the two histories
	partial []map[local]uint32    // by satellite: numbers of what it may be when some of its pairs are chosen
	half    [][]local             // by satellite and such a number
	origin  []map[key]step        // by pair, in the order of choosing: how a key was first come to; nil until a loop is to be told
	done    Product
}

// choice is what the two ends of a pair hold of one another.
type choice [2]peer

func (m *product) past(i int, l local) int {
	n, in := m.index[i][l]
	if !in {
		n = len(m.history[i])
		m.index[i][l] = n
		m.history[i] = append(m.history[i], l)
	}
	return n
}

// pair explores two neighbours by themselves.
func (m *product) pair(k int) {
	alone := *m.plan
	a, b := m.ends[2*k], m.ends[2*k+1]
	alone.actors, alone.pairs, alone.flap, alone.ends = []int{a.self, b.self}, m.pairs[k:k+1], m.flap[k:k+1], []end{a, b}
	alone.start, alone.from = m.start, make([][]int, m.N)
	alone.Limit = 0
	alone.from[a.self], alone.from[b.self] = make([]int, a.peer+1), make([]int, b.peer+1)
	alone.from[b.self][b.peer] = 1
	f := newSearch(&alone)
	f.pairOnly = true
	for i := range f.N {
		f.begins = append(f.begins, m.bare(i, k))
	}
	f.run()
	m.done.PairStates += len(f.parent)
	found := map[[2]int]map[choice]bool{}
	for n := range f.parent {
		state := f.state(n)
		x, y := f.locals[a.self][f.get(state, a.self)], f.locals[b.self][f.get(state, b.self)]
		c := choice{m.matters(a, &x), m.matters(b, &y)}
		x.peers, x.keeps, y.peers, y.keeps = [maxDegree]peer{}, false, [maxDegree]peer{}, false
		at := [2]int{m.past(a.self, x), m.past(b.self, y)}
		if found[at] == nil {
			found[at] = map[choice]bool{}
		}
		found[at][c] = true
	}
	best := map[[2]int][]choice{}
	for at, set := range found {
		for c := range set {
			dominated := false
			for o := range set {
				dominated = dominated || !m.keep && o != c && o[0].over(c[0]) && o[1].over(c[1])
			}
			if !dominated {
				best[at] = append(best[at], c)
			}
		}
		slices.SortFunc(best[at], func(x, y choice) int { return slices.Compare(x.bytes(), y.bytes()) })
		m.done.Elements += len(best[at])
	}
	m.choices = append(m.choices, best)
}

// bare is a satellite at the beginning with no neighbours but the other one of the pair.
func (m *product) bare(i, k int) local {
	l := m.begin(i)
	kept := l.peers
	l.peers = [maxDegree]peer{}
	for _, e := range m.ends[2*k : 2*k+2] {
		if e.self == i {
			l.peers[e.peer] = kept[e.peer]
		}
	}
	l.keeps = true
	return l
}

// matters leaves of a peer what tables are made from.
func (m *product) matters(e end, l *local) peer {
	p := l.peers[e.peer]
	if !p.up {
		return peer{}
	}
	out := peer{up: true, acked: p.acked}
	switch {
	case p.heard == 0 || l.known>>p.view&1 == 0:
	case p.ready && p.echo && p.acked == l.serial && p.view == l.now().view:
		out = peer{up: true, heard: 1, view: p.view, ready: true, acked: p.acked, echo: true}
	default:
		out.heard, out.view = 1, m.alike(p.view, l.known, e.other)
	}
	return out
}

// alike gives the first known view in which a satellite is as far from all as in the given one.
func (m *product) alike(view uint8, known uint32, k int) uint8 {
	for v := range view {
		same := known>>v&1 == 1
		for d := range m.N {
			same = same && m.views[v].dist[d][k] == m.views[view].dist[d][k]
		}
		if same {
			return v
		}
	}
	return view
}

// over tells whether all that a table may do with o it may do with p.
func (p peer) over(o peer) bool {
	return p.up == o.up && p.acked >= o.acked && (p.echo || !o.echo) && (o.heard == 0 || p.heard == 1 && p.view == o.view)
}

func (c choice) bytes() []byte {
	var b []byte
	for _, p := range c {
		b = append(b, truth(p.up), p.heard, p.view, truth(p.ready), p.acked, truth(p.echo))
	}
	return b
}

func truth(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// key is for each satellite nothing yet, or what it may be so far, or, once all its pairs are chosen, its table.
type key [maxSatellites]uint32

const (
	begun    = 1 << 30
	finished = 1 << 31
)

// step is one choice.
type step struct {
	before key
	a, b   local // what the two have adopted
	c      choice
}

// layers chooses pair by pair, and keeps what differs, with the number of ways to come to it. Satellites are finished one after
// the other, so that few are between.
func (m *product) layers() map[key]uint64 {
	m.done.Exhausted = true
	layer := map[key]uint64{{}: 1}
	left := make([]int, m.N) // pairs not yet chosen
	for _, e := range m.ends {
		left[e.self]++
	}
	for _, k := range m.order(slices.Clone(left)) {
		a, b := m.ends[2*k], m.ends[2*k+1]
		left[a.self]--
		left[b.self]--
		next, origin := map[key]uint64{}, map[key]step{}
		for at, ways := range layer {
			for _, x := range m.may(a.self, at) {
				for _, y := range m.may(b.self, at) {
					h := [2]int{m.index[a.self][x.alone()], m.index[b.self][y.alone()]}
					for _, c := range m.choices[k][h] {
						to := at
						to[a.self] = m.joined(a, x, c[0], left[a.self])
						to[b.self] = m.joined(b, y, c[1], left[b.self])
						if m.origin != nil && next[to] == 0 {
							origin[to] = step{at, x.alone(), y.alone(), c}
						}
						next[to] += ways
					}
				}
			}
			if m.Limit > 0 && len(next) > m.Limit {
				m.done.Exhausted = false
				break
			}
		}
		layer = next
		if m.origin != nil {
			m.origin = append(m.origin, origin)
		}
	}
	return layer
}

// combine looks at all that the layers come to.
func (m *product) combine() {
	for at, ways := range m.layers() {
		m.done.Combined += ways
		if m.done.Loop == nil {
			m.look(at)
		}
	}
}

// order gives the pairs such that satellites are finished early.
func (m *product) order(left []int) []int {
	var out []int
	for len(out) < len(m.pairs) {
		at, best := none, 0
		for i, n := range left {
			if n > 0 && (at == none || n < best) {
				at, best = i, n
			}
		}
		for k, pair := range m.pairs {
			if (pair[0] == at || pair[1] == at) && !slices.Contains(out, k) {
				out = append(out, k)
				left[pair[0]]--
				left[pair[1]]--
			}
		}
	}
	return out
}

// may gives what a satellite may be that has pairs left.
func (m *product) may(i int, at key) []local {
	if at[i] == 0 {
		return m.history[i]
	}
	return m.half[i][at[i]&^begun:][:1]
}

func (l local) alone() local {
	l.peers = [maxDegree]peer{}
	return l
}

// joined adds a peer. Of acknowledgements only the oldest counts, and of agreement only whether it is with all.
func (m *product) joined(e end, l local, p peer, left int) uint32 {
	l.peers[e.peer] = p
	if left == 0 {
		l = l.forget()
		id := m.search.table[e.self][m.search.number(e.self, l)]
		return finished | uint32(id)
	}
	low, all, first := l.low(), true, true
	for _, k := range l.peers {
		all = all && (!k.up || k.echo)
	}
	for k := range l.peers {
		if p := &l.peers[k]; p.up && !all {
			p.ready, p.echo, p.acked = false, false, l.serial
			if first {
				p.acked, first = low, false
			}
		}
	}
	n, in := m.partial[e.self][l]
	if !in {
		n = uint32(len(m.half[e.self]))
		m.partial[e.self][l] = n
		m.half[e.self] = append(m.half[e.self], l)
	}
	return begun | n
}

// look checks one set of tables.
func (m *product) look(at key) {
	var tables [maxSatellites]uint16
	for i := range m.N {
		tables[i] = uint16(at[i])
	}
	if m.done.Loop = m.moment(tables); m.done.Loop != nil {
		m.done.LoopLocals = m.explainWhole(at)
	}
}

// explainWhole goes through the layers again, this time with a note of the way, and tells what the satellites hold.
func (m *product) explainWhole(at key) []string {
	m.origin = []map[key]step{}
	m.layers()
	all := make([]local, m.N)
	left := make([]int, m.N)
	for _, e := range m.ends {
		left[e.self]++
	}
	order := m.order(left)
	for n := len(order) - 1; n >= 0; n-- {
		s, in := m.origin[n][at]
		if !in {
			return []string{"the way was not come to again"}
		}
		a, b := m.ends[2*order[n]], m.ends[2*order[n]+1]
		for i, old := range map[int]local{a.self: s.a, b.self: s.b} {
			old.peers = all[i].peers
			all[i] = old
		}
		all[a.self].peers[a.peer], all[b.self].peers[b.peer] = s.c[0], s.c[1]
		at = s.before
	}
	var out []string
	for i, l := range all {
		out = append(out, m.describe(i, l))
	}
	return out
}
