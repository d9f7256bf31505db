package audit

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
)

// files is a closed log's folder in memory.
type files map[string][]byte

func load(t testing.TB, dir string) files {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := files{}
	for _, e := range all {
		if f[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f files) store(t testing.TB, dir string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range f {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// halfWritten gives a log of eight entries whose last three were being written: head still promises five. good is where the fifth ends.
func halfWritten(t testing.TB) (f files, name string, good int) {
	dir, c := t.TempDir(), newClock()
	l := open(t, dir, c)
	appendAll(t, l, 1, 5)
	before := load(t, dir)
	appendAll(t, l, 6, 8)
	shut(t, l)
	f, name = load(t, dir), segmentName(1)
	f[headName] = before[headName]
	return f, name, len(before[name])
}

func TestAKillAtEveryByteOfTheLastEntriesIsRecovered(t *testing.T) {
	f, name, good := halfWritten(t)
	whole, dir, c := f[name], filepath.Join(t.TempDir(), "log"), newClock()
	points := 0
	for n := good; n <= len(whole); n++ {
		points++
		f[name] = whole[:n]
		f.store(t, dir)
		lines := strings.Count(string(whole[:n]), "\n") - 1 // without the header
		torn := n > 0 && whole[n-1] != '\n'
		if torn != isTorn(t, dir) {
			t.Fatalf("cut at %d: without the recovery the chain holds, or the control is none", n)
		}
		l := open(t, dir, c)
		appendAll(t, l, 9, 9)
		chain := verify(t, l)
		want := lines + 1
		if torn {
			want++
		}
		if chain.Broken != "" || chain.Entries != uint64(want) {
			t.Fatalf("cut at %d: %+v, want %d entries", n, chain, want)
		}
		if said := len(find(t, l, api.Query{Words: []string{"half-written"}})); (said == 1) != torn {
			t.Fatalf("cut at %d: the cut was said %d times", n, said)
		}
		shut(t, l)
	}
	if points < 48 {
		t.Errorf("only %d points", points)
	}
	t.Logf("%d kill points", points)
}

// isTorn is the negative control: what the chain looks like when nothing is cut off.
func isTorn(t *testing.T, dir string) bool {
	list, err := segments(dir)
	if err != nil {
		t.Fatal(err)
	}
	w, err := walkAll(context.Background(), dir, list, point{})
	if err != nil {
		t.Fatal(err)
	}
	return len(w.breaks) > 0
}

func TestGarbageBehindThePromisedEntriesIsCutOff(t *testing.T) {
	// A power cut may leave any bytes where a write was under way, whole lines among them.
	f, name, good := halfWritten(t)
	dir, c := filepath.Join(t.TempDir(), "log"), newClock()
	for what, tail := range map[string]string{
		"zeros":            strings.Repeat("\x00", 4096),
		"lines of garbage": strings.Repeat("garbage\n", 9),
		"a long line":      strings.Repeat("x", 3*maxLine),
		"a long line, and": strings.Repeat("x", 3*maxLine) + "\nmore\n",
		"an old line":      string(f[name][strings.Index(string(f[name]), "\n")+1 : good]),
	} {
		f[name] = append(f[name][:good:good], tail...)
		f.store(t, dir)
		l := open(t, dir, c)
		appendAll(t, l, 6, 6)
		if chain := verify(t, l); chain.Broken != "" || chain.Entries != 7 {
			t.Errorf("%s: %+v", what, chain)
		}
		shut(t, l)
	}
}

func TestWhatWasPromisedAndIsGoneIsSaidOnceAndForAll(t *testing.T) {
	f, name, good := halfWritten(t)
	header := strings.Index(string(f[name]), "\n") + 1
	whole, dir, c := f[name], filepath.Join(t.TempDir(), "log"), newClock()
	for n := 0; n < good; n += 7 {
		f[name] = whole[:n]
		f.store(t, dir)
		first := ""
		for round := range 3 {
			l := open(t, dir, c)
			appendAll(t, l, 1, 1)
			chain := verify(t, l)
			if chain.Broken == "" {
				t.Fatalf("cut at %d, round %d: not said", n, round)
			}
			if round == 0 {
				first = chain.Broken
			} else if chain.Broken != first {
				t.Fatalf("cut at %d, round %d: %q was %q", n, round, chain.Broken, first)
			}
			if said := find(t, l, api.Query{Words: []string{"broken"}, Filters: []api.Filter{{Key: api.KeyVerdict, Values: []string{"deny"}}, {Key: api.KeyAction, Values: []string{"audit"}}}}); len(said) != 1 {
				t.Fatalf("cut at %d (header %d), round %d: said %d times: %+v", n, header, round, len(said), said)
			}
			shut(t, l)
		}
	}
}

func TestAKilledDropIsFinished(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	l := open(t, dir, c)
	l.perFile, l.maxBytes = 4<<10, 16<<10
	appendAll(t, l, 1, 20)
	before := load(t, dir)
	for n := 21; len(load(t, dir)) >= len(before) && load(t, dir)[segmentName(1)] != nil; n++ {
		before = load(t, dir)
		appendAll(t, l, n, n)
	}
	shut(t, l)
	f := load(t, dir)
	f[segmentName(1)] = before[segmentName(1)] // the kill came before it was removed
	f[segmentName(9999)+tmpEnd] = []byte("half a header")
	f.store(t, dir)
	l = open(t, dir, c)
	if chain := verify(t, l); chain.Broken != "" || chain.First == 1 {
		t.Errorf("%+v", chain)
	}
	if _, err := os.Stat(filepath.Join(dir, segmentName(9999)+tmpEnd)); !os.IsNotExist(err) {
		t.Error("the leftover is still there:", err)
	}
}

// writerEnv names the folder of the log that this program's other life writes to.
const writerEnv = "DECENTER_AUDIT_WRITER"

// TestMain is also the process that TestKillMinusNineLosesNothingThatWasPromised kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(writerEnv); dir != "" {
		write(dir)
	}
	os.Exit(m.Run())
}

// write appends until it is killed, and tells what was promised.
func write(dir string) {
	l, err := Open(Config{Dir: dir, Satellite: "s1", Now: time.Now, Log: quiet(), MaxBytes: MinMaxBytes * 16})
	if err != nil {
		panic(err)
	}
	for n := 1; ; n++ {
		e, err := l.Append(denial(n))
		if err != nil {
			panic(err)
		}
		fmt.Println("promised", e.Seq)
	}
}

func TestKillMinusNineLosesNothingThatWasPromised(t *testing.T) {
	dir := t.TempDir()
	promised := uint64(0)
	for round := range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writerEnv+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		killed := false
		for in := bufio.NewScanner(out); in.Scan(); {
			text, ok := strings.CutPrefix(in.Text(), "promised ")
			if !ok {
				continue
			}
			if promised, err = strconv.ParseUint(text, 10, 64); err != nil {
				t.Fatal(err)
			}
			if !killed && promised > uint64(round+1)*150 {
				killed = true
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
		if !killed {
			t.Fatal("the child ended by itself")
		}
	}
	l, err := Open(Config{Dir: dir, Satellite: "s1", Now: time.Now, Log: quiet(), MaxBytes: MinMaxBytes * 16})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	chain := verify(t, l)
	if chain.Broken != "" || chain.First != 1 || chain.Entries < promised {
		t.Errorf("%+v, but %d were promised", chain, promised)
	}
}
