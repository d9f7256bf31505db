package tree

import (
	"slices"
	"testing"
	"time"

	"decenter/net/frame"
)

// again is a core that was killed and restored, to which the kernel has shown the first of its two ports alone.
func again(t *testing.T, n *node) *Core {
	t.Helper()
	c := New(n.config(), n.w.now)
	if err := c.Restore(n.core.Snapshot(), n.w.now); err != nil {
		t.Fatal(err)
	}
	first := c.order[0]
	c.Link(first, n.core.ports[first].link, n.w.now)
	return c
}

// An engine that starts has virtual machines, and one of its ports is gone. It says nothing until it stops waiting for that port, and
// until then does not ask for time that it has no use for.
func TestAPortThatDoesNotComeBackCostsNoTime(t *testing.T) {
	w := settled(t, ring(1, 3))
	c := again(t, w.nodes[0])
	c.Local([]frame.MAC{device(1)}, w.now)
	now, calls := w.now, 0
	for resumed := false; !resumed; calls++ {
		e := c.Ready()
		resumed = slices.ContainsFunc(e.Events, func(e Event) bool { return e.Kind == Resumed })
		if calls > 1000 {
			t.Fatalf("%d calls in %v", calls, now-w.now)
		}
		now = max(now, e.Deadline)
		c.Tick(now)
	}
	if now-w.now < 2*time.Second {
		t.Errorf("resumed after %v: the port was not missed", now-w.now)
	}
	c.Ready()
	if !slices.Contains(c.Homes(c.ID()), device(1)) {
		t.Error("the machine is never told of")
	}
}

// A port that is removed shuts, also while another one is awaited.
func TestARemovedPortShutsWhileAnotherIsAwaited(t *testing.T) {
	w := settled(t, ring(2, 3))
	for _, n := range w.nodes {
		c := again(t, n)
		c.Ready()
		first := c.order[0]
		c.Remove(first, w.now)
		e := c.Ready()
		for _, gates := range [][]Gate{e.Gates, e.Live} {
			if !slices.Contains(gates, Gate{first, false}) {
				t.Errorf("%v: port %d does not shut: %v", n.id, first, gates)
			}
		}
	}
}

// Where there are no edges, nobody is told what would make one of a port.
func TestWithoutEdgesThereIsNoNoteOfThem(t *testing.T) {
	w := newWorld(3, 2)
	c := w.connect(0, 1, 1000)
	settled(t, w)
	c.a.kill(true)
	c.a.start()
	c.b.kill(false)
	c.mutes(w, true)
	w.run(10 * time.Second)
	if got := c.a.notes(c.port); got != "" {
		t.Errorf("the note is %q", got)
	}
}

// An engine is killed and starts again while its neighbour's engine is stopped. Both have edges, so there is a bridge id that it knows
// anew; the cable between them led within one part before, and does so still.
func TestARestartBesideASilentNeighbourMovesNoGate(t *testing.T) {
	for seed := range uint64(4) {
		w := edged(seed, 3)
		w.startAll()
		for i := range w.nodes {
			w.patch(i, nil)
		}
		w.run(20 * time.Second)
		w.nodes[0].freeze()
		w.run(10 * time.Second)
		before, _ := w.gates()
		n := w.nodes[1]
		n.kill(true)
		w.run(300 * time.Millisecond)
		n.start()
		w.run(20 * time.Second)
		for port, open := range before[n.id] {
			if n.gates[port] != open {
				t.Errorf("seed %d: gate of port %d was open: %v, and is: %v", seed, port, open, n.gates[port])
			}
		}
	}
}
