package keys

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func testChallenge(t testing.TB) Challenge {
	t.Helper()
	return Challenge{
		Satellite: Fingerprint{1, 2, 3},
		Account:   testKey(t, 9).Address(Mainnet, P2WPKH),
		Key:       Fingerprint{4, 5, 6},
		Nonce:     Nonce{7, 8, 9},
		Expires:   time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC),
	}
}

func TestAChallengeIsWhatAWalletCanShow(t *testing.T) {
	for _, network := range []Network{Mainnet, Testnet, Regtest} {
		c := testChallenge(t)
		c.Account = testKey(t, 9).Address(network, P2WPKH)
		line := c.String()
		if len(line) > MaxChallenge {
			t.Errorf("%s: %d characters", network, len(line))
		}
		if strings.Contains(line, strings.Repeat(" ", MaxBlanks+1)) {
			t.Errorf("%s: a run of blanks", network)
		}
		for _, r := range line {
			if r < ' ' || r > '~' {
				t.Errorf("%s: %q is not printable ASCII", network, r)
			}
		}
		back, err := ParseChallenge(network, line)
		if err != nil || back != c {
			t.Errorf("%s: %q parses to %v, %v", network, line, back, err)
		}
	}
}

func TestEveryAccountsChallengeFits(t *testing.T) {
	longest := 0
	for _, network := range []Network{Mainnet, Testnet, Regtest} {
		for _, kind := range Kinds() {
			for _, key := range []Fingerprint{{4, 5, 6}, {}} {
				c := testChallenge(t)
				c.Account, c.Key = testKey(t, 9).Address(network, kind), key
				line := c.String()
				if longest = max(longest, len(line)); len(line) > MaxChallenge {
					t.Errorf("%s %s: %d characters", network, kind, len(line))
				}
				if back, err := ParseChallenge(network, line); err != nil || back != c {
					t.Errorf("%s %s: %q parses to %v, %v", network, kind, line, back, err)
				}
			}
		}
	}
	if longest != 238 {
		t.Errorf("the longest has %d characters, and the documentation says 238", longest)
	}
}

func TestAChallengeWithoutAKeySaysSo(t *testing.T) {
	c := testChallenge(t)
	c.Key = Fingerprint{}
	line := c.String()
	if !strings.Contains(line, " with no-key ") {
		t.Errorf("%q does not say that no key was proved", line)
	}
	got, err := FindChallenge(Mainnet, "\n"+line+"\n")
	if err != nil || got != c {
		t.Errorf("got %v, %v", got, err)
	}
	// No second spelling for the same thing.
	if _, err := ParseChallenge(Mainnet, strings.Replace(line, "no-key", Fingerprint{}.String(), 1)); !errors.Is(err, ErrChallenge) {
		t.Errorf("a fingerprint of zeroes: got %v, want a refusal", err)
	}
	// And none for a satellite without one.
	if _, err := ParseChallenge(Mainnet, strings.Replace(line, c.Satellite.String(), "no-key", 1)); !errors.Is(err, ErrChallenge) {
		t.Errorf("a satellite without a key: got %v, want a refusal", err)
	}
}

func TestBadChallengesAreRefused(t *testing.T) {
	line := testChallenge(t).String()
	for name, bad := range map[string]string{
		"another version":   strings.Replace(line, "login 1", "login 2", 1),
		"another purpose":   strings.Replace(line, "login", "delegate", 1),
		"two blanks":        strings.Replace(line, " as ", "  as ", 1),
		"a line end":        line + "\n",
		"a word more":       line + " x",
		"a word less":       line[:strings.LastIndexByte(line, ' ')],
		"loose nonce bits":  strings.Replace(line, testChallenge(t).Nonce.String(), strings.Repeat("A", 21)+"B", 1),
		"local time":        strings.Replace(line, "05Z", "05+01:00", 1),
		"no such day":       strings.Replace(line, "01-02", "02-30", 1),
		"another's network": strings.Replace(line, testChallenge(t).Account.String(), testKey(t, 9).Address(Regtest, P2WPKH).String(), 1),
		"too long":          line + strings.Repeat("x", MaxChallenge),
		"empty":             "",
	} {
		if _, err := ParseChallenge(Mainnet, bad); !errors.Is(err, ErrChallenge) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
}

func TestOneChallengeIsFoundInAPrompt(t *testing.T) {
	c := testChallenge(t)
	prompt := "(" + c.Account.String() + "@10.77.0.1) \n" + c.String() + "\r\n\nSignature: "
	got, err := FindChallenge(Mainnet, prompt)
	if err != nil || got != c {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := FindChallenge(Mainnet, prompt+"\n"+c.String()); err == nil {
		t.Error("two challenges in one prompt pass")
	}
	if _, err := FindChallenge(Mainnet, "Are you sure you want to continue connecting (yes/no/[fingerprint])? "); err == nil {
		t.Error("found one in OpenSSH's own question")
	}
}
