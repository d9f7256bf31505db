package datapath

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"decenter/net/frame"
	"decenter/net/link"
	"decenter/net/link/rig"
)

// specOf is the object's with other instructions: each program first puts n where nobody looks. 0 is the object's own.
func specOf(n int32) (*ebpf.CollectionSpec, error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil || n == 0 {
		return spec, err
	}
	for _, p := range spec.Programs {
		first := p.Instructions[0]
		nothing := asm.Mov.Imm(asm.R5, n).WithMetadata(first.Metadata)
		p.Instructions[0].Metadata = asm.Metadata{}
		p.Instructions = append(asm.Instructions{nothing}, p.Instructions...)
	}
	return spec, nil
}

// A pair is two namespaces joined by a switch's two cables, gates open.
type pair struct {
	a, sw, b rig.NS
	dir      string
}

func through(t testing.TB, w way) pair {
	t.Helper()
	w.need(t)
	p := pair{rig.Namespace(t, "dcdp-ua"), rig.Namespace(t, "dcdp-us"), rig.Namespace(t, "dcdp-ub"), rig.BPF("upgrade")}
	for end, ns := range map[string]rig.NS{"1": p.a, "2": p.b} {
		rig.Cable(t, ns, "p", p.sw, "f"+end)
		rig.IP(t, "-n", string(ns), "addr", "add", "192.0.2."+end+"/24", "dev", "p")
	}
	t.Cleanup(func() { p.sw.Do(t, func() error { return Uninstall(p.dir) }) })
	p.sw.Do(t, func() error {
		dp, err := w.open(p.dir, slog.New(slog.DiscardHandler), 0)
		if err != nil {
			return err
		}
		defer dp.Close()
		return plugCables(dp, "f1", "f2")
	})
	if out, err := p.a.Command("ping", "-c1", "-W2", "192.0.2.2").CombinedOutput(); err != nil {
		t.Fatalf("no way through the switch: %v\n%s", err, out)
	}
	return p
}

// whilePinging sends every 2 ms, and says how many echoes were sent and came back while f ran.
func (p pair) whilePinging(t *testing.T, f func()) (sent, got int) {
	t.Helper()
	ping := p.a.Command("ping", "-n", "-i", "0.002", "192.0.2.2")
	path := filepath.Join(t.TempDir(), "ping")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	ping.Stdout = out
	if err := ping.Start(); err != nil {
		t.Fatal(err)
	}
	text := func() []byte { b, _ := os.ReadFile(path); return b }
	for end := time.Now().Add(20 * time.Second); len(text()) < 1000; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("ping says:\n%s", text())
		}
	}
	f()
	time.Sleep(100 * time.Millisecond)
	ping.Process.Signal(syscall.SIGINT)
	ping.Wait()
	m := regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`).FindStringSubmatch(string(text()))
	if m == nil || len(m[1]) < 3 {
		t.Fatalf("ping says:\n%s", text())
	}
	t.Log(m[0])
	fmt.Sscan(m[1], &sent)
	fmt.Sscan(m[2], &got)
	return sent, got
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

// A new program takes over pinned maps and hooks while frames pass: none is lost.
func TestUpgradeLosesNoFrame(t *testing.T) {
	for _, w := range ways {
		t.Run(string(w), func(t *testing.T) { upgradeLosesNoFrame(t, w) })
	}
}

func upgradeLosesNoFrame(t *testing.T, w way) {
	p := through(t, w)
	const times = 8
	var log bytes.Buffer
	sent, got := p.whilePinging(t, func() {
		for n := range int32(times) {
			p.sw.Do(t, func() error {
				d, err := w.open(p.dir, slog.New(slog.NewTextHandler(&log, nil)), n+1)
				if err != nil {
					return err
				}
				defer d.Close()
				if d.Fresh() || len(d.Ports()) != 2 || !d.Ports()[0].Open {
					return fmt.Errorf("took over %+v", d.Ports())
				}
				return nil
			})
			time.Sleep(100 * time.Millisecond)
		}
	})
	if got := bytes.Count(log.Bytes(), []byte("program replaced")); got != 2*times {
		t.Errorf("%d of %d programs were replaced:\n%s", got, 2*times, &log)
	}
	if sent-got > 1 { // one may be under way when ping ends
		t.Errorf("%d of %d frames were lost", sent-got, sent)
	}
}

// renewer is another process that takes the switch over, with a program of its own, and is killed at that.
func renewer() int {
	n, err := strconv.Atoi(os.Getenv("N"))
	if err == nil {
		_, err = way(os.Getenv("WAY")).open(os.Getenv("DIR"), slog.New(slog.DiscardHandler), int32(n))
	}
	fmt.Println("ready", err)
	select {}
}

// Whenever kill -9 comes in the middle of taking over, frames go on, and the next one takes over.
func TestKillInTheMiddleLosesNoFrame(t *testing.T) {
	for _, w := range ways {
		t.Run(string(w), func(t *testing.T) { killInTheMiddleLosesNoFrame(t, w) })
	}
}

func killInTheMiddleLosesNoFrame(t *testing.T, w way) {
	p := through(t, w)
	const lives = 12
	sent, got := p.whilePinging(t, func() {
		for n := range lives {
			c := p.sw.Role(t, "renewer", "DIR="+p.dir, "WAY="+string(w), fmt.Sprint("N=", n+1))
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(n*n) * time.Millisecond)
			c.Process.Kill()
			c.Wait()
		}
	})
	if sent-got > 1 {
		t.Errorf("%d of %d frames were lost", sent-got, sent)
	}
	p.sw.Do(t, func() error {
		d, err := w.open(p.dir, slog.New(slog.DiscardHandler), 0)
		if err != nil {
			return err
		}
		defer d.Close()
		if ports := d.Ports(); len(ports) != 2 || !d.Hooked(ports[0].Ifindex) || !d.Hooked(ports[1].Ifindex) {
			return fmt.Errorf("the last one took over %+v", ports)
		}
		return nil
	})
}
