package datapath

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/link"
	"decenter/net/link/rig"
)

func TestMain(m *testing.M) {
	os.Exit(rig.Main(m, map[string]func() int{"loader": loader, "renewer": renewer}))
}

// A bench is one switch whose ports are taps: f1 to f3 are cables, v1 and v2 lead to VMs. The test holds the far ends.
type bench struct {
	*testing.T
	ns    rig.NS
	dir   string
	way   way
	dp    *Datapath
	index map[string]uint32
	wire  map[string]*rig.Wire
}

var (
	broadcast = frame.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	vm1       = frame.MAC{0x02, 0, 0, 0, 1, 1}
	vm2       = frame.MAC{0x02, 0, 0, 0, 1, 2}
	far1      = frame.MAC{0x02, 0, 0, 0, 2, 1}
	far2      = frame.MAC{0x02, 0, 0, 0, 2, 2}
	own       = map[string]frame.MAC{"v1": vm1, "v2": vm2}
)

func kindOf(name string) Kind {
	if name[0] == 'v' {
		return VM
	}
	return Fabric
}

// eachWay tells a story on benches whose ports are attached by one way and the other.
func eachWay(t *testing.T, story func(*testing.T, *bench)) {
	for _, w := range ways {
		t.Run(string(w), func(t *testing.T) {
			w.need(t)
			story(t, newBench(t, w))
		})
	}
}

func newBench(t *testing.T, w way) *bench {
	b := &bench{T: t, ns: rig.Namespace(t, "dcdp-switch"), dir: rig.BPF(t.Name()), way: w,
		index: map[string]uint32{}, wire: map[string]*rig.Wire{}}
	for _, name := range []string{"f1", "f2", "f3", "v1", "v2"} {
		b.ns.Do(t, func() error {
			l, err := link.CreateTap(name)
			b.index[name] = l.Index
			return err
		})
		b.wire[name] = b.ns.Open(t, name)
	}
	b.open(slog.New(slog.DiscardHandler))
	b.ns.Do(t, func() error { return b.plug(b.dp) })
	t.Cleanup(func() {
		b.dp.Close()
		b.ns.Do(t, func() error { return Uninstall(b.dir) })
	})
	return b
}

// open takes the bench's switch over, or makes it.
func (b *bench) open(log *slog.Logger) {
	b.Helper()
	b.ns.Do(b, func() (err error) { b.dp, err = b.way.open(b.dir, log, 0); return err })
}

func (b *bench) hooked(ifindex uint32) (is bool) {
	b.ns.Do(b, func() error { is = b.dp.Hooked(ifindex); return nil })
	return is
}

// plug attaches all ports and opens the first two cables.
func (b *bench) plug(d *Datapath) error {
	for name, index := range b.index {
		mac := own[name]
		if kindOf(name) == Fabric {
			mac = frame.MAC{0x02, 0, 0, 0, 0, name[1]}
		}
		if err := d.Attach(Port{Ifindex: index, Kind: kindOf(name), MAC: mac}); err != nil {
			return err
		}
	}
	return errors.Join(d.SetGate(b.index["f1"], true), d.SetGate(b.index["f2"], true))
}

func ether(dst, src frame.MAC, rest ...byte) []byte {
	return append(append(append([]byte{}, dst[:]...), src[:]...), append(rest, make([]byte, 46)...)...)
}

func plain(dst, src frame.MAC, mark byte) []byte { return ether(dst, src, 0x08, 0x00, mark) }

// expect sends on one wire and tells which others got the very same frame.
func (b *bench) expect(from string, f []byte, to ...string) {
	b.Helper()
	b.wire[from].Send(b, f)
	want := map[string]bool{}
	for _, name := range to {
		want[name] = true
		if got := b.wire[name].Receive(b, 10*time.Second); !bytes.Equal(got, f) {
			b.Fatalf("%s → %s: got\n%x, sent\n%x", from, name, got, f)
		}
	}
	for name, w := range b.wire {
		if got := w.Receive(b, 10*time.Millisecond); got != nil {
			b.Fatalf("%s → %s: came though nothing should: %x", from, name, got)
		}
	}
}

