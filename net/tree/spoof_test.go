package tree

import (
	"slices"
	"testing"
	"time"

	"decenter/net/frame"
)

// sights tells a core of one address as a data path does that has seen it on port 77, and gives the events about it.
func (n *node) sights(mac frame.MAC) (events []Event) {
	n.step(func() {
		n.core.Learned(77, []frame.MAC{mac}, n.w.now)
		for _, e := range n.core.events {
			if e.MAC == mac {
				events = append(events, e)
			}
		}
	})
	return events
}

// A device behind the first satellite's edge sends under the address of a guest of the third, for ten seconds, whatever it is told:
// the guest keeps its address at every instant, no Flood is sent for it, and a person is told, not more than once a second. With
// epochs alone, as plain EVPN has them, it loses it at once.
func TestADeviceTakesNoGuestsAddress(t *testing.T) {
	run := func(broken rule) (lost bool) {
		w := line(20, 3)
		w.broken = broken
		settled(t, w)
		spoofer, owner, vm := w.nodes[0], w.nodes[2], device(1)
		owner.local(vm)
		w.run(300 * time.Millisecond)
		floods := 0
		w.drop = func(b []byte) bool {
			if b[frame.OffType] == byte(frame.TypeFlood) {
				floods++
			}
			return false
		}
		var events []Event
		for range 1000 {
			events = append(events, spoofer.sights(vm)...)
			w.run(10 * time.Millisecond)
			for _, n := range w.nodes {
				lost = lost || n.homes[vm] != owner.id
			}
		}
		if broken != 0 {
			return lost
		}
		want := Event{Kind: MACSpoofed, Port: 77, MAC: vm, Neighbour: owner.id}
		for _, e := range events {
			if e.Why = ""; e != want {
				t.Errorf("%+v\nwant %+v", e, want)
			}
		}
		if len(events) < 9 || len(events) > 10 {
			t.Errorf("%d events in ten seconds", len(events))
		}
		if c := spoofer.core.Counters(); c.Spoofed != 1000 || len(spoofer.core.own.macs) != 0 || len(spoofer.core.own.moving) != 0 {
			t.Errorf("%d counted, claims %v", c.Spoofed, spoofer.core.own.macs)
		}
		if floods > 0 {
			t.Errorf("%d Floods", floods)
		}
		return lost
	}
	if run(0) {
		t.Error("the guest's address was taken")
	}
	if !run(ruleClass) {
		t.Error("without classes it is not taken either: the test proves nothing")
	}
}

// A device has moved from edge to edge, and its address is under a high epoch. Then a guest is created with it: the guest has it
// at once, under no epoch of the devices', and who learned it lets go. The guest is deleted: the device's next frame has it again.
func TestAGuestTakesALearnedAddress(t *testing.T) {
	w := settled(t, line(21, 4))
	mac := device(1)
	for _, at := range []int{0, 1, 0, 1} {
		w.nodes[at].sights(mac)
		w.run(200 * time.Millisecond)
	}
	w.at(t, mac, w.nodes[1].id)
	if o := w.nodes[1].core.own.macs[mac]; o.epoch != 3 {
		t.Fatalf("epoch %d", o.epoch)
	}
	guest := w.nodes[3]
	guest.local(mac)
	w.run(20 * time.Millisecond)
	w.at(t, mac, guest.id)
	w.run(300 * time.Millisecond)
	if o := guest.core.own.macs[mac]; o.epoch != 0 || o.learned || len(w.nodes[1].core.own.macs) != 0 {
		t.Errorf("%+v, and the learned claim stands: %v", o, w.nodes[1].core.own.macs)
	}
	w.nodes[1].sights(mac)
	w.run(300 * time.Millisecond)
	w.at(t, mac, guest.id)
	guest.local()
	w.run(300 * time.Millisecond)
	w.at(t, mac, frame.MAC{})
	if e := w.nodes[1].sights(mac); len(e) > 0 {
		t.Errorf("%+v", e)
	}
	w.run(300 * time.Millisecond)
	w.at(t, mac, w.nodes[1].id)
	if c := w.nodes[1].core.Counters(); c.Spoofed != 1 {
		t.Errorf("%d counted, want 1", c.Spoofed)
	}
}

