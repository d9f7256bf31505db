package engine

import (
	"bytes"
	"crypto/rand"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/engine/audit"
	"decenter/engine/identity"
	"decenter/engine/proof"
	"decenter/engine/trust"
	"decenter/keys"
	"decenter/keys/statement"
)

// The one account of these tests, of a key that is always the same.
var (
	myKey = func() keys.PrivateKey {
		k, _ := keys.NewPrivateKey(bytes.NewReader(bytes.Repeat([]byte{7}, 32)))
		return k
	}()
	myAddress = myKey.Address(keys.Mainnet, keys.P2WPKH)
)

// meAt is the account with a delegation to the satellite that it is at.
func meAt(id *identity.Identity) api.Caller {
	key := fingerprint(id)
	from := time.Now().UTC().Truncate(time.Second)
	line := statement.Line(statement.Delegation{Account: myAddress, Key: key, Scope: statement.All, From: from, Until: from.Add(time.Hour)})
	signature, err := myKey.Sign(myAddress, line)
	if err != nil {
		panic(err)
	}
	return api.Caller{Account: myAddress.String(), Via: viaSSH, Proof: api.Proof{Line: line, Signature: signature}}
}

// signed is a statement of the account of these tests.
func signed(t *testing.T, s statement.Statement) statement.Signed {
	t.Helper()
	line, err := statement.New(s)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := myKey.Sign(myAddress, line)
	if err != nil {
		t.Fatal(err)
	}
	return statement.Signed{Line: line, Signature: signature}
}

// trustOf is the trust of a satellite whose constellation the account of these tests owns; others are admitted by their keys.
func trustOf(t *testing.T, id *identity.Identity, admitted ...*identity.Identity) Trust {
	t.Helper()
	dir := t.TempDir()
	signer, err := proof.NewSigner(id.Key(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	c := trust.Config{Path: filepath.Join(dir, "trust"), Constellation: "test", Owners: []keys.Address{myAddress}, Self: signer.Self(), Now: time.Now, Log: quiet}
	for _, other := range admitted {
		c.Satellites = append(c.Satellites, fingerprint(other))
	}
	statements, err := trust.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = statements.Close() })
	decisions, err := audit.Open(audit.Config{Dir: filepath.Join(dir, "audit"), Satellite: "s", Now: time.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = decisions.Close() })
	judge := proof.NewJudge(keys.Mainnet)
	return Trust{Constellation: "test", Owners: []string{myAddress.String()}, Statements: statements, Judge: judge, Signer: signer,
		Verifier: proof.NewVerifier(signer.Self(), judge, time.Now()), Audit: decisions}
}

func fingerprint(id *identity.Identity) keys.Fingerprint {
	f, err := keys.ParseFingerprint(id.Fingerprint())
	if err != nil {
		panic(err)
	}
	return f
}

// TestTheOtherSatelliteAsksForAProofItself: root of one may do nothing on another, whatever the first one's engine says.
func TestTheOtherSatelliteAsksForAProofItself(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	vm := create(t, b, "web-1", "s2")
	root := a.Open(api.Caller{Account: api.AccountLocal, Via: viaSocket})
	r, err := root.Search(t.Context(), api.Query{})
	if err != nil || len(r.Items) == 0 || len(r.Refused) != 1 {
		t.Errorf("root of s1 was told %+v, %v", r, err)
	}
	if r, err := root.Satellites(t.Context()); err != nil || len(r.Refused) != 1 || r.Refused[0].Satellite != "s2" {
		t.Errorf("of the satellites root of s1 was told %+v, %v", r, err)
	}
	stolen := a.Open(meAt(b.id)) // a proof that another satellite was shown
	if _, err := stolen.Delete(t.Context(), api.DeleteRequest{VM: vm.ID, Confirm: "web-1"}); err == nil {
		t.Error("a proof for another satellite was taken")
	}
	if _, err := a.open().VM(t.Context(), vm.ID); err != nil {
		t.Errorf("with the account's proof: %v", err)
	}
}
