package flow

import (
	"math/bits"
	"time"
)

// Config bounds and steers Choices.
type Config struct {
	// Slots is how many flows are told apart, rounded up to a power of two, 16 bytes each; 0: 65,536.
	Slots int
	// Gap is how long a flow must have been silent before it may change its path. It has to exceed the largest difference between the
	// delays of two paths; 0: 500 µs, negative: none.
	Gap time.Duration
	// Better is the reciprocal of the share by which the other port's load must be less, 2 to 1024; 0: 4, a quarter.
	Better int
	// Dwell is how long a flow stays after it has changed its path; 0: 20 ms.
	Dwell time.Duration
	// Forget is after how long a silence a flow counts as a new one; 0: 1 s.
	Forget time.Duration
}

const (
	maxSlots  = 1 << 24
	unitShift = 10 // of nanoseconds: a slot's times are in 1.02 µs and come round after 73 minutes
)

func (c *Config) fill() {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
		*d = min(max(*d, 0), 10*time.Minute) // far from where a slot's times come round
	}
	set(&c.Gap, 500*time.Microsecond)
	set(&c.Dwell, 20*time.Millisecond)
	set(&c.Forget, time.Second)
	c.Forget = max(c.Forget, c.Gap)
	if c.Slots <= 0 {
		c.Slots = 1 << 16
	}
	c.Slots = 1 << bits.Len(uint(min(c.Slots, maxSlots)-1))
	if c.Better == 0 {
		c.Better = 4
	}
	c.Better = min(max(c.Better, 2), 1024)
}

// Choices is the first satellite's memory of which of its two paths each flow takes. It is not safe for concurrent use. A
// flow keeps its choice while its pauses are no longer than Gap, unless Force says otherwise.
type Choices struct {
	cfg   Config
	slots []slot
	Moved uint64 // how often a flow changed its path for load
}

// slot is 16 bytes. The bytes that its flows sent decay as a Load does.
type slot struct {
	seen   uint32 // in units, modulo 2^32
	moved  uint32 // likewise
	bytes  uint32 // saturating
	choice uint8
	used   bool
	tick   uint16 // of bytes, modulo 2^16; a slot as old as that is forgotten
}

// NewChoices makes an empty table.
func NewChoices(cfg Config) *Choices {
	cfg.fill()
	return &Choices{cfg: cfg, slots: make([]slot, cfg.Slots)}
}

// Pick gives the choice, 0 or 1, for a frame of so many bytes when both first hops can be used. loads are those of the ports that
// choices 0 and 1 lead to; they may be the same one. The caller then adds the frame to the load of the port.
func (c *Choices) Pick(hash uint64, bytes int, now time.Duration, loads [2]*Load) int {
	s := c.slot(hash)
	unit := units(now)
	pause := time.Duration(unit-s.seen) << unitShift
	switch {
	case !s.used || pause > c.cfg.Forget:
		*s = slot{used: true, moved: unit - uint32(c.cfg.Dwell>>unitShift) - 1, tick: uint16(ticks(now)), choice: c.fresh(hash, now, loads)}
	case pause > c.cfg.Gap+1<<unitShift: // one unit more, as two rounded times may be that much nearer
		s.settle(now)
		if time.Duration(unit-s.moved)<<unitShift > c.cfg.Dwell && c.better(s, now, loads) {
			s.choice ^= 1
			s.moved = unit
			c.Moved++
		}
	default:
		s.settle(now)
	}
	s.note(unit, bytes)
	return int(s.choice)
}

// Force tells that a frame takes the given choice because the other cannot be used. The flow stays there until it may move again.
func (c *Choices) Force(hash uint64, bytes int, now time.Duration, choice int) {
	s := c.slot(hash)
	unit := units(now)
	s.settle(now)
	if !s.used || s.choice != uint8(choice) {
		s.moved = unit
	}
	s.used, s.choice = true, uint8(choice)
	s.note(unit, bytes)
}

// Slots gives how many there are.
func (c *Choices) Slots() int { return len(c.slots) }

func (c *Choices) slot(hash uint64) *slot { return &c.slots[hash>>32&uint64(len(c.slots)-1)] }

// fresh gives the less loaded port; of equal ones the hash decides.
func (c *Choices) fresh(hash uint64, now time.Duration, loads [2]*Load) uint8 {
	a, b := loads[0].at(now)*loads[1].speed(), loads[1].at(now)*loads[0].speed()
	switch {
	case a < b:
		return 0
	case b < a:
		return 1
	}
	return uint8(hash >> 63)
}

// better tells whether the other port would still be less loaded by the share that is asked for, with what this slot sends.
func (c *Choices) better(s *slot, now time.Duration, loads [2]*Load) bool {
	here, there := loads[s.choice&1], loads[s.choice&1^1]
	if here == there {
		return false
	}
	n := uint64(c.cfg.Better)
	hi, lo := bits.Mul64((there.at(now)+uint64(s.bytes))*n, here.speed())
	high, low := bits.Mul64(here.at(now)*(n-1), there.speed())
	return hi < high || hi == high && lo < low
}

func (s *slot) settle(now time.Duration) {
	t := uint16(ticks(now))
	s.bytes = uint32(decay(uint64(s.bytes), uint64(t-s.tick)))
	s.tick = t
}

func (s *slot) note(unit uint32, bytes int) {
	s.seen = unit
	s.bytes = uint32(min(uint64(s.bytes)+uint64(max(bytes, 0)), 1<<32-1))
}

func units(now time.Duration) uint32 { return uint32(uint64(max(now, 0)) >> unitShift) }
