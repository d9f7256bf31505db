package tree

import (
	"maps"
	"slices"
	"time"

	"decenter/net/frame"
)

// object is one version of one origin's link-state object.
type object struct {
	key   frame.Key
	stamp frame.Stamp
	body  []byte
	node  frame.Node // body, parsed
	born  time.Duration
}

func (o *object) age(now time.Duration) time.Duration { return now - o.born }

func (o *object) wire(now time.Duration) frame.Object {
	age := (o.age(now) + time.Second - 1) / time.Second
	return frame.Object{Key: o.key, Seq: o.stamp.Seq, Age: uint16(min(max(age, 0), 65535)), Body: o.body}
}

// bits are a key's, all of them.
func bits(k frame.Key) uint64 {
	m := k.Origin
	hi := uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
	return mix(hi<<16 | uint64(k.Index))
}

// bucket is the part of the store that a key belongs to.
func bucket(k frame.Key) int { return int(bits(k) % frame.Buckets) }

// mark is the object's part of the store's digest, and of its bucket's sum.
func (o *object) mark() uint64 { return mix(mix(bits(o.key)^o.stamp.Seq) ^ o.stamp.Sum) }

// bulky tells whether an object is one of many and waits where others are urgent: a fragment of MACs.
func bulky(k frame.Key) bool { return k.Index >= firstMACs }

// sendable tells whether an object has long enough to live to be sent and offered.
func (o *object) sendable(now time.Duration) bool { return o.age(now) < life(o.key)*maxAge-nearDeath }

// life is how long an object lives, and is not refreshed, in units of maxAge and refresh. Fragments are many, and a satellite's
// do no harm when it is gone: it cannot be reached.
func life(k frame.Key) time.Duration {
	if bulky(k) {
		return bulkyLife
	}
	return 1
}

// store holds the link state of all satellites.
type store struct {
	objects map[frame.Key]*object
	graph   map[frame.Key]*object // those of objects that are not bulky
	origins map[frame.MAC]int     // objects per origin
	buckets [frame.Buckets][]frame.Key
	sums    [frame.Buckets]uint64 // of each bucket's keys and stamps, whatever their order
	digest  uint64                // of all sums
}

func newStore() store {
	return store{objects: map[frame.Key]*object{}, graph: map[frame.Key]*object{}, origins: map[frame.MAC]int{}}
}

// room tells whether k may be put.
func (s *store) room(k frame.Key) bool {
	if s.objects[k] != nil {
		return true
	}
	return len(s.objects) < maxObjects && (s.origins[k.Origin] > 0 || len(s.origins) < MaxSatellites)
}

func (s *store) put(o *object) {
	s.drop(o.key)
	s.objects[o.key] = o
	if !bulky(o.key) {
		s.graph[o.key] = o
	}
	s.origins[o.key.Origin]++
	b := bucket(o.key)
	s.buckets[b] = append(s.buckets[b], o.key)
	s.sums[b] ^= o.mark()
	s.digest ^= o.mark()
}

func (s *store) drop(k frame.Key) {
	o := s.objects[k]
	if o == nil {
		return
	}
	delete(s.objects, k)
	delete(s.graph, k)
	if s.origins[k.Origin]--; s.origins[k.Origin] == 0 {
		delete(s.origins, k.Origin)
	}
	b := bucket(k)
	at := slices.Index(s.buckets[b], k)
	last := len(s.buckets[b]) - 1
	s.buckets[b][at] = s.buckets[b][last]
	s.buckets[b] = s.buckets[b][:last]
	s.sums[b] ^= o.mark()
	s.digest ^= o.mark()
}

// keys lists in order what bears on paths: all but the fragments of MACs.
func (s *store) keys() []frame.Key {
	return slices.SortedFunc(maps.Keys(s.graph), frame.Key.Compare)
}

