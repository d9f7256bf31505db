package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"math/big"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// sent is a request as it arrives: what an attacker may choose of it.
type sent struct {
	header []byte
	from   ed25519.PublicKey
	method string
	body   [32]byte
	at     time.Time
}

func (s *satellite) hears(q sent) (Session, error) {
	session, _, err := s.Verify(q.header, q.from, q.method, q.body, took{}, q.at)
	return session, err
}

// stage is s1, where alice is logged in, and s2, which shall act; each without some checks.
type stage struct {
	s1, s2 *satellite
	good   sent // alice's request to s2
}

func newStage(t testing.TB, without check) *stage {
	t.Helper()
	st := &stage{s1: newSatellite(1).skips(without), s2: newSatellite(2).skips(without)}
	st.good = st.ask(t, alice.login(st.s1.id, laptop, noon), noon)
	return st
}

func (st *stage) ask(t testing.TB, p api.Proof, at time.Time) sent {
	t.Helper()
	h, err := st.s1.Append(nil, p, st.s2.id, "Delete", deleteBody, at)
	if err != nil {
		t.Fatal(err)
	}
	return sent{h, st.s1.public, "Delete", deleteBody, at}
}

// changed is a header after a change of its parts.
func changed(t testing.TB, text []byte, change func(*header)) []byte {
	t.Helper()
	h, ok := parse(text)
	if !ok {
		t.Fatal("the header does not parse")
	}
	change(&h)
	return h.append(nil)
}

