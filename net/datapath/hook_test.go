package datapath

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"decenter/net/frame"
	"decenter/net/link/rig"
)

// A way is how ports are attached: by the best that this kernel has, or as if it had no tcx.
type way string

var ways = []way{"tcx", "clsact"}

func (w way) probe(p *ebpf.Program) error {
	if w == "clsact" {
		return ebpf.ErrNotSupported
	}
	return probeTCX(p)
}

// open opens a switch by that way, with program n (specOf).
func (w way) open(dir string, log *slog.Logger, n int32) (*Datapath, error) {
	spec, err := specOf(n)
	if err != nil {
		return nil, err
	}
	return open(dir, log, spec, w.probe)
}

// need skips the test where this kernel has not that way.
func (w way) need(t testing.TB) {
	t.Helper()
	rig.Need(t)
	if err := w.probe(nothing(t)); w == "tcx" && err != nil {
		t.Skipf("this kernel has no tcx: %v", err)
	}
}

// nothing is a program that lets all frames go on.
func nothing(t testing.TB) *ebpf.Program {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "Apache-2.0", Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, -1), asm.Return()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// hanging describes all qdiscs and ingress filters of the bench's ports.
func (b *bench) hanging() string {
	b.Helper()
	var all strings.Builder
	for _, name := range []string{"f1", "f2", "f3", "v1", "v2"} {
		for _, what := range [][]string{{"qdisc", "show", "dev", name}, {"filter", "show", "dev", name, "ingress"}} {
			out, err := b.ns.Command("tc", what...).CombinedOutput()
			if err != nil {
				b.Fatalf("tc %v: %v: %s", what, err, out)
			}
			all.WriteString(name + ": " + string(out) + "\n")
		}
	}
	return all.String()
}

// uninstall ends the bench's switch, which leaves nothing behind in its folder.
func (b *bench) uninstall() {
	b.Helper()
	b.dp.Close()
	b.ns.Do(b, func() error { return Uninstall(b.dir) })
	if _, err := os.Stat(b.dir); !errors.Is(err, os.ErrNotExist) {
		b.Errorf("the folder is still there: %v", err)
	}
}

// reset makes the switch anew with the device in the state that before brings about.
func (b *bench) reset(before func() error) {
	b.Helper()
	b.uninstall()
	b.ns.Do(b, before)
	b.open(slog.New(slog.DiscardHandler))
}

func TestDevicesAreAsBeforeOnceUninstalled(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		with := b.hanging()
		if listed := strings.Contains(with, "0xdece") && strings.Contains(with, "clsact"); listed != (b.way == "clsact") {
			t.Fatalf("by %s there hangs\n%s", b.way, with)
		}
		var before string
		b.reset(func() error { before = b.hanging(); return nil })
		if strings.Contains(before, "clsact") || strings.Contains(before, "decenter") {
			t.Fatalf("after uninstalling there hangs\n%s", before)
		}
		b.ns.Do(t, func() error { return b.plug(b.dp) })
		for _, p := range b.dp.Ports() {
			b.ns.Do(t, func() error { return b.dp.Detach(p.Ifindex) })
		}
		if after := b.hanging(); after != before {
			t.Errorf("after detaching there hangs\n%s, before\n%s", after, before)
		}
		if left, err := os.ReadDir(filepath.Join(b.dir, layout, "filters")); err != nil || len(left) > 0 {
			t.Errorf("records stay: %v, %v", left, err)
		}
	})
}

// What the other way attached is found, upgraded and removed too.
func TestEachWayKnowsTheOther(t *testing.T) {
	eachWay(t, func(t *testing.T, b *bench) {
		other := map[way]way{"tcx": "clsact", "clsact": "tcx"}[b.way]
		other.need(t)
		b.dp.Close()
		b.ns.Do(t, func() (err error) { b.dp, err = other.open(b.dir, slog.New(slog.DiscardHandler), 7); return err })
		for _, p := range b.dp.Ports() {
			if h, id, err := func() (h hook, id ebpf.ProgramID, err error) {
				b.ns.Do(t, func() error { h, id, err = b.dp.held(p.Ifindex); return nil })
				return
			}(); err != nil || (b.way == "tcx") != is[tcxHook](h) || !b.runs(id, b.dp.progs[p.Kind]) {
				t.Errorf("port %d is held by %T: %v", p.Ifindex, h, err)
			}
		}
		b.expect("v1", plain(broadcast, vm1, 1), "f1", "f2", "v2")
		b.ns.Do(t, func() error { return b.dp.Detach(b.index["v2"]) })
		b.expect("v1", plain(broadcast, vm1, 1), "f1", "f2")
		b.uninstall()
		b.expect("v1", plain(broadcast, vm1, 1))
		if left := b.hanging(); strings.Contains(left, "clsact") {
			t.Errorf("there hangs\n%s", left)
		}
	})
}

func is[H hook](h hook) bool { _, yes := h.(H); return yes }

// runs tells whether the program of that id has the same instructions.
func (b *bench) runs(id ebpf.ProgramID, want *ebpf.Program) bool {
	p, err := ebpf.NewProgramFromID(id)
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	same, err := sameTag(p, want)
	return same && err == nil
}

// onClsact gives a bench with f1 alone not yet attached, by clsact, after the device was changed.
func onClsact(t *testing.T, before func(ifindex uint32) error) *bench {
	way("clsact").need(t)
	b := newBench(t, "clsact")
	b.reset(func() error { return before(b.index["f1"]) })
	return b
}

