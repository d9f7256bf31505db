package sim

import (
	"math/rand/v2"
	"time"

	"decenter/net/frame"
)

// What a cable needs for a frame. The fabric is crossed in two milliseconds at most, detours included.
const (
	delay    = 20 * time.Microsecond // for any frame
	jitter   = 15 * time.Microsecond // more, for hosts' frames: they overtake one another a little
	minFrame = 60                    // bytes of an Ethernet frame, without its check sequence
	netlag   = 3 * time.Millisecond  // until an engine hears of carrier, at most
)

// cable connects two ends or, as a hub, more.
type cable struct {
	w      *world
	number int
	ends   []int32
	fabric bool // only satellites are at it
	mbps   uint64
	speed  uint64 // as it was built
	cut    bool
	gone   bool // one of its satellites is absent
	dark   []bool
	mute   []bool          // by side: what it sends is lost
	free   []time.Duration // by side: when the last frame of the kind that keeps its order arrives there
	lossy  int             // of a thousand
	epoch  int32           // frames of an earlier one are lost
	dice   rand.PCG
}

// rnd gives a number below n.
func (c *cable) rnd(n int64) int64 { return int64(c.dice.Uint64() >> 1 % uint64(n)) }

// act does to the cable what an Action says.
func (c *cable) act(a *Action) {
	switch a.Do {
	case Cut:
		c.cut = true
	case Mend:
		c.cut, c.lossy = false, 0
		clear(c.dark)
		clear(c.mute)
	case Dark:
		c.dark[a.Side] = true
	case Mute:
		c.mute[a.Side] = true
	case Silence:
		for i := range c.mute {
			c.mute[i] = true
		}
	case Lossy:
		c.lossy = a.Value
	case Speed:
		c.mbps = uint64(a.Value)
		for _, e := range c.ends {
			c.tell(e)
		}
	}
	c.carrier()
}

// up tells whether an end has carrier: of a plain cable while something with power is at the other end.
func (c *cable) up(side int) bool {
	if c.cut || c.gone || c.dark[side] {
		return false
	}
	if len(c.ends) != 2 {
		return true
	}
	o := &c.w.ends[c.ends[1-side]]
	return o.kind != AtSatellite || c.w.sats[o.node].power
}

// carrier tells all ends whose carrier changed; the kernels know at once.
func (c *cable) carrier() {
	w := c.w
	for side, e := range c.ends {
		x := &w.ends[e]
		up := c.up(side)
		if up == x.up {
			continue
		}
		x.up = up
		x.changes++
		if !up {
			c.epoch++
		}
		switch x.kind {
		case AtSatellite:
			w.sats[x.node].carrier(int(e), up)
			c.tell(e)
		case AtSwitch:
			w.switches[x.node].link(x.port, up)
		}
	}
}

// tell lets the engine at an end hear of its links a little later.
func (c *cable) tell(e int32) {
	x := &c.w.ends[e]
	if x.kind == AtSatellite {
		c.w.q.push(event{at: c.w.now + time.Duration(c.rnd(int64(netlag))), kind: evLinks, a: int32(x.node), ref: c.w.sats[x.node].boot})
	}
}

// works tells whether frames go through from one side to another.
func (c *cable) works(from, to int) bool {
	w := c.w
	return w.ends[c.ends[from]].up && w.ends[c.ends[to]].up && !c.mute[from]
}

// lost throws the dice for one frame: whether it is lost, whether it is doubled.
func (c *cable) lost() (lost, twice bool) {
	if c.lossy == 0 {
		return false, false
	}
	return c.rnd(1000) < int64(c.lossy), c.rnd(1000) < int64(c.lossy)
}

// carryRaw takes an engine's or switch's frame.
func (c *cable) carryRaw(from int, b []byte) {
	w := c.w
	copies := 1
	if lost, twice := c.lost(); lost {
		return
	} else if twice {
		copies = 2
	}
	for to, e := range c.ends {
		if to == from || !c.works(from, to) {
			continue
		}
		for range copies {
			at := w.now + delay
			if c.fabric {
				at += time.Duration(c.rnd(int64(w.slow())))
			} else { // what switches of others say keeps its order
				at += time.Duration(c.rnd(int64(100 * time.Microsecond)))
				at = max(at, c.free[to]+1)
				c.free[to] = at
			}
			w.Totals.Control++
			w.Totals.ControlBytes += uint64(max(len(b), minFrame))
			if len(b) == frame.EchoLen {
				w.Totals.Echoes++
			}
			w.q.push(event{at: at, kind: evRaw, a: e, b: c.epoch, ref: w.raws.keep(b)})
		}
	}
}

// slow is how late an engine's frame may be: in peace little.
func (w *world) slow() time.Duration {
	if w.now >= w.s.Peace && w.s.Peace > 0 {
		return 300 * time.Microsecond
	}
	return max(w.s.Slow, 1)
}

// raws keeps the bytes of engines' frames that are under way.
type raws struct {
	held [][]byte
	free []int32
}

func (r *raws) keep(b []byte) int32 {
	if n := len(r.free); n > 0 {
		i := r.free[n-1]
		r.free = r.free[:n-1]
		r.held[i] = b
		return i
	}
	r.held = append(r.held, b)
	return int32(len(r.held) - 1)
}

func (r *raws) take(i int32) []byte {
	b := r.held[i]
	r.held[i] = nil
	r.free = append(r.free, i)
	return b
}

// rawArrives gives an engine's or switch's frame to whom it arrives at.
func (w *world) rawArrives(e *event) {
	b := w.raws.take(e.ref)
	x := &w.ends[e.a]
	if x.cable.epoch != e.b || !x.up {
		return
	}
	switch x.kind {
	case AtSatellite:
		w.sats[x.node].rawArrives(int(e.a), b)
	case AtSwitch:
		w.switches[x.node].rawArrives(x.port, b)
	}
}
