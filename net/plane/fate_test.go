package plane

import (
	"slices"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/path"
	"decenter/net/rstp"
)

// The line of satellites 0 - 1 - 2 in which satellite 1 is looked at. Its ports: 101 to 0, 102 to 2; a guest, another, an island.
const west, east = Port(101), Port(102)

var (
	device  = frame.MAC{2, 9, 0, 0, 0, 1} // behind the island
	unknown = frame.MAC{2, 9, 0, 0, 0, 2}
	group   = frame.MAC{1, 0, 0x5e, 0, 0, 1}
	lldp    = frame.MAC{1, 0x80, 0xc2, 0, 0, 0xe}
)

func line(t testing.TB, cfg Config) (*web, *Plane) {
	w := weave(t, 3, cfg, [2]int{0, 1}, [2]int{1, 2})
	p := w.planes[1]
	p.Carrier(island, true, w.now)
	p.Edge(island, rstp.Forwarding, w.now)
	return w, p
}

// marked sets the I/G bit of the source, as between satellites.
func marked(b []byte) []byte {
	b = slices.Clone(b)
	b[6] |= 1
	return b
}

// spread is a unicast frame as it is flooded between satellites.
func spread(b []byte) []byte {
	b = marked(b)
	b[0] |= 1
	return b
}

func hello(destination frame.MAC, typ frame.Type) []byte {
	return frame.Echo{Session: 1}.Append(nil, frame.Header{Destination: destination, Source: id(0), Type: typ})
}

type story struct {
	name string
	in   Port
	b    []byte
	with func(w *web, p *Plane)
	want Fate
	out  []Port // by ascending port
}

func (s story) play(t *testing.T) {
	t.Run(s.name, func(t *testing.T) {
		w, p := line(t, Config{})
		if s.with != nil {
			s.with(w, p)
		}
		before := p.Count(s.want)
		outs, fate := p.Input(s.in, s.b, w.now, nil)
		var ports []Port
		for _, o := range outs {
			ports = append(ports, o.Port)
		}
		if fate != s.want || !slices.Equal(ports, s.out) {
			t.Errorf("%v by %v, wanted %v by %v", fate, ports, s.want, s.out)
		}
		if p.Count(s.want) != before+1 {
			t.Error("not counted")
		}
		if fate.Dropped() && len(outs) != 0 || fate.String() == "" {
			t.Error("dropped, yet it leaves")
		}
	})
}

func TestControlFrames(t *testing.T) {
	own := func(w *web, p *Plane) {
		p.Detach(west, w.now)
		p.Attach(west, Fabric, id(77))
		p.Carrier(west, true, w.now)
	}
	shut := func(w *web, p *Plane) { p.Gate(west, false, w.now); p.Live(west, false, w.now) }
	for _, s := range []story{
		{"an echo is answered where it came from", west, hello(id(77), frame.TypeEchoRequest), nil, Reflected, []Port{west}},
		{"also over a shut gate", west, hello(id(77), frame.TypeEchoRequest), shut, Reflected, []Port{west}},
		{"and one that asks whether a satellite is here at all", west, hello(frame.Group, frame.TypeEchoRequest), shut, Reflected, []Port{west}},
		{"at the port's own address", west, hello(id(77), frame.TypeEchoRequest), own, Reflected, []Port{west}},
		{"but not someone else's", west, hello(id(78), frame.TypeEchoRequest), own, DropReserved, nil},
		{"nor one to another group", west, hello(frame.BridgeGroup, frame.TypeEchoRequest), nil, DropReserved, nil},
		{"an answer is for the engine", west, hello(id(77), frame.TypeEchoReply), nil, Engine, nil},
		{"a Hello is for the engine", west, hello(frame.Group, frame.TypeHello), shut, Engine, nil},
		{"a BPDU is for the engine", island, plain(frame.BridgeGroup, device, 1), nil, Engine, nil},
		{"also where the port blocks", island, plain(frame.BridgeGroup, device, 1), func(w *web, p *Plane) { p.Edge(island, rstp.Discarding, w.now) }, Engine, nil},
		{"a guest says none", guest, plain(frame.BridgeGroup, guestOf(1), 1), nil, DropReserved, nil},
		{"nor a Hello", guest, hello(frame.Group, frame.TypeHello), nil, DropReserved, nil},
		{"LLDP goes no further: cable", west, plain(lldp, guestOf(0), 1), nil, DropReserved, nil},
		{"LLDP goes no further: island", island, plain(lldp, device, 1), nil, DropReserved, nil},
		{"LLDP goes no further: guest", guest, plain(lldp, guestOf(1), 1), nil, DropReserved, nil},
		{"nor what would look like it when flooded", guest, plain(frame.MAC{0, 0x80, 0xc2, 0, 0, 7}, guestOf(1), 1), nil, DropReserved, nil},
	} {
		s.play(t)
	}
}

