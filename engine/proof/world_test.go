package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// noon is when the stories here take place.
var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// person holds an account.
type person struct {
	key     keys.PrivateKey
	account keys.Address
}

func newPerson(seed byte, kind keys.Kind) person {
	k, err := keys.NewPrivateKey(bytes.NewReader(bytes.Repeat([]byte{seed}, 32)))
	if err != nil {
		panic(err)
	}
	return person{k, k.Address(keys.Mainnet, kind)}
}

func (p person) signs(line string) api.Proof {
	signature, err := p.key.Sign(p.account, line)
	if err != nil {
		panic(err)
	}
	return api.Proof{Line: line, Signature: signature}
}

// login is the proof of who logged in at a satellite with an SSH key, or the zero one, at `when`.
func (p person) login(at, key keys.Fingerprint, when time.Time) api.Proof {
	return with(p.signs(keys.Challenge{Satellite: at, Account: p.account, Key: key, Nonce: keys.Nonce{1}, Expires: when.Add(ChallengeLife)}.String()), key)
}

// delegates is the proof of who asks with a key that the account delegated to.
func (p person) delegates(to keys.Fingerprint, scope statement.Scope, from, until time.Time) api.Proof {
	return p.signs(statement.Line(statement.Delegation{Account: p.account, Key: to, Scope: scope, From: from, Until: until, Via: voucher.Voucher()}))
}

// voucher is that of every delegation here; those with an SSH key are in use at the first satellite.
var voucher = func() statement.VoucherKey {
	k, err := statement.NewVoucherKey(bytes.NewReader(bytes.Repeat([]byte{9}, 32)))
	if err != nil {
		panic(err)
	}
	return k
}()

// in says that the delegated key is in use at a satellite.
func in(p api.Proof, at keys.Fingerprint) api.Proof {
	p.Vouched = voucher.Vouch(p.Line, at).String()
	return p
}

// with is the proof with the SSH key that was proved at the login.
func with(p api.Proof, key keys.Fingerprint) api.Proof {
	p.Key = ""
	if key != (keys.Fingerprint{}) {
		p.Key = key.String()
	}
	if statement.Mentions(p.Line) {
		p = in(p, newSatellite(1).id)
	}
	return p
}

// satellite has a key, asks others and answers them.
type satellite struct {
	public ed25519.PublicKey
	id     keys.Fingerprint
	Signer
	*Verifier
}

func newSatellite(seed byte) *satellite {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
	s := &satellite{public: key.Public().(ed25519.PublicKey)}
	var err error
	if s.Signer, err = NewSigner(key, rand.Reader); err != nil {
		panic(err)
	}
	s.id = s.Signer.Self()
	s.Verifier = NewVerifier(s.id, NewJudge(keys.Mainnet), noon.Add(-time.Hour))
	return s
}

// skips switches checks off, in all that the satellite does.
func (s *satellite) skips(c check) *satellite {
	s.Signer.without, s.Verifier.without, s.judge.without = c, c, c
	return s
}

// took is a revocation in force, if there is one.
type took []statement.Revocation

func (t took) Revoked(account keys.Address, key keys.Fingerprint, at time.Time) (statement.Revocation, bool) {
	for _, r := range t {
		if r.Account == account && (r.Key == key || r.Key == (keys.Fingerprint{})) && !r.At.Before(at) {
			return r, true
		}
	}
	return statement.Revocation{}, false
}

var (
	alice, mallory = newPerson(1, keys.P2WPKH), newPerson(2, keys.P2WPKH)
	laptop, phone  = keys.Fingerprint{0: 0xa1, 31: 1}, keys.Fingerprint{0: 0xb2, 31: 2}
	none           keys.Fingerprint
	deleteBody     = sha256.Sum256([]byte(`{"vm":"web-1","confirm":"web-1"}`))
)

// refusedBecause fails the test unless err is an api.Error with the code and says something to do.
func refusedBecause(t *testing.T, err error, code api.Code) {
	t.Helper()
	e, ok := err.(*api.Error)
	switch {
	case err == nil:
		t.Error("it was accepted")
	case !ok || e.Code != code || e.Message == "" || e.Hint == "":
		t.Errorf("refused with %#v", err)
	default:
		t.Log(err)
	}
}
