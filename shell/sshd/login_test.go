package sshd

import (
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/keys"
)

func TestAHolderGetsIn(t *testing.T) {
	w := newWorld(t)
	for _, kind := range []keys.Kind{keys.P2WPKH, keys.P2PKH} {
		h := newHolder(t, kind)
		w.allow(h.account)
		out, _, code := output(t, w.mustLogin(h), "whoami")
		if out != h.account.String()+" ssh\n" || code != 0 {
			t.Errorf("%s: got %q, exit %d", kind, out, code)
		}
	}
}

// Every refusal names its reason in a banner, and nothing but the right signature of an allowed account passes.
func TestWhoIsNotLetIn(t *testing.T) {
	w := newWorld(t)
	h, stranger := newHolder(t, keys.P2WPKH), newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	key, user := ssh.PublicKeys(h.signer), h.account.String()
	say := func(text string) ssh.AuthMethod {
		return ssh.KeyboardInteractive(func(string, string, []string, []bool) ([]string, error) { return []string{text}, nil })
	}
	for name, c := range map[string]struct {
		user, banner string
		auth         []ssh.AuthMethod
	}{
		"another's signature":     {user, "not one of account", []ssh.AuthMethod{key, ssh.KeyboardInteractive(stranger.answer(t))}},
		"nonsense":                {user, "not base64", []ssh.AuthMethod{key, say("let me in")}},
		"nothing":                 {user, "empty", []ssh.AuthMethod{key, say("")}},
		"an account not allowed":  {stranger.account.String(), "may not log in here", []ssh.AuthMethod{ssh.PublicKeys(stranger.signer), ssh.KeyboardInteractive(stranger.answer(t))}},
		"a name":                  {"root", "must be your account", []ssh.AuthMethod{key, ssh.KeyboardInteractive(h.answer(t))}},
		"upper case":              {strings.ToUpper(user), "lower case", []ssh.AuthMethod{key, ssh.KeyboardInteractive(h.answer(t))}},
		"the SSH key alone":       {user, "", []ssh.AuthMethod{key}},
		"a password":              {user, "", []ssh.AuthMethod{ssh.Password("secret")}},
		"no proof":                {user, "", nil},
		"a password after a key":  {user, "", []ssh.AuthMethod{key, ssh.Password("secret")}},
		"the public key repeated": {user, "", []ssh.AuthMethod{ssh.RetryableAuthMethod(key, 5)}},
	} {
		_, banner, err := w.dial(c.user, c.auth...)
		if err == nil {
			t.Errorf("%s: gets in", name)
		}
		if !strings.Contains(banner, c.banner) {
			t.Errorf("%s: banner %q lacks %q", name, banner, c.banner)
		}
	}
	w.mustLogin(h) // control: the same account, key and signer
}

func TestASignatureOpensOneDoorOnce(t *testing.T) {
	w := newWorld(t)
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	var seen string // what a listener would have
	listen := ssh.KeyboardInteractive(func(name, instruction string, questions []string, echos []bool) ([]string, error) {
		answers, err := h.answer(t)(name, instruction, questions, echos)
		if err == nil {
			seen = answers[0]
		}
		return answers, err
	})
	if _, _, err := w.dial(h.account.String(), ssh.PublicKeys(h.signer), listen); err != nil {
		t.Fatal(err)
	}
	replay := ssh.KeyboardInteractive(func(string, string, []string, []bool) ([]string, error) { return []string{seen}, nil })
	if _, _, err := w.dial(h.account.String(), ssh.PublicKeys(h.signer), replay); err == nil {
		t.Error("a signature passes twice")
	}
	// Negative control: were every challenge the same, the replay would pass. A server whose dice stand still
	// and whose clock does too shows that nothing else stops it, and the table of nonces is then the last guard.
	frozen := time.Now()
	still := newWorld(t, func(c *Config) {
		c.Dice = zeroes{}
		c.Now = func() time.Time { return frozen }
	})
	still.allow(h.account)
	if _, _, err := still.dial(h.account.String(), ssh.PublicKeys(h.signer), listen); err != nil {
		t.Fatal(err)
	}
	if _, _, err := still.dial(h.account.String(), ssh.PublicKeys(h.signer), replay); err != nil {
		t.Errorf("control: with constant nonces the replay fails too (%v), so this test shows nothing", err)
	}
}

type zeroes struct{}

func (zeroes) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestALateSignatureIsRefused(t *testing.T) {
	w := newWorld(t)
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	for _, c := range []struct {
		late time.Duration
		in   bool
	}{{118 * time.Second, true}, {121 * time.Second, false}} {
		w.shift(0)
		slow := ssh.KeyboardInteractive(func(name, instruction string, questions []string, echos []bool) ([]string, error) {
			w.shift(c.late)
			return h.answer(t)(name, instruction, questions, echos)
		})
		_, banner, err := w.dial(h.account.String(), ssh.PublicKeys(h.signer), slow)
		if (err == nil) != c.in || !c.in && !strings.Contains(banner, "expired") {
			t.Errorf("%v late: %v, banner %q", c.late, err, banner)
		}
	}
}

// A relay shows its victim a challenge of ours. It cannot hold the victim's SSH key, so the line names another.
func TestTheChallengeNamesTheClientsKey(t *testing.T) {
	w := newWorld(t)
	victim := newHolder(t, keys.P2WPKH)
	w.allow(victim.account)
	relay := newSigner(t)
	var line string
	_, _, err := w.dial(victim.account.String(), ssh.PublicKeys(relay), ssh.KeyboardInteractive(
		func(_, _ string, questions []string, _ []bool) ([]string, error) {
			line = challengeLine(questions[0])
			return []string{""}, nil
		}))
	if err == nil {
		t.Fatal("gets in without a signature")
	}
	c, err := keys.ParseChallenge(keys.Mainnet, line)
	if err != nil {
		t.Fatal(err)
	}
	if c.Key.String() != ssh.FingerprintSHA256(relay.PublicKey()) || c.Account != victim.account ||
		c.Satellite.String() != ssh.FingerprintSHA256(w.host.PublicKey()) {
		t.Errorf("the challenge is %q", line)
	}
}

func TestANonceLivesOnceAndNotForLong(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	h := newHolder(t, keys.P2WPKH)
	p := newPending(2, time.Minute, new(counter))
	show := func() (keys.Challenge, error) {
		return p.show(now, keys.Fingerprint{}, keys.Fingerprint{}, h.account)
	}
	a, err := show()
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := p.take(now, a.Nonce); !ok || got != a {
		t.Error("not taken")
	}
	if _, ok := p.take(now, a.Nonce); ok {
		t.Error("taken twice")
	}
	b, _ := show()
	if _, ok := p.take(now.Add(time.Minute), b.Nonce); ok {
		t.Error("taken after its expiry")
	}
	_, _ = show()
	_, _ = show()
	if _, err := show(); err == nil {
		t.Error("the table has no bound")
	}
	now = now.Add(time.Minute)
	if _, err := show(); err != nil {
		t.Errorf("expired challenges keep their places: %v", err)
	}
}

// counter is dice that never repeat.
type counter byte

func (c *counter) Read(b []byte) (int, error) {
	*c++
	clear(b)
	b[0] = byte(*c)
	return len(b), nil
}