func TestSources(t *testing.T) {
	for _, s := range []story{
		{"a guest with the choice bit", guest, marked(plain(guestOf(0), guestOf(1), 1)), nil, DropSource, nil},
		{"a guest without address", guest, plain(guestOf(0), frame.MAC{}, 1), nil, DropSource, nil},
		{"a guest with another's address", guest, plain(guestOf(0), otherOf(1), 1), nil, DropSpoof, nil},
		{"a device with the choice bit", island, marked(plain(guestOf(0), device, 1)), nil, DropSource, nil},
		{"a device with a guest's address", island, plain(guestOf(0), guestOf(1), 1), nil, DropSpoof, nil},
		{"a guest's address from the fabric, flooded", west, plain(everybody, guestOf(1), 1), nil, DropLocal, nil},
		{"a guest's address from the fabric, on its way", west, plain(guestOf(2), guestOf(1), 1), nil, DropLocal, nil},
		{"a guest's address from the fabric, for a guest", west, plain(otherOf(1), guestOf(1), 1), nil, DropLocal, nil},
		{"nobody's address from the fabric, flooded", west, plain(everybody, frame.MAC{1}, 1), nil, DropSource, nil},
		{"an unknown one from the fabric, for a guest", west, plain(guestOf(1), unknown, 1), nil, DropStranger, nil},
		{"an unknown one from the fabric, on its way", west, plain(guestOf(2), unknown, 1), nil, DropStranger, nil},
		{"an unknown one from the fabric, flooded", west, plain(everybody, unknown, 1), nil, Flooded, []Port{guest, other, island, east}},
		{"one whose home is cut off", west, plain(guestOf(2), unknown, 1), func(w *web, p *Plane) { p.Home(unknown, id(9), 0) }, DropStranger, nil},
	} {
		s.play(t)
	}
}

func TestPortsThatLetNothingIn(t *testing.T) {
	b := plain(guestOf(1), guestOf(0), 1)
	for _, s := range []story{
		{"a port that is not there", 99, b, nil, DropDetached, nil},
		{"a port without carrier", west, b, func(w *web, p *Plane) { p.Carrier(west, false, w.now) }, DropDetached, nil},
		{"a port that was detached", west, b, func(w *web, p *Plane) { p.Detach(west, w.now) }, DropDetached, nil},
		{"a tap that was detached", guest, plain(guestOf(0), guestOf(1), 1), func(w *web, p *Plane) { p.Detach(guest, w.now) }, DropDetached, nil},
		{"a cable to nobody", west, b, func(w *web, p *Plane) { p.Gate(west, false, w.now); p.Live(west, false, w.now) }, DropClosed, nil},
		{"a cable to a satellite and the legacy at once", west, b, func(w *web, p *Plane) { p.Edge(west, rstp.Forwarding, w.now) }, DropClosed, nil},
		{"unicast over a cable that is not live", west, b, func(w *web, p *Plane) { p.Live(west, false, w.now) }, DropClosed, nil},
		{"unicast over a shut gate", west, b, func(w *web, p *Plane) { p.Gate(west, false, w.now) }, Delivered, []Port{guest}},
		{"broadcast over a shut gate", west, plain(everybody, guestOf(0), 1), func(w *web, p *Plane) { p.Gate(west, false, w.now) }, DropClosed, nil},
		{"flooded unicast over a shut gate", west, spread(b), func(w *web, p *Plane) { p.Gate(west, false, w.now) }, DropClosed, nil},
		{"an island that blocks", island, plain(everybody, device, 1), func(w *web, p *Plane) { p.Edge(island, rstp.Discarding, w.now) }, DropClosed, nil},
		{"an island that learns", island, plain(everybody, device, 1), func(w *web, p *Plane) { p.Edge(island, rstp.Learning, w.now) }, DropLearning, nil},
		{"not a whole header", west, b[:13], nil, DropShort, nil},
	} {
		s.play(t)
	}
}

