package link

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"decenter/net/frame"
	"decenter/net/link/rig"
)

func TestMain(m *testing.M) { os.Exit(rig.Main(m, nil)) }

func TestWhichDevicesBecomePorts(t *testing.T) {
	all := []Link{
		{Index: 1, Name: "lo", Kind: "device"},
		{Index: 2, Name: "eth0", Kind: "device", Ether: true},
		{Index: 3, Name: "eth1", Kind: "device", Ether: true},
		{Index: 4, Name: "wlan0", Kind: "device", Ether: true},
		{Index: 5, Name: "br0", Kind: "bridge", Ether: true},
		{Index: 6, Name: "eth2", Kind: "device", Ether: true, Slave: true},
		{Index: 7, Name: "veth0", Kind: "veth", Ether: true},
	}
	for _, c := range []struct {
		why  string
		f    Filter
		want []string
	}{
		{"hardware and veth, not the default route's", Filter{}, []string{"eth1", "wlan0", "veth0"}},
		{"excluded by pattern", Filter{Exclude: []string{"wl*", "veth?"}}, []string{"eth1"}},
		{"included in any case", Filter{Include: []string{"eth[02]", "br0", "lo"}, Exclude: []string{"*"}}, []string{"eth0", "br0", "eth2"}},
	} {
		var got []string
		for _, l := range c.f.Choose(all, map[uint32]bool{2: true}) {
			got = append(got, l.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.why, got, c.want)
		}
	}
	if err := (Filter{Exclude: []string{"eth["}}).Check(); err == nil {
		t.Error("a broken pattern passes")
	}
}

func TestDefaultRouteIsFound(t *testing.T) {
	ns := rig.Namespace(t, "dcdp-l1")
	rig.IP(t, "-n", "dcdp-l1", "link", "add", "up0", "type", "veth", "peer", "name", "up1")
	rig.IP(t, "-n", "dcdp-l1", "link", "set", "up0", "up")
	rig.IP(t, "-n", "dcdp-l1", "link", "set", "up1", "up")
	rig.IP(t, "-n", "dcdp-l1", "addr", "add", "192.0.2.1/24", "dev", "up0")
	check := func(want ...string) {
		t.Helper()
		ns.Do(t, func() error {
			got, err := DefaultRoutes()
			if err != nil {
				return err
			}
			for _, name := range []string{"up0", "up1"} {
				l, err := ByName(name)
				if err != nil {
					return err
				}
				if got[l.Index] != slices.Contains(want, name) {
					t.Errorf("default routes %v, %s is %d", got, name, l.Index)
				}
			}
			return nil
		})
	}
	check()
	rig.IP(t, "-n", "dcdp-l1", "route", "add", "default", "via", "192.0.2.2")
	check("up0")
	rig.IP(t, "-n", "dcdp-l1", "-6", "route", "add", "default", "dev", "up1")
	check("up0", "up1")
}

func TestControlFramesCrossACable(t *testing.T) {
	a, b := rig.Namespace(t, "dcdp-l1"), rig.Namespace(t, "dcdp-l2")
	rig.Cable(t, a, "p", b, "p")
	ctx, cancel := context.WithCancel(t.Context())
	open := func(ns rig.NS) (p *Packet) {
		ns.Do(t, func() error {
			l, err := ByName("p")
			if err != nil {
				return err
			}
			p, err = OpenPacket(ctx, l.Index)
			return err
		})
		t.Cleanup(func() { p.Close() })
		return p
	}
	pa, pb := open(a), open(b)
	if got, err := pb.Poll(); got != nil || err != nil {
		t.Fatalf("something is there already: %x, %v", got, err)
	}
	sent := append(append(frame.Group[:], 2, 0, 0, 0, 0, 1), append([]byte{0x88, 0xb5, 1, 9}, make([]byte, 44)...)...)
	other := append(append(frame.Group[:], 2, 0, 0, 0, 0, 1), append([]byte{0x88, 0xcc, 1, 9}, make([]byte, 44)...)...)
	if err := errors.Join(pa.Send(other), pa.Send(sent)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // waiting takes nothing
		if err := pb.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := pb.Poll(); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("got %x, %v", got, err)
	}
	// What arrived before its device went down is not lost for that.
	if err := pa.Send(sent); err != nil {
		t.Fatal(err)
	}
	rig.IP(t, "-n", "dcdp-l2", "link", "set", "p", "down")
	if got, err := pb.Poll(); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("got %x, %v", got, err)
	}
	time.AfterFunc(20*time.Millisecond, cancel)
	if err := pb.Wait(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("after its context: %v", err)
	}
}

