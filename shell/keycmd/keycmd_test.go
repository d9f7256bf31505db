package keycmd

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/keys"
)

// person is someone with a home folder, who types commands.
type person struct {
	t         *testing.T
	home      string
	vars      map[string]string
	passwords []string         // the answers to come
	dice      func() io.Reader // nil: the real ones
	screen    bytes.Buffer
	terminal  bool // has one; what it shows is on screen
	time      time.Time
	self      string // the program's path
}

func newPerson(t *testing.T) *person {
	home := t.TempDir()
	return &person{t: t, home: home, vars: map[string]string{"HOME": home}, time: at, self: "/opt/it's/decenter"}
}

func (p *person) env(stdin string, out, errOut *bytes.Buffer) Env {
	env := Env{
		Stdin: strings.NewReader(stdin), Stdout: out, Stderr: errOut,
		Getenv: func(name string) string { return p.vars[name] },
		Dice:   rand.Reader, Now: func() time.Time { return p.time }, Work: 1,
		Self: p.self,
	}
	if p.dice != nil {
		env.Dice = p.dice()
	}
	if p.terminal {
		env.Terminal = &p.screen
	}
	if p.passwords != nil {
		env.Password = func(string) (string, error) {
			if len(p.passwords) == 0 {
				return "", errors.New("asked once too often")
			}
			answer := p.passwords[0]
			p.passwords = p.passwords[1:]
			return answer, nil
		}
	}
	return env
}

// types runs a command and gives stdout, stderr and the exit code.
func (p *person) types(stdin string, args ...string) (string, string, int) {
	p.t.Helper()
	var out, errOut bytes.Buffer
	code := Run(context.Background(), args, p.env(stdin, &out, &errOut))
	return out.String(), errOut.String(), code
}

// gets runs a command that must succeed.
func (p *person) gets(stdin string, args ...string) string {
	p.t.Helper()
	out, errOut, code := p.types(stdin, args...)
	if code != 0 {
		p.t.Fatalf("%q: exit %d: %s", args, code, errOut)
	}
	return strings.TrimSuffix(out, "\n")
}

// fails runs a command that must end with the code and tell reason, and print nothing on stdout.
func (p *person) fails(code int, reason, stdin string, args ...string) {
	p.t.Helper()
	out, errOut, got := p.types(stdin, args...)
	if got != code || !strings.Contains(errOut, reason) || out != "" {
		p.t.Errorf("%q: exit %d, stdout %q, stderr %q; want %d and %q", args, got, out, errOut, code, reason)
	}
}

// sshKey puts a public SSH key into a file, and gives its fingerprint.
func (p *person) sshKey(name string) keys.Fingerprint {
	p.t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		p.t.Fatal(err)
	}
	path := filepath.Join(p.home, ".ssh", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, ssh.MarshalAuthorizedKey(key), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return sha256.Sum256(key.Marshal())
}

func challengeFor(t *testing.T, account string, key keys.Fingerprint) string {
	t.Helper()
	a, err := keys.ParseAddress(keys.Mainnet, account)
	if err != nil {
		t.Fatal(err)
	}
	return keys.Challenge{Account: a, Key: key, Expires: time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)}.String()
}

func TestMakeSignVerify(t *testing.T) {
	for _, kind := range []string{"p2wpkh", "p2tr", "p2sh-p2wpkh", "p2pkh"} {
		p := newPerson(t)
		account := p.gets("", "new", "--kind", kind)
		if got := p.gets("", "address"); got != account {
			t.Errorf("%s: made %s, shows %s", kind, account, got)
		}
		signature := p.gets("", "sign", "--message", "hello there")
		p.gets("", "verify", account, signature, "hello there")
		p.gets("hello there\n", "verify", account, signature)
		p.fails(1, "not valid", "", "verify", account, signature, "hello here")
		p.fails(1, "not valid", "", "verify", account, "nonsense", "hello there")
	}
}

