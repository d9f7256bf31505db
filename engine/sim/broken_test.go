package sim

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"decenter/net/plane"
)

// TestBrokenRulesAreFound: with one rule of the data path left out the same schedules fail, so the checkers see. Each is given as
// many schedules as it takes, up to a bound.
func TestBrokenRulesAreFound(t *testing.T) {
	needsUnicast(t)
	for _, c := range []struct {
		name   string
		broken plane.Broken
		kinds  []string
		make   func(uint64) *Schedule
		only   string
	}{
		{"U1: next hops need not be legal", plane.Broken{NoU1: true}, []string{"loop"}, Mixed, "-"},
		{"F1: every frame counts as on its path", plane.Broken{NoF1: true}, []string{"loop"}, Generate, "-"},
		{"F4: frames off their path are deflected again", plane.Broken{NoF4: true}, []string{"loop"}, Generate, "-"},
		{"B2: gates are judged when frames leave only", plane.Broken{NoB2: true}, []string{"loop", "duplicate", "blocked"}, Generate, "-"},
		{"B3: no lease ends", plane.Broken{NoB3: true}, []string{"loop", "duplicate", "blocked"}, Generate, "+"},
		{"F6a: detours need no agreement", plane.Broken{NoF6a: true}, []string{"loop"}, Mixed, "-"},
		{"F6b: marks of before do not count", plane.Broken{NoF6b: true}, []string{"loop"}, Mixed, "-"},
		{"the change of tables is not in two steps", plane.Broken{NoNarrow: true}, []string{"loop"}, Mixed, "-"},
		{"what comes from the fabric may have any source", plane.Broken{NoSource: true}, []string{"loop", "duplicate"}, Generate, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin, tried := time.Now(), 0
			var seed uint64
			var found *Failure
			*onlyFlag = c.only
			defer func() { *onlyFlag = "" }()
			Many(1, 3000, runtime.GOMAXPROCS(0), Options{Broken: c.broken}, c.make, wanted, func(s *Schedule, r *Result) bool {
				tried++
				if f := r.Failure; f != nil && slices.Contains(c.kinds, f.Kind) {
					seed, found = s.Seed, f
				} else if f != nil && tried < 3 {
					t.Log(s.Seed, f)
				}
				return found == nil && time.Since(begin) < 20*time.Second
			})
			if found == nil {
				t.Errorf("nothing in %d schedules: the checkers are blind, or the rule idle", tried)
				return
			}
			t.Logf("seed %d, after %d schedules and %v: %v", seed, tried, time.Since(begin).Round(time.Millisecond), found)
		})
	}
}
