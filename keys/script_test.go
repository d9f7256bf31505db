package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/ecdsa"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// The script engine alone accepts every sighash; our rule is what refuses them.
func TestOnlySighashAll(t *testing.T) {
	k := testKey(t, 6)
	for _, kind := range Kinds() {
		checkSighash(t, k, k.Address(Mainnet, kind))
	}
}

func checkSighash(t *testing.T, k PrivateKey, a Address) {
	t.Helper()
	for _, how := range []txscript.SigHashType{txscript.SigHashNone, txscript.SigHashSingle, txscript.SigHashAll | txscript.SigHashAnyOneCanPay} {
		sig, err := signFull(k, a, "pay", how)
		if err != nil {
			t.Fatal(err)
		}
		if err := Verify(a, "pay", sig); err == nil || !strings.Contains(err.Error(), "sighash") {
			t.Errorf("%s, sighash %#x: got %v, want a refusal", a.kind, how, err)
		}
		if a.kind != P2PKH {
			if sig, err = signSimple(k, a, "pay", how); err != nil {
				t.Fatal(err)
			}
			if err := Verify(a, "pay", sig); err == nil || !strings.Contains(err.Error(), "sighash") {
				t.Errorf("%s, simple, sighash %#x: got %v, want a refusal", a.kind, how, err)
			}
		}
		tx, err := signTransaction(k, a, "pay", how)
		if err != nil {
			t.Fatal(err)
		}
		script, _ := a.script()
		if err := engineAlone(script, tx); err != nil {
			t.Errorf("control: the engine alone refuses %s, sighash %#x (%v), so this test shows nothing", a.kind, how, err)
		}
	}
}

// engineAlone judges without our rules, so that a test can show what they add.
func engineAlone(script []byte, tx *wire.MsgTx) error {
	hashes := txscript.NewTxSigHashes(tx, spent(script))
	e, err := txscript.NewEngine(script, tx, 0, txscript.StandardVerifyFlags, nil, hashes, 0, spent(script))
	if err != nil {
		return err
	}
	return e.Execute()
}

func TestOtherSpellingsOfAWitnessAreRefused(t *testing.T) {
	k := testKey(t, 7)
	a := k.Address(Mainnet, P2WPKH)
	sig, err := k.Sign(a, "m")
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(sig, "smp"))
	der := raw[2 : 2+raw[1]]
	s := highS(t, der[:len(der)-1])
	key := raw[len(raw)-33:]
	build := func(items ...[]byte) []byte { return appendWitness(nil, items) }
	long := append([]byte{0xfd, 2, 0}, raw[1:]...) // the count in three bytes
	for name, bad := range map[string][]byte{
		"a byte after":     append(bytes.Clone(raw), 0),
		"a byte missing":   raw[:len(raw)-1],
		"a long count":     long,
		"a third item":     build(der, key, nil),
		"one item":         build(der),
		"no signature":     build(nil, key),
		"high S":           build(append(s, 1), key),
		"uncompressed key": build(der, k.key.PubKey().SerializeUncompressed()),
		"a huge item":      {2, 0xfe, 0xff, 0xff, 0xff, 0xff},
		"nothing":          {},
	} {
		if err := Verify(a, "m", "smp"+base64.StdEncoding.EncodeToString(bad)); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: got %v, want a refusal", name, err)
		}
	}
	if err := Verify(a, "m", "smp"+base64.StdEncoding.EncodeToString(build(der, key))); err != nil {
		t.Errorf("control: the same builder's right witness: %v", err)
	}
}

// highS gives the other DER signature that the curve accepts for the same message.
func highS(t *testing.T, der []byte) []byte {
	t.Helper()
	sig, err := ecdsa.ParseDERSignature(der)
	if err != nil {
		t.Fatal(err)
	}
	r, s := sig.R(), sig.S()
	s.Negate()
	rb, sb := r.Bytes(), s.Bytes()
	body := append(derInt(rb[:]), derInt(sb[:])...)
	return append([]byte{0x30, byte(len(body))}, body...)
}

func derInt(b []byte) []byte {
	b = bytes.TrimLeft(b, "\x00")
	if b[0] >= 0x80 {
		b = append([]byte{0}, b...)
	}
	return append([]byte{2, byte(len(b))}, b...)
}
