package plane

import (
	"math/rand/v2"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/rstp"
)

// An input's first bytes set the state of satellite 1 of a ring of four with an island, the others are a frame.
func FuzzInput(f *testing.F) {
	dice := rand.New(rand.NewPCG(1, 1))
	for _, b := range [][]byte{plain(guestOf(0), guestOf(1), 1), plain(everybody, guestOf(1), 1), plain(guestOf(2), guestOf(0), 1),
		spread(plain(unknown, guestOf(0), 1)), hello(id(7), frame.TypeEchoRequest), plain(guestOf(0), device, 1), plain(guestOf(3), guestOf(1), 2)} {
		for range 20 {
			state := make([]byte, 8)
			for k := range state {
				state[k] = byte(dice.Uint32())
			}
			f.Add(append(state, b...))
		}
	}
	w := weave(f, 4, Config{}, ring(4)...)
	whole, part := w.tables(1), w.tables(1, 3)
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < 8 {
			return
		}
		p := New(id(1), Config{StormRate: 1, StormBurst: 2})
		ports := []Port{guest, other, island, 101, 102}
		for k, port := range ports {
			kind := Fabric
			if k < 2 {
				kind = Local
			}
			p.Attach(port, kind, frame.MAC{})
			s := in[k]
			p.Carrier(port, s&1 != 0, 0)
			p.Live(port, s&2 != 0, 0)
			p.Gate(port, s&4 != 0, 0)
			p.Edge(port, rstp.State(s>>3%3), 0)
			p.Carrier(port, s&1 != 0 && s&64 == 0, time.Duration(s)*time.Millisecond)
		}
		p.LocalMAC(guestOf(1), guest)
		p.LocalMAC(otherOf(1), other)
		for j := range 4 {
			if in[5]>>j&1 != 0 {
				p.Home(guestOf(j), id(j), 0)
			}
		}
		if in[6]&1 != 0 {
			p.Follow(whole)
		}
		if in[6]&2 != 0 {
			p.Narrow(part)
		}
		p.Renew(time.Duration(in[6]) * time.Second)
		for k := range 4 {
			at := ports[(int(in[7])+k)%len(ports)]
			now := time.Duration(k*int(in[7])) * time.Second
			out, fate := p.Input(at, in[8:], now, nil)
			lawful(t, p, at, in[8:], now, out, fate)
		}
	})
}

// lawful checks what holds for any frame in any state, from the ports' plain states.
func lawful(t *testing.T, p *Plane, in Port, b []byte, now time.Duration, out []Out, fate Fate) {
	t.Helper()
	if (fate.Dropped() || fate == Engine) != (len(out) == 0) {
		t.Errorf("%v, and it leaves by %v", fate, out)
	}
	used := map[Port]bool{}
	for _, o := range out {
		to := p.ports[o.Port]
		sent := o.Append(nil, b)
		switch {
		case used[o.Port]:
			t.Errorf("twice by port %d", o.Port)
		case o.Port == in && fate != Reflected, o.Port != in && fate == Reflected:
			t.Errorf("%v by port %d, came by %d", fate, o.Port, in)
		case !to.carrier:
			t.Errorf("by port %d without carrier", o.Port)
		case fate == Reflected:
		case len(sent) != len(b):
			t.Errorf("%d bytes became %d", len(b), len(sent))
		case to.kind == Local, to.edge != rstp.Discarding:
			if sent[6]&1 != 0 || to.kind == Fabric && (to.edge != rstp.Forwarding || to.gate || to.live || now-p.renewed >= 3*time.Second) {
				t.Errorf("%v by port %d as %x", fate, o.Port, sent[:12])
			}
		case fate == Flooded && !to.gate, fate != Flooded && !to.live, now-p.renewed >= 120*time.Second:
			t.Errorf("%v by port %d, gate %v, live %v", fate, o.Port, to.gate, to.live)
		}
		used[o.Port] = true
	}
}

// Nothing is allocated for a frame that passes.
func TestNothingIsAllocatedPerFrame(t *testing.T) {
	w := weave(t, 4, Config{}, ring(4)...)
	w.planes[1].Narrow(w.tables(1))
	out := make([]Out, 0, 8)
	for name, s := range map[string]struct {
		in Port
		b  []byte
	}{"first hop": {guest, plain(guestOf(3), guestOf(1), 1)}, "flood": {guest, plain(everybody, guestOf(1), 1)},
		"last hop": {w.cables[0].portB, plain(guestOf(1), guestOf(0), 1)}, "stray": {w.cables[0].portB, plain(guestOf(0), guestOf(2), 1)}} {
		if n := testing.AllocsPerRun(100, func() { out, _ = w.planes[1].Input(s.in, s.b, w.now, out[:0]) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkInput(b *testing.B) {
	w := weave(b, 16, Config{}, torus(4)...)
	var out []Out
	f := plain(guestOf(10), guestOf(0), 1)
	b.ReportAllocs()
	for b.Loop() {
		out, _ = w.planes[0].Input(guest, f, w.now, out[:0])
	}
}