func TestJSON(t *testing.T) {
	p := newPerson(t)
	read := func(out string, into any) {
		t.Helper()
		if err := json.Unmarshal([]byte(out), into); err != nil || strings.Contains(out, "\n") {
			t.Errorf("%q: %v", out, err)
		}
	}
	var made, shown keyView
	read(p.gets("", "new", "--json", "--network", "regtest"), &made)
	read(p.gets("", "address", "--json"), &shown)
	if made != shown || made.Network != "regtest" || made.Kind != "p2wpkh" || made.Path != filepath.Join(p.home, ".config/decenter/key") {
		t.Errorf("made %+v, shown %+v", made, shown)
	}
	var v verifyView
	signature := p.gets("", "sign", "--message", "m")
	read(p.gets("", "verify", "--network", "regtest", "--json", made.Account, signature, "m"), &v)
	if !v.Valid || v.Account != made.Account || v.Reason != "" {
		t.Errorf("%+v", v)
	}
	out, _, code := p.types("", "verify", "--network", "regtest", "--json", made.Account, signature, "n")
	read(strings.TrimSuffix(out, "\n"), &v)
	if v.Valid || v.Reason == "" || code != 1 {
		t.Errorf("%+v, exit %d", v, code)
	}
}

func TestASecretMovesToAWalletAndBack(t *testing.T) {
	p := newPerson(t)
	account := p.gets("", "new")
	secret := p.gets("", "export")
	other := newPerson(t)
	if got := other.gets(secret+"\n", "new", "--import"); got != account {
		t.Errorf("imported as %s, want %s", got, account)
	}
	newPerson(t).fails(2, "Wallet Import Format", "rubbish", "new", "--import")
}

func TestANewKeyNeverReplacesAnOld(t *testing.T) {
	p := newPerson(t)
	account := p.gets("", "new")
	p.fails(1, "never replaced", "", "new")
	if got := p.gets("", "address"); got != account {
		t.Errorf("the key is now %s", got)
	}
}

func TestAPassphraseIsAskedFor(t *testing.T) {
	p := newPerson(t)
	p.fails(2, "terminal", "", "new", "--passphrase")
	p.passwords = []string{"a", "b"}
	p.fails(1, "differ", "", "new", "--passphrase")
	p.passwords = []string{"a", "a"}
	account := p.gets("", "new", "--passphrase")
	p.passwords = []string{"a"}
	if got := p.gets("", "address"); got != account {
		t.Errorf("shows %s", got)
	}
	p.passwords = []string{"wrong"}
	p.fails(1, "passphrase", "", "sign", "--message", "m")
	p.passwords = nil
	p.fails(1, "passphrase", "", "sign", "--message", "m")
}

// The prompt is what OpenSSH makes of ours: "(user@host) " and the prompt.
func TestSignAnswersAChallengeInOpenSSHsPrompt(t *testing.T) {
	p := newPerson(t)
	account := p.gets("", "new")
	challenge := challengeFor(t, account, p.sshKey("id_ed25519.pub"))
	prompt := "(" + account + "@10.77.0.1) \n" + challenge + "\n\nSignature: "
	out, errOut, code := p.types("", "sign", prompt)
	if code != 0 || strings.Count(out, "\n") != 1 {
		t.Fatalf("exit %d, stdout %q, stderr %q", code, out, errOut)
	}
	if !strings.Contains(errOut, challenge) {
		t.Errorf("stderr does not show what was signed: %q", errOut)
	}
	p.gets("", "verify", account, strings.TrimSpace(out), challenge)
	p.gets(prompt, "sign")
}

func TestSignRefusesWhatIsNotThePersonsOwn(t *testing.T) {
	p := newPerson(t)
	account := p.gets("", "new")
	mine := p.sshKey("id_ed25519.pub")
	stranger := newPerson(t)
	theirs := stranger.gets("", "new")
	foreign := stranger.sshKey("id_ed25519.pub")

	p.fails(1, "for account "+theirs, "", "sign", challengeFor(t, theirs, mine))
	p.fails(1, "relaying", "", "sign", challengeFor(t, account, foreign))
	p.fails(1, "2 login challenges", "", "sign", challengeFor(t, account, mine)+"\n"+challengeFor(t, account, mine))
	p.fails(1, "cannot answer", "", "sign", "--askpass", "Are you sure you want to continue connecting (yes/no/[fingerprint])? ")
	p.fails(2, "login challenge", "", "sign", "--message", challengeFor(t, account, mine))
	p.fails(2, "login challenge", "", "sign", "--message", "DECENTER Login 7 at my place")
	p.gets("", "sign", challengeFor(t, account, mine)) // control
}