func TestWhereFramesGo(t *testing.T) {
	learn := func(w *web, p *Plane) { p.Input(island, plain(everybody, device, 1), w.now, nil) }
	for _, s := range []story{
		{"guest to guest", guest, plain(otherOf(1), guestOf(1), 1), nil, Delivered, []Port{other}},
		{"to itself", guest, plain(guestOf(1), guestOf(1), 1), nil, DropHairpin, nil},
		{"to a neighbour", guest, plain(guestOf(2), guestOf(1), 1), nil, Forwarded, []Port{east}},
		{"on its way", west, plain(guestOf(2), guestOf(0), 1), nil, Forwarded, []Port{east}},
		{"arrived", west, marked(plain(guestOf(1), guestOf(0), 1)), nil, Delivered, []Port{guest}},
		{"to a group, from a guest", guest, plain(group, guestOf(1), 1), nil, Flooded, []Port{other, island, west, east}},
		{"to a group, from a cable", west, plain(group, guestOf(0), 1), nil, Flooded, []Port{guest, other, island, east}},
		{"to nobody known", guest, plain(unknown, guestOf(1), 1), nil, Flooded, []Port{island, west, east}},
		{"flooded unicast", west, spread(plain(unknown, guestOf(0), 1)), nil, Flooded, []Port{island, east}},
		{"flooded unicast whose owner is here", west, spread(plain(guestOf(1), guestOf(0), 1)), nil, Flooded, []Port{guest, east}},
		{"flooded unicast whose owner was learned here", west, spread(plain(device, guestOf(0), 1)), learn, Flooded, []Port{island, east}},
		{"to a device that was learned", west, plain(device, guestOf(0), 1), learn, Delivered, []Port{island}},
		{"to a device behind a port that blocks now", guest, plain(device, guestOf(1), 1),
			func(w *web, p *Plane) { learn(w, p); p.Edge(island, rstp.Learning, w.now) }, DropOut, nil},
		{"to a device that was forgotten", west, plain(device, guestOf(0), 1),
			func(w *web, p *Plane) { learn(w, p); p.Home(device, id(1), w.now); p.FlushLearned() }, Delivered, []Port{island}},
		{"to a device that was forgotten, and no edge is open", west, plain(device, guestOf(0), 1),
			func(w *web, p *Plane) { p.Home(device, id(1), w.now); p.Carrier(island, false, w.now) }, DropNowhere, nil},
		{"to a guest whose tap is gone", west, plain(guestOf(1), guestOf(0), 1), func(w *web, p *Plane) { p.Carrier(guest, false, w.now) }, DropOut, nil},
		{"from a device to one beside it", island, plain(device, unknown, 1), learn, DropHairpin, nil},
		{"on its way to a home that is not known here", west, plain(unknown, guestOf(0), 1), nil, DropUnknown, nil},
		{"to a home that is cut off", guest, plain(unknown, guestOf(1), 1), func(w *web, p *Plane) { p.Home(unknown, id(9), 0) }, DropNoPath, nil},
		{"off its path", east, plain(guestOf(2), guestOf(0), 1), func(w *web, p *Plane) { unready(w, p) }, DropStray, nil},
		{"the next hop is not legal", guest, plain(guestOf(2), guestOf(1), 1), illegal, DropIllegal, nil},
		{"the tables change", guest, plain(guestOf(2), guestOf(1), 1), func(w *web, p *Plane) { p.Narrow(w.tables(1, 1)) }, DropNarrow, nil},
		{"the tables change elsewhere", guest, plain(guestOf(0), guestOf(1), 1), func(w *web, p *Plane) { p.Narrow(w.tables(1, 1)) }, Forwarded, []Port{west}},
		{"there are no tables", guest, plain(guestOf(2), guestOf(1), 1), func(w *web, p *Plane) { p.Follow(&path.Tables{}) }, DropNoPath, nil},
		{"nobody is there", guest, plain(unknown, guestOf(1), 1), func(w *web, p *Plane) {
			for _, id := range []Port{west, east, island} {
				p.Carrier(id, false, w.now)
			}
		}, DropNowhere, nil},
		{"the cable is cut and there is no other", west, plain(guestOf(2), guestOf(0), 1), func(w *web, p *Plane) { p.Carrier(east, false, w.now) }, DropDead, nil},
	} {
		s.play(t)
	}
}

