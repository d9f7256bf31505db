package proof

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/keys"
)

func nonceOf(n uint64) (x keys.Nonce) {
	binary.BigEndian.PutUint64(x[:], n)
	return x
}

func idOf(n uint64) (id keys.Fingerprint) {
	binary.BigEndian.PutUint64(id[:], n+1)
	return id
}

// TestAFullTableRefusesRatherThanForgets: and those who misbehave keep nobody else out.
func TestAFullTableRefusesRatherThanForgets(t *testing.T) {
	n := newNonces(noon.Add(-time.Hour))
	n.forget(noon)
	take := func(who, nonce uint64) error { return n.take(idOf(who), nonceOf(nonce), noon, 0) }
	for who := range uint64(maxAllNonces / maxNonces) {
		for x := range uint64(maxNonces) {
			if err := take(who, x); err != nil {
				t.Fatalf("satellite %d, request %d: %v", who, x, err)
			}
		}
		if err := take(who, maxNonces); api.CodeOf(err) != api.CodeExhausted {
			t.Errorf("one more of satellite %d: %v", who, err)
		}
	}
	for x := range uint64(reservedNonces) { // for one more satellite
		if err := take(100, x); err != nil {
			t.Fatalf("request %d of one that behaves: %v", x, err)
		}
	}
	refusedBecause(t, take(100, reservedNonces), api.CodeExhausted)
	refusedBecause(t, take(0, 17), api.CodeDenied) // it is still known
	if n.count != maxAllNonces+reservedNonces {
		t.Errorf("counted %d", n.count)
	}
	n.forget(noon.Add(MaxSkew + time.Second))
	if err := take(0, maxNonces); err != nil || n.count != 1 {
		t.Errorf("a minute later: %d are left, %v", n.count, err)
	}
}

func TestAskersAreBounded(t *testing.T) {
	n := newNonces(noon.Add(-time.Hour))
	for who := range uint64(maxAskers) {
		if err := n.take(idOf(who), nonceOf(who), noon, 0); err != nil {
			t.Fatal(err)
		}
	}
	refusedBecause(t, n.take(idOf(maxAskers), nonceOf(0), noon, 0), api.CodeExhausted)
	n.forget(noon.Add(time.Minute))
	if err := n.take(idOf(maxAskers), nonceOf(0), noon.Add(time.Minute), 0); err != nil || len(n.askers) != maxAskers {
		t.Errorf("%d askers, %v", len(n.askers), err)
	}
}

// TestSimulatedRequests: satellites with clocks that differ ask each other over a network that delays and repeats. Each
// request is carried out at most once, and only while its time is within the window; one that comes once, in time, always is.
func TestSimulatedRequests(t *testing.T) {
	for seed := range uint64(20) {
		dice := rand.New(rand.NewPCG(seed, 7))
		var sats []*satellite
		var offset []time.Duration
		for n := range 4 {
			sats = append(sats, newSatellite(byte(10+n)))
			offset = append(offset, time.Duration(dice.Int64N(int64(80*time.Second)))-40*time.Second)
		}
		simulate(t, seed, dice, sats, offset)
	}
}

type delivery struct {
	at       time.Time // true time
	from, to int
	request  int
	header   []byte
}

func simulate(t *testing.T, seed uint64, dice *rand.Rand, sats []*satellite, offset []time.Duration) {
	var queue []delivery
	const requests = 40
	asked := make([]time.Time, requests)
	for n := range requests {
		from := dice.IntN(len(sats))
		to := (from + 1 + dice.IntN(len(sats)-1)) % len(sats)
		when := noon.Add(time.Duration(dice.Int64N(int64(3 * time.Minute))))
		asked[n] = when.Add(offset[from])
		h, err := sats[from].Append(nil, alice.login(sats[from].id, laptop, noon), sats[to].id, "Delete", deleteBody, asked[n])
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + dice.IntN(4) {
			late := time.Duration(dice.Int64N(int64(90 * time.Second)))
			if dice.IntN(2) == 0 {
				late /= 1000
			}
			queue = append(queue, delivery{when.Add(late), from, to, n, h})
		}
	}
	order(queue)
	done := map[int]int{}
	for _, d := range queue {
		here := d.at.Add(offset[d.to])
		fresh := asked[d.request].Sub(here).Abs() <= MaxSkew
		_, err := sats[d.to].hears(sent{d.header, sats[d.from].public, "Delete", deleteBody, here})
		switch {
		case err == nil && !fresh:
			t.Fatalf("seed %d: request %d was carried out at a difference of %v", seed, d.request, asked[d.request].Sub(here))
		case err == nil:
			if done[d.request]++; done[d.request] > 1 {
				t.Fatalf("seed %d: request %d was carried out %d times", seed, d.request, done[d.request])
			}
		case fresh && done[d.request] == 0:
			t.Fatalf("seed %d: request %d came in time and was refused: %v", seed, d.request, err)
		}
	}
	if len(done) == 0 {
		t.Errorf("seed %d: nothing was carried out", seed)
	}
}

func order(queue []delivery) {
	for i := range queue { // few: the obvious way
		for j := i + 1; j < len(queue); j++ {
			if queue[j].at.Before(queue[i].at) {
				queue[i], queue[j] = queue[j], queue[i]
			}
		}
	}
}
