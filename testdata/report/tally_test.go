package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A module with a test of every end, run for real.
func TestEveryEndIsCounted(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module m\n\ngo 1.26\n",
		"good/good_test.go": `package good
import "testing"
func TestOne(t *testing.T) {}
func TestMany(t *testing.T) {
	t.Run("a", func(t *testing.T) {})
	t.Run("b", func(t *testing.T) { t.Skip("there is no", "moon") })
}`,
		"bad/bad_test.go": `package bad
import "testing"
func TestOne(t *testing.T) { t.Log("quiet, since it passes") }
func TestMany(t *testing.T) {
	t.Run("a", func(t *testing.T) { t.Error("five is not four") })
	t.Run("b", func(t *testing.T) {})
}`,
		"dies/dies_test.go":   "package dies\nimport \"testing\"\nfunc TestDies(t *testing.T) { panic(\"out of air\") }",
		"wont/wont_test.go":   "package wont\nimport \"testing\"\nfunc TestWont(t *testing.T) { nobody() }",
		"empty/empty.go":      "package empty",
		"slow/slow_test.go":   "package slow\nimport (\"os\"; \"testing\")\nfunc TestMain(m *testing.M) { os.Exit(3) }\nfunc TestX(t *testing.T) {}",
		"fuzz/fuzz_test.go":   "package fuzz\nimport \"testing\"\nfunc FuzzX(f *testing.F) { f.Add(1); f.Add(2); f.Fuzz(func(t *testing.T, n int) {}) }",
		"silent/s_test.go":    "package silent\nimport \"testing\"\nfunc TestS(t *testing.T) { t.SkipNow() }",
		"example/exa_test.go": "package example\nimport \"fmt\"\nfunc ExampleX() { fmt.Println(4)\n// Output: 4\n}",
	} {
		p := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command("go", "test", "-vet=off", "-json", "./...")
	c.Dir = folder
	events, _ := c.Output()

	var out strings.Builder
	tally := newTally(&out, false)
	if err := tally.read(strings.NewReader(string(events))); err != nil {
		t.Fatal(err)
	}
	if tally.summary() {
		t.Error("all is called well")
	}
	// Passed: good One and Many/a, bad One and Many/b, two seeds, the example. Failed: bad Many/a, TestDies, and two packages.
	if !strings.HasSuffix(out.String(), "\n2 skipped\n7 passed, 4 failed\n") {
		t.Error("the counts are wrong")
	}
	for _, want := range []string{"ok   m/good", "FAIL m/bad", "five is not four", "panic: out of air", "undefined: nobody",
		"skipped: m/good TestMany/b: there is no moon\n", "skipped: m/silent TestS: no reason given\n", "failed: m/slow (package)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not said", want)
		}
	}
	if strings.Contains(out.String(), "quiet, since it passes") {
		t.Error("what a passed test printed is shown")
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestNothingPassedIsNotWell(t *testing.T) {
	var out strings.Builder
	if newTally(&out, false).summary() {
		t.Error("no test at all is called well")
	}
}
