package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"decenter/engine/config"
)

// TestMain makes the test binary the program that a lab runs: holder, stand-in engine, and `lab` itself.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "lab" {
		self, _ := os.Executable()
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		defer stop()
		os.Exit(Main(ctx, os.Args[2:], Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Binary: self,
			Accel: func(context.Context, string, string) string { time.Sleep(probeTakes); return "tcg" },
			Ready: DialReady, Console: stay}))
	}
	if len(os.Args) > 3 && os.Args[1] == "engine" {
		standIn(os.Args[3])
	}
	if len(os.Args) > 1 && os.Args[1] == countsInterrupts {
		countInterrupts()
	}
	os.Exit(m.Run())
}

// probeTakes is long enough to show in what `lab up` says about time.
const probeTakes = 1200 * time.Millisecond

// stay is a console that nobody leaves. It collects garbage, which must not be what keeps satellites alive.
func stay(ctx context.Context, _ string) int {
	for ctx.Err() == nil {
		runtime.GC()
		time.Sleep(20 * time.Millisecond)
	}
	return 0
}

// standIn is an engine that only listens, as a real one does.
func standIn(path string) {
	c, err := config.Load(path, "none")
	if err == nil {
		sock := filepath.Join(c.Run, "engine.sock")
		_ = os.Remove(sock)
		var l net.Listener
		if l, err = net.Listen("unix", sock); err == nil {
			for {
				if conn, err := l.Accept(); err == nil {
					conn.Close()
				}
			}
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// netnsBefore tells whether somebody's `ip netns` had mounted the folder of names before any test.
var netnsBefore = func() bool {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	return strings.Contains(string(mounts), " "+netnsDir+" ")
}()

// traces is what a lab could leave on the machine: namespaces, mounts, processes, devices, files.
func traces(t *testing.T, dir string) (left []string) {
	t.Helper()
	ns, _ := filepath.Glob(netnsDir + "/decenter-*")
	left = append(left, ns...)
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(mounts), "\n") {
		if strings.Contains(line, "/decenter") || strings.Contains(line, " "+netnsDir+" ") && len(ns) == 0 && !netnsBefore {
			left = append(left, "mount "+line)
		}
	}
	procs, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range procs {
		text, _ := os.ReadFile(p)
		if bytes.Contains(text, []byte(dir)) {
			left = append(left, "process "+strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	links, _ := os.ReadDir("/sys/class/net")
	for _, l := range links {
		if strings.HasPrefix(l.Name(), "to-s") || strings.HasPrefix(l.Name(), "decenter") {
			left = append(left, "device "+l.Name())
		}
	}
	if _, err := os.Stat(dir); err == nil {
		left = append(left, "folder "+dir)
	}
	return left
}

// run carries out `lab ARGS` in another process.
func run(t *testing.T, dir string, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", append([]string{"lab", args[0], "--dir", dir}, args[1:]...)...)
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

func must(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, code := run(t, dir, args...)
	if code != 0 {
		t.Fatalf("lab %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func statuses(t *testing.T, dir string) map[string]Status {
	t.Helper()
	all := map[string]Status{}
	d := json.NewDecoder(strings.NewReader(must(t, dir, "status", "--json")))
	for d.More() {
		var s Status
		if err := d.Decode(&s); err != nil {
			t.Fatal(err)
		}
		all[s.Satellite] = s
	}
	return all
}

// newDir is a lab's folder of this test; at the end it must be as if there had been none.
func newDir(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces")
	}
	dir := fmt.Sprintf("/var/tmp/decenter-lab-test-%d", os.Getpid())
	if left := traces(t, dir); len(left) > 0 {
		t.Fatalf("before the test there is already: %v", left)
	}
	t.Cleanup(func() {
		_, _ = run(t, dir, "down")
		if left := traces(t, dir); len(left) > 0 {
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
	})
	return dir
}

func TestADayInALab(t *testing.T) {
	dir := newDir(t)
	img := filepath.Join(t.TempDir(), "x.qcow2")
	if err := os.WriteFile(img, []byte("image"), 0o644); err != nil {
		t.Fatal(err)
	}
	must(t, dir, "up", "--topology", "ring:3", "--spacesuit", "tiny="+img)
	if _, code := run(t, dir, "up"); code == 0 {
		t.Error("a second lab came up in the same folder")
	}
	if left := traces(t, dir); len(left) < 5 {
		t.Errorf("control: with a lab up the checker sees only %v", left)
	}
	s := statuses(t, dir)
	if len(s) != 3 || s["s1"].State != "on" || s["s1"].Engine == 0 || !slices.Equal(s["s1"].Cables, []string{"s2", "s3"}) {
		t.Fatalf("status %+v", s)
	}
	if out := must(t, dir, "exec", "s2", "--", "hostname"); strings.TrimSpace(out) != "s2" {
		t.Errorf("s2 calls itself %q", out)
	}
	if _, code := run(t, dir, "exec", "s2", "--", "sh", "-c", "exit 7"); code != 7 {
		t.Errorf("exit code %d, want 7", code)
	}
	if out := must(t, dir, "exec", "s1", "--", "cat", filepath.Join(dir, "s1/data/spacesuits/tiny.qcow2")); out != "image" {
		t.Errorf("the spacesuit is %q", out)
	}
	carrier := func() string {
		return strings.TrimSpace(must(t, dir, "exec", "s1", "--", "cat", "/sys/class/net/to-s2/carrier"))
	}
	if carrier() != "1" {
		t.Error("the cable is not plugged in")
	}
	must(t, dir, "cable", "cut", "s2", "s1")
	if carrier() != "0" || !slices.Contains(statuses(t, dir)["s1"].Cables, "s2!") {
		t.Error("the cut cable has a carrier")
	}
	must(t, dir, "cable", "mend", "s1", "s2")

	must(t, dir, "satellite", "freeze", "s2")
	if s := statuses(t, dir)["s2"]; s.State != "frozen" {
		t.Errorf("frozen s2 is %+v", s)
	}
	must(t, dir, "satellite", "thaw", "s2")

	before := s["s3"].Engine
	must(t, dir, "satellite", "kill", "s3", "--engine", "--no-restart")
	if s := statuses(t, dir)["s3"]; s.State != "on" || s.Engine != 0 {
		t.Errorf("s3 without engine is %+v", s)
	}
	must(t, dir, "satellite", "start", "s3")
	must(t, dir, "satellite", "kill", "s3", "--engine")
	waitFor(t, "the engine starts again by itself", func() bool {
		e := statuses(t, dir)["s3"].Engine
		return e != 0 && e != before
	})

	must(t, dir, "satellite", "kill", "s2")
	if s := statuses(t, dir)["s2"]; s.State != "off" || carrier() != "0" {
		t.Errorf("s2 without power is %+v, its cable %s", s, carrier())
	}
	must(t, dir, "satellite", "start", "s2")
	if s := statuses(t, dir)["s2"]; s.State != "on" || carrier() != "1" {
		t.Errorf("s2 with power again is %+v, its cable %s", s, carrier())
	}
	if out, code := run(t, dir, "satellite", "kill", "s9"); code == 0 || !strings.Contains(out, "s1 to s3") {
		t.Errorf("killing s9: %d %s", code, out)
	}
	must(t, dir, "down")
	if left := traces(t, dir); len(left) > 0 {
		t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
	}
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within a minute: %s", what)
}

// TestALabKilledAtAnyMomentIsCleanedUp kills the demo as it comes up; its satellites must die with it, and the next
// command must find and remove the rest.
func TestALabKilledAtAnyMomentIsCleanedUp(t *testing.T) {
	dir := newDir(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for n := range 5 {
		cmd := exec.Command("/proc/self/exe", "lab", "demo", "--dir", dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(dice.IntN(900)) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		waitFor(t, "the satellites die with their owner", func() bool {
			for _, l := range traces(t, dir) {
				if strings.HasPrefix(l, "process") {
					return false
				}
			}
			return true
		})
		if n%2 == 0 {
			_, _ = run(t, dir, "down") // there may be nothing yet to take down
		} else {
			must(t, dir, "up", "--topology", "line:2")
			must(t, dir, "down")
		}
		if left := traces(t, dir); len(left) > 0 {
			t.Fatalf("left behind:\n%s", strings.Join(left, "\n"))
		}
	}
}
