package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"decenter/keys"
)

func TestKeyIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	first, err := LoadOrCreate(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadOrCreate(dir)
	if err != nil {
		t.Fatal(err)
	}
	if first.Fingerprint() != again.Fingerprint() {
		t.Errorf("second start has key %s, first had %s", again.Fingerprint(), first.Fingerprint())
	}
	if m := first.MAC(); m[0]&0x0f != 0x06 {
		t.Errorf("MAC %s: first octet must end in 0110", m)
	}
}

func TestTwoStartsAtOnceEndWithOneKey(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	ids := make([]string, 16)
	for n := range ids {
		wg.Go(func() {
			id, err := LoadOrCreate(dir)
			if err != nil {
				t.Error(err)
				return
			}
			ids[n] = id.Fingerprint()
		})
	}
	wg.Wait()
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("two keys: %s and %s", id, ids[0])
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "satellite.pub"))
	if err != nil {
		t.Fatal(err)
	}
	pub, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil || ssh.FingerprintSHA256(pub) != ids[0] {
		t.Errorf("satellite.pub is of %s, the key of %s: %v", ssh.FingerprintSHA256(pub), ids[0], err)
	}
}

// TestThePublicKeyIsOfTheKeyThatWon lets the loser of two first starts have been there before.
func TestThePublicKeyIsOfTheKeyThatWon(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "satellite.pub")
	if err := os.WriteFile(path, []byte("ssh-ed25519 AAAA of another\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	id, err := LoadOrCreate(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // as made, and mended at a later start
		text, err := os.ReadFile(path)
		if err != nil || string(text) != string(ssh.MarshalAuthorizedKey(id.Signer().PublicKey())) {
			t.Fatalf("%q, %v", text, err)
		}
		if st, _ := os.Stat(path); st.Mode().Perm() != 0o644 {
			t.Errorf("mode %v", st.Mode())
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadOrCreate(dir); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTheMACFollowsFromTheFingerprint(t *testing.T) {
	id := newIdentity(t)
	fingerprint, err := keys.ParseFingerprint(id.Fingerprint())
	if err != nil {
		t.Fatal(err)
	}
	if got := MACOf(fingerprint); got.String() != id.MAC().String() || got[0]&0x0f != 0x06 {
		t.Errorf("%s, not %s", got, id.MAC())
	}
	if own, err := keys.FingerprintOf(id.Key().Public().(ed25519.PublicKey)); err != nil || own != fingerprint {
		t.Errorf("the key's fingerprint is %s, %v", own, err)
	}
}

// TestStrangersProveAKey connects to a listener that is open to strangers.
func TestStrangersProveAKey(t *testing.T) {
	server, stranger := newIdentity(t), newIdentity(t)
	open, err := server.ListenTLS()
	if err != nil {
		t.Fatal(err)
	}
	proper, _ := stranger.ListenTLS()
	none := proper.Clone()
	none.Certificates = nil
	old := proper.Clone()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	borrowed := proper.Clone() // the server's certificate, without its key
	borrowed.Certificates = []tls.Certificate{{Certificate: open.Certificates[0].Certificate, PrivateKey: proper.Certificates[0].PrivateKey}}
	wrongKind := proper.Clone()
	wrongKind.Certificates = []tls.Certificate{ecdsaCertificate(t)}
	for name, c := range map[string]struct {
		config *tls.Config
		ok     bool
	}{
		"a satellite's key": {proper, true}, "no key": {none, false}, "TLS 1.2": {old, false},
		"another's certificate": {borrowed, false}, "a key of another kind": {wrongKind, false},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := tls.Listen("tcp", "127.0.0.1:0", open)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				if c, err := tls.Dial("tcp", l.Addr().String(), c.config); err == nil {
					_, _ = io.Copy(io.Discard, c)
					c.Close()
				}
			}()
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			s := conn.(*tls.Conn)
			if err := s.Handshake(); (err == nil) != c.ok {
				t.Fatalf("handshake: %v", err)
			}
			if !c.ok {
				return
			}
			if key, id, err := PeerKey(s.ConnectionState()); err != nil || id.String() != stranger.Fingerprint() || !key.Equal(stranger.Key().Public()) {
				t.Errorf("the peer is %s, %v", id, err)
			}
		})
	}
}

func ecdsaCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func TestKeyOthersCanReadIsRefused(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadOrCreate(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "satellite.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadOrCreate(dir); err == nil || !strings.Contains(err.Error(), "0644") {
		t.Errorf("got %v, want a refusal that names the mode", err)
	}
}

// TestOnlyAdmittedSatellitesTalk connects two satellites; each end refuses the other on its own.
func TestOnlyAdmittedSatellitesTalk(t *testing.T) {
	a, b := newIdentity(t), newIdentity(t)
	everyone := func(string) bool { return true }
	only := func(id string) func(string) bool { return func(s string) bool { return s == id } }
	for _, c := range []struct {
		name             string
		server, client   func(string) bool
		serverOK, readOK bool
	}{
		{"both know each other", only(b.Fingerprint()), only(a.Fingerprint()), true, true},
		{"server does not know the client", only(a.Fingerprint()), everyone, false, false},
		{"client does not know the server", everyone, only(b.Fingerprint()), false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			serverErr, clientErr := handshake(t, a, b, c.server, c.client)
			if c.serverOK != (serverErr == nil) || c.readOK != (clientErr == nil) {
				t.Errorf("server: %v, client: %v", serverErr, clientErr)
			}
			if !c.serverOK && !errors.Is(errors.Join(serverErr, clientErr), ErrNotAdmitted) {
				t.Errorf("neither end says why: server %v, client %v", serverErr, clientErr)
			}
		})
	}
}

func newIdentity(t *testing.T) *Identity {
	t.Helper()
	id, err := LoadOrCreate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func handshake(t *testing.T, server, client *Identity, serverAdmits, clientAdmits func(string) bool) (serverErr, clientErr error) {
	t.Helper()
	sc, err := server.TLS(serverAdmits)
	if err != nil {
		t.Fatal(err)
	}
	cc, err := client.TLS(clientAdmits)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			done <- err
			return
		}
		defer conn.Close()
		s := tls.Server(conn, sc)
		if err = s.Handshake(); err == nil {
			_, err = s.Write([]byte{1})
		}
		done <- err
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := tls.Client(conn, cc)
	if clientErr = c.Handshake(); clientErr == nil {
		_, clientErr = io.ReadFull(c, make([]byte, 1))
	} else {
		conn.Close()
	}
	return <-done, clientErr
}
