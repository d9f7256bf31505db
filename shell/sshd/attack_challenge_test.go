package sshd

import (
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// lying is an attack with a signature of the victim's (or of another), of a line that differs from the challenge in one
// thing. The control is a server that does not hold that thing against it.
func lying(name string, lie func(*scene, keys.Challenge) keys.Challenge, signer func(*scene) holder) attack {
	return attack{
		name: name,
		try: func(s *scene) string {
			return s.as(s.victim.account.String(), ssh.PublicKeys(s.attacker.signer),
				ssh.KeyboardInteractive(s.signs(signer(s), func(c keys.Challenge) keys.Challenge { return lie(s, c) })))
		},
		flaw: func(s *scene, c *Config) {
			c.flaws.signed = func(shown keys.Challenge) keys.Challenge { return lie(s, shown) }
		},
	}
}

// seen logs the victim in, and gives the challenge and signature that a listener would have.
func (s *scene) seen() (c keys.Challenge, signature string) {
	s.Helper()
	listen := func(name, instruction string, questions []string, echos []bool) ([]string, error) {
		answers, err := s.victim.answer(s.T)(name, instruction, questions, echos)
		if err == nil {
			signature = answers[0]
			c, err = keys.ParseChallenge(keys.Mainnet, challengeLine(questions[0]))
		}
		return answers, err
	}
	client, _, err := s.w.dial(s.victim.account.String(), ssh.PublicKeys(s.victim.signer), ssh.KeyboardInteractive(listen))
	if err != nil {
		s.Fatal("the victim itself is not let in:", err)
	}
	_ = client.Close()
	return c, signature
}

// replaying is an attack with a signature that was used, by who even holds the victim's SSH key. The control is a server
// to which every nonce is the same.
func replaying(name string, change func(*testing.T, string) string) attack {
	return attack{
		name: name,
		set:  func(s *scene, _ *Config) { s.victim = newHolder(s.T, keys.P2PKH) }, // signs by BIP-137
		try: func(s *scene) string {
			c, signature := s.seen()
			s.signed = func(shown keys.Challenge) keys.Challenge {
				shown.Nonce, shown.Expires = c.Nonce, c.Expires
				return shown
			}
			return s.as(s.victim.account.String(), ssh.PublicKeys(s.victim.signer), ssh.KeyboardInteractive(
				func(string, string, []string, []bool) ([]string, error) { return []string{change(s.T, signature)}, nil }))
		},
		flaw: notedLie,
	}
}

// notedLie makes a server take for signed what the attack notes while it goes on.
func notedLie(s *scene, c *Config) {
	c.flaws.signed = func(shown keys.Challenge) keys.Challenge {
		if s.signed == nil {
			return shown
		}
		return s.signed(shown)
	}
}

// malleate gives the other signature of the same message that a BIP-137 signature makes possible: (r, n-s).
func malleate(t *testing.T, signature string) string {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || len(raw) != 65 {
		t.Fatalf("%q is no compact signature", signature)
	}
	n, _ := new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)
	n.Sub(n, new(big.Int).SetBytes(raw[33:])).FillBytes(raw[33:])
	raw[0] = 27 + ((raw[0] - 27) ^ 1) // the recovered point's other half
	return base64.StdEncoding.EncodeToString(raw)
}

func same(_ *testing.T, signature string) string { return signature }

// answering is an attack by answers to the challenges of one connection, in turn; right is the victim's own signature.
func (s *scene) answering(tries int, answer func(n int, right string) string) string {
	n := 0
	return s.as(s.victim.account.String(), ssh.PublicKeys(s.victim.signer), ssh.RetryableAuthMethod(ssh.KeyboardInteractive(
		func(name, instruction string, questions []string, echos []bool) ([]string, error) {
			right, err := s.victim.answer(s.T)(name, instruction, questions, echos)
			if err != nil {
				return nil, err
			}
			n++
			return []string{answer(n, right[0])}, nil
		}), tries))
}

