package lab

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// begin starts `lab ARGS` in another process; its words come out of the reader.
func begin(t *testing.T, dir string, args ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", append([]string{"lab", args[0], "--dir", dir}, args[1:]...)...)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { read.Close() })
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	write.Close()
	return cmd, read
}

// ping tells whether frames pass from s1 to s2: by its neighbour's MAC alone, as nothing else is set up.
func ping(t *testing.T, dir string) bool {
	t.Helper()
	_, code := run(t, dir, "exec", "s1", "--", "sh", "-c", "ip neigh flush dev to-s2; ping -c 1 -W 1 10.9.9.2 >/dev/null")
	return code == 0
}

func TestWhatACutCableDoes(t *testing.T) {
	if _, err := exec.LookPath("ping"); err != nil {
		t.Skip("ping is not installed")
	}
	dir := newDir(t)
	must(t, dir, "up", "--topology", "line:2")
	must(t, dir, "exec", "s1", "--", "ip", "address", "add", "10.9.9.1/24", "dev", "to-s2")
	must(t, dir, "exec", "s2", "--", "ip", "address", "add", "10.9.9.2/24", "dev", "to-s1")
	carrier := func() string {
		return strings.TrimSpace(must(t, dir, "exec", "s1", "--", "cat", "/sys/class/net/to-s2/carrier"))
	}
	for _, step := range []struct {
		act, carrier, shows string
		passes              bool
	}{
		{"cable mend", "1", "s2", true},
		{"cable cut --silent", "1", "s2?", false},
		{"cable cut", "0", "s2!", false},
		{"cable mend", "1", "s2", true},
	} {
		must(t, dir, append(strings.Fields(step.act), "s1", "s2")...)
		// An engine sets its ports up when it starts; that mends no cable.
		must(t, dir, "exec", "s1", "--", "ip", "link", "set", "to-s2", "up")
		must(t, dir, "exec", "s2", "--", "ip", "link", "set", "to-s1", "up")
		if c, p, s := carrier(), ping(t, dir), statuses(t, dir)["s1"].Cables[0]; c != step.carrier || p != step.passes || s != step.shows {
			t.Errorf("after %s: carrier %s, frames pass %v, status %s; want %+v", step.act, c, p, s, step)
		}
	}
	if out, code := run(t, dir, "cable", "cut", "s1", "s7"); code == 0 || !strings.Contains(out, "no cable joins") {
		t.Errorf("cutting a cable that is none: %d %s", code, out)
	}
}

func TestAPowerCutForgetsTheKernelAndKeepsTheDisk(t *testing.T) {
	dir := newDir(t)
	must(t, dir, "up", "--topology", "line:2")
	must(t, dir, "exec", "s2", "--", "ip", "address", "add", "10.9.9.2/24", "dev", "to-s1")
	must(t, dir, "exec", "s2", "--", "touch", "/run/decenter/memory", filepath.Join(dir, "s2/data/disk"))
	index := func() string { return must(t, dir, "exec", "s1", "--", "cat", "/sys/class/net/to-s2/ifindex") }
	before := index()

	// Not by command: the kernel's memory ran out, say.
	if err := syscall.Kill(statuses(t, dir)["s2"].Holder, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "s2 is off", func() bool { return statuses(t, dir)["s2"].State == "off" })
	if out, code := run(t, dir, "exec", "s2", "--", "true"); code == 0 || !strings.Contains(out, "satellite start s2") {
		t.Errorf("exec in a dead satellite: %d %s", code, out)
	}
	must(t, dir, "satellite", "start", "s2")
	if out := must(t, dir, "exec", "s2", "--", "ip", "-4", "address", "show", "dev", "to-s1"); strings.Contains(out, "10.9.9.2") {
		t.Error("an address outlived the power cut")
	}
	if out := must(t, dir, "exec", "s2", "--", "ls", "/run/decenter", filepath.Join(dir, "s2/data")); strings.Contains(out, "memory") || !strings.Contains(out, "disk") {
		t.Errorf("after the power cut there is %s", out)
	}
	if index() != before {
		t.Error("the neighbour's port is another one: a real one stays where it is")
	}
}

