package frame

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
)

// MAC is a 48-bit IEEE 802 address in the order in which its bytes go over the cable. A satellite's id is the
// MAC of its host port. The zero MAC names nobody.
type MAC [6]byte

var errMAC = errors.New("not a MAC address of six hexadecimal bytes with colons")

// ParseMAC reads the form aa:bb:cc:dd:ee:ff, in either case.
func ParseMAC(s string) (MAC, error) {
	var m MAC
	if len(s) != 17 {
		return MAC{}, fmt.Errorf("%q: %w", s, errMAC)
	}
	for i := range m {
		if i > 0 && s[3*i-1] != ':' {
			return MAC{}, fmt.Errorf("%q: %w", s, errMAC)
		}
		if _, err := hex.Decode(m[i:i+1], []byte(s[3*i:3*i+2])); err != nil {
			return MAC{}, fmt.Errorf("%q: %w", s, errMAC)
		}
	}
	return m, nil
}

// String gives aa:bb:cc:dd:ee:ff.
func (m MAC) String() string {
	const digits = "0123456789abcdef"
	var b [17]byte
	for i, v := range m {
		b[3*i], b[3*i+1] = digits[v>>4], digits[v&15]
		if i < 5 {
			b[3*i+2] = ':'
		}
	}
	return string(b[:])
}

// MarshalText implements encoding.TextMarshaler.
func (m MAC) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *MAC) UnmarshalText(b []byte) (err error) {
	*m, err = ParseMAC(string(b))
	return err
}

// Compare orders addresses as numbers: -1, 0 or 1.
func (m MAC) Compare(o MAC) int { return bytes.Compare(m[:], o[:]) }

// IsZero tells whether m names nobody.
func (m MAC) IsZero() bool { return m == MAC{} }

// IsGroup tells whether m is a multicast or broadcast address (IEEE 802 clause 8.2.2, the I/G bit).
func (m MAC) IsGroup() bool { return m[0]&1 != 0 }

// LinkLocal gives the IPv6 link-local address with the modified EUI-64 interface id of m (RFC 4291 section
// 2.5.1 and appendix A), without a zone.
func (m MAC) LinkLocal() netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfe, 1: 0x80,
		8: m[0] ^ 2, 9: m[1], 10: m[2], 11: 0xff, 12: 0xfe, 13: m[3], 14: m[4], 15: m[5]})
}
