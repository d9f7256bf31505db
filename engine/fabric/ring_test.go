package fabric

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/net/datapath"
	"decenter/net/frame"
	"decenter/net/link"
	"decenter/net/link/rig"
)

func TestMain(m *testing.M) {
	os.Exit(rig.Main(m, map[string]func() int{"satellite": satellite, "uninstall": uninstall, "open": openAll}))
}

// satellite is a process with nothing but a fabric. It answers each line on its input with a line of JSON.
func satellite() int {
	f, err := New(context.Background(), roleConfig())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		err := f.Run(context.Background())
		fmt.Fprintln(os.Stderr, "run:", err)
		os.Exit(1)
	}()
	out := json.NewEncoder(os.Stdout)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		verb, arg, _ := strings.Cut(in.Text(), " ")
		mac, _ := net.ParseMAC(arg)
		var answer any
		switch verb {
		case "tree":
			answer = f.Tree()
		case "satellites":
			answer = f.Satellites()
		case "attach":
			name, err := f.Attach(context.Background(), mac)
			answer = fmt.Sprint(name, " ", err)
		case "detach":
			answer = fmt.Sprint(f.Detach(context.Background(), mac))
		case "keep":
			answer = fmt.Sprint(f.Keep(context.Background(), []net.HardwareAddr{mac}))
		case "knows":
			answer = f.Knows(mac)
		case "priority":
			answer = setPriority(f, arg)
		}
		_ = out.Encode(answer)
	}
	return 0
}

