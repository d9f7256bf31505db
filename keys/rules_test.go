package keys

import (
	"crypto/sha256"
	"errors"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/btcec/v2/schnorr"
	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// The rules beyond the engine's hold for scripts that no account has, too: here some that would slip through a check of
// single signatures. Each is spent well, as the control shows with the engine alone.

func script(t testing.TB, parts ...any) []byte {
	t.Helper()
	b := txscript.NewScriptBuilder()
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b.AddOp(byte(p))
		case []byte:
			b.AddData(p)
		}
	}
	s, err := b.Script()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// spendScript makes the to_sign of a p2wsh script; witness gives what stands before the script, made by sign.
func spendScript(t testing.TB, inner []byte, witness func(sign func(k PrivateKey, part []byte, how txscript.SigHashType) []byte) wire.TxWitness) ([]byte, *wire.MsgTx) {
	t.Helper()
	hash := sha256.Sum256(inner)
	outer := script(t, txscript.OP_0, hash[:])
	spend, err := toSpend(outer, "m")
	if err != nil {
		t.Fatal(err)
	}
	tx := toSign(spend)
	hashes := txscript.NewTxSigHashes(tx, spent(outer))
	tx.TxIn[0].Witness = append(witness(func(k PrivateKey, part []byte, how txscript.SigHashType) []byte {
		sig, err := txscript.RawTxInWitnessSignature(tx, hashes, 0, 0, part, how, k.key)
		if err != nil {
			t.Fatal(err)
		}
		return sig
	}), inner)
	return outer, tx
}

// checkRule expects the engine alone to pass what execute refuses for the reason; an empty reason is none.
func checkRule(t *testing.T, name string, outer []byte, tx *wire.MsgTx, reason string) {
	t.Helper()
	if err := engineAlone(outer, tx); err != nil {
		t.Errorf("control: %s: the engine alone refuses it (%v), so this test shows nothing", name, err)
	}
	err := execute(outer, tx, 0, spent(outer), 0)
	if reason == "" {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return
	}
	if !errors.Is(err, ErrSignature) || !strings.Contains(err.Error(), reason) {
		t.Errorf("%s: got %v, want a refusal with %q", name, err, reason)
	}
}

func TestCodeSeparatorsAreRefusedWhereverTheyStand(t *testing.T) {
	k := testKey(t, 20)
	key := k.key.PubKey().SerializeCompressed()
	signed := script(t, key, txscript.OP_CHECKSIG)
	type signer = func(PrivateKey, []byte, txscript.SigHashType) []byte
	for name, c := range map[string]struct {
		inner  []byte
		reason string
	}{
		"none":                 {signed, ""},
		"before the signature": {script(t, txscript.OP_CODESEPARATOR, key, txscript.OP_CHECKSIG), "CODESEPARATOR"},
		"after it":             {script(t, key, txscript.OP_CHECKSIG, txscript.OP_CODESEPARATOR), "CODESEPARATOR"},
		"in a branch not taken": {script(t, txscript.OP_0, txscript.OP_IF, txscript.OP_CODESEPARATOR, txscript.OP_ENDIF,
			key, txscript.OP_CHECKSIG), "CODESEPARATOR"},
		"only as data": {script(t, []byte{txscript.OP_CODESEPARATOR, 1}, txscript.OP_DROP, key, txscript.OP_CHECKSIG), ""},
	} {
		part := c.inner
		if name == "before the signature" {
			part = signed // what a signature covers begins after the separator
		}
		outer, tx := spendScript(t, c.inner, func(sign signer) wire.TxWitness {
			return wire.TxWitness{sign(k, part, txscript.SigHashAll)}
		})
		checkRule(t, name, outer, tx, c.reason)
	}
}

func TestEverySignatureOfAScriptSignsAll(t *testing.T) {
	a, b := testKey(t, 21), testKey(t, 22)
	akey, bkey := a.key.PubKey().SerializeCompressed(), b.key.PubKey().SerializeCompressed()
	both := script(t, txscript.OP_2, akey, bkey, txscript.OP_2, txscript.OP_CHECKMULTISIG)
	either := script(t, txscript.OP_1, akey, bkey, txscript.OP_2, txscript.OP_CHECKMULTISIGVERIFY, txscript.OP_1)
	after := script(t, akey, txscript.OP_CHECKSIGVERIFY, bkey, txscript.OP_CHECKSIG)
	branch := script(t, txscript.OP_IF, akey, txscript.OP_CHECKSIG, txscript.OP_ELSE, bkey, txscript.OP_CHECKSIG, txscript.OP_ENDIF)
	or := script(t, akey, txscript.OP_CHECKSIG, txscript.OP_SWAP, bkey, txscript.OP_CHECKSIG, txscript.OP_BOOLOR)
	const all, none = txscript.SigHashAll, txscript.SigHashNone
	type signer = func(PrivateKey, []byte, txscript.SigHashType) []byte
	for name, c := range map[string]struct {
		inner   []byte
		witness func(signer) wire.TxWitness
		reason  string
	}{
		"two of two":                {both, func(s signer) wire.TxWitness { return wire.TxWitness{nil, s(a, both, all), s(b, both, all)} }, ""},
		"the first of two":          {both, func(s signer) wire.TxWitness { return wire.TxWitness{nil, s(a, both, none), s(b, both, all)} }, "sighash"},
		"the second of two":         {both, func(s signer) wire.TxWitness { return wire.TxWitness{nil, s(a, both, all), s(b, both, none)} }, "sighash"},
		"one of two":                {either, func(s signer) wire.TxWitness { return wire.TxWitness{nil, s(b, either, all)} }, ""},
		"the one of two":            {either, func(s signer) wire.TxWitness { return wire.TxWitness{nil, s(b, either, none)} }, "sighash"},
		"one after the other":       {after, func(s signer) wire.TxWitness { return wire.TxWitness{s(b, after, all), s(a, after, all)} }, ""},
		"the first to be verified":  {after, func(s signer) wire.TxWitness { return wire.TxWitness{s(b, after, all), s(a, after, none)} }, "sighash"},
		"the second to be verified": {after, func(s signer) wire.TxWitness { return wire.TxWitness{s(b, after, none), s(a, after, all)} }, "sighash"},
		"a branch":                  {branch, func(s signer) wire.TxWitness { return wire.TxWitness{s(b, branch, all), nil} }, ""},
		"in a branch":               {branch, func(s signer) wire.TxWitness { return wire.TxWitness{s(b, branch, none), nil} }, "sighash"},
		"an empty one":              {or, func(s signer) wire.TxWitness { return wire.TxWitness{s(b, or, all), nil} }, ""},
	} {
		outer, tx := spendScript(t, c.inner, c.witness)
		checkRule(t, name, outer, tx, c.reason)
	}
}

