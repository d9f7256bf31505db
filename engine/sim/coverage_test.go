package sim

import (
	"flag"
	"testing"
	"time"

	"decenter/net/plane"
)

var coverageFlag = flag.Bool("coverage", false, "single failures of the large topologies too")

// TestSingleFailuresAreRepairedAtOnce: in a settled constellation any one cable or satellite dies, and before any engine has
// spoken every pair that is still connected is delivered, by the data paths' detours alone.
func TestSingleFailuresAreRepairedAtOnce(t *testing.T) {
	for _, c := range []struct {
		shape string
		large bool
	}{
		{"ring 3", false}, {"ring 8", false}, {"ring 24", true}, {"mesh 4", false}, {"mesh 6", false},
		{"torus 3 3", false}, {"torus 4 4", false}, {"torus 5 5", true}, {"torus 3 3 3", true}, {"degree 16", false}, {"degree 24", true},
	} {
		if c.large && !*coverageFlag {
			continue
		}
		w, err := Settled(Blank(1, c.shape), Options{})
		if err != nil {
			t.Errorf("%s: %v", c.shape, err)
			continue
		}
		sent, arrived := w.Coverage(3)
		t.Logf("%-12s %6d frames, %6d arrived", c.shape, sent, arrived)
		if sent == 0 || arrived != sent {
			t.Errorf("%s: %d of %d frames arrived", c.shape, arrived, sent)
		}
	}
}

// TestDetoursAreBounded: when a cable dies and no engine does anything about it, frames go around it for 200 ms, and no more of
// them than half of the other cable can carry.
func TestDetoursAreBounded(t *testing.T) {
	const (
		gap    = 50 * time.Microsecond // 60 bytes: 9.6 Mbit/s
		window = 50 * time.Millisecond
		frames = 8000 // 400 ms
	)
	look := func(b plane.Broken) []int {
		s := Blank(1, "ring 4")
		for i := range s.Cables {
			s.Cables[i].Mbps = 4
		}
		w, err := Settled(s, Options{Broken: b})
		if err != nil {
			t.Fatal(err)
		}
		return w.Detours(0, 1, frames, gap, window)
	}
	// Half of 4 Mbit/s is 208 frames in a window; the first has the burst of 64 KiB too, which is 1,092.
	const rate, burst = 4e6 / 2 / 8 / 60 * 0.05, 65536 / 60.0
	by := look(plane.Broken{})
	total := 0
	for i, n := range by {
		total += n
		if at := time.Duration(i) * window; at > 200*time.Millisecond && n > 0 || float64(total) > burst+rate*float64(i+1)+1 {
			t.Errorf("%d frames took a detour between %v and %v, %d in all: %v", n, at, at+window, total, by)
		}
	}
	if total == 0 {
		t.Error("no detour was taken")
	}
	t.Logf("detours by 50 ms: %v", by)
	if by := look(plane.Broken{NoF5: true}); by[len(by)-2] == 0 {
		t.Errorf("without F5 detours end too: %v", by)
	}
}
