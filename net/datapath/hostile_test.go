package datapath

import (
	"bytes"
	"encoding/binary"
	"errors"
	"log/slog"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/link/rig"
)

func TestFoldersHaveOneOwner(t *testing.T) {
	rig.Need(t)
	dir := rig.BPF(t.Name())
	first, err := Lock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(dir); !errors.Is(err, ErrBusy) {
		t.Fatalf("a second owner: %v", err)
	}
	if err := Uninstall(dir); err != nil { // by its owner
		t.Fatal(err)
	}
	second, err := Lock(dir) // made anew: the old lock is on what is no more
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	if _, err := Lock(dir); !errors.Is(err, ErrBusy) {
		t.Fatalf("a second owner of the new folder: %v", err)
	}
	second.Close()
	third, err := Lock(dir)
	if err != nil {
		t.Fatalf("after its owner let go: %v", err)
	}
	third.Close()
}

// A guest may hand a tap frames of up to 64 kB, and claim any segment size; some NICs hang on either.
func TestFramesTooBigForACableEndHere(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		sized := func(n int) []byte { return append(plain(broadcast, vm1, 1), make([]byte, n-61)...) }
		b.expect("v1", sized(1526), "f1", "f2", "v2")
		b.expect("v1", sized(1527))
		b.expect("v1", sized(60000))
		if c := b.counters("v1"); c.DropBig != 2 || c.Dropped() != 2 {
			t.Fatalf("v1 counts %+v", c)
		}
		tcp := func(payload int) []byte {
			f := append(append(append([]byte{}, vm2[:]...), vm1[:]...), 0x08, 0x00, 0x45, 0, 0, 0, 0, 1, 0, 0, 64, 6, 0, 0,
				192, 0, 2, 1, 192, 0, 2, 2, 0, 9, 0, 9, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0)
			binary.BigEndian.PutUint16(f[16:], uint16(40+payload))
			return append(f, make([]byte, payload)...)
		}
		b.wire["v1"].SendMerged(t, tcp(4000), 1460)
		for i, want := range []int{1460, 1460, 1080} {
			if got := b.wire["v2"].Receive(t, 10*time.Second); len(got) != 54+want {
				t.Fatalf("segment %d has %d bytes", i, len(got))
			}
		}
		b.wire["v1"].SendMerged(t, tcp(4000), 3000)
		if got := b.wire["v2"].Receive(t, 50*time.Millisecond); got != nil {
			t.Fatalf("a segment of %d bytes came through", len(got))
		}
		if c := b.counters("v1"); c.DropBig != 3 {
			t.Fatalf("v1 counts %+v", c)
		}
	})
}

// A priority tag does not make a control frame data: a switch on the way may take it off again.
func TestTaggedControlFramesGoNowhere(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		tagged := []byte{0x81, 0, 0xe0, 0, 0x88, 0xb5, frame.Version, byte(frame.TypeHello)}
		for from, src := range map[string]frame.MAC{"v1": vm1, "f1": far1} {
			b.expect(from, ether(broadcast, src, tagged...))
			b.expect(from, ether(frame.Group, src, tagged...))
			if c := b.counters(from); c.DropReserved != 2 || c.Control != 0 {
				t.Errorf("%s counts %+v", from, c)
			}
		}
		tagged[5] = 0xb6 // another EtherType passes: it was that
		b.expect("v1", ether(broadcast, vm1, tagged...), "f1", "f2", "v2")
	})
}

// A neighbour that does not know our address may ask the nearest bridge, and is answered from the port's own. What is sent
// to another group is answered by nobody.
func TestOnlyTheNearestBridgeGroupIsAnswered(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		echo := []byte{0x88, 0xb5, frame.Version, byte(frame.TypeEchoRequest)}
		b.expect("f1", ether(broadcast, far1, echo...))
		b.expect("f1", ether(frame.BridgeGroup, far1, echo...))
		b.expect("f1", ether(frame.MAC{0x02, 0, 0, 0, 0, '1'}, frame.MAC{}, echo...)) // from nobody
		if c := b.counters("f1"); c.Reflected != 0 || c.Control != 3 {
			t.Fatalf("f1 counts %+v", c)
		}
		b.wire["f1"].Send(t, ether(frame.Group, far1, echo...))
		want := ether(far1, frame.MAC{0x02, 0, 0, 0, 0, '1'}, 0x88, 0xb5, frame.Version, byte(frame.TypeEchoReply))
		if got := b.wire["f1"].Receive(t, time.Second); !bytes.Equal(got, want) {
			t.Fatalf("f1 answers\n%x, want\n%x", got, want)
		}
		if c := b.counters("f1"); c.Reflected != 1 {
			t.Fatalf("f1 counts %+v", c)
		}
	})
}