func (b *bench) qdisc() (q netlink.Qdisc) {
	b.Helper()
	b.ns.Do(b, func() (err error) { q, err = ingressQdisc(b.index["f1"]); return err })
	return q
}

// A qdisc that others made stays, of either kind; and so does one of ours that others use by now.
func TestQdiscsOfOthersStay(t *testing.T) {
	for _, kind := range []string{"clsact", "ingress"} {
		t.Run(kind, func(t *testing.T) {
			b := onClsact(t, func(ifindex uint32) error {
				q := clsactOf(ifindex).(*netlink.GenericQdisc)
				q.QdiscType = kind
				return netlink.QdiscAdd(q)
			})
			b.ns.Do(t, func() error { return b.plug(b.dp) })
			b.expect("v1", plain(broadcast, vm1, 1), "f1", "f2", "v2")
			b.expect("f1", plain(broadcast, far1, 1), "f2", "v1", "v2")
			b.uninstall()
			if q := b.qdisc(); q == nil || q.Type() != kind {
				t.Errorf("qdisc is now %v", q)
			}
		})
	}
	t.Run("used since", func(t *testing.T) {
		b := onClsact(t, func(uint32) error { return nil })
		f := filterOf(b.index["f1"], nothing(t))
		f.Handle, f.Priority, f.Name = 1, 9, "other"
		b.ns.Do(t, func() error { return errors.Join(b.plug(b.dp), netlink.FilterAdd(f)) })
		b.uninstall()
		if left := b.hanging(); b.qdisc() == nil || !strings.Contains(left, "other") || strings.Contains(left, "decenter") {
			t.Errorf("there hangs\n%s", left)
		}
	})
}

// Whatever is at our place without working on our maps is not ours: it is neither replaced nor removed.
func TestFilterOfAnotherSwitchIsNotTouched(t *testing.T) {
	b := onClsact(t, func(ifindex uint32) error {
		return errors.Join(netlink.QdiscAdd(clsactOf(ifindex)), netlink.FilterAdd(filterOf(ifindex, nothing(t))))
	})
	before := b.hanging()
	f1 := Port{Ifindex: b.index["f1"], Kind: Fabric, MAC: far2}
	b.ns.Do(t, func() error {
		if err := b.dp.Attach(f1); !errors.Is(err, unix.EEXIST) || !strings.Contains(err.Error(), "another's filter") {
			t.Errorf("attached over it: %v", err)
		}
		return nil
	})
	if b.hooked(f1.Ifindex) || len(b.dp.Ports()) != 0 {
		t.Error("takes it for ours")
	}
	b.uninstall()
	if after := b.hanging(); after != before {
		t.Errorf("there hangs\n%s, before\n%s", after, before)
	}
}

// A kill in the middle of attaching leaves a record, perhaps with a qdisc and no filter: the next life mends it.
func TestKillWhileAttachingIsMended(t *testing.T) {
	for what, qdisc := range map[string]bool{"record alone": false, "record and qdisc": true} {
		t.Run(what, func(t *testing.T) {
			b := onClsact(t, func(uint32) error { return nil })
			before := b.hanging()
			b.ns.Do(t, func() error {
				if err := b.plug(b.dp); err != nil {
					return err
				}
				err := netlink.FilterDel(filterOf(b.index["f1"], nil))
				if !qdisc {
					err = errors.Join(err, netlink.QdiscDel(clsactOf(b.index["f1"])))
				}
				return err
			})
			b.dp.Close()
			b.open(slog.New(slog.DiscardHandler))
			if n := len(b.dp.Ports()); n != 4 {
				t.Errorf("took over %d ports", n)
			}
			if left := b.qdisc(); left != nil {
				t.Errorf("%v stays", left)
			}
			b.ns.Do(t, func() error { return b.plug(b.dp) })
			b.expect("f1", plain(broadcast, far1, 1), "f2", "v1", "v2")
			b.uninstall()
			if after := b.hanging(); after != before {
				t.Errorf("there hangs\n%s, before\n%s", after, before)
			}
		})
	}
}

func TestWayIsChosenByProbing(t *testing.T) {
	rig.Need(t)
	for name, c := range map[string]struct {
		found error
		want  string
	}{
		"tcx":      {nil, "tcx"},
		"none":     {ebpf.ErrNotSupported, "clsact"},
		"unknown":  {unix.EPERM, "look for tcx: operation not permitted"},
		"wrapped":  {errors.Join(io.EOF, ebpf.ErrNotSupported), "clsact"},
		"too full": {unix.ENOSPC, "look for tcx: no space left on device"},
	} {
		dir := rig.BPF("probe")
		spec, err := specOf(0)
		if err != nil {
			t.Fatal(err)
		}
		d, err := open(dir, slog.New(slog.DiscardHandler), spec, func(*ebpf.Program) error { return c.found })
		var got string
		switch {
		case err != nil:
			got = err.Error()
		case is[tcxHook](d.hook):
			got = "tcx"
		case is[clsactHook](d.hook):
			got = "clsact"
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if d != nil {
			d.Close()
		}
		if err := Uninstall(dir); err != nil {
			t.Error(err)
		}
	}
}

// Devices may be gone by the time that we look.
func TestNothingIsHeldOnADeviceThatIsNot(t *testing.T) {
	way("clsact").need(t)
	b := newBench(t, "clsact")
	b.ns.Do(t, func() error {
		err := b.dp.Attach(Port{Ifindex: 99999, Kind: VM, MAC: frame.MAC{2, 9}})
		if err == nil || errors.Is(err, ErrKernel) || len(b.dp.Ports()) != 5 {
			t.Errorf("attached to nothing: %v", err)
		}
		return nil
	})
}
