package fabric

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/net/datapath"
	"decenter/net/frame"
	"decenter/net/link"
	"decenter/net/link/rig"
	"decenter/net/tree"
)

// alone is a satellite in a namespace of its own, with the cable "e" to nobody; set makes more before it starts.
func alone(t *testing.T, set func(ns string)) *sat {
	t.Helper()
	s := &sat{T: t, ns: rig.Namespace(t, "dcdp-h1"), log: &bytes.Buffer{}}
	rig.Cable(t, s.ns, "e", rig.Namespace(t, "dcdp-h2"), "w")
	set(string(s.ns))
	s.start()
	t.Cleanup(func() {
		s.kill()
		_ = s.role("uninstall").Run()
		if t.Failed() {
			t.Logf("%s:\n%s", s.ns, s.log)
		}
	})
	return s
}

func (s *sat) ports() (names []string) {
	s.Helper()
	for _, p := range s.tree().Ports {
		names = append(names, p.Name)
	}
	return names
}

// waits gives a condition several rescans, as a busy machine may need.
func waits(t *testing.T, what string, good func() bool) {
	t.Helper()
	for deadline := time.Now().Add(6 * rescan); !good(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestOneEngineOnADataPath(t *testing.T) {
	s := alone(t, func(string) {})
	waits(t, "its ports", func() bool { return slices.Contains(s.ports(), "e") })
	for _, role := range []string{"satellite", "uninstall"} {
		c := s.role(role)
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Run(); err == nil || !strings.Contains(said.String(), "another engine is running") {
			t.Errorf("%s beside a running engine: %v, %s", role, err, &said)
		}
	}
	if !slices.Contains(s.ports(), "e") {
		t.Error("the first engine lost its port")
	}
	s.kill()
	if out, err := s.role("uninstall").Output(); err != nil { // however it ended, its lock is free
		t.Errorf("uninstall: %v: %s", err, out)
	}
}

// A pulled cable or an ended lease takes the default route away. As a port of the fabric the device would never get it back.
func TestAnUplinkThatLostItsRouteIsNoPort(t *testing.T) {
	s := alone(t, func(ns string) {
		rig.IP(t, "-n", ns, "link", "add", "up0", "type", "veth", "peer", "name", "lan-up0")
		rig.IP(t, "-n", ns, "link", "set", "up0", "up")
		rig.IP(t, "-n", ns, "link", "set", "lan-up0", "up")
		rig.IP(t, "-n", ns, "addr", "add", "192.0.2.1/24", "dev", "up0")
		rig.IP(t, "-n", ns, "route", "add", "default", "via", "192.0.2.2")
		rig.IP(t, "-n", ns, "addr", "add", "198.51.100.1/24", "dev", "e")
	})
	waits(t, "its ports", func() bool { return slices.Contains(s.ports(), "e") })
	rig.IP(t, "-n", string(s.ns), "route", "del", "default")
	rig.IP(t, "-n", string(s.ns), "link", "set", "up0", "mtu", "1400") // have it look
	time.Sleep(500 * time.Millisecond)
	if slices.Contains(s.ports(), "up0") {
		t.Error("the uplink became a port")
	}
	// The other way round: a port that gets the default route is given back as it was.
	e := func() (l link.Link) {
		s.ns.Do(t, func() (err error) { l, err = link.ByName("e"); return err })
		return l
	}
	if l := e(); !l.Promisc || l.MTU == 1500 {
		t.Fatalf("the check is blind: %+v", l)
	}
	rig.IP(t, "-n", string(s.ns), "route", "add", "default", "via", "198.51.100.2")
	waits(t, "e is given back", func() bool { return !slices.Contains(s.ports(), "e") })
	if l := e(); l.Promisc || l.MTU != 1500 || !l.Up {
		t.Errorf("e is not as it was: %+v", l)
	}
	s.kill()
	if said := s.log.String(); !strings.Contains(said, "exclude") || !strings.Contains(said, "port=e addresses=[198.51.100.1]") {
		t.Errorf("no warning of the port's address:\n%s", said)
	}
}

func TestATapRemovedUnderItsGuest(t *testing.T) {
	s := alone(t, func(string) {})
	const mac = "02:00:00:01:00:01"
	s.text("attach " + mac)
	tap := TapName(frame.MAC{2, 0, 0, 1, 0, 1})
	guest := s.ns.Open(t, tap)
	if !slices.Contains(s.ports(), tap) {
		t.Fatalf("ports %v", s.ports())
	}
	rig.IP(t, "-n", string(s.ns), "link", "del", tap)
	waits(t, "the tap is gone", func() bool { return !slices.Contains(s.ports(), tap) })
	_ = guest
	if got := s.text("attach " + mac); got != tap+" <nil>" || !slices.Contains(s.ports(), tap) {
		t.Errorf("attached again: %s, ports %v", got, s.ports())
	}
}

func TestAHostPortRemovedEndsTheEngineAndComesBack(t *testing.T) {
	s := alone(t, func(string) {})
	waits(t, "its ports", func() bool { return slices.Contains(s.ports(), "decenter0") })
	rig.IP(t, "-n", string(s.ns), "link", "del", "decenter0")
	ended := make(chan error, 1)
	go func() { ended <- s.cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(6 * rescan):
		t.Fatal("goes on without anyone hearing it")
	}
	if said := s.log.String(); !strings.Contains(said, "host port's device") {
		t.Errorf("it ended saying %s", said)
	}
	s.start()
	waits(t, "its ports", func() bool { return slices.Contains(s.ports(), "decenter0") })
}

func TestAPortThatTravels(t *testing.T) {
	sats := ring(t, 3)
	settled(t, sats)
	ns := string(sats[1].ns)
	rig.Namespace(t, "dcdp-away")
	for range 2 {
		sats[1].cmd.Process.Signal(syscall.SIGSTOP) // it does not see the port gone
		rig.IP(t, "-n", ns, "link", "set", "e", "netns", "dcdp-away")
		rig.IP(t, "-n", "dcdp-away", "link", "set", "e", "netns", ns)
		rig.IP(t, "-n", ns, "link", "set", "e", "up")
		sats[1].cmd.Process.Signal(syscall.SIGCONT)
		time.Sleep(500 * time.Millisecond) // its neighbour notices
		back := func() bool {
			return slices.ContainsFunc(sats[1].tree().Ports, func(p api.TreePort) bool { return p.Name == "e" && p.Neighbour != "" })
		}
		waits(t, "it has its neighbour again", back)
		settled(t, sats)
	}
	// Renamed, it is the same port, and on uninstall becomes what it was.
	rig.IP(t, "-n", ns, "link", "set", "e", "name", "east")
	waits(t, "its new name", func() bool { return slices.Contains(sats[1].ports(), "east") })
	sats[1].kill()
	if err := sats[1].role("uninstall").Run(); err != nil {
		t.Fatalf("%v: %s", err, sats[1].log)
	}
	sats[1].ns.Do(t, func() error {
		l, err := link.ByName("east")
		if l.Promisc || l.MTU != 1500 {
			t.Errorf("not as it was: %+v", l)
		}
		return err
	})
}

// blind is a fabric without devices: enough for what apply does with files.
func blind(t *testing.T) *Fabric {
	f := &Fabric{cfg: Config{State: t.TempDir(), Log: slog.New(slog.DiscardHandler)}, start: time.Now(),
		dp: &datapath.Datapath{}, core: tree.New(tree.Config{ID: macOf(1), Instance: 1, Unauthenticated: true}, 0), ports: map[uint32]*port{}}
	f.core.Link(1, tree.Link{Name: "e", Up: true, MAC: macOf(9)}, 0)
	return f
}

// Promises that cannot be stored are disowned; if not even that is possible, nobody may hear of new ones.
func TestPromisesThatCannotBeStored(t *testing.T) {
	f := blind(t)
	path := filepath.Join(f.cfg.State, snapshotFile)
	if _, err := f.apply(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the check is blind: %v", err)
	}
	f = blind(t)
	path = filepath.Join(f.cfg.State, snapshotFile)
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path+".next", 0o700); err != nil { // so it cannot be written
		t.Fatal(err)
	}
	if _, err := f.apply(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("old promises survive: %v", err)
	}
	f = blind(t)
	path = filepath.Join(f.cfg.State, snapshotFile)
	if err := os.MkdirAll(filepath.Join(path, "kept"), 0o700); err != nil { // neither replaced nor removed
		t.Fatal(err)
	}
	if _, err := f.apply(); err == nil {
		t.Error("old promises survive, and new ones are told")
	}
}

// What waits in the sockets is looked at before time passes.
func TestTickHandsOverWhatWaits(t *testing.T) {
	a, b := rig.Namespace(t, "dcdp-h1"), rig.Namespace(t, "dcdp-h2")
	rig.Cable(t, a, "e", b, "w")
	f := blind(t)
	var far *link.Packet
	open := func(ns rig.NS, name string) (l link.Link, p *link.Packet) {
		ns.Do(t, func() (err error) {
			if l, err = link.ByName(name); err == nil {
				p, err = link.OpenPacket(t.Context(), l.Index)
			}
			return err
		})
		t.Cleanup(func() { p.Close() })
		return l, p
	}
	l, near := open(a, "e")
	_, far = open(b, "w")
	f.ports[l.Index] = &port{link: l, packet: near, cancel: func() {}}
	const n = 200
	got := uint64(0)
	for _, patience := range []time.Duration{50 * time.Millisecond, 500 * time.Millisecond, 5 * time.Second} { // a busy kernel takes its time
		before := f.core.Counters().Malformed
		for range n {
			if err := far.Send(append(append(frame.Group[:], 6, 0, 0, 0, 0, 9), append([]byte{0x88, 0xb5, 0}, make([]byte, 45)...)...)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(patience)
		f.tick()
		if got = f.core.Counters().Malformed - before; got == n {
			return
		}
	}
	t.Errorf("the core saw %d of %d frames before it ticked", got, n)
}
