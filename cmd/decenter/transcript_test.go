package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/engine/lab"
)

// TestTranscripts plays what a person does, line by line, with the real program, real namespaces, libvirt and guests. Beside
// testscript's own commands the scripts have:
//
//	until SECONDS PATTERN CMD …   runs CMD again and again until its output matches
//	login                         makes a key and an ssh key, and sets ACCOUNT and SSH_ASKPASS
//	satellites                    writes ssh's configuration, so that `ssh s1` goes to s1, whose key is known; with
//	                              -F $HOME/.ssh/word no key is known, but that of the owner of the lab. Sets S1, S2, … to
//	                              the satellites' fingerprints, and OWNER to the lab's owner
//	address VM                    sets ADDRESS and ADDRESS6 to where the VM answers
//	losses FILE MOST [SECONDS]    the ping whose output is in FILE lost at most MOST replies; with -D it also tells the
//	                              longest wait between two replies, which is at most SECONDS
//	code N CMD …                  runs a command that ends with exit code N; stdout and stderr look at what it wrote
//	json KEY=VALUE …              each line of the last output is a JSON object, and one has all these fields (a.b: b in a)
//	job                           sets JOB to the id of the job that the last output names
//	screen SESSION COLUMNS LINES  a tmux session shows a screen of that size, within 15 seconds
//	killed SEED ROUNDS            kills the engine of s1 in the middle of creates and deletes (killed_test.go)
//	gone                          nothing of the lab is left on the machine
//
// Scripts run one after the other: a machine has room for one lab.
func TestTranscripts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a lab makes network namespaces")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(root, ".build/tiny.qcow2")
	program := filepath.Join(root, ".build/decenter")
	for _, need := range []string{image, program} {
		if _, err := os.Stat(need); err != nil {
			t.Skipf("%v: `go tool task setup build` makes it", err)
		}
	}
	// testscript's own folder stays where -run leaves a script out. In t.TempDir paths would be too long for a lab.
	dir, err := os.MkdirTemp("", "play")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	t.Setenv("GOTMPDIR", dir)
	deadline, _ := t.Deadline()
	testscript.RunT(inTurn{t}, testscript.Params{
		Deadline:            deadline,
		Dir:                 filepath.Join(root, "testdata/transcripts"),
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			bin := filepath.Join(e.WorkDir, "bin")
			if err := os.MkdirAll(bin, 0o755); err != nil {
				return err
			}
			dir := fmt.Sprintf("/var/tmp/decenter-transcript-%d", os.Getpid())
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TINY", image)
			e.Setenv("CACHE", filepath.Join(root, ".build/cache"))
			e.Setenv("LAB", dir)
			e.Setenv("PATH", bin+":"+os.Getenv("PATH"))
			e.Setenv("TERM", "dumb")
			e.Setenv("SEED", seed())
			e.Setenv("TMUX_SOCKET", filepath.Join(e.WorkDir, "tmux"))
			e.Defer(func() {
				_ = exec.Command("tmux", "-S", filepath.Join(e.WorkDir, "tmux"), "kill-server").Run()
				_ = exec.Command(program, "lab", "down", "--dir", dir).Run()
			})
			return os.Symlink(program, filepath.Join(bin, "decenter"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"until": until, "login": login, "satellites": satellites, "address": address, "losses": losses, "gone": gone,
			"code": code, "json": jsonLine, "killed": killed, "job": job, "screen": screen,
		},
	})
}

// seed draws the moments of kills: DECENTER_SEED repeats those of an earlier run.
func seed() string {
	if s := os.Getenv("DECENTER_SEED"); s != "" {
		return s
	}
	return strconv.FormatUint(uint64(rand.Uint32()), 10)
}

// inTurn is a test whose subtests do not run side by side.
type inTurn struct{ *testing.T }

func (t inTurn) Parallel()     {}
func (t inTurn) Verbose() bool { return testing.Verbose() }
func (t inTurn) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(t *testing.T) { f(inTurn{t}) })
}

