package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/path"
)

var (
	trialsFlag = flag.Int("trials", 12, "of each shape and fault")
	sizesFlag  = flag.Int("sizes", 300, "the largest number of satellites that the benchmark simulates")
)

// faults are what a Recovery is measured of. n is a satellite, not the root; c and d are cables at random.
var benchFaults = []struct {
	name string
	do   func(w *World, r *rand.Rand) []Action
}{
	{"carrier loss", func(w *World, r *rand.Rand) []Action { return []Action{{Do: Cut, Cable: r.IntN(len(w.cables))}} }},
	{"silent loss", func(w *World, r *rand.Rand) []Action { return []Action{{Do: Silence, Cable: r.IntN(len(w.cables))}} }},
	{"node death", func(w *World, r *rand.Rand) []Action {
		n := r.IntN(len(w.sats))
		if n == w.Root() {
			n = (n + 1) % len(w.sats)
		}
		return []Action{{Do: PowerOff, Satellite: n}}
	}},
	{"root death", func(w *World, r *rand.Rand) []Action { return []Action{{Do: PowerOff, Satellite: w.Root()}} }},
	{"two links", func(w *World, r *rand.Rand) []Action {
		return []Action{{Do: Cut, Cable: r.IntN(len(w.cables))},
			{At: time.Duration(r.Int64N(int64(20 * ms))), Do: Cut, Cable: r.IntN(len(w.cables))}}
	}},
	{"flapping", func(w *World, r *rand.Rand) (all []Action) {
		c, at := r.IntN(len(w.cables)), time.Duration(0)
		for range 5 {
			all = append(all, Action{At: at, Do: Cut, Cable: c}, Action{At: at + 30*ms, Do: Mend, Cable: c})
			at += 60 * ms
		}
		return append(all, Action{At: at, Do: Cut, Cable: c})
	}},
}

// BenchmarkTree prints JSON lines: how long the tree takes to recover, and what it says when idle, in virtual time; and how long
// a computation takes, in real time. It asserts nothing.
func BenchmarkTree(b *testing.B) {
	out := json.NewEncoder(os.Stdout)
	for _, shape := range []string{"ring 8", "ring 24", "torus 5 5", "mesh 6", "degree 24"} {
		for _, f := range benchFaults {
			benchRecovery(b, out, shape, *trialsFlag, f.name, f.do)
		}
	}
	for _, n := range []int{24, 100, 300, 1000} {
		shape := fmt.Sprint("degree ", n)
		benchComputation(b, out, shape)
		if n > *sizesFlag {
			continue
		}
		benchIdle(b, out, shape)
		for _, f := range benchFaults[:2] {
			if n > 24 {
				benchRecovery(b, out, shape, max(2, 2*(*trialsFlag)/n), f.name, f.do)
			}
		}
	}
}

// milli gives milliseconds with a digit behind the point.
func milli(d time.Duration) float64 { return float64(d/(100*time.Microsecond)) / 10 }

// quantiles gives p50, p99 and max.
func quantiles(all []time.Duration) [3]float64 {
	slices.Sort(all)
	return [3]float64{milli(all[len(all)/2]), milli(all[(len(all)*99-1)/100]), milli(all[len(all)-1])}
}

func benchRecovery(b *testing.B, out *json.Encoder, shape string, trials int, name string, do func(*World, *rand.Rand) []Action) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	var unicast, broadcast []time.Duration
	var sent, lost, failed int
	seeds := make(chan uint64)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for seed := range seeds {
				w, err := Settled(Blank(seed, shape), Options{})
				if err != nil {
					mu.Lock()
					failed++
					mu.Unlock()
					continue
				}
				r := rand.New(rand.NewPCG(seed, 9))
				got := w.Recover(r, Stream{Pairs: 200, Every: ms, Quiet: 500 * ms, Limit: 5 * time.Second}, do(w, r))
				mu.Lock()
				unicast, broadcast = append(unicast, got.Unicast), append(broadcast, got.Broadcast)
				sent, lost = sent+got.Sent, lost+got.Lost
				if w.Failure() != nil {
					failed++
				}
				mu.Unlock()
			}
		})
	}
	for seed := range trials {
		seeds <- uint64(seed + 1)
	}
	close(seeds)
	wg.Wait()
	if len(unicast) == 0 {
		b.Errorf("%s, %s: no trial came to rest", shape, name)
		return
	}
	type line struct {
		Shape, Fault       string
		Trials, Failed     int
		Unicast, Broadcast [3]float64 // ms: p50, p99, max
		Lost, Sent         float64    // unicast frames a trial, until the last was lost
	}
	n := float64(len(unicast))
	if err := out.Encode(line{shape, name, len(unicast), failed, quantiles(unicast), quantiles(broadcast), float64(lost) / n, float64(sent) / n}); err != nil {
		b.Fatal(err)
	}
}

func benchIdle(b *testing.B, out *json.Encoder, shape string) {
	w, err := Settled(Blank(1, shape), Options{})
	if err != nil {
		b.Errorf("%s: %v", shape, err)
		return
	}
	all, engines := w.Idle(10 * time.Second)
	if err := out.Encode(map[string]any{"Shape": shape, "Idle": "bit/s for each cable, both ways", "All": int(all), "Engines": int(engines)}); err != nil {
		b.Fatal(err)
	}
}

func benchComputation(b *testing.B, out *json.Encoder, shape string) {
	w := newWorld(Blank(1, shape), Options{})
	var told []path.Told
	for _, s := range w.sats {
		t := path.Told{ID: s.id}
		for _, e := range s.ends {
			x := &w.ends[e]
			o := x.cable.ends[1-x.side]
			t.Links = append(t.Links, frame.Link{Neighbour: w.sats[w.ends[o].node].id, Port: uint32(e + 1), NeighbourPort: uint32(o + 1), Cost: uint32(priceOf(x.cable.mbps))})
		}
		told = append(told, t)
	}
	took := map[string]any{"Shape": shape}
	begin := time.Now()
	step := func(name string) {
		took[name] = milli(time.Since(begin))
		begin = time.Now()
	}
	topology, err := path.NewTopology(w.sats[0].id, told)
	if err != nil {
		b.Fatal(err)
	}
	step("TopologyMs")
	routes, err := path.NewRoutes(topology, w.sats[0].id, 4)
	if err != nil {
		b.Fatal(err)
	}
	step("RoutesMs")
	repair := path.NewRepair(routes)
	for !repair.Step(1) {
	}
	step("RepairMs")
	if err := out.Encode(took); err != nil {
		b.Fatal(err)
	}
}
