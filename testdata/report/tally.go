package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is one line of `go test -json` (go doc test2json).
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build output: "decenter/keys [decenter/keys.test]"
	Test        string
	Output      string
	Elapsed     float64
	FailedBuild string
}

// name is a test of a package; without a test it is the package itself.
type name struct{ pkg, test string }

// tally is what was seen so far.
type tally struct {
	out     io.Writer
	verbose bool
	said    map[name][]string // output not yet shown, by test
	built   map[string][]string
	ends    map[name]string // pass, fail or skip, by test
}

func newTally(out io.Writer, verbose bool) *tally {
	return &tally{out, verbose, map[name][]string{}, map[string][]string{}, map[name]string{}}
}

// read takes events until r ends. What is no event is shown as it is.
func (t *tally) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil && e.Action != "" {
				t.take(e)
			} else {
				t.out.Write(line)
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tally) take(e event) {
	who := name{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		t.built[e.ImportPath] = append(t.built[e.ImportPath], e.Output)
	case "output":
		t.said[who] = append(t.said[who], e.Output)
		if t.verbose {
			io.WriteString(t.out, e.Output)
		}
	case "pass", "fail", "skip":
		if e.Test != "" {
			t.ends[who] = e.Action
			return
		}
		t.endPackage(e)
	}
}

// endPackage shows one line for a package that went well, and for another one what its failed tests said.
func (t *tally) endPackage(e event) {
	who := name{e.Package, ""}
	label := map[string]string{"pass": "ok", "fail": "FAIL", "skip": "--"}[e.Action]
	if e.Action == "skip" { // no tests
		return
	}
	if e.Action == "fail" {
		failedTest := false
		for _, n := range t.of(e.Package) {
			if t.ends[n] == "fail" {
				failedTest = true
				t.show(t.said[n])
			} else if t.ends[n] == "" { // the package died in it
				t.show(t.said[n])
			}
		}
		t.show(t.built[e.FailedBuild])
		t.show(t.said[who])
		if !failedTest {
			t.ends[name{e.Package, "(package)"}] = "fail"
		}
	}
	fmt.Fprintf(t.out, "%-4s %-40s %6.1f s\n", label, e.Package, e.Elapsed)
}

func (t *tally) show(lines []string) {
	if t.verbose {
		return
	}
	for _, l := range lines {
		io.WriteString(t.out, l)
	}
}

// of gives the tests of a package that said something, sorted.
func (t *tally) of(pkg string) []name {
	var names []name
	for n := range t.said {
		if n.pkg == pkg && n.test != "" {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, byName)
	return names
}

func byName(a, b name) int {
	if c := strings.Compare(a.pkg, b.pkg); c != 0 {
		return c
	}
	return strings.Compare(a.test, b.test)
}

// counts gives how many tests passed and failed, and those that were skipped. A test with subtests counts by these,
// unless its own end is another than theirs.
func (t *tally) counts() (passed, failed int, skipped []name) {
	below := map[name]map[string]bool{}
	for n, end := range t.ends {
		for i := strings.LastIndex(n.test, "/"); i > 0; i = strings.LastIndex(n.test[:i], "/") {
			up := name{n.pkg, n.test[:i]}
			if below[up] == nil {
				below[up] = map[string]bool{}
			}
			below[up][end] = true
		}
	}
	for n, end := range t.ends {
		switch {
		case end == "skip":
			skipped = append(skipped, n)
		case end == "pass" && len(below[n]) == 0:
			passed++
		case end == "fail" && !below[n]["fail"]:
			failed++
		}
	}
	slices.SortFunc(skipped, byName)
	return passed, failed, skipped
}

// summary writes what failed, what was skipped and why, and the line of counts; it tells whether all is well.
func (t *tally) summary() bool {
	passed, failed, skipped := t.counts()
	fmt.Fprintln(t.out)
	for _, n := range slices.SortedFunc(maps.Keys(t.ends), byName) {
		if t.ends[n] == "fail" {
			fmt.Fprintf(t.out, "failed: %s %s\n", n.pkg, n.test)
		}
	}
	for _, n := range skipped {
		fmt.Fprintf(t.out, "skipped: %s %s: %s\n", n.pkg, n.test, reason(t.said[n]))
	}
	fmt.Fprintf(t.out, "%d skipped\n", len(skipped))
	fmt.Fprintf(t.out, "%d passed, %d failed\n", passed, failed)
	return failed == 0 && passed > 0
}

// reason finds what t.Skip was given: the last "file.go:12: text" of the output and what follows it.
func reason(output []string) string {
	all := strings.Join(output, "")
	all, _, _ = strings.Cut(all, "--- SKIP")
	if i := strings.LastIndex(all, ".go:"); i >= 0 {
		if _, text, ok := strings.Cut(all[i+4:], ": "); ok {
			return strings.Join(strings.Fields(text), " ")
		}
	}
	return "no reason given"
}
