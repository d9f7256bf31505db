package flow

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/path"
)

func TestLoadsHalve(t *testing.T) {
	var l Load
	l.Add(1<<20, 0)
	for k, want := range []uint64{1 << 20, 1 << 19, 1 << 18, 1 << 17} {
		if got := l.at(time.Duration(k) * halfTicks << tickShift); got != want {
			t.Errorf("after %d halves: %d, wanted %d", k, got, want)
		}
	}
	if got := l.at(time.Hour); got != 0 {
		t.Errorf("after an hour: %d", got)
	}
}

// However often a load is looked at, it is near that of an exponential with the same half-life, and a port that sends all it can is
// at 1000 thousandths.
func TestLoadIsTheShareOfThePortsSpeed(t *testing.T) {
	for _, mbps := range []uint64{10, 1000, 400_000} {
		var l Load
		l.Speed(mbps)
		now := time.Duration(0)
		for now < time.Second {
			now += 12 * time.Microsecond
			l.Add(int(mbps*12/8), now)
		}
		if p := l.Permille(now); p < 950 || p > 1050 {
			t.Errorf("%d Mbit/s in full use: %d", mbps, p)
		}
	}
}

// A flow stays where it is while its pauses are short, however unequal the loads become; then it moves to where there is room,
// once; and a little more load there does not move it back.
func TestAFlowMovesInPausesOnly(t *testing.T) {
	c := NewChoices(Config{})
	var ports [2]Load
	both := [2]*Load{&ports[0], &ports[1]}
	now := time.Second
	at := c.Pick(1, 1500, now, both)
	for range 100 {
		now += 400 * time.Microsecond
		ports[at].Add(1<<20, now)
		if c.Pick(1, 1500, now, both) != at {
			t.Fatal("moved without a pause")
		}
	}
	now += 600 * time.Microsecond
	if c.Pick(1, 1500, now, both) == at {
		t.Fatal("stayed after a pause")
	}
	at ^= 1
	ports[at].Add(int(ports[at^1].at(now))*5/4, now)
	now += 25 * time.Millisecond
	if c.Pick(1, 1500, now, both) != at {
		t.Error("moved for a load that is better by a fifth only")
	}
	ports[at].Add(int(ports[at].at(now)), now)
	now += 600 * time.Microsecond
	if c.Pick(1, 1500, now, both) == at {
		t.Error("stayed though the load is better by half")
	}
	ports[at^1].Add(1<<30, now)
	now += 600 * time.Microsecond
	if c.Pick(1, 1500, now, both) == at {
		t.Error("moved twice within 20 ms")
	}
}

// A lone flow has nothing to run from but itself.
func TestALoneElephantStands(t *testing.T) {
	c := NewChoices(Config{})
	var ports [2]Load
	for now := time.Second; now < 2*time.Second; now += 700 * time.Microsecond {
		ports[c.Pick(7, 60_000, now, [2]*Load{&ports[0], &ports[1]})].Add(60_000, now)
	}
	if c.Moved != 0 {
		t.Errorf("moved %d times", c.Moved)
	}
}

// When a port is down the flow goes by the other at once, and stays there until a pause when the port is back.
func TestAForcedFlowReturnsInAPause(t *testing.T) {
	c := NewChoices(Config{})
	var ports [2]Load
	both := [2]*Load{&ports[0], &ports[1]}
	at := c.Pick(3, 100, time.Second, both)
	c.Force(3, 100, time.Second+time.Microsecond, at^1)
	ports[at^1].Add(1<<24, time.Second)
	if c.Pick(3, 100, time.Second+300*time.Microsecond, both) != at^1 {
		t.Error("came back without a pause")
	}
	if c.Pick(3, 100, time.Second+30*time.Millisecond, both) != at {
		t.Error("did not come back")
	}
}

// Two paths differ in delay by at most the gap. Whatever loads do, the frames of a flow arrive as they were sent, though its
// slot is shared with others. Without a gap they do not.
func TestNoFlowIsReordered(t *testing.T) {
	for seed := range uint64(20) {
		moved, late := disorder(seed, Config{Slots: 8, Dwell: time.Millisecond})
		if late != 0 || moved == 0 {
			t.Errorf("seed %d: %d moves, %d frames overtaken", seed, moved, late)
		}
	}
	if _, late := disorder(1, Config{Slots: 8, Dwell: time.Millisecond, Gap: -1}); late == 0 {
		t.Error("without a gap nothing is overtaken: the test sees nothing")
	} else {
		t.Logf("without a gap %d frames are overtaken", late)
	}
}

