package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// BridgeGroup is where BPDUs go: the bridge group address, which no bridge forwards (IEEE 802.1D-2004 table 7-9).
var BridgeGroup = MAC{0x01, 0x80, 0xC2, 0x00, 0x00, 0x00}

// ErrBPDU is wrapped by every error about a BPDU.
var ErrBPDU = errors.New("malformed BPDU")

func badBPDU(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBPDU, fmt.Sprintf(format, args...))
}

// BPDUKind is the BPDU type (IEEE 802.1D-2004 clause 9.2.2 and 9.3).
type BPDUKind uint8

// The kinds.
const (
	KindConfig BPDUKind = 0x00 // STP
	KindRST    BPDUKind = 0x02 // RSTP; MST BPDUs have the same type and a higher version
	KindTCN    BPDUKind = 0x80 // STP: topology change notification
)

// The shortest BPDUs of each kind in bytes.
const (
	lenTCN    = 4
	lenConfig = 35
	lenRST    = 36
)

// BPDURole is the role that an RST BPDU tells of the port that sent it.
type BPDURole uint8

// The roles as encoded in bits 3 and 4 of the flags.
const (
	BPDUUnknown    BPDURole = 0 // to be treated as a configuration BPDU
	BPDUBlocked    BPDURole = 1 // alternate or backup
	BPDURoot       BPDURole = 2
	BPDUDesignated BPDURole = 3
)

// The flags (clause 9.3.3).
const (
	flagTC         = 1 << 0
	flagProposal   = 1 << 1
	flagRoleShift  = 2
	flagLearning   = 1 << 4
	flagForwarding = 1 << 5
	flagAgreement  = 1 << 6
	flagTCAck      = 1 << 7
)

// BridgeID is a bridge identifier (clause 9.2.5): priority in the upper 16 bits, address in the lower 48. Lower is better.
type BridgeID uint64

// NoBridge is nobody's: all priority bits and the broadcast address.
const NoBridge = ^BridgeID(0)

// MakeBridgeID puts one together.
func MakeBridgeID(priority uint16, address MAC) BridgeID {
	var b [8]byte
	binary.BigEndian.PutUint16(b[:], priority)
	copy(b[2:], address[:])
	return BridgeID(binary.BigEndian.Uint64(b[:]))
}

// Priority is the upper 16 bits: 4 of priority and 12 of system id extension.
func (id BridgeID) Priority() uint16 { return uint16(id >> 48) }

// Address is the lower 48 bits.
func (id BridgeID) Address() MAC {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(id))
	return MAC(b[2:])
}

// String gives the form 8000.02:de:ce:00:00:0a.
func (id BridgeID) String() string { return fmt.Sprintf("%04x.%v", id.Priority(), id.Address()) }

// Ticks is a time of a BPDU in 1/256 s (clause 9.2.8), 0 to 255.996 s.
type Ticks uint16

// TicksOf rounds down to 1/256 s and stays within what a BPDU can tell.
func TicksOf(d time.Duration) Ticks { return Ticks(min(max(d, 0)*256/time.Second, 0xffff)) }

// Duration is the time as such.
func (t Ticks) Duration() time.Duration { return time.Duration(t) * time.Second / 256 }

// BPDU is a bridge protocol data unit. In one of KindTCN only Kind and Version count. In one of KindConfig, Proposal,
// Role, Learning, Forwarding and Agreement do not.
type BPDU struct {
	Kind    BPDUKind
	Version uint8 // as received; what is appended is 0 (config, TCN) or 2 (RST)

	TopologyChange    bool
	Proposal          bool
	Role              BPDURole
	Learning          bool
	Forwarding        bool
	Agreement         bool
	TopologyChangeAck bool

	Root         BridgeID
	Cost         uint32 // of the sender's path to the root
	Bridge       BridgeID
	Port         uint16 // 4 bits priority, 12 bits number
	MessageAge   Ticks
	MaxAge       Ticks
	HelloTime    Ticks
	ForwardDelay Ticks
}

