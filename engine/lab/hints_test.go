package lab

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestHintsNameTheLabTheyAreFor follows what a lab outside the usual folder says, word by word.
func TestHintsNameTheLabTheyAreFor(t *testing.T) {
	dir := newDir(t)
	empty := dir + "-empty"
	defer os.RemoveAll(empty)
	if out, code := run(t, empty, "down"); code != 0 || !strings.Contains(out, "nothing to take down") {
		t.Errorf("down with no lab anywhere: %d %s", code, out)
	}
	must(t, dir, "up", "--topology", "line:2")
	for _, c := range []struct{ dir, line, want string }{
		{dir, "up", "`decenter lab down --dir " + dir + "` takes it down"},
		{dir, "up", "`decenter lab console s1 --dir " + dir + "`"},
		{dir, "cable cut s1 s7", "`decenter lab status --dir " + dir + "`"},
		{empty, "up", "`decenter lab down --dir " + dir + "`"},
		{empty, "down", "`decenter lab down --dir " + dir + "`"},
		{empty, "status --json", "`decenter lab status --json --dir " + dir + "`"},
		{empty, "console s1", "`decenter lab console s1 --dir " + dir + "`"},
		{empty, "exec s2 ip -br link", "`decenter lab exec --dir " + dir + " s2 …`"},
		{empty, "cable cut --silent s1 s2", "`decenter lab cable cut s1 s2 --silent --dir " + dir + "`"},
		{empty, "satellite kill s2 --engine", "`decenter lab satellite kill s2 --engine --dir " + dir + "`"},
	} {
		if out, code := run(t, c.dir, strings.Fields(c.line)...); code != 1 || !strings.Contains(out, c.want) {
			t.Errorf("lab %s in %s: exit code %d, %s\nwant 1 and %s", c.line, c.dir, code, out, c.want)
		}
		if _, err := os.Stat(empty); err == nil { // asked each time: a down would remove it
			t.Errorf("lab %s, refused, left a folder behind", c.line)
		}
	}
	must(t, dir, "satellite", "kill", "s2")
	if out, _ := run(t, dir, "exec", "s2", "true"); !strings.Contains(out, "`decenter lab satellite start s2 --dir "+dir+"`") {
		t.Errorf("exec in a satellite that is off: %s", out)
	}
	must(t, dir, "status")
}

func TestExecLeavesTheCommandsFlagsAlone(t *testing.T) {
	for _, c := range []struct {
		line, want string // want: the words, or what the error says
		json       bool
	}{
		{line: "exec s2 ip -br link", want: "s2 ip -br link"},
		{line: "exec s2 -- ip -br link", want: "s2 ip -br link"},
		{line: "exec --json s2 sh -c -- --json", want: "s2 sh -c -- --json", json: true},
		{line: "exec s2 -- -odd", want: "s2 -odd"},
		{line: "exec s2 --dir /tmp true", want: "before the satellite"},
		{line: "exec --br s2 ip", want: "not defined: -br"},
	} {
		var m command
		_, err := m.parse(strings.Fields(c.line))
		if err != nil {
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.line, err, c.want)
			}
			continue
		}
		if !slices.Equal(m.rest, strings.Fields(c.want)) || m.json != c.json {
			t.Errorf("%s: words %q, json %v; want %+v", c.line, m.rest, m.json, c)
		}
	}
}

func TestTooFewWordsShowTheForm(t *testing.T) {
	for line, want := range map[string]string{
		"cable cut s1":       "`decenter lab cable cut s1 s2`",
		"cable mend":         "`decenter lab cable mend s1 s2`",
		"cable kill s1":      "`decenter lab cable cut s1 s2`",
		"satellite freeze":   "`decenter lab satellite freeze s2`",
		"console":            "`decenter lab console s1`",
		"exec s1":            "`decenter lab exec s1 ip link`",
		"exec --dir /x s1":   "`decenter lab exec --dir /x s1 ip link`",
		"up ring:4":          "`decenter lab up --topology ring:4`",
		"up now":             "takes flags only",
		"down --dir /x it":   "takes flags only",
		"console --dir /a~b": "--dir '/a~b'`",
	} {
		var m command
		verb, err := m.parse(strings.Fields(line))
		if err == nil {
			err = m.checkWords(verb)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("lab %s: %v, want %s", line, err, want)
		}
	}
	for _, line := range []string{"cable cut s1 s2", "exec s1 ip -br link", "console s1", "up", "satellite kill s2 --engine"} {
		var m command
		verb, err := m.parse(strings.Fields(line))
		if err == nil {
			err = m.checkWords(verb)
		}
		if err != nil {
			t.Errorf("lab %s: %v", line, err)
		}
	}
}

// TestUpTellsWhatItWaitsFor has a probe that takes probeTakes.
func TestUpTellsWhatItWaitsFor(t *testing.T) {
	dir, cache := newDir(t), t.TempDir()
	img := filepath.Join(t.TempDir(), "x.qcow2")
	if err := os.WriteFile(img, []byte("image"), 0o644); err != nil {
		t.Fatal(err)
	}
	up := []string{"up", "--topology", "line:1", "--spacesuit", "tiny=" + img, "--cache", cache}
	const says = "finding out whether KVM runs guests (once)…"
	out := must(t, dir, up...)
	if !strings.HasPrefix(out, says+"\n") {
		t.Errorf("the first time: %s", out)
	}
	took := regexp.MustCompile(`1 satellite is up after ([0-9.]+) s\n$`).FindStringSubmatch(out)
	if took == nil {
		t.Fatalf("no time is told: %s", out)
	}
	if s, err := strconv.ParseFloat(took[1], 64); err != nil || s < probeTakes.Seconds() {
		t.Errorf("told are %s s, and the probe alone took %v", took[1], probeTakes)
	}
	// What is refused is refused without a probe.
	began := time.Now()
	if out, code := run(t, dir+"-b", up...); code == 0 || strings.Contains(out, says) || time.Since(began) > probeTakes {
		t.Errorf("a second lab after %v: %d %s", time.Since(began), code, out)
	}
	must(t, dir, "down")
	if err := os.WriteFile(filepath.Join(cache, verdictFile), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := must(t, dir, up...); strings.Contains(out, says) {
		t.Errorf("with a verdict remembered: %s", out)
	}
}

func TestHelpFitsATerminal(t *testing.T) {
	for _, line := range strings.Split(Usage, "\n") {
		if n := utf8.RuneCountInString(line); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}
