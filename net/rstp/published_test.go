package rstp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/rstp/legacy"
)

// The published cases: the topologies of IEEE 802.1D-2004 figures 17.4 to 17.7 with their end states, and the
// failures that implementations of RSTP are commonly held against. A bridge is a row of LANs, one per port; a
// state is "root", or per port F (forwarding), F:cost (the root port), B (blocked) or - (down).
//
// Each case is played with switches of others alone, and then again with each bridge in turn being a
// constellation, whose ports are spread over one, two or three satellites: nobody outside can tell.
type published struct {
	name    string
	bridges []string
	id      func(i int) int
	steps   []step
}

type step struct {
	change func(w *world, c *cast)
	want   map[int]string
}

func higher(i int) int  { return i + 1 }
func lowZero(i int) int { return i }

var figures = []published{
	{"link failure", []string{"a b", "a c", "b c"}, higher, []step{
		{nil, map[int]string{0: "root", 1: "F:200000 F", 2: "F:200000 B"}},
		{func(w *world, c *cast) { c.port(2, 1, false) }, map[int]string{1: "F:200000 F", 2: "- F:400000"}}}},
	{"two link failures and a new root", []string{"a b", "a c d", "b c e", "d f", "e f"}, higher, []step{
		{nil, map[int]string{0: "root", 1: "F:200000 F F", 2: "F:200000 B F", 3: "F:400000 F", 4: "F:400000 B"}},
		{func(w *world, c *cast) { c.port(2, 1, false) },
			map[int]string{0: "root", 1: "F:200000 F F", 2: "- F:400000 F", 3: "F:400000 F", 4: "F:600000 B"}},
		{func(w *world, c *cast) { c.port(4, 1, false) },
			map[int]string{0: "root", 1: "F:200000 F F", 2: "- F:400000 F", 3: "F:400000 F", 4: "- F:600000"}},
		{func(w *world, c *cast) { c.priority(4, 0x7000) }, map[int]string{4: "root", 3: "F F:200000", 1: "F F F:400000"}}}},
	{"figure 17.4", []string{"a b e c", "a b d f", "c d l j h g", "e f n m k i", "g i 0 0", "h k 0 0", "j m 0 0", "l n 0 0"}, higher,
		[]step{{nil, map[int]string{0: "root", 1: "F:200000 B F F", 2: "F:200000 B F F F F", 3: "F:200000 B F F F F",
			4: "F:400000 B F F", 5: "F:400000 B F F", 6: "F:400000 B F F", 7: "F:400000 B F F"}}}},
	{"figure 17.5, two ports on one LAN", []string{"a b e c", "a b d f", "c d l j h g", "e f n m k i", "g i 0 0", "h k 0 0", "j m 0 0", "l n o o"},
		higher, []step{{nil, map[int]string{0: "root", 1: "F:200000 B F F", 3: "F:200000 B F F F F", 7: "F:400000 B F B"}}}},
	{"figure 17.6", []string{"a b l", "b c d", "d e f", "f g h", "j h i", "l j k"}, higher,
		[]step{{nil, map[int]string{0: "root", 1: "F:200000 F F", 2: "F:400000 F F", 3: "F:600000 F B", 4: "F:400000 F F", 5: "F:200000 F F"}}}},
	{"figure 17.7", []string{"b", "a b d f h g e c", "g h j l n m k i"}, lowZero, []step{
		{nil, map[int]string{0: "root", 1: "F F:200000 F F F F F F", 2: "B F:400000 F F F F F F"}},
		{func(w *world, c *cast) { c.portPriority(1, 6, 112) },
			map[int]string{0: "root", 1: "F F:200000 F F F F F F", 2: "F:400000 B F F F F F F"}}}},
}

// cast says who plays which bridge: ours is the constellation's part, or -1.
type cast struct {
	w     *world
	ours  int
	sats  int
	node  []int // of the others
	ids   []frame.BridgeID
	ports []int
	lans  map[end]*lan
}

func (c *cast) end(bridge, port int) end {
	if bridge == c.ours {
		return end{sat((port - 1) % c.sats), port}
	}
	return end{c.node[bridge], port}
}

