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

// probe lets each host send to all and to each other, and tells what is wrong; nil: all is well.
func (w *world) probe() error {
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
	if err := w.reached(p); err != nil {
		return err
	}
	w.ways(p)
	return nil
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
func (w *world) reached(p *probes) error {
	for _, i := range p.hosts {
		for _, j := range p.hosts {
			if i == j || !w.connected(p.g, i, j) {
				continue
			}
			if !has(w.packets[p.flood[i]].got, j) {
				return fmt.Errorf("host %d's broadcast did not reach host %d", i, j)
			}
			if !has(w.packets[p.pair[[2]int{i, j}]].got, j) {
				return fmt.Errorf("host %d did not reach host %d", i, j)
			}
		}
	}
	return nil
}

// unreached counts the pairs whose probes of this moment would not arrive: for the figures.
func (w *world) unreached() (n int) {
	g := w.look()
	var sent []int32
	for i, h := range w.hosts {
		for j := range w.hosts {
			if i != j && !h.gone && w.connected(g, i, j) {
				sent = append(sent, w.inject(i, j, 0, (i+j)%11))
			}
		}
	}
	w.run(w.now + transit)
	for _, k := range sent {
		if k >= 0 && !has(w.packets[k].got, w.packets[k].to) {
			n++
		}
	}
	return n
}

// ways checks the ways of probes between hosts whose satellites tell of them: those are never flooded.
func (w *world) ways(p *probes) {
	p.g.distances()
	for _, i := range p.hosts {
		for _, j := range p.hosts {
			a, b := w.hosts[i].sat, w.hosts[j].sat
			if i == j || a < 0 || b < 0 || !w.connected(p.g, i, j) || p.g.dist[a][b] == far {
				continue
			}
			there, back := p.pair[[2]int{i, j}], p.pair[[2]int{j, i}]
			w.shortest(p.g, there, a, b)
			if i < j {
				w.symmetric(there, back)
			}
		}
	}
}

// shortest checks that each hop of a frame comes nearer to where it goes by what the cable costs.
func (w *world) shortest(g *graph, packet, from, to int) {
	at := from
	for _, e := range w.packets[packet].way {
		next := w.ends[e].node
		if w.ends[e].kind != AtSatellite || g.dist[at][to] != g.dist[next][to]+priceOf(w.ends[e].cable.mbps) {
			w.checks.fail("shortest", int32(packet), "from satellite %d to %d by %v: at %d the distance is %d, at %d %d", from, to, w.packets[packet].way,
				at, g.dist[at][to], next, g.dist[next][to])
			return
		}
		at = next
	}
	if at != to {
		w.checks.fail("shortest", int32(packet), "from satellite %d to %d the way %v ends at %d", from, to, w.packets[packet].way, at)
	}
}

// symmetric checks that two frames of one flow and one choice go the same way, each in its direction.
func (w *world) symmetric(there, back int) {
	a, b := &w.packets[there], &w.packets[back]
	if a.choice != b.choice {
		return
	}
	w.Totals.Symmetric++
	same := len(a.way) == len(b.way)
	for k := 0; same && k < len(a.way); k++ {
		x := &w.ends[a.way[k]]
		same = x.cable.ends[1-x.side] == b.way[len(b.way)-1-k]
	}
	if !same {
		w.checks.fail("symmetric", int32(there), "ends %v there, %v back (frame %d)", a.way, b.way, back)
	}
}

// looks are when a world that has peace is looked at, until its Bound.
var looks = []time.Duration{150 * ms, 500 * ms, 1200 * ms, 2500 * ms, 5 * time.Second, 8 * time.Second, 12 * time.Second, 18 * time.Second,
	26 * time.Second, 40 * time.Second, 70 * time.Second, 150 * time.Second}

// heal waits until all is well, at most for the Bound.
func (w *world) heal() {
	var err error
	for _, at := range looks {
		if at > w.s.Bound() || w.checks.failure != nil {
			break
		}
		w.run(w.s.Peace + at)
		if last := at == w.s.Bound(); !last && !w.spans() {
			continue
		}
		if err = w.probe(); err == nil {
			w.Totals.Healed = at
			return
		}
	}
	if err != nil {
		w.checks.fail("reach", -1, "%v after the last fault: %v", w.s.Bound(), err)
	}
}
