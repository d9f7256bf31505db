package keys

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/btcsuite/btcd/btcec/v2"
	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg"
	"github.com/btcsuite/btcd/txscript"
)

// Network is the Bitcoin network that addresses belong to.
type Network uint8

// The networks. The zero Network is mainnet; the others are for tests of wallets and of us.
const (
	Mainnet Network = iota
	Testnet
	Regtest
)

// ParseNetwork reads a network's name: mainnet, testnet or regtest.
func ParseNetwork(name string) (Network, error) {
	for _, n := range []Network{Mainnet, Testnet, Regtest} {
		if name == n.String() {
			return n, nil
		}
	}
	return 0, &Error{ErrAddress, fmt.Sprintf("%q is not a network", name), "use mainnet, testnet or regtest"}
}

// String gives the name that ParseNetwork reads.
func (n Network) String() string {
	switch n {
	case Testnet:
		return "testnet"
	case Regtest:
		return "regtest"
	}
	return "mainnet"
}

func (n Network) params() *chaincfg.Params {
	switch n {
	case Testnet:
		return &chaincfg.TestNet3Params
	case Regtest:
		return &chaincfg.RegressionNetParams
	}
	return &chaincfg.MainNetParams
}

// Kind is a kind of account: what its address says about the script.
type Kind uint8

// The kinds of account, in the order in which Bitcoin got them. The zero Kind is none.
const (
	P2PKH Kind = iota + 1
	P2SHP2WPKH
	P2WPKH
	P2TR
)

// Kinds lists every kind, in that order.
func Kinds() []Kind { return []Kind{P2PKH, P2SHP2WPKH, P2WPKH, P2TR} }

// ParseKind reads a kind's name: p2pkh, p2sh-p2wpkh, p2wpkh or p2tr.
func ParseKind(name string) (Kind, error) {
	for _, k := range Kinds() {
		if name == k.String() {
			return k, nil
		}
	}
	return 0, &Error{ErrAddress, fmt.Sprintf("%q is not a kind of account", name), "use p2wpkh, p2tr, p2sh-p2wpkh or p2pkh"}
}

// String gives the name that ParseKind reads.
func (k Kind) String() string {
	switch k {
	case P2PKH:
		return "p2pkh"
	case P2SHP2WPKH:
		return "p2sh-p2wpkh"
	case P2WPKH:
		return "p2wpkh"
	case P2TR:
		return "p2tr"
	}
	return "none"
}

// MaxAddress bounds the text of an address, in bytes: BIP-173's limit for bech32.
const MaxAddress = 90

// Sizes of what an address says of its script, in bytes.
const (
	hashSize   = 20 // HASH160: RIPEMD-160 of SHA-256
	outputSize = 32 // a taproot output key, x only (BIP-341)
)

// Address is an account. Two Addresses are equal (==) exactly when their texts are. The zero Address is none.
//
// The text of a p2sh-p2wpkh account says no more than that its script has some hash. That the script is a single
// key's is proved by the first signature, and by nothing before it: see BIP-16 and BIP-141.
type Address struct {
	network Network
	kind    Kind
	program [outputSize]byte // p2tr: the output key; else in its first 20 bytes the hash of key or script, then zeroes
}

// ParseAddress reads an account of the network. It accepts one spelling for each account: String's.
func ParseAddress(network Network, text string) (Address, error) {
	if len(text) > MaxAddress {
		return Address{}, &Error{ErrAddress, fmt.Sprintf("an address has at most %d characters, this text has %d", MaxAddress, len(text)), ""}
	}
	decoded, err := btcutil.DecodeAddress(text, network.params())
	if err != nil {
		return Address{}, addressError(network, text)
	}
	var kind Kind
	switch decoded.(type) {
	case *btcutil.AddressPubKeyHash:
		kind = P2PKH
	case *btcutil.AddressScriptHash:
		kind = P2SHP2WPKH
	case *btcutil.AddressWitnessPubKeyHash:
		kind = P2WPKH
	case *btcutil.AddressTaproot:
		kind = P2TR
	default:
		return Address{}, &Error{ErrAddress, fmt.Sprintf("%q is not an address of a single key that this version knows", text),
			"use one that begins with bc1q and has 42 characters (p2wpkh), or begins with bc1p (p2tr), 3 (p2sh-p2wpkh) or 1 (p2pkh)"}
	}
	a := addressOf(network, kind, decoded.ScriptAddress())
	if a.String() != text {
		return Address{}, addressError(network, text)
	}
	return a, nil
}

