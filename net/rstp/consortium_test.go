package rstp

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/rstp/legacy"
)

// More published end states: the example of IEEE 802.1D-1998 (clause 8) with unequal port costs, and what the Bridge Functions
// Consortium's interoperability and operations suites for spanning trees expect, in the form in which implementations
// are tested by them. Costs of 10 and 5 there are 200000 and 100000 here.
var consortium = []published{
	{"example of 802.1D-1998", []string{"a b", "c a d", "b e", "b e", "a e"}, of(0x42, 0x97, 0x45, 0x57, 0x83), []step{
		{func(_ *world, c *cast) {
			for _, p := range [][2]int{{1, 1}, {1, 3}, {3, 1}, {3, 2}, {4, 1}, {4, 2}} {
				c.cost(p[0], p[1], 100000)
			}
		}, map[int]string{0: "root", 1: "F F:200000 F", 2: "F:200000 B", 3: "F:100000 F", 4: "F:100000 B"}}}},
	{"io.1.1 link failure", []string{"a b c", "a b c"}, higher, []step{
		{nil, map[int]string{0: "root", 1: "F:200000 B B"}},
		{down(1, 1), map[int]string{0: "root", 1: "- F:200000 B"}},
		{down(1, 2), map[int]string{0: "root", 1: "- - F:200000"}}}},
	{"io.1.2 repeated network", []string{"a a", "a a"}, higher, []step{
		{nil, map[int]string{0: "F B", 1: "F:200000 B"}},
		{func(_ *world, c *cast) { c.portPriority(1, 1, 0x90) }, map[int]string{0: "F B", 1: "B F:200000"}}}},
	{"io.1.4 network initialization", []string{"a b c", "b d e", "a d f", "c e f"}, higher, []step{
		{nil, map[int]string{0: "root", 1: "F:200000 F F", 2: "F:200000 B F", 3: "F:200000 B B"}}}},
	{"io.1.5 topology change", []string{"a b d c", "a b f e", "c d g h", "e f g h"}, higher, []step{
		{nil, map[int]string{0: "root", 1: "F:200000 B F F", 2: "B F:200000 F F", 3: "B F:400000 B B"}},
		{first(1, 0x7000), map[int]string{0: "F:200000 B F F", 1: "root", 2: "B F:400000 B B", 3: "B F:200000 F F"}},
		{first(2, 0x6000), map[int]string{0: "F F B F:200000", 1: "F:400000 B B B", 2: "root", 3: "F F F:200000 B"}},
		{first(3, 0x5000), map[int]string{0: "B B B F:400000", 1: "F F B F:200000", 2: "F F F:200000 B", 3: "root"}},
		{first(0, 0x4000), map[int]string{0: "root", 1: "F:200000 B F F"}}}},
	{"op.3.3 root bridge by priority", []string{"a", "b", "a b"}, of(0x333, 0x222, 0x111), []step{
		{func(w *world, c *cast) { c.priority(0, 0x6000); c.priority(1, 0x7000) },
			map[int]string{0: "root", 1: "F:400000", 2: "F:200000 F"}}}},
	{"two link failures, and a cheaper port", []string{"a b", "a c d", "b c e", "d f", "e f"}, higher, []step{
		{func(w *world, c *cast) { c.port(2, 1, false); c.port(4, 1, false) }, map[int]string{2: "- F:400000 F", 4: "- F:600000"}},
		{func(w *world, c *cast) { c.cost(4, 2, 100000) }, map[int]string{4: "- F:500000"}}}},
}

func of(ids ...int) func(int) int { return func(i int) int { return ids[i] } }

func down(bridge, port int) func(*world, *cast) {
	return func(_ *world, c *cast) { c.port(bridge, port, false) }
}

func first(bridge int, priority uint16) func(*world, *cast) {
	return func(_ *world, c *cast) { c.priority(bridge, priority) }
}

// cost gives a port another cost; ours has it from the speed.
func (c *cast) cost(bridge, port int, cost uint32) {
	e := c.end(bridge, port)
	if e.node < 1000 {
		c.w.switches[e.node].Switch.(*legacy.Rapid).SetPort(port, uint16(0x8000+port), cost)
		c.w.sent(e.node)
		return
	}
	s := c.w.sats[e.node-1000]
	s.e.SetPort(PortID(e.port), Port{Up: true, Mbps: 20_000_000 / uint64(cost), MAC: mac(4, e.node, e.port), Shared: len(c.w.at[e].ends) > 2}, c.w.now)
	c.w.act(e.node - 1000)
}

func TestConsortiumCases(t *testing.T) {
	for _, p := range consortium {
		for ours := -1; ours < len(p.bridges); ours++ {
			for sats := 1; sats <= 2 && (ours >= 0 || sats == 1); sats++ {
				t.Run(fmt.Sprintf("%s/constellation %d of %d", p.name, ours, sats), func(t *testing.T) { p.check(t, ours, sats, 11) })
			}
		}
	}
}

