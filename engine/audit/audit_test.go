package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"decenter/engine/api"
	"decenter/engine/match"
)

// clock is a hand-set clock.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func open(t testing.TB, dir string, c *clock) *Log {
	t.Helper()
	l, err := Open(Config{Dir: dir, Satellite: "s1", Now: c.now, Log: quiet(), MaxBytes: MinMaxBytes})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func denial(n int) api.AuditEntry {
	return api.AuditEntry{Account: "bc1qmallory", Via: "ssh", Action: "delete", Object: fmt.Sprintf("vm web-%d", n),
		Verdict: api.VerdictDeny, Reason: "it is not the account's"}
}

func read(account, object string) api.AuditEntry {
	return api.AuditEntry{Account: account, Via: "ssh", Action: ActionRead, Object: object, Verdict: api.VerdictAllow, Reason: "owner"}
}

func appendAll(t testing.TB, l *Log, from, to int) {
	t.Helper()
	for n := from; n <= to; n++ {
		settled(t, l, denial(n))
	}
}

// settled appends an entry and has it on the disk, however slow a busy machine's is.
func settled(t testing.TB, l *Log, e api.AuditEntry) api.AuditEntry {
	t.Helper()
	e, err := l.Append(e)
	for deadline := time.Now().Add(time.Minute); err != nil; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		done := l.done.seq >= e.Seq
		l.mu.Unlock()
		if api.CodeOf(err) != api.CodeUnavailable || time.Now().After(deadline) {
			t.Fatal(err)
		}
		if done {
			break
		}
	}
	return e
}

