package keycmd

import (
	"crypto/rand"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"decenter/keys/statement"
)

// hostCertificate is what a satellite offers: its key, certified by authority, with the extension's text.
func hostCertificate(t testing.TB, host, authority ssh.Signer, text string, change func(*ssh.Certificate)) ssh.Signer {
	t.Helper()
	c := &ssh.Certificate{Key: host.PublicKey(), CertType: ssh.HostCert, KeyId: "tokyo-1",
		ValidAfter: 0, ValidBefore: ssh.CertTimeInfinity, Permissions: ssh.Permissions{Extensions: map[string]string{}}}
	if text != "" {
		c.Extensions[statement.HostExtension] = text
	}
	if change != nil {
		change(c)
	}
	if err := c.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewCertSigner(c, host)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// owner is a person who admits satellites to "home".
type owner struct {
	*person
	account string
}

func newOwner(t *testing.T) owner {
	p := newPerson(t)
	p.clockNow()
	return owner{p, p.gets("", "new")}
}

// says makes the text for the extension: the owner's signed membership of the satellite.
func (o owner) says(verb string, satellite ssh.PublicKey, constellation string) string {
	o.t.Helper()
	_, signed := o.declares(verb, fingerprint(satellite).String(), "--constellation", constellation)
	return signed.Text()
}

// visit is a person's first connection ever to a satellite: nothing is known of it, and nobody may be asked.
func visit(t *testing.T, s *satellite, flags string) (string, string, error) {
	t.Helper()
	p := newPerson(t)
	p.clockNow()
	account := p.gets("", "new")
	p.keygen("", "-t", "ed25519")
	p.gets("", "delegate")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return p.ssh(s, account, "-o", "StrictHostKeyChecking=yes", "-o", "KnownHostsCommand="+self+" key known-hosts "+flags+" %I %H %t %K")
}

func TestSSHTrustsASatelliteByItsOwnersWord(t *testing.T) {
	needs(t, "ssh", "ssh-keygen")
	home, stranger := newOwner(t), newOwner(t)
	key, other := newHostKey(t), newHostKey(t)
	good := home.says("admit", key.PublicKey(), "home")
	// A satellite offers both, for those who know its bare key.
	s := newSatellite(t, key, hostCertificate(t, key, key, good, nil))
	for _, flags := range []string{
		"--owner " + home.account,
		"--owner " + stranger.account + " --owner " + home.account + " --constellation home",
		"--owners " + mustWrite(t, filepath.Join(t.TempDir(), "o"), []byte("# mine\n"+home.account+" # home\n\n")),
	} {
		out, errOut, err := visit(t, s, flags)
		if err != nil || out != "hello\n" {
			t.Fatalf("%s: %v: %q, %q", flags, err, out, errOut)
		}
		if errOut != "" {
			t.Errorf("%s: %q", flags, errOut)
		}
	}
	for name, c := range map[string]struct {
		offer []ssh.Signer
		flags string
		told  string
	}{
		"another owner":          {[]ssh.Signer{hostCertificate(t, key, key, good, nil)}, "--owner " + stranger.account, "not among the owners"},
		"signed by a stranger":   {[]ssh.Signer{hostCertificate(t, key, key, stranger.says("admit", key.PublicKey(), "home"), nil)}, "", "not among the owners"},
		"another's admission":    {[]ssh.Signer{hostCertificate(t, other, other, good, nil)}, "", "that of another satellite"},
		"an ejection":            {[]ssh.Signer{hostCertificate(t, key, key, home.says("eject", key.PublicKey(), "home"), nil)}, "", "not an admission"},
		"another constellation":  {[]ssh.Signer{hostCertificate(t, key, key, good, nil)}, "--constellation away", "to constellation home, not away"},
		"no admission":           {[]ssh.Signer{hostCertificate(t, key, key, "", nil)}, "", "carries no admission"},
		"not signed by itself":   {[]ssh.Signer{hostCertificate(t, key, other, good, nil)}, "", "not signed by its own key"},
		"the line without proof": {[]ssh.Signer{hostCertificate(t, key, key, good[:strings.Index(good, "\n")+1]+"smpAAAA", nil)}, "", "signature"},
		"expired":                {[]ssh.Signer{hostCertificate(t, key, key, good, func(c *ssh.Certificate) { c.ValidBefore = 1 })}, "", "expired"},
		"a bare key":             {[]ssh.Signer{key}, "", "bare key"},
		"no owner at all":        {[]ssh.Signer{hostCertificate(t, key, key, good, nil)}, "--owners /nowhere", "no owner is named"},
	} {
		if !strings.Contains(c.flags, "--owner") {
			c.flags += " --owner " + home.account
		}
		_, errOut, err := visit(t, newSatellite(t, c.offer...), c.flags)
		if err == nil || !strings.Contains(errOut, c.told) || !strings.Contains(errOut, "Host key verification failed") {
			t.Errorf("%s: %v, %q; want %q", name, err, errOut, c.told)
		}
		if n := strings.Count(errOut, "no owner's word"); n > 2 {
			t.Errorf("%s: told %d times: %q", name, n, errOut)
		}
	}
}

// Control: ssh believes the program that it asks. One that takes everybody's word lets an impostor through.
func TestABlindHelperLetsAnImpostorThrough(t *testing.T) {
	needs(t, "ssh", "ssh-keygen")
	impostor := newHostKey(t)
	s := newSatellite(t, hostCertificate(t, impostor, impostor, "", nil))
	p := newPerson(t)
	p.clockNow()
	account := p.gets("", "new")
	p.keygen("", "-t", "ed25519")
	p.gets("", "delegate")
	blind := "/bin/echo * " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(impostor.PublicKey())))
	if out, errOut, err := p.ssh(s, account, "-o", "StrictHostKeyChecking=yes", "-o", "KnownHostsCommand="+blind); err != nil || out != "hello\n" {
		t.Errorf("%v: %q, %q", err, out, errOut)
	}
}

