package keys

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcutil"
)

// PrivateKey is the secret of accounts: one scalar of secp256k1, whose public key is always taken compressed.
// It prints as a placeholder; WIF alone gives the secret away. The zero PrivateKey is unusable.
type PrivateKey struct {
	key *btcec.PrivateKey
}

// maxDraws bounds the draws of NewPrivateKey. One in 2^127 is out of range, so two mean broken dice.
const maxDraws = 8

// NewPrivateKey draws a key from dice, which must be crypto/rand's reader in production.
func NewPrivateKey(dice io.Reader) (PrivateKey, error) {
	for range maxDraws {
		var b [32]byte
		if _, err := io.ReadFull(dice, b[:]); err != nil {
			return PrivateKey{}, fmt.Errorf("draw a private key: %w", err)
		}
		var s btcec.ModNScalar
		if overflow := s.SetBytes(&b); overflow != 0 || s.IsZero() {
			continue
		}
		return PrivateKey{key: btcec.PrivKeyFromScalar(&s)}, nil
	}
	return PrivateKey{}, fmt.Errorf("draw a private key: the source of randomness is broken")
}

// ParseWIF reads a private key in the Wallet Import Format of the network (testnet and regtest share one).
func ParseWIF(network Network, text string) (PrivateKey, error) {
	w, err := btcutil.DecodeWIF(text)
	if err != nil {
		return PrivateKey{}, &Error{ErrKey, "this text is not a private key in Wallet Import Format", "it begins with K or L (testnet: c)"}
	}
	if !w.IsForNet(network.params()) {
		return PrivateKey{}, &Error{ErrKey, fmt.Sprintf("this private key is not one of %s", network), "name its network"}
	}
	if !w.CompressPubKey {
		return PrivateKey{}, &Error{ErrKey, "this private key is for an uncompressed public key", "export it as compressed: it then begins with K or L"}
	}
	// DecodeWIF takes the scalar modulo the group's order; a key has one spelling only.
	k := PrivateKey{key: w.PrivKey}
	if w.PrivKey.Key.IsZero() || subtle.ConstantTimeCompare([]byte(k.WIF(network)), []byte(text)) == 0 {
		return PrivateKey{}, &Error{ErrKey, "this private key is out of the curve's range", ""}
	}
	return k, nil
}

// WIF gives the secret in the Wallet Import Format of the network, for a compressed public key.
func (k PrivateKey) WIF(network Network) string {
	w, err := btcutil.NewWIF(k.key, network.params(), true)
	if err != nil {
		panic("keys: " + err.Error()) // our own bug: params is never nil
	}
	return w.String()
}

// Address gives the account of the kind that the key holds.
func (k PrivateKey) Address(network Network, kind Kind) Address {
	return accountOf(network, kind, k.key.PubKey())
}

// String hides the secret.
func (k PrivateKey) String() string { return "keys.PrivateKey(hidden)" }

// GoString hides the secret.
func (k PrivateKey) GoString() string { return k.String() }

// LogValue hides the secret.
func (k PrivateKey) LogValue() slog.Value { return slog.StringValue(k.String()) }
