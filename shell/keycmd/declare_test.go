package keycmd

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"decenter/keys"
	"decenter/keys/statement"
)

var declared = regexp.MustCompile(`^declare "([^"]*)" (\S+)$`)

// declares runs a command that must print a statement, and gives it as everybody will read it.
func (p *person) declares(args ...string) (statement.Statement, statement.Signed) {
	p.t.Helper()
	m := declared.FindStringSubmatch(p.gets("", args...))
	if m == nil {
		p.t.Fatalf("%q: no line to declare", args)
	}
	signed := statement.Signed{Line: m[1], Signature: m[2]}
	s, err := signed.Verify(keys.Mainnet)
	if err != nil {
		p.t.Fatal(err)
	}
	return s, signed
}

func TestStatementsAreMadeAndSigned(t *testing.T) {
	p := newPerson(t)
	account := mustAddress(t, p.gets("", "new"))
	guest := mustAddress(t, newPerson(t).gets("", "new", "--kind", "p2tr"))
	phone := p.sshKey("phone.pub")
	satellite := keys.Fingerprint{9}
	file := filepath.Join(p.home, ".ssh", "phone")
	vm := "6f9619ff-8b86-d011-b42d-00c04fc964ff"
	for _, c := range []struct {
		args []string
		want statement.Statement
	}{
		{[]string{"revoke", "--every"}, statement.Revocation{Account: account, At: at}},
		{[]string{"revoke", "--ssh-key", file + ".pub"}, statement.Revocation{Account: account, Key: phone, At: at}},
		{[]string{"revoke", "--ssh-key", file}, statement.Revocation{Account: account, Key: phone, At: at}},
		{[]string{"revoke", "--key", phone.String()}, statement.Revocation{Account: account, Key: phone, At: at}},
		{[]string{"revoke", "--key", file + ".pub"}, statement.Revocation{Account: account, Key: phone, At: at}},
		{[]string{"admit", satellite.String(), "--constellation", "home"}, statement.Membership{Account: account, Constellation: "home", Satellite: satellite, Admit: true, At: at}},
		{[]string{"eject", "--constellation=home", satellite.String()}, statement.Membership{Account: account, Constellation: "home", Satellite: satellite, At: at}},
		{[]string{"grant", "operator", guest.String(), "--on", "all", "--constellation", "home"},
			statement.Grant{Account: account, Constellation: "home", Role: statement.Operator, To: guest, Object: statement.ObjectAll, At: at}},
		{[]string{"grant", "--on", "vm:" + vm, "--constellation", "home", "reader", guest.String()},
			statement.Grant{Account: account, Constellation: "home", Role: statement.Reader, To: guest, Object: statement.ObjectVM(vm), At: at}},
		{[]string{"grant", "none", "--on", "array@tokyo-1", guest.String(), "--constellation", "home"},
			statement.Grant{Account: account, Constellation: "home", Role: statement.None, To: guest, Object: statement.ObjectArrayAt("tokyo-1"), At: at}},
		{[]string{"delegate", "--to", satellite.String(), "--for", "12h", "--scope", "read"},
			statement.Delegation{Account: account, Key: satellite, Scope: statement.Read, From: at, Until: at.Add(12 * time.Hour)}},
	} {
		if got, _ := p.declares(c.args...); got != c.want {
			t.Errorf("%q makes %+v, want %+v", c.args, got, c.want)
		}
	}
	if _, told, _ := p.types("", "delegate", "--to", satellite.String()); !strings.Contains(told, "root types it on that very satellite") {
		t.Errorf("delegate --to: %q", told)
	}
	var signed statement.Signed
	if err := json.Unmarshal([]byte(p.gets("", "revoke", "--every", "--json")), &signed); err != nil {
		t.Fatal(err)
	}
	if _, err := signed.Verify(keys.Mainnet); err != nil {
		t.Error(err)
	}
}

