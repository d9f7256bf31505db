package path

import (
	"cmp"
	"slices"
)

// Repair is what one satellite needs besides its routes so that others' paths are known from detours, and so that a dead
// port or neighbour costs no recomputation: for each colour the marks of F1, the backups of F2 and the entries of F3.
// It is filled destination by destination by Step, and must not be used before Done.
type Repair struct {
	routes *Routes
	spf    *spf
	tree   detour
	done   int

	backup []uint8    // [colour*n+destination]: own arc
	off    []uint8    // [(colour*ports+in)*n+destination]: own arc
	marks  [][]uint16 // [colour*n+destination]: the sources whose path leads through here, ascending
}

// NewRepair begins; Step does the work.
func NewRepair(r *Routes) *Repair {
	n := r.topo.Len()
	lo, hi := r.topo.out(r.self)
	p := &Repair{routes: r, spf: newSPF(r.topo, r.colours), backup: make([]uint8, r.colours*n),
		off: make([]uint8, r.colours*int(hi-lo)*n), marks: make([][]uint16, r.colours*n)}
	p.tree.init(r.topo, r.self)
	return p
}

// Step works through up to so many more destinations and tells whether all are done.
func (p *Repair) Step(destinations int) bool {
	n := p.routes.topo.Len()
	for ; destinations > 0 && p.done < n; destinations-- {
		p.spf.run(p.done)
		for c := range p.routes.colours {
			p.tree.build(p.spf, p.done, c)
			p.take(p.done, c)
		}
		p.done++
	}
	if p.Done() {
		p.spf, p.tree = nil, detour{} // working memory
	}
	return p.Done()
}

// Done tells whether all destinations are worked through.
func (p *Repair) Done() bool { return p.done == p.routes.topo.Len() }

// take copies the satellite's own share of what was built for one destination and colour.
func (p *Repair) take(d, c int) {
	r, t := p.routes, p.routes.topo
	n, at := t.Len(), c*t.Len()+d
	lo, hi := t.out(r.self)
	local := func(a int32) uint8 {
		if a == none {
			return noArc
		}
		return uint8(a - lo)
	}
	p.backup[at] = noArc
	if r.self != d {
		p.backup[at] = local(p.tree.leave(r.self))
	}
	for a := lo; a < hi; a++ {
		port := uint8(noArc)
		if r.self != d && int(t.arcs[a].to) != d { // nothing comes from d, but by who takes another for its home
			port = local(p.tree.follow(t.arcs[a].back))
		}
		p.off[(c*int(hi-lo)+int(a-lo))*n+d] = port
	}
	below := make([]uint16, 0, len(p.tree.below))
	for _, v := range p.tree.below {
		below = append(below, uint16(v))
	}
	slices.Sort(below)
	p.marks[at] = below
}

// OnPath tells whether the colour's path from source to destination leads through this satellite, its ends included.
func (p *Repair) OnPath(colour, source, destination int) bool {
	_, in := slices.BinarySearch(p.marks[colour*p.routes.topo.Len()+destination], uint16(source))
	return in
}

// Sources gives, ascending, the sources whose path to the destination leads through this satellite. The caller must not
// write to it.
func (p *Repair) Sources(colour, destination int) []uint16 {
	return p.marks[colour*p.routes.topo.Len()+destination]
}

// Backup gives the port for an on-path frame whose primary is down (F2).
func (p *Repair) Backup(colour, destination int) (Port, bool) {
	return p.routes.port(p.backup[colour*p.routes.topo.Len()+destination])
}

// Off gives the port for an off-path frame that came in by the given port, by its local index (F3).
func (p *Repair) Off(colour, in, destination int) (Port, bool) {
	lo, hi := p.routes.topo.out(p.routes.self)
	return p.routes.port(p.off[(colour*int(hi-lo)+in)*p.routes.topo.Len()+destination])
}

// Bytes gives the sizes of the three tables.
func (p *Repair) Bytes() (backup, off, marks int) {
	for _, m := range p.marks {
		marks += 24 + 2*cap(m)
	}
	return len(p.backup), len(p.off), marks
}