func TestFreezeStopsAllOfASatellite(t *testing.T) {
	dir := newDir(t)
	must(t, dir, "up", "--topology", "line:1")
	must(t, dir, "exec", "s1", "--", "sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &")
	states := func() string {
		// From inside, by a process that came after: it is not frozen.
		return must(t, dir, "exec", "s1", "--", "sh", "-c", "cat /proc/[0-9]*/stat 2>/dev/null | sed 's/(.*)//' | awk '$1 > 1 {printf $2}'; sleep 0")
	}
	if s := states(); strings.Contains(s, "T") {
		t.Fatalf("before: %s", s)
	}
	must(t, dir, "satellite", "freeze", "s1")
	// On a busy machine a process that was told to stop counts as running until its turn comes, in which it does nothing.
	waitFor(t, "engine, libvirt and guest are frozen", func() bool { return strings.Count(states(), "T") >= 3 })
	// What dies frozen does not come back by itself.
	engine := statuses(t, dir)["s1"].Engine
	must(t, dir, "exec", "s1", "--", "kill", "-9", fmt.Sprint(engine))
	waitFor(t, "its death is noticed", func() bool { return statuses(t, dir)["s1"].Engine == 0 })
	time.Sleep(restartAfter + 300*time.Millisecond)
	if s := statuses(t, dir)["s1"]; s.Engine != 0 || s.State != "frozen" {
		t.Errorf("frozen without engine: %+v", s)
	}
	must(t, dir, "satellite", "thaw", "s1")
	waitFor(t, "the engine is started after the thaw", func() bool { return statuses(t, dir)["s1"].Engine != 0 })
	if s := states(); strings.Contains(s, "T") {
		t.Errorf("thawed: %s", s)
	}
}

func TestExecIsLikeRunningThere(t *testing.T) {
	dir := newDir(t)
	must(t, dir, "up", "--topology", "line:1")
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"true"}, 0}, {[]string{"sh", "-c", "exit 41"}, 41}, {[]string{"sh", "-c", "kill -9 $$"}, 128 + 9},
		{[]string{"no-such-program"}, 127}, {[]string{"/etc/hostname"}, 126},
	} {
		if out, code := run(t, dir, append([]string{"exec", "s1", "--"}, c.args...)...); code != c.code {
			t.Errorf("%v: exit code %d, want %d: %s", c.args, code, c.code, out)
		}
	}

	// A signal to us is the command's.
	cmd, out := begin(t, dir, "exec", "s1", "--", "sh", "-c", `trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done`)
	if _, err := io.ReadFull(out, make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 5 {
		t.Errorf("after SIGTERM: %v", cmd.ProcessState)
	}

	// At a terminal Ctrl-C reaches the command once, and does not end us before it. No shell there: dash at times takes a signal for its
	// child's, and ends.
	if _, err := exec.LookPath("script"); err != nil {
		t.Skip("script is not installed: no terminal to try")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	pty := exec.Command("script", "-qec", fmt.Sprintf(`exec %s lab exec --dir %s s1 -- %[1]s %[3]s`, self, dir, countsInterrupts), "/dev/null")
	keys, err := pty.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, err := pty.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := pty.Start(); err != nil {
		t.Fatal(err)
	}
	shown := make([]byte, len("tty"))
	if _, err := io.ReadFull(screen, shown); err != nil {
		t.Fatal(err)
	}
	_, _ = keys.Write([]byte{3})
	rest, _ := io.ReadAll(screen)
	err = pty.Wait()
	if s := string(shown) + string(rest); !strings.HasPrefix(s, "tty") || !strings.Contains(s, "got 1") || strings.Contains(s, "got 2") || pty.ProcessState.ExitCode() != 6 {
		t.Errorf("at a terminal: %v %q", err, s)
	}
}

// countsInterrupts is a command that says whether it has a terminal, then tells each SIGINT until it has had none for a second after the
// first, and ends with 6.
const countsInterrupts = "counts-interrupts"

func countInterrupts() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT)
	if _, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS); err == nil {
		fmt.Println("tty")
	} else {
		fmt.Println("no terminal")
	}
	quiet := time.After(30 * time.Second)
	for n := 1; ; n++ {
		select {
		case <-signals:
			fmt.Println("got", n)
			quiet = time.After(time.Second)
		case <-quiet:
			os.Exit(6)
		}
	}
}

func TestADemoEndsInOrder(t *testing.T) {
	dir := newDir(t)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		cmd, _ := begin(t, dir, "demo") // nobody reads: its words must not end it
		waitFor(t, "the demo is up", func() bool {
			l, err := Load(dir)
			return err == nil && !l.Starting
		})
		must(t, dir, "satellite", "kill", "s2")
		must(t, dir, "satellite", "start", "s2") // by another process, and yet the demo's
		time.Sleep(200 * time.Millisecond)
		for name, s := range statuses(t, dir) {
			if s.State != "on" {
				t.Errorf("%s of a demo with a console open is %s", name, s.State)
			}
		}
		if _, code := run(t, dir, "up"); code == 0 {
			t.Error("a lab came up over a demo")
		}
		_ = cmd.Process.Signal(sig)
		_ = cmd.Wait()
		if left := traces(t, dir); len(left) > 0 {
			t.Fatalf("%v left behind:\n%s", sig, strings.Join(left, "\n"))
		}
	}
}

func TestAnUpKilledAtAnyMomentIsCleanedUp(t *testing.T) {
	dir := newDir(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 0))
	for range 6 {
		cmd, _ := begin(t, dir, "up")
		time.Sleep(time.Duration(dice.IntN(130)) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if l, err := Load(dir); err == nil && !l.Starting {
			must(t, dir, "down") // it had come up
		}
		must(t, dir, "up", "--topology", "line:2")
		must(t, dir, "down")
		if left := traces(t, dir); len(left) > 0 {
			t.Fatalf("left behind:\n%s", strings.Join(left, "\n"))
		}
	}
}

