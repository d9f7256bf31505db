package datapath

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"decenter/net/frame"
	"decenter/net/link"
	"decenter/net/link/rig"
)

// specOf is the object's with other instructions: each program first puts n where nobody looks.
func specOf(n int32) (*ebpf.CollectionSpec, error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, err
	}
	for _, p := range spec.Programs {
		first := p.Instructions[0]
		nothing := asm.Mov.Imm(asm.R5, n).WithMetadata(first.Metadata)
		p.Instructions[0].Metadata = asm.Metadata{}
		p.Instructions = append(asm.Instructions{nothing}, p.Instructions...)
	}
	return spec, nil
}

// through makes two namespaces joined by a switch's two cables, gates open.
func through(t testing.TB) (a, sw, b rig.NS, dir string, dp *Datapath) {
	t.Helper()
	a, sw, b, dir = rig.Namespace(t, "dcdp-ua"), rig.Namespace(t, "dcdp-us"), rig.Namespace(t, "dcdp-ub"), rig.BPF("upgrade")
	for end, ns := range map[string]rig.NS{"1": a, "2": b} {
		rig.Cable(t, ns, "p", sw, "f"+end)
		rig.IP(t, "-n", string(ns), "addr", "add", "192.0.2."+end+"/24", "dev", "p")
	}
	sw.Do(t, func() (err error) {
		if dp, err = Open(dir, slog.New(slog.DiscardHandler)); err != nil {
			return err
		}
		return plugCables(dp, "f1", "f2")
	})
	t.Cleanup(func() {
		dp.Close()
		if err := Uninstall(dir); err != nil {
			t.Error(err)
		}
	})
	return a, sw, b, dir, dp
}

// plugCables makes devices of the calling thread's namespace cables with open gates.
func plugCables(dp *Datapath, names ...string) error {
	for _, name := range names {
		l, err := link.ByName(name)
		if err == nil {
			err = dp.Attach(Port{Ifindex: l.Index, Kind: Fabric, MAC: frame.MAC(l.MAC)})
		}
		if err == nil {
			err = dp.SetGate(l.Index, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A new program takes over pinned maps and links while frames pass: none is lost.
func TestUpgradeLosesNoFrame(t *testing.T) {
	a, sw, _, dir, dp := through(t)
	if out, err := a.Command("ping", "-c1", "-W2", "192.0.2.2").CombinedOutput(); err != nil {
		t.Fatalf("no way through the switch: %v\n%s", err, out)
	}
	dp.Close()
	ping := a.Command("ping", "-n", "-i", "0.002", "192.0.2.2")
	var out, log bytes.Buffer
	ping.Stdout = &out
	if err := ping.Start(); err != nil {
		t.Fatal(err)
	}
	const times = 8
	for n := range int32(times) {
		time.Sleep(100 * time.Millisecond)
		sw.Do(t, func() error {
			spec, err := specOf(n)
			if err != nil {
				return err
			}
			d, err := open(dir, slog.New(slog.NewTextHandler(&log, nil)), spec)
			if err != nil {
				return err
			}
			if d.Fresh() || len(d.Ports()) != 2 || !d.Ports()[0].Open {
				err = fmt.Errorf("took over %+v", d.Ports())
			}
			d.Close()
			return err
		})
	}
	time.Sleep(100 * time.Millisecond)
	ping.Process.Signal(syscall.SIGINT)
	ping.Wait()
	if got := bytes.Count(log.Bytes(), []byte("program replaced")); got != 2*times {
		t.Errorf("%d of %d programs were replaced:\n%s", got, 2*times, &log)
	}
	m := regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`).FindStringSubmatch(out.String())
	if m == nil || len(m[1]) < 3 {
		t.Fatalf("ping says:\n%s", &out)
	}
	t.Logf("%d upgrades: %s", times, m[0])
	var sent, got int
	fmt.Sscan(m[1], &sent)
	fmt.Sscan(m[2], &got)
	if sent-got > 1 { // one may be under way when ping ends
		t.Errorf("frames were lost: %s", m[0])
	}
}
