package identity

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
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
