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
	p.tree.init(r.topo)
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
	var below []uint16
	for v := range n {
		if p.tree.within(v, r.self) {
			below = append(below, uint16(v))
		}
	}
	p.marks[at] = slices.Clip(below)
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
// ways out of each subtree. See the package's section on repair, whose names it has.
type detour struct {
	t     *Topology
	d     int
	up    []int32 // T: arc from v toward d
	par   []int32 // T: where it leads; none at d
	depth []int32
	in    []int32 // v's place when T is walked parent first, children together …
	out   []int32 // … and the first place after its subtree's
	rank  []int32 // among siblings: lower first; unranked: the parent cannot be avoided
	kin   [][]int32
	queue []int32   // the next free place below v; then the least depth that a cable from below v meets at
	line  []int32   // by rank
	meet  []meeting // by arc
	best  []exit    // by satellite
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

func (f *detour) init(t *Topology) {
	n := t.Len()
	f.t = t
	for _, p := range []*[]int32{&f.up, &f.par, &f.depth, &f.in, &f.out, &f.rank, &f.queue} {
		*p = make([]int32, n)
	}
	f.kin, f.best, f.meet = make([][]int32, n), make([]exit, n), make([]meeting, len(t.arcs))
}

// build works out the tree, where cables meet, the ranks and the exits.
func (f *detour) build(s *spf, d, colour int) {
	f.d = d
	for v := range f.up {
		f.up[v], f.par[v] = s.up[v*s.colours+colour], none
		if f.up[v] != none {
			f.par[v] = f.t.arcs[f.up[v]].to
		}
		f.kin[v] = f.kin[v][:0]
	}
	f.number(s.order)
	f.meetings()
	f.ranks(s.order)
	f.exits(s)
}

// number gives each satellite its depth and the range of its subtree.
func (f *detour) number(order []int32) {
	for _, v := range order {
		f.out[v] = 1 // the size, for now
	}
	f.depth[f.d] = 0
	for _, v := range order[1:] {
		f.depth[v] = f.depth[f.par[v]] + 1
	}
	for i := len(order) - 1; i > 0; i-- {
		f.out[f.par[order[i]]] += f.out[order[i]]
	}
	f.in[f.d] = 0
	f.queue[f.d] = 1
	for _, v := range order[1:] {
		p := f.par[v]
		f.in[v] = f.queue[p]
		f.queue[p] += f.out[v]
		f.queue[v] = f.in[v] + 1
	}
	for _, v := range order {
		f.out[v] += f.in[v]
	}
}

// within tells whether v lies in the subtree of root.
func (f *detour) within(v, root int) bool {
	return f.in[root] <= f.in[v] && f.in[v] < f.out[root]
}

func (f *detour) meetings() {
	for u := range f.up {
		for a, hi := f.t.out(u); a < hi; a++ {
			x := f.t.arcs[a]
			if int(x.to) < u {
				continue
			}
			m := meeting{none, none, none}
			if f.up[u] != a && f.up[x.to] != x.back {
				m = f.meeting(int32(u), x.to)
			}
			f.meet[a], f.meet[x.back] = m, meeting{m.nca, m.far, m.near}
			if m.near != none && m.far != none && m.nca != int32(f.d) {
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
func (f *detour) ranks(order []int32) {
	low := f.queue
	for v := range low {
		f.rank[v], low[v] = unranked, f.depth[v]
		for a, hi := f.t.out(v); a < hi; a++ {
			if n := f.meet[a].nca; n != none {
				low[v] = min(low[v], f.depth[n])
			}
		}
	}
	for i := len(order) - 1; i > 0; i-- {
		p := f.par[order[i]]
		low[p] = min(low[p], low[order[i]])
	}
	line := f.line[:0]
	for _, v := range order[1:] {
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

// exits finds the best exit of each subtree, from the leaves on.
func (f *detour) exits(s *spf) {
	for v := range f.best {
		f.best[v] = exit{depth: unranked, cross: none, via: none}
		for a, hi := f.t.out(v); a < hi; a++ {
			m := f.meet[a]
			if m.nca == none || m.nca == int32(v) {
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
	for i := len(s.order) - 1; i > 0; i-- {
		v := s.order[i]
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
