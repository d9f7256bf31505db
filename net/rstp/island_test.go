package rstp

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"decenter/net/frame"
)

// scene is a random world: islands of legacy switches, cabled k times to a constellation of m satellites, in which
// things break.
type scene struct {
	seed    uint64
	stp     bool // some switches speak STP only
	hubs    bool
	outside bool // the root is outside
	late    time.Duration
	loss    float64
	broken  rule
	instead bool // of the constellation, one plain RSTP switch: what the standard itself achieves
}

func (s scene) build(t testing.TB) *world {
	w := newWorld(t, s.seed)
	r := w.rng
	w.late, w.loss = s.late, s.loss
	priority := 0x4000
	if s.outside {
		priority = 0xf000
	}
	m := 1 + r.IntN(5)
	if s.instead {
		w.rapid(bridgeID(priority, 500), 40)
		w.standIn = true
	} else {
		w.constellation(bridgeID(priority, 500), m)
	}
	for _, x := range w.sats {
		x.e.broken = s.broken
	}
	next := map[int]int{}
	port := func(node int) end { next[node]++; return end{node, next[node]} }
	anySat := func() int {
		if n := r.IntN(m); !s.instead {
			return sat(n)
		}
		return 0
	}
	for range 1 + r.IntN(3) { // islands
		var island []int
		for range 1 + r.IntN(4) {
			id := bridgeID(0x8000+0x1000*r.IntN(3), 1+r.IntN(400)<<6+len(w.switches))
			if s.stp && r.IntN(2) == 0 {
				island = append(island, w.plain(id, 12))
			} else {
				island = append(island, w.rapid(id, 12))
			}
		}
		any := func() int { return island[r.IntN(len(island))] }
		for i := 1; i < len(island); i++ {
			w.cable(fmt.Sprintf("in%d", len(w.lans)), port(island[r.IntN(i)]), port(island[i]))
		}
		for range r.IntN(3) {
			if a, b := any(), any(); a != b {
				w.cable(fmt.Sprintf("in%d", len(w.lans)), port(a), port(b))
			}
		}
		for range 1 + r.IntN(4) {
			w.cable(fmt.Sprintf("edge%d", len(w.lans)), port(anySat()), port(any()))
		}
		if s.hubs && r.IntN(2) == 0 {
			w.cable(fmt.Sprintf("hub%d", len(w.lans)), port(anySat()), port(anySat()), port(any()))
		}
	}
	for range r.IntN(3) {
		w.cable(fmt.Sprintf("host%d", len(w.lans)), port(anySat()))
	}
	if r.IntN(4) == 0 {
		w.cable(fmt.Sprintf("patch%d", len(w.lans)), port(anySat()), port(anySat()))
	}
	return w
}

