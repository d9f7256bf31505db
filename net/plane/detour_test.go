package plane

import (
	"testing"
	"time"
)

func grid(rows, columns int) (out [][2]int) {
	for i := range rows * columns {
		if i%columns+1 < columns {
			out = append(out, [2]int{i, i + 1})
		}
		if i+columns < rows*columns {
			out = append(out, [2]int{i, i + columns})
		}
	}
	return out
}

func torus(side int) (out [][2]int) {
	for i := range side * side {
		x, y := i%side, i/side
		out = append(out, [2]int{i, (x+1)%side + y*side}, [2]int{i, x + (y+1)%side*side})
	}
	return out
}

// near tells which satellites can be reached from each other, by what is up: those with the same number.
func (w *web) parts() []int {
	part := make([]int, len(w.planes))
	for i := range part {
		part[i] = i
	}
	for range part {
		for _, c := range w.cables {
			if w.planes[c.a].up(uint32(c.portA)) && w.planes[c.b].up(uint32(c.portB)) {
				low := min(part[c.a], part[c.b])
				part[c.a], part[c.b] = low, low
			}
		}
	}
	return part
}

// each sends a frame of some flows between all guests, and tells how it ended.
func (w *web) each(flows uint16, tell func(s, d int, tr trip)) {
	for s := range w.planes {
		for d := range w.planes {
			for flow := range flows {
				if s != d {
					tell(s, d, w.send(s, guest, plain(guestOf(d), guestOf(s), flow)))
				}
			}
		}
	}
}

// Whichever one cable or one satellite dies, each frame to who can be reached arrives, before any engine knows.
func TestEverySingleFailureIsGoneAround(t *testing.T) {
	for name, pairs := range map[string][][2]int{"ring of 8": ring(8), "ring of 5": ring(5), "grid 3x4": grid(3, 4), "torus 4x4": torus(4)} {
		n := 0
		for _, c := range pairs {
			n = max(n, c[0]+1, c[1]+1)
		}
		w := weave(t, n, Config{}, pairs...)
		check := func(what string, k int) {
			part := w.parts()
			w.each(2, func(s, d int, tr trip) {
				if tr.loop != nil || (len(tr.arrived) == 1) != (part[s] == part[d]) {
					t.Fatalf("%s, %s %d dead, %d to %d: %+v", name, what, k, s, d, tr)
				}
			})
		}
		carrier := func(c cable, up bool) {
			w.planes[c.a].Carrier(c.portA, up, w.now)
			w.planes[c.b].Carrier(c.portB, up, w.now)
		}
		for k, c := range w.cables {
			carrier(c, false)
			check("cable", k)
			carrier(c, true)
			w.later(time.Second) // so that policing is at rest
		}
		for dead := range n {
			for _, up := range []bool{false, true} {
				for _, c := range w.cables {
					if c.a == dead || c.b == dead {
						carrier(c, up)
					}
				}
				if !up {
					check("satellite", dead)
				}
			}
			w.later(time.Second)
		}
	}
}

// F5: detours leave half of the port to those whose path it is. A gigabit of them is sent for 100 ms.
func TestDetoursHaveAShareOfThePort(t *testing.T) {
	for _, broken := range []bool{false, true} {
		w := weave(t, 3, Config{Broken: Broken{NoF5: broken}}, ring(3)...)
		w.cut(0)
		p := w.planes[0]
		b := append(plain(guestOf(1), guestOf(0), 1), make([]byte, 1440)...)
		sent, dropped := 0, 0
		var out []Out
		for k := range 100_000_000 / (len(b) * 8) {
			now := w.now + time.Duration(k*len(b)*8)
			var f Fate
			switch out, f = p.Input(guest, b, now, out[:0]); f {
			case Deflected:
				sent += len(b)
			case DropPoliced:
				dropped++
			default:
				t.Fatal(f)
			}
		}
		const half, burst = 62_500_000 / 10, 625_000
		if within := sent <= half+burst && sent > half*95/100 && dropped > 0; within == broken {
			t.Errorf("F5 broken %v: %d bytes, %d frames dropped", broken, sent, dropped)
		}
	}
}

// An address that has just moved takes no detour, as not all may know where to; after a second it does.
func TestAnAddressThatMovedTakesNoDetour(t *testing.T) {
	w := weave(t, 5, Config{}, ring(5)...)
	for _, p := range w.planes {
		p.Home(unknown, id(2), w.now)
		p.Home(unknown, id(1), w.now)
	}
	w.planes[1].LocalMAC(unknown, guest)
	w.cut(0)
	if tr := w.send(0, guest, plain(unknown, guestOf(0), 1)); tr.last() != DropSettling {
		t.Errorf("%+v", tr)
	}
	if tr := w.send(1, guest, plain(guestOf(0), unknown, 1)); !tr.has(Deflected) && tr.last() != DropSettling {
		t.Errorf("%+v", tr)
	}
	w.later(time.Second)
	for _, up := range []bool{true, false} { // it dies anew
		w.planes[0].Carrier(w.cables[0].portA, up, w.now)
	}
	if tr := w.send(0, guest, plain(unknown, guestOf(0), 1)); !tr.has(Deflected) || len(tr.arrived) != 1 {
		t.Errorf("%+v", tr)
	}
}

// A port that is taken out of the machine is a dead port too.
func TestADetachedPortIsGoneAround(t *testing.T) {
	w := weave(t, 4, Config{}, ring(4)...)
	w.planes[0].Detach(w.cables[0].portA, w.now)
	w.planes[1].Carrier(w.cables[0].portB, false, w.now)
	w.each(4, func(s, d int, tr trip) {
		if tr.loop != nil || len(tr.arrived) != 1 {
			t.Fatalf("%d to %d: %+v", s, d, tr)
		}
	})
	w.now += time.Second
	w.planes[0].Renew(w.now)
	if n := len(w.planes[0].order); n != 4 || len(w.planes[0].ports) != 4 {
		t.Errorf("%d ports are kept", n)
	}
}

// B2: a satellite that holds its gate shut has a neighbour whose gate is open, as happens while an engine is slow. Broadcasts go
// round unless the gate is judged at ingress too.
func TestWithoutB2BroadcastsGoRound(t *testing.T) {
	for _, broken := range []bool{false, true} {
		w := weave(t, 4, Config{Broken: Broken{NoB2: broken}}, ring(4)...)
		last := w.cables[3] // from 3 to 0: not of the tree
		w.planes[last.a].Gate(last.portA, true, w.now)
		if tr := w.send(1, guest, plain(everybody, guestOf(1), 1)); (len(tr.arrived) != 7 || tr.loop != nil) != broken {
			t.Errorf("B2 broken %v: %+v", broken, tr)
		}
	}
}

// While tables change one after the other, in any order, and each first narrows, no frame goes round: also not in the moment when
// some hold the topology without the cable and some that with it.
func TestWhileTablesChangeNothingGoesRound(t *testing.T) {
	w := weave(t, 8, Config{}, ring(8)...)
	w.cut(2)
	lost := 0
	check := func() {
		w.each(2, func(s, d int, tr trip) {
			if tr.loop != nil {
				t.Fatal(tr.loop)
			}
			if len(tr.arrived) != 1 {
				lost++
			}
		})
	}
	for i, p := range w.planes {
		p.Narrow(w.tables(i, 2))
	}
	check()
	narrowed := lost
	for i, p := range w.planes {
		p.Follow(w.tables(i, 2))
	}
	check()
	if narrowed == 0 || lost != narrowed {
		t.Errorf("lost while narrow %d, after that %d", narrowed, lost-narrowed)
	}
}
