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
		first  uint64
		only   string
	}{
		{"U1: next hops need not be legal", plane.Broken{NoU1: true}, []string{"loop"}, 1, "-"},
		{"F1: every frame counts as on its path", plane.Broken{NoF1: true}, []string{"loop"}, 1, "-"},
		{"F4: frames off their path are deflected again", plane.Broken{NoF4: true}, []string{"loop"}, 1, "-"},
		{"B2: gates are judged when frames leave only", plane.Broken{NoB2: true}, []string{"loop", "duplicate", "blocked"}, 1, "-"},
		{"B3: no lease ends", plane.Broken{NoB3: true}, []string{"loop", "duplicate", "blocked"}, 1, "+"},
		{"F6a: detours need no agreement", plane.Broken{NoF6a: true}, []string{"loop"}, 1, "-"},
		{"F6b: marks of before do not count", plane.Broken{NoF6b: true}, []string{"loop"}, 1, "-"},
		{"the change of tables is not in two steps", plane.Broken{NoNarrow: true}, []string{"loop"}, 1, "-"},
		{"what comes from the fabric may have any source", plane.Broken{NoSource: true}, []string{"loop", "duplicate"}, 1, "-"},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin, tried := time.Now(), 0
			var seed uint64
			var found *Failure
			*onlyFlag = c.only
			defer func() { *onlyFlag = "" }()
			Many(c.first, 3000, runtime.GOMAXPROCS(0), Options{Broken: c.broken}, wanted, func(s *Schedule, r *Result) bool {
				tried++
				if f := r.Failure; f != nil && slices.Contains(c.kinds, f.Kind) {
					seed, found = s.Seed, f
				} else if f != nil && tried < 3 {
					t.Log(s.Seed, f)
				}
				return found == nil
			})
			if found == nil {
				t.Errorf("nothing in %d schedules: the checkers are blind, or the rule idle", tried)
				return
			}
			t.Logf("seed %d, after %d schedules and %v: %v", seed, tried, time.Since(begin).Round(time.Millisecond), found)
		})
	}
}
