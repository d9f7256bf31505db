package sim

import (
	"fmt"
	"strings"
	"sync"
)

// Tally adds up results by shape.
type Tally struct {
	shapes []string
	sums   map[string]*Totals
	failed map[string]map[string]int // shape, kind
	All    Totals
	Failed int
}

// Add takes the result of one schedule.
func (t *Tally) Add(s *Schedule, r *Result) {
	if t.sums == nil {
		t.sums, t.failed = map[string]*Totals{}, map[string]map[string]int{}
		for _, sh := range shapes {
			t.shapes = append(t.shapes, sh.name, sh.name+" + legacy")
		}
		t.shapes = append(t.shapes, "mixed", "stalled + legacy")
	}
	name, _, _ := strings.Cut(s.Shape, "+")
	if s.edges() {
		name += " + legacy"
	}
	if t.sums[name] == nil {
		t.sums[name], t.failed[name] = &Totals{}, map[string]int{}
	}
	t.sums[name].Add(&r.Totals)
	t.All.Add(&r.Totals)
	if r.Failure != nil {
		t.failed[name][r.Failure.Kind]++
		t.Failed++
	}
}

// String is the table.
func (t *Tally) String() string {
	var b strings.Builder
	row := func(name string, s *Totals, bad map[string]int) {
		others := 0
		for kind, n := range bad {
			if kind != "loop" && kind != "duplicate" {
				others += n
			}
		}
		fmt.Fprintf(&b, "%-22s %9d %9d %10d %11d %10d %7d %6d %10d %6d\n", name, s.Schedules, s.Faults, s.Frames, s.Hops,
			s.detoured(), s.Halves, bad["loop"], bad["duplicate"], others)
	}
	fmt.Fprintf(&b, "%-22s %9s %9s %10s %11s %10s %7s %6s %10s %6s\n", "topology", "schedules", "faults", "frames", "hops", "detours", "broken", "loops", "duplicates", "other")
	all := map[string]int{}
	for _, name := range t.shapes {
		if s := t.sums[name]; s != nil {
			row(name, s, t.failed[name])
			for kind, n := range t.failed[name] {
				all[kind] += n
			}
		}
	}
	row("all", &t.All, all)
	fmt.Fprintf(&b, "fates:%s\n%d ways compared for symmetry, %d frames circled among switches of others alone and %d were doubled by them, %v of virtual time, all well %v after the last fault at the latest\n",
		t.All.fates(), t.All.Symmetric, t.All.Foreign, t.All.Rapid, t.All.Virtual, t.All.Healed)
	return b.String()
}

// Many runs the schedules that generate makes of consecutive seeds, those that are wanted, on so many processors, and gives each to done, one at a
// time, until that says no more. What is given to done is in no order; each schedule's outcome is that of its seed alone.
func Many(first, count uint64, workers int, o Options, generate func(uint64) *Schedule, wanted func(*Schedule) bool, done func(*Schedule, *Result) bool) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	next, more := first, true
	take := func() (uint64, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, more && next-1 < first+count
	}
	for range workers {
		wg.Go(func() {
			for seed, ok := take(); ok; seed, ok = take() {
				s := generate(seed)
				if wanted != nil && !wanted(s) {
					continue
				}
				r := Run(s, o)
				mu.Lock()
				more = more && done(s, r)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}