func TestARequestIsCarriedOutForItsAccount(t *testing.T) {
	st := newStage(t, 0)
	if s, p, err := st.s2.Verify(st.good.header, st.good.from, "Delete", deleteBody, took{}, noon.Add(time.Second)); err != nil || s.Account != alice.account ||
		p != alice.login(st.s1.id, laptop, noon) {
		t.Fatalf("%+v, %+v, %v", s, p, err)
	}
	if skew := st.s2.Skews()[st.s1.id]; skew != -time.Second {
		t.Errorf("the clock of s1 is said to differ by %v", skew)
	}
	// A delegation to a satellite's own key lets its root act elsewhere.
	if s, err := st.s2.hears(st.ask(t, alice.delegates(st.s1.id, statement.Operate, noon, noon.Add(time.Hour)), noon)); err != nil || s.Scope != api.ScopeOperate {
		t.Errorf("%+v, %v", s, err)
	}
	// What went on is over when its session is.
	p := alice.login(st.s1.id, laptop, noon)
	if err := st.s2.Still(p, st.s1.public, took{}, noon.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	refusedBecause(t, st.s2.Still(p, st.s1.public, took{{Account: alice.account, At: noon}}, noon), api.CodeDenied)
	refusedBecause(t, st.s2.Still(p, st.s1.public, took{}, noon.Add(13*time.Hour)), api.CodeDenied)
}

// TestAttacksOnRequests: each with what stops it; a satellite without that does what the attacker wants.
func TestAttacksOnRequests(t *testing.T) {
	for _, c := range []struct {
		name    string
		stopped check
		code    api.Code
		attack  func(*testing.T, *stage) sent
	}{
		{"a request for another satellite, brought to this one", fieldTo, api.CodeDenied, func(t *testing.T, st *stage) sent {
			q := st.good
			var err error
			q.header, err = st.s1.Append(nil, alice.login(st.s1.id, laptop, noon), newSatellite(3).id, "Delete", deleteBody, noon)
			if err != nil {
				t.Fatal(err)
			}
			return q
		}},
		{"another satellite's request, relayed by one that saw it", checkRequest | checkSatellite, api.CodeDenied, func(_ *testing.T, st *stage) sent {
			q := st.good
			q.from = newSatellite(3).public
			return q
		}},
		{"an account's proof, taken from another satellite's request", checkSatellite, api.CodeDenied, func(t *testing.T, st *stage) sent {
			return st.ask(t, alice.login(newSatellite(3).id, laptop, noon), noon)
		}},
		{"another method", fieldMethod, api.CodeDenied, func(_ *testing.T, st *stage) sent {
			q := st.good
			q.method = "Control"
			return q
		}},
		{"another VM's console", fieldMethod, api.CodeDenied, func(t *testing.T, st *stage) sent {
			q := st.good
			var err error
			if q.header, err = st.s1.Append(nil, alice.login(st.s1.id, laptop, noon), st.s2.id, "Console web-1", deleteBody, noon); err != nil {
				t.Fatal(err)
			}
			q.method = "Console web-2"
			return q
		}},
		{"another body", fieldBody, api.CodeDenied, func(_ *testing.T, st *stage) sent {
			q := st.good
			q.body[0]++
			return q
		}},
		{"another account's proof in its place", fieldProof, api.CodeDenied, func(t *testing.T, st *stage) sent {
			q := st.ask(t, mallory.login(st.s1.id, laptop, noon), noon)
			q.header = changed(t, q.header, func(h *header) {
				p := alice.login(st.s1.id, laptop, noon)
				h.line, h.signed = p.Line, p.Signature
			})
			return q
		}},
		{"another SSH key in its place", fieldProof, api.CodeDenied, func(t *testing.T, st *stage) sent {
			q := st.ask(t, with(alice.delegates(laptop, statement.All, noon, noon.Add(time.Hour)), phone), noon)
			q.header = changed(t, q.header, func(h *header) { h.key = laptop })
			return q
		}},
		{"a replay", checkReplay, api.CodeDenied, func(t *testing.T, st *stage) sent {
			if _, err := st.s2.hears(st.good); err != nil {
				t.Fatal(err)
			}
			q := st.good
			q.at = noon.Add(MaxSkew)
			return q
		}},
		{"a replay with a nonce of the attacker's", checkRequest, api.CodeDenied, func(t *testing.T, st *stage) sent {
			if _, err := st.s2.hears(st.good); err != nil {
				t.Fatal(err)
			}
			q := st.good
			q.header = changed(t, q.header, func(h *header) { h.nonce[0]++ })
			return q
		}},
		{"a stale request", checkFresh | checkForgotten, api.CodeDenied, func(_ *testing.T, st *stage) sent {
			q := st.good
			q.at = noon.Add(MaxSkew + 1)
			return q
		}},
		{"a request with its time made young", checkRequest, api.CodeDenied, func(t *testing.T, st *stage) sent {
			q := st.good
			q.at = noon.Add(time.Minute)
			q.header = changed(t, q.header, func(h *header) { h.time = q.at.UnixNano() })
			return q
		}},
		{"a request from the future", checkFresh, api.CodeDenied, func(t *testing.T, st *stage) sent {
			q := st.ask(t, alice.login(st.s1.id, laptop, noon.Add(-time.Hour)), noon)
			q.at = noon.Add(-MaxSkew - 1)
			return q
		}},
		{"a replay after the engine was restarted", checkForgotten, api.CodeUnavailable, func(t *testing.T, st *stage) sent {
			if _, err := st.s2.hears(st.good); err != nil {
				t.Fatal(err)
			}
			without := st.s2.Verifier.without
			st.s2.Verifier = NewVerifier(st.s2.id, st.s2.judge, noon.Add(time.Second))
			st.s2.skips(without)
			q := st.good
			q.at = noon.Add(2 * time.Second)
			return q
		}},
		{"a replay after the clock was set back", checkForgotten, api.CodeUnavailable, func(t *testing.T, st *stage) sent {
			if _, err := st.s2.hears(st.good); err != nil {
				t.Fatal(err)
			}
			if _, err := st.s2.hears(st.ask(t, alice.login(st.s1.id, laptop, noon), noon.Add(time.Hour))); err != nil {
				t.Fatal(err)
			}
			return st.good
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := newStage(t, 0)
			_, err := st.s2.hears(c.attack(t, st))
			refusedBecause(t, err, c.code)
			st = newStage(t, c.stopped)
			if s, err := st.s2.hears(c.attack(t, st)); err != nil || s.Account != alice.account {
				t.Errorf("something else stops it, too: %+v, %v", s, err)
			}
		})
	}
}

// malleated gives the other BIP-137 signature of the same message: s and n-s both verify.
func malleated(t *testing.T, signature string) string {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || len(raw) != 65 {
		t.Fatalf("%d bytes, %v", len(raw), err)
	}
	order, _ := new(big.Int).SetString("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", 16)
	s := new(big.Int).SetBytes(raw[33:])
	s.Sub(order, s).FillBytes(raw[33:])
	raw[0] = 31 + ((raw[0] - 31) ^ 1)
	return base64.StdEncoding.EncodeToString(raw)
}

// TestAMalleatedSignatureMakesNothingNew: neither an account, nor a session, nor a request that was not made before.
func TestAMalleatedSignatureMakesNothingNew(t *testing.T) {
	old := newPerson(3, keys.P2PKH)
	run := func(without check) (again Session, err error) {
		st := newStage(t, without)
		p := old.login(st.s1.id, laptop, noon)
		other := p
		other.Signature = malleated(t, p.Signature)
		first := st.ask(t, p, noon)
		s, err := st.s2.hears(first)
		if err != nil {
			t.Fatal(err)
		}
		if also, err := st.s2.judge.Check(other, st.s1.id, took{}, noon); err != nil || also != s {
			t.Fatalf("the other signature is %+v, %v; the first was %+v", also, err, s)
		}
		first.header = changed(t, first.header, func(h *header) { h.signed = other.Signature })
		return st.s2.hears(first)
	}
	_, err := run(0)
	refusedBecause(t, err, api.CodeDenied)
	_, err = run(fieldProof) // the request's signature does not see it: the nonce still does
	refusedBecause(t, err, api.CodeDenied)
	if s, err := run(fieldProof | checkReplay); err != nil || s.Account != old.account {
		t.Errorf("something else stops it, too: %v", err)
	}
}

func TestOneOfManyAtOnceIsCarriedOut(t *testing.T) {
	st := newStage(t, 0)
	var done atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := st.s2.hears(st.good); err == nil {
				done.Add(1)
			}
		})
	}
	wg.Wait()
	if done.Load() != 1 {
		t.Errorf("it was carried out %d times", done.Load())
	}
}

