package plane

import (
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/rstp"
)

// On a ring every guest reaches every other one, each flow by one of two colours, and what arrives is what was sent.
func TestEveryGuestReachesEveryOther(t *testing.T) {
	w := weave(t, 6, Config{}, ring(6)...)
	for s := range 6 {
		for d := range 6 {
			for flow := range uint16(16) {
				if s == d {
					continue
				}
				tr := w.send(s, guest, plain(guestOf(d), guestOf(s), flow))
				if tr.loop != nil || len(tr.arrived) != 1 || tr.arrived[0] != (end{d, guest}) {
					t.Fatalf("%d to %d, flow %d: %+v", s, d, flow, tr)
				}
			}
		}
	}
}

// A broadcast reaches every other guest once, although the cables form a ring.
func TestABroadcastReachesEverybodyOnce(t *testing.T) {
	w := weave(t, 5, Config{}, ring(5)...)
	tr := w.send(2, guest, plain(everybody, guestOf(2), 1))
	if tr.loop != nil || len(tr.arrived) != 9 {
		t.Fatalf("%+v", tr)
	}
}

// A frame to an address that nobody knows goes along the tree to the legacy ports and to no guest. Who knows the address on the
// way does not shorten it: that would make two of it.
func TestAnUnknownAddressIsSoughtAtTheEdges(t *testing.T) {
	w := weave(t, 5, Config{}, ring(5)...)
	quiet := frame.MAC{2, 9}
	for _, i := range []int{1, 4} {
		w.planes[i].Carrier(island, true, w.now)
		w.planes[i].Edge(island, rstp.Forwarding, w.now)
	}
	for _, i := range []int{2, 3} {
		w.planes[i].Home(quiet, id(4), 0)
	}
	tr := w.send(0, guest, plain(quiet, guestOf(0), 1))
	if tr.loop != nil || len(tr.arrived) != 2 || tr.arrived[0].port != island || tr.arrived[1].port != island {
		t.Fatalf("%+v", tr)
	}
}

// F2: a cable is cut, and before any engine knows all frames go around it, each on its first try.
func TestACutCableIsGoneAround(t *testing.T) {
	for n := 3; n < 10; n++ {
		w := weave(t, n, Config{}, ring(n)...)
		w.cut(0)
		detours := 0
		for s := range n {
			for d := range n {
				for flow := range uint16(4) {
					if s == d {
						continue
					}
					tr := w.send(s, guest, plain(guestOf(d), guestOf(s), flow))
					if tr.loop != nil || len(tr.arrived) != 1 {
						t.Fatalf("ring of %d, %d to %d: %+v", n, s, d, tr)
					}
					if tr.has(Deflected) {
						detours++
					}
				}
			}
		}
		if detours == 0 {
			t.Errorf("ring of %d: no frame was deflected", n)
		}
	}
}

// F5: after 200 ms the detour is over; new tables need none.
func TestADetourEnds(t *testing.T) {
	w := weave(t, 5, Config{}, ring(5)...)
	w.cut(0)
	frame := plain(guestOf(1), guestOf(0), 1)
	w.now += 200 * time.Millisecond
	if tr := w.send(0, guest, frame); !tr.has(Deflected) || len(tr.arrived) != 1 {
		t.Fatalf("at 200 ms: %+v", tr)
	}
	w.now += time.Millisecond
	if tr := w.send(0, guest, frame); tr.last() != DropLate {
		t.Fatalf("at 201 ms: %+v", tr)
	}
	for i, p := range w.planes {
		p.Narrow(w.tables(i, 0))
		p.Follow(w.tables(i, 0))
	}
	if tr := w.send(0, guest, frame); tr.has(Deflected) || len(tr.arrived) != 1 {
		t.Fatalf("with new tables: %+v", tr)
	}
}

// F4: with two cables of a ring cut, frames to the other half are lost. If who is off the path is deflected again they run
// to and fro.
func TestWithoutF4FramesRunToAndFro(t *testing.T) {
	for _, broken := range []bool{false, true} {
		w := weave(t, 8, Config{Broken: Broken{NoF4: broken}}, ring(8)...)
		w.cut(0)
		w.cut(3)
		loops := 0
		for s := range 8 {
			for d := range 8 {
				for flow := range uint16(4) {
					if s != d && w.send(s, guest, plain(guestOf(d), guestOf(s), flow)).loop != nil {
						loops++
					}
				}
			}
		}
		if broken != (loops > 0) {
			t.Errorf("F4 broken %v: %d loops", broken, loops)
		}
	}
}
