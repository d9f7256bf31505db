package frame

import "encoding/binary"

// Keys is what a sender shows of its keys: the bytes are told, not yet believed. The zero Keys shows none.
type Keys struct {
	Public    [32]byte // ed25519 (RFC 8032): who it is
	Ephemeral [32]byte // X25519 (RFC 7748): of its session alone
	Nonce     uint64   // what a proof for it has to answer
}

// Proof is a signature that one satellite alone can use. The zero Proof is none.
type Proof struct {
	To        Peer // whom it is for
	Signature [64]byte
}

// SealTagLen is the length of a seal's tag.
const SealTagLen = 16

// Seal is what the other end of an authenticated adjacency knows a frame by. The zero Seal is none.
type Seal struct {
	Number uint64 // counts what the sender sealed with one key; never 0
	Tag    [SealTagLen]byte
}

const (
	keysLen  = 72
	proofLen = 18 + 64
	sealLen  = 8 + SealTagLen
)

// AppendSeal seals a frame that is complete but for that: tag gets all that stands before the tag, the number included.
func AppendSeal(b []byte, number uint64, tag func(covered []byte) [SealTagLen]byte) []byte {
	b = binary.BigEndian.AppendUint64(appendElem(b, elemSeal, sealLen), number)
	t := tag(b)
	return append(b, t[:]...)
}

// Covered is the part of a whole frame that its seal's tag is made over, and whether it has a seal. Padding is not
// covered and means nothing.
func Covered(b []byte) (covered []byte, sealed bool) {
	if len(b) < OffBody {
		return nil, false
	}
	at := OffBody
	err := elements(b[OffBody:], func(typ byte, v []byte) error {
		at += elemHeader + len(v)
		sealed = sealed || typ == elemSeal && len(v) == sealLen
		return nil
	})
	if err != nil || !sealed {
		return nil, false
	}
	return b[:at-SealTagLen], true // elements lets nothing follow a seal
}

func (k Keys) append(b []byte) []byte {
	if k == (Keys{}) {
		return b
	}
	b = append(appendElem(b, elemKeys, keysLen), k.Public[:]...)
	b = append(b, k.Ephemeral[:]...)
	return binary.BigEndian.AppendUint64(b, k.Nonce)
}

func parseKeys(v []byte) (Keys, error) {
	if err := want("keys", v, keysLen); err != nil {
		return Keys{}, err
	}
	return Keys{[32]byte(v[:32]), [32]byte(v[32:64]), binary.BigEndian.Uint64(v[64:])}, nil
}

func (p Proof) append(b []byte) []byte {
	if p == (Proof{}) {
		return b
	}
	b = append(appendElem(b, elemProof, proofLen), p.To.ID[:]...)
	b = binary.BigEndian.AppendUint32(b, p.To.Port)
	b = binary.BigEndian.AppendUint64(b, p.To.Session)
	return append(b, p.Signature[:]...)
}

func parseProof(v []byte) (Proof, error) {
	if err := want("proof", v, proofLen); err != nil {
		return Proof{}, err
	}
	to, err := parsePeer(v[:18])
	return Proof{to, [64]byte(v[18:])}, err
}

func (s Seal) append(b []byte) []byte {
	if s == (Seal{}) {
		return b
	}
	return AppendSeal(b, s.Number, func([]byte) [SealTagLen]byte { return s.Tag })
}

func parseSeal(v []byte) (Seal, error) {
	if err := want("seal", v, sealLen); err != nil {
		return Seal{}, err
	}
	return Seal{binary.BigEndian.Uint64(v), [SealTagLen]byte(v[8:])}, nil
}