// flooded takes a Flood: each object is acknowledged, or answered with the newer one we hold.
func (c *Core) flooded(p *port, f *frame.Flood, b []byte) {
	from := frame.Peer{ID: f.Self.ID, Port: f.Self.Port, Session: f.Self.Session}
	if !p.twoWay || from != p.peer.Peer || f.Peer != c.me(p) {
		c.counters.Stale++
		return
	}
	if c.cfg.Auth != nil {
		switch genuine, news := p.sealed(b, f.Seal); {
		case !genuine:
			c.counters.Forged++
			return
		case !news:
			c.counters.Stale++
			return
		}
	}
	for _, a := range f.Acks {
		c.heldBy(p, a)
	}
	if len(p.pending) == 0 && len(f.Acks) > 0 && !p.sync.equal {
		p.tellDigest(c.now) // it tells whether that was all
	}
	for _, w := range f.Objects {
		c.take(p, w)
	}
	if f.Sums != nil {
		c.compareSums(p, f.Sums)
	}
}

// take stores a received object if it is newer than ours, and passes it on.
func (c *Core) take(p *port, w frame.Object) {
	stamp := frame.Stamp{Seq: w.Seq, Sum: frame.Sum(w.Body)}
	ack := func() {
		p.settle(w.Key, c.now)
		p.acknowledge(frame.Ack{Key: w.Key, Stamp: stamp})
	}
	have := c.store.objects[w.Key]
	if have != nil {
		switch stamp.Compare(have.stamp) {
		case 0:
			ack()
			return
		case -1:
			c.enqueue(p, w.Key)
			return
		}
	}
	if bulky(w.Key) && !p.afford(c.now) {
		c.counters.Full++ // it comes again
		return
	}
	ack()
	node, err := frame.ParseNode(w.Body)
	age := time.Duration(w.Age) * time.Second
	switch {
	case err != nil || w.Key.Index > maxIndex || w.Key.Origin.IsZero() || w.Key.Origin.IsGroup():
		c.counters.Malformed++
		return
	case age >= life(w.Key)*maxAge-nearDeath:
		c.counters.Stale++
		return
	case !c.store.room(w.Key):
		c.counters.Full++
		return
	}
	c.learn(newObject(w.Key, stamp, slices.Clone(w.Body), node, c.now-age), have, p)
	if w.Key.Origin != c.cfg.ID {
		return
	}
	if bulky(w.Key) { // of an earlier life of ours: if it is no longer so, we say it anew, above that
		c.remember(w.Key.Index-firstMACs, w.Body)
		c.own.fragments.touch(w.Key.Index-firstMACs, false)
	} else {
		c.restart = true
	}
}

// newObject makes a version for the store. Claims stay in its body alone, and count in fragments alone.
func newObject(k frame.Key, stamp frame.Stamp, body []byte, node frame.Node, born time.Duration) *object {
	node.MACs, node.Moved = nil, nil
	if bulky(k) {
		node = frame.Node{}
	}
	return &object{key: k, stamp: stamp, body: body, node: node, born: born}
}

// learn puts a new version into the store and sends it on everywhere but where it came from. Fragments of MACs that are no
// news to anybody are only offered: such come in when two stores are exchanged, and most neighbours have them.
func (c *Core) learn(o, old *object, from *port) {
	c.store.put(o)
	delete(c.asked, o.key)
	c.notice(o.key, old, o)
	offer := bulky(o.key) && o.age(c.now) >= newsAge
	for _, id := range c.order {
		switch q := c.ports[id]; {
		case q == from || !q.twoWay:
		case offer:
			q.acknowledge(frame.Ack{Key: o.key, Stamp: o.stamp})
		default:
			c.enqueue(q, o.key)
		}
	}
}

// notice draws the conclusions from an object that changed from old to o; nil: it was not there, or is not any more.
func (c *Core) notice(k frame.Key, old, o *object) {
	none := &object{}
	if old == nil {
		old = none
	}
	if o == nil {
		o = none
	}
	if bulky(k) {
		if c.broken&ruleWithdraw != 0 {
			old = none
		}
		c.index.classless = c.broken&ruleClass != 0
		for _, m := range c.index.take(k, old.body, o.body) {
			c.contend(m.MAC)
		}
		return
	}
	was := old.node
	c.recabled = c.recabled || was.Main != o.node.Main || !slices.Equal(was.Links, o.node.Links)
	c.recompute = c.recompute || c.recabled || was.Priority != o.node.Priority
	if was.Edges != o.node.Edges || !slices.Equal(was.Silent, o.node.Silent) || !sameEdge(was.Edge, o.node.Edge) {
		c.edges.stale = true
	}
	if was.Generation != o.node.Generation {
		c.flush = true
	}
}