func uninstall() int {
	if err := Uninstall(roleConfig()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// openAll opens every gate by hand, as no engine ever may.
func openAll() int {
	dp, err := datapath.Open(roleConfig().BPF, slog.New(slog.DiscardHandler))
	if err == nil {
		for _, p := range dp.Ports() {
			err = errors.Join(err, dp.SetGate(p.Ifindex, true))
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func roleConfig() Config {
	name := os.Getenv("NAME")
	n, _ := strconv.Atoi(name[len(name)-1:])
	return Config{Name: name, MAC: macOf(n), Auth: authOf(n), Priority: 32768, Host: "decenter0", BPF: rig.BPF(name), State: rig.Run(name), Data: os.Getenv("DATA"),
		Ports: link.Filter{Exclude: []string{"lan*"}},
		Log:   slog.New(slog.NewTextHandler(os.Stderr, nil)).With("satellite", name)}
}

func macOf(n int) frame.MAC { return frame.MAC{0x06, 0xdc, 0, 0, 0, byte(n)} }

// sat is a running satellite as the test holds it.
type sat struct {
	*testing.T
	ns  rig.NS
	cmd *exec.Cmd
	in  *bufio.Writer
	out *bufio.Scanner
	log *bytes.Buffer
	env []string
}

// ring makes n satellites, each cabled to the next and the last to the first: port "e" leads on, port "w" back.
func ring(t *testing.T, n int) []*sat {
	t.Helper()
	var sats []*sat
	for i := range n {
		sats = append(sats, &sat{T: t, ns: rig.Namespace(t, fmt.Sprintf("dcdp-f%d", i+1)), log: &bytes.Buffer{}})
	}
	for i := range sats {
		rig.Cable(t, sats[i].ns, "e", sats[(i+1)%n].ns, "w")
	}
	t.Cleanup(func() { // after all are killed
		for _, s := range sats {
			if out, err := s.role("uninstall").Output(); err != nil {
				t.Errorf("uninstall %s: %v: %s\n%s", s.ns, err, out, s.log)
			}
		}
	})
	for _, s := range sats {
		s.start()
		t.Cleanup(func() {
			s.kill()
			if t.Failed() {
				t.Logf("%s:\n%s", s.ns, s.log)
			}
		})
	}
	return sats
}

func (s *sat) role(role string) *exec.Cmd {
	c := s.ns.Role(s, role, append(s.env, "NAME="+string(s.ns))...)
	c.Stderr = s.log
	return c
}

func (s *sat) start() {
	s.Helper()
	s.cmd = s.role("satellite")
	in, err := s.cmd.StdinPipe()
	if err != nil {
		s.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.Fatal(err)
	}
	s.in, s.out = bufio.NewWriter(in), bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		s.Fatal(err)
	}
}

func (s *sat) kill() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// ask sends a line to the process and reads its answer.
func (s *sat) ask(answer any, line string) {
	s.Helper()
	fmt.Fprintln(s.in, line)
	if err := s.in.Flush(); err != nil {
		s.Fatalf("%s: %v\n%s", s.ns, err, s.log)
	}
	if !s.out.Scan() {
		s.Fatalf("%s: no answer: %v\n%s", s.ns, s.out.Err(), s.log)
	}
	if err := json.Unmarshal(s.out.Bytes(), answer); err != nil {
		s.Fatal(err)
	}
}

func (s *sat) tree() (t api.Tree) { s.Helper(); s.ask(&t, "tree"); return t }

func (s *sat) text(line string) (answer string) { s.Helper(); s.ask(&answer, line); return answer }

// settled waits until every satellite knows all of them, and the open cables are one fewer: a tree.
func settled(t *testing.T, sats []*sat) time.Duration {
	t.Helper()
	start := time.Now()
	var last []string
	for time.Since(start) < 20*time.Second {
		last = nil
		good := true
		for _, s := range sats {
			tr := s.tree()
			open := 0
			for _, l := range tr.Links {
				if l.Tree {
					open++
				}
			}
			last = append(last, fmt.Sprintf("%s: %d nodes, %d links, %d open", s.ns, len(tr.Nodes), len(tr.Links), open))
			good = good && len(tr.Nodes) == len(sats) && open == len(sats)-1
		}
		if good && reaches(sats[0], sats[len(sats)/2], 1) {
			return time.Since(start)
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("no tree:\n%s", strings.Join(last, "\n"))
	return 0
}

func target(n int) string { return macOf(n).LinkLocal().String() + "%decenter0" }

func number(s *sat) int { n, _ := strconv.Atoi(string(s.ns[len(s.ns)-1:])); return n }

func reaches(from, to *sat, seconds int) bool {
	return from.ns.Command("ping", "-6", "-c1", "-W"+strconv.Itoa(seconds), target(number(to))).Run() == nil
}

// pinged is what became of probes.
type pinged struct {
	sent, lost, doubled int
	gap                 time.Duration // the longest time without an answer
}

func (p pinged) String() string {
	return fmt.Sprintf("%d of %d lost, %d doubled, longest gap %v", p.lost, p.sent, p.doubled, p.gap.Round(100*time.Microsecond))
}

// ping sends every interval while during does its work. While nothing is answered it sends less often, so only the gap
// tells how long that was.
func ping(t *testing.T, from, to *sat, interval time.Duration, during func()) (r pinged) {
	t.Helper()
	c := from.ns.Command("ping", "-6", "-n", "-D", "-i", fmt.Sprintf("%.3f", interval.Seconds()), target(number(to)))
	text := begun(t, c)
	during()
	time.Sleep(200 * time.Millisecond)
	c.Process.Signal(syscall.SIGINT)
	c.Wait()
	out := text()
	m := regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("ping says:\n%s", out)
	}
	r.sent, _ = strconv.Atoi(m[1])
	got, _ := strconv.Atoi(m[2])
	r.lost = r.sent - got
	if d := regexp.MustCompile(`\+(\d+) duplicates`).FindStringSubmatch(out); d != nil {
		r.doubled, _ = strconv.Atoi(d[1])
	}
	last := 0.0
	for _, m := range regexp.MustCompile(`(?m)^\[([0-9.]+)\]`).FindAllStringSubmatch(out, -1) {
		at, _ := strconv.ParseFloat(m[1], 64)
		if last > 0 {
			r.gap = max(r.gap, time.Duration((at-last)*1e9))
		}
		last = at
	}
	return r
}

const probe = 2 * time.Millisecond

func TestKilledEngineLosesNoFrame(t *testing.T) {
	sats := ring(t, 4)
	t.Logf("a tree after %v", settled(t, sats).Round(time.Millisecond))
	for _, victim := range sats { // root, leaf, and those between: whoever it is
		r := ping(t, sats[0], sats[2], probe, func() {
			time.Sleep(300 * time.Millisecond)
			victim.kill()
			time.Sleep(1500 * time.Millisecond)
			victim.start()
			time.Sleep(1500 * time.Millisecond)
		})
		t.Logf("%s killed and started: %v", victim.ns, r)
		if r.lost > 1 || r.doubled > 0 || r.sent < 500 { // the one under way when ping ends may be lost
			t.Error("a restart lost frames")
		}
		settled(t, sats)
	}
}

func TestCutCableHeals(t *testing.T) {
	sats := ring(t, 4)
	settled(t, sats)
	for i, s := range sats {
		r := ping(t, sats[0], sats[2], probe, func() {
			time.Sleep(300 * time.Millisecond)
			rig.IP(t, "-n", string(s.ns), "link", "set", "e", "down")
			healed(t, sats)
		})
		t.Logf("cable %d cut: %v", i+1, r)
		if r.gap > 3*time.Second || r.doubled > 0 {
			t.Error("it healed late, or frames were doubled")
		}
		rig.IP(t, "-n", string(s.ns), "link", "set", "e", "up")
		settled(t, sats)
	}
}

// A cable that goes deaf without losing its carrier is found by unanswered echoes.
func TestDeafCableHeals(t *testing.T) {
	sats := ring(t, 4)
	settled(t, sats)
	for i, s := range sats {
		next := sats[(i+1)%len(sats)]
		deaf := func(verb string) {
			for _, end := range [][2]string{{string(s.ns), "e"}, {string(next.ns), "w"}} {
				args := []string{"-n", end[0], "qdisc", verb, "dev", end[1], "root"}
				if verb == "add" {
					args = append(args, "pfifo", "limit", "0")
				}
				if out, err := exec.Command("tc", args...).CombinedOutput(); err != nil {
					t.Skipf("tc %v: %v: %s: this kernel cannot make a cable deaf", args, err, out)
				}
			}
		}
		r := ping(t, sats[0], sats[2], probe, func() {
			time.Sleep(300 * time.Millisecond)
			deaf("add")
			healed(t, sats)
		})
		t.Logf("cable %d deaf: %v", i+1, r)
		if r.gap > 5*time.Second || r.doubled > 0 {
			t.Error("it healed late, or frames were doubled")
		}
		deaf("del")
		settled(t, sats)
	}
}

func TestFrozenEngineMakesNoLoop(t *testing.T) {
	sats := ring(t, 4)
	settled(t, sats)
	for _, victim := range sats[:3] {
		before := rx(sats)
		r := ping(t, sats[0], sats[2], probe, func() {
			victim.cmd.Process.Signal(syscall.SIGSTOP)
			time.Sleep(3 * time.Second)
			victim.cmd.Process.Signal(syscall.SIGCONT)
			time.Sleep(500 * time.Millisecond)
		})
		t.Logf("%s frozen for 3 s: %v", victim.ns, r)
		if r.lost > 1 || r.doubled > 0 {
			t.Error("a frozen engine lost or doubled frames")
		}
		settled(t, sats)
		// A loop would show as frames without end: each probe and its answer cross at most eight ports.
		if got := rx(sats) - before; got > uint64(r.sent)*20+5000 {
			t.Errorf("%d frames came in for %d probes", got, r.sent)
		}
	}
}

// The control of the test above: with every gate open a single broadcast goes round without end, and rx shows it.
func TestALoopWouldBeSeen(t *testing.T) {
	sats := ring(t, 3)
	settled(t, sats)
	// From beyond the ring: a satellite drops what claims to come from itself, so its own frames go round but once.
	outside := rig.Namespace(t, "dcdp-x")
	rig.Cable(t, outside, "p", sats[0].ns, "x")
	for len(sats[0].tree().Ports) < 4 {
		time.Sleep(20 * time.Millisecond)
	}
	before := rx(sats)
	for _, s := range sats {
		s.cmd.Process.Signal(syscall.SIGSTOP)
		defer s.cmd.Process.Signal(syscall.SIGCONT)
	}
	for _, s := range sats {
		if err := s.role("open").Run(); err != nil {
			t.Fatalf("%v: %s", err, s.log)
		}
	}
	_ = outside.Command("ping", "-6", "-c1", "-W1", "ff02::1%p").Run()
	rig.IP(t, "-n", string(sats[0].ns), "link", "set", "e", "down")
	for _, s := range sats {
		s.cmd.Process.Signal(syscall.SIGCONT)
	}
	if got := rx(sats) - before; got < 20_000 {
		t.Errorf("only %d frames came in, though there was a loop", got)
	}
}

// rx sums what all ports of all satellites received.
func rx(sats []*sat) (n uint64) {
	for _, s := range sats {
		for _, p := range s.tree().Ports {
			n += p.RX
		}
	}
	return n
}

func TestVMsTalkAndTheTreeKnowsThem(t *testing.T) {
	sats := ring(t, 3)
	settled(t, sats)
	a, b := net.HardwareAddr{0x02, 0, 0, 1, 0, 1}, net.HardwareAddr{0x02, 0, 0, 1, 0, 2}
	for range 2 { // again is fine
		if got := sats[0].text("attach " + a.String()); got != "dt020000010001 <nil>" {
			t.Fatalf("attach says %q", got)
		}
	}
	sats[1].text("attach " + b.String())
	av, bv := sats[0].ns.Open(t, TapName(frame.MAC(a))), sats[1].ns.Open(t, TapName(frame.MAC(b)))
	hello := append(append(slices.Clone(b), a...), append([]byte{0x88, 0xb6, 7}, make([]byte, 46)...)...)
	carried := func() bool {
		av.Send(t, hello)
		for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
			if got := bv.Receive(t, 100*time.Millisecond); bytes.Equal(got, hello) {
				return true
			}
		}
		return false
	}
	// The kernel may take a second to notice that a tap was opened, and drops until then (see package link, Carrier).
	waits(t, "a frame gets from VM to VM", carried)
	known := false
	for range 1000 {
		if sats[2].ask(&known, "knows "+a.String()); known {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if !known {
		t.Error("the third satellite does not know the first one's VM")
	}
	// Both engines are killed: VMs go on; started again, they know them.
	sats[0].kill()
	sats[1].kill()
	if !carried() {
		t.Error("a frame was lost after the engines were killed")
	}
	sats[0].start()
	sats[1].start()
	if got := sats[0].text("keep " + a.String()); got != "<nil>" || !carried() {
		t.Errorf("kept tap: %s", got)
	}
	if got := sats[1].text("detach " + b.String()); got != "<nil>" {
		t.Errorf("detach: %s", got)
	}
	if out := rig.IP(t, "-n", string(sats[1].ns), "-br", "link"); strings.Contains(out, tapPrefix+"02") {
		t.Errorf("the tap is still there:\n%s", out)
	}
	sats[0].text("keep " + b.String())
	if out := rig.IP(t, "-n", string(sats[0].ns), "-br", "link"); strings.Contains(out, TapName(frame.MAC(a))) || !strings.Contains(out, TapName(frame.MAC(b))) {
		t.Errorf("keep did not exchange the taps:\n%s", out)
	}
	sats[1].text("attach " + b.String()) // the address is at two places now; nothing breaks
}

func TestUninstallLeavesTheMachineAsItWas(t *testing.T) {
	s := &sat{T: t, ns: rig.Namespace(t, "dcdp-u1"), log: &bytes.Buffer{}}
	far := rig.Namespace(t, "dcdp-u2")
	rig.Cable(t, s.ns, "e", far, "w")
	rig.IP(t, "-n", string(s.ns), "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
	state := func() string {
		var all []link.Link
		s.ns.Do(t, func() (err error) { all, err = link.List(); return err })
		b, _ := json.MarshalIndent(all, "", " ")
		return string(b)
	}
	before := ""
	waits(t, "the carrier is there, and nothing changes", func() bool {
		last := before
		time.Sleep(200 * time.Millisecond)
		before = state()
		return before == last
	})
	s.start()
	s.text("attach 02:00:00:01:00:01")
	if during := state(); during == before || !strings.Contains(during, `"decenter0"`) {
		t.Fatal("the check is blind: nothing changed while the engine ran")
	}
	for _, p := range s.tree().Ports {
		if strings.HasPrefix(p.Name, "lan") {
			t.Errorf("excluded device %s became a port", p.Name)
		}
	}
	s.kill()
	if err := s.role("uninstall").Run(); err != nil {
		t.Fatalf("%v: %s", err, s.log)
	}
	if after := state(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	for _, dir := range []string{rig.BPF("dcdp-u1"), rig.Run("dcdp-u1")} {
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
}
