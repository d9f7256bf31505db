package tree

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"decenter/net/frame"
)

// constellation is what one core's store holds of a thousand others: a ring with chords, of degree 5 on the average.
type constellation struct {
	nodes []frame.Node
	seq   uint64
}

func constellate(n, degree int) *constellation {
	dice := rand.New(rand.NewPCG(uint64(n), 9))
	c := &constellation{nodes: make([]frame.Node, n), seq: 1}
	for i := range n {
		c.cable(i, (i+1)%n, 2000)
	}
	for range n*degree/2 - n {
		if a, b := dice.IntN(n), dice.IntN(n); a != b {
			c.cable(a, b, uint32(2000*(1+dice.IntN(3))))
		}
	}
	return c
}

func star(i int) frame.MAC { return frame.MAC{2, 0xde, 0xce, 1, byte(i >> 8), byte(i)} }

func (c *constellation) cable(a, b int, cost uint32) {
	x, y := &c.nodes[a], &c.nodes[b]
	pa, pb := uint32(len(x.Links)+1), uint32(len(y.Links)+1)
	x.Links = append(x.Links, frame.Link{Neighbour: star(b), Port: pa, NeighbourPort: pb, Cost: cost})
	y.Links = append(y.Links, frame.Link{Neighbour: star(a), Port: pb, NeighbourPort: pa, Cost: cost})
}

// tell has a core learn what satellite i says.
func (c *constellation) tell(core *Core, i int) {
	c.seq++
	n := c.nodes[i]
	n.Main, n.Priority, n.Name, n.Links = true, 0x8000, "one of many", slices.Clone(n.Links)
	k := frame.Key{Origin: star(i)}
	body := n.Append(nil)
	o := newObject(k, frame.Stamp{Seq: c.seq, Sum: frame.Sum(body)}, body, n, core.now)
	core.learn(o, core.store.objects[k], nil)
}

// core makes satellite 0, which hears its neighbours over all its cables, and knows the rest.
func (c *constellation) core() *Core {
	core := New(Config{ID: star(0), Name: "zero", Instance: 1, Unauthenticated: true}, 0)
	for i := range c.nodes {
		if i > 0 {
			c.tell(core, i)
		}
	}
	for _, link := range c.nodes[0].Links {
		l := lead(link)
		core.Link(PortID(l.Port), l.is(true), 0)
		l.greets(core, 3)
	}
	core.Ready()
	return core
}

// lead is a cable of satellite 0.
type lead frame.Link

// is what the kernel says of our end.
func (l lead) is(up bool) Link {
	return Link{Name: "p", Up: up, Mbps: 20_000_000 / uint64(l.Cost), MAC: portMAC(PortID(l.Port))}
}

// greets has the neighbour become one, in a session.
func (l lead) greets(core *Core, session uint64) {
	id := PortID(l.Port)
	p := core.ports[id]
	h := frame.Hello{Self: frame.Self{ID: l.Neighbour, Port: l.NeighbourPort, Instance: 2, Session: session}, Seq: 1}
	core.Input(id, h.Append(nil, portMAC(99)), core.now)
	h.Peer, h.Seq, h.Joined = core.me(p), 2, true
	core.Input(id, h.Append(nil, portMAC(99)), core.now)
	p.echo.alive = true
	core.adjacent(p)
}

// answer has all neighbours follow what the core announces.
func (c *constellation) answer(core *Core, ready bool) {
	version, serial, _ := core.unicast.agreement.Announcement()
	for _, id := range core.order {
		p := core.ports[id]
		h := frame.Hello{Self: frame.Self{ID: p.peer.ID, Port: p.peer.Port, Instance: 2, Session: 3}, Peer: core.me(p), Seq: p.seqHeard + 1,
			Ack: p.seq, Agree: frame.Agree{Version: uint64(version), Serial: serial, Acked: serial, Ready: ready}}
		core.Input(id, h.Append(nil, portMAC(99)), core.now)
	}
}

// work lets time pass until no Repair is owed.
func work(core *Core) (slices int) {
	for core.unicast.sliceAt > 0 {
		core.pass(core.unicast.sliceAt)
		core.Ready()
		slices++
	}
	return slices
}

// dearer changes the cost of a cable of satellite i, at both ends.
func (c *constellation) dearer(core *Core, i int, cost uint32) {
	near := &c.nodes[i].Links[0]
	end := int(near.Neighbour[4])<<8 | int(near.Neighbour[5])
	at := slices.IndexFunc(c.nodes[end].Links, func(l frame.Link) bool { return l.Port == near.NeighbourPort })
	near.Cost, c.nodes[end].Links[at].Cost = cost, cost
	c.tell(core, i)
	c.tell(core, end)
}

// A cable far away changes. One Ready computes the graph, the tree, the paths, what is legal, and says so. What the core holds when
// all is worked out, it tells per satellite.
func BenchmarkACableChanges(b *testing.B) {
	for _, n := range []int{100, 300, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := constellate(n, 5)
			empty := heapInUse()
			core := c.core()
			work(core)
			c.answer(core, true)
			core.Ready()
			held := heapInUse() - empty
			for i := 0; b.Loop(); i++ {
				b.StopTimer()
				core.pass(core.now + time.Second)
				c.dearer(core, n/2, uint32(3000+i%2*1000))
				was := core.counts.routes
				b.StartTimer()
				e := core.Ready()
				b.StopTimer()
				if core.counts.routes != was+1 || e.Tables == nil {
					b.Fatal("no new paths")
				}
				c.answer(core, false)
				core.Ready()
				b.StartTimer()
			}
			b.ReportMetric(float64(held)/float64(n), "held-bytes/satellite")
			b.ReportMetric(float64(len(core.Snapshot()))/float64(n), "snapshot-bytes/satellite")
		})
	}
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
