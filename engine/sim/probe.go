package sim

import (
	"fmt"
	"time"
)

// transit is more than any frame needs through the whole world.
const transit = 4 * ms

// probes are the frames of one look at whether all is well.
type probes struct {
	g     *graph
	hosts []int       // that are there
	flood map[int]int // by host: its broadcast
	pair  map[[2]int]int
}

// amiss is what a look found that has to be right after quiescence.
type amiss struct {
	kind   string
	packet int
	what   string
}

// Error implements error.
func (a *amiss) Error() string { return a.kind + ": " + a.what }

func wrong(kind string, packet int, format string, args ...any) *amiss {
	return &amiss{kind, packet, fmt.Sprintf(format, args...)}
}

// probe lets each host send to all and to each other, and tells what is wrong; nil: all is well.
func (w *world) probe() *amiss {
	p := &probes{g: w.look(), flood: map[int]int{}, pair: map[[2]int]int{}}
	for i, h := range w.hosts {
		if h.gone || h.sat >= 0 && !w.sats[h.sat].power {
			continue
		}
		p.hosts = append(p.hosts, i)
		p.flood[i] = w.watched(i, ToAll)
	}
	w.run(w.now + transit)
	for _, i := range p.hosts {
		for _, j := range p.hosts {
			if i != j {
				p.pair[[2]int{i, j}] = w.watched(i, j)
			}
		}
	}
	w.run(w.now + transit)
	if a := w.reached(p); a != nil {
		return a
	}
	return w.ways(p)
}

func (w *world) watched(from, to int) int {
	n := w.inject(from, to, 0, (from+to)%11)
	w.packets[n].watch = true
	return int(n)
}

// connected tells whether frames of one host can get to another's.
func (w *world) connected(g *graph, i, j int) bool {
	at := len(w.sats) + len(w.switches)
	return g.part[at+i] == g.part[at+j]
}

// reached tells which of the probes should have arrived and did not.
func (w *world) reached(p *probes) *amiss {
	for _, i := range p.hosts {
		for _, j := range p.hosts {
			if i == j || !w.connected(p.g, i, j) {
				continue
			}
			if !has(w.packets[p.flood[i]].got, j) {
				return wrong("reach", p.flood[i], "host %d's broadcast did not reach host %d", i, j)
			}
			if !has(w.packets[p.pair[[2]int{i, j}]].got, j) {
				return wrong("reach", p.pair[[2]int{i, j}], "host %d did not reach host %d", i, j)
			}
		}
	}
	return nil
}

// ways checks the ways of probes between hosts whose satellites tell of them: those are never flooded.
func (w *world) ways(p *probes) *amiss {
	p.g.distances()
	for _, i := range p.hosts {
		for _, j := range p.hosts {
			a, b := w.hosts[i].sat, w.hosts[j].sat
			if i == j || a < 0 || b < 0 || !w.connected(p.g, i, j) || p.g.dist[a][b] == far {
				continue
			}
			there, back := p.pair[[2]int{i, j}], p.pair[[2]int{j, i}]
			if bad := w.shortest(p.g, there, a, b); bad != nil {
				return bad
			}
			if i < j {
				if bad := w.symmetric(there, back); bad != nil {
					return bad
				}
			}
		}
	}
	return nil
}

// shortest checks that each hop of a frame comes nearer to where it goes by what the cable costs.
func (w *world) shortest(g *graph, packet, from, to int) *amiss {
	at := from
	for _, e := range w.packets[packet].way {
		next := w.ends[e].node
		if w.ends[e].kind != AtSatellite || g.dist[at][to] != g.dist[next][to]+priceOf(w.ends[e].cable.mbps) {
			return wrong("shortest", packet, "from satellite %d to %d by %v: at %d the distance is %d, at %d %d", from, to, w.packets[packet].way,
				at, g.dist[at][to], next, g.dist[next][to])
		}
		at = next
	}
	if at != to {
		return wrong("shortest", packet, "from satellite %d to %d the way %v ends at %d", from, to, w.packets[packet].way, at)
	}
	return nil
}

// symmetric checks that two frames of one flow and one choice go the same way, each in its direction.
func (w *world) symmetric(there, back int) *amiss {
	a, b := &w.packets[there], &w.packets[back]
	if a.choice != b.choice {
		return nil
	}
	w.Totals.Symmetric++
	same := len(a.way) == len(b.way)
	for k := 0; same && k < len(a.way); k++ {
		x := &w.ends[a.way[k]]
		same = x.cable.ends[1-x.side] == b.way[len(b.way)-1-k]
	}
	if !same {
		return wrong("symmetric", there, "ends %v there, %v back (frame %d)", a.way, b.way, back)
	}
	return nil
}

// looks are when a world that has peace is looked at, until its Bound.
var looks = []time.Duration{150 * ms, 500 * ms, 1200 * ms, 2500 * ms, 5 * time.Second, 8 * time.Second, 12 * time.Second, 18 * time.Second,
	26 * time.Second, 40 * time.Second, 70 * time.Second, 150 * time.Second}

// heal waits until all is well, at most for the Bound.
func (w *world) heal() {
	var last *amiss
	for _, at := range looks {
		if at > w.s.Bound() || w.checks.failure != nil {
			break
		}
		w.run(w.s.Peace + at)
		if at < w.s.Bound() && !w.spans() {
			continue
		}
		if last = w.probe(); last == nil {
			w.Totals.Healed = at
			return
		}
	}
	if last != nil {
		w.checks.fail(last.kind, int32(last.packet), "%v after the last fault: %s", w.s.Bound(), last.what)
	}
}
