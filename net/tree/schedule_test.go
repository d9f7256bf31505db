package tree

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// shapes are the ways satellites are cabled in the schedules.
var shapes = []struct {
	name  string
	build func(seed uint64, r *rand.Rand) *world
}{
	{"ring", func(seed uint64, r *rand.Rand) *world { return ring(seed, 3+r.IntN(10)) }},
	{"mesh", func(seed uint64, r *rand.Rand) *world {
		w := newWorld(seed, 3+r.IntN(4))
		for i := range w.nodes {
			for j := range i {
				w.connect(j, i, 1000)
			}
		}
		return w
	}},
	{"torus", func(seed uint64, r *rand.Rand) *world {
		a, b := 3, 3+r.IntN(2)
		w := newWorld(seed, a*b)
		for i := range a {
			for j := range b {
				w.connect(i*b+j, i*b+(j+1)%b, 10000)
				w.connect(i*b+j, (i+1)%a*b+j, 10000)
			}
		}
		return w
	}},
	{"multigraph", func(seed uint64, r *rand.Rand) *world {
		n := 2 + r.IntN(7)
		w := newWorld(seed, n)
		for range n + r.IntN(2*n) {
			w.connect(r.IntN(n), r.IntN(n), speeds[r.IntN(len(speeds))]) // a cable may lead back to its own satellite
		}
		return w
	}},
}

func ring(seed uint64, n int) *world {
	w := newWorld(seed, n)
	for i := range n {
		w.connect(i, (i+1)%n, 10000)
	}
	return w
}

var speeds = []uint64{0, 100, 1000, 10000}

// chaos does one random thing to the world.
func (w *world) chaos() {
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	c := w.cables[w.rng.IntN(len(w.cables))]
	switch w.rng.IntN(15) {
	case 0, 1:
		n.freeze()
	case 2, 3:
		n.thaw()
	case 4:
		n.kill(w.rng.IntN(3) > 0)
	case 5, 6:
		n.start()
	case 7, 8:
		c.set(w, false)
	case 9:
		c.set(w, true)
	case 10:
		c.mute[w.rng.IntN(2)] = true
	case 11:
		c.mute = [2]bool{}
		w.rounds(c.a)
		w.rounds(c.b)
	case 12, 13:
		c.mbps = speeds[w.rng.IntN(len(speeds))]
		c.set(w, c.carrier)
	case 14:
		if n.core != nil && !n.frozen {
			prio := uint16(w.rng.IntN(3) * 0x4000)
			n.step(func() { n.core.SetPriority(prio, w.now) })
		}
	}
}

// schedule runs one seed: chaos with the checker on, then peace, then the tree must span what is cabled.
func schedule(seed uint64) (w *world, err error) {
	defer func() {
		if r := recover(); r != nil {
			l, ok := r.(looped)
			if !ok {
				panic(r)
			}
			err = l
		}
	}()
	r := rand.New(rand.NewPCG(seed, 1))
	shape := shapes[r.IntN(len(shapes))]
	w = shape.build(seed, r)
	w.loss, w.dup = float64(r.IntN(4))*0.07, float64(r.IntN(3))*0.1
	w.slow = time.Duration(1+r.IntN(20)) * time.Millisecond
	if r.IntN(2) == 0 {
		w.interrupt = 0.003
	}
	if r.IntN(4) == 0 {
		w.cfg.Hello, w.cfg.HoldEngine = 80*time.Millisecond, 400*time.Millisecond
	}
	w.sample = 4
	w.startAll()
	w.run(w.chance(300 * time.Millisecond))
	for range 10 + r.IntN(20) {
		w.chaos()
		w.run(w.chance(time.Duration(1+r.IntN(120)) * time.Millisecond))
	}
	w.note("peace")
	w.loss, w.dup, w.interrupt, w.slow = 0, 0, 0, 300*time.Microsecond
	for _, c := range w.cables {
		if w.rng.IntN(4) > 0 {
			c.mute = [2]bool{}
			w.rounds(c.a)
			w.rounds(c.b)
		}
	}
	for _, n := range w.nodes {
		n.start()
		n.thaw()
	}
	w.run(500 * time.Millisecond) // stragglers and interrupted engines
	for _, n := range w.nodes {
		n.start()
		n.thaw()
	}
	if !w.runUntil(12*time.Second, func() bool { return w.inCharge() && w.spans() == nil && w.delivers() == nil }) {
		return w, fmt.Errorf("%s: %w, %w (all in charge: %v)", shape.name, w.spans(), w.delivers(), w.inCharge())
	}
	w.run(time.Second)
	if err := cmp.Or(w.spans(), w.delivers()); err != nil {
		return w, fmt.Errorf("%s, later: %w", shape.name, err)
	}
	return w, nil
}

// inCharge tells whether no engine still waits for its neighbours after a restart.
func (w *world) inCharge() bool {
	return !slices.ContainsFunc(w.nodes, func(n *node) bool { return n.core == nil || n.core.resumeBy > 0 })
}

// schedules runs many seeds on all processors and gives the outcome of each to done, one at a time.
func schedules(first, count uint64, done func(seed uint64, w *world, err error)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	seeds := make(chan uint64)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for s := range seeds {
				w, err := schedule(s)
				mu.Lock()
				done(s, w, err)
				mu.Unlock()
			}
		})
	}
	for s := first; s < first+count; s++ {
		seeds <- s
	}
	close(seeds)
	wg.Wait()
}

var schedulesFlag = flag.Uint64("schedules", 500, "random schedules to run, from seed 1")

// Whatever happens to engines, cables and frames, open cables never form a loop, and in peace they span.
func TestNoScheduleLoopsAndAllHeal(t *testing.T) {
	count := *schedulesFlag
	if testing.Short() {
		count = min(count, 200)
	}
	begin, steps, failed := time.Now(), 0, 0
	schedules(1, count, func(seed uint64, w *world, err error) {
		steps += w.steps
		if err != nil && failed < 3 {
			failed++
			t.Errorf("seed %d: %v\n%s", seed, err, strings.Join(w.log, "\n"))
		}
	})
	t.Logf("%d schedules, %d gate changes checked, %v", count, steps, time.Since(begin))
}