func TestMistypedStatementsAreTold(t *testing.T) {
	p := newPerson(t)
	account := p.gets("", "new")
	f := keys.Fingerprint{1}.String()
	for reason, args := range map[string][]string{
		"say what to revoke":            {"revoke"},
		"give --every, or":              {"revoke", "--every", "--ssh-key", f},
		"there is no SSH key":           {"revoke", "--ssh-key", "/nowhere"},
		"is not a fingerprint":          {"revoke", "--ssh-key", "SHA256:x"},
		"takes 1 arguments, not 0":      {"admit", "--constellation", "home"},
		"add --constellation NAME":      {"admit", f},
		"not the name of":               {"admit", f, "--constellation", "Home"},
		"not a satellite's fingerprint": {"eject", "tokyo-1", "--constellation", "home"},
		"add --on all, array":           {"grant", "reader", account, "--constellation", "home"},
		"is not a role":                 {"grant", "king", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "--on", "all", "--constellation", "home"},
		"cannot grant itself":           {"grant", "reader", account, "--on", "all", "--constellation", "home"},
		"nothing that can be granted":   {"grant", "reader", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "--on", "moon", "--constellation", "home"},
		"grant reader 1BoatSLRHtKNngkdXEeobR76b53LETtpyT on:web-1; or give vm: and the VM's id, which `vm --json` shows": {"grant", "reader", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "--on", "web-1", "--constellation", "home"},
		"grant none 1BoatSLRHtKNngkdXEeobR76b53LETtpyT on:web-2;":                                                        {"grant", "none", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "--on", "vm:web-2", "--constellation", "home"},
		"array@SATELLITE or vm: and an id":                                                                               {"grant", "none", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "--on", "a b", "--constellation", "home"},
		"decenter engine --fingerprint` tells it":                                                                        {"admit", "s3", "--constellation", "home"},
		"ssh -t -p 2222 ACCOUNT@SATELLITE eject s3; or give the fingerprint, which `satellites --json` shows":            {"eject", "s3", "--constellation", "home"},
		"mistyped character":            {"grant", "reader", "1BoatSLRHtKNngkdXEeobR76b53LETtpyU", "--on", "all", "--constellation", "home"},
		"use such as 12h or 30d":        {"delegate", "--to", f, "--for", "soon"},
		"at least 1m":                   {"delegate", "--to", f, "--for", "-1d"},
		"longer than 366 days":          {"delegate", "--to", f, "--for", "999999999d"},
		"is not a scope":                {"delegate", "--to", f, "--scope", "root"},
		"leave out --ssh-key":           {"delegate", "--to", f, "--ssh-key", "x"},
		"give one of them":              {"revoke", "--every", "--account", account, "--key", "/k"},
		"there is no SSH key in ~/.ssh": {"delegate"},
	} {
		p.fails(2, reason, "", args...)
	}
}

// A person whose key is in a wallet copies the line there and the signature back.
func TestAWalletSignsWhatItIsShown(t *testing.T) {
	wallet, p := newPerson(t), newPerson(t)
	account := wallet.gets("", "new", "--kind", "p2pkh")
	line := mustLine(t, statement.Revocation{Account: mustAddress(t, account), At: at})
	signature := wallet.gets("", "sign", "--statement", line)

	out, errOut, code := p.types(signature+"\nmore\n", "revoke", "--every", "--account", account)
	if code != 0 || out != "declare \""+line+"\" "+signature+"\n" || !strings.Contains(errOut, "\n"+line+"\n") {
		t.Errorf("exit %d, %q, %q", code, out, errOut)
	}
	p.fails(1, "no signature", "", "revoke", "--every", "--account", account)
	p.fails(1, "not", "rubbish\n", "revoke", "--every", "--account", account)
	p.fails(1, "for this message", signature, "admit", keys.Fingerprint{3}.String(), "--constellation", "home", "--account", account)
	p.fails(2, "mistyped", signature, "revoke", "--every", "--account", "1x")
}

// Ctrl-C ends the wait for a wallet.
func TestWaitingForAWalletEndsWithItsContext(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := readLine(ctx, io.Reader(r), keys.MaxSignature)
		done <- err
	}()
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("a line was read")
		}
	case <-time.After(10 * time.Second):
		t.Error("it still waits")
	}
}