// detour is the working memory for one destination d and colour: the tree T of the colour's paths to d, with the
// ways out of subtrees. See the package's section on repair, whose names it has.
//
// A satellite asks only for what it does itself. For that, subtrees matter that hang off its own path to d, so no others than
// those in S(branch), where branch is the last satellite on that path before d: a cable that leaves S(branch) meets at d,
// wherever it leads. And exits matter only within S(self). What is outside is not looked at; it is most of the graph.
type detour struct {
	t      *Topology
	self   int32
	d      int
	branch int32   // none at d
	up     []int32 // T: arc from v toward d
	par    []int32 // T: where it leads; none at d
	top    []int32 // T: v's branch; none at d
	depth  []int32 // in S(branch), and of d
	inside []int32 // S(branch), parent first
	below  []int32 // S(self), parent first
	under  []bool  // by satellite: in S(self)
	rank   []int32 // among siblings: lower first; unranked: the parent cannot be avoided
	kin    [][]int32
	low    []int32   // the least depth that a cable from below v meets at
	line   []int32   // by rank
	meet   []meeting // by arc; of those with an end in S(branch)
	best   []exit    // by satellite; of those in S(self)
}

// meeting tells where the two ends of a cable outside T meet on their ways to d.
type meeting struct {
	nca       int32 // nearest common ancestor; none for an arc of T
	near, far int32 // its children above the arc's tail and head; none if that is nca itself
}

// exit is a way out of a subtree, in order of preference.
type exit struct {
	depth  int32 // of the nca: the higher up, the more is avoided
	rank   int32 // of the sibling's subtree that it leads to
	length uint64
	cross  int32 // the arc by which the subtree is left; none: there is no exit
	via    int32 // the arc by which to go there from the subtree's root
}

const (
	unranked = 1<<31 - 1
	jump     = unranked - 1 // rank of an exit to the nca itself
)

func (x exit) compare(y exit) int {
	switch {
	case x.depth != y.depth:
		return cmp.Compare(x.depth, y.depth)
	case x.rank != y.rank:
		return cmp.Compare(x.rank, y.rank)
	case x.length != y.length:
		return cmp.Compare(x.length, y.length)
	}
	return cmp.Compare(x.cross, y.cross)
}

func (f *detour) init(t *Topology, self int) {
	n := t.Len()
	f.t, f.self = t, int32(self)
	for _, p := range []*[]int32{&f.up, &f.par, &f.top, &f.depth, &f.rank, &f.low} {
		*p = make([]int32, n)
	}
	f.kin, f.best, f.meet, f.under = make([][]int32, n), make([]exit, n), make([]meeting, len(t.arcs)), make([]bool, n)
}

// build works out the tree, where cables meet, the ranks and the exits.
func (f *detour) build(s *spf, d, colour int) {
	f.d = d
	f.climbTree(s, colour)
	f.split(s.order)
	if f.branch == none {
		return
	}
	f.meetings()
	f.ranks()
	f.exits(s)
}

// climbTree copies the tree, and gives each satellite its branch.
func (f *detour) climbTree(s *spf, colour int) {
	f.up[f.d], f.par[f.d], f.top[f.d], f.depth[f.d] = none, none, none, 0
	for _, v := range s.order[1:] {
		a := s.up[int(v)*s.colours+colour]
		p := f.t.arcs[a].to
		f.up[v], f.par[v], f.top[v] = a, p, f.top[p]
		if int(p) == f.d {
			f.top[v] = v
		}
	}
	f.branch = f.top[f.self]
}

// split lists S(branch) and S(self), and gives the depths.
func (f *detour) split(order []int32) {
	f.inside, f.below = f.inside[:0], f.below[:0]
	clear(f.under)
	if f.branch == none {
		f.below = append(f.below, order...)
		return
	}
	for _, v := range order[1:] {
		if f.top[v] != f.branch {
			continue
		}
		f.depth[v] = f.depth[f.par[v]] + 1
		f.kin[v] = f.kin[v][:0]
		f.inside = append(f.inside, v)
		if v == f.self || f.under[f.par[v]] {
			f.under[v] = true
			f.below = append(f.below, v)
		}
	}
}

func (f *detour) meetings() {
	for u := range f.up {
		if f.top[u] != f.branch {
			continue
		}
		for a, hi := f.t.out(u); a < hi; a++ {
			x := f.t.arcs[a]
			out := f.top[x.to] != f.branch
			if int(x.to) < u && !out {
				continue
			}
			m := meeting{none, none, none}
			switch {
			case f.up[u] == a || f.up[x.to] == x.back:
			case out:
				m = meeting{int32(f.d), f.branch, f.top[x.to]}
			default:
				m = f.meeting(int32(u), x.to)
			}
			f.meet[a], f.meet[x.back] = m, meeting{m.nca, m.far, m.near}
			if m.near != none && m.far != none && !out {
				f.kin[m.near] = append(f.kin[m.near], m.far)
				f.kin[m.far] = append(f.kin[m.far], m.near)
			}
		}
	}
}