// disorder sends the frames of 32 flows over two paths and counts how often a flow moved, and frames that were overtaken.
func disorder(seed uint64, cfg Config) (moved uint64, late int) {
	dice := rand.New(rand.NewPCG(seed, 1))
	c := NewChoices(cfg)
	var ports [2]Load
	delay := [2]time.Duration{100 * time.Microsecond, 600 * time.Microsecond}
	arrived := map[int]time.Duration{}
	for now := time.Second; now < 3*time.Second; now += time.Duration(dice.IntN(60_000)) {
		flow := dice.IntN(32)
		if dice.IntN(8) == 0 {
			now += time.Duration(dice.IntN(2_000_000))
		}
		if dice.IntN(50) == 0 {
			ports[dice.IntN(2)].Add(1<<22, now)
		}
		way := c.Pick(mix(uint64(flow)), 1500, now, [2]*Load{&ports[0], &ports[1]})
		at := now + delay[way]
		if at < arrived[flow] {
			late++
		}
		arrived[flow] = max(at, arrived[flow])
	}
	return c.Moved, late
}

// mesh is a torus on which a few flows have most of the traffic.
type mesh struct {
	routes []*path.Routes
	far    map[path.Port]int // the satellite at the other end of a port
}

// torus has cables between each satellite and the four next to it. Port numbers are unique in the whole of it.
func torus(t testing.TB, side, colours int) *mesh {
	m := &mesh{far: map[path.Port]int{}}
	told := make([]path.Told, side*side)
	id := func(i int) frame.MAC { return frame.MAC{2, 0, 0, 0, 0, byte(i)} }
	cable := path.Port(1)
	for i := range told {
		told[i].ID = id(i)
	}
	for i := range told {
		x, y := i%side, i/side
		for _, j := range []int{(x+1)%side + y*side, x + (y+1)%side*side} {
			told[i].Links = append(told[i].Links, frame.Link{Neighbour: id(j), Port: cable, NeighbourPort: cable + 1, Cost: 10})
			told[j].Links = append(told[j].Links, frame.Link{Neighbour: id(i), Port: cable + 1, NeighbourPort: cable, Cost: 10})
			m.far[cable], m.far[cable+1] = j, i
			cable += 2
		}
	}
	for i := range told {
		topo, err := path.NewTopology(id(i), told)
		if err != nil {
			t.Fatal(err)
		}
		r, err := path.NewRoutes(topo, id(i), colours)
		if err != nil {
			t.Fatal(err)
		}
		m.routes = append(m.routes, r)
	}
	return m
}

// elephant sends a burst that the kernel hands over as one buffer, then pauses.
type elephant struct {
	from, to int
	hash     uint64
	pause    float64 // mean, in ns
	next     time.Duration
}

const burst = 64 << 10

// herd makes flows whose rates are Pareto-distributed (shape 1.2), 20 to 400 Mbit/s.
func herd(dice *rand.Rand, n, satellites int) []elephant {
	var out []elephant
	for len(out) < n {
		e := elephant{from: dice.IntN(satellites), to: dice.IntN(satellites), hash: dice.Uint64()}
		mbps := min(20*math.Pow(1-dice.Float64(), -1/1.2), 400)
		e.pause = burst * 8e3 / mbps
		e.next = time.Duration(dice.Float64() * e.pause)
		if e.from != e.to {
			out = append(out, e)
		}
	}
	return out
}

// drive lets a herd run for half a second and gives the bytes that each port sent in the second half of it, and the same for
// the ports of first hops only. static leaves the choice at 0.
func (m *mesh) drive(dice *rand.Rand, flows []elephant, colours int, static bool) (all, first map[path.Port]float64) {
	all, first = map[path.Port]float64{}, map[path.Port]float64{}
	for p := range m.far {
		all[p], first[p] = 0, 0
	}
	choices := make([]*Choices, len(m.routes))
	loads := map[path.Port]*Load{}
	for i := range choices {
		choices[i] = NewChoices(Config{})
	}
	for p := range m.far {
		loads[p] = &Load{}
	}
	const step, end = 50 * time.Microsecond, 500 * time.Millisecond
	for now := time.Duration(0); now < end; now += step {
		for k := range flows {
			e := &flows[k]
			if e.next > now {
				continue
			}
			e.next = now + time.Duration(e.pause*(0.5+dice.Float64()))
			hop := func(choice int) path.Port {
				p, _ := m.routes[e.from].Next(Colour(e.hash, choice, colours), e.to)
				return p
			}
			choice := 0
			if !static {
				choice = choices[e.from].Pick(e.hash, burst, now, [2]*Load{loads[hop(0)], loads[hop(1)]})
			}
			if now > end/2 {
				first[hop(choice)] += burst
			}
			for at := e.from; at != e.to; {
				p, _ := m.routes[at].Next(Colour(e.hash, choice, colours), e.to)
				loads[p].Add(burst, now)
				if now > end/2 {
					all[p] += burst
				}
				at = m.far[p]
			}
		}
	}
	return all, first
}

// peak is the most loaded port's load by the mean: 1 is ideal.
func peak(loads map[path.Port]float64) float64 {
	most, sum := 0.0, 0.0
	for _, x := range loads {
		most, sum = max(most, x), sum+x
	}
	return most * float64(len(loads)) / sum
}

