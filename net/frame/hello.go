package frame

import (
	"cmp"
	"encoding/binary"
	"unicode/utf8"
)

// MaxName bounds a satellite's name in bytes.
const MaxName = 63

// Vector says where a satellite stands: lower is nearer to the lowest root. Two satellites never have equal
// vectors, because the last component is the satellite's own id.
type Vector struct {
	Priority uint16 // the root's
	Root     MAC
	Distance uint64 // to the root, in cost
	ID       MAC    // the satellite itself
}

const vectorLen = 22

// Compare orders vectors by their components in order: -1, 0 or 1.
func (v Vector) Compare(o Vector) int {
	return cmp.Or(cmp.Compare(v.Priority, o.Priority), v.Root.Compare(o.Root),
		cmp.Compare(v.Distance, o.Distance), v.ID.Compare(o.ID))
}

// Less tells whether v is lower than o.
func (v Vector) Less(o Vector) bool { return v.Compare(o) < 0 }

func (v Vector) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, v.Priority)
	b = append(b, v.Root[:]...)
	b = binary.BigEndian.AppendUint64(b, v.Distance)
	return append(b, v.ID[:]...)
}

func vectorOf(b []byte) Vector {
	return Vector{Priority: binary.BigEndian.Uint16(b), Root: MAC(b[2:8]),
		Distance: binary.BigEndian.Uint64(b[8:]), ID: MAC(b[16:22])}
}

// Self names the sender's end of the cable.
type Self struct {
	ID       MAC
	Port     uint32
	Instance uint64 // random per start of the engine
	Session  uint64 // this life of the adjacency; never 0; survives a restart that restored its promises
}

// Peer names the other end as the sender hears it. The zero Peer is nobody.
type Peer struct {
	ID      MAC
	Port    uint32
	Session uint64
}

// Claim is the sender's wish to be the receiver's child, or (Join false) that it is not.
type Claim struct {
	Number uint64 // grows with every change within a session
	Join   bool
	Vector Vector // with Join: the sender's vector will not be lower than this while its end is open
}

// Hello is what the two ends of a cable tell one another.
type Hello struct {
	Self   Self
	Peer   Peer
	Seq    uint64 // grows with every Hello of one instance
	Ack    uint64 // highest Seq heard in this session
	Answer bool   // the sender waits for an Ack
	Joined bool   // the sender takes the cable to lead within one part of the constellation
	Name   string // at most MaxName bytes
	Untold bool   // the sender does not tell its digest
	Digest uint64 // of the sender's link-state store
	Claim  Claim
	Seen   uint64 // highest claim number heard from the receiver in this session
	Grant  uint64 // the receiver's claim for which the sender's end is open; 0: closed
	Agree  Agree
	// Bridge is the id that all edge ports which the sender knows of have, itself included; 0: there are none; NoBridge: it
	// does not know that all have the same.
	Bridge BridgeID
	Keys   Keys
	Proof  Proof
	Seal   Seal
}

// Agree tells which topology the sender's unicast tables are of, and which of the receiver's announcements it acts upon; see
// package path. The zero Agree is of a sender that has no tables yet, and is not sent.
type Agree struct {
	Version uint64 // digest of the topology and of how it is coloured
	Serial  uint64 // counts the sender's topologies
	Acked   uint64 // the receiver's serial that the sender's tables follow; 0: none
	Ready   bool   // the sender holds the detours of this topology
}

const agreeLen = 25

func (a Agree) append(b []byte) []byte {
	if a == (Agree{}) {
		return b
	}
	b = binary.BigEndian.AppendUint64(appendElem(b, elemAgree, agreeLen), a.Version)
	b = binary.BigEndian.AppendUint64(b, a.Serial)
	return append(binary.BigEndian.AppendUint64(b, a.Acked), b2u(a.Ready))
}

func parseAgree(v []byte) (Agree, error) {
	if err := want("agree", v, agreeLen); err != nil {
		return Agree{}, err
	}
	return Agree{binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:]), binary.BigEndian.Uint64(v[16:]), v[24]&1 != 0}, nil
}

