package trust

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"decenter/keys/statement"
)

func TestStatementsAreKeptOverARestart(t *testing.T) {
	cfg, clock := lab(t)
	s := open(t, cfg)
	says(t, s, admit(ann, saturn, 1), grant(ann, statement.Owner, bob, all, 1), admit(bob, titan, 2), grant(ann, statement.None, bob, all, 3),
		revoke(ann, laptop, 4), delegate(ann, 5))
	again := open(t, cfg)
	want(t, "digest", again.Digest(), s.Digest())
	want(t, "in force", again.View().Statements(), s.View().Statements())
	says(t, again, grant(ann, statement.Owner, bob, all, 6))
	want(t, "what did not count is kept too", again.View().Admitted(titan), true)

	clock.Time = at(1).Add(keptFor).Add(time.Hour)
	want(t, "what expired is gone", len(open(t, cfg).set.entries), 3)
}

func TestADamagedStatementIsLeftOutAndKeptAside(t *testing.T) {
	cfg, _ := lab(t)
	s := open(t, cfg)
	says(t, s, admit(ann, saturn, 1), eject(ann, titan, 1), revoke(ann, laptop, 1))
	whole, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n") // head, then admit, eject, revoke, each with its signature
	for name, c := range map[string]struct {
		text string
		left int
	}{
		"nothing wrong":             {string(whole), 3},
		"a changed line":            {strings.Replace(string(whole), "eject", "admit", 1), 2},
		"a changed signature":       {strings.Replace(string(whole), lines[2], "AAAA\n", 1), 2},
		"a missing signature":       {strings.Replace(string(whole), lines[2], "", 1), 2},
		"a missing line":            {strings.Replace(string(whole), lines[3], "", 1), 2},
		"cut in the last signature": {string(whole[:len(whole)-9]), 2},
		"cut after the last line":   {strings.TrimSuffix(string(whole), lines[6]), 2},
		"zeros in the middle":       {strings.Replace(string(whole), lines[3], strings.Repeat("\x00", len(lines[3])), 1), 2},
		"nothing but the head":      {lines[0], 0},
		"twice the same":            {string(whole) + lines[1] + lines[2], 3},
	} {
		if err := os.WriteFile(cfg.Path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(cfg.Path + ".damaged")
		held := open(t, cfg)
		want(t, name, len(held.set.entries), c.left)
		aside, err := os.ReadFile(cfg.Path + ".damaged")
		if damaged := c.left == 2; damaged != (err == nil && string(aside) == c.text) {
			t.Errorf("%s: aside is kept %q, %v", name, aside, err)
		}
	}
	if err := os.WriteFile(cfg.Path, []byte("decenter trust 2\nfrom the future\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(cfg); err == nil || !strings.Contains(err.Error(), fileHead) {
		t.Errorf("a file of another version is taken for ours: %v", err)
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	cfg, _ := lab(t)
	for name, spoil := range map[string]func(*Config){
		"path":          func(c *Config) { c.Path = "" },
		"self":          func(c *Config) { c.Self = everyKey },
		"clock":         func(c *Config) { c.Now = nil },
		"constellation": func(c *Config) { c.Constellation = "My Lab" },
		"folder":        func(c *Config) { c.Path = t.TempDir() },
	} {
		c := cfg
		spoil(&c)
		if _, err := Open(c); err == nil {
			t.Errorf("opened without %s", name)
		}
	}
}

// What Declare returned from outlives a kill -9 at any moment.
func TestKill9LosesNothingThatWasDeclared(t *testing.T) {
	if path := os.Getenv("TRUST_TEST_VICTIM"); path != "" {
		victim(t, path)
		return
	}
	cfg, _ := lab(t)
	for round := range 5 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKill9LosesNothingThatWasDeclared$")
		cmd.Env = append(os.Environ(), "TRUST_TEST_VICTIM="+cfg.Path, "TMPDIR="+filepath.Dir(cfg.Path)) // it cannot tidy up
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var declared []string
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if line := lines.Text(); strings.HasPrefix(line, "decenter ") {
				declared = append(declared, line)
			}
			if len(declared) == 10+3*round {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait() // it was killed
		if len(declared) < 10 {
			t.Fatalf("the victim declared %d statements", len(declared))
		}
		text, err := os.ReadFile(cfg.Path)
		if err != nil {
			t.Fatal(err)
		}
		s := open(t, cfg)
		for _, line := range declared {
			if !bytes.Contains(text, []byte(line+"\n")) || !strings.Contains(fmt.Sprint(s.Spread()), line) {
				t.Errorf("%s was declared, and is lost", line)
			}
		}
		if _, err := os.Stat(cfg.Path + ".damaged"); err == nil {
			t.Error("the file was damaged")
		}
	}
}

// victim declares, and says so after each, until it is killed.
func victim(t *testing.T, path string) {
	cfg, _ := lab(t)
	cfg.Path = path
	s := open(t, cfg)
	for n := range 500 {
		x := signed(revoke(ann, fingerprint(n), 1))
		if _, _, err := s.Declare(x); err != nil {
			t.Fatal(err)
		}
		fmt.Println(x.Line)
	}
}

func FuzzParseFile(f *testing.F) {
	one := signed(admit(ann, saturn, 1))
	f.Add(string(appendFile(nil, nil)))
	f.Add(string(appendFile(nil, []statement.Signed{one, signed(revoke(ann, laptop, 1))})))
	f.Add(fileHead + "\n" + one.Line + "\n" + one.Line + "\n" + one.Signature)
	f.Add(fileHead + "\n\n\n\x00\n")
	f.Fuzz(func(t *testing.T, text string) {
		read, damaged, err := parseFile(text)
		if err != nil {
			return
		}
		if whole := string(appendFile(nil, read)); len(damaged) == 0 && whole != text {
			t.Fatalf("%q was read whole, and is written %q", text, whole)
		}
		if len(damaged) > 0 && len(appendFile(nil, read)) > len(text)+1 { // a missing last line end is no loss
			t.Fatalf("%q is damaged, and %d statements were read from it", text, len(read))
		}
	})
}