func TestWhichSSHKeysAreOnesOwn(t *testing.T) {
	p := newPerson(t)
	account := p.gets("", "new")
	unknown := challengeFor(t, account, keys.Fingerprint{1})
	p.fails(1, "no SSH key of yours is known here", "", "sign", unknown)
	p.vars["DECENTER_SSH_KEY"] = keys.Fingerprint{1}.String()
	p.gets("", "sign", unknown)
	delete(p.vars, "DECENTER_SSH_KEY")
	first, second, work := p.sshKey("id_ed25519.pub"), p.sshKey("id_rsa.pub"), p.sshKey("work.pub")
	for _, f := range []keys.Fingerprint{first, second} {
		p.gets("", "sign", challengeFor(t, account, f))
	}
	p.fails(1, "not yours", "", "sign", challengeFor(t, account, work))
	for _, named := range []string{filepath.Join(p.home, ".ssh/work.pub"), filepath.Join(p.home, ".ssh/work"), work.String(), first.String() + ":" + work.String()} {
		p.vars["DECENTER_SSH_KEY"] = named
		p.gets("", "sign", challengeFor(t, account, work))
		p.fails(1, "not yours", "", "sign", challengeFor(t, account, second))
	}
	p.vars["DECENTER_SSH_KEY"] = "/nowhere"
	p.fails(2, "/nowhere", "", "sign", challengeFor(t, account, work))
}

func TestAnAgentsKeysAreOnesOwn(t *testing.T) {
	p := newPerson(t)
	account := p.gets("", "new")
	p.sshKey("id_ed25519.pub")
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	challenge := challengeFor(t, account, sha256.Sum256(key.Marshal()))
	p.fails(1, "not yours", "", "sign", challenge)

	p.vars["SSH_AUTH_SOCK"] = serveAgent(t, private)
	p.gets("", "sign", challenge)
}

func TestAskpassIsFoundByNameOrVariable(t *testing.T) {
	with := func(name string) string { return map[string]string{"DECENTER_ASKPASS": "1"}[name] }
	without := func(string) string { return "" }
	for _, c := range []struct {
		args   []string
		getenv func(string) string
		want   bool
	}{
		{[]string{"/usr/bin/decenter-askpass", "prompt"}, without, true},
		{[]string{"decenter", "prompt"}, with, true},
		{[]string{"decenter", "prompt"}, without, false},
		{[]string{"decenter", "relocate", "web-1"}, with, false},
		{[]string{"decenter"}, with, false},
		{nil, with, false},
	} {
		if got := IsAskpass(c.args, c.getenv); got != c.want {
			t.Errorf("%q: %v", c.args, got)
		}
	}
	p := newPerson(t)
	account := p.gets("", "new")
	var out, errOut bytes.Buffer
	challenge := challengeFor(t, account, p.sshKey("id_ed25519.pub"))
	if code := Askpass(t.Context(), []string{"\n" + challenge + "\n"}, p.env("", &out, &errOut)); code != 0 {
		t.Errorf("exit %d: %s", code, &errOut)
	}
}

func TestAskpassWritesAProgram(t *testing.T) {
	p := newPerson(t)
	path := filepath.Join(p.home, "login")
	p.gets("", "askpass", path)
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "#!/bin/sh\nexec '/opt/it'\\''s/decenter' key sign --askpass -- \"$1\"\n" {
		t.Errorf("%q, %v", text, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o100 == 0 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	p.gets("", "askpass", path) // the same again is done already
	p.fails(1, "exists", "", "askpass", "--key", "/k", path)
	p.fails(1, "exists", "", "askpass", "--no-key", path)
}

func TestMistypedCommandsAreTold(t *testing.T) {
	p := newPerson(t)
	p.fails(2, "use one of new, address", "", "mint")
	p.fails(2, "decenter key COMMAND", "")
	p.fails(2, "-kind", "", "new", "--kind")
	p.fails(2, "use p2wpkh, p2tr, p2sh-p2wpkh or p2pkh", "", "new", "--kind", "p2wsh")
	p.fails(2, "use mainnet", "", "new", "--network", "moon")
	p.fails(2, "2 to 3 arguments", "", "verify", "x")
	p.fails(2, "mistyped", "", "verify", "root", "x", "y")
	p.fails(1, "decenter key new", "", "address")
	if out, _, code := p.types("", "new", "-h"); code != 0 || !strings.Contains(out, "-passphrase") {
		t.Errorf("help: exit %d, %q", code, out)
	}
}