func (f *detour) meeting(u, v int32) meeting {
	m := meeting{none, none, none}
	for u != v {
		if f.depth[u] >= f.depth[v] {
			m.near, u = u, f.par[u]
		} else {
			m.far, v = v, f.par[v]
		}
	}
	m.nca = u
	return m
}

// ranks orders the children of each satellite n but d: first those from whose subtrees a cable leads past n, then those
// with a cable to a subtree ranked before. A child without rank is cut off when n dies.
func (f *detour) ranks() {
	low := f.low
	for _, v := range f.inside {
		f.rank[v], low[v] = unranked, f.depth[v]
		for a, hi := f.t.out(int(v)); a < hi; a++ {
			if n := f.meet[a].nca; n != none {
				low[v] = min(low[v], f.depth[n])
			}
		}
	}
	for i := len(f.inside) - 1; i > 0; i-- {
		p := f.par[f.inside[i]]
		low[p] = min(low[p], low[f.inside[i]])
	}
	line := f.line[:0]
	for _, v := range f.inside {
		if low[v] < f.depth[v]-1 {
			f.rank[v] = int32(len(line))
			line = append(line, v)
		}
	}
	for i := 0; i < len(line); i++ {
		for _, z := range f.kin[line[i]] {
			if f.rank[z] == unranked {
				f.rank[z] = int32(len(line))
				line = append(line, z)
			}
		}
	}
	f.line = line
}

// exits finds the best exit of each subtree in S(self), from the leaves on.
func (f *detour) exits(s *spf) {
	for _, v := range f.below {
		f.best[v] = exit{depth: unranked, cross: none, via: none}
		for a, hi := f.t.out(int(v)); a < hi; a++ {
			m := f.meet[a]
			if m.nca == none || m.nca == v {
				continue
			}
			if f.depth[m.nca] > f.best[v].depth {
				continue
			}
			x := exit{depth: f.depth[m.nca], cross: a, via: a}
			x.length = s.dist[v] + uint64(f.t.arcs[a].cost) + s.dist[f.t.arcs[a].to]
			if m.nca != int32(f.d) {
				x.rank = jump
				if m.far != none {
					x.rank = f.rank[m.far]
				}
			}
			if x.compare(f.best[v]) < 0 {
				f.best[v] = x
			}
		}
	}
	for i := len(f.below) - 1; i > 0; i-- {
		v := f.below[i]
		p := f.par[v]
		if x := f.best[v]; x.cross != none && x.depth < f.depth[p] && x.compare(f.best[p]) < 0 {
			x.via = f.t.arcs[f.up[v]].back
			f.best[p] = x
		}
	}
}

// leave gives the arc from v by which the best exit of its subtree is reached: F2.
func (f *detour) leave(v int) int32 { return f.best[v].via }

// follow gives the arc that a frame takes which came off its path by the given arc: F3.
func (f *detour) follow(in int32) int32 {
	y, x := f.t.arcs[in].to, f.t.arcs[f.t.arcs[in].back].to // from x to y
	switch m := f.meet[in]; {
	case f.up[y] == f.t.arcs[in].back: // down
		return f.leave(int(y))
	case f.up[x] == in: // up
		e := f.best[x]
		if e.cross == none {
			return none
		}
		return f.climb(y, f.meet[e.cross].nca, f.meet[e.cross].near, e.rank)
	case m.nca == x: // from an ancestor: nobody leaves by this
		return none
	case m.nca == y:
		return f.up[y]
	default:
		return f.climb(y, m.nca, m.far, f.rank[m.near])
	}
}

// climb goes on from y in the subtree of child, below n, where frames from the sibling of the given rank came in: n may be
// dead if that rank is higher than child's.
func (f *detour) climb(y, n, child, from int32) int32 {
	b := f.best[y]
	switch {
	case y == n || n == int32(f.d):
		return f.up[y]
	case b.depth < f.depth[n]:
		return b.via
	case f.rank[child] == unranked || from < f.rank[child]:
		return f.up[y]
	case b.rank < f.rank[child]:
		return b.via
	}
	return f.up[y]
}
