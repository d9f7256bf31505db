package tree

import (
	"testing"
	"time"

	"decenter/net/frame"
)

// The third of three satellites is cut off, and joined to the others by an island of switches: its own frames come in at an edge of the
// first. As long as it cannot be reached in another way it is at home there; when its cable is back, it is at home with itself at once, and
// nobody claims it any more.
func TestASatelliteBehindAnIsland(t *testing.T) {
	w := settled(t, line(31, 3))
	a, b, c := w.nodes[0], w.nodes[1], w.nodes[2]
	a.learned(7, c.id)
	w.run(time.Second)
	if len(a.core.own.macs) > 0 {
		t.Fatal("claimed though it can be reached")
	}
	b.wires[1].set(w, false)
	w.run(5 * time.Second)
	a.learned(7, c.id)
	w.run(time.Second)
	if a.homes[c.id] != a.id || b.homes[c.id] != a.id {
		t.Errorf("cut off, it lives at %v and %v", a.homes[c.id], b.homes[c.id])
	}
	if got := c.homes[c.id]; got != (frame.MAC{}) && got != c.id {
		t.Errorf("it takes itself to live at %v", got)
	}
	b.wires[1].set(w, true)
	w.run(20 * time.Second)
	if len(a.core.own.macs) > 0 || a.homes[c.id] != c.id || b.homes[c.id] != c.id {
		t.Errorf("back, it lives at %v and %v; claims: %v", a.homes[c.id], b.homes[c.id], a.core.own.macs)
	}
}