// TestAnInterruptedUpTakesAwayWhatItMade sends Ctrl-C's signal while the lab comes up.
func TestAnInterruptedUpTakesAwayWhatItMade(t *testing.T) {
	dir := newDir(t)
	interrupted := 0
	for n := range 8 {
		cmd, out := begin(t, dir, "up", "--topology", "ring:3")
		waitFor(t, "it has begun", func() bool { _, err := Load(dir); return err == nil }) // and hears signals
		time.Sleep(time.Duration(12*n) * time.Millisecond)
		_ = cmd.Process.Signal(syscall.SIGINT)
		err := cmd.Wait()
		if strings.Contains(fmt.Sprint(err), "exit status 2") { // cancelled
			interrupted++
		}
		if err == nil {
			must(t, dir, "down")
		}
		if left := traces(t, dir); len(left) > 0 {
			text, _ := io.ReadAll(out)
			t.Fatalf("after %d ms (%v) is left:\n%s\nit said:\n%s", 12*n, err, strings.Join(left, "\n"), text)
		}
	}
	if interrupted == 0 {
		t.Error("no signal came in time to interrupt anything")
	}
}

func TestDownFindsWhatLabJSONDoesNotTell(t *testing.T) {
	dir := newDir(t)
	for _, text := range []string{"", "{", `{"topology":{"Satellites":["../../etc"]}}`} {
		must(t, dir, "up", "--topology", "line:2")
		path := filepath.Join(dir, "lab.json")
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if text != "" {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if out, code := run(t, dir, "up"); code == 0 {
			t.Errorf("a lab came up over one without a readable lab.json: %s", out)
		}
		must(t, dir, "down")
		if left := traces(t, dir); len(left) > 0 {
			t.Fatalf("left behind:\n%s", strings.Join(left, "\n"))
		}
	}
}

func TestOneLabDoesNotTouchAnother(t *testing.T) {
	dir := newDir(t)
	must(t, dir, "up", "--topology", "line:2")
	other := dir + "-b"
	defer os.RemoveAll(other)
	if out, code := run(t, other, "up"); code == 0 || !strings.Contains(out, "lab down --dir "+dir) {
		t.Errorf("a second lab: %d %s", code, out)
	}
	// What is left of another lab, from before the machine was started anew, names the same satellites.
	stale, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if err != nil {
		t.Fatal(err)
	}
	boot := []byte(strings.ReplaceAll(string(stale), bootID(), "another boot"))
	if err := os.MkdirAll(other, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "lab.json"), boot, 0o600); err != nil {
		t.Fatal(err)
	}
	must(t, other, "down")
	for name, s := range statuses(t, dir) {
		if s.State != "on" || !isNS(nsPath(name)) {
			t.Errorf("%s is hit by another lab's down: %+v", name, s)
		}
	}
	// A name that no lab made is nobody's to remove.
	must(t, dir, "down")
	if err := os.MkdirAll(netnsDir, 0o755); err != nil {
		t.Fatal(err)
	}
	foreign := nsPath("s1")
	if err := os.WriteFile(foreign, nil, 0o444); err != nil {
		t.Fatal(err)
	}
	defer tidyNetnsDir()
	defer os.Remove(foreign)
	if out, code := run(t, dir, "up"); code == 0 || !strings.Contains(out, "ip netns del decenter-s1") {
		t.Errorf("over a foreign namespace: %d %s", code, out)
	}
	_, _ = run(t, dir, "down")
	if _, err := os.Stat(foreign); err != nil {
		t.Error("down removed a name that is not the lab's")
	}
}

func TestFoldersThatAreRefused(t *testing.T) {
	dir := newDir(t)
	full := t.TempDir()
	if err := os.Chmod(full, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(full, "letters"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink("/var/lib", link); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(t.TempDir(), "theirs")
	if err := os.Mkdir(theirs, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(theirs, "lab.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(theirs, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ dir, verb, want string }{
		{"relative", "up", "absolute"}, {"/run/lab", "up", "have their own there"}, {"/" + strings.Repeat("x", 90), "up", "80 at most"},
		{full, "up", "no lab"}, {filepath.Join(link, "lab"), "up", "symbolic link"},
		{theirs, "up", "only root"}, {theirs, "down", "only root"}, {theirs, "status", "only root"},
	} {
		if out, code := run(t, c.dir, c.verb); code == 0 || !strings.Contains(out, c.want) {
			t.Errorf("%s --dir %s: %d %s, want %q", c.verb, c.dir, code, out, c.want)
		}
	}
	for _, verb := range []string{"up", "down", "status", "demo"} {
		cmd := exec.Command("/proc/self/exe", "lab", verb, "--dir", dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err == nil || cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 4 || !strings.Contains(string(out), "use sudo") {
			t.Errorf("%s as nobody: %v %s", verb, err, out)
		}
	}
}