func play(t testing.TB, p published, ours, sats int, seed uint64) *cast {
	w := newWorld(t, seed)
	w.numbered, w.mbps = true, 100
	c := &cast{w: w, ours: ours, sats: sats, node: make([]int, len(p.bridges)), lans: map[end]*lan{}}
	ends := map[string][]end{}
	var order []string
	for i, row := range p.bridges {
		id := frame.MakeBridgeID(0x8000, mac(1, p.id(i), 0))
		c.ids = append(c.ids, id)
		lans := strings.Fields(row)
		c.ports = append(c.ports, len(lans))
		if i == ours {
			w.constellation(id, sats)
		} else {
			c.node[i] = w.rapid(id, len(lans))
			for n := range lans {
				w.switches[c.node[i]].Switch.(*legacy.Rapid).SetPort(n+1, uint16(0x8001+n), 200000)
			}
		}
		for n, l := range lans {
			if l == "0" {
				l = fmt.Sprintf("host %d.%d", i, n)
			}
			if ends[l] == nil {
				order = append(order, l)
			}
			ends[l] = append(ends[l], c.end(i, n+1))
		}
	}
	for _, name := range order {
		w.cable(name, ends[name]...)
	}
	return c
}

// port takes one port's carrier away; the rest of the LAN stays.
func (c *cast) port(bridge, port int, up bool) {
	e := c.end(bridge, port)
	if e.node >= 1000 {
		s := c.w.sats[e.node-1000]
		s.e.SetPort(PortID(e.port), Port{Up: up, Mbps: 100, MAC: mac(4, e.node, e.port)}, c.w.now)
		c.w.act(e.node - 1000)
		return
	}
	c.w.switches[e.node].Link(e.port, up)
	c.w.sent(e.node)
}

func (c *cast) priority(bridge int, priority uint16) {
	id := frame.MakeBridgeID(priority, c.ids[bridge].Address())
	if bridge != c.ours {
		c.w.switches[c.node[bridge]].Switch.(*legacy.Rapid).SetID(id)
		c.w.sent(c.node[bridge])
		return
	}
	for i, s := range c.w.sats {
		c.w.after(time.Duration(c.w.rng.Int64N(int64(c.w.late))), func() {
			s.e.SetBridge(id, c.w.now)
			c.w.act(i)
		})
	}
}

func (c *cast) portPriority(bridge, port int, priority uint16) {
	num := priority<<8 | uint16(port)
	if bridge != c.ours {
		c.w.switches[c.node[bridge]].Switch.(*legacy.Rapid).SetPort(port, num, 200000)
		c.w.sent(c.node[bridge])
		return
	}
	i := (port - 1) % c.sats
	e := c.w.sats[i].e
	p := e.ports[PortID(port)]
	p.num, p.reselect, p.selected = num, true, false
	e.settle()
	c.w.act(i)
}

// state tells a bridge as the cases do.
func (c *cast) state(bridge int) string {
	var all []string
	roots := 0
	for n := 1; n <= c.ports[bridge]; n++ {
		e := c.end(bridge, n)
		var role string
		var cost uint32
		if e.node >= 1000 {
			s := c.w.sats[e.node-1000]
			for _, p := range s.e.Ports() {
				if int(p.Port) == n {
					role = map[Role]string{Disabled: "-", Root: "R", Designated: "D", Alternate: "A", Backup: "B"}[p.Role]
				}
			}
			_, cost, _ = s.e.RootPath()
		} else {
			role = c.w.switches[e.node].Role(n)
			_, cost = c.w.switches[e.node].RootPath()
		}
		switch f := c.w.forwards(e); {
		case role == "R" && f:
			all = append(all, fmt.Sprintf("F:%d", cost))
			roots++
		case role == "-":
			all = append(all, "-")
		case f:
			all = append(all, "F")
		default:
			all = append(all, "B")
		}
		if role == "R" && roots == 0 {
			roots = 100
		}
	}
	if s := strings.Join(all, " "); roots > 0 || strings.ContainsAny(s, "B") {
		return s
	}
	return "root"
}

func TestPublishedCases(t *testing.T) {
	for _, p := range figures {
		for ours := -1; ours < len(p.bridges); ours++ {
			for sats := 1; sats <= 3; sats++ {
				if ours < 0 && sats > 1 {
					continue
				}
				t.Run(fmt.Sprintf("%s/constellation %d of %d", p.name, ours, sats), func(t *testing.T) {
					c := play(t, p, ours, sats, 7)
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
						if c.w.loops > 0 {
							t.Errorf("step %d: %d loops, first at %s", i, c.w.loops, c.w.firstLoop)
						}
					}
					if t.Failed() {
						t.Log(c.w.picture())
					}
				})
			}
		}
	}
}
