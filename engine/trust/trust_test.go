package trust

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// Who and what the stories are about. Ann owns the constellation by every satellite's configuration.
var (
	noon               = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	self               = keys.Fingerprint{100}
	saturn             = keys.Fingerprint{101}
	titan              = keys.Fingerprint{102}
	laptop             = keys.Fingerprint{103}
	ann, bob, eve, dan = who(1), who(2), who(3), who(4)
	web                = "0190163d-8694-739b-aea5-966c26f8ad91"
	everyKey           = keys.Fingerprint{}
	signatures         sync.Map // of line, for signing takes long
)

func secret(seed byte) keys.PrivateKey {
	k, err := keys.NewPrivateKey(rand.NewChaCha8([32]byte{seed}))
	if err != nil {
		panic(err)
	}
	return k
}

func who(seed byte) keys.Address { return secret(seed).Address(keys.Mainnet, keys.P2WPKH) }

// signed signs a statement as one of the first persons.
func signed(s statement.Statement) statement.Signed {
	line := statement.Line(s)
	if known, had := signatures.Load(line); had {
		return statement.Signed{Line: line, Signature: known.(string)}
	}
	for seed := range byte(100) {
		if who(seed) != s.Signer() {
			continue
		}
		text, err := secret(seed).Sign(s.Signer(), line)
		if err != nil {
			panic(err)
		}
		signatures.Store(line, text)
		return statement.Signed{Line: line, Signature: text}
	}
	panic("nobody has the key of " + s.Signer().String())
}

// at gives a time some seconds after noon.
func at(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

func admit(by keys.Address, id keys.Fingerprint, second int) statement.Membership {
	return statement.Membership{Account: by, Constellation: "lab", Satellite: id, Admit: true, At: at(second)}
}

func eject(by keys.Address, id keys.Fingerprint, second int) statement.Membership {
	return statement.Membership{Account: by, Constellation: "lab", Satellite: id, At: at(second)}
}

func grant(by keys.Address, r statement.Role, to keys.Address, on statement.Object, second int) statement.Grant {
	return statement.Grant{Account: by, Constellation: "lab", Role: r, To: to, Object: on, At: at(second)}
}

func revoke(by keys.Address, key keys.Fingerprint, second int) statement.Revocation {
	return statement.Revocation{Account: by, Key: key, At: at(second)}
}

func delegate(by keys.Address, second int) statement.Delegation {
	return statement.Delegation{Account: by, Key: self, Scope: statement.Operate, From: at(second), Until: at(second + 3600)}
}

const all = statement.ObjectAll

// clockOf is a clock that a story sets.
type clockOf struct{ time.Time }

func (c *clockOf) now() time.Time { return c.Time }

// lab is a satellite's configuration: owner Ann, and an hour after noon, so that stories have their times behind them.
func lab(t testing.TB) (Config, *clockOf) {
	c := &clockOf{noon.Add(time.Hour)}
	return Config{Path: filepath.Join(t.TempDir(), "trust"), Network: keys.Mainnet, Constellation: "lab",
		Owners: []keys.Address{ann}, Self: self, Now: c.now}, c
}

func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// inMemory opens a store that forgets, for stories of many steps.
func inMemory(t testing.TB, cfg Config) *Store {
	s := open(t, cfg)
	s.keep = func(*set) error { return nil }
	return s
}

// says declares statements that must all be taken.
func says(t testing.TB, s *Store, all ...statement.Statement) {
	t.Helper()
	for _, x := range all {
		if _, changed, err := s.Declare(signed(x)); err != nil || !changed {
			t.Fatalf("%s: changed %v, %v", statement.Line(x), changed, err)
		}
	}
}

// refuses declares a statement that must be refused with the code, in words that hold these.
func refuses(t testing.TB, s *Store, x statement.Statement, code api.Code, words ...string) {
	t.Helper()
	refusesSigned(t, s, signed(x), code, words...)
}

func refusesSigned(t testing.TB, s *Store, x statement.Signed, code api.Code, words ...string) {
	t.Helper()
	before := s.View()
	_, changed, err := s.Declare(x)
	if err == nil || changed || api.CodeOf(err) != code {
		t.Errorf("%s: changed %v, %v; want a refusal of code %s", x.Line, changed, err, code)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q does not tell %q", x.Line, err, w)
		}
	}
	if s.View() != before {
		t.Errorf("%s: refused, and yet something changed", x.Line)
	}
}

func want(t testing.TB, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
