package audit

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
)

func writeFile(name string, text []byte) error { return os.WriteFile(name, text, 0o600) }

func FuzzLine(f *testing.F) {
	e := denial(1)
	e.Seq, e.Time, e.Satellite = 1, time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), "s1"
	one, sum, err := appendLine(nil, record{1, e.Time, e}, hash{})
	if err != nil {
		f.Fatal(err)
	}
	two, _, err := appendLine(nil, header{Audit: version, Satellite: "s1", First: 2, Oldest: 1, Time: e.Time, Broken: []string{"x"}}, sum)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytes.TrimSuffix(one, []byte("\n")))
	f.Add(bytes.TrimSuffix(two, []byte("\n")))
	f.Add([]byte(strings.Repeat("0", tailLen)))
	f.Add([]byte(`{"seq":1,"time":"`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := parseLine(text)
		if err != nil || l.header != nil {
			return
		}
		e, err := parseEntry(text)
		if err != nil {
			return // its texts are the writer's business: the chain holds
		}
		again, _, err := appendLine(nil, record{e.Seq, e.Time, e}, l.prev)
		if err != nil {
			t.Fatal(err)
		}
		back, err := parseLine(again[:len(again)-1])
		if err != nil || back.seq != e.Seq || back.prev != l.prev {
			t.Fatalf("%q became %q: %v", text, again, err)
		}
		if f, err := parseEntry(again); err != nil || f != e {
			t.Fatalf("%+v became %+v: %v", e, f, err)
		}
	})
}

// FuzzEntry gives any texts to the writer: what it writes reads back and holds.
func FuzzEntry(f *testing.F) {
	f.Add("bc1q", "SHA256:x", "ssh", "delete", "vm \x00", "\xff\u2028\"<", int64(0), 3)
	f.Fuzz(func(t *testing.T, account, key, via, action, object, reason string, at int64, count int) {
		e := bounded(api.AuditEntry{Satellite: "s1", Account: account, Key: key, Via: via, Action: action, Object: object, Reason: reason,
			Verdict: api.VerdictDeny, Count: count})
		e.Seq, e.Time = 7, time.Unix(at%1e11, 0).UTC()
		text, sum, err := appendLine(nil, record{e.Seq, e.Time, e}, hash{1})
		if err != nil {
			return // a year that JSON does not have
		}
		if len(text) > maxLine || bytes.IndexByte(text, '\n') != len(text)-1 {
			t.Fatalf("a line of %d bytes", len(text))
		}
		l, err := parseLine(text[:len(text)-1])
		if err != nil || l.sum != sum || l.prev != (hash{1}) || l.seq != 7 || !l.time.Equal(e.Time) {
			t.Fatalf("%+v, %v", l, err)
		}
		back, err := parseEntry(text)
		if err != nil || back != e {
			t.Fatalf("%+v, %v", back, err)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	l := open(b, b.TempDir(), newClock())
	b.SetParallelism(64)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if _, err := l.Append(denial(1)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkAppendOneByOne(b *testing.B) {
	l := open(b, b.TempDir(), newClock())
	for b.Loop() {
		if _, err := l.Append(denial(1)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCountedRead(b *testing.B) {
	l := open(b, b.TempDir(), newClock())
	for b.Loop() {
		if _, err := l.Append(read("bc1qalice", "vm web-1")); err != nil {
			b.Fatal(err)
		}
	}
}

// bigLog has some megabytes.
func bigLog(b *testing.B) *Log {
	l := open(b, b.TempDir(), newClock())
	l.maxBytes, l.perFile = 64<<20, maxSegment
	for n := range 40_000 {
		l.mu.Lock()
		_, err := l.enqueue(denial(n))
		l.mu.Unlock()
		if err != nil {
			b.Fatal(err)
		}
		if n%1000 == 999 {
			appendAll(b, l, 1, 1)
		}
	}
	return l
}

func BenchmarkVerify(b *testing.B) {
	l := bigLog(b)
	total := int64(0)
	for _, s := range l.segs {
		total += s.size
	}
	b.SetBytes(total)
	for b.Loop() {
		if c := verify(b, l); c.Broken != "" {
			b.Fatal(c.Broken)
		}
	}
}

func BenchmarkFindNothing(b *testing.B) {
	l := bigLog(b)
	total := int64(0)
	for _, s := range l.segs {
		total += s.size
	}
	b.SetBytes(total)
	for b.Loop() {
		if _, err := l.Find(context.Background(), api.Query{Words: []string{"no such text"}}, 0); err != nil {
			b.Fatal(err)
		}
	}
}
