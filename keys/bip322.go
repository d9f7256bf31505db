package keys

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// The standard's constants: BIP-322.
const (
	simplePrefix = "smp"
	// messageTag is the tag of the tagged hash (BIP-340) of a message.
	messageTag = "BIP0322-signed-message"
	// noOutput is the index of the output that to_spend claims to spend, which does not exist.
	noOutput = 0xffffffff
)

// Bounds of the witness of a p2wpkh spend: a DER signature has at most 72 bytes (71 with low S), then its
// sighash byte; the key is compressed (BIP-143).
const (
	maxWitnessItem = 73
	compressedKey  = 33
)

// toSpend builds the virtual transaction whose only output is locked to script and which commits to message.
func toSpend(script []byte, message string) (*wire.MsgTx, error) {
	hash := chainhash.TaggedHash([]byte(messageTag), []byte(message))
	commit, err := txscript.NewScriptBuilder().AddOp(txscript.OP_0).AddData(hash[:]).Script()
	if err != nil {
		return nil, fmt.Errorf("build to_spend: %w", err)
	}
	tx := wire.NewMsgTx(0)
	in := wire.NewTxIn(wire.NewOutPoint(&chainhash.Hash{}, noOutput), commit, nil)
	in.Sequence = 0
	tx.AddTxIn(in)
	tx.AddTxOut(wire.NewTxOut(0, script))
	return tx, nil
}

// toSign builds the virtual transaction that spends to_spend's output, still without a witness.
func toSign(spend *wire.MsgTx) *wire.MsgTx {
	tx := wire.NewMsgTx(0)
	id := spend.TxHash()
	in := wire.NewTxIn(wire.NewOutPoint(&id, 0), nil, nil)
	in.Sequence = 0
	tx.AddTxIn(in)
	tx.AddTxOut(wire.NewTxOut(0, []byte{txscript.OP_RETURN}))
	return tx
}

// virtualSpend gives to_sign, the script it satisfies and the hashes for its signature.
func virtualSpend(account Address, message string) (*wire.MsgTx, []byte, *txscript.TxSigHashes, error) {
	script, err := account.script()
	if err != nil {
		return nil, nil, nil, err
	}
	spend, err := toSpend(script, message)
	if err != nil {
		return nil, nil, nil, err
	}
	tx := toSign(spend)
	return tx, script, txscript.NewTxSigHashes(tx, txscript.NewCannedPrevOutputFetcher(script, 0)), nil
}

// signSimple makes a BIP-322 simple signature of a p2wpkh account.
func signSimple(k PrivateKey, account Address, message string) (string, error) {
	return signSimpleAs(k, account, message, txscript.SigHashAll)
}

// signSimpleAs leaves the sighash byte to the caller, so that tests can make what must be refused.
func signSimpleAs(k PrivateKey, account Address, message string, how txscript.SigHashType) (string, error) {
	tx, script, hashes, err := virtualSpend(account, message)
	if err != nil {
		return "", err
	}
	witness, err := txscript.WitnessSignature(tx, hashes, 0, 0, script, how, k.key, true)
	if err != nil {
		return "", fmt.Errorf("sign to_sign: %w", err)
	}
	return simplePrefix + base64.StdEncoding.EncodeToString(appendWitness(nil, witness)), nil
}

// verifySimple judges a BIP-322 simple signature, already out of its base64.
func verifySimple(account Address, message string, raw []byte) error {
	if account.kind != P2WPKH {
		return &Error{ErrSignature, fmt.Sprintf("%s accounts have no BIP-322 simple signatures", account.kind), "sign in the form of BIP-137 (\"legacy\")"}
	}
	witness, err := parseWitness(raw)
	if err != nil {
		return err
	}
	tx, script, hashes, err := virtualSpend(account, message)
	if err != nil {
		return err
	}
	tx.TxIn[0].Witness = witness
	fetcher := txscript.NewCannedPrevOutputFetcher(script, 0)
	engine, err := txscript.NewEngine(script, tx, 0, txscript.StandardVerifyFlags, nil, hashes, 0, fetcher)
	if err != nil {
		return refuse("the signature is not one of account %s", account)
	}
	if err := engine.Execute(); err != nil {
		return refuse("the signature is not one of account %s for this message", account)
	}
	return nil
}

// parseWitness reads the witness of a p2wpkh spend: exactly a signature with sighash ALL and a key, nothing
// after them, each count in its shortest form.
func parseWitness(raw []byte) (wire.TxWitness, error) {
	r := bytes.NewReader(raw)
	count, err := wire.ReadVarInt(r, 0)
	if err != nil || count != 2 {
		return nil, refuse("the signature is not a witness of a signature and a key")
	}
	witness := make(wire.TxWitness, count)
	for i := range witness {
		if witness[i], err = wire.ReadVarBytes(r, 0, maxWitnessItem, "witness item"); err != nil {
			return nil, refuse("the signature's witness is cut off or malformed")
		}
	}
	if r.Len() != 0 {
		return nil, refuse("the signature has %d bytes after its end", r.Len())
	}
	sig, key := witness[0], witness[1]
	if len(sig) == 0 || len(key) != compressedKey {
		return nil, refuse("the signature is not a witness of a signature and a compressed key")
	}
	if how := txscript.SigHashType(sig[len(sig)-1]); how != txscript.SigHashAll {
		return nil, refuse("the signature's sighash is %#02x, not ALL: it does not sign the whole", byte(how))
	}
	return witness, nil
}

// appendWitness appends what parseWitness reads.
func appendWitness(b []byte, witness wire.TxWitness) []byte {
	buf := bytes.NewBuffer(b)
	// Writing to a Buffer cannot fail.
	_ = wire.WriteVarInt(buf, 0, uint64(len(witness)))
	for _, item := range witness {
		_ = wire.WriteVarBytes(buf, 0, item)
	}
	return buf.Bytes()
}