// reach notes that a satellite can be reached, or not any more: that decides between those who claim one MAC.
func (c *Core) reach(id frame.MAC, reachable bool) {
	for _, mac := range c.index.reach(id, reachable) {
		c.contend(mac)
	}
	if o, ours := c.own.macs[id]; reachable && ours && o.port != 0 {
		c.disown(id, false) // it was behind an edge while it could not be reached
	}
}

// originate says what we are, but for our MACs: objects whose content changed go out under the next sequence.
func (c *Core) originate() {
	said := c.say()
	for index := range uint16(firstMACs) {
		var body []byte
		if n := said[index]; n != nil { // else it is empty, also if an earlier life said something
			body = n.Append(nil)
		}
		c.tellObject(index, body)
	}
}

// tellObject says one of our objects anew, if it changed or grew old, and tells whether it did. One that is empty is not
// refreshed, so that it is forgotten in the end.
func (c *Core) tellObject(index uint16, body []byte) bool {
	k := frame.Key{Origin: c.cfg.ID, Index: index}
	old := c.store.objects[k]
	seq := uint64(1)
	switch {
	case old == nil && len(body) == 0:
		return false
	case old != nil && string(old.body) == string(body) && (len(body) == 0 || old.age(c.now) < life(k)*refresh):
		return false
	case old != nil:
		seq = old.stamp.Seq + 1
	}
	node, err := frame.ParseNode(body)
	if err != nil {
		panic("tree: " + err.Error()) // our own words
	}
	c.learn(newObject(k, frame.Stamp{Seq: seq, Sum: frame.Sum(body)}, body, node, c.now), old, nil)
	return true
}

// say composes our objects by index.
func (c *Core) say() map[uint16]*frame.Node {
	main := &frame.Node{Main: true, Priority: c.cfg.Priority, Generation: c.gen, Name: c.cfg.Name}
	if c.up != nil {
		main.Parent, main.ParentPort = c.up.peer.ID, uint32(c.up.id)
	}
	said := map[uint16]*frame.Node{0: main}
	n := uint16(0)
	for _, id := range c.order {
		p := c.ports[id]
		if !p.usable() {
			continue
		}
		if len(said[n].Links) == frame.MaxLinksBody {
			n++
			said[n] = &frame.Node{}
		}
		said[n].Links = append(said[n].Links, frame.Link{Neighbour: p.peer.ID, Port: uint32(id),
			NeighbourPort: p.peer.Port, Cost: Cost(p.link.Mbps)})
	}
	c.sayEdges(said)
	return said
}

// expire drops what its origin did not refresh, and has what is ours refreshed.
func (c *Core) expire() {
	var gone []*object
	for k, o := range c.store.objects {
		switch age := o.age(c.now); {
		case age >= life(k)*maxAge && k.Origin != c.cfg.ID:
			gone = append(gone, o)
		case age >= life(k)*maxAge+2*housekeeping && len(o.body) == 0: // after all others, who would take it for newer than its successor
			gone = append(gone, o)
		case age < life(k)*refresh || k.Origin != c.cfg.ID || len(o.body) == 0:
		case bulky(k):
			gone = append(gone, o)
		default:
			c.restart = true
		}
	}
	slices.SortFunc(gone, func(a, b *object) int { return a.key.Compare(b.key) })
	for _, o := range gone {
		if o.key.Origin == c.cfg.ID && len(o.body) > 0 {
			c.own.fragments.touch(o.key.Index-firstMACs, false)
			continue
		}
		c.store.drop(o.key)
		c.notice(o.key, o, nil)
	}
	c.ageHomes()
	maps.DeleteFunc(c.asked, func(_ frame.Key, at time.Duration) bool { return c.now-at >= askAgain })
}