// play lets the world come to rest, then breaks and mends cables while it has not.
func (s scene) play(t testing.TB) (*world, error) {
	w := s.build(t)
	rest := 60 * time.Second
	if s.stp || s.hubs {
		rest = 130 * time.Second
	}
	w.run(rest)
	loss := w.loss
	calm := func(what string) error {
		w.loss = 0
		w.run(rest)
		w.loss = loss
		if err := w.settled(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	if err := calm("at first"); err != nil {
		return w, err
	}
	for round := range 2 {
		var down []*lan
		for range 1 + w.rng.IntN(4) {
			l := w.lans[w.rng.IntN(len(w.lans))]
			w.setLAN(l, !l.up)
			if !l.up {
				down = append(down, l)
			}
			w.run(time.Duration(w.rng.Int64N(int64(400 * time.Millisecond))))
		}
		if err := calm(fmt.Sprintf("round %d, after faults", round)); err != nil {
			return w, err
		}
		for _, l := range down {
			if !l.up {
				w.setLAN(l, true)
				w.run(time.Duration(w.rng.Int64N(int64(400 * time.Millisecond))))
			}
		}
		if err := calm(fmt.Sprintf("round %d, after mending", round)); err != nil {
			return w, err
		}
	}
	return w, nil
}

func runs(t testing.TB, usual int) (uint64, int) {
	if v, err := strconv.Atoi(os.Getenv("RSTP_RUNS")); err == nil {
		return uint64(rand.Uint32()), v
	}
	if testing.Short() {
		usual = min(usual, 10)
	}
	return 1, usual
}

// TestIslands: random islands come to rest as a spanning tree, with at most one root port, and at no step a loop
// leads through the constellation, however late the satellites hear of one another. Where BPDUs get lost no
// spanning tree can promise as much: three in a row and information ages. There only the rest is asked for.
func TestIslands(t *testing.T) {
	for name, s := range map[string]scene{
		"root inside":                   {late: 100 * time.Millisecond},
		"root outside":                  {late: 100 * time.Millisecond, outside: true},
		"root outside, late":            {late: 900 * time.Millisecond, outside: true},
		"root outside, very late":       {late: 5 * time.Second, outside: true},
		"hubs, taken for cables":        {late: 300 * time.Millisecond, outside: true, hubs: true},
		"STP":                           {late: 300 * time.Millisecond, outside: true, stp: true},
		"STP, root inside":              {late: 300 * time.Millisecond, stp: true},
		"every tenth BPDU lost":         {late: 300 * time.Millisecond, outside: true, loss: 0.1},
		"every tenth lost, root inside": {late: 300 * time.Millisecond, loss: 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, n := runs(t, 15)
			var loops, foreign, bad int
			var longest time.Duration
			for i := range n {
				s.seed = from + uint64(i)
				w, err := s.play(t)
				if err != nil {
					bad++
					t.Errorf("seed %d: %v", s.seed, err)
				}
				if w.loops > 0 {
					loops++
					longest = max(longest, w.longest)
					if s.loss == 0 {
						t.Errorf("seed %d: %d loops, the longest %v, the first at %s", s.seed, w.loops, w.longest, w.firstLoop)
					}
				}
				if w.foreign > 0 {
					foreign++
				}
				if bad > 5 {
					break
				}
			}
			t.Logf("seeds %d to %d: loops through us in %d worlds (longest %v), among others alone in %d", from, from+uint64(n)-1, loops, longest, foreign)
		})
	}
}

// TestTheStandardItself plays the same worlds with one plain RSTP switch in the constellation's place. It fails
// nothing; its figures are what ours are to be held against.
func TestTheStandardItself(t *testing.T) {
	for name, s := range map[string]scene{
		"root outside":           {outside: true, instead: true, late: 1},
		"hubs, taken for cables": {outside: true, hubs: true, instead: true, late: 1},
		"every tenth BPDU lost":  {outside: true, loss: 0.1, instead: true, late: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, n := runs(t, 15)
			loops := 0
			var longest time.Duration
			for i := range n {
				s.seed = from + uint64(i)
				w, err := s.play(t)
				if err != nil {
					t.Errorf("seed %d: %v", s.seed, err)
				}
				if w.loops > 0 {
					loops++
				}
				longest = max(longest, w.longest)
			}
			t.Logf("seeds %d to %d: loops through it in %d worlds (longest %v)", from, from+uint64(n)-1, loops, longest)
		})
	}
}

// TestBrokenRulesAreNoticed: without each of the rules the checker finds loops, so it can find them.
func TestBrokenRulesAreNoticed(t *testing.T) {
	for name, s := range map[string]scene{
		"no consent asked for":                {broken: ruleConsent | ruleUnited, outside: true, late: 900 * time.Millisecond},
		"designated ports do not wait for it": {seed: 360, broken: ruleUnited, outside: true, late: 300 * time.Millisecond},
		"ghosts are believed":                 {seed: 212, broken: ruleGhost, outside: true, late: 100 * time.Millisecond},
		"our own bridge is not recognised":    {broken: ruleSelf, hubs: true, late: 100 * time.Millisecond},
		"designated ports do not shake hands": {broken: ruleHandshake, late: 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for ; s.seed <= 600; s.seed++ { // the seeds given are near one that shows it
				w, err := s.play(t)
				if w.loops > 0 {
					t.Logf("seed %d: %d loops, the longest %v", s.seed, w.loops, w.longest)
					return
				}
				if err != nil && w.loopSince >= 0 {
					t.Logf("seed %d: %v", s.seed, err)
					return
				}
			}
			t.Error("no loop was found: the checker is blind, or the rule idle")
		})
	}
}

