package rstp

import (
	"fmt"
	"testing"
	"time"

	"decenter/net/frame"
)

// rename has the satellites learn, each after a delay of its own, that the constellation is called otherwise. Half of them know before
// that there is a satellite of that id.
func (w *world) rename(id frame.BridgeID) {
	w.seq++
	stamp := w.seq
	for i, s := range w.sats {
		name := s.e.cfg.Satellite
		if w.rng.IntN(2) == 0 {
			s.e.cfg.Satellite = func(a frame.MAC) bool { return a == id.Address() || name != nil && name(a) }
		}
		w.after(time.Duration(w.rng.Int64N(int64(w.late))), func() {
			if key := [2]int{i, -1}; !s.dead && w.stamps[key] < stamp {
				w.stamps[key] = stamp
				s.e.cfg.Satellite = func(a frame.MAC) bool { return a == id.Address() }
				s.e.SetBridge(id, w.now)
				w.act(i)
			}
		})
	}
}

// playNames lets the root of the constellation change again and again: it dies, a better one comes, it comes back, it gets another priority.
// Cables break meanwhile.
func (s scene) playNames(t testing.TB) (*world, error) {
	w := s.build(t)
	w.run(60 * time.Second)
	pick := func() frame.BridgeID {
		return bridgeID([]int{0, 0x4000, 0x8000, 0xf000}[w.rng.IntN(4)], 500+w.rng.IntN(4))
	}
	for round := range 4 {
		for range 1 + w.rng.IntN(3) {
			w.rename(pick())
			if w.rng.IntN(2) == 0 {
				l := w.lans[w.rng.IntN(len(w.lans))]
				w.setLAN(l, !l.up)
			}
			w.run(time.Duration(w.rng.Int64N(int64(3 * w.late))))
			if w.rng.IntN(3) == 0 {
				w.run(time.Duration(w.rng.Int64N(int64(8 * time.Second))))
			}
		}
		w.run(80 * time.Second)
		if err := w.settled(); err != nil {
			return w, fmt.Errorf("round %d: %w", round, err)
		}
	}
	return w, nil
}

// TestTheIDChanges: the constellation's id changes while the news of it is late, in the same random islands, and no loop forms.
func TestTheIDChanges(t *testing.T) {
	for name, s := range map[string]scene{
		"root inside":        {late: 100 * time.Millisecond},
		"root outside":       {late: 300 * time.Millisecond, outside: true},
		"root outside, late": {late: 900 * time.Millisecond, outside: true},
		"hubs":               {late: 300 * time.Millisecond, outside: true, hubs: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, n := runs(t, 20)
			for i := range n {
				s.seed = from + uint64(i)
				w, err := s.playNames(t)
				if err != nil {
					t.Errorf("seed %d: %v", s.seed, err)
				}
				if w.loops > 0 {
					t.Errorf("seed %d: %d loops, the longest %v, the first at %s", s.seed, w.loops, w.longest, w.firstLoop)
				}
			}
			t.Logf("seeds %d to %d", from, from+uint64(n)-1)
		})
	}
}

// TestBrokenNamesAreNoticed: without the rules there are loops.
func TestBrokenNamesAreNoticed(t *testing.T) {
	for name, broken := range map[string]rule{
		"agreements count at once":         ruleOneName,
		"the other's id is a root outside": ruleKin,
		"both":                             ruleOneName | ruleKin,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scene{late: 300 * time.Millisecond, outside: true, broken: broken}
			loops, tried := 0, 0
			var longest time.Duration
			for s.seed = 1; s.seed <= 150; s.seed++ {
				tried++
				if w, _ := s.playNames(t); w.loops > 0 {
					loops++
					longest = max(longest, w.longest)
				}
			}
			t.Logf("loops in %d of %d worlds, the longest %v", loops, tried, longest)
			if loops == 0 {
				t.Error("no loop was found: the checker is blind, or the rule idle")
			}
		})
	}
}
