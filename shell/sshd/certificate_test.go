package sshd

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/keys"
	"decenter/keys/keyfile"
	"decenter/keys/statement"
)

// delegate makes a certificate for the person's SSH key, where OpenSSH finds it.
func (u *user) delegate(key string, changes ...func(*paper)) {
	u.t.Helper()
	k, err := keyfile.ReadFile(filepath.Join(u.home, ".config/decenter/key"), nil)
	if err != nil {
		u.t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(u.home, ".ssh", key))
	if err != nil {
		u.t.Fatal(err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		u.t.Fatal(err)
	}
	h := holder{secret: k.Secret, account: k.Account, signer: signer}
	u.write(".ssh/"+key+"-cert.pub", ssh.MarshalAuthorizedKey(papers(u.t, h, changes...).PublicKey()))
}

// With a certificate ssh asks nothing, so scripts work: BatchMode, and an askpass that would fail.
func TestOpenSSHLogsInByCertificate(t *testing.T) {
	u := newUser(t, newWorld(t))
	u.askpass = "/bin/false"
	u.delegate("id_ed25519", func(p *paper) { p.delegation.Scope = statement.Operate })
	out, errOut, code := run1(u.ssh(u.account, "id_ed25519", "-oBatchMode=yes", "whoami"))
	if out != u.account+" ssh\n" || code != 0 || errOut != "" {
		t.Fatalf("exit %d, stdout %q, stderr %q", code, out, errOut)
	}
	out, _, _ = run1(u.ssh(u.account, "id_ed25519", "-oBatchMode=yes", "proof"))
	if !strings.HasPrefix(out, "[decenter delegate 1 as "+u.account) || !strings.Contains(out, " scope operate ") {
		t.Errorf("the session's proof is %q", out)
	}
}

// A certificate that is refused says why, and the plain key behind it still leads to the challenge.
func TestOpenSSHWithABadCertificateIsToldWhy(t *testing.T) {
	w := newWorld(t)
	u := newUser(t, w)
	for _, c := range []struct {
		told   string
		change func(*paper)
	}{
		{"delegation ended at", func(p *paper) {
			p.delegation.From, p.delegation.Until = p.delegation.From.Add(-2*time.Hour), p.delegation.Until.Add(-2*time.Hour)
		}},
		{"carries no delegation", func(p *paper) { p.bare = true }},
		{"not a signed statement", func(p *paper) { p.cert.Extensions[statement.CertificateExtension] = "let me in" }},
	} {
		u.delegate("id_ed25519", c.change)
		_, errOut, code := run1(u.ssh(u.account, "id_ed25519", "-oBatchMode=yes", "whoami"))
		if code != 255 || !strings.Contains(errOut, "Your certificate is refused: ") || !strings.Contains(errOut, c.told) {
			t.Errorf("%s: exit %d, %q", c.told, code, errOut)
		}
		if out, errOut, code := run1(u.ssh(u.account, "id_ed25519", "whoami")); out != u.account+" ssh\n" {
			t.Errorf("%s: the plain key behind it: exit %d, %q", c.told, code, errOut)
		}
	}
}

// The whole way with `decenter key` itself: a delegation once, the owner's address once, and then a script asks nothing of
// anybody, at a satellite that its ssh never saw.
func TestOpenSSHNeedsOnlyADelegationAndTheOwnersAddress(t *testing.T) {
	owner, stranger := newHolder(t, keys.P2WPKH), newHolder(t, keys.P2TR)
	var admission statement.Signed
	u := newUser(t, newWorld(t, func(c *Config) {
		admission = admittedBy(t, owner, c.HostKey.PublicKey())
		c.Admission = func() (statement.Signed, bool) { return admission, true }
	}))
	u.write(".ssh/known_hosts", nil)
	public := filepath.Join(u.home, ".ssh/id_ed25519.pub")
	if _, errOut, code := run1(u.command(os.Args[0], "key", "delegate", "--ssh-key", public, "--scope", "read", "--for", "1h")); code != 0 {
		t.Fatalf("key delegate: exit %d, %s", code, errOut)
	}
	u.askpass = "/bin/false"
	for _, c := range []struct {
		owner keys.Address
		in    bool
	}{{owner.account, true}, {stranger.account, false}} {
		ask := fmt.Sprintf("-oKnownHostsCommand=%s key known-hosts --owner %s %%I %%H %%t %%K", os.Args[0], c.owner)
		out, errOut, code := run1(u.ssh(u.account, "id_ed25519", "-oBatchMode=yes", ask, "proof"))
		if got := strings.Contains(out, " scope read "); got != c.in || c.in && errOut != "" {
			t.Errorf("owner %s: exit %d, stdout %q, stderr %q", c.owner, code, out, errOut)
		}
	}
}

// admitted is a satellite's admission by a new owner.
func admitted(t testing.TB, host ssh.PublicKey) statement.Signed {
	t.Helper()
	return admittedBy(t, newHolder(t, keys.P2WPKH), host)
}

func admittedBy(t testing.TB, owner holder, host ssh.PublicKey) statement.Signed {
	t.Helper()
	line, err := statement.New(statement.Membership{Account: owner.account, Constellation: "test", Satellite: fingerprint(host), Admit: true,
		At: time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := owner.secret.Sign(owner.account, line)
	if err != nil {
		t.Fatal(err)
	}
	return statement.Signed{Line: line, Signature: signature}
}

// An admitted satellite shows its admission in a host certificate. OpenSSH accepts it from its key as an authority; who
// knows the plain key, or no certificates at all, sees no difference.
func TestOpenSSHAcceptsTheHostCertificate(t *testing.T) {
	var admission statement.Signed
	w := newWorld(t, func(c *Config) {
		admission = admitted(t, c.HostKey.PublicKey())
		c.Admission = func() (statement.Signed, bool) { return admission, true }
	})
	u := newUser(t, w)
	host, port, _ := net.SplitHostPort(w.addr)
	plain := string(ssh.MarshalAuthorizedKey(w.host.PublicKey()))
	for name, c := range map[string]struct {
		known string
		args  []string
		in    bool
	}{
		"the satellite's key as authority": {fmt.Sprintf("@cert-authority * %s", plain), nil, true},
		"of this address alone":            {fmt.Sprintf("@cert-authority [%s]:%s %s", host, port, plain), nil, true},
		"the plain key":                    {fmt.Sprintf("[%s]:%s %s", host, port, plain), nil, true},
		"the plain key, no certificates":   {fmt.Sprintf("[%s]:%s %s", host, port, plain), []string{"-oHostKeyAlgorithms=ssh-ed25519"}, true},
		"the authority, certificates only": {fmt.Sprintf("@cert-authority * %s", plain), []string{"-oHostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com"}, true},
		"another key as authority":         {fmt.Sprintf("@cert-authority * %s", ssh.MarshalAuthorizedKey(newSigner(t).PublicKey())), nil, false},
		"nothing":                          {"", nil, false},
	} {
		u.write(".ssh/known_hosts", []byte(c.known))
		out, errOut, code := run1(u.ssh(u.account, "id_ed25519", append(c.args, "whoami")...))
		if (out == u.account+" ssh\n") != c.in {
			t.Errorf("%s: exit %d, stdout %q, stderr %q", name, code, out, errOut)
		}
	}
	var got *ssh.Certificate
	_, _ = ssh.Dial("tcp", w.addr, &ssh.ClientConfig{HostKeyAlgorithms: []string{ssh.CertAlgoED25519v01}, Timeout: 10 * time.Second,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error { got, _ = key.(*ssh.Certificate); return nil }})
	if got == nil || got.CertType != ssh.HostCert || got.Extensions[statement.HostExtension] != admission.Text() {
		t.Errorf("the certificate is %+v", got)
	}
}

// The certificate follows the admission: none before it, a new one after it changed.
func TestTheHostCertificateFollowsTheAdmission(t *testing.T) {
	key := newSigner(t)
	var now statement.Signed
	h := &hostCertificate{key: key, dice: rand.Reader, admission: func() (statement.Signed, bool) { return now, now.Line != "" }}
	if h.signer() != nil {
		t.Error("a certificate without an admission")
	}
	now = admitted(t, key.PublicKey())
	first := h.signer()
	if first == nil || h.signer() != first {
		t.Error("no certificate, or a new one for each connection")
	}
	now = admitted(t, key.PublicKey())
	if second := h.signer(); second == first || second.PublicKey().(*ssh.Certificate).Extensions[statement.HostExtension] != now.Text() {
		t.Error("the certificate is of an old admission")
	}
	now = statement.Signed{}
	if h.signer() != nil {
		t.Error("a certificate after the admission went")
	}
}
