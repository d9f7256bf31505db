package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Mixed makes a schedule whose only aim is that satellites hold different topologies for long, while frames run between all pairs: cables
// of a random graph change speed, break and come back within a few milliseconds, and the news of it is late, lost and
// overtaken. It is where the rules of the agreement (U1, F6) earn their keep. Generate takes one in eight from here.
func Mixed(seed uint64) *Schedule {
	r := rand.New(rand.NewPCG(seed, 2))
	s := &Schedule{Seed: seed, Shape: "mixed", Colours: 1 + r.IntN(2), Echo: 100 * ms, Slow: time.Duration(5+r.IntN(40)) * ms}
	n := 4 + r.IntN(5)
	s.Satellites = n
	for i := range n {
		if i > 0 {
			s.cable(r.IntN(i), i, drawSpeed(r))
		}
	}
	for range n/2 + r.IntN(n) {
		if a, b := r.IntN(n), r.IntN(n); a != b {
			s.cable(a, b, drawSpeed(r))
		}
	}
	s.Order = r.Perm(n)
	s.Settle()
	g := &generator{s, r, nil}
	late := time.Duration(1+r.IntN(30)) * ms
	g.changes(g.Warm, late, len(s.Cables))
	g.Peace = g.Warm + late + 300*ms
	for i := range s.Cables {
		g.add(Action{At: g.Peace, Do: Mend, Cable: i})
	}
	from := g.Warm
	for from < g.Warm+late+60*ms {
		for i := range n {
			for j := range n {
				if i != j && r.IntN(3) == 0 {
					g.add(Action{At: from + g.upTo(2*ms), Do: Send, Host: i, To: j, Value: 8 * r.IntN(11)})
				}
			}
		}
		from += 2 * ms
	}
	slices.SortStableFunc(s.Actions, func(a, b Action) int { return int(a.At - b.At) })
	return s
}

// changes lets some cables lose frames, and then change, most of them twice.
func (g *generator) changes(from, late time.Duration, cables int) {
	for range g.r.IntN(3) {
		g.add(Action{At: from, Do: Lossy, Cable: g.r.IntN(cables), Value: 300 + g.r.IntN(600)})
	}
	for range 1 + g.r.IntN(4) {
		a := Action{At: from + g.upTo(late), Cable: g.r.IntN(cables)}
		switch g.r.IntN(3) {
		case 0:
			a.Do = Cut
			g.add(a)
			a.Do = Mend
			a.At += g.upTo(late)
		default:
			a.Do, a.Value = Speed, int(drawSpeed(g.r))
		}
		g.add(a)
	}
}

// drawSpeed gives a speed such that costs are 1 to 8 times 2,000.
func drawSpeed(r *rand.Rand) uint64 { return uint64(10000 / (1 + r.IntN(8))) }

// Stalled makes a schedule in which engines stop for longer than the lease of their edges, while an island of switches is cabled to
// several satellites, and the others go on without them. Generate takes one in sixteen from here.
func Stalled(seed uint64) *Schedule {
	r := rand.New(rand.NewPCG(seed, 4))
	s := &Schedule{Seed: seed, Shape: "stalled", Colours: 1, Echo: 200 * ms, Slow: time.Duration(1+r.IntN(10)) * ms}
	s.ring(3 + r.IntN(3))
	s.Order = r.Perm(s.Satellites)
	s.Switches = []SwitchSpec{{Priority: uint16(0x1000 * (7 + r.IntN(3)))}}
	at := r.Perm(s.Satellites)
	for i := range 2 + r.IntN(2) {
		s.Cables = append(s.Cables, CableSpec{[]EndSpec{{AtSatellite, at[i]}, {AtSwitch, 0}}, 1000})
	}
	s.Hosts = append(s.Hosts, HostSpec{-1})
	s.Cables = append(s.Cables, CableSpec{[]EndSpec{{AtSwitch, 0}, {AtHost, s.Satellites}}, 1000})
	s.Warm = 12 * time.Second
	g := &generator{s, r, nil}
	stop := g.Warm + g.upTo(time.Second)
	g.add(Action{At: stop, Do: Freeze, Satellite: at[0]})
	if r.IntN(2) == 0 {
		g.add(Action{At: stop + g.upTo(time.Second), Do: Freeze, Satellite: at[1]})
	}
	g.Peace = stop + 3*time.Second + g.upTo(6*time.Second)
	for from := stop; from < g.Peace+500*ms; from += 40 * ms {
		g.add(Action{At: from + g.upTo(40*ms), Do: Send, Host: r.IntN(s.hosts()), To: ToAll})
		if to := r.IntN(s.hosts()); to != s.Satellites {
			g.add(Action{At: from + g.upTo(40*ms), Do: Send, Host: s.Satellites, To: to})
		}
	}
	for i := range s.Satellites {
		g.add(Action{At: g.Peace, Do: Thaw, Satellite: i})
	}
	slices.SortStableFunc(s.Actions, func(a, b Action) int { return int(a.At - b.At) })
	return s
}
