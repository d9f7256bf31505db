package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// From IEEE 802 and 802.1Q.
const (
	// EtherType is local experimental EtherType 1 (IEEE 802 clause 9.2.4).
	EtherType = 0x88B5
	// HeaderLen is the length of destination, source and EtherType.
	HeaderLen = 14
	// MTU is the largest payload of a control frame, the version byte included.
	MTU = 1500
)

// Ours. The offsets count from the destination address's first byte; C code mirrors them.
const (
	Version    = 1
	OffVersion = 14
	OffType    = 15
	OffBody    = 16
	EchoLen    = OffBody + 16
)

// Type says what a control frame is.
type Type uint8

// The types.
const (
	TypeHello       Type = 1
	TypeFlood       Type = 2
	TypeEchoRequest Type = 3
	TypeEchoReply   Type = 4
)

// Group is where Hello, Flood and the EchoRequest to whoever is there go: the nearest-bridge group address.
var Group = MAC{0x01, 0x80, 0xC2, 0x00, 0x00, 0x0E}

// Sentinels of refused frames. Every error of this package wraps one of them.
var (
	// ErrForeign: it is no control frame of ours at all.
	ErrForeign = errors.New("not a control frame of the satellite tree")
	// ErrVersion: a version this program does not speak.
	ErrVersion = errors.New("unknown version")
	// ErrMalformed: ours, but broken.
	ErrMalformed = errors.New("malformed control frame")
)

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// Header is what every control frame begins with.
type Header struct {
	Destination MAC
	Source      MAC
	Type        Type
}

// ParseHeader reads a whole frame's header. The body of a good frame is b[OffBody:].
func ParseHeader(b []byte) (Header, error) {
	if len(b) < OffBody || binary.BigEndian.Uint16(b[12:]) != EtherType {
		return Header{}, ErrForeign
	}
	if b[OffVersion] != Version {
		return Header{}, fmt.Errorf("%w %d", ErrVersion, b[OffVersion])
	}
	if len(b) > HeaderLen+MTU {
		return Header{}, malformed("%d bytes", len(b))
	}
	h := Header{Destination: MAC(b[0:6]), Source: MAC(b[6:12]), Type: Type(b[OffType])}
	if h.Source.IsGroup() || h.Source.IsZero() {
		return Header{}, malformed("source %v", h.Source)
	}
	return h, nil
}

// Append writes the header, up to OffBody.
func (h Header) Append(b []byte) []byte {
	b = append(b, h.Destination[:]...)
	b = append(b, h.Source[:]...)
	b = binary.BigEndian.AppendUint16(b, EtherType)
	return append(b, Version, byte(h.Type))
}

// Echo asks whether the neighbour's data path and the cable live.
type Echo struct {
	Session uint64 // the asker's
	Serial  uint64 // counts the asker's echoes
}

// Append writes the whole frame; h.Type says whether it asks or answers.
func (e Echo) Append(b []byte, h Header) []byte {
	b = h.Append(b)
	b = binary.BigEndian.AppendUint64(b, e.Session)
	return binary.BigEndian.AppendUint64(b, e.Serial)
}

// ParseEcho reads the body of an EchoRequest or EchoReply; bytes after the serial are padding.
func ParseEcho(body []byte) (Echo, error) {
	if len(body) < EchoLen-OffBody {
		return Echo{}, malformed("echo of %d bytes", len(body))
	}
	return Echo{binary.BigEndian.Uint64(body), binary.BigEndian.Uint64(body[8:])}, nil
}

// Reflect turns an EchoRequest into its EchoReply in place, as the data path does, and tells whether b was one. What was
// asked of Group is answered from its address without the group bit, for here the port's own is not known; of other groups
// nothing is answered.
func Reflect(b []byte) bool {
	h, err := ParseHeader(b)
	if err != nil || h.Type != TypeEchoRequest || h.Destination.IsGroup() && h.Destination != Group {
		return false
	}
	copy(b[0:6], h.Source[:])
	copy(b[6:12], h.Destination[:])
	b[6] &^= 1
	b[OffType] = byte(TypeEchoReply)
	return true
}
