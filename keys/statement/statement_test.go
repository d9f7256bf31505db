package statement_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"decenter/keys"
	. "decenter/keys/statement"
)

var (
	networks = []keys.Network{keys.Mainnet, keys.Testnet, keys.Regtest}
	noon     = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	laptop   = keys.Fingerprint{1}
)

// person gives the same key for the same seed.
func person(t testing.TB, seed byte) keys.PrivateKey {
	t.Helper()
	k, err := keys.NewPrivateKey(rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func account(t testing.TB, seed byte) keys.Address {
	return person(t, seed).Address(keys.Mainnet, keys.P2WPKH)
}

// longest gives each statement with every word at its greatest length.
func longest(a, b keys.Address) []Statement {
	name := strings.Repeat("c", MaxConstellation)
	return []Statement{
		Delegation{Account: a, Key: laptop, Scope: Operate, From: noon, Until: noon.Add(MaxDelegation), Via: Voucher{1}},
		Revocation{Account: a, Key: laptop, At: noon},
		Revocation{Account: a, At: noon},
		Membership{Account: a, Constellation: name, Satellite: laptop, Admit: true, At: noon},
		Membership{Account: a, Constellation: name, Satellite: laptop, At: noon},
		Grant{Account: a, Constellation: name, Role: Operator, To: b, Object: ObjectVM("0190163d-8694-739b-aea5-966c26f8ad91"), At: noon},
		Grant{Account: a, Constellation: name, Role: Operator, To: b, Object: ObjectArrayAt(strings.Repeat("s", 29)), At: noon},
	}
}

func TestEveryStatementFitsAWallet(t *testing.T) {
	greatest := 0
	for _, network := range networks {
		for _, kind := range keys.Kinds() {
			for _, s := range longest(person(t, 1).Address(network, kind), person(t, 2).Address(network, kind)) {
				line, err := New(s)
				if err != nil {
					t.Fatalf("%s %s: %v", network, kind, err)
				}
				greatest = max(greatest, len(line))
				if len(line) > 240 || strings.Contains(line, "  ") || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' || r > '~' }) {
					t.Errorf("a wallet would not show %q (%d characters)", line, len(line))
				}
				if back, err := Parse(network, line); err != nil || back != s {
					t.Errorf("%q reads back as %v, %v", line, back, err)
				}
				if !Mentions("please sign: " + strings.ToUpper(line)) {
					t.Errorf("%q could be slipped into a free text", line)
				}
			}
		}
	}
	if greatest != 239 {
		t.Errorf("the longest statement has %d characters, the doc says 239", greatest)
	}
}

// One more character in the longest words, and the line would not be sure to fit: such words are refused.
func TestLongerWordsAreRefused(t *testing.T) {
	a, b := account(t, 1), account(t, 2)
	for name, s := range map[string]Statement{
		"constellation": Membership{Account: a, Constellation: strings.Repeat("c", MaxConstellation+1), Satellite: laptop, At: noon},
		"satellite":     Grant{Account: a, Constellation: "lab", Role: Reader, To: b, Object: ObjectArrayAt(strings.Repeat("s", 30)), At: noon},
		"vm":            Grant{Account: a, Constellation: "lab", Role: Reader, To: b, Object: ObjectVM(strings.Repeat("0", 33)), At: noon},
		"delegation":    Delegation{Account: a, Key: laptop, Scope: Read, From: noon, Until: noon.Add(MaxDelegation + time.Second)},
	} {
		if line, err := New(s); !errors.Is(err, ErrStatement) {
			t.Errorf("%s: got %q, %v, want a refusal", name, line, err)
		}
	}
}

func TestWhatCannotBeMeantIsRefused(t *testing.T) {
	a, b := account(t, 1), account(t, 2)
	for name, s := range map[string]Statement{
		"delegation to no key":     Delegation{Account: a, Scope: Read, From: noon, Until: noon.Add(time.Hour)},
		"delegation of no scope":   Delegation{Account: a, Key: laptop, From: noon, Until: noon.Add(time.Hour)},
		"delegation backwards":     Delegation{Account: a, Key: laptop, Scope: Read, From: noon, Until: noon},
		"delegation over ages":     Delegation{Account: a, Key: laptop, Scope: Read, From: noon, Until: noon.AddDate(9000, 0, 0)},
		"revocation of nobody":     Revocation{At: noon},
		"revocation in year 10000": Revocation{Account: a, At: noon.AddDate(8000, 0, 0)},
		"admission of nothing":     Membership{Account: a, Constellation: "lab", Admit: true, At: noon},
		"admission to nothing":     Membership{Account: a, Satellite: laptop, Admit: true, At: noon},
		"a name that is two words": Membership{Account: a, Constellation: "my lab", Satellite: laptop, At: noon},
		"grant to oneself":         Grant{Account: a, Constellation: "lab", Role: Owner, To: a, Object: ObjectAll, At: noon},
		"grant to nobody":          Grant{Account: a, Constellation: "lab", Role: Owner, Object: ObjectAll, At: noon},
		"grant across networks":    Grant{Account: a, Constellation: "lab", Role: Owner, To: person(t, 2).Address(keys.Testnet, keys.P2WPKH), Object: ObjectAll, At: noon},
		"grant of no role":         Grant{Account: a, Constellation: "lab", To: b, Object: ObjectAll, At: noon},
		"tenant of one VM":         Grant{Account: a, Constellation: "lab", Role: Tenant, To: b, Object: ObjectVM("0190163d8694739baea5966c26f8ad91"), At: noon},
		"grant on anything":        Grant{Account: a, Constellation: "lab", Role: Reader, To: b, Object: "web-1", At: noon},
		"grant on a list":          Grant{Account: a, Constellation: "lab", Role: Reader, To: b, Object: "all at 2030", At: noon},
	} {
		if line, err := New(s); err == nil {
			t.Errorf("%s: %q can be signed", name, line)
		}
	}
}

func TestALineHasOneSpelling(t *testing.T) {
	a, b := account(t, 1), account(t, 2)
	line := Line(Grant{Account: a, Constellation: "lab", Role: Reader, To: b, Object: ObjectArray, At: noon})
	if _, err := Parse(keys.Mainnet, line); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"another version":  strings.Replace(line, "grant 1", "grant 2", 1),
		"another verb":     strings.Replace(line, "grant", "lend", 1),
		"two blanks":       strings.Replace(line, " reader", "  reader", 1),
		"a blank in front": " " + line,
		"a blank behind":   line + " ",
		"a line end":       line + "\n",
		"a word more":      line + " forever",
		"a word less":      strings.TrimSuffix(line, " "+noon.Format(time.RFC3339)),
		"upper case":       strings.Replace(line, "reader", "Reader", 1),
		"another zone":     strings.Replace(line, "12:00:00Z", "12:00:00+00:00", 1),
		"a fraction":       strings.Replace(line, "12:00:00Z", "12:00:00.5Z", 1),
		"no such day":      strings.Replace(line, "01-02T", "02-30T", 1),
		"a VM with dashes": strings.Replace(line, "array", "vm:0190163d-8694-739b-aea5-966c26f8ad91", 1),
		"nothing":          "",
		"a challenge":      "decenter login 1",
		"too long":         line + strings.Repeat(" x", 200),
	} {
		if s, err := Parse(keys.Mainnet, bad); !errors.Is(err, ErrStatement) {
			t.Errorf("%s: %q is read as %v, %v", name, bad, s, err)
		}
	}
	if _, err := Parse(keys.Testnet, line); err == nil {
		t.Error("an account of mainnet passes on testnet")
	}
	every := Line(Revocation{Account: a, Key: keys.Fingerprint{}, At: noon})
	zero := strings.Replace(every, "every", keys.Fingerprint{}.String(), 1)
	if _, err := Parse(keys.Mainnet, zero); err == nil {
		t.Errorf("%q reads like %q: every key has two spellings", zero, every)
	}
}

