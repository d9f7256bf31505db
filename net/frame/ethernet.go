package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// The tag protocol identifiers: EtherTypes that say a tag follows.
const (
	TagCustomer = 0x8100 // IEEE 802.1Q-2018 table 9-1: C-TAG
	TagService  = 0x88A8 // the same: S-TAG
	TagOld      = 0x9100 // of no standard; in use for outer tags before 802.1ad
)

// The lengths of an Ethernet header's parts in bytes.
const (
	TagLen    = 4
	MaxTags   = 3
	MaxHeader = HeaderLen + MaxTags*TagLen
	MinFrame  = 60 // the shortest frame without its check sequence (IEEE 802.3 clause 4.4.2)
	maxLength = 1500
)

// ErrEthernet is wrapped by every error about an Ethernet or LLC header.
var ErrEthernet = errors.New("malformed Ethernet frame")

func badEthernet(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrEthernet, fmt.Sprintf(format, args...))
}

// Tag is one VLAN tag (IEEE 802.1Q-2018 clause 9).
type Tag struct {
	TPID uint16 // TagCustomer, TagService or TagOld
	TCI  uint16 // priority 3 bits, drop eligible 1, VLAN 12
}

// VLAN is the tag's VLAN identifier, 0 to 4095; 0 in a tag that carries a priority only.
func (t Tag) VLAN() uint16 { return t.TCI & 0xfff }

// Priority is the tag's priority code point, 0 to 7.
func (t Tag) Priority() uint8 { return uint8(t.TCI >> 13) }

// IsTag tells whether an EtherType says that a tag follows.
func IsTag(etherType uint16) bool {
	return etherType == TagCustomer || etherType == TagService || etherType == TagOld
}

// Ethernet is the header of any frame: the outermost tag is Tags[0].
type Ethernet struct {
	Destination MAC
	Source      MAC
	Tags        [MaxTags]Tag
	Depth       int    // how many of Tags there are
	Type        uint16 // an EtherType, or the payload's length if it is at most 1500
}

// ParseEthernet reads a frame's header and gives what follows it. Of more than three tags the first three are read: the
// fourth's TPID is the Type then, and its rest payload. Refused is only a frame that ends within the header.
func ParseEthernet(b []byte) (Ethernet, []byte, error) {
	if len(b) < HeaderLen {
		return Ethernet{}, nil, badEthernet("%d bytes, the header alone has %d", len(b), HeaderLen)
	}
	h := Ethernet{Destination: MAC(b[0:6]), Source: MAC(b[6:12]), Type: binary.BigEndian.Uint16(b[12:])}
	b = b[HeaderLen:]
	for h.Depth < MaxTags && IsTag(h.Type) {
		if len(b) < TagLen {
			return Ethernet{}, nil, badEthernet("it ends within tag %d (%04x)", h.Depth+1, h.Type)
		}
		h.Tags[h.Depth] = Tag{h.Type, binary.BigEndian.Uint16(b)}
		h.Type = binary.BigEndian.Uint16(b[2:])
		h.Depth++
		b = b[TagLen:]
	}
	return h, b, nil
}

// Len is the header's length in bytes.
func (h *Ethernet) Len() int { return HeaderLen + h.Depth*TagLen }

// Append writes the header.
func (h *Ethernet) Append(b []byte) []byte {
	b = append(b, h.Destination[:]...)
	b = append(b, h.Source[:]...)
	for _, t := range h.Tags[:h.Depth] {
		b = binary.BigEndian.AppendUint16(b, t.TPID)
		b = binary.BigEndian.AppendUint16(b, t.TCI)
	}
	return binary.BigEndian.AppendUint16(b, h.Type)
}

// LLC is a logical link control header with a one-byte control field (IEEE 802.2 clause 3.2).
type LLC struct {
	DSAP, SSAP, Control byte
}

// BridgeLLC is what precedes a BPDU: 42-42-03, the spanning tree's SAP and unnumbered information.
var BridgeLLC = LLC{0x42, 0x42, 0x03}

const llcLen = 3

// ParseLLC reads the LLC header of a frame of this Type, which must be a length, and gives what follows as far as the
// length says: the padding of a short frame is no part of it.
func ParseLLC(typ uint16, payload []byte) (LLC, []byte, error) {
	n := int(typ)
	switch {
	case n > maxLength:
		return LLC{}, nil, badEthernet("type %04x is no length, so no LLC follows", typ)
	case n < llcLen:
		return LLC{}, nil, badEthernet("length %d is less than an LLC header's %d", n, llcLen)
	case n > len(payload):
		return LLC{}, nil, badEthernet("length %d, but %d bytes are there", n, len(payload))
	}
	return LLC{payload[0], payload[1], payload[2]}, payload[llcLen:n], nil
}

// Append writes the header.
func (l LLC) Append(b []byte) []byte { return append(b, l.DSAP, l.SSAP, l.Control) }
