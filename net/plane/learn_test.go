package plane

import (
	"slices"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/rstp"
)

const islet = Port(51) // another edge port

// A device is told when it is first seen, when it moves to another edge, and every ten seconds while it speaks.
func TestSightings(t *testing.T) {
	w, p := line(t, Config{})
	p.Attach(islet, Fabric, frame.MAC{})
	p.Carrier(islet, true, w.now)
	p.Edge(islet, rstp.Learning, w.now)
	look := func(after time.Duration, at Port, want ...Sighting) {
		t.Helper()
		p.Renew(w.now + after)
		p.Input(at, plain(everybody, device, 1), w.now+after, nil)
		if got := p.Learned(); !slices.Equal(got, want) {
			t.Errorf("after %v: %v, wanted %v", after, got, want)
		}
	}
	look(0, island, Sighting{device, island})
	look(time.Second, island)
	look(2*time.Second, islet, Sighting{device, islet})
	look(11*time.Second, islet)
	look(12*time.Second, islet, Sighting{device, islet})
	p.FlushPort(islet)
	look(13*time.Second, islet, Sighting{device, islet})
	p.Home(device, id(1), w.now)
	look(14*time.Second, islet)
	p.Home(device, id(2), w.now) // it is said to live elsewhere
	look(15*time.Second, islet, Sighting{device, islet})
	p.LocalMAC(device, guest) // a guest takes the address
	look(16*time.Second, islet)
}

// Who invents addresses fills the table, and then no more is learned; what was there before is not driven out.
func TestInventedAddressesFillTheTableOnly(t *testing.T) {
	w, p := line(t, Config{StormRate: 1 << 20, StormBurst: 1 << 20})
	for k := range 3 * MaxLearned {
		p.Input(island, plain(everybody, frame.MAC{2, 8, 0, byte(k >> 16), byte(k >> 8), byte(k)}, 1), w.now, nil)
	}
	if n := len(p.Learned()); n != MaxLearned || len(p.learned) != MaxLearned {
		t.Errorf("%d sightings, %d learned", n, len(p.learned))
	}
	if _, in := p.learned[frame.MAC{2, 8}]; !in {
		t.Error("the first was driven out")
	}
}

// A guest leaves: its address is nobody's, and a frame for it is flooded.
func TestAGuestLeaves(t *testing.T) {
	w, p := line(t, Config{})
	p.Home(guestOf(1), frame.MAC{}, w.now)
	p.Detach(guest, w.now)
	if _, f := p.Input(other, plain(guestOf(1), otherOf(1), 1), w.now, nil); f != Flooded {
		t.Error(f)
	}
}
