package keys

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/txscript"
)

// MaxSignature bounds the text of a signature, in characters. OpenSSH's askpass loses answers from 1,023 bytes
// on; the longest signature accepted here has 271: the full form of a p2pkh account with an uncompressed key.
const MaxSignature = 1022

// MaxMessage bounds a signed message, in bytes.
const MaxMessage = 64 << 10

// Sign proves that the key's holder means message, as the account: BIP-322 simple for p2wpkh and p2tr, BIP-322 full
// for p2sh-p2wpkh (which the standard gives no simple form), BIP-137 for p2pkh. Equal arguments give equal
// signatures (RFC 6979).
func (k PrivateKey) Sign(account Address, message string) (string, error) {
	if err := k.checkSign(account, message); err != nil {
		return "", err
	}
	switch account.kind {
	case P2PKH:
		return signCompact(k, message), nil
	case P2SHP2WPKH:
		return signFull(k, account, message, wholeOf(account.kind))
	}
	return signSimple(k, account, message, wholeOf(account.kind))
}

// SignFull is Sign in the form of BIP-322 full, which every kind of account has.
func (k PrivateKey) SignFull(account Address, message string) (string, error) {
	if err := k.checkSign(account, message); err != nil {
		return "", err
	}
	return signFull(k, account, message, wholeOf(account.kind))
}

func (k PrivateKey) checkSign(account Address, message string) error {
	if account.kind == 0 {
		return &Error{ErrAddress, "no account to sign as", ""}
	}
	if account != k.Address(account.network, account.kind) {
		return &Error{ErrKey, fmt.Sprintf("the key is not the one of account %s", account),
			fmt.Sprintf("it holds %s", k.Address(account.network, account.kind))}
	}
	if len(message) > MaxMessage {
		return &Error{ErrSignature, fmt.Sprintf("the message has %d bytes", len(message)), fmt.Sprintf("sign at most %d", MaxMessage)}
	}
	return nil
}

// wholeOf gives the sighash that our own signatures of a kind of account have. Taproot's DEFAULT means ALL, and saves
// the byte that says so.
func wholeOf(kind Kind) txscript.SigHashType {
	if kind == P2TR {
		return txscript.SigHashDefault
	}
	return txscript.SigHashAll
}

// Verify tells whether signature proves that account's holder meant message: nil if so, else an *Error of kind
// ErrSignature. The form of proof is known by the signature's own shape, and what it must prove by the account.
func Verify(account Address, message, signature string) error {
	if account.kind == 0 {
		return &Error{ErrAddress, "no account to verify for", ""}
	}
	if len(message) > MaxMessage {
		return refuse("the message has %d bytes, more than %d", len(message), MaxMessage)
	}
	switch {
	case signature == "":
		return refuse("the signature is empty")
	case len(signature) > MaxSignature:
		return refuse("the signature has %d characters, more than %d", len(signature), MaxSignature)
	}
	body, prefix := splitPrefix(signature)
	if prefix == fundsPrefix {
		return &Error{ErrSignature, "a proof of funds (\"pof\") is not accepted: no satellite looks at the chain", "sign in the simple or the full form"}
	}
	raw, err := decodeBase64(body)
	if err != nil {
		return err
	}
	if prefix == "" && len(raw) == compactSize {
		return verifyCompact(account, message, raw)
	}
	return verifyGeneric(account, message, prefix, raw)
}

// splitPrefix cuts off BIP-322's three letters for the variant. Nothing that the unprefixed form may begin
// with looks like one: as base64 they would be the first bytes of a witness of over a hundred elements.
func splitPrefix(signature string) (body, prefix string) {
	for _, p := range []string{simplePrefix, fullPrefix, fundsPrefix} {
		if rest, found := strings.CutPrefix(signature, p); found {
			return rest, p
		}
	}
	return signature, ""
}

// decodeBase64 accepts the one padded spelling of some bytes. The library skips line ends; we do not.
func decodeBase64(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, refuse("the signature is not base64: it has a line end inside")
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, &Error{ErrSignature, "the signature is not base64", "paste the whole of it, and nothing else"}
	}
	return raw, nil
}

func refuse(format string, args ...any) error {
	return &Error{ErrSignature, fmt.Sprintf(format, args...), ""}
}
