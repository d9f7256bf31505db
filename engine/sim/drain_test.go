package sim

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

// draining makes a mesh whose cables change their speed, so that satellites change over from one parent to another in an instant, while
// broadcasts are on their way over both, and engines are as fast as the frames.
func draining(seed uint64) *Schedule {
	r := rand.New(rand.NewPCG(seed, 9))
	s := Blank(seed, fmt.Sprintf("mesh %d", 4+r.IntN(3)))
	s.Slow = time.Microsecond
	at := s.Warm
	for range 12 {
		s.Actions = append(s.Actions, Action{At: at, Do: Speed, Cable: r.IntN(len(s.Cables)), Value: []int{100, 1000, 10000, 40000}[r.IntN(4)]})
		for range 300 {
			at += time.Duration(2+r.IntN(16)) * time.Microsecond
			s.Actions = append(s.Actions, Action{At: at, Do: Send, Host: r.IntN(s.Satellites), To: ToAll})
		}
		at += time.Duration(20+r.IntN(20)) * time.Millisecond
	}
	s.Peace = at
	return s
}

// TestWithoutDrainingBroadcastsComeTwice: gates that open at once, before what was under way has arrived, make a tree at every instant, and a
// broadcast is delivered twice all the same. So the duplicate checker sees what tree.Config.Drain is for; with it, it sees nothing.
func TestWithoutDrainingBroadcastsComeTwice(t *testing.T) {
	tried := 0
	var found *Failure
	var seed uint64
	Many(1, 200, runtime.GOMAXPROCS(0), Options{Drain: 1}, draining, nil, func(s *Schedule, r *Result) bool {
		tried++
		if f := r.Failure; f != nil && (f.Kind == "duplicate" || f.Kind == "loop") {
			seed, found = s.Seed, f
		}
		return found == nil
	})
	if found == nil {
		t.Fatalf("nothing came twice in %d schedules: the checker is blind, or the rule idle", tried)
	}
	t.Logf("seed %d, after %d schedules: %v", seed, tried, found)
	for n := range uint64(20) {
		if f := Run(draining(n), Options{}).Failure; f != nil {
			t.Errorf("seed %d fails with the rule too: %v", n, f)
		}
	}
}