func TestASocketKnowsThatItsDeviceWentAway(t *testing.T) {
	a, b := rig.Namespace(t, "dcdp-l1"), rig.Namespace(t, "dcdp-l2")
	rig.Cable(t, a, "p", b, "p")
	var p *Packet
	a.Do(t, func() error {
		l, err := ByName("p")
		if err == nil {
			p, err = OpenPacket(t.Context(), l.Index)
		}
		return err
	})
	defer p.Close()
	rig.IP(t, "-n", "dcdp-l1", "link", "set", "p", "down")
	rig.IP(t, "-n", "dcdp-l1", "link", "set", "p", "up")
	if !p.Bound() {
		t.Fatal("down and up again is enough to lose it")
	}
	rig.IP(t, "-n", "dcdp-l2", "link", "set", "p", "name", "q")
	rig.IP(t, "-n", "dcdp-l1", "link", "set", "p", "netns", "dcdp-l2")
	rig.IP(t, "-n", "dcdp-l2", "link", "set", "p", "netns", "dcdp-l1")
	if p.Bound() {
		t.Error("hears a device that went away and came back")
	}
}

// A list that changed while it was read may lack anything.
func TestInterruptedListsAreAskedForAgain(t *testing.T) {
	asked := 0
	list := func() ([]int, error) {
		if asked++; asked < 4 {
			return []int{1}, netlink.ErrDumpInterrupted
		}
		return []int{1, 2}, nil
	}
	if all, err := whole(list); err != nil || len(all) != 2 || asked != 4 {
		t.Errorf("%v, %v, asked %d times", all, err, asked)
	}
	never := func() ([]int, error) { return []int{1}, netlink.ErrDumpInterrupted }
	if all, err := whole(never); all != nil || !errors.Is(err, netlink.ErrDumpInterrupted) {
		t.Errorf("a partial list is taken: %v, %v", all, err)
	}
}

// The list of devices is whole while others come and go.
func TestListWhileDevicesChange(t *testing.T) {
	ns := rig.Namespace(t, "dcdp-l1")
	rig.IP(t, "-n", "dcdp-l1", "link", "add", "stays", "type", "veth", "peer", "name", "stays2")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			_ = ns.Command("ip", "link", "add", "comes", "type", "veth", "peer", "name", "goes").Run()
			_ = ns.Command("ip", "link", "del", "comes").Run()
		}
	}()
	n := 0
	ns.Do(t, func() error {
		for ; ctx.Err() == nil; n++ {
			all, err := List()
			if err != nil {
				return err
			}
			if !slices.ContainsFunc(all, func(l Link) bool { return l.Name == "stays" }) {
				t.Errorf("list %d lacks a device that is there: %+v", n, all)
			}
		}
		return nil
	})
	<-done
	t.Logf("%d lists", n)
}

