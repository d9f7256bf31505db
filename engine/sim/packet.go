package sim

import (
	"encoding/binary"
	"time"

	"decenter/net/frame"
)

// packet is a frame of a host, from when it is sent until nothing of it is left. It carries its number.
type packet struct {
	from, to int   // hosts; to may be ToAll or ToNobody
	action   int32 // of the schedule; -1: a probe
	sent     time.Duration
	plain    []byte   // as the host sent it
	seen     []uint64 // set of ends by which it came
	got      []uint64 // set of hosts it was delivered to
	copied   bool     // a cable doubled it, and this is the copy
	foreign  bool     // it circled among switches of others
	watch    bool     // a probe: its ways are kept
	way      []int32  // ends by which it came, of a probe
	choice   form     // all forms in which it was seen
}

// form is how a frame looks between satellites: which of the two addresses' group bits differ from what the host sent.
type form uint8

const (
	formSource form = 1 << iota
	formDestination
)

// bytes appends the frame in the given form.
func (p *packet) bytes(b []byte, f form) []byte {
	at := len(b)
	b = append(b, p.plain...)
	b[at] ^= byte(f & formDestination / formDestination)
	b[at+6] ^= byte(f & formSource)
	return b
}

// flight is one copy of a packet on a cable, on its way to an end.
type flight struct {
	packet  int32
	form    form
	through bool // it has been in a satellite since it was in a switch last
	inside  bool // it has been in a satellite
}

// These are flight.through and flight.inside in an event; the form is below them.
const (
	flagThrough = 4
	flagInside  = 8
)

// newPacket makes the bytes: Ethernet, up to three tags, IPv4 and UDP, so that flows take all colours, and the number.
func (w *world) newPacket(from, to, tags, flow int) int32 {
	number := len(w.packets)
	dst := frame.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	switch {
	case to >= 0:
		dst = w.hosts[to].mac
	case to == ToNobody:
		dst = frame.MAC{2, 0, 0, 0x77, 0, byte(number % 5)}
	}
	src := w.hosts[from].mac
	b := make([]byte, 0, 72)
	b = append(append(b, dst[:]...), src[:]...)
	for i := range tags {
		b = binary.BigEndian.AppendUint16(b, [...]uint16{0x88a8, 0x8100, 0x9100}[(number+i)%3])
		b = binary.BigEndian.AppendUint16(b, uint16(number)&0xefff)
	}
	b = binary.BigEndian.AppendUint16(b, 0x0800)
	ip := [20]byte{0: 0x45, 3: 36, 8: 64, 9: 17, 12: 10, 15: byte(from), 16: 10, 19: byte(to)}
	b = append(b, ip[:]...)
	low, high := uint16(flow), uint16(5000+flow)
	if from > to { // the same flow's other direction has the ports the other way round
		low, high = high, low
	}
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, low), high)
	b = append(b, 0, 16, 0, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(number))
	for len(b) < 60 {
		b = append(b, 0)
	}
	sets := make([]uint64, (len(w.ends)+63)/64+(len(w.hosts)+63)/64)
	at := (len(w.ends) + 63) / 64
	w.packets = append(w.packets, packet{from: from, to: to, action: -1, sent: w.now, plain: b, seen: sets[:at:at], got: sets[at:]})
	w.Totals.Frames++
	return int32(number)
}

// again makes a packet that shares what was so far: the copy that a cable made.
func (w *world) again(of int32) int32 {
	p := w.packets[of]
	p.seen, p.got = append([]uint64(nil), p.seen...), append([]uint64(nil), p.got...)
	p.copied, p.watch = true, false
	w.packets = append(w.packets, p)
	return int32(len(w.packets) - 1)
}

// inject lets a host send a frame.
func (w *world) inject(from, to, tags, flow int) int32 {
	h := &w.hosts[from]
	if h.gone || h.away || to >= 0 && w.hosts[to].gone || h.sat >= 0 && !w.sats[h.sat].power {
		return -1
	}
	n := w.newPacket(from, to, tags, flow)
	if h.sat >= 0 {
		w.sats[h.sat].fromHost(from, n)
	} else {
		w.carry(h.end, flight{packet: n})
	}
	return n
}

// carry puts a packet on the cable at an end.
func (w *world) carry(e int, f flight) {
	x := &w.ends[e]
	c := x.cable
	w.Totals.Hops++
	twice := false
	if c.lossy > 0 {
		var lost bool
		if lost, twice = c.lost(); lost {
			return
		}
	}
	for side, to := range c.ends {
		if side == x.side || !c.works(x.side, side) {
			continue
		}
		c.fly(to, side, f)
		if twice {
			copied := f
			copied.packet = w.again(f.packet)
			c.fly(to, side, copied)
		}
	}
}

func (c *cable) fly(to int32, side int, f flight) {
	at := c.w.now + delay + time.Duration(c.rnd(int64(jitter)))
	if !c.fabric {
		at = max(at, c.free[side]+1)
		c.free[side] = at
	}
	flags := uint8(f.form)
	if f.through {
		flags |= flagThrough
	}
	if f.inside {
		flags |= flagInside
	}
	c.w.q.push(event{at: at, kind: evData, flags: flags, a: to, b: c.epoch, ref: f.packet})
}

// dataArrives gives a packet to whom it arrives at.
func (w *world) dataArrives(e *event) {
	x := &w.ends[e.a]
	if x.cable.epoch != e.b || !x.up {
		return
	}
	f := flight{e.ref, form(e.flags & 3), e.flags&flagThrough != 0, e.flags&flagInside != 0}
	switch x.kind {
	case AtSatellite:
		s := w.sats[x.node]
		if !s.power || !w.checks.arrives(&f, int(e.a)) {
			return
		}
		f.through, f.inside = true, true
		s.fromCable(int(e.a), f)
	case AtSwitch:
		if w.checks.arrives(&f, int(e.a)) {
			f.through = false
			w.switches[x.node].forward(x.port, &f)
		}
	case AtHost:
		w.checks.delivered(&f, x.node, w.packets[f.packet].bytes(nil, f.form))
	}
}
