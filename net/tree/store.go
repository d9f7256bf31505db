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

// mark is the object's part of the store's digest.
func (o *object) mark() uint64 {
	m := o.key.Origin
	hi := uint64(m[0])<<40 | uint64(m[1])<<32 | uint64(m[2])<<24 | uint64(m[3])<<16 | uint64(m[4])<<8 | uint64(m[5])
	return mix(mix(mix(hi<<16|uint64(o.key.Index))^o.stamp.Seq) ^ o.stamp.Sum)
}

// store holds the link state of all satellites.
type store struct {
	objects map[frame.Key]*object
	origins map[frame.MAC]int // objects per origin
	digest  uint64            // of all objects' keys and stamps, whatever their order
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
	s.origins[o.key.Origin]++
	s.digest ^= o.mark()
}

func (s *store) drop(k frame.Key) {
	o := s.objects[k]
	if o == nil {
		return
	}
	s.digest ^= o.mark()
	delete(s.objects, k)
	if s.origins[k.Origin]--; s.origins[k.Origin] == 0 {
		delete(s.origins, k.Origin)
	}
}

// keys lists the store in order.
func (s *store) keys() []frame.Key {
	return slices.SortedFunc(maps.Keys(s.objects), frame.Key.Compare)
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
		if o := c.store.objects[a.Key]; o == nil || o.stamp.Compare(a.Stamp) <= 0 {
			delete(p.pending, a.Key)
		}
	}
	if len(p.pending) == 0 && len(f.Acks) > 0 {
		p.floodDue = 0
		p.sendHello = p.sendHello || !p.sync.equal // our digest tells whether that was all
	}
	for _, w := range f.Objects {
		c.take(p, w)
	}
}

// take stores a received object if it is newer than ours, and passes it on.
func (c *Core) take(p *port, w frame.Object) {
	stamp := frame.Stamp{Seq: w.Seq, Sum: frame.Sum(w.Body)}
	ack := func() {
		delete(p.pending, w.Key)
		if len(p.acks) < 4*maxIndex {
			p.acks = append(p.acks, frame.Ack{Key: w.Key, Stamp: stamp})
		}
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
	ack()
	node, err := frame.ParseNode(w.Body)
	age := time.Duration(w.Age) * time.Second
	switch {
	case err != nil || w.Key.Index > maxIndex || w.Key.Origin.IsZero() || w.Key.Origin.IsGroup():
		c.counters.Malformed++
		return
	case age >= maxAge-nearDeath:
		c.counters.Stale++
		return
	case !c.store.room(w.Key):
		c.counters.Full++
		return
	}
	o := &object{key: w.Key, stamp: stamp, body: slices.Clone(w.Body), node: node, born: c.now - age}
	c.learn(o, have, p)
	if w.Key.Origin == c.cfg.ID {
		c.restart = true // of an earlier life of ours: if it is no longer so, we say it anew, above that
	}
}

// learn puts a new version into the store and sends it on everywhere but where it came from.
func (c *Core) learn(o, old *object, from *port) {
	c.store.put(o)
	was := frame.Node{}
	if old != nil {
		was = old.node
	}
	c.recabled = c.recabled || was.Main != o.node.Main || !slices.Equal(was.Links, o.node.Links)
	c.recompute = c.recompute || c.recabled || was.Priority != o.node.Priority
	if was.Generation != o.node.Generation {
		c.flush = true
	}
	for _, id := range c.order {
		if q := c.ports[id]; q != from {
			c.enqueue(q, o.key)
		}
	}
}

// compareDigests starts a whole transfer if the peer's store is not ours and nothing under way explains it.
func (c *Core) compareDigests(p *port, digest uint64) {
	s := &p.sync
	s.equal = digest == c.store.digest
	if s.equal {
		s.once = true
		return
	}
	again := s.theirs == digest && s.ours == c.store.digest && c.now-s.at >= redump
	s.theirs, s.ours = digest, c.store.digest
	if s.dumped && (!again || len(p.pending) > 0) {
		return
	}
	s.dumped, s.at = true, c.now
	for k := range c.store.objects {
		c.enqueue(p, k)
	}
}

// agreement is how a port's store compares with its peer's.
type agreement struct {
	dumped       bool // all was sent once
	equal        bool // as of the last Hello
	once         bool // was equal in this life of both engines
	theirs, ours uint64
	asked        uint64 // our digest when we last asked for theirs while resuming
	at           time.Duration
}

// originate says what we are: objects whose content changed, or which grew old, go out under the next sequence.
func (c *Core) originate() {
	said := c.say()
	for _, k := range c.store.keys() { // an earlier life's object that we do not use is emptied
		if k.Origin == c.cfg.ID && said[k.Index] == nil {
			said[k.Index] = &frame.Node{}
		}
	}
	for _, index := range slices.Sorted(maps.Keys(said)) {
		k := frame.Key{Origin: c.cfg.ID, Index: index}
		body := said[index].Append(nil)
		old := c.store.objects[k]
		seq := uint64(1)
		if old != nil {
			if string(old.body) == string(body) && old.age(c.now) < refresh {
				continue
			}
			seq = old.stamp.Seq + 1
		}
		o := &object{key: k, stamp: frame.Stamp{Seq: seq, Sum: frame.Sum(body)}, body: body, node: *said[index], born: c.now}
		c.learn(o, old, nil)
	}
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
	n = firstMACs
	for chunk := range slices.Chunk(c.macs, frame.MaxMACsBody) {
		said[n] = &frame.Node{MACs: chunk}
		n++
	}
	return said
}

// expire drops what its origin did not refresh, and refreshes what is ours.
func (c *Core) expire() {
	for _, k := range c.store.keys() {
		o := c.store.objects[k]
		switch {
		case k.Origin == c.cfg.ID:
			c.restart = c.restart || o.age(c.now) >= refresh
		case o.age(c.now) >= maxAge:
			c.store.drop(k)
			c.recompute, c.recabled = true, true
		}
	}
}
