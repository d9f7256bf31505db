package explore

import "slices"

// detour has the ways around what is dead for one destination, in the names of net/path's doc.go and by its definitions,
// each looked up anew: ancestors by walking up, the best exit by going through all arcs of a subtree.
type detour struct {
	p    *plan
	v    *view
	t    *tree
	dist []int
	d    int
	rank []int // among siblings; unranked: cut off when the parent dies
	best []exit
}

const (
	unranked = 1 << 20
	jump     = unranked - 1 // the rank of an exit to the meeting itself
)

// exit is a way out of a subtree: what is compared, in order, then the arc by which it is left.
type exit struct {
	key   [4]int
	cross int // none: there is no exit
}

func (p *plan) detours(v *view, t *tree, dist []int, d int) *detour {
	f := &detour{p: p, v: v, t: t, dist: dist, d: d, rank: slices.Repeat([]int{unranked}, p.N), best: make([]exit, p.N)}
	f.ranks()
	for x := range p.N {
		f.best[x] = f.exit(x)
	}
	return f
}

func (f *detour) parent(x int) int {
	if f.t.up[x] == none {
		return none
	}
	return f.p.head(f.t.up[x])
}

// below tells whether x lies in the subtree of root.
func (f *detour) below(x, root int) bool {
	for ; x != none; x = f.parent(x) {
		if x == root {
			return true
		}
	}
	return false
}

// inTree tells whether the arc's cable is one of the tree's.
func (f *detour) inTree(arc int) bool {
	return f.t.up[f.p.tail(arc)] == arc || f.t.up[f.p.head(arc)] == arc^1
}

// meet gives where the ends of a cable outside the tree meet, and the children of that above tail and head, or none.
func (f *detour) meet(arc int) (n, near, other int) {
	u, v := f.p.tail(arc), f.p.head(arc)
	near, other = none, none
	n = u
	for !f.below(v, n) {
		near, n = n, f.parent(n)
	}
	for ; v != n; v = f.parent(v) {
		other = v
	}
	return n, near, other
}

// ranks orders siblings: first those with a cable past the parent, then those with one to a sibling ranked before.
func (f *detour) ranks() {
	var line []int
	for _, z := range f.t.order {
		if z == f.d || f.parent(z) == f.d {
			continue
		}
		for _, a := range f.v.order {
			if f.inTree(a) || !f.below(f.p.tail(a), z) {
				continue
			}
			if n, _, _ := f.meet(a); f.t.depth[n] < f.t.depth[z]-1 && f.rank[z] == unranked {
				f.rank[z] = len(line)
				line = append(line, z)
			}
		}
	}
	for i := 0; i < len(line); i++ {
		for _, z := range f.siblings(line[i]) {
			if f.rank[z] == unranked {
				f.rank[z] = len(line)
				line = append(line, z)
			}
		}
	}
}

// siblings lists those with a cable between their subtree and x's, in the order of cables.
func (f *detour) siblings(x int) []int {
	var out []int
	for _, a := range f.v.order {
		if f.p.tail(a) > f.p.head(a) || f.inTree(a) {
			continue
		}
		n, near, other := f.meet(a)
		switch {
		case n == f.d || near == none || other == none:
		case near == x:
			out = append(out, other)
		case other == x:
			out = append(out, near)
		}
	}
	return out
}

func (f *detour) exit(x int) exit {
	best := exit{cross: none}
	for i, a := range f.v.order {
		u := f.p.tail(a)
		if f.inTree(a) || x == f.d || !f.below(u, x) {
			continue
		}
		n, _, other := f.meet(a)
		if f.t.depth[n] >= f.t.depth[x] {
			continue
		}
		rank := 0
		if n != f.d {
			rank = jump
			if other != none {
				rank = f.rank[other]
			}
		}
		e := exit{[4]int{f.t.depth[n], rank, f.dist[u] + f.p.Cables[a/2].Cost + f.dist[f.p.head(a)], i}, a}
		if best.cross == none || slices.Compare(e.key[:], best.key[:]) < 0 {
			best = e
		}
	}
	return best
}

// leave gives the arc from x on the way to its best exit (F2); none.
func (f *detour) leave(x int) int {
	cross := f.best[x].cross
	if cross == none || f.p.tail(cross) == x {
		return cross
	}
	at := f.p.tail(cross)
	for f.parent(at) != x {
		at = f.parent(at)
	}
	return f.t.up[at] ^ 1
}

// follow gives the arc for a frame off its path that came in by an arc (F3); none.
func (f *detour) follow(in int) int {
	x, y := f.p.tail(in), f.p.head(in)
	switch {
	case y == f.d:
		return none
	case f.t.up[y] == in^1:
		return f.leave(y)
	case f.t.up[x] == in:
		e := f.best[x]
		if e.cross == none {
			return none
		}
		n, near, _ := f.meet(e.cross)
		return f.climb(y, n, near, e.key[1])
	}
	n, near, other := f.meet(in)
	switch n {
	case x:
		return none
	case y:
		return f.t.up[y]
	}
	return f.climb(y, n, other, f.rank[near])
}

// climb goes on from y below child i of n, for frames from a sibling of the given rank: with n dead, if that is higher.
func (f *detour) climb(y, n, i, from int) int {
	b := f.best[y]
	switch {
	case y == n || n == f.d:
		return f.t.up[y]
	case b.cross != none && b.key[0] < f.t.depth[n]:
		return f.leave(y)
	case f.rank[i] != unranked && from > f.rank[i] && b.cross != none && b.key[1] < f.rank[i]:
		return f.leave(y)
	}
	return f.t.up[y]
}
