package hostcert

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/keys"
	"decenter/keys/statement"
)

var at = time.Date(2026, 1, 2, 15, 3, 0, 0, time.UTC)

// owner is an account that admits satellites.
type owner struct {
	secret  keys.PrivateKey
	account keys.Address
}

func newOwner(t testing.TB, kind keys.Kind) owner {
	t.Helper()
	secret, err := keys.NewPrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return owner{secret, secret.Address(keys.Mainnet, kind)}
}

func (o owner) sign(t testing.TB, s statement.Statement) string {
	t.Helper()
	line, err := statement.New(s)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := o.secret.Sign(o.account, line)
	if err != nil {
		t.Fatal(err)
	}
	return statement.Signed{Line: line, Signature: signature}.Text()
}

func (o owner) membership(key ssh.PublicKey, admit bool) statement.Membership {
	return statement.Membership{Account: o.account, Constellation: "home", Satellite: sha256.Sum256(key.Marshal()), Admit: admit, At: at}
}

func newKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// offer is a certificate of key, signed by authority, that carries text; change is done to it before it is signed.
func offer(t testing.TB, key ssh.PublicKey, authority ssh.Signer, text string, change func(*ssh.Certificate)) []byte {
	t.Helper()
	c := &ssh.Certificate{Key: key, CertType: ssh.HostCert, ValidBefore: ssh.CertTimeInfinity,
		Permissions: ssh.Permissions{Extensions: map[string]string{statement.HostExtension: text}}}
	if change != nil {
		change(c)
	}
	if err := c.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	return c.Marshal()
}

func TestAnOwnersWordIsFound(t *testing.T) {
	for _, kind := range keys.Kinds() {
		o, key := newOwner(t, kind), newKey(t)
		trust := Trust{Owners: []keys.Address{newOwner(t, kind).account, o.account}, Constellation: "home"}
		want := o.membership(key.PublicKey(), true)
		got, m, err := trust.Judge(offer(t, key.PublicKey(), key, o.sign(t, want), nil), at)
		if err != nil || m != want || !bytes.Equal(got.Marshal(), key.PublicKey().Marshal()) {
			t.Errorf("%s: %+v, %v", kind, m, err)
		}
	}
}

func TestNothingElseCounts(t *testing.T) {
	o, stranger := newOwner(t, keys.P2WPKH), newOwner(t, keys.P2WPKH)
	key, other := newKey(t), newKey(t)
	pub := key.PublicKey()
	good := o.sign(t, o.membership(pub, true))
	line, signature, _ := strings.Cut(good, "\n")
	trust := Trust{Owners: []keys.Address{o.account}}
	with := func(change func(*ssh.Certificate)) []byte { return offer(t, pub, key, good, change) }
	for reason, wire := range map[string][]byte{
		"not well-formed":           {1, 2, 3},
		"bare key":                  pub.Marshal(),
		"more than 16384":           bytes.Repeat([]byte{0}, 20_000),
		"not one of a host":         with(func(c *ssh.Certificate) { c.CertType = ssh.UserCert }),
		"not signed by its own key": offer(t, pub, other, good, nil),
		"critical options":          with(func(c *ssh.Certificate) { c.CriticalOptions = map[string]string{"force-command": "x"} }),
		"expired":                   with(func(c *ssh.Certificate) { c.ValidBefore = uint64(at.Unix()) }),
		"not yet valid":             with(func(c *ssh.Certificate) { c.ValidAfter = uint64(at.Unix()) + 1 }),
		"carries no admission":      with(func(c *ssh.Certificate) { c.Extensions = map[string]string{"admission@other": good} }),
		"a line, a line end":        offer(t, pub, key, line, nil),
		"not a statement":           offer(t, pub, key, "decenter admit\n"+signature, nil),
		"for this message":          offer(t, pub, key, strings.Replace(line, "home", "away", 1)+"\n"+signature, nil),
		"--owner " + stranger.account.String() + " if that is yours": offer(t, pub, key, stranger.sign(t, stranger.membership(pub, true)), nil),
		"not an admission":           offer(t, pub, key, o.sign(t, o.membership(pub, false)), nil),
		"that of another satellite":  offer(t, other.PublicKey(), other, good, nil),
		"what it carries is not an ": offer(t, pub, key, o.sign(t, statement.Delegation{Account: o.account, Key: sha256.Sum256(pub.Marshal()), Scope: statement.All, From: at, Until: at.Add(time.Hour)}), nil),
	} {
		if _, _, err := trust.Judge(wire, at); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), reason) {
			t.Errorf("got %v, want %q", err, reason)
		}
	}
	away := Trust{Owners: trust.Owners, Constellation: "away"}
	if _, _, err := away.Judge(with(nil), at); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "to constellation home, not away") {
		t.Errorf("got %v", err)
	}
	if _, _, err := (Trust{Network: keys.Regtest, Owners: trust.Owners}).Judge(with(nil), at); !errors.Is(err, ErrRefused) {
		t.Errorf("another network's: %v", err)
	}
	if _, _, err := (Trust{}).Judge(with(nil), at); !errors.Is(err, ErrRefused) {
		t.Errorf("nobody's word counts: %v", err)
	}
	if _, _, err := trust.Judge(with(nil), at); err != nil { // control
		t.Error(err)
	}
}