// TestPartsOfAConstellation: the satellites lose one another, take two bridge ids, and the islands join the parts
// as they join any two bridges. Then the parts meet again. In the right order (the part that gives up its id takes
// the other's, and shuts by that, before the first cable between the parts opens) no loop ever forms; in the wrong
// order one lasts as long as the news.
func TestPartsOfAConstellation(t *testing.T) {
	whole, half := bridgeID(0x4000, 500), bridgeID(0x4000, 501)
	ids := map[int]frame.BridgeID{0: whole, 1: half}
	for _, rightOrder := range []bool{true, false} {
		loops, longest := 0, time.Duration(0)
		from, n := runs(t, 15)
		for i := range n {
			w := scene{seed: from + uint64(i), late: 200 * time.Millisecond}.build(t)
			w.run(60 * time.Second)
			parts := make([]int, len(w.sats))
			for i := range parts {
				parts[i] = i % 2
			}
			w.divide(parts, ids)
			w.run(120 * time.Second)
			if err := w.settled(); err != nil {
				t.Errorf("seed %d, in parts: %v", from+uint64(i), err)
			}
			if w.loops > 0 {
				t.Errorf("seed %d, in parts: %d loops, the longest %v", from+uint64(i), w.loops, w.longest)
			}
			if rightOrder {
				for i, s := range w.sats {
					s.e.SetBridge(whole, w.now)
					w.act(i)
				}
			}
			w.divide(make([]int, len(w.sats)), ids)
			w.run(120 * time.Second)
			if err := w.settled(); err != nil {
				t.Errorf("seed %d, together again: %v", from+uint64(i), err)
			}
			if w.loops > 0 {
				loops++
				longest = max(longest, w.longest)
			}
		}
		t.Logf("right order %v, seeds %d to %d: loops in %d, the longest %v", rightOrder, from, from+uint64(n)-1, loops, longest)
		if rightOrder && loops > 0 {
			t.Errorf("%d loops, the longest %v", loops, longest)
		}
		if !rightOrder && loops == 0 && n >= 15 {
			t.Error("the wrong order makes no loop: the checker is blind")
		}
	}
}

// TestFrozenEngines: engines stop for up to 20 s while cables break, and go on as if nothing had been. Their data
// paths keep a lease. Loops of less than a second come in one of fifty of these worlds; the
// one that was looked into was a ghost's.
func TestFrozenEngines(t *testing.T) {
	from, n := runs(t, 20)
	ghosts := 0
	for i := range n {
		w := scene{seed: from + uint64(i), late: 100 * time.Millisecond, outside: i%2 == 0}.build(t)
		w.run(60 * time.Second)
		for range 4 {
			if k := w.rng.IntN(len(w.sats)); !w.sats[k].dead {
				w.freeze(k, time.Duration(w.rng.Int64N(int64(20*time.Second))))
			}
			l := w.lans[w.rng.IntN(len(w.lans))]
			w.setLAN(l, false)
			w.run(time.Duration(w.rng.Int64N(int64(8 * time.Second))))
			w.setLAN(l, true)
			w.run(time.Duration(w.rng.Int64N(int64(8 * time.Second))))
		}
		w.run(120 * time.Second)
		if err := w.settled(); err != nil {
			t.Errorf("seed %d: %v", from+uint64(i), err)
		}
		if w.loops > 0 {
			ghosts++
			t.Logf("seed %d: %d loops, the longest %v, the first at %s", from+uint64(i), w.loops, w.longest, w.firstLoop)
		}
		if w.longest > time.Second {
			t.Errorf("seed %d: a loop of %v", from+uint64(i), w.longest)
		}
	}
	t.Logf("seeds %d to %d: loops in %d", from, from+uint64(n)-1, ghosts)
	if ghosts > 1+n/20 {
		t.Error("that is more than ghosts make")
	}
}