func TestEverySignatureOfATaprootScriptSignsAll(t *testing.T) {
	a, b := testKey(t, 23), testKey(t, 24)
	xonly := func(k PrivateKey) []byte { return schnorr.SerializePubKey(k.key.PubKey()) }
	both := script(t, xonly(a), txscript.OP_CHECKSIG, xonly(b), txscript.OP_CHECKSIGADD, txscript.OP_2, txscript.OP_NUMEQUAL)
	for name, c := range map[string]struct {
		first, second txscript.SigHashType
		reason        string
	}{
		"ALL and DEFAULT":  {txscript.SigHashAll, txscript.SigHashDefault, ""},
		"the first, NONE":  {txscript.SigHashNone, txscript.SigHashDefault, "sighash"},
		"the second, NONE": {txscript.SigHashDefault, txscript.SigHashNone, "sighash"},
	} {
		leaf := txscript.NewBaseTapLeaf(both)
		tree := txscript.AssembleTaprootScriptTree(leaf)
		block := tree.LeafMerkleProofs[0].ToControlBlock(a.key.PubKey())
		control, err := block.ToBytes()
		if err != nil {
			t.Fatal(err)
		}
		root := tree.RootNode.TapHash()
		output := schnorr.SerializePubKey(txscript.ComputeTaprootOutputKey(a.key.PubKey(), root[:]))
		outer := script(t, txscript.OP_1, output)
		spend, err := toSpend(outer, "m")
		if err != nil {
			t.Fatal(err)
		}
		tx := toSign(spend)
		hashes := txscript.NewTxSigHashes(tx, spent(outer))
		sign := func(k PrivateKey, how txscript.SigHashType) []byte {
			sig, err := txscript.RawTxInTapscriptSignature(tx, hashes, 0, 0, outer, leaf, how, k.key)
			if err != nil {
				t.Fatal(err)
			}
			return sig
		}
		tx.TxIn[0].Witness = wire.TxWitness{sign(b, c.second), sign(a, c.first), both, control}
		checkRule(t, name, outer, tx, c.reason)

		// However good, it is no proof of an account, whose key alone counts.
		err = Verify(addressOf(Mainnet, P2TR, output), "m", full(appendTransaction(nil, tx)))
		if !errors.Is(err, ErrSignature) || !strings.Contains(err.Error(), "not with a script") {
			t.Errorf("%s: passes as the signature of an account: %v", name, err)
		}
	}
}

// An account of the p2sh kind is the p2wpkh of one key, though its address could be any script's.
func TestAnotherScriptWithTheAccountsHashIsNoProof(t *testing.T) {
	k := testKey(t, 25)
	redeem := script(t, txscript.OP_1, k.key.PubKey().SerializeCompressed(), txscript.OP_1, txscript.OP_CHECKMULTISIG)
	outer, a := scriptHash(t, redeem)
	spend, err := toSpend(outer, "m")
	if err != nil {
		t.Fatal(err)
	}
	tx := toSign(spend)
	sig, err := txscript.RawTxInSignature(tx, 0, redeem, txscript.SigHashAll, k.key)
	if err != nil {
		t.Fatal(err)
	}
	tx.TxIn[0].SignatureScript = script(t, txscript.OP_0, sig, redeem)
	checkRule(t, "one of one", outer, tx, "")
	if err := Verify(a, "m", full(appendTransaction(nil, tx))); !errors.Is(err, ErrSignature) {
		t.Errorf("passes as the signature of an account: %v", err)
	}

	// One that anybody can satisfy: without the rule, whoever knows the script would hold the account.
	outer, a = scriptHash(t, script(t, txscript.OP_1))
	if spend, err = toSpend(outer, "m"); err != nil {
		t.Fatal(err)
	}
	tx = toSign(spend)
	tx.TxIn[0].SignatureScript = push([]byte{txscript.OP_1})
	if err := Verify(a, "m", full(appendTransaction(nil, tx))); !errors.Is(err, ErrSignature) {
		t.Errorf("an account that is anybody's: %v", err)
	}
	checkRule(t, "anybody's", outer, tx, "")
}

func scriptHash(t testing.TB, redeem []byte) ([]byte, Address) {
	t.Helper()
	a := addressOf(Mainnet, P2SHP2WPKH, btcutil.Hash160(redeem))
	outer, err := a.script()
	if err != nil {
		t.Fatal(err)
	}
	return outer, a
}