// TestNothingIsRememberedOfWhatIsNotSigned: strangers to a request cannot use its nonce up, nor fill the table.
func TestNothingIsRememberedOfWhatIsNotSigned(t *testing.T) {
	st := newStage(t, 0)
	q := st.good
	q.from = newSatellite(3).public
	if _, err := st.s2.hears(q); err == nil {
		t.Error("accepted")
	}
	if n := len(st.s2.nonces.askers); n != 0 {
		t.Errorf("%d are remembered", n)
	}
	if _, err := st.s2.hears(st.good); err != nil {
		t.Error(err)
	}
}

func TestADifferenceOfClocksIsToldInSeconds(t *testing.T) {
	st := newStage(t, 0)
	for at, want := range map[time.Duration]string{42 * time.Second: "42.0 s behind", -90 * time.Second: "90.0 s ahead of"} {
		q := st.good
		q.at = noon.Add(at)
		_, err := st.s2.hears(q)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), st.s1.id.String()) {
			t.Errorf("after %v: %v", at, err)
		}
		if got := st.s2.Skews()[st.s1.id]; got != -at {
			t.Errorf("reported is %v", got)
		}
	}
}

func TestHeadersThatAreNone(t *testing.T) {
	st := newStage(t, 0)
	good := st.good.header
	long := bytes.Repeat([]byte("A"), MaxHeader+1)
	for name, text := range map[string][]byte{
		"none": nil, "garbage": []byte("Bearer 12345"), "oversized": long, "of the greatest size": long[:MaxHeader],
		"with an end of line": append(good[:10:10], append([]byte("\r\n"), good[10:]...)...),
		"padded":              append(good[:len(good):len(good)], '='),
		"with more behind":    append(good[:len(good):len(good)], good[:4]...),
		"another version":     append([]byte("Ag"), good[2:]...),
	} {
		q := st.good
		q.header = text
		_, err := st.s2.hears(q)
		t.Run(name, func(t *testing.T) { refusedBecause(t, err, api.CodeDenied) })
	}
	for n := range good {
		q := st.good
		q.header = good[:n]
		if _, err := st.s2.hears(q); err == nil {
			t.Fatalf("cut after %d bytes it is accepted", n)
		}
	}
	for n := range good { // every letter counts
		q := st.good
		q.header = bytes.Clone(good)
		q.header[n] ^= 1
		if _, err := st.s2.hears(q); err == nil {
			t.Fatalf("with another letter at %d it is accepted", n)
		}
	}
	if _, err := st.s2.hears(st.good); err != nil {
		t.Errorf("and the good one: %v", err)
	}
}

func TestWhatASatelliteDoesNotSign(t *testing.T) {
	s1 := newSatellite(1)
	for name, p := range map[string]api.Proof{
		"root's":                 {},
		"a line of two":          {Line: "a\nb", Signature: "x"},
		"a signature of none":    {Line: "a"},
		"a signature in letters": {Line: "a", Signature: strings.Repeat("ä", 10)},
		"a key in words":         {Line: "a", Signature: "b", Key: "laptop"},
		"one too long":           {Line: strings.Repeat("a", 241), Signature: "b"},
	} {
		_, err := s1.Append(nil, p, laptop, "Hello", [32]byte{}, noon)
		t.Run(name, func(t *testing.T) { refusedBecause(t, err, api.CodeDenied) })
	}
}
