package rstp

import (
	"time"

	"decenter/net/frame"
)

// PortID is an edge port: the index of its network interface, never 0.
type PortID uint32

// Config is what an engine is born with.
type Config struct {
	ID       frame.MAC      // the satellite
	Bridge   frame.BridgeID // the constellation's; see Engine.SetBridge
	Instance uint64         // random per start of the engine: where claim and change numbers begin

	// Satellite tells whether the link state names a satellite of that id, with edges or without. It is asked at every input; nil: only those
	// of Remote are known.
	Satellite func(frame.MAC) bool

	// Hello is how often a designated port says so, 1 to 2 s (table 17-1); 0: 2 s.
	Hello time.Duration
	// EdgeDelay is how long a port must hear no BPDU before it counts as a host's; 0: 3 s, the standard's Migrate
	// Time.
	EdgeDelay time.Duration
	// Drain is how long a new root port waits before it opens, so that no frame which was under way out of the old one, or in by it,
	// comes twice: more than a frame needs through the constellation and an island; 0: 5 ms.
	Drain time.Duration
	// Lease is how long the data path keeps edge ports open for an engine that does not renew that; 0: 3 s. An
	// engine that slept for longer shuts its ports and begins anew, because the other satellites did not wait for
	// it.
	Lease time.Duration
}

// Port is what the kernel and the operator say about an edge port.
type Port struct {
	Up     bool      // has carrier, is administratively up, and no satellite is there
	Mbps   uint64    // speed in Mbit/s; 0: not known, taken for 1000
	MAC    frame.MAC // the source of what we send there
	Shared bool      // half duplex, or known to be a hub: no handshakes, timers only
	// Host says that the port is known to be a host's (a tap, or one that was before the engine's restart and
	// never lost carrier): it forwards at once. The first BPDU heard ends that.
	Host bool
}

// The standard's constants (IEEE 802.1D-2004 table 17-1), and the ranges within which a heard time is taken.
const (
	migrateTime  = 3 * time.Second
	txHold       = 6
	maxAge       = 20 * time.Second
	forwardDelay = 15 * time.Second
	minHello     = 1 * time.Second
	maxHello     = 10 * time.Second
	minMaxAge    = 6 * time.Second
	maxMaxAge    = 40 * time.Second
	minDelay     = 4 * time.Second
	maxDelay     = 30 * time.Second
)

// Our limits.
const (
	MaxPorts   = 256
	MaxMembers = 4096
	MaxEvents  = 256 // between two calls of Ready
	MaxRate    = 64  // BPDUs a second that one port is heard with; TxHold allows a bridge 6
	// changeGap is between two topology changes told to the other satellites: a flapping island costs one flood a
	// second.
	changeGap = time.Second
	// stall: an engine that comes so much later than its deadline has slept; the time asleep counts for no timer.
	stall = time.Second
	// settleRounds bounds the state machines' running; a hundredth was never seen to be needed.
	settleRounds = 1000
)

func (c *Config) fill() {
	if c.Hello == 0 {
		c.Hello = 2 * time.Second
	}
	c.Hello = min(max(c.Hello, time.Second), 2*time.Second)
	if c.Drain <= 0 {
		c.Drain = 5 * time.Millisecond
	}
	if c.Lease <= 0 {
		c.Lease = 3 * time.Second
	}
	if c.EdgeDelay <= 0 {
		c.EdgeDelay = migrateTime
	}
}

// cost of a port by its speed (table 17-3): 20 Tbit/s over it.
func cost(mbps uint64) uint32 {
	if mbps == 0 {
		mbps = 1000
	}
	return uint32(min(max(20_000_000/mbps, 1), 200_000_000))
}

// Number gives the 16-bit port id of a satellite's port: priority 128 and a 12-bit number, never 0, hashed
// (FNV-1a) from both. Two ports may share one; why that does no harm is told in the package comment.
func Number(satellite frame.MAC, port PortID) uint16 {
	h := uint32(2166136261)
	mix := func(c byte) { h = (h ^ uint32(c)) * 16777619 }
	for _, c := range satellite {
		mix(c)
	}
	for shift := 0; shift < 32; shift += 8 {
		mix(byte(port >> shift))
	}
	return 0x8000 | uint16(1+(h^h>>16)%4095)
}
