package sim

import (
	"runtime"
	"testing"
)

// TestWithoutDrainingBroadcastsComeTwice: gates that open at once, before what was under way has arrived, make a tree at every instant, and a
// broadcast is delivered twice all the same. So the duplicate checker sees what tree.Config.Drain is for. Nothing else is amiss in those worlds.
func TestWithoutDrainingBroadcastsComeTwice(t *testing.T) {
	tried, found := 0, 0
	pure := func(s *Schedule) bool { return !s.edges() }
	Many(1360, 3000, runtime.GOMAXPROCS(0), Options{Drain: 1}, Generate, pure, func(s *Schedule, r *Result) bool {
		tried++
		if f := r.Failure; f != nil {
			t.Logf("seed %d, schedule %d: %v", s.Seed, tried, f)
			if f.Kind == "duplicate" || f.Kind == "loop" {
				found++
			} else {
				t.Errorf("seed %d: no duplicate, but %v", s.Seed, f)
			}
		}
		return found < 1
	})
	if found == 0 {
		t.Errorf("nothing came twice in %d schedules: the checker is blind, or the rule idle", tried)
	}
}
