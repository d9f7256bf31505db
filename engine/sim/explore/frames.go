package explore

// Frames gives the most hops that any frame can make, wherever it begins, while satellites learn, speak and hear between
// any two of them; and the number of arcs in the graph. It goes through all states as Explore does, which must be free of loops.
func Frames(s Scenario) (hops, arcs int) {
	f := newSearch(newPlan(s))
	f.run()
	var from, to []uint32
	for n := range f.parent {
		f.expand(f.state(n), func(_ string, next []byte) {
			from, to = append(from, uint32(n)), append(to, uint32(f.find(next)))
		})
	}
	arcs = 2 * len(f.Cables)
	for c := range f.Colours {
		for source := range f.N {
			for destination := range f.N {
				hops = max(hops, f.longest(from, to, c, source, destination))
			}
		}
	}
	return hops, arcs
}

// longest relaxes until nothing changes. Events never lead back to a state, so it ends.
func (f *search) longest(from, to []uint32, c, s, d int) int {
	arcs := 2 * len(f.Cables)
	most := make([]uint8, len(f.parent)*arcs)
	best := uint8(0)
	for again := true; again; {
		again = false
		raise := func(at int, n uint8) {
			if n > most[at] {
				most[at], again, best = n, true, max(best, n)
			}
		}
		for e := len(from) - 1; e >= 0; e-- {
			for in := range arcs {
				raise(int(from[e])*arcs+in, most[int(to[e])*arcs+in])
			}
		}
		for n := range f.parent {
			for in := range arcs {
				head := f.head(in)
				t := f.content[f.table[head][f.get(f.state(n), head)]]
				for _, out := range t[((c*arcs+in)*f.N+s)*f.N+d] {
					if out != none {
						raise(n*arcs+in, 1+most[n*arcs+int(out)])
					}
				}
			}
		}
	}
	return int(best)
}
