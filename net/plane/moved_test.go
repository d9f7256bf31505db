package plane

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A guest has moved from one satellite to another, cables are down, and some satellites know of the move and some do not: as the
// news is still on its way, or for long, as their engines have stopped. Nothing goes round and nothing comes twice. Without F7
// frames do go round.
func TestWhileAGuestMovesNothingGoesRound(t *testing.T) {
	for name, c := range map[string]struct {
		known  time.Duration // since the move
		broken bool
	}{
		"just now":            {time.Millisecond, false},
		"just now, F7 broken": {time.Millisecond, true},
		"long ago":            {2 * time.Second, false},
		"long ago, F7 broken": {2 * time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			loops, sent, arrived := 0, 0, 0
			for seed := range uint64(24) {
				w, flows := moving(t, seed, c.known, c.broken)
				for _, f := range flows {
					tr := w.send(f.at, guest, f.b)
					if sent++; tr.loop != nil {
						loops++
					}
					if arrived += len(tr.arrived); len(tr.arrived) > 1 {
						t.Fatalf("seed %d: came twice: %+v", seed, tr)
					}
				}
			}
			t.Logf("%d frames, %d arrived, %d loops", sent, arrived, loops)
			if loops > 0 != c.broken {
				t.Errorf("%d loops", loops)
			}
		})
	}
}

type sent struct {
	at int
	b  []byte
}

// moving makes a web in which the address unknown has moved, with one to three cables down, and frames to and from it. Engines of
// those who do not know have stopped when the move was told, unless that was just now.
func moving(t testing.TB, seed uint64, known time.Duration, broken bool) (*web, []sent) {
	dice := rand.New(rand.NewPCG(seed, 4))
	pairs, n := ring(6), 6
	if seed%2 == 0 {
		pairs, n = torus(4), 16
	}
	w := weave(t, n, Config{Broken: Broken{NoF7: broken}}, pairs...)
	from, to := dice.IntN(n), dice.IntN(n)
	for _, p := range w.planes {
		p.Home(unknown, id(from), w.now)
	}
	w.planes[to].LocalMAC(unknown, guest)
	for i, p := range w.planes {
		p.Renew(w.now)
		if i == to || dice.IntN(2) == 0 {
			p.Home(unknown, id(to), w.now)
			p.Renew(w.now + known)
		}
	}
	w.now += known
	for range 1 + dice.IntN(3) {
		w.cut(dice.IntN(len(w.cables)))
	}
	var out []sent
	for i := range n {
		for flow := range uint16(8) {
			out = append(out, sent{i, plain(unknown, guestOf(i), flow)})
			if i != to {
				out = append(out, sent{to, plain(guestOf(i), unknown, flow)})
			}
		}
	}
	return w, out
}
