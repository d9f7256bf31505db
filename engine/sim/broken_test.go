package sim

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"decenter/net/plane"
)

// TestBrokenRulesAreFound: with one rule of the data path left out schedules fail, so the checkers see; with the rule they do not.
func TestBrokenRulesAreFound(t *testing.T) {
	// F1 catches nearly all that U1 lets through, so U1 is looked at where it stands alone: as in an ordinary router, without
	// detours and without a look at where a frame came from.
	alone := plane.Broken{NoF1: true, NoDetour: true}
	for _, c := range []struct {
		name         string
		whole, parts plane.Broken // with the rule, and without
		kinds        []string
		make         func(uint64) *Schedule
	}{
		{"U1: next hops need not be legal", alone, plane.Broken{NoU1: true, NoF1: true, NoDetour: true}, []string{"loop"}, Mixed},
		{"F1: every frame counts as on its path", plane.Broken{}, plane.Broken{NoF1: true}, []string{"loop"}, Generate},
		{"F4: frames off their path are deflected again", plane.Broken{}, plane.Broken{NoF4: true}, []string{"loop"}, Generate},
		{"F6a: detours need no agreement", plane.Broken{}, plane.Broken{NoF6a: true}, []string{"loop"}, Mixed},
		{"B2: gates are judged when frames leave only", plane.Broken{}, plane.Broken{NoB2: true}, []string{"loop", "duplicate", "blocked"}, Generate},
		{"B3: no lease ends", plane.Broken{}, plane.Broken{NoB3: true}, []string{"loop", "duplicate", "blocked"}, Stalled},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin, tried := time.Now(), 0
			var found *Failure
			var seed uint64
			Many(1, 300, runtime.GOMAXPROCS(0), Options{Broken: c.parts}, c.make, nil, func(s *Schedule, r *Result) bool {
				tried++
				if f := r.Failure; f != nil && slices.Contains(c.kinds, f.Kind) {
					seed, found = s.Seed, f
				}
				return found == nil
			})
			if found == nil {
				t.Fatalf("nothing in %d schedules: the checkers are blind, or the rule idle", tried)
			}
			t.Logf("seed %d, after %d schedules and %v: %v", seed, tried, time.Since(begin).Round(time.Millisecond), found)
			if f := Run(c.make(seed), Options{Broken: c.whole}).Failure; f != nil {
				t.Errorf("seed %d fails with the rule too: %v", seed, f)
			}
		})
	}
}