// output runs a command in the script's environment.
func output(ts *testscript.TestScript, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := command(ts, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func command(ts *testscript.TestScript, args ...string) *exec.Cmd {
	cmd := exec.Command(look(ts, args[0]), args[1:]...)
	cmd.Dir = ts.Getenv("WORK")
	for _, name := range []string{"HOME", "PATH", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "DECENTER_SOCKET", "TERM", "LAB", "WORK",
		"ACCOUNT", "ADDRESS", "ADDRESS6", "S1", "S2", "S3"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	return cmd
}

func look(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if path := filepath.Join(dir, name); filepath.IsAbs(path) {
			if _, err := os.Stat(path); err == nil {
				return path
			}
		}
	}
	ts.Fatalf("%s is not in PATH", name)
	return ""
}

func mustOutput(ts *testscript.TestScript, args ...string) string {
	out, err := output(ts, args...)
	if err != nil {
		ts.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 3 {
		ts.Fatalf("use: until SECONDS PATTERN CMD …")
	}
	wait, err := time.ParseDuration(args[0] + "s")
	ts.Check(err)
	want, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	began := time.Now()
	for {
		out, _ := output(ts, args[2:]...)
		if want.MatchString(out) != neg {
			ts.Logf("after %.1f s:\n%s", time.Since(began).Seconds(), out)
			return
		}
		if time.Since(began) > wait {
			ts.Fatalf("not within %s s; last output:\n%s", args[0], out)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func login(ts *testscript.TestScript, _ bool, _ []string) {
	home := ts.Getenv("HOME")
	mustOutput(ts, "decenter", "key", "new")
	ts.Setenv("ACCOUNT", mustOutput(ts, "decenter", "key", "address"))
	ts.Check(os.MkdirAll(filepath.Join(home, ".ssh"), 0o700))
	mustOutput(ts, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(home, ".ssh/id_ed25519"))
	ask := filepath.Join(home, "askpass")
	mustOutput(ts, "decenter", "key", "askpass", ask)
	ts.Setenv("SSH_ASKPASS", ask)
	ts.Setenv("SSH_ASKPASS_REQUIRE", "force")
}

// status gives what `lab status` says.
func status(ts *testscript.TestScript) (all []lab.Status) {
	d := json.NewDecoder(strings.NewReader(mustOutput(ts, "decenter", "lab", "status", "--json", "--dir", ts.Getenv("LAB"))))
	for d.More() {
		var s lab.Status
		ts.Check(d.Decode(&s))
		all = append(all, s)
	}
	return all
}

func satellites(ts *testscript.TestScript, _ bool, _ []string) {
	home := ts.Getenv("HOME")
	var known, config, word strings.Builder
	for _, s := range status(ts) {
		key, err := os.ReadFile(filepath.Join(ts.Getenv("LAB"), s.Satellite, "data/satellite.pub"))
		ts.Check(err)
		fmt.Fprintf(&known, "%s %s", s.Satellite, key)
		fmt.Fprintf(&config, "Host %s\n HostName 127.0.0.1\n Port %d\n HostKeyAlias %s\n", s.Satellite, s.SSH, s.Satellite)
		fmt.Fprintf(&word, "Host %s\n HostName 127.0.0.1\n Port %d\n", s.Satellite, s.SSH)
		public, _, _, _, err := ssh.ParseAuthorizedKey(key)
		ts.Check(err)
		ts.Setenv(strings.ToUpper(s.Satellite), ssh.FingerprintSHA256(public))
	}
	fmt.Fprintf(&config, "Host *\n User %s\n IdentityFile %s/.ssh/id_ed25519\n IdentitiesOnly yes\n UserKnownHostsFile %s/.ssh/known_hosts\n StrictHostKeyChecking yes\n",
		ts.Getenv("ACCOUNT"), home, home)
	ts.Check(os.WriteFile(filepath.Join(home, ".ssh/known_hosts"), []byte(known.String()), 0o600))
	ts.Check(os.WriteFile(filepath.Join(home, ".ssh/config"), []byte(config.String()), 0o600))
	owner := mustOutput(ts, "decenter", "key", "address", "--key", filepath.Join(ts.Getenv("LAB"), "owner.key"))
	ts.Setenv("OWNER", owner)
	fmt.Fprintf(&word, "Host *\n User %s\n IdentityFile %s/.ssh/id_ed25519\n IdentitiesOnly yes\n UserKnownHostsFile /dev/null\n StrictHostKeyChecking yes\n"+
		" KnownHostsCommand %s key known-hosts --owner %s --owner %s %%I %%H %%t %%K\n", ts.Getenv("ACCOUNT"), home, program(ts), owner, ts.Getenv("ACCOUNT"))
	ts.Check(os.WriteFile(filepath.Join(home, ".ssh/word"), []byte(word.String()), 0o600))
}

// program is the path of the one under test: OpenSSH looks for none by its name.
func program(ts *testscript.TestScript) string {
	return mustOutput(ts, "sh", "-c", "command -v decenter")
}

func address(ts *testscript.TestScript, _ bool, args []string) {
	var it api.Item
	ts.Check(json.Unmarshal([]byte(mustOutput(ts, "decenter", "--json", "vm", "name:"+args[0])), &it))
	if it.VM == nil || len(it.VM.NICs) != 1 || len(it.VM.NICs[0].Addresses) == 0 {
		ts.Fatalf("%s has no address yet", args[0])
	}
	ts.Setenv("ADDRESS", it.VM.NICs[0].Addresses[0])
	var m [6]byte
	_, err := fmt.Sscanf(it.VM.NICs[0].MAC, "%x:%x:%x:%x:%x:%x", &m[0], &m[1], &m[2], &m[3], &m[4], &m[5])
	ts.Check(err)
	ts.Setenv("ADDRESS6", fmt.Sprintf("fe80::%x:%xff:fe%02x:%x", uint16(m[0]^2)<<8|uint16(m[1]), m[2], m[3], uint16(m[4])<<8|uint16(m[5])))
}

var statistics = regexp.MustCompile(`([0-9]+) packets transmitted, ([0-9]+) (?:packets )?received`)

func losses(ts *testscript.TestScript, neg bool, args []string) {
	text := ts.ReadFile(args[0])
	m := statistics.FindStringSubmatch(text)
	if m == nil {
		ts.Fatalf("%s is no ping's output:\n%s", args[0], text)
	}
	var sent, received, most int
	_, err := fmt.Sscan(m[1]+" "+m[2]+" "+args[1], &sent, &received, &most)
	ts.Check(err)
	wait := longestWait(text)
	ts.Logf("lost %d of %d; the longest wait between two replies was %s", sent-received, sent, wait)
	if lost := sent - received; (lost <= most) == neg || sent == 0 {
		ts.Fatalf("lost %d of %d", lost, sent)
	}
	if len(args) > 2 {
		limit, err := time.ParseDuration(args[2] + "s")
		ts.Check(err)
		if wait == 0 || (wait <= limit) == neg {
			ts.Fatalf("the longest wait between two replies was %s", wait)
		}
	}
}

var stamp = regexp.MustCompile(`(?m)^\[([0-9]+\.[0-9]+)\] [0-9]+ bytes from`)

// longestWait is the longest time between two replies of `ping -D`; 0 where it tells no times.
func longestWait(text string) (longest time.Duration) {
	before := 0.0
	for _, m := range stamp.FindAllStringSubmatch(text, -1) {
		at, _ := strconv.ParseFloat(m[1], 64)
		if d := time.Duration((at - before) * 1e9).Round(time.Millisecond); before != 0 && d > longest {
			longest = d
		}
		before = at
	}
	return longest
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("use: code N CMD …")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	cmd := command(ts, args[1:]...)
	cmd.Stdout, cmd.Stderr = ts.Stdout(), ts.Stderr()
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		ts.Fatalf("%v", err)
	}
	if got := cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}

func jsonLine(ts *testscript.TestScript, neg bool, args []string) {
	lines, found := strings.Split(strings.TrimSuffix(ts.ReadFile("stdout"), "\n"), "\n"), false
	for _, line := range lines {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			ts.Fatalf("not a JSON object: %q: %v", line, err)
		}
		found = found || !slices.ContainsFunc(args, func(a string) bool {
			path, want, _ := strings.Cut(a, "=")
			return field(v, path) != want
		})
	}
	if found == neg {
		ts.Fatalf("%v found: %v, in:\n%s", args, found, strings.Join(lines, "\n"))
	}
}

var jobID = regexp.MustCompile(`\b[0-9a-f]{8}\b`)

func job(ts *testscript.TestScript, _ bool, _ []string) {
	id := jobID.FindString(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	if id == "" {
		ts.Fatalf("no job is named")
	}
	ts.Setenv("JOB", id)
}

func screen(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 3 {
		ts.Fatalf("use: screen SESSION COLUMNS LINES")
	}
	columns, err := strconv.Atoi(args[1])
	ts.Check(err)
	count, err := strconv.Atoi(args[2])
	ts.Check(err)
	began := time.Now()
	for {
		text := mustOutput(ts, "sh", "-c", "tmux -S $WORK/tmux capture-pane -p -t "+args[0]+" | sed 's/$/|/'")
		wrong := fills(text, columns, count)
		if wrong == "" || time.Since(began) > 15*time.Second {
			ts.Logf("after %.1f s:\n%s", time.Since(began).Seconds(), text)
			if wrong != "" {
				ts.Fatalf("%s", wrong)
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// fills tells why a screen's text, whose lines end with |, is not one of that size from edge to edge.
func fills(text string, columns, count int) string {
	lines := strings.Split(text, "\n")
	if len(lines) != count || len(strings.TrimSpace(lines[0])) < 2 || len(strings.TrimSpace(lines[len(lines)-1])) < 2 {
		return fmt.Sprintf("not %d lines from the first to the last", count)
	}
	longest := 0
	for _, line := range lines {
		longest = max(longest, utf8.RuneCountInString(strings.TrimRight(strings.TrimSuffix(line, "|"), " ")))
	}
	if longest > columns || longest < columns*3/4 {
		return fmt.Sprintf("the longest line has %d columns, of %d", longest, columns)
	}
	return ""
}

// field gives a.b of a JSON object as text; numbers without needless digits.
func field(v any, path string) string {
	for key := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return fmt.Sprint(v)
}

func gone(ts *testscript.TestScript, _ bool, _ []string) {
	dir := ts.Getenv("LAB")
	if _, err := os.Stat(dir); err == nil {
		ts.Fatalf("%s is still there", dir)
	}
	if ns, _ := filepath.Glob("/run/netns/decenter-*"); len(ns) > 0 {
		ts.Fatalf("namespaces are left: %v", ns)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	ts.Check(err)
	if strings.Contains(string(mounts), dir) {
		ts.Fatalf("mounts are left:\n%s", mounts)
	}
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ts.Check(err)
	for _, p := range all {
		if text, _ := os.ReadFile(p); bytes.Contains(text, []byte(dir)) {
			ts.Fatalf("a process is left: %q", text)
		}
	}
}