// ParseBPDU reads what follows the LLC header. As clause 9.3.4 demands, it refuses what is too short for its type, of
// another protocol or of an unknown type, and a configuration BPDU whose age has reached its maximum; it accepts any
// version and ignores whatever follows the part it knows: of an MST BPDU it reads the RST part (802.1Q-2018 clause 14).
// That a configuration BPDU is not the receiving port's own is for the receiver to check.
func ParseBPDU(b []byte) (BPDU, error) {
	switch {
	case len(b) < lenTCN:
		return BPDU{}, badBPDU("%d bytes, the shortest has %d", len(b), lenTCN)
	case b[0] != 0 || b[1] != 0:
		return BPDU{}, badBPDU("protocol %02x%02x is not the spanning tree's 0000", b[0], b[1])
	}
	p := BPDU{Version: b[2], Kind: BPDUKind(b[3])}
	need := lenRST
	switch p.Kind {
	case KindTCN:
		return p, nil
	case KindConfig:
		need = lenConfig
	case KindRST:
	default:
		return BPDU{}, badBPDU("unknown type %02x", b[3])
	}
	if len(b) < need {
		return BPDU{}, badBPDU("%d bytes, one of type %02x has at least %d", len(b), b[3], need)
	}
	p.flags(b[4])
	p.Root = BridgeID(binary.BigEndian.Uint64(b[5:]))
	p.Cost = binary.BigEndian.Uint32(b[13:])
	p.Bridge = BridgeID(binary.BigEndian.Uint64(b[17:]))
	p.Port = binary.BigEndian.Uint16(b[25:])
	p.MessageAge = Ticks(binary.BigEndian.Uint16(b[27:]))
	p.MaxAge = Ticks(binary.BigEndian.Uint16(b[29:]))
	p.HelloTime = Ticks(binary.BigEndian.Uint16(b[31:]))
	p.ForwardDelay = Ticks(binary.BigEndian.Uint16(b[33:]))
	if p.Kind == KindConfig && p.MessageAge >= p.MaxAge {
		return BPDU{}, badBPDU("message age %v has reached its maximum %v", p.MessageAge.Duration(), p.MaxAge.Duration())
	}
	return p, nil
}

func (p *BPDU) flags(f byte) {
	p.TopologyChange, p.TopologyChangeAck = f&flagTC != 0, f&flagTCAck != 0
	if p.Kind != KindRST {
		return
	}
	p.Proposal, p.Role = f&flagProposal != 0, BPDURole(f>>flagRoleShift&3)
	p.Learning, p.Forwarding, p.Agreement = f&flagLearning != 0, f&flagForwarding != 0, f&flagAgreement != 0
}

// Append writes the BPDU as it follows the LLC header: 4, 35 or 36 bytes.
func (p *BPDU) Append(b []byte) []byte {
	version := byte(0)
	if p.Kind == KindRST {
		version = 2
	}
	b = append(b, 0, 0, version, byte(p.Kind))
	if p.Kind == KindTCN {
		return b
	}
	f := b2u(p.TopologyChange)*flagTC | b2u(p.TopologyChangeAck)*flagTCAck
	if p.Kind == KindRST {
		f |= b2u(p.Proposal)*flagProposal | byte(p.Role&3)<<flagRoleShift | b2u(p.Learning)*flagLearning |
			b2u(p.Forwarding)*flagForwarding | b2u(p.Agreement)*flagAgreement
	}
	b = binary.BigEndian.AppendUint64(append(b, f), uint64(p.Root))
	b = binary.BigEndian.AppendUint32(b, p.Cost)
	b = binary.BigEndian.AppendUint64(b, uint64(p.Bridge))
	b = binary.BigEndian.AppendUint16(b, p.Port)
	for _, t := range [...]Ticks{p.MessageAge, p.MaxAge, p.HelloTime, p.ForwardDelay} {
		b = binary.BigEndian.AppendUint16(b, uint16(t))
	}
	if p.Kind == KindRST {
		b = append(b, 0) // version 1 length
	}
	return b
}

// AppendFrame writes the whole frame, sent from the port address src and padded to the shortest lawful length.
func (p *BPDU) AppendFrame(b []byte, src MAC) []byte {
	at := len(b)
	h := Ethernet{Destination: BridgeGroup, Source: src}
	b = p.Append(BridgeLLC.Append(h.Append(b)))
	binary.BigEndian.PutUint16(b[at+12:], uint16(len(b)-at-HeaderLen))
	for len(b)-at < MinFrame {
		b = append(b, 0)
	}
	return b
}

// ParseBPDUFrame reads a whole frame and gives the BPDU and the address of the port that sent it. ErrForeign: it is no
// untagged frame to BridgeGroup with BridgeLLC.
func ParseBPDUFrame(b []byte) (BPDU, MAC, error) {
	h, payload, err := ParseEthernet(b)
	if err != nil || h.Destination != BridgeGroup || h.Depth > 0 || h.Type > maxLength {
		return BPDU{}, MAC{}, ErrForeign
	}
	llc, body, err := ParseLLC(h.Type, payload)
	switch {
	case err != nil:
		return BPDU{}, MAC{}, err
	case llc != BridgeLLC:
		return BPDU{}, MAC{}, ErrForeign
	case h.Source.IsGroup() || h.Source.IsZero():
		return BPDU{}, MAC{}, badBPDU("source %v", h.Source)
	}
	p, err := ParseBPDU(body)
	return p, h.Source, err
}
