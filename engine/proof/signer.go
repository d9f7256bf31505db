package proof

import (
	"crypto"
	"crypto/ed25519"
	"fmt"
	"io"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// Signer signs what a satellite asks of others. It is safe for concurrent use if its key and dice are.
type Signer struct {
	key     crypto.Signer
	self    keys.Fingerprint
	dice    io.Reader
	without check // only tests set it
}

// NewSigner makes the signer of a satellite with an ed25519 key. dice must be crypto/rand's reader in production.
func NewSigner(key crypto.Signer, dice io.Reader) (Signer, error) {
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return Signer{}, fmt.Errorf("the key is a %T: a satellite's is ed25519", key.Public())
	}
	self, err := keys.FingerprintOf(pub)
	return Signer{key: key, self: self, dice: dice}, err
}

// Self is the satellite's fingerprint.
func (s Signer) Self() keys.Fingerprint { return s.self }

// Append appends the header field of one request, for the account that p proves, to satellite `to`. method is the
// api's name of it; body is the SHA-256 of the request's body. An account without proof is CodeDenied.
func (s Signer) Append(b []byte, p api.Proof, to keys.Fingerprint, method string, body [32]byte, now time.Time) ([]byte, error) {
	h := header{time: now.UnixNano(), line: p.Line, signed: p.Signature}
	if p == (api.Proof{}) {
		return nil, denied("root of one satellite may not act on another", fmt.Sprintf("log in with an account; or let one delegate to this satellite's key, %s", s.self))
	}
	if h.line == "" || h.signed == "" || len(h.line) > keys.MaxChallenge || len(h.signed) > keys.MaxSignature || !printable(h.line) || !printable(h.signed) {
		return nil, denied("the account's proof is not one line and its signature", "log in again")
	}
	var err error
	if p.Key != "" {
		if h.key, err = keys.ParseFingerprint(p.Key); err != nil || h.key == (keys.Fingerprint{}) {
			return nil, denied(fmt.Sprintf("the key of the login, %.64q, is not a fingerprint", p.Key), "log in again")
		}
	}
	if p.Vouched != "" {
		if h.vouched, err = statement.ParseVouched(p.Vouched); err != nil {
			return nil, denied("the word that the delegated key is in use here has not its form", "log in again")
		}
	}
	if h.nonce, err = keys.NewNonce(s.dice); err != nil {
		return nil, err
	}
	signature, err := s.key.Sign(nil, request{to, s.self, method, body}.text(h, s.without), crypto.Hash(0))
	if err != nil {
		return nil, fmt.Errorf("sign with the satellite's key: %w", err)
	}
	if copy(h.signature[:], signature) != ed25519.SignatureSize {
		return nil, fmt.Errorf("sign with the satellite's key: %d bytes", len(signature))
	}
	return h.append(b), nil
}
