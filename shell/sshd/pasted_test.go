package sshd

import (
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// Who comes without an SSH key may look, is told so and what lifts the limit, and signs a line that says no-key.
func TestAPastedSignatureAloneMayLook(t *testing.T) {
	for _, c := range []struct {
		pasted Pasted
		in     bool
		banner string
	}{{"", true, "decenter key delegate"}, {PastedRead, true, "ssh-keygen -t ed25519"}, {PastedNo, false, "ssh-keygen -t ed25519"}} {
		w := newWorld(t, func(cfg *Config) { cfg.Pasted = c.pasted })
		h := newHolder(t, keys.P2WPKH)
		w.allow(h.account)
		var line string
		sign := ssh.KeyboardInteractive(func(name, instruction string, questions []string, echos []bool) ([]string, error) {
			line = challengeLine(questions[0])
			return h.answer(t)(name, instruction, questions, echos)
		})
		client, banner, err := w.dial(h.account.String(), sign)
		if (err == nil) != c.in || !strings.Contains(banner, c.banner) || c.banner == "" && banner != "" {
			t.Errorf("%q: %v, banner %q", c.pasted, err, banner)
			continue
		}
		if err != nil {
			continue
		}
		if !strings.Contains(line, " with no-key ") {
			t.Errorf("signs %q", line)
		}
		out, _, _ := output(t, client, "proof")
		if want := "[" + line + "] []"; !strings.Contains(out, want) {
			t.Errorf("%q: the session's proof is %q, want %q", c.pasted, out, want)
		}
	}
}

// A judge that gives more than the configuration allows is not followed.
func TestAPastedSignatureNeverGetsMoreThanConfigured(t *testing.T) {
	for _, c := range []struct {
		given api.Scope
		in    bool
	}{{api.ScopeAll, false}, {api.ScopeOperate, false}, {api.ScopeRead, true}} {
		w := newWorld(t, trusting, func(cfg *Config) {
			judge := cfg.Judge
			cfg.Judge = func(p api.Proof) (string, api.Scope, error) {
				who, _, err := judge(p)
				return who, c.given, err
			}
		})
		h := newHolder(t, keys.P2WPKH)
		if _, banner, err := w.dial(h.account.String(), ssh.KeyboardInteractive(h.answer(t))); (err == nil) != c.in {
			t.Errorf("%s: %v, banner %q", c.given, err, banner)
		}
	}
}

// A plain key's session carries the challenge that names it; each verdict is told once.
func TestASessionCarriesItsProof(t *testing.T) {
	w := newWorld(t)
	h := newHolder(t, keys.P2TR)
	w.allow(h.account)
	key := fingerprint(h.signer.PublicKey()).String()
	out, _, _ := output(t, w.mustLogin(h), "proof")
	if !strings.Contains(out, " with "+key+" ") || !strings.Contains(out, "["+key+"]") {
		t.Errorf("the proof is %q", out)
	}
	_, _, _ = w.dial(h.account.String(), ssh.PublicKeys(h.signer), ssh.KeyboardInteractive(nonsense))
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.verdicts) != 2 || w.verdicts[0] != h.account.String()+" "+key+" allow scope all" || !strings.Contains(w.verdicts[1], " deny signature ") && !strings.Contains(w.verdicts[1], " deny the signature") {
		t.Errorf("verdicts: %q", w.verdicts)
	}
}

// What a stranger makes us tell is bounded; what was left out is counted.
func TestDenialsAreToldAtABoundedRate(t *testing.T) {
	w := newWorld(t)
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	for range 3 * deniedBurst / 2 {
		_, _, _ = w.dial(h.account.String(), ssh.PublicKeys(h.signer), ssh.KeyboardInteractive(nonsense))
	}
	w.mu.Lock()
	n := len(w.verdicts)
	w.mu.Unlock()
	if n < deniedBurst || n > deniedBurst+5 {
		t.Errorf("%d denials were told of %d", n, 3*deniedBurst/2)
	}
	w.shift(deniedBurst / deniedRate * 1e9)
	_, _, _ = w.dial(h.account.String(), ssh.PublicKeys(h.signer), ssh.KeyboardInteractive(nonsense))
	w.mu.Lock()
	defer w.mu.Unlock()
	if last := w.verdicts[len(w.verdicts)-1]; !strings.Contains(last, "refusals before, from the same address") {
		t.Errorf("the last verdict is %q", last)
	}
}
