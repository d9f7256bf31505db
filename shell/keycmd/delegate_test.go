package keycmd

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"decenter/keys"
	"decenter/keys/statement"
)

// carried gives the delegation that a certificate carries.
func carried(t *testing.T, c *ssh.Certificate) statement.Delegation {
	t.Helper()
	signed, err := statement.ParseText(c.Extensions[statement.CertificateExtension])
	if err != nil {
		t.Fatal(err)
	}
	s, err := signed.Verify(keys.Mainnet)
	if err != nil {
		t.Fatal(err)
	}
	return s.(statement.Delegation)
}

// clockNow sets the person's clock to the real one, which ssh reads too.
func (p *person) clockNow() { p.time = time.Now() }

func TestOneSignatureMakesSSHLogInByItself(t *testing.T) {
	needs(t, "ssh", "ssh-keygen")
	for name, flags := range map[string][]string{"ed25519": {"-t", "ed25519"}, "rsa": {"-t", "rsa", "-b", "2048"}, "ecdsa": {"-t", "ecdsa"}} {
		t.Run(name, func(t *testing.T) {
			p := newPerson(t)
			p.clockNow()
			account := p.gets("", "new")
			key := p.keygen("", flags...)
			s := newSatellite(t, newHostKey(t))
			accept := "-oStrictHostKeyChecking=no"
			if _, errOut, err := p.ssh(s, account, accept); err == nil { // control
				t.Fatalf("it lets in whoever comes: %s", errOut)
			}
			path := p.gets("", "delegate", "--for", "2d")
			if path != filepath.Join(p.home, ".ssh/id_ed25519-cert.pub") {
				t.Errorf("the certificate is %s", path)
			}
			out, errOut, err := p.ssh(s, account, accept)
			if err != nil || out != "hello\n" {
				t.Fatalf("%v: %q, %q", err, out, errOut)
			}
			want := statement.Delegation{Account: mustAddress(t, account), Key: key, Scope: statement.Operate,
				From: now(p.env("", nil, nil)), Until: now(p.env("", nil, nil)).Add(48 * time.Hour)}
			came := <-s.came
			got := carried(t, came)
			voucher, err := statement.ParseVoucherKey(came.Extensions[statement.VoucherExtension])
			if err != nil || voucher.Voucher() != got.Via {
				t.Errorf("it carries voucher %v for %v: %v", voucher, got.Via, err)
			}
			if got.Via = want.Via; got != want {
				t.Errorf("it carries %+v, want %+v", got, want)
			}
			if _, errOut, err := p.ssh(s, "root", accept); err == nil || !strings.Contains(errOut, "Permission denied") {
				t.Errorf("it lets in another: %q", errOut)
			}
		})
	}
}

