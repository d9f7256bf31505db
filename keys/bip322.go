package keys

import (
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/btcutil"
	"github.com/btcsuite/btcd/chaincfg/chainhash"
	"github.com/btcsuite/btcd/txscript"
	"github.com/btcsuite/btcd/wire"
)

// The standard's constants: BIP-322, version 2.
const (
	simplePrefix = "smp"
	fullPrefix   = "ful"
	fundsPrefix  = "pof"
	// messageTag is the tag of the tagged hash (BIP-340) of a message.
	messageTag = "BIP0322-signed-message"
	// noOutput is the index of the output that to_spend claims to spend, which does not exist.
	noOutput = 0xffffffff
	// lockVersion is the one version of to_sign beside 0: that of transactions with relative time locks (BIP-68).
	lockVersion = 2
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

// spent answers for to_spend's output, which has no value.
func spent(script []byte) txscript.PrevOutputFetcher {
	return txscript.NewCannedPrevOutputFetcher(script, 0)
}

// signSimple makes a BIP-322 simple signature. The standard has them for p2wpkh and p2tr; wallets also for
// p2sh-p2wpkh.
func signSimple(k PrivateKey, account Address, message string, how txscript.SigHashType) (string, error) {
	tx, err := signTransaction(k, account, message, how)
	if err != nil {
		return "", err
	}
	return simplePrefix + base64.StdEncoding.EncodeToString(appendWitness(nil, tx.TxIn[0].Witness)), nil
}

// signFull makes a BIP-322 full signature.
func signFull(k PrivateKey, account Address, message string, how txscript.SigHashType) (string, error) {
	tx, err := signTransaction(k, account, message, how)
	if err != nil {
		return "", err
	}
	return fullPrefix + base64.StdEncoding.EncodeToString(appendTransaction(nil, tx)), nil
}

// signTransaction gives to_sign with what satisfies the account's script. The sighash is the caller's, so that
// tests can make what must be refused.
func signTransaction(k PrivateKey, account Address, message string, how txscript.SigHashType) (*wire.MsgTx, error) {
	script, err := account.script()
	if err != nil {
		return nil, err
	}
	spend, err := toSpend(script, message)
	if err != nil {
		return nil, err
	}
	tx := toSign(spend)
	if err := satisfy(tx, k, account.kind, script, how); err != nil {
		return nil, fmt.Errorf("sign to_sign: %w", err)
	}
	return tx, nil
}

// satisfy puts the key's signature of tx into its first input, which spends script.
func satisfy(tx *wire.MsgTx, k PrivateKey, kind Kind, script []byte, how txscript.SigHashType) (err error) {
	in := tx.TxIn[0]
	hashes := txscript.NewTxSigHashes(tx, spent(script))
	switch kind {
	case P2PKH:
		in.SignatureScript, err = txscript.SignatureScript(tx, 0, script, how, k.key, true)
	case P2SHP2WPKH:
		redeem := witnessScript(btcutil.Hash160(k.key.PubKey().SerializeCompressed()))
		in.SignatureScript = push(redeem)
		in.Witness, err = txscript.WitnessSignature(tx, hashes, 0, 0, redeem, how, k.key, true)
	case P2WPKH:
		in.Witness, err = txscript.WitnessSignature(tx, hashes, 0, 0, script, how, k.key, true)
	case P2TR:
		var sig []byte
		// No scripts: BIP-86's tweak commits to the key alone.
		sig, err = txscript.RawTxInTaprootSignature(tx, hashes, 0, 0, script, nil, how, k.key)
		in.Witness = wire.TxWitness{sig}
	default:
		return &Error{ErrAddress, "no account to sign as", ""}
	}
	return err
}

// verifyGeneric judges a BIP-322 signature, already out of its base64. prefix is the form it claims, "" being
// simple.
func verifyGeneric(account Address, message, prefix string, raw []byte) error {
	if prefix != fullPrefix && account.kind == P2PKH {
		return &Error{ErrSignature, "p2pkh accounts have no BIP-322 simple signatures", "sign in the full form, or in that of BIP-137 (\"legacy\")"}
	}
	script, err := account.script()
	if err != nil {
		return err
	}
	tx, err := readProof(script, message, prefix, raw)
	if err != nil {
		return err
	}
	in := tx.TxIn[0]
	if prefix != fullPrefix && account.kind == P2SHP2WPKH && len(in.Witness) == 2 {
		// Beyond the standard, as wallets do it: the one redeem script that an account may have follows from
		// the key.
		in.SignatureScript = push(witnessScript(btcutil.Hash160(in.Witness[1])))
	}
	if err := checkShape(account, in); err != nil {
		return err
	}
	err = execute(script, tx, 0, spent(script), 0)
	var known *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case txscript.IsErrorCode(err, txscript.ErrSigHighS):
		return refuse("the signature's s is in the upper half of its range: somebody changed it since it was made")
	}
	return refuse("the signature is not one of account %s for this message", account)
}

// readProof gives the to_sign that a signature is or stands for. It is one for script and message; whether it
// satisfies script is not judged yet.
func readProof(script []byte, message, prefix string, raw []byte) (*wire.MsgTx, error) {
	spend, err := toSpend(script, message)
	if err != nil {
		return nil, err
	}
	if prefix != fullPrefix {
		tx := toSign(spend)
		tx.TxIn[0].Witness, err = parseWitness(raw)
		return tx, err
	}
	tx, err := parseTransaction(raw)
	if err != nil {
		return nil, err
	}
	return tx, checkToSign(tx, spend)
}

// checkToSign holds a transaction against what the standard says of to_sign. Its lock time and the sequence of its
// first input are the signer's to choose: they say when a script with time locks lets it sign, and those of
// accounts have none. More inputs prove funds, which takes another form and knowledge of the chain.
func checkToSign(tx, spend *wire.MsgTx) error {
	if tx.Version != 0 && tx.Version != lockVersion {
		return refuse("the signature's transaction has version %d, neither 0 nor %d", tx.Version, lockVersion)
	}
	if len(tx.TxIn) == 0 || len(tx.TxOut) != 1 {
		return refuse("the signature's transaction has %d inputs and %d outputs", len(tx.TxIn), len(tx.TxOut))
	}
	if out := tx.TxOut[0]; out.Value != 0 || len(out.PkScript) != 1 || out.PkScript[0] != txscript.OP_RETURN {
		return refuse("the signature's transaction pays somebody: its output is not an OP_RETURN of no value")
	}
	if from := tx.TxIn[0].PreviousOutPoint; from.Hash != spend.TxHash() || from.Index != 0 {
		return refuse("the signature is one for another message or another account")
	}
	return nil
}