// A guest's satellite is cut off: a device may have the address meanwhile. When the satellite is back, so is the guest.
func TestAGuestThatIsCutOffGetsItsAddressBack(t *testing.T) {
	w := settled(t, line(22, 3))
	vm := device(1)
	w.nodes[2].local(vm)
	w.run(300 * time.Millisecond)
	w.cables[1].set(w, false)
	w.run(time.Second)
	w.nodes[0].sights(vm)
	w.run(300 * time.Millisecond)
	for _, n := range w.nodes[:2] {
		if n.homes[vm] != w.nodes[0].id {
			t.Errorf("%v: lives at %v", n.id, n.homes[vm])
		}
	}
	w.cables[1].set(w, true)
	w.run(time.Second)
	w.at(t, vm, w.nodes[2].id)
	if len(w.nodes[0].core.own.macs) != 0 {
		t.Error("the learned claim stands")
	}
}

// The engine of a guest's satellite starts anew, and has not told yet which guests there are: their addresses are still guests', and
// those of devices are still devices'.
func TestClassesOutliveARestart(t *testing.T) {
	w := settled(t, line(23, 3))
	n, vm, printer := w.nodes[2], device(1), device(2)
	n.local(vm)
	n.sights(printer)
	w.run(300 * time.Millisecond)
	n.kill(true)
	w.run(5 * time.Second)
	n.start()
	for range 100 { // ten seconds
		w.nodes[0].sights(vm)
		w.run(100 * time.Millisecond)
		w.at(t, vm, n.id)
	}
	if vm, printer := n.core.own.macs[vm], n.core.own.macs[printer]; vm.learned || !printer.learned || vm.port != anyPort || printer.port != anyPort {
		t.Errorf("the guest %+v, the device %+v", vm, printer)
	}
	w.nodes[0].sights(printer) // it was carried over there
	w.run(300 * time.Millisecond)
	w.at(t, printer, w.nodes[0].id)
	n.local(vm)
	w.run(40 * time.Second)
	w.at(t, vm, n.id)
	if o := n.core.own.macs[vm]; o.port != 0 {
		t.Errorf("%+v", o)
	}
}

// An address behind an edge becomes a guest's on the same satellite, and the device's again: its home stays, and on the wire each
// fragment says its class.
func TestADeviceBecomesAGuest(t *testing.T) {
	w := settled(t, line(24, 2))
	n, mac := w.nodes[0], device(1)
	said := func() (guests, learned int) {
		for k, o := range w.nodes[1].core.store.objects {
			if k.Origin != n.id || k.Index < firstMACs {
				continue
			}
			body, err := frame.ParseNode(o.body)
			switch has := slices.Contains(body.MACs, mac); {
			case err != nil:
				t.Fatal(err)
			case has && body.Learned:
				learned++
			case has:
				guests++
			}
		}
		return guests, learned
	}
	is := func(guests, learned int) {
		t.Helper()
		w.run(300 * time.Millisecond)
		w.at(t, mac, n.id)
		if g, l := said(); g != guests || l != learned {
			t.Errorf("%d claims as a guest, %d as learned", g, l)
		}
	}
	n.sights(mac)
	is(0, 1)
	n.local(mac)
	is(1, 0)
	n.sights(mac) // as a data path never does: not one of a guest's own satellite
	is(1, 0)
	n.local()
	n.sights(mac)
	is(0, 1)
}

// A satellite of an older version does not mark what it learned: its claims count as guests'. Of two guests the epoch tells.
func TestUnmarkedClaimsAreGuests(t *testing.T) {
	w := settled(t, line(25, 3))
	mac, old := device(1), w.nodes[2]
	w.nodes[0].sights(mac)
	w.run(300 * time.Millisecond)
	body := (&frame.Node{MACs: []frame.MAC{mac}}).Append(nil)
	old.step(func() { old.core.tellObject(firstMACs+7, body) })
	w.run(300 * time.Millisecond)
	w.at(t, mac, old.id)
	w.nodes[0].local(mac)
	w.run(300 * time.Millisecond)
	w.at(t, mac, w.nodes[0].id)
	if o := w.nodes[0].core.own.macs[mac]; o.epoch != 1 {
		t.Errorf("epoch %d", o.epoch)
	}
}
