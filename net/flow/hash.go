package flow

import (
	"encoding/binary"

	"decenter/net/frame"
)

// MaxExtensions is how many IPv6 extension headers Hash passes.
const MaxExtensions = 4

// The EtherTypes and protocol numbers that Hash knows (IANA).
const (
	typeIPv4 = 0x0800
	typeIPv6 = 0x86DD

	hopByHop       = 0
	tcp            = 6
	udp            = 17
	routing        = 43
	fragment       = 44
	authentication = 51
	destination    = 60

	kindIPv4 = 0x100
	kindIPv6 = 0x200
)

// ends are the two of a flow: source, destination.
type ends [2]uint64

func (e *ends) add(source, destination uint64) {
	e[0], e[1] = mix(e[0]^source), mix(e[1]^destination)
}

// Hash gives the flow's hash of a whole Ethernet frame, the same for both directions and for both values of the choice bit. A
// frame that ends within its addresses has hash 0.
func Hash(b []byte) uint64 {
	if len(b) < frame.HeaderLen {
		return 0
	}
	e := ends{mix(mac(b[6:]) &^ (1 << 40)), mix(mac(b))}
	at := 12
	typ := binary.BigEndian.Uint16(b[at:])
	for range frame.MaxTags {
		if !frame.IsTag(typ) || len(b) < at+frame.TagLen+2 {
			break
		}
		at += frame.TagLen
		typ = binary.BigEndian.Uint16(b[at:])
	}
	kind := uint64(0)
	switch b = b[at+2:]; typ {
	case typeIPv4:
		kind = e.ipv4(b)
	case typeIPv6:
		kind = e.ipv6(b)
	}
	return mix(e[0] + e[1] + kind)
}

// Colour gives the path, 0 to colours-1, that a frame of this hash takes under the given choice, 0 or 1.
func Colour(hash uint64, choice, colours int) int {
	k := uint64(colours)
	return int((hash%k + uint64(choice)*(k/2)) % k)
}

func (e *ends) ipv4(b []byte) (kind uint64) {
	if len(b) < 20 || b[0]>>4 != 4 {
		return 0
	}
	n := int(b[0]&15) * 4
	if n < 20 || n > len(b) {
		return 0
	}
	e.add(uint64(binary.BigEndian.Uint32(b[12:])), uint64(binary.BigEndian.Uint32(b[16:])))
	if binary.BigEndian.Uint16(b[6:])&0x3fff == 0 { // neither more fragments nor an offset
		e.ports(b[9], b[n:])
	}
	return kindIPv4 + uint64(b[9])
}

func (e *ends) ipv6(b []byte) (kind uint64) {
	if len(b) < 40 || b[0]>>4 != 6 {
		return 0
	}
	e.add(binary.BigEndian.Uint64(b[8:]), binary.BigEndian.Uint64(b[24:]))
	e.add(binary.BigEndian.Uint64(b[16:]), binary.BigEndian.Uint64(b[32:]))
	next, whole := b[6], true
	b = b[40:]
	for range MaxExtensions {
		n := extension(next, b)
		if n == 0 || n > len(b) {
			break
		}
		if next == fragment && binary.BigEndian.Uint16(b[2:])&0xfff9 != 0 {
			whole = false
		}
		next, b = b[0], b[n:]
	}
	if whole {
		e.ports(next, b)
	}
	return kindIPv6 + uint64(next)
}

// extension gives the length of an IPv6 extension header in bytes; 0 if it is none that is passed (RFC 8200 section 4).
func extension(next byte, b []byte) int {
	if len(b) < 8 {
		return 0
	}
	switch next {
	case hopByHop, routing, destination:
		return 8 + 8*int(b[1])
	case authentication: // RFC 4302 section 2.2: words of four bytes, less two
		return 8 + 4*int(b[1])
	case fragment:
		return 8
	}
	return 0
}

func (e *ends) ports(protocol byte, b []byte) {
	if (protocol == tcp || protocol == udp) && len(b) >= 4 {
		e.add(uint64(binary.BigEndian.Uint16(b)), uint64(binary.BigEndian.Uint16(b[2:])))
	}
}

// mac reads six bytes; there are at least eight.
func mac(b []byte) uint64 { return binary.BigEndian.Uint64(b) >> 16 }

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