func TestSSHKeygenShowsTheCertificateRight(t *testing.T) {
	needs(t, "ssh-keygen")
	p := newPerson(t)
	account := p.gets("", "new", "--kind", "p2tr")
	key := p.keygen("", "-t", "ed25519")
	out := filepath.Join(p.home, "elsewhere")
	_, errOut, code := p.types("", "delegate", "--scope", "all", "--for", "30d", "--out", out)
	if code != 0 || !strings.Contains(errOut, "-o CertificateFile='"+out+"' "+account+"@SATELLITE") || !strings.Contains(errOut, "It holds until 2026-02-01T15:03:00Z") {
		t.Fatalf("exit %d, %q", code, errOut)
	}
	shown := describe(t, out)
	for _, want := range []string{
		"Type: ssh-ed25519-cert-v01@openssh.com user certificate",
		"Public key: ED25519-CERT " + key.String(),
		"Signing CA: ED25519 " + key.String(),
		"Valid: from 2026-01-02T15:03:00 to 2026-02-01T15:03:00",
		"Principals: " + account + " Critical Options: (none)",
		"delegation@decenter UNKNOWN OPTION",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("not shown: %q in %s", want, shown)
		}
	}
	if !strings.Contains(shown, "permit-pty") || strings.Contains(shown, "forwarding") {
		t.Errorf("what it permits: %s", shown)
	}
	if info, err := os.Stat(out); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestADelegationIsRenewedButNothingElseIsReplaced(t *testing.T) {
	needs(t, "ssh-keygen")
	p := newPerson(t)
	p.gets("", "new")
	p.keygen("", "-t", "ed25519")
	path := p.gets("", "delegate")
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var v delegationView
	if err := json.Unmarshal([]byte(p.gets("", "delegate", "--for", "60d", "--json")), &v); err != nil || v.Certificate != path || !strings.Contains(v.Line, "until 2026-03-03T") {
		t.Fatalf("%+v, %v", v, err)
	}
	if second, err := os.ReadFile(path); err != nil || bytes.Equal(first, second) {
		t.Errorf("not renewed: %v", err)
	}
	if err := os.WriteFile(path, []byte("of my employer\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.fails(1, "is no delegation", "", "delegate")
	p.fails(1, "is no delegation", "", "delegate", "--out", filepath.Join(p.home, ".ssh/id_ed25519.pub"))
	p.fails(2, "is a certificate", "", "delegate", "--out", filepath.Join(p.home, "x"), "--ssh-key", mustWrite(t, filepath.Join(p.home, "c-cert.pub"), first))
	if left, _ := filepath.Glob(filepath.Join(p.home, ".ssh", ".cert-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func mustWrite(t *testing.T, path string, text []byte) string {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestASealedSSHKeyIsOpenedOrItsAgentAsked(t *testing.T) {
	needs(t, "ssh-keygen")
	p := newPerson(t)
	p.gets("", "new")
	p.keygen("sesame", "-t", "ed25519")
	p.fails(1, "ssh-add", "", "delegate")
	p.passwords = []string{"wrong"}
	p.fails(1, "does not open", "", "delegate")
	p.passwords = []string{"sesame"}
	path := p.gets("", "delegate")
	p.passwords = nil

	// The agent holds the key: nothing is asked, and the file is not needed.
	text, err := os.ReadFile(filepath.Join(p.home, ".ssh/id_ed25519"))
	if err != nil {
		t.Fatal(err)
	}
	private, err := ssh.ParseRawPrivateKeyWithPassphrase(text, []byte("sesame"))
	if err != nil {
		t.Fatal(err)
	}
	p.vars["SSH_AUTH_SOCK"] = serveAgent(t, private)
	if err := os.Remove(filepath.Join(p.home, ".ssh/id_ed25519")); err != nil {
		t.Fatal(err)
	}
	if got := p.gets("", "delegate", "--for", "1d"); got != path {
		t.Errorf("the certificate is %s", got)
	}
	if shown := describe(t, path); !strings.Contains(shown, "to 2026-01-03T15:03:00") {
		t.Error(shown)
	}
	delete(p.vars, "SSH_AUTH_SOCK")
	p.fails(1, "cannot be read", "", "delegate")
}

// With the key in an agent alone, ssh still finds the certificate beside the public key.
func TestSSHLogsInByItselfWithAnAgentsKey(t *testing.T) {
	needs(t, "ssh", "ssh-keygen")
	p := newPerson(t)
	p.clockNow()
	account := p.gets("", "new")
	p.keygen("", "-t", "ed25519")
	path := filepath.Join(p.home, ".ssh/id_ed25519")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	private, err := ssh.ParseRawPrivateKey(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p.vars["SSH_AUTH_SOCK"] = serveAgent(t, private)
	p.gets("", "delegate")
	s := newSatellite(t, newHostKey(t))
	if out, errOut, err := p.ssh(s, account, "-oStrictHostKeyChecking=no"); err != nil || out != "hello\n" {
		t.Errorf("%v: %q, %q", err, out, errOut)
	}
	delete(p.vars, "SSH_AUTH_SOCK")
	if _, errOut, err := p.ssh(s, account, "-oStrictHostKeyChecking=no"); err == nil { // control
		t.Errorf("it lets in whoever shows the certificate: %q", errOut)
	}
}

// serveAgent is an SSH agent that holds one key.
func serveAgent(t *testing.T, private any) string {
	t.Helper()
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: private}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "a")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_ = agent.ServeAgent(ring, conn)
			conn.Close()
		}
	}()
	return socket
}

// With a wallet the person needs no key file at all.
func TestAWalletDelegatesWithOneSignature(t *testing.T) {
	needs(t, "ssh-keygen")
	wallet, p := newPerson(t), newPerson(t)
	account := wallet.gets("", "new", "--kind", "p2tr")
	key := p.keygen("", "-t", "ed25519")
	p.dice = func() io.Reader { return strings.NewReader(strings.Repeat("dice", 100)) }
	voucher, err := statement.NewVoucherKey(p.dice())
	if err != nil {
		t.Fatal(err)
	}
	line := mustLine(t, statement.Delegation{Account: mustAddress(t, account), Key: key, Scope: statement.Read, From: at, Until: at.Add(time.Hour), Via: voucher.Voucher()})
	args := []string{"delegate", "--account", account, "--scope", "read", "--for", "1h"}
	p.fails(1, "not", "nonsense", args...)
	if _, err := os.Stat(filepath.Join(p.home, ".ssh/id_ed25519-cert.pub")); err == nil {
		t.Error("a certificate without a signature is written")
	}
	p.gets(wallet.gets("", "sign", "--statement", line)+"\n", args...)
	c, err := readPublic(filepath.Join(p.home, ".ssh/id_ed25519-cert.pub"))
	if err != nil || carried(t, c.(*ssh.Certificate)).Scope != statement.Read {
		t.Errorf("%v", err)
	}
}
