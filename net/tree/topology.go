package tree

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"

	"decenter/net/frame"
)

// topology is what the link state says of the satellites that can be reached from here.
type topology struct {
	root     frame.MAC
	nodes    map[frame.MAC]*vertex
	order    []frame.MAC // the keys of nodes, ascending
	priority uint16      // the root's
}

// vertex is one satellite that can be reached.
type vertex struct {
	id       frame.MAC
	name     string
	priority uint16
	distance uint64 // from the root
	edges    []frame.Link
	done     bool
}

// cable names a cable as one end tells it.
type cable struct {
	from, to         frame.MAC
	fromPort, toPort uint32
}

// compute finds the root, every distance to it, and from these what we should be.
func (c *Core) compute() {
	t := c.graph()
	t.distances()
	c.announce(t)
	me := t.nodes[c.cfg.ID]
	w := want{vec: frame.Vector{Priority: t.priority, Root: t.root, Distance: me.distance, ID: c.cfg.ID}}
	if t.root != c.cfg.ID {
		for _, l := range me.edges {
			if n := t.nodes[l.Neighbour]; n.distance+uint64(l.Cost) == me.distance && (w.parent.IsZero() || n.id.Compare(w.parent) < 0) {
				w.parent = n.id
			}
		}
	}
	if w.vec != c.want.vec || w.parent != c.want.parent {
		w.since = c.now
		c.want = w
	}
	c.topo = t
	c.edges.stale = true
}

// graph gathers the satellites that can be reached over cables which both ends tell.
func (c *Core) graph() topology {
	told := map[cable]uint32{}
	out := map[frame.MAC][]frame.Link{}
	t := topology{nodes: map[frame.MAC]*vertex{}}
	mains := map[frame.MAC]*frame.Node{}
	for _, k := range c.store.keys() {
		o := c.store.objects[k]
		if o.node.Main {
			mains[k.Origin] = &o.node
		}
		for _, l := range o.node.Links {
			told[cable{k.Origin, l.Neighbour, l.Port, l.NeighbourPort}] = l.Cost
			out[k.Origin] = append(out[k.Origin], l)
		}
	}
	if mains[c.cfg.ID] == nil {
		mains[c.cfg.ID] = &frame.Node{Main: true, Priority: c.cfg.Priority, Name: c.cfg.Name}
	}
	reach := []frame.MAC{c.cfg.ID}
	t.nodes[c.cfg.ID] = &vertex{id: c.cfg.ID}
	for len(reach) > 0 {
		v := t.nodes[reach[0]]
		reach = reach[1:]
		v.name, v.priority = mains[v.id].Name, mains[v.id].Priority
		for _, l := range out[v.id] {
			back, ok := told[cable{l.Neighbour, v.id, l.NeighbourPort, l.Port}]
			if !ok || mains[l.Neighbour] == nil || l.Neighbour == v.id {
				continue
			}
			l.Cost = max(l.Cost, back, 1) // both ends must count alike
			v.edges = append(v.edges, l)
			if t.nodes[l.Neighbour] == nil {
				t.nodes[l.Neighbour] = &vertex{id: l.Neighbour}
				reach = append(reach, l.Neighbour)
			}
		}
	}
	t.order = slices.SortedFunc(maps.Keys(t.nodes), frame.MAC.Compare)
	return t
}

// distances elects the root and runs Dijkstra's algorithm from it.
func (t *topology) distances() {
	t.root, t.priority = t.order[0], t.nodes[t.order[0]].priority
	for _, id := range t.order {
		if v := t.nodes[id]; v.priority < t.priority {
			t.root, t.priority = id, v.priority
		}
		t.nodes[id].distance = ^uint64(0)
	}
	t.nodes[t.root].distance = 0
	q := &frontier{{t.root, 0}}
	for q.Len() > 0 {
		v := t.nodes[heap.Pop(q).(reached).id]
		if v.done {
			continue
		}
		v.done = true
		for _, l := range v.edges {
			if n, d := t.nodes[l.Neighbour], v.distance+uint64(l.Cost); d < n.distance {
				n.distance = d
				heap.Push(q, reached{n.id, d})
			}
		}
	}
}

// announce tells who came and went since the last time.
func (c *Core) announce(t topology) {
	if c.topo.root != t.root {
		c.event(Event{Kind: RootChanged, Neighbour: t.root, Name: t.nodes[t.root].name})
	}
	for _, id := range t.order {
		if c.topo.nodes[id] == nil && id != c.cfg.ID {
			c.event(Event{Kind: SatelliteUp, Neighbour: id, Name: t.nodes[id].name})
			c.reach(id, true)
		}
	}
	for _, id := range c.topo.order {
		if t.nodes[id] == nil {
			c.event(Event{Kind: SatelliteDown, Neighbour: id, Name: c.topo.nodes[id].name})
			c.reach(id, false)
		}
	}
	c.flush = true
}

// reached is an entry of Dijkstra's queue; an id may be there more than once, with falling distance.
type reached struct {
	id       frame.MAC
	distance uint64
}

type frontier []reached

func (f frontier) Len() int { return len(f) }
func (f frontier) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(f[i].distance, f[j].distance), f[i].id.Compare(f[j].id)) < 0
}
func (f frontier) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f *frontier) Push(x any)   { *f = append(*f, x.(reached)) }
func (f *frontier) Pop() any {
	old := *f
	x := old[len(old)-1]
	*f = old[:len(old)-1]
	return x
}