// informed gives the peak of first hops' and of all ports if one who knows all rates sets the choices: flow by flow whichever makes the
// sum of the squares of loads less, until nothing moves.
func (m *mesh) informed(flows []elephant, colours int, hops int) float64 {
	loads := map[path.Port]float64{}
	for p := range m.far {
		loads[p] = 0
	}
	add := func(e elephant, choice int, share float64) (squares float64) {
		for at, k := e.from, 0; at != e.to && k < hops; k++ {
			p, _ := m.routes[at].Next(Colour(e.hash, choice, colours), e.to)
			loads[p] += share / e.pause
			squares += loads[p] * loads[p]
			at = m.far[p]
		}
		return squares
	}
	choice := make([]int, len(flows))
	for _, e := range flows {
		add(e, 0, 1)
	}
	for again, rounds := true, 0; again && rounds < 100; rounds++ {
		again = false
		for k, e := range flows {
			// The squares of other ports are the same before and after.
			add(e, choice[k], -1)
			here := add(e, choice[k], 1) - add(e, choice[k], -1)
			there := add(e, choice[k]^1, 1) - add(e, choice[k]^1, -1)
			if there < here*(1-1e-9) {
				choice[k] ^= 1
				again = true
			}
			add(e, choice[k], 1)
		}
	}
	return peak(loads)
}

// On a 4x4 torus, where few of the flows have most of the traffic, the most loaded port has less load than by hashing alone.
// What can be reached is not 1, as flows are not split, each has two paths only, and some have one first hop only; so it is compared with
// what one could do who knows everything.
func TestChoicesLowerThePeak(t *testing.T) {
	const seeds, colours, flows = 12, 4, 300
	m := torus(t, 4, colours)
	var all, first [2]float64
	var bestAll, bestFirst float64
	better := 0
	for seed := range uint64(seeds) {
		var was float64
		for k, static := range []bool{true, false} {
			dice := rand.New(rand.NewPCG(seed, 2))
			h := herd(dice, flows, len(m.routes))
			a, f := m.drive(dice, h, colours, static)
			all[k] += peak(a) / seeds
			first[k] += peak(f) / seeds
			if static {
				was = peak(f)
				bestAll += m.informed(h, colours, 99) / seeds
				bestFirst += m.informed(h, colours, 1) / seeds
			} else if peak(f) < was {
				better++
			}
		}
	}
	t.Logf("peak/mean over %d seeds, by hash, by choice, by who knows all: all ports %.2f %.2f %.2f; first hops %.2f %.2f %.2f, better in %d",
		seeds, all[0], all[1], bestAll, first[0], first[1], bestFirst, better)
	if all[1] > all[0] || first[0]-first[1] < (first[0]-bestFirst)/2 || better < seeds*3/4 {
		t.Error("choosing does not help")
	}
}

// One satellite with two ports that lead to everywhere: here the ideal can be told, which is the best of all 2^n ways to
// share out the flows.
func TestTwoPortsAreNearTheIdeal(t *testing.T) {
	const seeds, n = 20, 14
	var hashed, chosen, ideal float64
	for seed := range uint64(seeds) {
		dice := rand.New(rand.NewPCG(seed, 3))
		flows := herd(dice, n, 2)
		c := NewChoices(Config{})
		var loads [2]Load
		var sent, plain [2]float64
		rate := make([]float64, n)
		const step, end = 50 * time.Microsecond, time.Second
		for now := time.Duration(0); now < end; now += step {
			for k := range flows {
				e := &flows[k]
				if e.next > now {
					continue
				}
				e.next = now + time.Duration(e.pause*(0.5+dice.Float64()))
				way := c.Pick(e.hash, burst, now, [2]*Load{&loads[0], &loads[1]})
				loads[way].Add(burst, now)
				if now > end/2 {
					sent[way] += burst
					plain[e.hash>>63] += burst
					rate[k] += burst
				}
			}
		}
		mean := (sent[0] + sent[1]) / 2
		best := math.Inf(1)
		for set := range 1 << n {
			x := 0.0
			for k, r := range rate {
				if set>>k&1 != 0 {
					x += r
				}
			}
			best = min(best, max(x, 2*mean-x))
		}
		hashed += max(plain[0], plain[1]) / mean / seeds
		chosen += max(sent[0], sent[1]) / mean / seeds
		ideal += best / mean / seeds
	}
	t.Logf("peak/mean of two ports over %d seeds: %.3f by hash, %.3f by choice, %.3f ideal", seeds, hashed, chosen, ideal)
	if chosen-ideal > (hashed-ideal)/3 {
		t.Error("two thirds of the excess should be gone")
	}
}

func BenchmarkPick(b *testing.B) {
	c := NewChoices(Config{})
	var loads [2]Load
	now := time.Second
	b.ReportAllocs()
	for b.Loop() {
		now += 300
		loads[c.Pick(mix(uint64(now)&1023), 1500, now, [2]*Load{&loads[0], &loads[1]})].Add(1500, now)
	}
}
