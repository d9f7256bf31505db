package sshd

import (
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// impatient makes challenges live for a second, by the sockets' clock; the challenge's own ends within it.
func impatient(c *Config) { c.Limits.Challenge = time.Second }

// Who watches is told of a challenge that nobody answered, once, and its connection does not stay.
func TestAnUnansweredChallengeIsWrittenDown(t *testing.T) {
	w := newWorld(t, impatient)
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	var asked string
	began := time.Now()
	_, _, err := w.dial(h.account.String(), ssh.PublicKeys(h.signer), ssh.KeyboardInteractive(
		func(name, instruction string, questions []string, echos []bool) ([]string, error) {
			asked = questions[0]
			time.Sleep(1500 * time.Millisecond)
			return h.answer(t)(name, instruction, questions, echos)
		}))
	if err == nil {
		t.Error("a late signature gets in")
	}
	if took := time.Since(began); took > 15*time.Second { // DefaultLimits are minutes
		t.Errorf("the connection was kept for %v", took)
	}
	if !strings.Contains(asked, "within 1 second\n") {
		t.Errorf("the prompt does not say how long there is: %q", asked)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	want := h.account.String() + " " + ssh.FingerprintSHA256(h.signer.PublicKey()) + " deny the challenge expired"
	if len(w.verdicts) != 1 || w.verdicts[0] != want {
		t.Errorf("verdicts %q, want %q once", w.verdicts, want)
	}
}

// Whoever signs at leisure is told why the connection is closed: OpenSSH reads what came while its user was typing, and shows it.
func TestOpenSSHShowsThatTheChallengeExpired(t *testing.T) {
	u := newUser(t, newWorld(t, impatient))
	c := u.ssh(u.account, "id_ed25519", "whoami")
	c.Env = append(c.Env, "SSH_ASKPASS_REQUIRE=never")
	s := u.sit("xterm", 24, 200, c)
	s.sees("Signature: ")
	time.Sleep(1500 * time.Millisecond)
	s.types("SGVsbG8=\r")
	s.sees("The challenge expired after 1 second: log in again, and sign within it.")
	if code := s.leaves(); code != 255 {
		t.Errorf("exit %d", code)
	}
}

func TestTheReasonIsSaidOnce(t *testing.T) {
	var h holder
	w := newWorld(t, func(c *Config) {
		c.Judge = func(api.Proof) (string, api.Scope, error) {
			return "", "", &api.Error{Code: api.CodeDenied, Message: h.account.String() + " may not log in on s1", Hint: "no role was granted to it"}
		}
	})
	h = newHolder(t, keys.P2WPKH)
	_, banner, err := w.login(h)
	if want := "You proved to be " + h.account.String() + ", but may not log in here: no role was granted to it\n"; err == nil || banner != want {
		t.Errorf("%v, banner %q, want %q", err, banner, want)
	}
	if got := whyNot(h.account, errors.New("the key was revoked")); got != "the key was revoked" {
		t.Errorf("another reason became %q", got)
	}
}

func TestLivesInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{2 * time.Minute: "2 minutes", time.Minute: "1 minute", 90 * time.Second: "90 seconds"} {
		if got := spell(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