func TestOnlyTheAccountItselfCanSayIt(t *testing.T) {
	owner, thief := person(t, 1), person(t, 2)
	for _, kind := range keys.Kinds() {
		us, them := owner.Address(keys.Mainnet, kind), thief.Address(keys.Mainnet, kind)
		line := Line(Membership{Account: us, Constellation: "lab", Satellite: laptop, Admit: true, At: noon})
		sign := func(k keys.PrivateKey, as keys.Address, text string) Signed {
			signature, err := k.Sign(as, text)
			if err != nil {
				t.Fatal(err)
			}
			return Signed{line, signature}
		}
		if s, err := sign(owner, us, line).Verify(keys.Mainnet); err != nil || s.Signer() != us {
			t.Errorf("%s: the account's own word is refused: %v", kind, err)
		}
		for name, forged := range map[string]Signed{
			"another's signature": sign(thief, them, line),
			"of an ejection":      sign(owner, us, strings.Replace(line, "admit", "eject", 1)),
			"of another time":     sign(owner, us, strings.Replace(line, "2026", "2025", 1)),
			"none":                {Line: line},
		} {
			if _, err := forged.Verify(keys.Mainnet); err == nil {
				t.Errorf("%s: with the signature %s the line passes", kind, name)
			}
		}
	}
}