func challengeAttacks() []attack {
	victim := func(s *scene) holder { return s.victim }
	attacker := func(s *scene) holder { return s.attacker }
	other := keys.Fingerprint{1, 2, 3}
	return []attack{
		lying("a signature for another satellite", func(_ *scene, c keys.Challenge) keys.Challenge { c.Satellite = other; return c }, victim),
		lying("a signature for the victim's own SSH key", func(s *scene, c keys.Challenge) keys.Challenge {
			c.Key = fingerprint(s.victim.signer.PublicKey())
			return c
		}, victim),
		lying("a signature that says no-key", func(_ *scene, c keys.Challenge) keys.Challenge { c.Key = keys.Fingerprint{}; return c }, victim),
		lying("a signature of another account", func(s *scene, c keys.Challenge) keys.Challenge { c.Account = s.attacker.account; return c }, attacker),
		lying("a signature of a later expiry", func(_ *scene, c keys.Challenge) keys.Challenge { c.Expires = c.Expires.Add(time.Hour); return c }, victim),
		replaying("a signature twice, on another connection", same),
		replaying("a signature twice, malleated", malleate),
		earlierAttack(), expiredAttack(),
		{
			name: "an answer as long as a packet",
			try: func(s *scene) string {
				return s.answering(1, func(_ int, right string) string { return right + strings.Repeat(" ", 200_000) })
			},
			flaw: without(checkAnswerSize),
		},
		{
			name: "a right answer after too many wrong ones",
			try: func(s *scene) string {
				return s.answering(maxChallenges+1, func(n int, right string) string {
					if n <= maxChallenges {
						return "guess"
					}
					return right
				})
			},
			flaw: without(checkTries),
		},
		{
			name: "a pasted signature alone where that is forbidden",
			set:  func(_ *scene, c *Config) { c.Pasted = PastedNo },
			try: func(s *scene) string {
				return s.as(s.victim.account.String(), ssh.KeyboardInteractive(s.signs(s.victim, truth)))
			},
			flaw: without(checkPasted),
		},
	}
}

// earlierAttack answers the second challenge of a connection with a signature of the first, not yet used.
func earlierAttack() attack {
	return attack{
		name: "a signature of the connection's earlier challenge",
		try: func(s *scene) string {
			var first keys.Challenge
			var signature string
			n := 0
			return s.as(s.victim.account.String(), ssh.PublicKeys(s.attacker.signer), ssh.RetryableAuthMethod(ssh.KeyboardInteractive(
				func(_, _ string, questions []string, _ []bool) (_ []string, err error) {
					if n++; n > 1 {
						s.signed = func(shown keys.Challenge) keys.Challenge {
							shown.Nonce, shown.Expires = first.Nonce, first.Expires
							return shown
						}
						return []string{signature}, nil
					}
					first, err = keys.ParseChallenge(keys.Mainnet, challengeLine(questions[0]))
					if err != nil {
						return nil, err
					}
					signature, err = s.victim.secret.Sign(s.victim.account, first.String())
					return []string{"not yet"}, err
				}), 2))
		},
		flaw: notedLie,
	}
}

func expiredAttack() attack {
	return attack{
		name: "a signature of an expired challenge",
		try: func(s *scene) string {
			return s.as(s.victim.account.String(), ssh.PublicKeys(s.victim.signer), ssh.KeyboardInteractive(
				func(name, instruction string, questions []string, echos []bool) ([]string, error) {
					s.w.shift(121 * time.Second)
					return s.victim.answer(s.T)(name, instruction, questions, echos)
				}))
		},
		flaw: without(checkChallengeLife),
	}
}

// A table of signatures that were used would not do: the same message has another one. So nonces are what is used up.
func TestATableOfSignaturesWouldNotStopReplays(t *testing.T) {
	used := map[string]string{} // lines by signature
	table := func(s *scene, c *Config) {
		c.Judge = func(p api.Proof) (string, api.Scope, error) {
			if line, found := used[p.Signature]; found && line != p.Line {
				return "", "", errors.New("this signature was used")
			}
			used[p.Signature] = p.Line
			return s.victim.account.String(), api.ScopeAll, nil
		}
	}
	for _, c := range []struct {
		change func(*testing.T, string) string
		in     bool
	}{{same, false}, {malleate, true}} {
		a := replaying("", c.change)
		s := a.stage(t, table, a.flaw)
		if got := a.try(s) == s.victim.account.String(); got != c.in {
			t.Errorf("gets in: %v, want %v", got, c.in)
		}
	}
}
