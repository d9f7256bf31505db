package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

const ms = time.Millisecond

// Generate makes the schedule of a seed.
func Generate(seed uint64) *Schedule {
	switch seed % 16 {
	case 0, 8:
		return Mixed(seed)
	case 4:
		return Stalled(seed)
	}
	r := rand.New(rand.NewPCG(seed, 1))
	s := &Schedule{Seed: seed, Colours: 1 + r.IntN(4), Echo: 100 * ms, Slow: time.Duration(1+r.IntN(30)) * ms,
		Eager: r.IntN(4) == 0, HoldShort: r.IntN(8) == 0}
	total := 0
	for _, sh := range shapes {
		total += sh.often
	}
	at := r.IntN(total)
	for _, sh := range shapes {
		if at -= sh.often; at < 0 {
			s.Shape = sh.name
			sh.build(s, r)
			break
		}
	}
	if s.Satellites > 9 {
		s.Colours = 1 + r.IntN(2)
	}
	s.Auth = s.Satellites <= 6 && r.IntN(16) == 0
	s.Order = r.Perm(s.Satellites)
	for range r.IntN(3) { // VMs
		s.Hosts = append(s.Hosts, HostSpec{r.IntN(s.Satellites)})
	}
	if r.IntN(5) == 0 {
		s.legacy(r)
	}
	s.Settle()
	if r.IntN(8) == 0 { // the faults come while it still starts
		s.Warm = time.Duration(r.Int64N(int64(s.Warm)))
	}
	g := &generator{s, r, nil}
	g.faults()
	g.frames()
	slices.SortStableFunc(s.Actions, func(a, b Action) int { return int(a.At - b.At) })
	return s
}

type generator struct {
	*Schedule
	r  *rand.Rand
	at []time.Duration // of the faults
}

func (g *generator) add(a Action) { g.Actions = append(g.Actions, a) }

func (g *generator) upTo(d time.Duration) time.Duration { return time.Duration(g.r.Int64N(int64(d))) }

// faults draws one to four that overlap, each perhaps of several actions, and what is mended before peace.
func (g *generator) faults() {
	at := g.Warm
	var last time.Duration
	for range 1 + g.r.IntN(4) {
		at += g.upTo([]time.Duration{2 * ms, 20 * ms, 60 * ms, 300 * ms}[g.r.IntN(4)])
		g.at = append(g.at, at)
		g.fault(at)
	}
	for _, a := range g.Actions {
		last = max(last, a.At+a.Wait)
	}
	g.Peace = last + 100*ms + g.upTo(500*ms)
	for i := range g.Cables {
		if g.r.IntN(3) > 0 {
			g.add(Action{At: g.Peace, Do: Mend, Cable: i})
		}
	}
	for i := range g.Satellites {
		g.add(Action{At: g.Peace, Do: Thaw, Satellite: i})
		if g.r.IntN(3) > 0 {
			g.add(Action{At: g.Peace, Do: PowerOn, Satellite: i})
		}
		g.add(Action{At: g.Peace, Do: Start, Satellite: i})
	}
}

func (g *generator) fault(at time.Duration) {
	c, n := g.r.IntN(len(g.Cables)), g.r.IntN(g.Satellites)
	spec := g.Cables[c]
	side := g.r.IntN(len(spec.Ends))
	on := Action{At: at, Cable: c, Side: side, Satellite: n}
	do := func(d Do) Action { a := on; a.Do = d; return a }
	later := func(a Action, by time.Duration) Action { a.At += by; return a }
	kind := g.r.IntN(20)
	if !spec.fabric() && kind >= 6 && kind < 10 { // spanning trees of others do not bear silence
		kind = 0
	}
	switch kind {
	case 0, 1, 2, 3:
		g.add(do(Cut))
	case 4, 5: // flaps
		g.add(do(Cut))
		for range 1 + g.r.IntN(6) {
			on.At += 1 + g.upTo(40*ms)
			g.add(do(Mend))
			on.At += 1 + g.upTo(40*ms)
			g.add(do(Cut))
		}
		g.add(later(do(Mend), g.upTo(40*ms)))
	case 6:
		g.add(do(Silence))
	case 7:
		g.add(do([]Do{Mute, Dark}[g.r.IntN(2)]))
	case 8, 9:
		a := do(Lossy)
		a.Value = 20 + g.r.IntN(200)
		g.add(a)
	case 10:
		a := do(Speed)
		a.Value = int(speeds[g.r.IntN(len(speeds))])
		g.add(a)
	case 11:
		g.add(do(Freeze))
		if g.r.IntN(2) == 0 {
			g.add(later(do(Thaw), g.upTo(500*ms)))
		}
	case 12, 13, 14, 15:
		g.death(on, kind < 14)
	case 16, 17:
		g.add(do(PowerOff))
		if g.r.IntN(2) == 0 {
			g.add(later(do(PowerOn), g.upTo(400*ms)))
		}
	case 18:
		a := do(Priority)
		a.Value = g.r.IntN(3) * 0x4000
		g.add(a)
	case 19:
		g.odd(on)
	}
}

// death kills an engine, at once or in the middle of its next Effects, and starts it again a little later.
func (g *generator) death(on Action, whole bool) {
	on.Do, on.Value = Kill, g.r.IntN(2)
	if !whole {
		on.Do, on.Value, on.Wait = Half, g.r.IntN(steps), g.upTo(400*ms)*time.Duration(g.r.IntN(2))
	}
	g.add(on)
	on.Do, on.Wait = Start, 0
	on.At += g.upTo(300 * ms)
	g.add(on)
}

// odd is what happens seldom: a clock jumps, a VM moves.
func (g *generator) odd(on Action) {
	if len(g.Hosts) > 0 && g.Hosts[0].Satellite >= 0 && g.r.IntN(2) == 0 {
		on.Do, on.Host = Move, g.Satellites
	} else {
		on.Do, on.Wait = Jump, g.upTo([]time.Duration{200 * ms, 5 * time.Second, 3 * time.Minute}[g.r.IntN(3)])
	}
	g.add(on)
}

// frames are sent all the time, and most of them soon after a fault.
func (g *generator) frames() {
	n := 150 + 10*g.Satellites
	for range n {
		at := g.Warm - 50*ms + g.upTo(g.Peace-g.Warm+100*ms)
		if g.r.IntN(3) > 0 {
			at = g.at[g.r.IntN(len(g.at))] + g.upTo([]time.Duration{2 * ms, 40 * ms, 150 * ms}[g.r.IntN(3)])
		}
		a := Action{At: max(at, 0), Do: Send, Host: g.r.IntN(g.hosts()), To: g.r.IntN(g.hosts())}
		switch g.r.IntN(12) {
		case 0, 1:
			a.To = ToAll
		case 2:
			a.To = ToNobody
		}
		a.Value = 8 * g.r.IntN(11)
		if g.r.IntN(4) == 0 {
			a.Value += 1 + g.r.IntN(3)
		}
		if a.To != a.Host {
			g.add(a)
		}
	}
}
