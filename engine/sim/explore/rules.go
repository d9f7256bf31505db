package explore

import "fmt"

// Rules says which of them hold. The zero value is all of them.
type Rules struct {
	NoU1   bool // each next hop is legal
	NoU2   bool // the feasible distance is the present one
	NoF1   bool // a frame is on its path if it comes by the port toward its source
	NoF4   bool // a frame off its path that can go no further is deflected again
	NoF6a  bool // detours are used as soon as the satellite's own are ready
	NoF6b  bool // paths of before need not agree
	Router bool // frames are forwarded by their destination alone: neither F1 nor F3 nor detours
	// A port at which no neighbour is up carries no frame of another satellite's, in either direction.
	NoLiveOut bool // frames go out by any port with carrier
	NoLiveIn  bool // frames are taken from any port
}

// table is what one satellite does with every frame: at [((colour·arcs + in)·N + source)·N + destination] the arcs that it
// may go out by. There are two of them where the first one's port may be dead: that is unknown to the model, which goes both ways.
type table [][2]int8

var nowhere = [2]int8{none, none}

// table works out what the data path holds in a local state.
func (p *plan) table(i int, l *local) table {
	arcs := 2 * len(p.Cables)
	t := make(table, p.Colours*arcs*p.N*p.N)
	for at := range t {
		t[at] = nowhere
	}
	for c := range p.Colours {
		for in := range arcs {
			if p.head(in) != i || !p.Rules.NoLiveIn && !l.peers[p.near[in^1]].up {
				continue
			}
			for s := range p.N {
				for d := range p.N {
					t[((c*arcs+in)*p.N+s)*p.N+d] = p.decide(i, l, c, in, s, d)
				}
			}
		}
	}
	return t
}

// decide is the forwarding rule F1 to F4 and F6, with U1 for the next hop.
func (p *plan) decide(i int, l *local, c, in, s, d int) [2]int8 {
	v := p.views[l.now().view]
	if d == i || v.nodes>>d&1 == 0 || v.nodes>>s&1 == 0 {
		return nowhere
	}
	agreed := l.now().ready && (p.Rules.NoF6a || l.agreed())
	out := [2]int8{none, none}
	if p.Rules.Router {
		return p.send(i, l, v, c, d, false)
	}
	if p.onPath(i, l, c, in, s, d) {
		return p.send(i, l, v, c, d, agreed)
	}
	if agreed && v.cables>>(in/2)&1 == 1 {
		out[0] = p.over(l, i, v.detour[c][d].follow(in))
	}
	if p.Rules.NoF4 && agreed {
		again := p.send(i, l, v, c, d, agreed)
		if out[0] == none {
			return again
		}
		out[1] = again[1]
	}
	return out
}

// send gives the next hop, if it is legal, and the backup.
func (p *plan) send(i int, l *local, v *view, c, d int, agreed bool) [2]int8 {
	out := nowhere
	if first := v.first[c][i][d]; p.legal(i, l, first, d) {
		out[0] = p.over(l, i, first)
	}
	if agreed {
		out[1] = p.over(l, i, v.detour[c][d].leave(i))
	}
	return out
}

// over gives the arc if frames may go out by it.
func (p *plan) over(l *local, i, arc int) int8 {
	if arc == none || !p.Rules.NoLiveOut && !l.peers[p.near[arc]].up {
		return none
	}
	return int8(arc)
}

// legal is U1 of the arc to the next hop.
func (p *plan) legal(i int, l *local, arc, d int) bool {
	if p.Rules.NoU1 {
		return true
	}
	k := p.head(arc)
	n := l.peers[p.near[arc]]
	return n.up && n.heard > 0 && l.known>>n.view&1 == 1 && p.views[n.view].dist[d][k] < p.feasible(i, l, d)
}

// feasible is U2.
func (p *plan) feasible(i int, l *local, d int) int {
	fd := p.views[l.now().view].dist[d][i]
	if p.Rules.NoU2 {
		return fd
	}
	for s := l.low(); s < l.serial; s++ {
		fd = min(fd, p.views[l.past[s-1].view].dist[d][i])
	}
	return fd
}

