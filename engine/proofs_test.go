package engine

import (
	"bytes"
	"crypto/rand"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/engine/identity"
	"decenter/engine/proof"
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
	key, err := keys.ParseFingerprint(id.Fingerprint())
	if err != nil {
		panic(err)
	}
	from := time.Now().UTC().Truncate(time.Second)
	line := statement.Line(statement.Delegation{Account: myAddress, Key: key, Scope: statement.All, From: from, Until: from.Add(time.Hour)})
	signature, err := myKey.Sign(myAddress, line)
	if err != nil {
		panic(err)
	}
	c := me
	c.Proof = api.Proof{Line: line, Signature: signature}
	return c
}

// nothingRevoked is the revocations of who never lost a key.
type nothingRevoked struct{}

func (nothingRevoked) Revoked(keys.Address, keys.Fingerprint, time.Time) (statement.Revocation, bool) {
	return statement.Revocation{}, false
}

// proofsOf lets a satellite ask and answer others.
func proofsOf(t *testing.T, id *identity.Identity) *Proofs {
	t.Helper()
	signer, err := proof.NewSigner(id.Key(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &Proofs{Signer: signer, Revocations: nothingRevoked{},
		Verifier: proof.NewVerifier(signer.Self(), proof.NewJudge(keys.Mainnet), time.Now())}
}

// TestTheOtherSatelliteAsksForAProofItself: root of one may do nothing on another, whatever the first one's engine says.
func TestTheOtherSatelliteAsksForAProofItself(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	vm := create(t, b, "web-1", "s2")
	root := a.Open(api.Caller{Account: api.AccountLocal, Via: "socket"})
	r, err := root.Search(t.Context(), api.Query{})
	if err != nil || len(r.Items) == 0 || len(r.Silent) != 1 {
		t.Errorf("root of s1 was told %+v, %v", r, err)
	}
	stolen := a.Open(meAt(b.id)) // a proof that another satellite was shown
	if _, err := stolen.Delete(t.Context(), api.DeleteRequest{VM: vm.ID, Confirm: "web-1"}); err == nil {
		t.Error("a proof for another satellite was taken")
	}
	if _, err := a.open().VM(t.Context(), vm.ID); err != nil {
		t.Errorf("with the account's proof: %v", err)
	}
}
