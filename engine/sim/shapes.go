package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// shape is a way to cable satellites. often weighs how often Generate takes it.
type shape struct {
	name  string
	often int
	build func(s *Schedule, r *rand.Rand)
}

var shapes = []shape{
	{"ring", 36, func(s *Schedule, r *rand.Rand) {
		n := 3 + min(r.IntN(8), r.IntN(8))
		if r.IntN(16) == 0 {
			n = 3 + r.IntN(22)
		}
		s.ring(n)
	}},
	{"mesh", 22, func(s *Schedule, r *rand.Rand) { s.mesh(3 + r.IntN(4)) }},
	{"random", 36, func(s *Schedule, r *rand.Rand) {
		n := 2 + r.IntN(7)
		s.random(r, n, n+r.IntN(n+2))
	}},
	{"torus 3x3", 4, func(s *Schedule, r *rand.Rand) { s.torus(3, 3) }},
	{"torus 4x4", 2, func(s *Schedule, r *rand.Rand) { s.torus(4, 4) }},
	{"torus 5x5", 1, func(s *Schedule, r *rand.Rand) { s.torus(5, 5) }},
	{"torus 3x3x3", 1, func(s *Schedule, r *rand.Rand) { s.torus(3, 3, 3) }},
}

var speeds = []uint64{100, 1000, 1000, 10000, 10000}

func (s *Schedule) cable(a, b int, mbps uint64) {
	s.Cables = append(s.Cables, CableSpec{[]EndSpec{{AtSatellite, a}, {AtSatellite, b}}, mbps})
}

func (s *Schedule) ring(n int) {
	s.Satellites = n
	for i := range n {
		s.cable(i, (i+1)%n, 10000)
	}
}

func (s *Schedule) mesh(n int) {
	s.Satellites = n
	for i := range n {
		for j := range i {
			s.cable(j, i, 10000)
		}
	}
}

// torus cables a grid of two or three dimensions whose edges meet.
func (s *Schedule) torus(size ...int) {
	n := 1
	for _, k := range size {
		n *= k
	}
	s.Satellites = n
	for i := range n {
		step := 1
		for _, k := range size {
			next := i + step
			if i/step%k == k-1 {
				next -= k * step
			}
			s.cable(i, next, 10000)
			step *= k
		}
	}
}

// random cables n satellites at random: perhaps in parts, with parallel cables, and some back to where they began.
func (s *Schedule) random(r *rand.Rand, n, cables int) {
	s.Satellites = n
	for i := 1; i < n && r.IntN(12) > 0; i++ {
		s.cable(r.IntN(i), i, speeds[r.IntN(len(speeds))])
	}
	for len(s.Cables) < cables {
		s.cable(r.IntN(n), r.IntN(n), speeds[r.IntN(len(speeds))])
	}
}

// Degree makes a connected graph in which each satellite has about that many cables: a ring, and chords at random.
func (s *Schedule) Degree(r *rand.Rand, n, degree int) {
	s.ring(n)
	for range n * (degree - 2) / 2 {
		s.cable(r.IntN(n), r.IntN(n), 10000)
	}
}

// legacy adds what is no satellite: hosts at cables, and islands of switches, each cabled one to three times.
func (s *Schedule) legacy(r *rand.Rand) {
	for range 1 + r.IntN(2) {
		s.Hosts = append(s.Hosts, HostSpec{-1})
		s.Cables = append(s.Cables, CableSpec{[]EndSpec{{AtSatellite, r.IntN(s.Satellites)}, {AtHost, s.hosts() - 1}}, 1000})
	}
	if r.IntN(3) == 0 {
		return
	}
	s.Shape += "+island"
	plain := r.IntN(6) == 0
	for range 1 + r.IntN(2)*r.IntN(2) {
		first := len(s.Switches)
		for range 1 + r.IntN(3) {
			s.Switches = append(s.Switches, SwitchSpec{plain && r.IntN(2) == 0, uint16(0x1000 * (7 + r.IntN(3)))})
		}
		n := len(s.Switches) - first
		inside := func(a, b int) {
			s.Cables = append(s.Cables, CableSpec{[]EndSpec{{AtSwitch, a}, {AtSwitch, b}}, 1000})
		}
		for i := 1; i < n; i++ {
			inside(first+r.IntN(i), first+i)
		}
		if n == 3 && r.IntN(2) == 0 {
			inside(first, first+2)
		}
		for range 1 + r.IntN(3) {
			s.Cables = append(s.Cables, CableSpec{[]EndSpec{{AtSatellite, r.IntN(s.Satellites)}, {AtSwitch, first + r.IntN(n)}}, 1000})
		}
		s.Hosts = append(s.Hosts, HostSpec{-1})
		s.Cables = append(s.Cables, CableSpec{[]EndSpec{{AtSwitch, first + r.IntN(n)}, {AtHost, s.hosts() - 1}}, 1000})
	}
	if r.IntN(6) == 0 { // a hub between satellites
		ends := []EndSpec{{AtSatellite, r.IntN(s.Satellites)}, {AtSatellite, r.IntN(s.Satellites)}, {AtSatellite, r.IntN(s.Satellites)}}
		s.Cables = append(s.Cables, CableSpec{ends, 1000})
		s.Shape += "+hub"
	}
}

// hosts counts all, the satellites' own included.
func (s *Schedule) hosts() int { return s.Satellites + len(s.Hosts) }

// stp tells whether a switch of others speaks STP.
func (s *Schedule) stp() bool {
	return slices.ContainsFunc(s.Switches, func(w SwitchSpec) bool { return w.Plain })
}

// edges tells whether there is anything but satellites.
func (s *Schedule) edges() bool {
	return slices.ContainsFunc(s.Cables, func(c CableSpec) bool { return !c.fabric() })
}

// fabric tells whether only satellites are at the cable.
func (c CableSpec) fabric() bool {
	return !slices.ContainsFunc(c.Ends, func(e EndSpec) bool { return e.Kind != AtSatellite })
}

// Bound is how long after the last fault all has to be well.
func (s *Schedule) Bound() time.Duration {
	switch {
	case s.stp():
		return 150 * time.Second
	case len(s.Switches) > 0:
		return 70 * time.Second
	case s.edges():
		return 40 * time.Second
	}
	return 12 * time.Second
}

// Settle sets how long a world of such parts takes from nothing to rest, as a rule.
func (s *Schedule) Settle() {
	switch {
	case s.stp():
		s.Warm = 60 * time.Second
	case len(s.Switches) > 0:
		s.Warm = 12 * time.Second
	case s.edges():
		s.Warm = 4500 * time.Millisecond
	default:
		s.Warm = 1200 * time.Millisecond
	}
}

// Blank is a world of the named shape without faults or frames: "ring 8", "torus 4 4", "mesh 5", "degree 100".
func Blank(seed uint64, name string) *Schedule {
	s := &Schedule{Seed: seed, Shape: name, Colours: 4, Echo: 100 * time.Millisecond, Slow: time.Millisecond}
	r := rand.New(rand.NewPCG(seed, 3))
	var kind string
	var a, b, c int
	switch n, _ := fmt.Sscan(name, &kind, &a, &b, &c); {
	case kind == "ring" && n == 2:
		s.ring(a)
	case kind == "mesh" && n == 2:
		s.mesh(a)
	case kind == "torus" && n == 3:
		s.torus(a, b)
	case kind == "torus" && n == 4:
		s.torus(a, b, c)
	case kind == "degree" && n == 2:
		s.Degree(r, a, 4)
	default:
		panic("sim: no such shape: " + name)
	}
	s.Order = r.Perm(s.Satellites)
	s.Settle()
	return s
}