func (b *bench) counters(name string) Counters {
	b.Helper()
	c, err := b.dp.Counters(b.index[name])
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func TestBroadcastGoesToOpenPortsOnly(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.expect("v1", plain(broadcast, vm1, 1), "f1", "f2", "v2")
		b.expect("f1", plain(broadcast, far1, 2), "f2", "v1", "v2")
		b.expect("f3", plain(broadcast, far2, 3)) // shut
		if c := b.counters("f3"); c.DropClosed != 1 || c.RX != 1 || c.TX != 0 {
			t.Fatalf("f3 counts %+v", c)
		}
		if c := b.counters("f2"); c.TX != 2 {
			t.Fatalf("f2 counts %+v", c)
		}
		// Open it: the same frame passes, so it was the gate.
		if err := b.dp.SetGate(b.index["f3"], true); err != nil {
			t.Fatal(err)
		}
		b.expect("f3", plain(broadcast, far2, 3), "f1", "f2", "v1", "v2")
	})
}

func TestUnicastIsLearnedAndForgotten(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.expect("v1", plain(far1, vm1, 1), "f1", "f2") // unknown: all cables, no other VM
		b.expect("f1", plain(vm1, far1, 2), "v1")       // far1 is behind f1
		b.expect("v1", plain(far1, vm1, 3), "f1")
		b.expect("f2", plain(far1, far2, 4), "f1")
		b.expect("f1", plain(far1, far2, 5)) // no way back out of the same port
		if c := b.counters("f1"); c.DropHairpin != 1 {
			t.Fatalf("f1 counts %+v", c)
		}
		b.expect("v1", plain(vm2, vm1, 6), "v2")
		b.expect("v1", plain(vm2, vm1, 7), "v2")
		if err := b.dp.Flush(); err != nil {
			t.Fatal(err)
		}
		b.expect("v1", plain(far1, vm1, 8), "f1", "f2")
		b.expect("f1", plain(vm1, far1, 9), "v1")
		b.expect("v1", plain(far1, vm1, 10), "f1")
		// Its gate shuts and opens again: forgotten too.
		if err := errors.Join(b.dp.SetGate(b.index["f1"], false), b.dp.SetGate(b.index["f1"], true)); err != nil {
			t.Fatal(err)
		}
		b.expect("v1", plain(far1, vm1, 11), "f1", "f2")
	})
}

func TestTagsPassUnchanged(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		tag := func(proto uint16, vid uint16) []byte {
			return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, proto), vid)
		}
		b.expect("f1", plain(vm1, far1, 0), "v1")
		for i, tags := range [][]byte{
			tag(0x8100, 0xe005), tag(0x8100, 0), tag(0x88a8, 7), tag(0x9100, 7),
			append(tag(0x88a8, 7), tag(0x8100, 9)...),
			append(append(tag(0x88a8, 7), tag(0x8100, 9)...), tag(0x8100, 11)...),
			append(append(tag(0x9100, 7), tag(0x88a8, 9)...), tag(0x8100, 11)...),
		} {
			rest := append(append([]byte{}, tags...), 0x08, 0x00, byte(i))
			full := ether(far1, vm1, append(append([]byte{}, rest...), make([]byte, 1500-47)...)...)
			t.Logf("%x", tags)
			b.expect("v1", ether(far1, vm1, rest...), "f1")
			b.expect("v1", full, "f1")
			b.expect("v1", ether(broadcast, vm1, rest...), "f1", "f2", "v2")
			b.expect("f2", ether(broadcast, far2, rest...), "f1", "v1", "v2")
		}
	})
}

func TestWhatNobodyMaySend(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		control := func(kind byte) []byte { return []byte{0x88, 0xb5, frame.Version, kind} }
		b.expect("v1", plain(broadcast, vm2, 1)) // another's address
		b.expect("v1", plain(broadcast, broadcast, 1))
		b.expect("f1", plain(broadcast, vm1, 1))       // a local address, from the fabric
		b.expect("f1", plain(broadcast, broadcast, 1)) // a group address
		b.expect("f1", plain(broadcast, frame.MAC{}, 1))
		b.expect("f1", plain(frame.Group, far1, 1)) // never crosses a bridge
		b.expect("v1", plain(frame.Group, vm1, 1))
		b.expect("v1", ether(broadcast, vm1, control(byte(frame.TypeHello))...))
		b.expect("v1", ether(frame.Group, vm1, control(byte(frame.TypeEchoRequest))...))
		b.expect("f1", ether(frame.Group, far1, control(byte(frame.TypeHello))...)) // to the engine alone
		if c := b.counters("v1"); c.DropSpoof != 2 || c.DropReserved != 3 || c.TX != 0 || c.Dropped() != 5 {
			t.Errorf("v1 counts %+v", c)
		}
		if c := b.counters("f1"); c.DropLocal != 1 || c.DropSource != 2 || c.DropReserved != 1 || c.Control != 1 {
			t.Errorf("f1 counts %+v", c)
		}
	})
}

