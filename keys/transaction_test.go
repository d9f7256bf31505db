package keys

import (
	"bytes"
	"encoding/base64"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// signChanged signs a to_sign that its holder has changed first: every signature in it is good.
func signChanged(t testing.TB, k PrivateKey, a Address, message string, change func(*wire.MsgTx)) *wire.MsgTx {
	t.Helper()
	script, err := a.script()
	if err != nil {
		t.Fatal(err)
	}
	spend, err := toSpend(script, message)
	if err != nil {
		t.Fatal(err)
	}
	tx := toSign(spend)
	change(tx)
	// The other inputs spend more of the same script.
	if err := satisfy(tx, k, a.kind, script, wholeOf(a.kind)); err != nil {
		t.Fatal(err)
	}
	return tx
}

func full(raw []byte) string { return fullPrefix + base64.StdEncoding.EncodeToString(raw) }

// A full signature may be any transaction that the holder signed; what it may say is the standard's.
func TestToSignIsWhatTheStandardSays(t *testing.T) {
	k := testKey(t, 10)
	cases := map[string]struct {
		change func(*wire.MsgTx)
		reason string // empty: accepted
	}{
		"as it is":              {func(*wire.MsgTx) {}, ""},
		"version 2":             {func(tx *wire.MsgTx) { tx.Version = 2 }, ""},
		"a lock time":           {func(tx *wire.MsgTx) { tx.Version, tx.LockTime = 2, 2016 }, ""},
		"a sequence":            {func(tx *wire.MsgTx) { tx.Version, tx.TxIn[0].Sequence = 2, 2016 }, ""},
		"version 1":             {func(tx *wire.MsgTx) { tx.Version = 1 }, "version 1"},
		"version 3":             {func(tx *wire.MsgTx) { tx.Version = 3 }, "version 3"},
		"a negative version":    {func(tx *wire.MsgTx) { tx.Version = -1 }, "version -1"},
		"a second output":       {func(tx *wire.MsgTx) { tx.AddTxOut(wire.NewTxOut(0, []byte{txscript.OP_RETURN})) }, "exactly one output"},
		"no output":             {func(tx *wire.MsgTx) { tx.TxOut = nil }, "exactly one output"},
		"an output of value":    {func(tx *wire.MsgTx) { tx.TxOut[0].Value = 1 }, "OP_RETURN"},
		"an output to somebody": {func(tx *wire.MsgTx) { tx.TxOut[0].PkScript = []byte{txscript.OP_TRUE} }, "OP_RETURN"},
		"data in the output":    {func(tx *wire.MsgTx) { tx.TxOut[0].PkScript = []byte{txscript.OP_RETURN, 1, 7} }, "OP_RETURN"},
		"another output spent":  {func(tx *wire.MsgTx) { tx.TxIn[0].PreviousOutPoint.Index = 1 }, "another message"},
		"a real transaction":    {func(tx *wire.MsgTx) { tx.TxIn[0].PreviousOutPoint.Hash = chainhash.Hash{7} }, "another message"},
		"a second input":        {func(tx *wire.MsgTx) { tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Hash: chainhash.Hash{7}}, nil, nil)) }, "exactly one input"},
	}
	for name, c := range cases {
		for _, kind := range Kinds() {
			a := k.Address(Regtest, kind)
			tx := signChanged(t, k, a, "m", c.change)
			err := Verify(a, "m", full(appendTransaction(nil, tx)))
			if c.reason == "" {
				if err != nil {
					t.Errorf("%s, %s: %v", kind, name, err)
				}
				continue
			}
			if !errors.Is(err, ErrSignature) || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("%s, %s: got %v, want a refusal with %q", kind, name, err, c.reason)
			}
			if len(tx.TxIn) > 1 {
				continue // the engine alone would need to be told of more outputs
			}
			script, _ := a.script()
			if err := engineAlone(script, tx); err != nil {
				t.Errorf("control: the engine alone refuses %s, %s (%v), so this test shows nothing", kind, name, err)
			}
		}
	}
}

