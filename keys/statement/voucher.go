package statement

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"

	"decenter/keys"
)

// A delegation to an SSH key is shown to every satellite that carries out a request of it. So that none of those can say
// that the key logged in at IT, the delegation names a voucher key, whose secret travels in the certificate alone, and so
// reaches only the satellites that were really logged in to:
//
//	certificate ── secret ──▶ satellite A ── vouched: "in at A", signed by the voucher key ──▶ satellite B
//
// B verifies that by what the account signed, and learns nothing by which it could vouch for itself.

// VoucherExtension is the extension of an SSH certificate whose data is the Text of the delegation's VoucherKey.
const VoucherExtension = "voucher@decenter"

const voucherDomain = "decenter voucher 1\n"

// Voucher names a voucher key: the first 16 bytes of the SHA-256 of the public key. The zero Voucher is none.
type Voucher [16]byte

// String gives 22 characters of base64url.
func (v Voucher) String() string { return base64.RawURLEncoding.EncodeToString(v[:]) }

// VoucherKey is the secret of a voucher: the seed of an ed25519 key (RFC 8032). It prints as its voucher.
type VoucherKey struct{ seed [ed25519.SeedSize]byte }

// NewVoucherKey draws one from dice, which must be crypto/rand's reader in production.
func NewVoucherKey(dice io.Reader) (k VoucherKey, err error) {
	if _, err = io.ReadFull(dice, k.seed[:]); err != nil {
		return VoucherKey{}, fmt.Errorf("draw a voucher key: %w", err)
	}
	return k, nil
}

// ParseVoucherKey reads what Text gives, and nothing else.
func ParseVoucherKey(text string) (k VoucherKey, err error) {
	if !exactly(k.seed[:], text) {
		return VoucherKey{}, wrong("this is no voucher key", "it has 43 characters of base64url")
	}
	return k, nil
}

// Text is the secret: 43 characters of base64url.
func (k VoucherKey) Text() string { return base64.RawURLEncoding.EncodeToString(k.seed[:]) }

// String hides the secret.
func (k VoucherKey) String() string { return k.Voucher().String() }

// GoString hides the secret.
func (k VoucherKey) GoString() string { return k.String() }

// LogValue hides the secret.
func (k VoucherKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

func (k VoucherKey) private() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(k.seed[:]) }

// Voucher names the key.
func (k VoucherKey) Voucher() Voucher { return voucherOf(k.private().Public().(ed25519.PublicKey)) }

func voucherOf(public ed25519.PublicKey) (v Voucher) {
	sum := sha256.Sum256(public)
	copy(v[:], sum[:])
	return v
}

// Vouched is a voucher key's word that a delegation's SSH key logged in at a satellite: the public key and its signature.
type Vouched [ed25519.PublicKeySize + ed25519.SignatureSize]byte

// Vouch says that the delegation of the line is in use at the satellite.
func (k VoucherKey) Vouch(line string, at keys.Fingerprint) (v Vouched) {
	private := k.private()
	copy(v[copy(v[:], private.Public().(ed25519.PublicKey)):], ed25519.Sign(private, vouchedText(line, at)))
	return v
}

// ParseVouched reads what String gives, and nothing else.
func ParseVouched(text string) (v Vouched, err error) {
	if !exactly(v[:], text) {
		return Vouched{}, wrong("this is nothing that a voucher key said", "it has 128 characters of base64url")
	}
	return v, nil
}

// String gives 128 characters of base64url.
func (v Vouched) String() string { return base64.RawURLEncoding.EncodeToString(v[:]) }

// By tells whether it is the word of the named key, for that line and satellite.
func (v Vouched) By(name Voucher, line string, at keys.Fingerprint) bool {
	public := ed25519.PublicKey(v[:ed25519.PublicKeySize])
	return voucherOf(public) == name && ed25519.Verify(public, vouchedText(line, at), v[ed25519.PublicKeySize:])
}

// vouchedText is unambiguous: the fingerprint has a fixed length and is last.
func vouchedText(line string, at keys.Fingerprint) []byte {
	return append([]byte(voucherDomain+line+"\n"), at[:]...)
}

// exactly decodes text into all of b, and tells whether it was the one spelling of just that.
func exactly(b []byte, text string) bool {
	form := base64.RawURLEncoding.Strict()
	if len(text) != form.EncodedLen(len(b)) {
		return false
	}
	n, err := form.Decode(b, []byte(text))
	return err == nil && n == len(b)
}