// OpenSSH up to 10.2 takes a certificate without principals for any host; 10.3 takes one with the principal "*". Neither
// may matter, nor a name that the satellite does not know that it has, and ssh may complain of none.
func TestPrincipalsAreNoHindrance(t *testing.T) {
	needs(t, "ssh", "ssh-keygen")
	home := newOwner(t)
	key := newHostKey(t)
	good := home.says("admit", key.PublicKey(), "home")
	for _, principals := range [][]string{nil, {"*"}, {"tokyo-1"}, {"127.0.0.1"}} {
		s := newSatellite(t, hostCertificate(t, key, key, good, func(c *ssh.Certificate) { c.ValidPrincipals = principals }))
		if out, errOut, err := visit(t, s, "--owner "+home.account); err != nil || out != "hello\n" || errOut != "" {
			t.Errorf("%q: %v: %q", principals, err, errOut)
		}
	}
}

func TestKnownHostsAnswersSSHAlone(t *testing.T) {
	home := newOwner(t)
	key := newHostKey(t)
	cert := hostCertificate(t, key, key, home.says("admit", key.PublicKey(), "home"), nil)
	blob := base64.StdEncoding.EncodeToString(cert.PublicKey().Marshal())
	const kind = "ssh-ed25519-cert-v01@openssh.com"
	ask := func(lookup, host, blob string) (string, string) {
		out, errOut, code := home.types("", "known-hosts", "--owner", home.account, lookup, host, kind, blob)
		if code != 0 {
			t.Errorf("%s %s: exit %d, on which ssh gives up", lookup, host, code)
		}
		return out, errOut
	}
	bare := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key.PublicKey())))
	for _, host := range []string{"10.77.0.1", "tokyo-1.example", "[tokyo-1]:2222", "[fe80::1%eth0]:22", "fe80::1%eth0", "::1"} {
		if out, errOut := ask("HOSTNAME", host, blob); out != host+" "+bare+"\n" || errOut != "" {
			t.Errorf("%s: %q, %q", host, out, errOut)
		}
	}
	for _, host := range []string{"*", "a b", "a,b", "!a", "a\n*", "", "|1|x|y", "[a]:*", "#a", "@cert-authority", "a?", strings.Repeat("a", 256)} {
		if out, errOut := ask("HOSTNAME", host, blob); out != "" || !strings.Contains(errOut, "its name is none") {
			t.Errorf("%q: %q, %q", host, out, errOut)
		}
	}
	for _, c := range [][2]string{{"ORDER", "NONE"}, {"ORDER", blob}, {"ADDRESS", "AAAA"}} {
		if out, errOut := ask(c[0], "a", c[1]); out != "" || errOut != "" {
			t.Errorf("%q: %q, %q", c, out, errOut)
		}
	}
	for _, bad := range []string{"", "!", "AAAA", blob[:len(blob)-8], blob + "AAAA"} {
		if out, errOut := ask("HOSTNAME", "a", bad); out != "" || errOut == "" {
			t.Errorf("%q: %q, %q", bad, out, errOut)
		}
	}
	home.fails(2, "takes 4 arguments", "", "known-hosts", "HOSTNAME")
}

func TestSSHConfigIsReadyToUse(t *testing.T) {
	needs(t, "ssh", "ssh-keygen")
	home := newOwner(t)
	key := newHostKey(t)
	s := newSatellite(t, hostCertificate(t, key, key, home.says("admit", key.PublicKey(), "home"), nil))
	home.keygen("", "-t", "ed25519")
	home.gets("", "delegate")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// A path with a blank is one that ssh_config must quote.
	spaced := filepath.Join(t.TempDir(), "my programs")
	if err := os.Symlink(self, spaced); err != nil {
		t.Fatal(err)
	}
	home.self = spaced
	block := home.gets("", "ssh-config", "--owner", home.account, "--satellite", "tokyo", "--satellite", "127.*")
	config := mustWrite(t, filepath.Join(home.home, "config"), []byte(block+"\n"))
	out, errOut, err := home.ssh(s, home.account, "-F", config, "-o", "StrictHostKeyChecking=yes")
	if err != nil || out != "hello\n" {
		t.Errorf("%v: %q, %q, with\n%s", err, out, errOut, block)
	}
	home.fails(2, "no satellite", "", "ssh-config", "--owner", home.account)
	home.fails(2, "not a host", "", "ssh-config", "--owner", home.account, "--satellite", "a\nProxyCommand x")
	home.fails(2, "mistyped", "", "ssh-config", "--owner", "x", "--satellite", "a")
}
