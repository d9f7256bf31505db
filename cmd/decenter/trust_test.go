package main

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/engine/config"
	"decenter/engine/identity"
	"decenter/keys"
	"decenter/keys/statement"
	"decenter/net/frame"
)

// satelliteOf is a satellite with a configuration's trust, and nothing else of it.
func satelliteOf(t *testing.T, text string) *satellite {
	t.Helper()
	cfg, err := config.Parse([]byte(text), "s1")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Data = t.TempDir()
	id, err := identity.LoadOrCreate(cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	s := &satellite{cfg: cfg, id: id, log: slog.New(slog.DiscardHandler)}
	t.Cleanup(func() {
		for _, c := range s.closers {
			_ = c()
		}
	})
	if err := s.openTrust(); err != nil {
		t.Fatal(err)
	}
	return s
}

// A directory that does not answer lets nobody in; without one nobody is asked.
func TestTheConfiguredDirectoryIsAGate(t *testing.T) {
	if s := satelliteOf(t, ""); s.trust.Directory != nil {
		t.Error("there is a directory that nobody configured")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead := l.Addr().String()
	_ = l.Close()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := satelliteOf(t, strings.NewReplacer("DEAD", dead, "FILE", password).Replace(`[directory]
url = "ldaps://DEAD"
base = "dc=example,dc=org"
bind_dn = "cn=decenter,dc=example,dc=org"
password_file = "FILE"
[directory.groups]
"cn=admins,dc=example,dc=org" = "owner"
`))
	if _, err := s.trust.Directory.Role(t.Context(), "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"); api.CodeOf(err) != api.CodeUnavailable {
		t.Errorf("a dead directory says %v", err)
	}
}

// Who belongs to nobody keeps no neighbour out; who belongs to a constellation lets its satellites in and no other.
func TestNeighboursAreThoseThatAreAdmitted(t *testing.T) {
	strangerKey, friendKey := [32]byte{1}, [32]byte{2}
	of := func(key [32]byte) keys.Fingerprint {
		f, err := keys.FingerprintOf(key[:])
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	stranger, friend := of(strangerKey), of(friendKey)
	neighbour := func(s *satellite, key [32]byte) bool {
		mac, admitted := s.neighbour(key)
		if mac != frame.MAC(identity.MACOf(of(key))) {
			t.Errorf("the address %v is not the key's", mac)
		}
		return admitted
	}
	s := satelliteOf(t, "")
	if !neighbour(s, strangerKey) {
		t.Error("a fresh satellite keeps a neighbour out")
	}
	s = satelliteOf(t, `[trust]
satellites = ["`+friend.String()+`"]`)
	if !neighbour(s, friendKey) || neighbour(s, strangerKey) || !s.admitted(friend.String()) || s.admitted(stranger.String()) || s.admitted("rubbish") {
		t.Error("the configuration's satellites are not those that are let in")
	}
	// An owner's word counts at once, without a restart.
	secret, err := keys.NewPrivateKey(strings.NewReader(strings.Repeat("k", 32)))
	if err != nil {
		t.Fatal(err)
	}
	owner := secret.Address(keys.Mainnet, keys.P2WPKH)
	s = satelliteOf(t, `[trust]
owners = ["`+owner.String()+`"]
satellites = ["`+friend.String()+`"]`)
	for _, admit := range []bool{true, false} {
		line, err := statement.New(statement.Membership{Account: owner, Constellation: "decenter", Satellite: stranger, Admit: admit, At: time.Now().UTC().Truncate(time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		signature, err := secret.Sign(owner, line)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.statements.Declare(statement.Signed{Line: line, Signature: signature}); err != nil {
			t.Fatal(err)
		}
		if neighbour(s, strangerKey) != admit {
			t.Errorf("admitted %v, but a neighbour %v", admit, !admit)
		}
	}
}
