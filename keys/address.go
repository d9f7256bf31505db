package keys

import (
	"encoding/hex"
	"fmt"
	"strings"

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

// The kinds of account. The zero Kind is none.
const (
	P2PKH Kind = iota + 1
	P2WPKH
)

// ParseKind reads a kind's name: p2pkh or p2wpkh.
func ParseKind(name string) (Kind, error) {
	for _, k := range []Kind{P2PKH, P2WPKH} {
		if name == k.String() {
			return k, nil
		}
	}
	return 0, &Error{ErrAddress, fmt.Sprintf("%q is not a kind of account", name), "use p2wpkh or p2pkh"}
}

// String gives the name that ParseKind reads.
func (k Kind) String() string {
	switch k {
	case P2PKH:
		return "p2pkh"
	case P2WPKH:
		return "p2wpkh"
	}
	return "none"
}

// MaxAddress bounds the text of an address, in bytes: BIP-173's limit for bech32.
const MaxAddress = 90

// Address is an account. Two Addresses are equal (==) exactly when their texts are. The zero Address is none.
type Address struct {
	network Network
	kind    Kind
	hash    [20]byte // HASH160 of the public key
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
	a := Address{network: network}
	switch d := decoded.(type) {
	case *btcutil.AddressPubKeyHash:
		a.kind, a.hash = P2PKH, *d.Hash160()
	case *btcutil.AddressWitnessPubKeyHash:
		a.kind, a.hash = P2WPKH, *d.Hash160()
	default:
		return Address{}, &Error{ErrAddress, fmt.Sprintf("%q is not an address of a single key that this version knows", text),
			"use one that begins with bc1q (p2wpkh) or 1 (p2pkh)"}
	}
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

// addressOf gives the account of a public key's HASH160.
func addressOf(network Network, kind Kind, hash []byte) Address {
	a := Address{network: network, kind: kind}
	copy(a.hash[:], hash)
	return a
}

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
		panic("keys: address " + hex.EncodeToString(a.hash[:]) + ": " + err.Error()) // our own bug: 20 bytes always encode
	}
	return d.EncodeAddress()
}

func (a Address) decoded() (btcutil.Address, error) {
	switch a.kind {
	case P2PKH:
		return btcutil.NewAddressPubKeyHash(a.hash[:], a.network.params())
	case P2WPKH:
		return btcutil.NewAddressWitnessPubKeyHash(a.hash[:], a.network.params())
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