// A transaction has one spelling here, and nothing that no signature covers.
func TestOtherSpellingsOfATransactionAreRefused(t *testing.T) {
	k := testKey(t, 11)
	for _, kind := range Kinds() {
		a := k.Address(Mainnet, kind)
		script, _ := a.script()
		tx := signChanged(t, k, a, "m", func(*wire.MsgTx) {})
		raw := appendTransaction(nil, tx)
		if err := Verify(a, "m", full(raw)); err != nil {
			t.Fatalf("control: %v", err)
		}
		inputs := bytes.IndexByte(raw[4:], 1) + 4 // the count of inputs, or the flag before it
		if tx.HasWitness() {
			inputs = 6
		}
		for name, bad := range map[string][]byte{
			"nothing":             {},
			"a byte after":        append(bytes.Clone(raw), 0),
			"a byte missing":      raw[:len(raw)-1],
			"a long count":        append(append(bytes.Clone(raw[:inputs]), 0xfd, 1, 0), raw[inputs+1:]...),
			"an empty witness":    append(append(bytes.Clone(raw[:4]), 0, 1), append(unwitnessed(tx)[4:len(unwitnessed(tx))-4], 0, 0, 0, 0, 0)...),
			"another marker":      append(append(bytes.Clone(raw[:4]), 0, 2), raw[4:]...),
			"no witness":          unwitnessed(tx),
			"a script's bytes":    appendTransaction(nil, changed(tx, func(in *wire.TxIn) { in.SignatureScript = append(push([]byte{7, 7}), in.SignatureScript...) })),
			"a witness item more": appendTransaction(nil, changed(tx, func(in *wire.TxIn) { in.Witness = append(in.Witness[:len(in.Witness):len(in.Witness)], []byte{7}) })),
			"a taproot annex": appendTransaction(nil, changed(tx, func(in *wire.TxIn) {
				in.Witness = append(in.Witness[:len(in.Witness):len(in.Witness)], []byte{annexTag})
			})),
			"a longer push": appendTransaction(nil, changed(tx, func(in *wire.TxIn) { in.SignatureScript = longPush(in.SignatureScript) })),
		} {
			if bytes.Equal(bad, raw) {
				continue // p2pkh has no witness to leave out
			}
			if err := Verify(a, "m", full(bad)); !errors.Is(err, ErrSignature) {
				t.Errorf("%s, %s: got %v, want a refusal", kind, name, err)
			}
		}
		if err := engineAlone(script, changed(tx, func(*wire.TxIn) {})); err != nil {
			t.Errorf("control: the copies are broken: %v", err)
		}
	}
}

// unwitnessed gives the bytes of a transaction without its witness.
func unwitnessed(tx *wire.MsgTx) []byte {
	var b bytes.Buffer
	_ = tx.SerializeNoWitness(&b)
	return b.Bytes()
}

func changed(tx *wire.MsgTx, change func(*wire.TxIn)) *wire.MsgTx {
	c := tx.Copy()
	change(c.TxIn[0])
	return c
}

// longPush spells a script's first push as one of PUSHDATA1.
func longPush(script []byte) []byte {
	if len(script) == 0 {
		return []byte{txscript.OP_PUSHDATA1, 0}
	}
	return append([]byte{txscript.OP_PUSHDATA1}, script...)
}

// Some bytes can claim millions of things to come. The library's decoder believes them, ours does not.
func TestClaimsCostNoMemory(t *testing.T) {
	inputs := []byte{2, 0, 0, 0, 0xfe, 0x00, 0x80, 0x0c, 0x00} // 819,200 inputs
	witness := []byte{0xfe, 0x00, 0x09, 0x3d, 0x00}            // 4 million items
	k := testKey(t, 12)
	tx := signChanged(t, k, k.Address(Mainnet, P2WPKH), "m", func(*wire.MsgTx) {})
	items := unwitnessed(tx)
	items = append(append(append(items[:4:4], 0, 1), items[4:len(items)-4]...), witness...)
	ours := allocated(func() {
		for _, kind := range Kinds() {
			for _, sig := range []string{full(inputs), full(items), simplePrefix + full(witness)[3:]} {
				if Verify(k.Address(Mainnet, kind), "m", sig) == nil {
					t.Error("accepted")
				}
			}
		}
	})
	theirs := allocated(func() {
		if new(wire.MsgTx).Deserialize(bytes.NewReader(items)) == nil {
			t.Error("the library reads it")
		}
	})
	t.Logf("bytes allocated: %d for twelve of ours, %d for one of the library's, of %d bytes", ours, theirs, len(items))
	if ours > 1<<20 {
		t.Errorf("%d bytes were allocated", ours)
	}
	if theirs < 10<<20 {
		t.Errorf("control: the library allocates only %d bytes, so this test shows nothing", theirs)
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
