package flow

import "time"

const (
	tickShift = 20 // of nanoseconds: 1.05 ms
	halfTicks = 16 // ticks in which a load halves
	maxMbps   = 1 << 23
	maxBytes  = 1 << 36 // of a load; with maxMbps and Better the products below stay within 64 bits
)

// decays[i] is 2^16 · 2^(-i/16).
var decays = [halfTicks]uint64{65536, 62757, 60097, 57549, 55109, 52773, 50535, 48393,
	46341, 44376, 42495, 40693, 38968, 37316, 35734, 34219}

// decay gives what is left of a number after so many ticks.
func decay(bytes, ticks uint64) uint64 {
	if halves := ticks / halfTicks; halves < 40 {
		return bytes >> halves * decays[ticks%halfTicks] >> 16
	}
	return 0
}

func ticks(now time.Duration) uint64 { return uint64(max(now, 0)) >> tickShift }

// Load is what one port has sent lately. The zero value is a port of 1 Gbit/s that has sent nothing.
type Load struct {
	bytes uint64 // <= maxBytes, as of tick
	tick  uint64
	mbps  uint64 // 0: 1000
}

// Speed tells the port's speed in Mbit/s; 0: not known, taken for 1000.
func (l *Load) Speed(mbps uint64) { l.mbps = min(mbps, maxMbps) }

// Add counts bytes that the port sends.
func (l *Load) Add(bytes int, now time.Duration) {
	l.bytes = min(l.at(now)+uint64(max(bytes, 0)), maxBytes)
	l.tick = max(l.tick, ticks(now))
}

// at gives the load in bytes.
func (l *Load) at(now time.Duration) uint64 {
	if t := ticks(now); t > l.tick {
		return decay(l.bytes, t-l.tick)
	}
	return l.bytes
}

func (l *Load) speed() uint64 {
	if l.mbps == 0 {
		return 1000
	}
	return l.mbps
}

// Permille gives the share of the port's speed that it has used lately, in thousandths. It may exceed 1000, when more
// is sent than the port can carry.
func (l *Load) Permille(now time.Duration) uint64 {
	// The sum of what is left of one byte a tick, over all ticks, is 1/(1 - 2^(-1/16)) = 23.6 bytes. A tick at one Mbit/s
	// has 131.072 bytes. So a port in full use has 3092 bytes for each Mbit/s.
	return l.at(now) * 1000 / (3092 * l.speed())
}