func (p published) check(t *testing.T, ours, sats int, seed uint64) {
	c := play(t, p, ours, sats, seed)
	for i, s := range p.steps {
		if s.change != nil {
			s.change(c.w, c)
		}
		c.w.run(100 * time.Second)
		for b, want := range s.want {
			if got := c.state(b); got != want {
				t.Errorf("step %d: bridge %d is %q, published is %q", i, b, got, want)
			}
		}
		// When another priority makes ours the root, satellites hear of it one after the other. The first may open a port while
		// the old root port of another waits for the BPDU that is on its way to it.
		if c.w.longest > time.Millisecond || c.w.loops > 0 && ours < 0 {
			t.Errorf("step %d: %d loops, first at %s, longest %v", i, c.w.loops, c.w.firstLoop, c.w.longest)
		}
	}
	if t.Failed() {
		t.Log(c.w.picture())
	}
}

// oracle works the end state out from the definitions of 802.1D alone (17.5, 17.6: priority vectors), without any message.
type oracle struct {
	rows [][]string // by bridge and port: the LAN; "": down
	ids  []frame.BridgeID
}

// teller is what a LAN's designated port tells: cost, bridge, port.
type teller struct {
	cost   uint32
	bridge frame.BridgeID
	port   int
}

func (v teller) compare(o teller) int {
	return cmp.Or(cmp.Compare(v.cost, o.cost), cmp.Compare(v.bridge, o.bridge), cmp.Compare(v.port, o.port))
}

const endless = 1 << 30

func (o oracle) states() []string {
	root := slices.Index(o.ids, slices.Min(o.ids))
	cost := slices.Repeat([]uint32{endless}, len(o.ids))
	cost[root] = 0
	best := make([]int, len(o.ids)) // root ports, from 1
	for range o.ids {
		heads := o.designated(cost)
		for b, row := range o.rows {
			var least *teller
			for n, lan := range row {
				if v := heads[lan]; b != root && lan != "" && v.bridge != o.ids[b] && v.cost < endless {
					v.cost += 200000
					if least == nil || v.compare(*least) < 0 {
						least, best[b], cost[b] = &v, n+1, v.cost
					}
				}
			}
		}
	}
	heads := o.designated(cost)
	var out []string
	for b, row := range o.rows {
		var all []string
		for n, lan := range row {
			v := teller{cost[b], o.ids[b], n + 1}
			switch {
			case lan == "":
				all = append(all, "-")
			case best[b] == n+1:
				all = append(all, fmt.Sprintf("F:%d", cost[b]))
			case heads[lan] == v:
				all = append(all, "F")
			default:
				all = append(all, "B")
			}
		}
		s := strings.Join(all, " ")
		if b == root && !strings.Contains(s, "B") {
			s = "root"
		}
		out = append(out, s)
	}
	return out
}

// designated gives each LAN's best vector.
func (o oracle) designated(cost []uint32) map[string]teller {
	heads := map[string]teller{}
	for b, row := range o.rows {
		for n, lan := range row {
			v := teller{cost[b], o.ids[b], n + 1}
			if lan == "" {
				continue
			}
			if old, in := heads[lan]; !in || v.compare(old) < 0 {
				heads[lan] = v
			}
		}
	}
	return heads
}

// Ports that fail and roots that change in the figures, with the oracle in the place of what is published.
func TestFailuresInTheFigures(t *testing.T) {
	dice := rand.New(rand.NewPCG(3, 4))
	for _, p := range figures {
		if !strings.HasPrefix(p.name, "figure") {
			continue
		}
		var o oracle
		for i, row := range p.bridges {
			fields := strings.Fields(row)
			for n, lan := range fields {
				if lan == "0" {
					fields[n] = fmt.Sprintf("host %d.%d", i, n)
				}
			}
			o.rows = append(o.rows, fields)
			o.ids = append(o.ids, frame.MakeBridgeID(0x8000, mac(1, p.id(i), 0)))
		}
		full := func() map[int]string {
			want := map[int]string{}
			for b, s := range o.states() {
				want[b] = s
			}
			return want
		}
		played := published{p.name, p.bridges, p.id, []step{{nil, full()}}}
		for k := range 4 {
			b := dice.IntN(len(o.rows))
			n := dice.IntN(len(o.rows[b]))
			if k%2 == 1 {
				priority := uint16(0x7000 - 0x1000*k)
				played.steps = append(played.steps, step{first(b, priority), nil})
				o.ids[b] = frame.MakeBridgeID(priority, o.ids[b].Address())
			} else {
				if !o.joined(b, n) {
					continue
				}
				o.rows[b][n] = ""
				played.steps = append(played.steps, step{down(b, n+1), nil})
			}
			played.steps[len(played.steps)-1].want = full()
		}
		for ours := -1; ours < len(p.bridges); ours++ {
			t.Run(fmt.Sprintf("%s/constellation %d", p.name, ours), func(t *testing.T) { played.check(t, ours, 2, 5) })
		}
	}
}

// joined tells whether all bridges can still reach one another without the port.
func (o oracle) joined(b, n int) bool {
	lan := o.rows[b][n]
	if lan == "" {
		return false
	}
	o.rows[b][n] = ""
	reached := map[string]bool{} // bridges and LANs
	reached[fmt.Sprint(0)] = true
	for range o.rows {
		for i, row := range o.rows {
			for _, l := range row {
				if l != "" && (reached[fmt.Sprint(i)] || reached["LAN "+l]) {
					reached[fmt.Sprint(i)], reached["LAN "+l] = true, true
				}
			}
		}
	}
	ok := true
	for i := range o.rows {
		ok = ok && reached[fmt.Sprint(i)]
	}
	o.rows[b][n] = lan
	return ok
}
