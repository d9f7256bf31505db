package sim

import (
	"math/rand/v2"
	"time"
)

// Recovery is what one fault cost.
type Recovery struct {
	Unicast   time.Duration // from the fault until the last frame was sent that was lost although its ends stayed connected
	Broadcast time.Duration
	Sent      int // unicast frames between ends that stay connected, from the fault until Unicast
	Lost      int // of these
}

// Stream says what is sent to measure a Recovery.
type Stream struct {
	Pairs int           // ordered pairs at most; all if there are fewer
	Every time.Duration // each sends one frame
	Quiet time.Duration // the measurement ends when nothing was lost for so long
	Limit time.Duration // … or then
}

// Recover does something to a settled world, and sends between many pairs until nothing is lost any more.
func (w *World) Recover(r *rand.Rand, st Stream, faults []Action) Recovery {
	pairs := w.somePairs(r, st.Pairs)
	floods := []int{r.IntN(len(w.sats)), r.IntN(len(w.sats))}
	begin, base := w.now, len(w.packets)
	for _, a := range faults {
		a.At += begin
		w.q.push(event{at: a.At, kind: evAction, a: int32(len(w.s.Actions))})
		w.s.Actions = append(w.s.Actions, a)
	}
	checked, lastLoss := base, begin
	g := w.look()
	for w.checks.failure == nil && w.now < begin+st.Limit && w.now-max(lastLoss, faults[len(faults)-1].At+begin) < st.Quiet {
		for _, p := range pairs {
			if w.connected(g, p[0], p[1]) { // else it would be flooded, and be cut short as a storm
				w.inject(p[0], p[1], 0, p[0]%11)
			}
		}
		for _, h := range floods {
			w.inject(h, ToAll, 0, 0)
		}
		w.run(w.now + st.Every)
		for g = w.look(); checked < len(w.packets) && w.packets[checked].sent < w.now-transit; checked++ {
			if w.missed(g, &w.packets[checked]) {
				lastLoss = w.packets[checked].sent
			}
		}
	}
	w.run(w.now + transit)
	return w.sum(w.look(), base, begin, st.Every)
}

func (w *World) somePairs(r *rand.Rand, most int) (pairs [][2]int) {
	n := len(w.sats)
	if n*(n-1) <= most {
		for i := range n {
			for j := range n {
				if i != j {
					pairs = append(pairs, [2]int{i, j})
				}
			}
		}
		return pairs
	}
	for len(pairs) < most {
		if i, j := r.IntN(n), r.IntN(n); i != j {
			pairs = append(pairs, [2]int{i, j})
		}
	}
	return pairs
}

// missed tells whether somebody did not get a packet who is connected to its sender.
func (w *World) missed(g *graph, p *packet) bool {
	if p.to >= 0 {
		return w.there(p.from) && w.there(p.to) && w.connected(g, p.from, p.to) && !has(p.got, p.to)
	}
	for i := range w.sats {
		if i != p.from && w.there(p.from) && w.there(i) && w.connected(g, p.from, i) && !has(p.got, i) {
			return true
		}
	}
	return false
}

func (w *World) there(host int) bool { return w.sats[w.hosts[host].sat].power }

func (w *World) sum(g *graph, base int, begin, every time.Duration) (r Recovery) {
	for i := range w.packets[base:] {
		p := &w.packets[base+i]
		if w.missed(g, p) {
			took := p.sent + every - begin
			if p.to >= 0 {
				r.Unicast = max(r.Unicast, took)
				r.Lost++
			} else {
				r.Broadcast = max(r.Broadcast, took)
			}
		}
	}
	for i := range w.packets[base:] {
		if p := &w.packets[base+i]; p.to >= 0 && p.sent-begin < r.Unicast && w.there(p.from) && w.there(p.to) && w.connected(g, p.from, p.to) {
			r.Sent++
		}
	}
	return r
}

// Root tells which satellite is the root of the tree, as the first one knows.
func (w *World) Root() int {
	root := w.sats[0].core.View().Root
	for i, s := range w.sats {
		if s.id == root {
			return i
		}
	}
	return -1
}

// Idle lets time pass in which nothing happens, and tells what engines and data paths said meanwhile, per cable and second in bits: all,
// and of that what engines said.
func (w *World) Idle(d time.Duration) (all, engines float64) {
	before := w.Totals
	w.run(w.now + d)
	bits := float64(8*(w.Totals.ControlBytes-before.ControlBytes)) / float64(len(w.cables)) / d.Seconds()
	echoes := float64(8*minFrame*(w.Totals.Echoes-before.Echoes)) / float64(len(w.cables)) / d.Seconds()
	return bits, bits - echoes
}
