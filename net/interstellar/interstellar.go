// Package interstellar is the layer-2 network id that a vNIC carries in its MAC, so that it goes wherever the VM goes.
//
//	bits  47..44     43..40  39..16     15..0
//	     +----------+-------+----------+------------+
//	     | id 27..24| 0 010 | id 23..0 | NIC number |
//	     +----------+-------+----------+------------+
//
// 0010 is unicast and locally administered (IEEE 802 clause 8.4). Interstellar a1b2c3d, NIC 1: a2:1b:2c:3d:00:01.
package interstellar

import (
	"errors"
	"fmt"
	"net"
	"strconv"
)

// ID names an interstellar: 28 bits, written as seven hexadecimal digits.
type ID uint32

// MaxID is the largest id.
const MaxID ID = 1<<28 - 1

// form is the low half of the first octet: unicast, locally administered, and not what satellites have (0110).
const form = 0b0010

// Sentinels of what is refused.
var (
	// ErrID: not seven hexadecimal digits.
	ErrID = errors.New("not an interstellar id: use seven hexadecimal digits such as 00a1b2c")
	// ErrMAC: not the MAC of a vNIC.
	ErrMAC = errors.New("not the MAC of a vNIC: six octets, the first of which ends in 2")
)

// ParseID reads seven hexadecimal digits, in either case.
func ParseID(s string) (ID, error) {
	n, err := strconv.ParseUint(s, 16, 28)
	if err != nil || len(s) != 7 {
		return 0, fmt.Errorf("%q: %w", s, ErrID)
	}
	return ID(n), nil
}

// String gives seven lower-case hexadecimal digits.
func (id ID) String() string { return fmt.Sprintf("%07x", uint32(id)) }

// MAC gives the address of a vNIC. Of a larger id than MaxID the low 28 bits count.
func MAC(id ID, nic uint16) net.HardwareAddr {
	return net.HardwareAddr{byte(id>>24)<<4 | form, byte(id >> 16), byte(id >> 8), byte(id), byte(nic >> 8), byte(nic)}
}

// Parse takes the address of a vNIC apart.
func Parse(mac net.HardwareAddr) (id ID, nic uint16, err error) {
	if len(mac) != 6 || mac[0]&0x0f != form {
		return 0, 0, fmt.Errorf("%v: %w", mac, ErrMAC)
	}
	return ID(mac[0]>>4)<<24 | ID(mac[1])<<16 | ID(mac[2])<<8 | ID(mac[3]), uint16(mac[4])<<8 | uint16(mac[5]), nil
}
