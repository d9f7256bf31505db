package sshd

import (
	"crypto/ed25519"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/keys"
	"decenter/keys/statement"
)

// named is a connection's user name alone.
type named struct {
	ssh.ConnMetadata
	user string
}

func (n named) User() string       { return n.user }
func (named) RemoteAddr() net.Addr { return &net.TCPAddr{} }

// Whatever the user name is, it is an account in its one spelling, or the client is told a short text of one form.
func FuzzUserName(f *testing.F) {
	for _, s := range []string{"", "root", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "BC1QAR0SRRR7XFKVY5L643LYDNW9RE59GTZZWF5MDQ", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "a\nb\x1b[2J", strings.Repeat("x", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, user string) {
		l := &login{server: &Server{}}
		text := l.greet(named{user: user})
		account, err := l.account(named{user: user})
		switch {
		case (err == nil) != (text == ""):
			t.Errorf("%q: %v, and is told %q", user, err, text)
		case err == nil && account.String() != user:
			t.Errorf("%q is taken for %q", user, account)
		case err != nil && (len(text) > 2000 || strings.ContainsAny(text, "\x1b\r\x00") || strings.Count(text, "\n") != 2):
			t.Errorf("%q is told %q", user, text)
		}
	})
}

// An answer that passes is a short text without blanks around it, and the answer's own.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{"", "c2ln", " c2ln\r\n", "smpAUDA", strings.Repeat("A", 2000), "\x00", "a b"} {
		f.Add(s)
	}
	c := keys.Challenge{Account: fuzzAccount(f)}
	f.Fuzz(func(t *testing.T, answer string) {
		signature, err := readAnswer([]string{answer}, flaws{})
		if err != nil {
			return
		}
		if len(signature) > keys.MaxSignature || strings.TrimSpace(answer) != signature {
			t.Errorf("%q is read as %q", answer, signature)
		}
		if keys.Verify(c.Account, c.String(), signature) == nil {
			t.Errorf("%q is a signature", answer)
		}
	})
}

func fuzzAccount(f *testing.F) keys.Address {
	a, err := keys.ParseAddress(keys.Mainnet, "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq")
	if err != nil {
		f.Fatal(err)
	}
	return a
}

// The fuzzer gets a certificate's bytes, signs nothing, and may change what it likes: what passes is a delegation of the
// account to the certificate's key that verifies, and its bytes are the one spelling of themselves.
func FuzzCertificate(f *testing.F) {
	// The fuzzer's processes must have the same account.
	secret, err := keys.NewPrivateKey(strings.NewReader(strings.Repeat("seven", 64)))
	if err != nil {
		f.Fatal(err)
	}
	h := holder{secret: secret, account: secret.Address(keys.Mainnet, keys.P2WPKH)}
	signer, err := ssh.NewSignerFromKey(ed25519.NewKeyFromSeed(make([]byte, 32)))
	if err != nil {
		f.Fatal(err)
	}
	h.signer = signer
	now := time.Now()
	good := papers(f, h).PublicKey().Marshal()
	f.Add(good)
	f.Add(papers(f, h, func(p *paper) { p.bare = true }).PublicKey().Marshal())
	f.Add(papers(f, h, func(p *paper) { p.cert.CriticalOptions = map[string]string{"force-command": "x"} }).PublicKey().Marshal())
	f.Add(papers(f, h, func(p *paper) { p.cert.ValidBefore = ssh.CertTimeInfinity }).PublicKey().Marshal())
	f.Add(h.signer.PublicKey().Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		key, err := ssh.ParsePublicKey(b)
		if err != nil {
			return
		}
		cert, ok := key.(*ssh.Certificate)
		if !ok {
			return
		}
		proof, err := readCertificate(cert, h.account, keys.Fingerprint{5}, now, flaws{})
		if err != nil {
			return
		}
		s, err := statement.Signed{Line: proof.Line, Signature: proof.Signature}.Verify(keys.Mainnet)
		if err != nil {
			t.Fatalf("a delegation that does not verify passes: %v", err)
		}
		d, ok := s.(statement.Delegation)
		if !ok || d.Account != h.account || d.Key != fingerprint(cert.Key) || proof.Key != d.Key.String() || cert.CertType != ssh.UserCert {
			t.Errorf("it passes as %+v", proof)
		}
		if said, err := statement.ParseVouched(proof.Vouched); err != nil || !said.By(d.Via, proof.Line, keys.Fingerprint{5}) {
			t.Errorf("its use here is not vouched for: %v", err)
		}
		if again, err := ssh.ParsePublicKey(cert.Marshal()); err != nil || string(again.Marshal()) != string(cert.Marshal()) {
			t.Errorf("it does not read back: %v", err)
		}
	})
}
