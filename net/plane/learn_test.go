package plane

import (
	"slices"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/rstp"
	"decenter/net/tree"
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
	told := 0
	for k := range 3 * MaxLearned {
		if k%(2*maxNews) == 0 { // half of them find no room there
			told += len(p.Learned())
		}
		p.Input(island, plain(everybody, frame.MAC{2, 8, 0, byte(k >> 16), byte(k >> 8), byte(k)}, 1), w.now, nil)
		if len(p.news) > maxNews {
			t.Fatalf("%d sightings wait", len(p.news))
		}
	}
	if told += len(p.Learned()); told != MaxLearned || len(p.learned) != MaxLearned {
		t.Errorf("%d sightings, %d learned", told, len(p.learned))
	}
	if _, in := p.learned[frame.MAC{2, 8}]; !in {
		t.Error("the first was driven out")
	}
}

// A device behind the middle satellite's edge sends under the address of a guest of the third. The satellite reports it, but what
// is for the guest goes on to the guest, from here and from others, and what the guest sends to all comes through. Once the
// guest is gone and the address at home here, the device has it.
func TestADeviceGetsNoGuestsFrames(t *testing.T) {
	run := func(broken Broken) (hijacked bool) {
		w, p := line(t, Config{Broken: broken})
		victim := guestOf(2)
		p.Input(island, plain(everybody, victim, 1), w.now, nil)
		if got := p.Learned(); !slices.Equal(got, []Sighting{{victim, island}}) {
			t.Errorf("sightings %v", got)
		}
		for _, in := range []struct {
			at    Port
			frame []byte
		}{{guest, plain(victim, guestOf(1), 1)}, {west, plain(victim, guestOf(0), 1)}} {
			out, _ := p.Input(in.at, in.frame, w.now, nil)
			hijacked = hijacked || len(out) != 1 || out[0].Port != east
		}
		if _, fate := p.Input(east, plain(everybody, victim, 1), w.now, nil); fate != Flooded {
			hijacked = true
		}
		p.Home(victim, frame.MAC{}, w.now)
		p.Input(island, plain(everybody, victim, 1), w.now, nil)
		p.Home(victim, id(1), w.now)
		if out, _ := p.Input(guest, plain(victim, guestOf(1), 1), w.now, nil); len(out) != 1 || out[0].Port != island {
			t.Errorf("the device has moved here and gets nothing: %v", out)
		}
		return hijacked
	}
	if run(Broken{}) {
		t.Error("the device gets the guest's frames")
	}
	if !run(Broken{NoHome: true}) {
		t.Error("it does not with the rule broken either: the test proves nothing")
	}
}

// What a core may tell has room: as many addresses here as a satellite may be home to, and a million of others.
func TestThereIsRoomForWhatACoreTells(t *testing.T) {
	if MaxLocal < tree.MaxMACs || MaxLearned < tree.MaxMACs || MaxHomes < 1_000_000+tree.MaxMACs+tree.MaxSatellites {
		t.Errorf("room for %d local, %d learned, %d homes", MaxLocal, MaxLearned, MaxHomes)
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
