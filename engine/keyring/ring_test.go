package keyring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"math/rand/v2"

	"decenter/keys"
)

// dice are a test's: of one seed.
func dice(seed uint64) *rand.ChaCha8 {
	return rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1})
}

func fp(n byte) keys.Fingerprint { return keys.Fingerprint{n, 1} }

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func advance(t *testing.T, r *Ring, now time.Time, live ...keys.Fingerprint) Effects {
	t.Helper()
	e, err := r.Advance(now, live, dice(uint64(r.self[0])*7919+uint64(now.Unix())))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// tell lets one ring hear of another as an exchange would.
func tell(now time.Time, from, to *Ring) {
	if from.Basis() == to.Basis() {
		to.Heard(now, from.self, Telling{Lone: from.Lone(), Have: from.Have(), Retired: from.Retired(), Keys: from.Give(to.Have())})
	}
}

func meet(now time.Time, a, b *Ring) {
	aLone, bLone := a.Lone(), b.Lone()
	for range 2 {
		if a.Basis() != b.Basis() {
			return
		}
		fromA := Telling{Lone: aLone, Have: a.Have(), Retired: a.Retired(), Keys: a.Give(b.Have())}
		b.Heard(now, a.self, fromA)
		a.Heard(now, b.self, Telling{Lone: bLone, Have: b.Have(), Retired: b.Retired(), Keys: b.Give(a.Have())})
		aLone, bLone = a.Lone(), b.Lone()
	}
}

func primary(t *testing.T, r *Ring) ID {
	t.Helper()
	k, _, ok := r.Primary()
	if !ok {
		t.Fatal("no primary")
	}
	return k.ID()
}

func TestTwoAloneThatMeetEndWithOneKey(t *testing.T) {
	a, b := New(fp(1)), New(fp(2))
	if e := advance(t, a, start); !e.Minted {
		t.Fatal("a fresh satellite minted no key")
	}
	advance(t, b, start.Add(-300*time.Hour)) // its clock is far off
	meet(start, a, b)
	advance(t, a, start, b.self)
	advance(t, b, start, a.self)
	if primary(t, a) != primary(t, b) || len(a.Have()) != 2 || !slices.Equal(a.Have(), b.Have()) {
		t.Errorf("a has %v and uses %v; b has %v and uses %v", a.Have(), a.primary, b.Have(), b.primary)
	}
}

func TestANewcomerTakesTheConstellationsKeys(t *testing.T) {
	a, b, fresh := New(fp(1)), New(fp(2)), New(fp(3))
	advance(t, a, start)
	advance(t, b, start)
	meet(start, a, b)
	advance(t, a, start, b.self)
	was := primary(t, a)
	advance(t, fresh, start.Add(time.Hour)) // the newest key of all
	meet(start.Add(time.Hour), fresh, a)
	advance(t, a, start.Add(time.Hour), b.self)
	advance(t, fresh, start.Add(time.Hour))
	if primary(t, fresh) != was || primary(t, a) != was || len(fresh.Have()) != 2 {
		t.Errorf("the newcomer uses %v of %v, the constellation %v", primary(t, fresh), fresh.Have(), primary(t, a))
	}
}

// TestALostAnswerLeavesNobodyDeaf: the first of two lone satellites does not hear that the other has its key, takes a third's
// for its own, and must come to read again what the second encrypts with.
func TestALostAnswerLeavesNobodyDeaf(t *testing.T) {
	a, b, c, d := New(fp(1)), New(fp(2)), New(fp(3)), New(fp(4))
	for n, r := range []*Ring{c, d, b, a} { // a's key is the newest of all
		advance(t, r, start.Add(time.Duration(n)*time.Hour))
	}
	now := start.Add(4 * time.Hour)
	meet(now, c, d)
	b.Heard(now, a.self, Telling{Lone: true, Have: a.Have(), Keys: a.Give(nil)}) // and b's answer is lost
	meet(now, a, c)
	for _, r := range []*Ring{b, c, d, b} {
		meet(now, a, r)
	}
	now = now.Add(Patience)
	advance(t, a, now, b.self, c.self)
	advance(t, b, now, a.self, c.self)
	if a.find(primary(t, b)) == nil || b.find(primary(t, a)) == nil {
		t.Errorf("a has %v and uses %v, b has %v and uses %v", a.Have(), a.primary, b.Have(), b.primary)
	}
}

func TestAKeyIsUsedOnceAllLivePeersHaveIt(t *testing.T) {
	a, b, c := New(fp(1)), New(fp(2)), New(fp(3))
	advance(t, a, start)
	meet(start, a, b)
	meet(start, a, c)
	old := primary(t, a)
	day := start.Add(RotateAfter + RotateSpread)
	if e := advance(t, a, day, b.self, c.self); !e.Minted || primary(t, a) != old {
		t.Fatalf("minted %v, and uses %v at once", e.Minted, primary(t, a))
	}
	meet(day, a, b)
	if advance(t, a, day, b.self, c.self); primary(t, a) != old {
		t.Fatal("one of two live peers has the key, and it is used")
	}
	// Control: without the one that has not answered, it is.
	alone := *a
	if _, err := alone.Advance(day, []keys.Fingerprint{b.self}, dice(1)); err != nil || alone.primary == old {
		t.Fatal("all live peers have it, and it is not used")
	}
	meet(day, a, c)
	if advance(t, a, day, b.self, c.self); primary(t, a) == old {
		t.Fatal("all have it")
	}
	// b learned it from a, and was told nothing of c: it waits its patience, not longer.
	if advance(t, b, day, a.self, c.self); primary(t, b) != old {
		t.Error("b does not know yet that c has it")
	}
	if advance(t, b, day.Add(Patience), a.self, c.self); primary(t, b) == old {
		t.Error("b waits on")
	}
	advance(t, a, day.Add(ForgetAfter), b.self, c.self)
	if len(a.known) != 1 {
		t.Errorf("an hour later there are %d keys", len(a.known))
	}
}

func TestAnEjectionRetiresAllKeysAndOneOfMany(t *testing.T) {
	var rings []*Ring
	var live []keys.Fingerprint
	for n := byte(1); n <= 8; n++ {
		r := New(fp(n))
		advance(t, r, start)
		rings, live = append(rings, r), append(live, r.self)
	}
	for _, r := range rings[1:] {
		meet(start, rings[0], r)
	}
	for _, r := range rings {
		meet(start, rings[0], r)
		advance(t, r, start, live...)
	}
	out, rest := rings[7], rings[:7]
	old := primary(t, rings[0])
	minters, now := 0, start.Add(time.Minute)
	for _, r := range rest {
		r.Observe(now, []keys.Fingerprint{out.self})
	}
	for _, r := range rest {
		if advance(t, r, now, live[:7]...).Minted {
			minters++
			for _, o := range rest {
				meet(now, r, o)
			}
			if advance(t, r, now, live[:7]...); primary(t, r) == old {
				t.Error("all have the new key, and the minter still uses the old")
			}
		}
	}
	if minters != 1 {
		t.Errorf("%d satellites minted at once, not one", minters)
	}
	tell(now, rest[0], out) // does nothing: out does not know of its ejection, and if it did:
	if out.Observe(now, []keys.Fingerprint{out.self}); len(out.known) != 0 {
		t.Error("it keeps its keys")
	}
	for _, r := range rest {
		advance(t, r, now.Add(PatienceRetired), live[:7]...)
		advance(t, r, now.Add(Grace), live[:7]...)
		if r.find(old) != nil || primary(t, r) == old {
			t.Errorf("satellite %d can still be heard with the old key %v after the ejection", r.self[0], Grace)
		}
	}
}

// TestAKeyDoesNotReachTheEjectedThroughOneThatDoesNotKnow is why keys pass only between equal bases.
func TestAKeyDoesNotReachTheEjectedThroughOneThatDoesNotKnow(t *testing.T) {
	a, b, out := New(fp(1)), New(fp(2)), New(fp(3))
	advance(t, a, start)
	meet(start, a, b)
	meet(start, a, out)
	meet(start, b, out)
	ejected := []keys.Fingerprint{out.self}
	a.Observe(start, ejected)
	advance(t, a, start.Add(Grace), b.self)
	fresh := a.newest().id
	give := a.Give(b.Have())
	tell(start, a, b)
	tell(start, b, out)
	if out.find(fresh) != nil || b.find(fresh) != nil {
		t.Fatal("the ejected one has the new key")
	}
	// The control: without the rule it gets there.
	b2 := New(fp(2))
	b2.Heard(start, a.self, Telling{Keys: give, Have: a.Have()})
	tell(start, b2, out)
	if out.find(fresh) == nil {
		t.Fatal("the control shows nothing")
	}
	// Once b knows, it gets the key and does not retire it.
	b.Observe(start, ejected)
	tell(start, a, b)
	if k := b.find(fresh); k == nil || k.isRetired() {
		t.Error("b has no use of the new key")
	}
}

func TestRestartRejoins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "gossip.keys")
	a, b := New(fp(1)), New(fp(2))
	advance(t, a, start)
	advance(t, b, start)
	meet(start, a, b)
	a.Observe(start, []keys.Fingerprint{fp(9)})
	advance(t, a, start.Add(Grace), b.self)
	if err := a.Save(path); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", st.Mode(), err)
	}
	again, err := Load(path, a.self)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.Have(), a.Have()) || !slices.Equal(again.Retired(), a.Retired()) || again.Lone() != a.Lone() ||
		again.Basis() != a.Basis() || primary(t, again) != primary(t, a) {
		t.Errorf("it was %+v and is %+v", a, again)
	}
	if again.Observe(start, []keys.Fingerprint{fp(9)}) {
		t.Error("an ejection that was known is taken for a new one")
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path, a.self); err == nil || !strings.Contains(err.Error(), "0640") {
		t.Errorf("a file that others can read: %v", err)
	}
	if err := os.WriteFile(path, []byte(`{"version":1,"keys":[{}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Chmod(path, 0o600)
	if _, err := Load(path, a.self); err == nil {
		t.Error("a damaged file was read")
	}
}

func TestTheRingIsBounded(t *testing.T) {
	a := New(fp(1))
	advance(t, a, start)
	d := dice(5)
	for n := range 100 {
		k, err := newKey(d, start.Unix()+int64(n), fp(2))
		if err != nil {
			t.Fatal(err)
		}
		a.Heard(start, fp(2), Telling{Keys: []Key{k}, Have: []ID{k.id}, Retired: []ID{ID(fmt.Sprintf("%016x", n))}})
		advance(t, a, start.Add(time.Duration(n)*time.Second), fp(2), fp(3))
		if len(a.known) > MaxKeys || len(a.retired) > MaxGone || len(a.gone) > MaxGone {
			t.Fatalf("%d keys, %d retired, %d gone", len(a.known), len(a.retired), len(a.gone))
		}
		primary(t, a)
	}
}

func TestASecretIsNotPrinted(t *testing.T) {
	k, err := newKey(bytes.NewReader(bytes.Repeat([]byte("secret42"), 4)), start.Unix(), fp(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(k), fmt.Sprintf("%+v", k), fmt.Sprintf("%#v", k), fmt.Sprint(&k), k.LogValue().String()} {
		if strings.Contains(text, "secret") || strings.Contains(text, "115 101 99") || !strings.Contains(text, string(k.ID())) {
			t.Errorf("printed: %s", text)
		}
	}
}

func FuzzKey(f *testing.F) {
	k, _ := newKey(dice(1), start.Unix(), fp(1))
	b, _ := json.Marshal(k)
	f.Add(b)
	f.Add([]byte(`{"secret":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","created":-1,"by":""}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var k, again Key
		if json.Unmarshal(text, &k) != nil || k.id == "" {
			return
		}
		b, err := json.Marshal(k)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &again); err != nil || again != k {
			t.Fatalf("%v reads back as %v: %v", k, again, err)
		}
	})
}
