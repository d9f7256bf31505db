package proof

import (
	"bytes"
	"testing"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

func TestTheLongestHeaderIsAsLongAsItSays(t *testing.T) {
	h := header{key: laptop, vouched: statement.Vouched{1}, line: string(bytes.Repeat([]byte("l"), keys.MaxChallenge)), signed: string(bytes.Repeat([]byte("s"), keys.MaxSignature))}
	text := h.append(nil)
	if back, ok := parse(text); len(text) != MaxHeader || !ok || back != h {
		t.Errorf("%d bytes, at most %d; read back: %v", len(text), MaxHeader, ok)
	}
}

func FuzzHeader(f *testing.F) {
	st := newStage(f, 0)
	f.Add(st.good.header)
	f.Add(changed(f, st.ask(f, alice.login(st.s1.id, none, noon), noon).header, func(h *header) { h.nonce[0]++ }))
	f.Add(header{line: "a", signed: "b"}.append(nil))
	f.Add(header{key: laptop, vouched: statement.Vouched{2}, line: "a", signed: "b"}.append(nil))
	f.Add([]byte("AQ"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		h, ok := parse(text)
		if !ok {
			return
		}
		if again := h.append(nil); !bytes.Equal(again, text) {
			t.Fatalf("%q was read from %q", again, text)
		}
		q := st.good
		q.header, q.from = text, newSatellite(9).public // who signed none of the seeds
		if _, err := st.s2.hears(q); err == nil {
			t.Fatal("a header that its bringer did not sign was accepted")
		}
	})
}

func BenchmarkSign(b *testing.B) {
	st := newStage(b, 0)
	p := alice.login(st.s1.id, laptop, noon)
	var buf []byte
	for b.Loop() {
		var err error
		if buf, err = st.s1.Append(buf[:0], p, st.s2.id, "Delete", deleteBody, noon); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(buf)), "header-B")
}

// BenchmarkVerify judges one request after the other of a login that is known, or of one that is not.
func BenchmarkVerify(b *testing.B) {
	for _, c := range []struct {
		name string
		p    func(*stage) api.Proof
	}{
		{"p2wpkh", func(st *stage) api.Proof { return alice.login(st.s1.id, laptop, noon) }},
		{"p2pkh", func(st *stage) api.Proof { return newPerson(3, keys.P2PKH).login(st.s1.id, laptop, noon) }},
	} {
		for _, warm := range []bool{false, true} {
			name := c.name + "/cold"
			if warm {
				name = c.name + "/warm"
			}
			b.Run(name, func(b *testing.B) {
				st := newStage(b, checkReplay) // one request serves for all; a nonce's cost is the table's
				q := st.ask(b, c.p(st), noon)
				for b.Loop() {
					if !warm {
						st.s2.judge.verified = newCache(maxVerified)
					}
					if _, err := st.s2.hears(q); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