func TestEchoIsAnsweredAlsoByShutPorts(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		for _, name := range []string{"f1", "f3"} {
			mine := frame.MAC{0x02, 0, 0, 0, 0, name[1]}
			b.wire[name].Send(t, ether(mine, far1, 0x88, 0xb5, frame.Version, byte(frame.TypeEchoRequest), 0xaa, 0xbb))
			want := ether(far1, mine, 0x88, 0xb5, frame.Version, byte(frame.TypeEchoReply), 0xaa, 0xbb)
			if got := b.wire[name].Receive(t, 10*time.Second); !bytes.Equal(got, want) {
				t.Fatalf("%s answers\n%x, want\n%x", name, got, want)
			}
			if c := b.counters(name); c.Reflected != 1 {
				t.Fatalf("%s counts %+v", name, c)
			}
			// Not to us, of another version, or a reply: no answer.
			b.expect(name, ether(far2, far1, 0x88, 0xb5, frame.Version, byte(frame.TypeEchoRequest)))
			b.expect(name, ether(mine, far1, 0x88, 0xb5, frame.Version+1, byte(frame.TypeEchoRequest)))
			b.expect(name, ether(mine, far1, 0x88, 0xb5, frame.Version, byte(frame.TypeEchoReply)))
		}
	})
}

// loader is another process that sets up the switch and is then killed.
func loader() int {
	b := &bench{dir: os.Getenv("DIR"), index: map[string]uint32{}}
	ls, err := link.List()
	if err == nil {
		for _, l := range ls {
			if l.Ether {
				b.index[l.Name] = l.Index
			}
		}
		var d *Datapath
		if d, err = way(os.Getenv("WAY")).open(b.dir, slog.New(slog.DiscardHandler), 0); err == nil {
			err = b.plug(d)
		}
	}
	fmt.Println("ready", err)
	select {}
}

func TestOutlivesWhoLoadedIt(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		b.dp.Close()
		b.ns.Do(t, func() error { return Uninstall(b.dir) })
		b.expect("v1", plain(broadcast, vm1, 1)) // nothing forwards now
		c := b.ns.Role(t, "loader", "DIR="+b.dir, "WAY="+string(b.way))
		out, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 64)
		n, _ := out.Read(line)
		if got := string(line[:n]); got != "ready <nil>\n" {
			t.Fatalf("loader says %q", got)
		}
		b.expect("f1", plain(vm1, far1, 1), "v1")
		c.Process.Kill()
		c.Wait()
		b.expect("v1", plain(far1, vm1, 2), "f1")

		b.open(slog.New(slog.DiscardHandler))
		if b.dp.Fresh() {
			t.Error("says that it found nothing")
		}
		open := 0
		for _, p := range b.dp.Ports() {
			if p.Open {
				open++
			}
		}
		if ports := b.dp.Ports(); len(ports) != 5 || open != 4 {
			t.Fatalf("took over %+v", ports)
		}
		b.expect("v1", plain(far1, vm1, 3), "f1") // still learned
		if c := b.counters("v1"); c.RX != 2 {
			t.Errorf("counters began anew: %+v", c)
		}
	})
}

func TestDetachedPortIsADeviceAgain(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		rig.IP(t, "-n", string(b.ns), "link", "del", "v2") // gone while we do not look
		b.wire["v2"].Receive(t, 0)
		for range 2 {
			b.ns.Do(t, func() error { return b.dp.Detach(b.index["v2"]) })
		}
		delete(b.wire, "v2")
		b.expect("v1", plain(broadcast, vm1, 1), "f1", "f2")
		if err := b.dp.SetGate(b.index["v2"], true); !errors.Is(err, ErrUnknownPort) {
			t.Errorf("gate of a port that is none: %v", err)
		}
	})
}

func TestRefusesAFolderThatForgets(t *testing.T) {
	rig.Need(t)
	if _, err := Open(t.TempDir(), slog.New(slog.DiscardHandler)); !errors.Is(err, ErrNotBPFFS) {
		t.Fatalf("got %v", err)
	}
}
