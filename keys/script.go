package keys

import (
	"bytes"
	"errors"
	"strings"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// Sizes of keys and signatures, in bytes.
const (
	compressedKey   = 33
	uncompressedKey = 65
	schnorrSize     = 64 // sighash DEFAULT (BIP-341); another sighash is one byte more
	annexTag        = 0x50
)

// errScriptEnd says that the engine stopped before the script did. It cannot happen with scripts that parse.
var errScriptEnd = errors.New("the script engine lost its place")

// push gives the script that pushes data, in its shortest form. Its data are keys, signatures and redeem scripts,
// of 2 to 75 bytes, whose length is the opcode.
func push(data []byte) []byte { return append([]byte{byte(len(data))}, data...) }

// checkShape sees that what satisfies an account's script is a single key's signature and nothing else: neither
// another script with the same hash, nor data around it.
func checkShape(account Address, in *wire.TxIn) error {
	switch w := in.Witness; account.kind {
	case P2PKH:
		sig, key, ok := twoPushes(in.SignatureScript)
		if !ok || len(w) != 0 || len(sig) == 0 || (len(key) != compressedKey && len(key) != uncompressedKey) {
			return refuse("the signature is not one of a p2pkh account: a script that pushes a signature and a key")
		}
	case P2SHP2WPKH:
		if !keyWitness(w) {
			return refuse("the signature is not a witness of a signature and a compressed key")
		}
		if !bytes.Equal(in.SignatureScript, push(witnessScript(btcutil.Hash160(w[1])))) {
			return refuse("the account's script is not the p2wpkh of this key, and no other is accepted")
		}
	case P2WPKH:
		if !keyWitness(w) || len(in.SignatureScript) != 0 {
			return refuse("the signature is not a witness of a signature and a compressed key")
		}
	case P2TR:
		if len(w) != 1 || len(in.SignatureScript) != 0 || (len(w[0]) != schnorrSize && len(w[0]) != schnorrSize+1) {
			return refuse("the signature is not a witness of one Schnorr signature: a taproot account signs with its key, not with a script")
		}
	}
	return nil
}

func keyWitness(w wire.TxWitness) bool {
	return len(w) == 2 && len(w[0]) != 0 && len(w[1]) == compressedKey
}

// twoPushes splits a script of two direct pushes.
func twoPushes(script []byte) (first, second []byte, ok bool) {
	next := func() []byte {
		if len(script) == 0 || script[0] > txscript.OP_DATA_75 || len(script) <= int(script[0]) {
			return nil
		}
		data := script[1 : 1+script[0]]
		script = script[1+len(data):]
		return data
	}
	first = next()
	second = next()
	return first, second, first != nil && second != nil && len(script) == 0
}

// execute lets an input of tx satisfy script, which holds value satoshi, under the rules of BIP-322: all of the
// engine's standard ones (strict DER, low S, null fail, minimal pushes and ifs, a clean stack, nothing reserved
// for later, no signature inside the script that it signs), no OP_CODESEPARATOR, and no signature that signs less
// than the whole. The engine alone would pass the last two. It goes for scripts of all kinds, as the standard's test
// vectors need; those of accounts are only three. Errors of our own rules are *Error, else the engine's.
func execute(script []byte, tx *wire.MsgTx, input int, prev txscript.PrevOutputFetcher, value int64) error {
	hashes := txscript.NewTxSigHashes(tx, prev)
	engine, err := txscript.NewEngine(script, tx, input, txscript.StandardVerifyFlags, nil, hashes, value, prev)
	if err != nil {
		return err
	}
	taproot := txscript.IsPayToTaproot(script)
	if w := withoutAnnex(tx.TxIn[input].Witness); taproot && len(w) == 1 {
		// A spend by key runs no opcode.
		if err := signsAll(w[0], taproot); err != nil {
			return err
		}
	}
	for done := false; !done; {
		opcode, err := nextOpcode(engine)
		if err != nil {
			return err
		}
		if opcode == "OP_CODESEPARATOR" {
			return refuse("the signature's script holds an OP_CODESEPARATOR, which BIP-322 forbids")
		}
		before := engine.GetStack()
		if done, err = engine.Step(); err != nil {
			return err
		}
		if done || len(engine.GetStack()) < len(before) { // else it stands in a branch that is not taken
			for _, sig := range judged(opcode, before) {
				if err := signsAll(sig, taproot); err != nil {
					return err
				}
			}
		}
	}
	return engine.CheckErrorCondition(true)
}

// nextOpcode names what the engine will do next.
func nextOpcode(engine *txscript.Engine) (string, error) {
	line, err := engine.DisasmPC() // such as "01:0004: OP_CHECKSIG", or with data after it
	if err != nil {
		return "", err
	}
	words := strings.Fields(line)
	if len(words) < 2 {
		return "", errScriptEnd
	}
	return words[1], nil
}

// judged gives the signatures that an opcode takes from the stack. Those of an opcode that the engine accepted are
// there; of none other it is called.
func judged(opcode string, stack [][]byte) [][]byte {
	at := func(depth int) int { return len(stack) - depth } // 1 is the top
	switch opcode {
	case "OP_CHECKSIG", "OP_CHECKSIGVERIFY": // sig key
		if i := at(2); i >= 0 {
			return stack[i : i+1]
		}
	case "OP_CHECKSIGADD": // sig number key
		if i := at(3); i >= 0 {
			return stack[i : i+1]
		}
	case "OP_CHECKMULTISIG", "OP_CHECKMULTISIGVERIFY": // dummy sigs… m keys… n
		if at(1) < 0 {
			return nil
		}
		keys := small(stack[at(1)])
		if at(2+keys) < 0 {
			return nil
		}
		sigs := small(stack[at(2+keys)])
		if i := at(2 + keys + sigs); i >= 0 {
			return stack[i : i+sigs]
		}
	}
	return nil
}

// small reads a script's number of keys or signatures; there are never more than 20.
func small(number []byte) int {
	if len(number) != 1 {
		return 0
	}
	return int(number[0])
}

func withoutAnnex(w wire.TxWitness) wire.TxWitness {
	if n := len(w); n > 1 && len(w[n-1]) > 0 && w[n-1][0] == annexTag {
		return w[:n-1]
	}
	return w
}

// signsAll refuses a signature whose sighash leaves out a part of the transaction. An empty one signs nothing and
// is a script's way to say no.
func signsAll(sig []byte, taproot bool) error {
	if len(sig) == 0 || taproot && len(sig) == schnorrSize {
		return nil
	}
	if how := txscript.SigHashType(sig[len(sig)-1]); how != txscript.SigHashAll {
		return refuse("the signature's sighash is %#02x, not ALL: it does not sign the whole", byte(how))
	}
	return nil
}