func unready(w *web, p *Plane) {
	t := *w.tables(1)
	t.Agreed = false
	p.Follow(&t)
}

func illegal(w *web, p *Plane) {
	t := *w.tables(1)
	t.Legal = make([]uint64, 1)
	p.Follow(&t)
}

// Counters are told apart by their names.
func TestEveryFateHasAName(t *testing.T) {
	seen := map[string]bool{}
	for f := range Fate(Fates) {
		if n := f.String(); n == "" || seen[n] {
			t.Errorf("fate %d: %q", f, n)
		}
		seen[f.String()] = true
	}
}

// The engine stops. Edges shut after three seconds, the fabric after two minutes; guests here still talk, echoes are answered.
// Without leases nothing shuts.
func TestLeasesEnd(t *testing.T) {
	for _, broken := range []bool{false, true} {
		w, p := line(t, Config{Broken: Broken{NoB3: broken}})
		look := func(after time.Duration, in Port, b []byte, want Fate) {
			t.Helper()
			if broken {
				want = map[Port]Fate{island: Flooded, west: Flooded, guest: Forwarded}[in]
			}
			if _, got := p.Input(in, b, w.now+after, nil); got != want {
				t.Errorf("after %v by port %d: %v, wanted %v", after, in, got, want)
			}
		}
		look(2999*time.Millisecond, island, plain(everybody, device, 1), Flooded)
		look(3*time.Second, island, plain(everybody, device, 1), DropLease)
		look(119*time.Second, west, plain(everybody, guestOf(0), 1), Flooded)
		look(120*time.Second, west, plain(everybody, guestOf(0), 1), DropLease)
		look(120*time.Second, guest, plain(guestOf(0), guestOf(1), 1), DropLease)
		late := w.now + time.Hour
		if _, got := p.Input(guest, plain(otherOf(1), guestOf(1), 1), late, nil); got != Delivered {
			t.Errorf("guest to guest: %v", got)
		}
		if _, got := p.Input(west, hello(id(77), frame.TypeEchoRequest), late, nil); got != Reflected {
			t.Errorf("echo: %v", got)
		}
		p.Renew(late)
		if _, got := p.Input(guest, plain(guestOf(0), guestOf(1), 1), late, nil); got != Forwarded {
			t.Errorf("the engine is back: %v", got)
		}
	}
}

// B4: a loop in the island asks for a million floods in a second; 8,192 and the burst come through.
func TestStormsAreCapped(t *testing.T) {
	w, p := line(t, Config{})
	b := plain(everybody, device, 1)
	var out []Out
	flooded := 0
	for k := range 1_000_000 {
		var f Fate
		if out, f = p.Input(island, b, w.now+time.Duration(k)*time.Microsecond, out[:0]); f == Flooded {
			flooded++
		} else if f != DropStorm {
			t.Fatal(f)
		}
	}
	if flooded < 8192+4096-2 || flooded > 8192+4096+2 {
		t.Errorf("%d frames", flooded)
	}
	if _, f := p.Input(guest, plain(everybody, guestOf(1), 1), w.now, nil); f != Flooded {
		t.Errorf("a guest beside it: %v", f)
	}
}