func verify(t testing.TB, l *Log) api.AuditChain {
	t.Helper()
	c, err := l.Verify(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func find(t testing.TB, l *Log, q api.Query) []api.AuditEntry {
	t.Helper()
	list, err := l.Find(context.Background(), q, 0)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func shut(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestADecisionIsFoundAfterARestart(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	l := open(t, dir, c)
	e := settled(t, l, denial(1))
	if e.Seq != 1 || e.Satellite != "s1" || !e.Time.Equal(c.now()) {
		t.Fatalf("%+v", e)
	}
	shut(t, l)
	l = open(t, dir, c)
	if got := find(t, l, api.Query{}); len(got) != 1 || got[0] != e {
		t.Errorf("found %+v, want %+v", got, e)
	}
	if e := settled(t, l, denial(2)); e.Seq != 2 {
		t.Errorf("the next entry has number %d", e.Seq)
	}
	chain := verify(t, l)
	if chain.Broken != "" || chain.Entries != 2 || chain.First != 1 || len(chain.Head) != 64 || chain.Satellite != "s1" {
		t.Errorf("%+v", chain)
	}
}

func TestTheChainGoesAcrossSegmentsAndItsBeginningIsDropped(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	l := open(t, dir, c)
	const n = 1500
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { appendAll(t, l, 1, n/8) })
	}
	wg.Wait()
	chain := verify(t, l)
	if chain.Broken != "" || chain.First == 1 || chain.First+chain.Entries-1 != n/8*8 {
		t.Errorf("%+v", chain)
	}
	shut(t, l)
	list, err := segments(dir)
	if err != nil || len(list) < 3 {
		t.Fatal(list, err)
	}
	total := int64(0)
	for _, s := range list {
		total += s.size
	}
	if total > MinMaxBytes {
		t.Errorf("%d bytes are kept, more than %d", total, MinMaxBytes)
	}
	if got := verify(t, open(t, dir, c)); got != chain {
		t.Errorf("after a restart %+v, before %+v", got, chain)
	}
}

func TestOneProcessWrites(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	open(t, dir, c)
	if _, err := Open(Config{Dir: dir, Satellite: "s1", Now: c.now, Log: quiet()}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Error(err)
	}
}

func TestReadsAreCountedInOneEntry(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	l := open(t, dir, c)
	for range 300 {
		if _, err := l.Append(read("bc1qalice", "vm web-1")); err != nil {
			t.Fatal(err)
		}
		c.advance(time.Second)
	}
	for _, other := range []api.AuditEntry{read("bc1qbob", "vm web-1"), read("bc1qalice", "satellites")} {
		if _, err := l.Append(other); err != nil {
			t.Fatal(err)
		}
	}
	got := find(t, l, api.Query{Words: []string{"alice", "vm"}})
	if len(got) != 1 || got[0].Count != 300 || got[0].Seq != 0 || got[0].Object != "vm web-1" {
		t.Errorf("while they are counted: %+v", got)
	}
	if _, err := l.Append(read("bc1qalice", "vm web-2")); err != nil {
		t.Fatal(err)
	}
	c.advance(ReadWindow)
	if e, err := l.Append(read("bc1qalice", "vm web-1")); err != nil || e.Count != 0 {
		t.Errorf("the next window begins with %+v, %v", e, err)
	}
	shut(t, l)
	l = open(t, dir, c)
	got = find(t, l, api.Query{Words: []string{"alice", "vm"}})
	if len(got) != 2 || got[1].Count != 301 || got[1].Object != "vm" || got[1].Seq == 0 || got[0].Count != 0 {
		t.Errorf("written: %+v", got)
	}
	if chain := verify(t, l); chain.Broken != "" || chain.Entries != 4 {
		t.Errorf("%+v", chain)
	}
}

func TestADeniedReadIsWrittenAtOnce(t *testing.T) {
	l := open(t, t.TempDir(), newClock())
	e := read("bc1qmallory", "vm web-1")
	e.Verdict = api.VerdictDeny
	for range 2 {
		if e := settled(t, l, e); e.Seq == 0 {
			t.Errorf("%+v", e)
		}
	}
}

func TestTheTableOfReadsIsBounded(t *testing.T) {
	l := open(t, t.TempDir(), newClock())
	for n := range MaxReads + 10 {
		if _, err := l.Append(read(fmt.Sprint("account-", n), "vm")); err != nil {
			t.Fatal(err)
		}
	}
	l.mu.Lock()
	groups, order := len(l.reads.groups), len(l.reads.order)
	l.mu.Unlock()
	if groups != MaxReads || order != MaxReads {
		t.Errorf("%d groups, %d in order", groups, order)
	}
	appendAll(t, l, 1, 1) // on the disk after what went before
	if chain := verify(t, l); chain.Entries != 11 {
		t.Errorf("%d entries were written, want the 10 oldest groups and one more", chain.Entries)
	}
}

func TestFind(t *testing.T) {
	c := newClock()
	l := open(t, t.TempDir(), c)
	for n := 1; n <= 600; n++ {
		settled(t, l, denial(n))
		c.advance(time.Minute)
	}
	f := func(key string, values ...string) api.Query {
		return api.Query{Filters: []api.Filter{{Key: key, Values: values}}}
	}
	for _, w := range []struct {
		q           api.Query
		limit, want int
	}{
		{api.Query{}, 0, 600},
		{api.Query{}, 7, 7},
		{api.Query{Limit: 3}, 7, 3},
		{api.Query{Words: []string{"MALLORY", "web-600"}}, 0, 1},
		{f(api.KeySince, "2h"), 0, 120},
		{f(api.KeySince, "2026-03-01"), 0, 600},
		{f(api.KeySince, "2026-03-01T21:59:00Z"), 0, 1},
		{f(api.KeyObject, "vm web-59*"), 0, 11},
		{f(api.KeyVerdict, "allow"), 0, 0},
	} {
		got, err := l.Find(context.Background(), w.q, w.limit)
		if err != nil || len(got) != w.want {
			t.Errorf("%+v: %d entries, want %d (%v)", w.q, len(got), w.want, err)
		}
		for i := 1; i < len(got); i++ {
			if got[i].Seq >= got[i-1].Seq {
				t.Fatalf("%+v: not the newest first", w.q)
			}
		}
	}
	if _, err := l.Find(context.Background(), f(api.KeySince, "yesterday"), 0); api.CodeOf(err) != api.CodeInvalid {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := l.Find(ctx, api.Query{}, 0); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := l.Verify(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestLongTextsAreCutAndHoldTheLine(t *testing.T) {
	l := open(t, t.TempDir(), newClock())
	long := strings.Repeat("\x00\"ä\n", 10_000)
	e := settled(t, l, api.AuditEntry{Account: long, Key: long, Via: long, Action: long, Object: long, Reason: long, Verdict: api.Verdict(long)})
	if len(e.Reason) > maxReason || !strings.HasSuffix(e.Reason, "…") {
		t.Error(len(e.Reason))
	}
	if got := find(t, l, api.Query{}); len(got) != 1 || got[0] != e {
		t.Error("it does not come back as Append gave it")
	}
	if chain := verify(t, l); chain.Broken != "" {
		t.Error(chain.Broken)
	}
	if info, err := os.Stat(filepath.Join(l.dir, segmentName(1))); err != nil || info.Size() > maxLine+maxHeader {
		t.Error(info.Size(), err)
	}
}

// TestPassingOverLinesLosesNone holds Find against reading every entry.
func TestPassingOverLinesLosesNone(t *testing.T) {
	c := newClock()
	l := open(t, t.TempDir(), c)
	texts := []string{"web", "WEB<1>", "a&b", `q"q`, "Ä\u2028", "\u212aelvin", "İ", "x*y", "\\", "", "vm web"}
	for n := range 200 {
		e := denial(n)
		e.Object, e.Reason, e.Account = texts[n%len(texts)], texts[n/3%len(texts)], texts[n/7%len(texts)]
		settled(t, l, e)
	}
	all := find(t, l, api.Query{})
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.SampledFrom(append(texts, "w*", "*b*", "k", "kelvin", "i", "none", "deny")).Draw(r, "text")
		q := api.Query{Words: []string{text}}
		if rapid.Bool().Draw(r, "filter") {
			key := rapid.SampledFrom([]string{api.KeyObject, api.KeyReason, api.KeyAccount}).Draw(r, "key")
			q = api.Query{Filters: []api.Filter{{Key: key, Values: []string{text}, Not: rapid.Bool().Draw(r, "not")}}}
		}
		filter, err := match.Audit(q, c.now())
		if err != nil {
			r.Fatal(err)
		}
		want := slices.DeleteFunc(slices.Clone(all), func(e api.AuditEntry) bool { return !filter.Match(e) })
		if got := find(t, l, q); !slices.Equal(got, want) {
			r.Fatalf("%d entries, want %d", len(got), len(want))
		}
	})
}

func TestASegmentThatCannotBeReadIsABreak(t *testing.T) {
	sampled := sample(t)
	for _, name := range sampled.logs() {
		f, dir := maps.Clone(sampled), filepath.Join(t.TempDir(), "log")
		delete(f, name)
		f.store(t, dir)
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil { // reading it gives an error
			t.Fatal(err)
		}
		l := open(t, dir, newClock())
		appendAll(t, l, 1, 1)
		if chain := verify(t, l); !strings.Contains(chain.Broken, "directory") {
			t.Errorf("%+v", chain)
		}
		if got := find(t, l, api.Query{}); len(got) < 10 {
			t.Errorf("only %d entries are found around it", len(got))
		}
		shut(t, l)
		l = open(t, dir, newClock())
		if again := find(t, l, api.Query{Words: []string{"found broken at opening"}}); len(again) != 1 {
			t.Errorf("%s: it is said %d times", name, len(again))
		}
		shut(t, l)
	}
}
