// Package legacy models switches of others for simulations: one that speaks RSTP (IEEE 802.1D-2004 clause 17), one
// that speaks STP (IEEE 802.1D-1998 clause 8), both to the letter and to the standard's whole seconds. It shares
// no code with package rstp, which it is there to check, but the bytes of package frame.
package legacy

import "decenter/net/frame"

// Out is a frame that a switch sends.
type Out struct {
	Port  int // from 1
	Frame []byte
}

// Switch is what both models have in common.
type Switch interface {
	// Input takes a BPDU frame that arrived on a port.
	Input(port int, b []byte)
	// Link tells that a port has got or lost carrier.
	Link(port int, up bool)
	// Second lets one second pass.
	Second()
	// Take gives what is to be sent, and forgets it.
	Take() []Out
	// Forwards tells whether a port lets frames through.
	Forwards(port int) bool
	// Role names a port's role: "R", "D", "A", "B", or "-" without carrier; "A" is any blocked port of an STP
	// switch.
	Role(port int) string
	// RootPath tells the root and the cost of the way there.
	RootPath() (frame.BridgeID, uint32)
	// Flushes counts how often the switch forgot addresses.
	Flushes() int
}

// PortConfig is how a port is set up.
type PortConfig struct {
	ID     uint16 // priority and number
	Cost   uint32
	Shared bool // RSTP: no point-to-point link
	MAC    frame.MAC
}