// addressError tells what is wrong with text that is no address of the network.
func addressError(network Network, text string) error {
	e := &Error{ErrAddress, fmt.Sprintf("%q is not a %s address", text, network), "check for a missing or mistyped character"}
	if low := strings.ToLower(text); low != text {
		if _, err := ParseAddress(network, low); err == nil {
			e.Hint = fmt.Sprintf("use lower case, %q", low)
			return e
		}
	}
	for _, other := range []Network{Mainnet, Testnet, Regtest} {
		if d, err := btcutil.DecodeAddress(text, other.params()); err == nil && other != network && d.IsForNet(other.params()) {
			e.Hint = fmt.Sprintf("it is one of %s", other)
			return e
		}
	}
	return e
}

// addressOf gives the account of the kind with that hash or output key.
func addressOf(network Network, kind Kind, program []byte) Address {
	a := Address{network: network, kind: kind}
	copy(a.program[:], program)
	return a
}

// accountOf gives the account that a public key holds. A taproot account has no script path: its output key is
// the public key with BIP-86's tweak.
func accountOf(network Network, kind Kind, key *btcec.PublicKey) Address {
	hash := btcutil.Hash160(key.SerializeCompressed())
	switch kind {
	case P2TR:
		return addressOf(network, kind, schnorr.SerializePubKey(txscript.ComputeTaprootKeyNoScript(key)))
	case P2SHP2WPKH:
		return addressOf(network, kind, btcutil.Hash160(witnessScript(hash)))
	}
	return addressOf(network, kind, hash)
}

// witnessScript gives the version 0 witness program of a key's hash (BIP-141): the script of p2wpkh, and the
// redeem script of p2sh-p2wpkh.
func witnessScript(hash []byte) []byte {
	return append([]byte{txscript.OP_0, hashSize}, hash...)
}

// hash gives what HASH160 must give; not for p2tr.
func (a Address) hash() []byte { return a.program[:hashSize] }

// Kind tells which kind of account it is; 0 for the zero Address.
func (a Address) Kind() Kind { return a.kind }

// Network tells which network it belongs to.
func (a Address) Network() Network { return a.network }

// String gives the account's one text; empty for the zero Address.
func (a Address) String() string {
	if a.kind == 0 {
		return ""
	}
	d, err := a.decoded()
	if err != nil {
		panic("keys: address " + hex.EncodeToString(a.program[:]) + ": " + err.Error()) // our own bug: these sizes always encode
	}
	return d.EncodeAddress()
}

func (a Address) decoded() (btcutil.Address, error) {
	switch a.kind {
	case P2PKH:
		return btcutil.NewAddressPubKeyHash(a.hash(), a.network.params())
	case P2SHP2WPKH:
		return btcutil.NewAddressScriptHashFromHash(a.hash(), a.network.params())
	case P2WPKH:
		return btcutil.NewAddressWitnessPubKeyHash(a.hash(), a.network.params())
	case P2TR:
		return btcutil.NewAddressTaproot(a.program[:], a.network.params())
	}
	return nil, &Error{ErrAddress, "no address", ""}
}

// script gives the output script that only the account's holder can spend.
func (a Address) script() ([]byte, error) {
	d, err := a.decoded()
	if err != nil {
		return nil, err
	}
	return txscript.PayToAddrScript(d)
}