// A neighbour that claims addresses without end costs us what we learned, and no more: frames flood.
func TestFloodOfAddresses(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.expect("f1", plain(vm1, far1, 1), "v1")
		for i := range uint32(3 * MaxLearned) {
			src := frame.MAC{0x02, 9}
			binary.BigEndian.PutUint32(src[2:], i)
			b.wire["f2"].Send(t, plain(frame.MAC{0x02, 9, 0xff}, src, 1)[:60]) // to one that lives behind f2: goes to f1 at most
		}
		for _, w := range b.wire {
			for w.Receive(t, 10*time.Millisecond) != nil {
			}
		}
		n := 0
		var key uint64
		var value [16]byte
		for it := b.dp.maps["learned"].Iterate(); it.Next(&key, &value); {
			n++
		}
		if n == 0 || n > MaxLearned {
			t.Fatalf("%d addresses are learned", n)
		}
		b.expect("f1", plain(vm1, far1, 2), "v1")
		b.expect("v1", plain(far1, vm1, 3), "f1")
	})
}

// A device that was removed and made anew may have its index again, but not our program.
func TestExchangedDeviceIsHookedAgain(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		mac := frame.MAC{0x02, 0, 0, 0, 1, 9}
		plugIn := func() {
			rig.IP(t, "-n", string(b.ns), "link", "add", "v9", "index", "4711", "type", "veth", "peer", "name", "far9", "index", "4712")
			for _, name := range []string{"v9", "far9"} {
				rig.IP(t, "-n", string(b.ns), "link", "set", name, "up")
			}
		}
		attach := func() {
			b.ns.Do(t, func() error { return b.dp.Attach(Port{Ifindex: 4711, Kind: VM, MAC: mac}) })
		}
		plugIn()
		attach()
		if !b.hooked(4711) {
			t.Fatal("the check is blind")
		}
		before := b.dp.ports[4711]
		attach()
		if b.dp.ports[4711] != before {
			t.Error("attached again though nothing was wrong")
		}
		rig.IP(t, "-n", string(b.ns), "link", "del", "v9")
		plugIn()
		if b.hooked(4711) {
			t.Fatal("says that its program hangs on a device that is new")
		}
		attach()
		if !b.hooked(4711) {
			t.Fatal("the new device has no program")
		}
	})
}

// A frame that was under way while its gate shut teaches nothing for when it opens again.
func TestWhatIsLearnedInPassingIsForgotten(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		f1 := b.index["f1"]
		if err := b.dp.SetGate(f1, false); err != nil {
			t.Fatal(err)
		}
		late := struct { // as the program writes it: the slot's generation of now
			Slot, Generation uint32
			Seconds          uint64
		}{b.dp.ports[f1].slot, uint32(b.dp.ports[f1].gen), 1 << 40}
		if err := b.dp.maps["learned"].Put(key(far1), late); err != nil {
			t.Fatal(err)
		}
		b.expect("v1", plain(far1, vm1, 1), "f2") // its port is shut: unknown, not lost
		if err := b.dp.SetGate(f1, true); err != nil {
			t.Fatal(err)
		}
		b.expect("v1", plain(far1, vm1, 2), "f1", "f2")
	})
}

func TestOpenAgainChangesNothing(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		var log bytes.Buffer
		b.dp.Close()
		b.open(slog.New(slog.NewTextHandler(&log, nil)))
		if log.Len() > 0 {
			t.Errorf("the same program replaced itself: %s", &log)
		}
	})
}