// onPath is F1, and the second half of F6.
func (p *plan) onPath(i int, l *local, c, in, s, d int) bool {
	v := p.views[l.now().view]
	if !p.inward(v, i, c, in, s) {
		return false
	}
	if !p.Rules.NoF6b {
		for at := l.low(); at < l.serial; at++ {
			if old := l.past[at-1]; old.ready {
				w := p.views[old.view]
				if !p.inward(w, i, c, in, s) || w.marks[c][s][d]>>i&1 == 0 {
					return false
				}
			}
		}
	}
	return p.Rules.NoF1 || !l.now().ready || v.marks[c][s][d]>>i&1 == 1
}

// inward tells whether an arc comes in by the port toward the source.
func (p *plan) inward(v *view, i, c, in, s int) bool {
	return v.nodes>>s&1 == 1 && v.first[c][i][s] == in^1
}

// Loop is a way that a frame goes round.
type Loop struct {
	Colour, Source, Destination int
	Way                         []int // the satellites, the last of which is the first again
	Steady                      bool  // it goes round while no cable changes; Dead lists those that are down then
	Dead                        []int
}

func (l *Loop) String() string {
	how := "while cables flap"
	if l.Steady {
		how = fmt.Sprintf("with cables %v dead", l.Dead)
	}
	return fmt.Sprintf("a frame of colour %d from %d to %d goes round by %v %s", l.Colour, l.Source, l.Destination, l.Way, how)
}

// round looks for a frame that can go round in a moment, wherever it begins and whichever ports die and live meanwhile.
func (p *plan) round(tables []table) *Loop {
	for c := range p.Colours {
		for s := range p.N {
			for d := range p.N {
				if way := p.cycle(tables, c, s, d); way != nil {
					return p.explain(tables, way, c, s, d)
				}
			}
		}
	}
	return nil
}

// cycle goes depth first through the arcs by which a frame may come in.
func (p *plan) cycle(tables []table, c, s, d int) []int {
	var open, shut uint64
	var way []int
	arcs := 2 * len(p.Cables)
	var visit func(in int) []int
	visit = func(in int) []int {
		open |= 1 << in
		way = append(way, in)
		for _, out := range tables[p.head(in)][((c*arcs+in)*p.N+s)*p.N+d] {
			switch {
			case out == none || shut>>out&1 == 1:
			case open>>out&1 == 1:
				for way[0] != int(out) {
					way = way[1:]
				}
				return append(way, int(out))
			default:
				if found := visit(int(out)); found != nil {
					return found
				}
			}
		}
		open, shut, way = open&^(1<<in), shut|1<<in, way[:len(way)-1]
		return nil
	}
	for in := range arcs {
		if shut>>in&1 == 0 {
			if found := visit(in); found != nil {
				return found
			}
		}
	}
	return nil
}

// explain tries all sets of dead cables, for one in which a frame goes round for good.
func (p *plan) explain(tables []table, way []int, c, s, d int) *Loop {
	l := &Loop{Colour: c, Source: s, Destination: d}
	arcs := 2 * len(p.Cables)
	for dead := range uint32(1) << len(p.Cables) {
		for begin := range arcs {
			in, been := begin, []int{}
			for range 2 * arcs {
				been = append(been, in)
				two := tables[p.head(in)][((c*arcs+in)*p.N+s)*p.N+d]
				in = none
				for _, out := range two {
					if out != none && dead>>(out/2)&1 == 0 {
						in = int(out)
						break
					}
				}
				if in == none {
					break
				}
			}
			if in == none {
				continue
			}
			l.Steady, way = true, been[arcs:]
			for i := 1; ; i++ {
				if way[i] == way[0] {
					way = way[:i+1]
					break
				}
			}
			for cable := range p.Cables {
				if dead>>cable&1 == 1 {
					l.Dead = append(l.Dead, cable)
				}
			}
			l.Way = p.satellites(way)
			return l
		}
	}
	l.Way = p.satellites(way)
	return l
}

func (p *plan) satellites(way []int) []int {
	var out []int
	for _, in := range way {
		out = append(out, p.head(in))
	}
	return out
}
