package sim

import (
	"fmt"
	"time"

	"decenter/net/plane"
)

// World is a Schedule in the hands of a test that does what no Action can.
type World struct{ *world }

// Settled lets a world without faults come to rest and checks that it did.
func Settled(s *Schedule, o Options) (*World, error) {
	w := newWorld(s, o)
	w.start()
	var last *amiss
	for range 12 {
		w.run(w.now + s.Warm)
		if last = w.probe(); last == nil && w.checks.failure == nil {
			return &World{w}, nil
		}
	}
	if w.checks.failure != nil {
		return nil, w.checks.failure
	}
	return nil, fmt.Errorf("not at rest after %v: %w", w.now, last)
}

// Hold stops all engines at once: from here on the data paths are alone, and no control frame moves.
func (w *World) Hold() {
	w.frozen = true
	for _, s := range w.sats {
		s.freeze()
	}
}

// fail makes a cable, or with cable < 0 a satellite, die or come back, as kernels see it.
func (w *World) fail(cable, sat int, dead bool) {
	if cable >= 0 {
		w.cables[cable].cut = dead
		w.cables[cable].carrier()
		return
	}
	w.sats[sat].power = !dead
	w.sats[sat].neighbours()
}

// Coverage lets each cable and each satellite of a settled world die alone, and at once sends a frame of each flow between each pair
// that is still connected: with the engines stopped, so that nothing but the data paths' own detours can help. It gives how many
// such frames there were and how many arrived.
func (w *World) Coverage(flows int) (sent, arrived int) {
	w.Hold()
	for cable := range w.cables {
		a, b := w.cover(cable, -1, flows)
		sent, arrived = sent+a, arrived+b
	}
	for sat := range w.sats {
		a, b := w.cover(-1, sat, flows)
		sent, arrived = sent+a, arrived+b
	}
	return sent, arrived
}

func (w *World) cover(cable, sat, flows int) (sent, arrived int) {
	for _, s := range w.sats {
		s.renewed() // the engines would; what is looked at here is no lease
	}
	w.fail(cable, sat, true)
	g := w.parts(cable, sat)
	var frames []int32
	for i, a := range w.hosts {
		for j, b := range w.hosts {
			if i == j || a.sat < 0 || b.sat < 0 || a.sat == sat || b.sat == sat || g.part[a.sat] != g.part[b.sat] {
				continue
			}
			for f := range flows {
				frames = append(frames, w.inject(i, j, 0, f))
			}
		}
	}
	w.run(w.now + transit)
	for _, n := range frames {
		if p := &w.packets[n]; has(p.got, p.to) {
			arrived++
		} else if w.checks.failure == nil {
			w.checks.fail("coverage", n, "host %d to %d lost when cable %d or satellite %d died", p.from, p.to, cable, sat)
		}
	}
	w.checks.failure = nil // all are counted
	w.fail(cable, sat, false)
	w.run(w.now + time.Second)
	w.packets = w.packets[:0]
	return len(frames), arrived
}

// parts tells which satellites working cables connect, whatever their engines do.
func (w *World) parts(cable, sat int) *graph {
	g := &graph{part: make([]int, len(w.sats))}
	for i := range g.part {
		g.part[i] = i
	}
	for i, c := range w.cables {
		if a, b := w.ends[c.ends[0]].node, w.ends[c.ends[1]].node; i != cable && a != sat && b != sat && c.fabric && c.bothWays() {
			g.join(a, b)
		}
	}
	return g
}

// Detours sends so many frames from one host to another, one every gap, right after the cable of their first hop died, and tells how many
// left over another one within each window of that length.
func (w *World) Detours(from, to, frames int, gap, window time.Duration) (byWindow []int) {
	first := w.inject(from, to, 0, 0)
	w.packets[first].watch = true
	w.run(w.now + transit)
	w.Hold()
	cable := w.ends[w.packets[first].way[0]].cable
	w.fail(cable.number, -1, true)
	died := w.now
	var sent []int32
	for range frames {
		n := w.inject(from, to, 0, 0)
		w.packets[n].watch = true
		sent = append(sent, n)
		w.run(w.now + gap)
	}
	w.run(w.now + transit)
	byWindow = make([]int, 1+int(time.Duration(frames)*gap/window))
	for _, n := range sent {
		if p := &w.packets[n]; len(p.way) > 0 {
			byWindow[(p.sent-died)/window]++
		}
	}
	return byWindow
}

// Failure tells what a checker saw; nil: nothing.
func (w *World) Failure() *Failure { return w.checks.failure }

// fates tells, for people, what became of frames.
func (t *Totals) fates() string {
	out := ""
	for i, n := range t.Fates {
		if n > 0 {
			out += fmt.Sprintf(" %v %d,", plane.Fate(i), n)
		}
	}
	return out
}