// Append writes the whole frame, sent from the port address src.
func (h *Hello) Append(b []byte, src MAC) []byte {
	b = Header{Group, src, TypeHello}.Append(b)
	b = appendEnds(b, h.Self, h.Peer)
	b = appendElem(b, elemOrder, 17)
	b = binary.BigEndian.AppendUint64(b, h.Seq)
	b = binary.BigEndian.AppendUint64(b, h.Ack)
	b = append(b, b2u(h.Answer)|b2u(h.Joined)<<1)
	b = append(appendElem(b, elemName, len(h.Name)), h.Name...)
	if !h.Untold {
		b = binary.BigEndian.AppendUint64(appendElem(b, elemDigest, 8), h.Digest)
	}
	if h.Claim.Join {
		b = binary.BigEndian.AppendUint64(appendElem(b, elemClaim, 8+vectorLen), h.Claim.Number)
		b = h.Claim.Vector.append(b)
	} else {
		b = binary.BigEndian.AppendUint64(appendElem(b, elemClaim, 8), h.Claim.Number)
	}
	b = binary.BigEndian.AppendUint64(appendElem(b, elemConsent, 16), h.Seen)
	b = binary.BigEndian.AppendUint64(b, h.Grant)
	if h.Bridge != 0 {
		b = binary.BigEndian.AppendUint64(appendElem(b, elemBridge, 8), uint64(h.Bridge))
	}
	return h.Seal.append(h.Proof.append(h.Keys.append(h.Agree.append(b))))
}

// ParseHello reads a Hello's body. Elements self and order must be there.
func ParseHello(body []byte) (Hello, error) {
	h := Hello{Untold: true}
	ordered := false
	err := elements(body, func(typ byte, v []byte) (err error) {
		switch typ {
		case elemSelf:
			h.Self, err = parseSelf(v)
		case elemPeer:
			h.Peer, err = parsePeer(v)
		case elemOrder:
			if err = want("order", v, 17); err == nil {
				h.Seq, h.Ack = binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])
				h.Answer, h.Joined, ordered = v[16]&1 != 0, v[16]&2 != 0, true
			}
		case elemName:
			h.Name, err = parseName(v)
		case elemDigest:
			if err = want("digest", v, 8); err == nil {
				h.Digest, h.Untold = binary.BigEndian.Uint64(v), false
			}
		case elemClaim:
			h.Claim, err = parseClaim(v)
		case elemBridge:
			if err = want("bridge", v, 8); err == nil {
				h.Bridge = BridgeID(binary.BigEndian.Uint64(v))
			}
		case elemAgree:
			h.Agree, err = parseAgree(v)
		case elemKeys:
			h.Keys, err = parseKeys(v)
		case elemProof:
			h.Proof, err = parseProof(v)
		case elemSeal:
			h.Seal, err = parseSeal(v)
		case elemConsent:
			if err = want("consent", v, 16); err == nil {
				h.Seen, h.Grant = binary.BigEndian.Uint64(v), binary.BigEndian.Uint64(v[8:])
			}
		}
		return err
	})
	switch {
	case err != nil:
		return Hello{}, err
	case h.Self.Session == 0 || !ordered:
		return Hello{}, malformed("hello without self or order")
	}
	return h, nil
}

func parseClaim(v []byte) (Claim, error) {
	switch len(v) {
	case 8:
		return Claim{Number: binary.BigEndian.Uint64(v)}, nil
	case 8 + vectorLen:
		return Claim{Number: binary.BigEndian.Uint64(v), Join: true, Vector: vectorOf(v[8:])}, nil
	}
	return Claim{}, malformed("claim of %d bytes", len(v))
}

func appendEnds(b []byte, s Self, p Peer) []byte {
	b = append(appendElem(b, elemSelf, 26), s.ID[:]...)
	b = binary.BigEndian.AppendUint32(b, s.Port)
	b = binary.BigEndian.AppendUint64(b, s.Instance)
	b = binary.BigEndian.AppendUint64(b, s.Session)
	if p == (Peer{}) {
		return b
	}
	b = append(appendElem(b, elemPeer, 18), p.ID[:]...)
	b = binary.BigEndian.AppendUint32(b, p.Port)
	return binary.BigEndian.AppendUint64(b, p.Session)
}

func parseSelf(v []byte) (Self, error) {
	if err := want("self", v, 26); err != nil {
		return Self{}, err
	}
	s := Self{ID: MAC(v[0:6]), Port: binary.BigEndian.Uint32(v[6:]),
		Instance: binary.BigEndian.Uint64(v[10:]), Session: binary.BigEndian.Uint64(v[18:])}
	if s.ID.IsZero() || s.ID.IsGroup() || s.Session == 0 {
		return Self{}, malformed("self with id %v, session %x", s.ID, s.Session)
	}
	return s, nil
}

func parsePeer(v []byte) (Peer, error) {
	if err := want("peer", v, 18); err != nil {
		return Peer{}, err
	}
	return Peer{ID: MAC(v[0:6]), Port: binary.BigEndian.Uint32(v[6:]), Session: binary.BigEndian.Uint64(v[10:])}, nil
}

func parseName(v []byte) (string, error) {
	if len(v) > MaxName || !utf8.Valid(v) {
		return "", malformed("name of %d bytes", len(v))
	}
	return string(v), nil
}

func b2u(v bool) byte {
	if v {
		return 1
	}
	return 0
}
