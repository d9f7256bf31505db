package keys

import (
	"bytes"
	"encoding/binary"

	"github.com/btcsuite/btcd/wire"
)

// maxWitness bounds the items of a witness. Accounts need two, the standard's test vectors five.
const maxWitness = 8

// cutter takes a signature's bytes from the front. After the first that is wrong it gives zero values. It allocates
// nothing for what the bytes only claim to hold, as the library's decoder of transactions would: 100 MB for a count.
type cutter struct {
	rest []byte
	bad  bool
}

func (c *cutter) take(n int) []byte {
	if c.bad || n > len(c.rest) {
		c.bad = true
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cutter) uint32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cutter) uint64() uint64 {
	if b := c.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// count reads a compact size in its shortest form.
func (c *cutter) count(most int) int {
	n, err := wire.ReadVarInt(bytes.NewReader(c.rest), 0)
	if c.bad || err != nil || n > uint64(most) {
		c.bad = true
		return 0
	}
	c.take(wire.VarIntSerializeSize(n))
	return int(n)
}

func (c *cutter) bytes() []byte { return c.take(c.count(len(c.rest))) }

func (c *cutter) witness() wire.TxWitness {
	w := make(wire.TxWitness, c.count(maxWitness))
	for i := range w {
		w[i] = c.bytes()
	}
	return w
}

// end tells whether the bytes were what they should be, and all of them.
func (c *cutter) end(what string) error {
	if c.bad {
		return refuse("the signature's %s is cut off or malformed", what)
	}
	if len(c.rest) != 0 {
		return refuse("the signature has %d bytes after its end", len(c.rest))
	}
	return nil
}

// parseWitness reads a witness stack in the one spelling that appendWitness gives.
func parseWitness(raw []byte) (wire.TxWitness, error) {
	c := &cutter{rest: raw}
	w := c.witness()
	if err := c.end("witness"); err != nil {
		return nil, err
	}
	return w, nil
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

// parseTransaction reads a transaction of one input and one output, with or without a witness (BIP-144), in the one
// spelling that appendTransaction gives.
func parseTransaction(raw []byte) (*wire.MsgTx, error) {
	c := &cutter{rest: raw}
	tx := wire.NewMsgTx(int32(c.uint32()))
	hasWitness := len(c.rest) > 0 && c.rest[0] == 0
	if hasWitness && !bytes.Equal(c.take(2), []byte{0, 1}) {
		c.bad = true
	}
	inputs := c.count(len(c.rest))
	if !c.bad && inputs != 1 {
		return nil, &Error{ErrSignature, "the signature's transaction does not have exactly one input", "sign without a proof of funds"}
	}
	in := &wire.TxIn{}
	copy(in.PreviousOutPoint.Hash[:], c.take(len(in.PreviousOutPoint.Hash)))
	in.PreviousOutPoint.Index = c.uint32()
	in.SignatureScript = c.bytes()
	in.Sequence = c.uint32()
	outputs := c.count(len(c.rest))
	if !c.bad && outputs != 1 {
		return nil, refuse("the signature's transaction does not have exactly one output")
	}
	out := &wire.TxOut{Value: int64(c.uint64()), PkScript: c.bytes()}
	if hasWitness {
		in.Witness = c.witness()
	}
	tx.LockTime = c.uint32()
	if err := c.end("transaction"); err != nil {
		return nil, err
	}
	tx.AddTxIn(in)
	tx.AddTxOut(out)
	if hasWitness && len(in.Witness) == 0 {
		return nil, refuse("the signature's transaction announces a witness and has none")
	}
	return tx, nil
}

// appendTransaction appends what parseTransaction reads.
func appendTransaction(b []byte, tx *wire.MsgTx) []byte {
	buf := bytes.NewBuffer(b)
	// Writing to a Buffer cannot fail.
	_ = tx.Serialize(buf)
	return buf.Bytes()
}