// More news than the socket holds is still news (ENOBUFS), and the watch goes on.
func TestWatchSurvivesAnOverrun(t *testing.T) {
	ns := rig.Namespace(t, "dcdp-l1")
	rig.IP(t, "-n", "dcdp-l1", "link", "add", "va", "type", "veth", "peer", "name", "vb")
	var changed <-chan struct{}
	var fd int
	ns.Do(t, func() (err error) {
		if fd, err = watchSocket(); err == nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1) // the kernel's least: about one message
		}
		return err
	})
	var batch bytes.Buffer
	for range 300 {
		batch.WriteString("link set va mtu 1400\nlink set va mtu 1500\n")
	}
	c := ns.Command("ip", "-batch", "-")
	c.Stdin = &batch
	if out, err := c.CombinedOutput(); err != nil { // before anyone reads
		t.Fatalf("%v: %s", err, out)
	}
	buf := make([]byte, 1<<16)
	if _, err := unix.Read(fd, buf); !errors.Is(err, unix.ENOBUFS) {
		t.Fatalf("no overrun to survive: %v", err)
	}
	rig.IP(t, "-n", "dcdp-l1", "link", "set", "va", "mtu", "1400")
	changed = watch(t.Context(), fd)
	for range 2 {
		select {
		case _, open := <-changed:
			if !open {
				t.Fatal("the watch ended")
			}
		case <-time.After(20 * time.Second):
			t.Fatal("nothing was said")
		}
		time.Sleep(50 * time.Millisecond)
		for len(changed) > 0 {
			<-changed
		}
		c := ns.Command("ip", "-batch", "-")
		c.Stdin = bytes.NewReader(bytes.Repeat([]byte("link set va mtu 1400\nlink set va mtu 1500\n"), 300))
		if err := c.Run(); err != nil { // while it reads
			t.Fatal(err)
		}
	}
}

func TestWatchTellsOfALostCarrierAndEnds(t *testing.T) {
	a, b := rig.Namespace(t, "dcdp-l1"), rig.Namespace(t, "dcdp-l2")
	rig.Cable(t, a, "p", b, "p")
	time.Sleep(100 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	var changed <-chan struct{}
	carrier := func() (up bool) {
		a.Do(t, func() error { l, err := ByName("p"); up = l.Carrier; return err })
		return up
	}
	a.Do(t, func() (err error) { changed, err = Watch(ctx); return err })
	if !carrier() {
		t.Fatal("no carrier to lose")
	}
	rig.IP(t, "-n", "dcdp-l2", "link", "set", "p", "down")
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was said")
	}
	if carrier() {
		t.Error("carrier is still there")
	}
	cancel()
	for range 3 {
		select {
		case _, open := <-changed:
			if !open {
				return
			}
		case <-time.After(20 * time.Second):
			t.Fatal("does not end with its context")
		}
	}
}

func TestHostPort(t *testing.T) {
	ns := rig.Namespace(t, "dcdp-l1")
	mac := frame.MAC{0x06, 1, 2, 3, 4, 5}
	for range 2 { // again is fine
		ns.Do(t, func() error {
			outer, inner, err := CreateHost("decenter0", mac)
			if err != nil {
				return err
			}
			if outer.MAC != mac || !outer.Up || !inner.Up || inner.Name != "decenter0.in" || outer.MTU != MTU {
				t.Errorf("outer %+v, inner %+v", outer, inner)
			}
			return nil
		})
	}
	out := rig.IP(t, "-n", "dcdp-l1", "-6", "addr", "show", "dev", "decenter0")
	if !bytes.Contains([]byte(out), []byte(mac.LinkLocal().String()+"/64")) || bytes.Contains([]byte(out), []byte("tentative")) {
		t.Errorf("addresses:\n%s", out)
	}
	if out := rig.IP(t, "-n", "dcdp-l1", "-6", "addr", "show", "dev", "decenter0.in"); out != "" {
		t.Errorf("the inner end has addresses:\n%s", out)
	}
	ns.Do(t, func() error { return errors.Join(Delete("decenter0"), Delete("decenter0")) })
	if got := InnerName("abcdefghijklmno"); got != "abcdefghijkl.in" {
		t.Errorf("inner name of a long one: %s", got)
	}
}

func TestTap(t *testing.T) {
	ns := rig.Namespace(t, "dcdp-l1")
	var first Link
	ns.Do(t, func() (err error) { first, err = CreateTap("dt0"); return err })
	ns.Do(t, func() error {
		again, err := CreateTap("dt0")
		if err == nil && again.Index != first.Index {
			t.Errorf("made anew: %+v, then %+v", first, again)
		}
		return err
	})
	rig.IP(t, "-n", "dcdp-l1", "link", "add", "dt1", "type", "veth")
	ns.Do(t, func() error {
		if _, err := CreateTap("dt1"); err == nil {
			t.Error("took a veth for a tap")
		}
		return nil
	})
}
