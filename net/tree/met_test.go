package tree

import (
	"testing"
	"time"

	"decenter/net/rstp"
)

// mutes has a cable between satellites lose everything, or nothing, with carrier.
func (c *wire) mutes(w *world, on bool) {
	w.note("cable %v-%v silent %v", c.a.id, c.b.id, on)
	c.mute = [2]bool{on, on}
}

// notes is what a satellite says of its port.
func (n *node) notes(port PortID) string {
	for _, p := range n.core.View().Ports {
		if p.ID == port {
			return p.Note
		}
	}
	return ""
}

// In a ring a cable loses everything for minutes, as when the converters between its ends hang. Both ends know that a satellite was
// there, so neither takes the silence for a host; as hosts' ports they would be a loop.
func TestASilentCableIsNoEdge(t *testing.T) {
	for _, broken := range []rule{0, ruleMet} {
		w := edged(5, 3)
		w.broken = broken
		w.startAll()
		w.run(10 * time.Second)
		c := w.cables[0]
		err := caught(func() {
			c.mutes(w, true)
			w.run(2 * time.Minute)
			c.a.kill(true)
			w.run(500 * time.Millisecond)
			c.a.start()
			w.run(2 * time.Minute)
		})
		if (err != nil) != (broken != 0) {
			t.Errorf("rule broken %v: %v", broken != 0, err)
		}
		if broken != 0 {
			continue
		}
		if got := c.a.notes(c.port); got != NoteMet {
			t.Errorf("the note is %q", got)
		}
		c.mutes(w, false)
		w.run(10 * time.Second)
		if err := w.spans(); err != nil {
			t.Error("it works again:", err)
		}
	}
}

// A satellite behind a media converter is replaced by a laptop. Its port works once the cable was unplugged, and not before.
func TestALaptopInASatellitesPlace(t *testing.T) {
	w := newWorld(6, 2)
	w.cfg.Edges = true
	c := w.connect(0, 1, 1000)
	w.startAll()
	w.run(10 * time.Second)
	c.b.kill(false)
	c.mutes(w, true)
	w.run(20 * time.Minute)
	if a := c.a; a.passes(c.port) || a.notes(c.port) != NoteMet {
		t.Errorf("its port is open: %v; note %q", a.passes(c.port), a.notes(c.port))
	}
	c.set(w, false)
	c.set(w, true)
	w.run(4 * time.Second)
	if a := c.a; a.legacy.state[c.port] != rstp.Forwarding || a.notes(c.port) != "" {
		t.Errorf("its port is %v; note %q", a.legacy.state[c.port], a.notes(c.port))
	}
}

// A cable between two satellites that never heard one another begins to work without carrier. The loop that it closes is a probe long.
func TestTheFirstAnswerShutsAnEdge(t *testing.T) {
	var worst, sum time.Duration
	const runs = 40
	for seed := range uint64(runs) {
		w := newWorld(seed, 2)
		w.cfg.Edges = true
		c := w.connect(0, 1, 1000)
		c.mutes(w, true)
		w.startAll()
		w.run(20 * time.Second)
		w.run(w.chance(time.Second))
		if !c.a.passes(c.port) || !c.b.passes(c.bport) {
			t.Fatal("hosts' ports do not forward")
		}
		begin := w.now
		c.mutes(w, false)
		if !w.runUntil(time.Second, func() bool { return !c.a.passes(c.port) || !c.b.passes(c.bport) }) {
			t.Fatalf("seed %d: both are open a second later", seed)
		}
		worst, sum = max(worst, w.now-begin), sum+w.now-begin
	}
	t.Logf("open for %v on average, %v at worst", sum/runs, worst)
	if worst > 252*time.Millisecond {
		t.Errorf("a loop of %v, want no more than a quarter of a Hello", worst)
	}
}
