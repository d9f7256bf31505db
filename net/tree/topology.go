package tree

import (
	"decenter/net/frame"
	"decenter/net/path"
)

// topology is what the link state says of the satellites that can be reached from here.
type topology struct {
	graph    *path.Topology // nil before the first
	root     frame.MAC
	nodes    map[frame.MAC]*vertex
	order    []frame.MAC // the keys of nodes, ascending, which is also by index in graph
	priority uint16      // the root's
}

// vertex is one satellite that can be reached.
type vertex struct {
	id       frame.MAC
	name     string
	priority uint16
	distance uint64 // from the root
	index    int
}

// links gives the cables of a satellite that can be reached.
func (t *topology) links(v *vertex) []frame.Link { return t.graph.Links(v.index) }

// compute finds the root, every distance to it, and from these what we should be. The graph is that of the unicast paths too.
func (c *Core) compute() {
	t := c.gather()
	t.elect()
	c.announce(t)
	me := t.nodes[c.cfg.ID]
	w := want{vec: frame.Vector{Priority: t.priority, Root: t.root, Distance: me.distance, ID: c.cfg.ID}}
	if t.root != c.cfg.ID {
		for _, l := range t.links(me) {
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

// gather finds the satellites that can be reached over cables which both ends tell. The graph is built anew only if somebody's
// cables changed.
func (c *Core) gather() topology {
	mains := map[frame.MAC]*frame.Node{c.cfg.ID: {Main: true, Priority: c.cfg.Priority, Name: c.cfg.Name}}
	for k, o := range c.store.objects {
		if o.node.Main {
			mains[k.Origin] = &o.node
		}
	}
	t := topology{graph: c.topo.graph, nodes: map[frame.MAC]*vertex{}}
	if c.recabled || t.graph == nil {
		var told []path.Told
		for k, o := range c.store.objects {
			if mains[k.Origin] != nil && (o.node.Main || len(o.node.Links) > 0) {
				told = append(told, path.Told{ID: k.Origin, Links: o.node.Links})
			}
		}
		graph, err := path.NewTopology(c.cfg.ID, told)
		if err != nil {
			panic("tree: " + err.Error()) // the store holds fewer than can be counted
		}
		t.graph, c.recabled = graph, false
		c.counts.graphs++
	}
	for i := range t.graph.Len() {
		id := t.graph.ID(i)
		v := &vertex{id: id, index: i}
		if m := mains[id]; m != nil {
			v.name, v.priority = m.Name, m.Priority
		}
		t.nodes[id], t.order = v, append(t.order, id)
	}
	return t
}

// elect finds the root and the distances from it.
func (t *topology) elect() {
	t.root, t.priority = t.order[0], t.nodes[t.order[0]].priority
	for _, id := range t.order {
		if v := t.nodes[id]; v.priority < t.priority {
			t.root, t.priority = id, v.priority
		}
	}
	for i, d := range t.graph.Distances(t.nodes[t.root].index) {
		t.nodes[t.order[i]].distance = d
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
