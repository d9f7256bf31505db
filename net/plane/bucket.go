package plane

import "time"

const (
	maxMbps  = 1_600_000 // the fastest Ethernet there is (IEEE P802.3dj); more is taken for it
	minBurst = 1 << 16   // bytes: one buffer that the kernel has merged from several frames
	second   = uint64(time.Second)
)

// bucket is a token bucket (RFC 2697, without colours). It begins full. Levels are kept in billionths of a unit, so that no
// rounding is lost. A burst of at most 1/100 s of the fastest port is 2·10^18 of them, so that sums fit 64 bits.
type bucket struct {
	rate  uint64 // units a second
	burst uint64 // units
	level uint64 // billionths of a unit; <= burst
	at    time.Duration
}

func (b *bucket) limit(rate, burst uint64) {
	b.rate, b.burst = rate, burst
	b.level = burst * second
}

// take takes units, if they are there.
func (b *bucket) take(units int, now time.Duration) bool {
	if past := uint64(max(now-b.at, 0)); past > 0 {
		b.at = now
		if full := b.burst * second; past > full/max(b.rate, 1) || b.level+past*b.rate >= full {
			b.level = full
		} else {
			b.level += past * b.rate
		}
	}
	want := uint64(units) * second
	if b.level < want {
		return false
	}
	b.level -= want
	return true
}
