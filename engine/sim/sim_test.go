package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

var (
	schedulesFlag = flag.Uint64("schedules", 400, "random schedules to run")
	firstFlag     = flag.Uint64("first", 1, "the seed of the first")
	outFlag       = flag.String("out", "", "folder for minimal failing schedules; none: a temporary one")
	onlyFlag      = flag.String("only", "", "run those of this shape alone, as \"ring\" or \"torus 4x4\"; a + in front: with legacy parts, a -: without")
	replayFlag    = flag.String("replay", "", "file of a schedule to run alone")
	shrinkFlag    = flag.Int("shrink", 2000, "how many runs Shrink may take")
)

// TestSchedules is the heart of it: whatever fails, nothing loops, nothing comes twice, nothing passes a shut port; and once
// nothing fails any more all reach all.
func TestSchedules(t *testing.T) {
	var tally Tally
	begin := time.Now()
	told := begin
	Many(*firstFlag, *schedulesFlag, runtime.GOMAXPROCS(0), Options{}, Generate, wanted, func(s *Schedule, r *Result) bool {
		tally.Add(s, r)
		if r.Failure != nil {
			report(t, s, r.Failure, Options{})
		}
		if time.Since(told) > 20*time.Second {
			told = time.Now()
			fmt.Printf("%v: %d schedules, %d frames, %d failed\n", time.Since(begin).Round(time.Second), tally.All.Schedules, tally.All.Frames, tally.Failed)
		}
		return tally.Failed < 20
	})
	t.Logf("seeds from %d, %v\n%v", *firstFlag, time.Since(begin).Round(time.Millisecond), &tally)
}

// wanted is what -only says.
func wanted(s *Schedule) bool {
	shape, legacy := strings.CutPrefix(*onlyFlag, "+")
	shape, pure := strings.CutPrefix(shape, "-")
	return strings.HasPrefix(s.Shape, shape) && (!legacy || s.edges()) && (!pure || !s.edges())
}

// report shrinks a failure, tells it and writes it to a file.
func report(t *testing.T, s *Schedule, f *Failure, o Options) {
	t.Helper()
	small := Shrink(s, o, *shrinkFlag)
	o.Journal = true
	again := Run(small, o).Failure
	if again == nil {
		t.Errorf("seed %d: %v; but not again", s.Seed, f)
		return
	}
	folder := *outFlag
	if folder == "" {
		folder = t.ArtifactDir()
	}
	file := filepath.Join(folder, fmt.Sprintf("seed-%d-%s.json", s.Seed, f.Kind))
	text, err := json.MarshalIndent(small, "", " ")
	if err == nil {
		err = os.WriteFile(file, text, 0o644)
	}
	t.Errorf("seed %d: %v\nminimal, in %s (%v):\n%v\nwhich fails with %v\n%s", s.Seed, f, file, err, small, again, strings.Join(again.Events, "\n"))
}

// TestReplay runs the schedule of a file, for who looks into a failure.
func TestReplay(t *testing.T) {
	if *replayFlag == "" {
		t.Skip("no -replay")
	}
	text, err := os.ReadFile(*replayFlag)
	if err != nil {
		t.Fatal(err)
	}
	var s Schedule
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if f := Run(&s, Options{Journal: true}).Failure; f != nil {
		t.Errorf("%v\n%v\n%s", &s, f, strings.Join(f.Events, "\n"))
	}
}

// TestOneSeedOneOutcome: what a seed does, it does again.
func TestOneSeedOneOutcome(t *testing.T) {
	for seed := uint64(1); seed <= 12; seed++ {
		a, b := Run(Generate(seed), Options{}), Run(Generate(seed), Options{Journal: true})
		if a.Totals != b.Totals {
			t.Errorf("seed %d: %+v and then %+v", seed, a.Totals, b.Totals)
		}
	}
}
