package libvirt

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"decenter/virt"
)

// until reads from r until want was seen, and gives all that was read.
func until(t *testing.T, r io.Reader, want string) string {
	t.Helper()
	got := make(chan string, 1)
	go func() {
		var all strings.Builder
		buf := make([]byte, 4096)
		for !strings.Contains(all.String(), want) {
			n, err := r.Read(buf)
			all.Write(buf[:n])
			if err != nil {
				all.WriteString(" [" + err.Error() + "]")
				break
			}
		}
		got <- all.String()
	}()
	select {
	case s := <-got:
		if !strings.Contains(s, want) {
			t.Fatalf("wanted %q, the console ended with %q", want, s)
		}
		return s
	case <-time.After(30 * time.Second):
		t.Fatalf("no %q on the console in 30 s", want)
		return ""
	}
}

// expect waits for an event of this kind and state.
func expect(t *testing.T, events <-chan virt.Event, want virt.Event) virt.Event {
	t.Helper()
	for timer := time.After(30 * time.Second); ; {
		select {
		case e := <-events:
			if e.Kind == want.Kind && e.ID == want.ID && e.State == want.State {
				return e
			}
		case <-timer:
			t.Fatalf("no event %+v in 30 s", want)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("got %v, want %v", err, kind)
	}
}

func TestAGuestsLife(t *testing.T) {
	h := newHost(t)
	d, _ := h.driver()
	ctx := context.Background()
	events := d.Watch(t.Context())
	expect(t, events, virt.Event{Kind: virt.EventSync})

	s := h.guest(1)
	s.NICs = []virt.NIC{{MAC: "02:00:00:0a:1b:2c", Tap: "dc0"}}
	t0 := time.Now()
	must(t, d.Define(ctx, s))
	t1 := time.Now()
	is(t, d.Pause(ctx, s.ID), virt.ErrConflict)
	t2 := time.Now()
	must(t, d.Start(ctx, s.ID))
	t.Logf("first define %v, first start %v", t1.Sub(t0), time.Since(t2))
	expect(t, events, virt.Event{Kind: virt.EventDefined, ID: s.ID})
	expect(t, events, virt.Event{Kind: virt.EventState, ID: s.ID, State: virt.Running})

	g, err := d.Get(ctx, s.ID)
	must(t, err)
	if g.State != virt.Running || !reflect.DeepEqual(g.Spec, s) || g.VNC == "" || g.Agent {
		t.Errorf("got %+v\nfor %+v", g, s)
	}
	is(t, d.Define(ctx, s), virt.ErrExists)
	other := h.guest(2)
	other.Name = s.Name
	is(t, d.Define(ctx, other), virt.ErrExists)
	is(t, d.Start(ctx, s.ID), virt.ErrConflict)
	is(t, d.Undefine(ctx, s.ID), virt.ErrConflict)
	is(t, d.Start(ctx, other.ID), virt.ErrNotFound)

	con, err := d.Console(ctx, s.ID)
	must(t, err)
	defer con.Close()
	until(t, con, "DECENTER-GUEST-UP")

	must(t, d.Pause(ctx, s.ID))
	expect(t, events, virt.Event{Kind: virt.EventState, ID: s.ID, State: virt.Paused})
	is(t, d.Reset(ctx, s.ID), virt.ErrConflict)
	must(t, d.Resume(ctx, s.ID))
	expect(t, events, virt.Event{Kind: virt.EventState, ID: s.ID, State: virt.Running})
	must(t, d.Reset(ctx, s.ID))
	if e := expect(t, events, virt.Event{Kind: virt.EventState, ID: s.ID, State: virt.Running}); e.Reason != "rebooted" {
		t.Errorf("event of the reset: %+v", e)
	}
	until(t, con, "DECENTER-GUEST-UP")
	g, err = d.Get(ctx, s.ID)
	must(t, err)
	if g.CPUTime == 0 {
		t.Error("no processor time")
	}

	t3 := time.Now()
	must(t, d.Stop(ctx, s.ID, 20*time.Second))
	if took := time.Since(t3); took > 10*time.Second {
		t.Errorf("the guest listens to the power button, yet stop took %v", took)
	}
	until(t, con, "bye")
	if e := expect(t, events, virt.Event{Kind: virt.EventState, ID: s.ID, State: virt.Stopped}); e.Reason != "powered off" {
		t.Errorf("event of the stop: %+v", e)
	}
	must(t, d.Undefine(ctx, s.ID))
	expect(t, events, virt.Event{Kind: virt.EventGone, ID: s.ID})
	if _, err := con.Read(make([]byte, 10)); err != io.EOF {
		t.Errorf("the console of a guest that is no more: %v", err)
	}
	assertNothingLeft(t, h, d)
}

// assertNothingLeft: no guest, process or file.
func assertNothingLeft(t *testing.T, h *host, d *Driver) {
	t.Helper()
	if list, err := d.List(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("listed: %v, %v", list, err)
	}
	if left, _ := filepath.Glob(filepath.Join(h.dir, "guests", "*")); len(left) != 0 {
		t.Errorf("files: %v", left)
	}
	if left := h.qemu(); len(left) != 0 {
		t.Errorf("processes: %v", left)
	}
}

func TestAGuestThatDoesNotListenIsKilledAfterItsGrace(t *testing.T) {
	h := newHost(t)
	d, _ := h.driver()
	ctx, s := context.Background(), h.guest(1)
	must(t, os.WriteFile(s.Disks[0].Path, make([]byte, 1<<20), 0o600)) // boots nothing
	must(t, d.Define(ctx, s))
	must(t, d.Start(ctx, s.ID))
	t0 := time.Now()
	must(t, d.Stop(ctx, s.ID, time.Second))
	if took := time.Since(t0); took < time.Second || took > 5*time.Second {
		t.Errorf("a grace of 1 s took %v", took)
	}
	g, err := d.Get(ctx, s.ID)
	must(t, err)
	if g.State != virt.Stopped || g.Reason != "killed" {
		t.Errorf("%s, %s", g.State, g.Reason)
	}
	// An impatient caller leaves the guest to itself.
	must(t, d.Start(ctx, s.ID))
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	is(t, d.Stop(short, s.ID, time.Minute), context.DeadlineExceeded)
	if g, err = d.Get(ctx, s.ID); err != nil || g.State != virt.Running {
		t.Errorf("%v, %v", g.State, err)
	}
}

func TestAProcessThatDiesIsACrash(t *testing.T) {
	h := newHost(t)
	d, _ := h.driver()
	ctx, s := context.Background(), h.guest(1)
	events := d.Watch(t.Context())
	must(t, d.Define(ctx, s))
	must(t, d.Start(ctx, s.ID))
	expect(t, events, virt.Event{Kind: virt.EventState, ID: s.ID, State: virt.Running})
	pids := h.qemu()
	if len(pids) != 1 {
		t.Fatalf("processes %v", pids)
	}
	if out, err := h.in("kill", "-9", pids[0]); err != nil {
		t.Fatal(out, err)
	}
	expect(t, events, virt.Event{Kind: virt.EventState, ID: s.ID, State: virt.Crashed})
	g, err := d.Get(ctx, s.ID)
	must(t, err)
	if g.State != virt.Crashed {
		t.Errorf("state %s, %s", g.State, g.Reason)
	}
	must(t, d.Start(ctx, s.ID))
	must(t, d.Kill(ctx, s.ID))
	must(t, d.Undefine(ctx, s.ID))
	assertNothingLeft(t, h, d)
}

func TestGuestsOutliveLibvirtdAndUs(t *testing.T) {
	h := newHost(t)
	d, stop := h.driver()
	ctx, s := context.Background(), h.guest(1)
	events := d.Watch(t.Context())
	must(t, d.Define(ctx, s))
	must(t, d.Start(ctx, s.ID))
	con, err := d.Console(ctx, s.ID)
	must(t, err)
	defer con.Close()
	until(t, con, "DECENTER-GUEST-UP")
	pids := h.qemu()

	h.signalLibvirtd("KILL")
	expect(t, events, virt.Event{Kind: virt.EventDown})
	_, err = d.List(ctx)
	is(t, err, virt.ErrUnavailable)
	_, err = con.Write([]byte("a")) // the guest does not need libvirtd, nor does its console
	must(t, err)
	until(t, con, "A")
	t0 := time.Now()
	h.startLibvirtd()
	expect(t, events, virt.Event{Kind: virt.EventSync})
	t.Logf("connected %v after libvirtd's restart", time.Since(t0))
	g, err := d.Get(ctx, s.ID)
	must(t, err)
	if g.State != virt.Running || !reflect.DeepEqual(g.Spec, s) || !reflect.DeepEqual(h.qemu(), pids) {
		t.Errorf("after the restart: %+v, processes %v then %v", g, pids, h.qemu())
	}

	// Our own end: what the guest says meanwhile is not lost, nor what it said before.
	stop()
	con.Close()
	d, _ = h.driver()
	con, err = d.Console(ctx, s.ID)
	must(t, err)
	defer con.Close()
	until(t, con, "DECENTER-GUEST-UP sector\r\nA")
	_, err = con.Write([]byte("b"))
	for err != nil && errors.Is(err, virt.ErrConflict) { // not connected yet
		time.Sleep(10 * time.Millisecond)
		_, err = con.Write([]byte("b"))
	}
	must(t, err)
	until(t, con, "B")

	// A process that dies while libvirtd is away is found out later.
	events = d.Watch(t.Context())
	h.signalLibvirtd("KILL")
	expect(t, events, virt.Event{Kind: virt.EventDown})
	if out, err := h.in("kill", "-9", pids[0]); err != nil {
		t.Fatal(out, err)
	}
	h.startLibvirtd()
	expect(t, events, virt.Event{Kind: virt.EventSync})
	h.eventually("the dead guest is not live", func() bool { g, err := d.Get(ctx, s.ID); return err == nil && !g.State.Live() })
	must(t, d.Undefine(ctx, s.ID))
	assertNothingLeft(t, h, d)
}

func TestAFrozenLibvirtdHoldsNobodyUp(t *testing.T) {
	h := newHost(t)
	d, stop := h.driver()
	ctx, s := context.Background(), h.guest(1)
	must(t, d.Define(ctx, s)) // the first one waits for libvirt to learn what QEMU can do
	must(t, d.Start(ctx, s.ID))
	stop()
	d, _ = h.driverWith(time.Second)
	events := d.Watch(t.Context())
	_, err := d.Get(ctx, s.ID)
	must(t, err)
	h.signalLibvirtd("STOP")
	t0 := time.Now()
	_, err = d.Get(ctx, s.ID)
	is(t, err, virt.ErrUnavailable)
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	_, err = d.Get(short, s.ID) // its own bound is the shorter one
	is(t, err, context.DeadlineExceeded)
	if took := time.Since(t0); took > 3*time.Second {
		t.Errorf("two calls took %v", took)
	}
	expect(t, events, virt.Event{Kind: virt.EventDown}) // the pings are lost
	if took := time.Since(t0); took > 15*time.Second {
		t.Errorf("seen as down after %v", took)
	}
	h.signalLibvirtd("CONT")
	expect(t, events, virt.Event{Kind: virt.EventSync})
	g, err := d.Get(ctx, s.ID)
	must(t, err)
	if g.State != virt.Running {
		t.Errorf("state %s", g.State)
	}
}

// A guest whose process hangs takes its own lane and nothing else, and can still be ended.
func TestAHungGuestHoldsNobodyElseUp(t *testing.T) {
	h := newHost(t)
	d, _ := h.driverWith(30 * time.Second) // libvirt itself waits some 15 s for a process that does not end
	ctx, s, other := context.Background(), h.guest(1), h.guest(2)
	must(t, d.Define(ctx, s))
	must(t, d.Start(ctx, s.ID))
	pids := h.qemu()
	must(t, d.Define(ctx, other))
	must(t, d.Start(ctx, other.ID))
	if out, err := h.in("kill", "-STOP", pids[0]); err != nil {
		t.Fatal(out, err)
	}
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	is(t, d.Pause(short, s.ID), context.DeadlineExceeded)
	t0 := time.Now()
	must(t, d.Pause(ctx, other.ID))
	must(t, d.Resume(ctx, other.ID))
	list, err := d.List(ctx)
	must(t, err)
	if took := time.Since(t0); len(list) != 2 || took > 2*time.Second {
		t.Errorf("beside a hung guest: %d listed, %v", len(list), took)
	}
	t0 = time.Now()
	must(t, d.Stop(ctx, s.ID, time.Second))
	t.Logf("the hung guest was ended in %v", time.Since(t0))
	g, err := d.Get(ctx, s.ID)
	must(t, err)
	if g.State.Live() {
		t.Errorf("state %s", g.State)
	}
	must(t, d.Undefine(ctx, s.ID)) // the lane is free again
}

func TestConsoleHasManyReadersAndABoundedRecord(t *testing.T) {
	h := newHost(t)
	d, _ := h.driver()
	ctx, s := context.Background(), h.guest(1)
	must(t, d.Define(ctx, s))
	early, err := d.Console(ctx, s.ID) // before the first start
	must(t, err)
	defer early.Close()
	_, err = early.Write([]byte("x"))
	is(t, err, virt.ErrConflict)
	must(t, d.Start(ctx, s.ID))
	until(t, early, "DECENTER-GUEST-UP")
	late, err := d.Console(ctx, s.ID)
	must(t, err)
	defer late.Close()
	until(t, late, "DECENTER-GUEST-UP")
	_, err = early.Write([]byte("hello"))
	must(t, err)
	t0 := time.Now()
	until(t, early, "HELLO")
	until(t, late, "HELLO")
	t.Logf("echo to both readers in %v", time.Since(t0))

	// 4 MiB of record, as QEMU would append them: the janitor's cut leaves the last 64 KiB to newcomers, in place.
	log := d.layout.log(s.ID)
	f, err := os.OpenFile(log, os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.WriteString(strings.Repeat("0123456789abcde\n", 4<<20/16) + "END")
	must(t, err)
	f.Close()
	must(t, d.prepareLog(s.ID))
	fi, err := os.Stat(log)
	must(t, err)
	if used := fi.Sys().(*syscall.Stat_t).Blocks * 512; fi.Size() < 4<<20 || used > recordSize+8192 {
		t.Errorf("size %d, allocated %d", fi.Size(), used)
	}
	newcomer, err := d.Console(ctx, s.ID)
	must(t, err)
	defer newcomer.Close()
	if got := until(t, newcomer, "END"); len(got) != recordSize || strings.Contains(got, "\x00") {
		t.Errorf("the record has %d bytes, holes: %v", len(got), strings.Contains(got, "\x00"))
	}
	if got := until(t, early, "END"); strings.Contains(got, "\x00") || len(got) < recordSize || len(got) > recordSize+8192 {
		t.Errorf("a reader left behind got %d bytes", len(got))
	}
	_, err = early.Write([]byte("still"))
	must(t, err)
	until(t, newcomer, "STILL")

	// Closing ends a reader that waits, and lets the others be.
	go func() { time.Sleep(50 * time.Millisecond); late.Close() }()
	if _, err := io.Copy(io.Discard, late); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the closed reader: %v", err)
	}
	_, err = early.Write([]byte("on"))
	must(t, err)
	until(t, early, "ON")
}

func TestFilesOfGuestsThatAreNoMoreAreClearedAway(t *testing.T) {
	h := newHost(t)
	stale := filepath.Join(h.dir, "guests", virt.ID{1, 15: 1}.String()+".log")
	foreign := filepath.Join(h.dir, "guests", "notes.log")
	must(t, os.WriteFile(stale, nil, 0o600))
	must(t, os.WriteFile(foreign, nil, 0o600))
	d, _ := h.driver()
	_, err := d.List(t.Context())
	must(t, err)
	h.eventually("the stale log is gone", func() bool { _, err := os.Stat(stale); return err != nil })
	if _, err := os.Stat(foreign); err != nil {
		t.Error("removed what is not ours")
	}
}

func TestADomainOfOthersIsNeitherSeenNorTouched(t *testing.T) {
	h := newHost(t)
	d, _ := h.driver()
	ctx, s := context.Background(), h.guest(1)
	text, err := encode(s, d.layout)
	must(t, err)
	h.write("foreign.xml", strings.ReplaceAll(text, Namespace, "urn:somebody:else"))
	h.eventually("defined by virsh", func() bool {
		_, err := h.in("virsh", "-q", "define", filepath.Join(h.dir, "foreign.xml"))
		return err == nil
	})
	for _, act := range []error{d.Start(ctx, s.ID), d.Undefine(ctx, s.ID), d.Kill(ctx, s.ID)} {
		is(t, act, virt.ErrNotFound)
	}
	list, err := d.List(ctx)
	if err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
	is(t, d.Define(ctx, s), virt.ErrExists)
}
