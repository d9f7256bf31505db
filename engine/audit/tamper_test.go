package audit

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"decenter/engine/api"
)

// sample is a closed log of several small segments, the oldest of which were dropped.
func sample(t testing.TB) files {
	dir := t.TempDir()
	l := open(t, dir, newClock())
	l.perFile, l.maxBytes = 2<<10, 10<<10
	appendAll(t, l, 1, 60)
	shut(t, l)
	return load(t, dir)
}

func (f files) logs() []string {
	var names []string
	for name := range f {
		if segmentForm.MatchString(name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (f files) lines(name string) [][]byte {
	return bytes.SplitAfter(bytes.TrimSuffix(f[name], nil), []byte("\n"))[:bytes.Count(f[name], []byte("\n"))]
}

// breaks opens what lies in the folder, and gives what Verify says then.
func breaks(t testing.TB, f files, dir string) string {
	f.store(t, dir)
	l := open(t, dir, newClock())
	defer shut(t, l)
	return verify(t, l).Broken
}

func TestAnUntouchedLogIsUnbroken(t *testing.T) {
	f := sample(t)
	if len(f.logs()) < 4 || f.logs()[0] == segmentName(1) {
		t.Fatal("the sample has too little", f.logs())
	}
	if b := breaks(t, f, filepath.Join(t.TempDir(), "log")); b != "" {
		t.Error(b)
	}
}

// TestEveryFlippedByteIsFound walks without the recovery, as Verify does.
func TestEveryFlippedByteIsFound(t *testing.T) {
	f, dir := sample(t), filepath.Join(t.TempDir(), "log")
	flips := 0
	for _, name := range append(f.logs(), headName) {
		one := files{}
		maps.Copy(one, f)
		one.store(t, dir)
		for i := range f[name] {
			bit := byte(1) << (i % 8)
			text := slices.Clone(f[name])
			text[i] ^= bit
			files{name: text}.overwrite(t, dir)
			flips++
			if !walkFinds(t, dir) {
				t.Fatalf("%s: bit %02x of byte %d: not found in %q", name, bit, i, text[max(0, i-20):min(len(text), i+20)])
			}
		}
		files{name: f[name]}.overwrite(t, dir)
		if walkFinds(t, dir) {
			t.Fatal("the control is none: the untouched log is found broken")
		}
	}
	t.Logf("%d flips", flips)
}

// walkFinds tells whether the folder's chain or head is broken.
func walkFinds(t testing.TB, dir string) bool {
	t.Helper()
	list, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, headName))
	if err != nil {
		t.Fatal(err)
	}
	head, ok := parsePoint(text)
	if !ok {
		return true
	}
	w, err := walkAll(context.Background(), dir, list, head)
	if err != nil {
		t.Fatal(err)
	}
	return len(w.breaks) > 0
}

func TestEveryTamperingIsFound(t *testing.T) {
	f, dir := sample(t), filepath.Join(t.TempDir(), "log")
	rapid.Check(t, func(r *rapid.T) {
		one := maps.Clone(f)
		logs := one.logs()
		name := rapid.SampledFrom(logs).Draw(r, "segment")
		lines := one.lines(name)
		i := rapid.IntRange(0, len(lines)-1).Draw(r, "line")
		j := rapid.IntRange(0, len(lines)-2).Draw(r, "other line")
		if j >= i {
			j++
		}
		other := rapid.SampledFrom(slices.DeleteFunc(slices.Clone(logs), func(s string) bool { return s == name })).Draw(r, "other segment")
		act := rapid.SampledFrom([]string{"flip", "remove line", "swap lines", "repeat line", "line of elsewhere", "cut", "remove segment",
			"swap segments", "repeat segment", "rename segment", "empty segment", "head"}).Draw(r, "act")
		switch act {
		case "flip":
			text := slices.Clone(one[name])
			text[rapid.IntRange(0, len(text)-1).Draw(r, "byte")] ^= byte(rapid.IntRange(1, 255).Draw(r, "bits"))
			one[name] = text
		case "remove line":
			one[name] = bytes.Join(slices.Delete(lines, i, i+1), nil)
		case "swap lines":
			lines[i], lines[j] = lines[j], lines[i]
			one[name] = bytes.Join(lines, nil)
		case "repeat line":
			one[name] = bytes.Join(slices.Insert(lines, j, lines[i]), nil)
		case "line of elsewhere":
			lines[i] = rapid.SampledFrom(one.lines(other)).Draw(r, "foreign")
			one[name] = bytes.Join(lines, nil)
		case "cut":
			one[name] = one[name][:rapid.IntRange(0, len(one[name])-1).Draw(r, "size")]
		case "remove segment":
			delete(one, name)
		case "swap segments":
			one[name], one[other] = one[other], one[name]
		case "repeat segment":
			one[other] = one[name]
		case "rename segment":
			one[segmentName(uint64(rapid.IntRange(61, 9999).Draw(r, "number")))] = one[name]
			delete(one, name)
		case "empty segment":
			one[name] = nil
		case "head":
			one[headName] = []byte(rapid.SampledFrom([]string{"", "x", point{7, hash{1}}.String(), point{60, hash{1}}.String()}).Draw(r, "head"))
		}
		if b := breaks(t, one, dir); b == "" {
			r.Fatalf("%s of %s, line %d: not found", act, name, i)
		}
	})
}

// forge changes an entry and makes every hash behind it right again, as somebody would who knows the form; head too, if asked.
func (f files) forge(t *testing.T, entry, again int, head bool) files {
	t.Helper()
	out := maps.Clone(f)
	var prev, newest hash
	changed, n := false, 0
	for _, name := range f.logs() {
		var text []byte
		for _, line := range f.lines(name) {
			body := line[:len(line)-1-tailLen]
			p, err := parseLine(line[:len(line)-1])
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == entry {
				body, changed, prev = bytes.Replace(body, []byte("mallory"), []byte("alice00"), 1), true, p.prev
			}
			if !changed || n > entry+again {
				text, prev, newest = append(text, line...), p.sum, p.sum
				continue
			}
			var v any = rawJSON(slices.Concat(body, []byte("}")))
			if text, prev, err = appendLine(text, v, prev); err != nil {
				t.Fatal(err)
			}
			newest = prev
		}
		out[name] = text
	}
	if head {
		p, _ := parsePoint(f[headName])
		out[headName] = []byte(point{p.seq, newest}.String())
	}
	return out
}

type rawJSON []byte

func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

func TestWhatEachCheckStops(t *testing.T) {
	f, dir := sample(t), filepath.Join(t.TempDir(), "log")
	l := open(t, filepath.Join(t.TempDir(), "x"), newClock())
	appendAll(t, l, 1, 1)
	noted := func(f files) string {
		f.store(t, dir)
		l := open(t, dir, newClock())
		defer shut(t, l)
		return verify(t, l).Head
	}
	// Its own hash made right: the next line's prev tells.
	if b := breaks(t, f.forge(t, 5, 0, false), dir); !strings.Contains(b, "does not follow") {
		t.Errorf("one forged line: %q", b)
	}
	// All behind it made right, too: head tells.
	if b := breaks(t, f.forge(t, 5, 1000, false), dir); !strings.Contains(b, "another than") {
		t.Errorf("a forged chain: %q", b)
	}
	// Head as well: nothing here can tell. This is the negative control of both, and what a Head noted elsewhere is for.
	forged := f.forge(t, 5, 1000, true)
	if b := breaks(t, forged, dir); b != "" {
		t.Errorf("a wholly forged log: %q", b)
	}
	if noted(forged) == noted(f) {
		t.Error("the forged log has the same head")
	}
}

func (f files) overwrite(t testing.TB, dir string) {
	t.Helper()
	for name, text := range f {
		if err := writeFile(filepath.Join(dir, name), text); err != nil {
			t.Fatal(err)
		}
	}
}

func TestALogWhoseSegmentsAreAllGoneIsBroken(t *testing.T) {
	f := sample(t)
	for _, name := range f.logs() {
		delete(f, name)
	}
	if b := breaks(t, f, filepath.Join(t.TempDir(), "log")); !strings.Contains(b, "entries 1 to 60 are missing") {
		t.Errorf("%q", b)
	}
}

func TestTamperingUnderARunningLogIsFound(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, newClock())
	appendAll(t, l, 1, 20)
	f := load(t, dir)
	name := segmentName(1)
	for i, text := range [][]byte{f[name][:len(f[name])-300], bytes.Replace(f[name], []byte("web-3"), []byte("web-4"), 1), nil} {
		files{name: text}.overwrite(t, dir)
		if b := verify(t, l).Broken; b == "" {
			t.Errorf("change %d is not found", i)
		}
	}
	files{name: f[name]}.overwrite(t, dir)
	if b := verify(t, l).Broken; b != "" {
		t.Error("the control is none:", b)
	}
}

func TestALogBrokenManyTimesStillTakesEntries(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	f := sample(t)
	for round := range 12 {
		name := f.logs()[len(f.logs())-1]
		f[name] = f[name][:len(f[name])-5] // each time the newest promised entry
		f.store(t, dir)
		l := open(t, dir, newClock())
		e := settled(t, l, denial(round))
		if got := find(t, l, api.Query{Words: []string{"vm web-" + fmt.Sprint(round)}}); len(got) == 0 || got[0] != e {
			t.Errorf("round %d: %+v is not found", round, e)
		}
		if verify(t, l).Broken == "" {
			t.Error("it is not said to be broken")
		}
		shut(t, l)
		f = load(t, dir)
	}
}