func TestASignedStatementTravelsAsText(t *testing.T) {
	s := Signed{Line: Line(Revocation{Account: account(t, 1), At: noon}), Signature: "c2lnbmF0dXJl"}
	if back, err := ParseText(s.Text()); err != nil || back != s {
		t.Errorf("got %v, %v", back, err)
	}
	for name, bad := range map[string]string{
		"no signature":   s.Line,
		"an empty one":   s.Line + "\n",
		"two signatures": s.Text() + "\n" + s.Signature,
		"a line end":     s.Text() + "\n",
		"a blank":        s.Text() + " ",
		"a long one":     s.Line + "\n" + strings.Repeat("A", keys.MaxSignature+1),
		"a long line":    strings.Repeat("A", MaxLine+1) + "\n" + s.Signature,
	} {
		if got, err := ParseText(bad); err == nil {
			t.Errorf("%s: %q is read as %v", name, bad, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range longest(account(f, 1), account(f, 2)) {
		f.Add(uint8(keys.Mainnet), Line(s))
	}
	for _, s := range longest(person(f, 1).Address(keys.Regtest, keys.P2TR), person(f, 2).Address(keys.Regtest, keys.P2TR)) {
		f.Add(uint8(keys.Regtest), Line(s))
	}
	f.Add(uint8(0), "decenter grant 1 in  as  owner to  on  at 2026-01-02T15:04:05Z")
	f.Fuzz(func(t *testing.T, network uint8, line string) {
		on := networks[int(network)%len(networks)]
		s, err := Parse(on, line)
		if err != nil {
			if !errors.Is(err, ErrStatement) {
				t.Fatalf("a refusal of the wrong kind: %v", err)
			}
			return
		}
		if got := Line(s); got != line {
			t.Fatalf("%q was read, and is written %q", line, got)
		}
		again, err := New(s)
		if err != nil || again != line {
			t.Fatalf("%q was read, but could not be said: %v", line, err)
		}
		if !Mentions(line) {
			t.Fatalf("%q is a statement that Mentions does not see", line)
		}
	})
}

func FuzzParseText(f *testing.F) {
	f.Add("decenter revoke 1 as x key every at y\nc2ln")
	f.Add("\n")
	f.Add("a\r\nb")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseText(text)
		if err != nil {
			return
		}
		if s.Text() != text {
			t.Fatalf("%q was read, and is written %q", text, s.Text())
		}
		if _, err := s.Verify(keys.Mainnet); err == nil {
			t.Fatalf("somebody's signature was guessed: %q", text)
		}
	})
}

func ExampleNew() {
	owner, _ := keys.ParseAddress(keys.Mainnet, "bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l")
	line, err := New(Membership{Account: owner, Constellation: "lab", Satellite: laptop, Admit: true, At: noon})
	fmt.Println(line, err)
	// Output: decenter admit 1 in lab as bc1q9vza2e8x573nczrlzms0wvx3gsqjx7vavgkx0l satellite SHA256:AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA at 2026-01-02T12:00:00Z <nil>
}