// A certificate's own signature covers all of it, and the owner's the line: no byte can be another.
func TestNoByteCanBeChanged(t *testing.T) {
	o, key := newOwner(t, keys.P2WPKH), newKey(t)
	trust := Trust{Owners: []keys.Address{o.account}}
	good := offer(t, key.PublicKey(), key, o.sign(t, o.membership(key.PublicKey(), true)), nil)
	for i := range good {
		bad := slices.Clone(good)
		bad[i] ^= 1 << (i % 8)
		if _, _, err := trust.Judge(bad, at); err == nil {
			t.Errorf("byte %d", i)
		}
		if _, _, err := trust.Judge(good[:i], at); err == nil {
			t.Errorf("cut off at %d", i)
		}
	}
	if _, _, err := trust.Judge(append(slices.Clone(good), 0), at); err == nil {
		t.Error("a byte more")
	}
}

// Whatever is judged well carries an owner's admission of the key it is about. wire is a whole certificate; text is what a
// stranger puts into one of her own, which she signs as it should be.
func FuzzJudge(f *testing.F) {
	o, key, stranger := newOwner(f, keys.P2WPKH), newKey(f), newKey(f)
	trust := Trust{Owners: []keys.Address{o.account}}
	admission := o.sign(f, o.membership(key.PublicKey(), true))
	f.Add(offer(f, key.PublicKey(), key, admission, nil), admission)
	f.Add(offer(f, key.PublicKey(), key, "", func(c *ssh.Certificate) { c.ValidPrincipals = []string{"a", ""} }), "")
	f.Add(key.PublicKey().Marshal(), o.sign(f, o.membership(stranger.PublicKey(), false)))
	f.Add([]byte("\x00\x00\x00\x20ssh-ed25519-cert-v01@openssh.com\x00\x00\x00\x00"), "\n")
	f.Fuzz(func(t *testing.T, wire []byte, text string) {
		for _, b := range [][]byte{wire, offer(t, stranger.PublicKey(), stranger, text, nil)} {
			k, m, err := trust.Judge(b, at)
			switch {
			case err != nil && !errors.Is(err, ErrRefused):
				t.Errorf("%v is no refusal", err)
			case err == nil && (m.Account != o.account || !m.Admit || m.Satellite != sha256.Sum256(k.Marshal()) || m.Satellite == sha256.Sum256(stranger.PublicKey().Marshal())):
				t.Errorf("%+v", m)
			}
		}
	})
}
