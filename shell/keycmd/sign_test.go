package keycmd

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"decenter/keys"
	"decenter/keys/statement"
)

// at is the time of every person's clock here.
var at = time.Date(2026, 1, 2, 15, 3, 0, 0, time.UTC)

func mustAddress(t testing.TB, text string) keys.Address {
	t.Helper()
	a, err := keys.ParseAddress(keys.Mainnet, text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustLine(t testing.TB, s statement.Statement) string {
	t.Helper()
	line, err := statement.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// The satellite shows a challenge without a key to whoever has no SSH key: a stranger can show it on to a victim.
func TestAChallengeWithoutAKeyIsRefusedUnlessOneInsists(t *testing.T) {
	p := newPerson(t)
	account := p.gets("", "new")
	p.sshKey("id_ed25519.pub")
	relayed := challengeFor(t, account, keys.Fingerprint{})
	if !strings.Contains(relayed, " with no-key ") {
		t.Fatal(relayed)
	}
	p.fails(1, "names no SSH key", "", "sign", relayed)
	p.fails(1, "names no SSH key", relayed, "sign")
	p.fails(1, "--no-key", "", "sign", "--askpass", relayed)
	signature := p.gets("", "sign", "--no-key", relayed) // control: nothing else stops it
	p.gets("", "verify", account, signature, relayed)
}

// A person who types is told what to type; one line is enough, and the terminal need not be closed after it.
func TestAtATerminalSignAsksForTheLine(t *testing.T) {
	p := newPerson(t)
	account := p.gets("", "new")
	line := challengeFor(t, account, p.sshKey("id_ed25519.pub"))
	master, tty, err := pty.Open()
	if err != nil {
		t.Skipf("without a pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { master.Close(); tty.Close() })
	for _, c := range []struct {
		typed, says string
		interrupt   bool
		code        int
	}{
		{line + "\r", "it logs in at satellite", false, 0},
		{"\r", "nothing was given", false, 2},
		{"", "interrupted", true, 2},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var out bytes.Buffer
		shown := &screen{}
		env := p.env("", &out, nil)
		env.Stdin, env.Typed, env.Stderr = tty, true, shown
		done := make(chan int, 1)
		go func() { done <- Run(ctx, []string{"sign"}, env) }()
		shown.until(t, "Paste the line to sign: ")
		if c.interrupt {
			cancel()
		}
		if _, err := io.WriteString(master, c.typed); err != nil {
			t.Fatal(err)
		}
		select {
		case code := <-done:
			if code != c.code || !strings.Contains(shown.text(), c.says) || (out.Len() > 0) != (code == 0) {
				t.Errorf("%q: exit %d, stdout %q, stderr %q", c.typed, code, &out, shown.text())
			}
			if code == 0 {
				p.gets("", "verify", account, strings.TrimSpace(out.String()), line)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%q: it still waits", c.typed)
		}
		cancel()
	}
}

func TestWhatIsNoChallengeIsSaidAsItWasAsked(t *testing.T) {
	p := newPerson(t)
	p.gets("", "new")
	for _, args := range [][]string{{"sign", "hello"}, {"sign"}} {
		_, told, code := p.types("hello", args...)
		if code != 2 || !strings.Contains(told, `this is not a login challenge: "hello"`) || strings.Contains(told, "OpenSSH") {
			t.Errorf("%q: exit %d, %q", args, code, told)
		}
	}
	p.fails(1, `OpenSSH asks "hello"`, "", "sign", "--askpass", "hello")
}

func TestAskpassSaysOneShortLine(t *testing.T) {
	p := newPerson(t)
	for _, kind := range []string{"p2wpkh", "p2tr", "p2pkh"} {
		p.vars["DECENTER_KEY"] = p.home + "/" + kind
		account := p.gets("", "new", "--kind", kind)
		prompt := "\n" + challengeFor(t, account, p.sshKey("id_ed25519.pub")) + "\n\nSignature: "
		_, errOut, code := p.types("", "sign", "--askpass", "--", prompt)
		if code != 0 || strings.Count(errOut, "\n") != 1 || len([]rune(errOut)) > 80 || !strings.Contains(errOut, account[:10]) || !strings.Contains(errOut, "SHA256:") {
			t.Errorf("exit %d, %q", code, errOut)
		}
		// By hand it says all.
		if _, errOut, _ = p.types("", "sign", prompt); !strings.Contains(errOut, "signing as "+account) || !strings.Contains(errOut, "decenter login 1 at SHA256:") {
			t.Errorf("%q", errOut)
		}
	}
}

// ssh uses its askpass program also to show that a token waits to be touched.
func TestAskpassShowsWhatWantsNoAnswer(t *testing.T) {
	p := newPerson(t)
	p.vars["SSH_ASKPASS_PROMPT"] = "none"
	var out, errOut bytes.Buffer
	if code := Askpass(t.Context(), []string{"Confirm user presence for key ED25519-SK"}, p.env("", &out, &errOut)); code != 0 || out.Len() > 0 {
		t.Errorf("exit %d, %q", code, &out)
	}
	if !strings.Contains(errOut.String(), "user presence") {
		t.Errorf("%q", &errOut)
	}
}

func TestFreeTextIsNeitherChallengeNorStatement(t *testing.T) {
	p := newPerson(t)
	account := mustAddress(t, p.gets("", "new"))
	p.sshKey("id_ed25519.pub")
	revocation := mustLine(t, statement.Revocation{Account: account, At: at})
	for _, text := range []string{
		revocation, "please: " + revocation + "!", strings.ToUpper(revocation), "Decenter Delegate 9", "decenter admit", "decenter eject", "decenter grant",
	} {
		p.fails(2, "statement about trust", "", "sign", "--message", text)
	}
	p.fails(2, "login challenge", "", "sign", "--message", challengeFor(t, account.String(), keys.Fingerprint{}))
	p.gets("", "sign", "--message", "decenter is granted") // control
	// As a challenge a statement is none either: ssh, asking for a login's answer, gets no other signature.
	p.fails(1, "--statement", "", "sign", "--askpass", revocation)
	p.fails(2, "one of", "", "sign", "--statement", revocation, "--message", "m")
	p.fails(2, "one of", "", "sign", "--statement", revocation, "x")
}

func TestAStatementIsExplainedAndSigned(t *testing.T) {
	p := newPerson(t)
	account := mustAddress(t, p.gets("", "new"))
	other := mustAddress(t, newPerson(t).gets("", "new"))
	key := keys.Fingerprint{7}
	for told, s := range map[string]statement.Statement{
		"admits satellite " + key.String() + " to constellation home":                           statement.Membership{Account: account, Constellation: "home", Satellite: key, Admit: true, At: at},
		"ejects satellite " + key.String() + " from constellation home":                         statement.Membership{Account: account, Constellation: "home", Satellite: key, At: at},
		"makes " + other.String() + " operator of everything in constellation home":             statement.Grant{Account: account, Constellation: "home", Role: statement.Operator, To: other, Object: statement.ObjectAll, At: at},
		"takes back the role that " + other.String() + " has with all that the signer":          statement.Grant{Account: account, Constellation: "home", Role: statement.None, To: other, Object: statement.ObjectArray, At: at},
		"as " + account.String() + ", this ends all its logins and delegations":                 statement.Revocation{Account: account, At: at},
		"ends its logins with key " + key.String() + " and its delegations":                     statement.Revocation{Account: account, Key: key, At: at},
		"lets key " + key.String() + " act for it until 2026-01-02T16:03:00Z, to do everything": statement.Delegation{Account: account, Key: key, Scope: statement.All, From: at, Until: at.Add(time.Hour)},
		"to look, and change nothing":                                                           statement.Delegation{Account: account, Key: key, Scope: statement.Read, From: at, Until: at.Add(time.Hour)},
	} {
		line := mustLine(t, s)
		out, errOut, code := p.types("", "sign", "--statement", line)
		if code != 0 || !strings.Contains(errOut, told) {
			t.Errorf("exit %d, %q; want %q", code, errOut, told)
		}
		if _, err := (statement.Signed{Line: line, Signature: strings.TrimSpace(out)}).Verify(keys.Mainnet); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
}

func TestAStatementOfAnotherOrOfTheFutureIsRefused(t *testing.T) {
	p := newPerson(t)
	account := mustAddress(t, p.gets("", "new"))
	other := mustAddress(t, newPerson(t).gets("", "new"))
	p.fails(1, "one of account "+other.String(), "", "sign", "--statement", mustLine(t, statement.Revocation{Account: other, At: at}))
	p.fails(1, "could not be taken back", "", "sign", "--statement", mustLine(t, statement.Revocation{Account: account, At: at.Add(11 * time.Minute)}))
	p.gets("", "sign", "--statement", mustLine(t, statement.Revocation{Account: account, At: at.Add(9 * time.Minute)}))
	if _, errOut, code := p.types("", "sign", "--statement", mustLine(t, statement.Revocation{Account: account, At: at.Add(-time.Hour)})); code != 0 || !strings.Contains(errOut, "1h0m0s ago") {
		t.Errorf("exit %d, %q", code, errOut)
	}
	p.fails(2, "not a statement", "", "sign", "--statement", "hello")
}

// A satellite could have logins signed in advance, for itself, which outlive a revocation.
func TestAChallengeOfTheFutureIsRefused(t *testing.T) {
	p := newPerson(t)
	account := mustAddress(t, p.gets("", "new"))
	challenge := keys.Challenge{Account: account, Key: p.sshKey("id_ed25519.pub"), Expires: at.Add(11 * time.Minute)}
	p.fails(1, "a login for later", "", "sign", challenge.String())
	p.fails(1, "a login for later", "", "sign", "--askpass", challenge.String())
	challenge.Expires = at.Add(9 * time.Minute)
	p.gets("", "sign", challenge.String())
}

// Whatever a prompt holds, what is signed is a login of the key's own account with the person's own SSH key, which the
// prompt shows as a line of its own.
func FuzzFindChallenge(f *testing.F) {
	p := &person{vars: map[string]string{}, time: at}
	mine := keys.Fingerprint{1}
	p.vars["DECENTER_SSH_KEY"] = mine.String()
	account := mustAddress(f, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu")
	own := keys.Challenge{Account: account, Key: mine, Expires: at}
	foreign, keyless, others := own, own, own
	foreign.Key, keyless.Key = keys.Fingerprint{2}, keys.Fingerprint{}
	others.Account = mustAddress(f, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g")
	f.Add("(a@b) \n"+own.String()+"\n\nSignature: ", true)
	f.Add(foreign.String(), true)
	f.Add(others.String(), false)
	f.Add(keyless.String()+"\r\n"+own.String(), false)
	f.Add(own.String()+"\n"+own.String(), true)
	f.Add(mustLine(f, statement.Revocation{Account: account, At: at}), false)
	f.Fuzz(func(t *testing.T, prompt string, noKey bool) {
		var out, errOut bytes.Buffer
		c, err := findChallenge(t.Context(), p.env("", &out, &errOut), account, prompt, manner{noKey: noKey})
		if err != nil {
			return
		}
		if c.Account != account || (c.Key != mine && !(noKey && c.Key == (keys.Fingerprint{}))) {
			t.Errorf("%+v is signed", c)
		}
		if !slices.Contains(strings.FieldsFunc(prompt, func(r rune) bool { return r == '\n' || r == '\r' }), c.String()) {
			t.Errorf("%q does not show %q", prompt, c)
		}
		if strings.Count("\n"+prompt, "\ndecenter login 1 ") > 1 {
			t.Errorf("one of several is signed: %q", prompt)
		}
	})
}
