package keys

import (
	"bytes"
	"encoding/base64"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/wire"
)

// The standard's constants: BIP-137.
const (
	compactSize = 65
	// messageMagic goes before every message, so that none can be a transaction.
	messageMagic = "Bitcoin Signed Message:\n"
	minHeader    = 27
	maxHeader    = 42
	// compressedHeader is the first header of p2pkh with a compressed key.
	compressedHeader = 31
)

// compactHash is what a BIP-137 signature signs: the double SHA-256 of magic and message, each after its
// length as a compact size.
func compactHash(message string) []byte {
	var b bytes.Buffer
	// Writing to a Buffer cannot fail.
	_ = wire.WriteVarString(&b, 0, messageMagic)
	_ = wire.WriteVarString(&b, 0, message)
	return chainhash.DoubleHashB(b.Bytes())
}

// signCompact makes a BIP-137 signature with the header of a p2pkh account with a compressed key.
func signCompact(k PrivateKey, message string) string {
	return base64.StdEncoding.EncodeToString(ecdsa.SignCompact(k.key, compactHash(message), true))
}

// verifyCompact judges a BIP-137 signature, already out of its base64. Of the header only the recovery bits
// count. A p2pkh account may be one of an uncompressed key; witness programs never are (BIP-143).
func verifyCompact(account Address, message string, raw []byte) error {
	if account.kind == P2TR {
		return &Error{ErrSignature, "p2tr accounts have no BIP-137 signatures", "sign in the form of BIP-322"}
	}
	header := raw[0]
	if header < minHeader || header > maxHeader {
		return refuse("the signature's header is %d, not one of %d to %d", header, minHeader, maxHeader)
	}
	normal := bytes.Clone(raw)
	normal[0] = compressedHeader + (header-minHeader)%4
	key, _, err := ecdsa.RecoverCompact(normal, compactHash(message))
	if err != nil {
		return refuse("the signature is not one of any key")
	}
	if accountOf(account.network, account.kind, key) == account {
		return nil
	}
	if account.kind == P2PKH && bytes.Equal(btcutil.Hash160(key.SerializeUncompressed()), account.hash()) {
		return nil
	}
	return refuse("the signature is not one of account %s for this message", account)
}
