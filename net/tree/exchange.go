package tree

import (
	"time"

	"decenter/net/frame"
)

// agreement is how a port's store compares with its peer's. Hellos carry the digests of both. While these differ, and
// nothing under way explains it, the ends show one another the sums of their buckets. What a differing bucket holds is then
// sent, or, of fragments of MACs, offered: an acknowledgement tells which version we have. Who has an older one, or
// none, says so by an acknowledgement too, to one neighbour at a time, and that one sends it.
type agreement struct {
	equal        bool // as of the last Hello
	once         bool // was equal in this life of both engines
	theirs, ours uint64
	asked        uint64        // our digest when we last asked for theirs while resuming
	at           time.Duration // when we last had our sums sent; 0: never
	pause        time.Duration // to the next time, longer when that changed nothing
	sendSums     bool
	answered     time.Duration // when we last looked at theirs; 0: never
	differs      [frame.Buckets]bool
	differing    int           // how many of differs are to be offered still
	tellAt       time.Duration // when to tell our digest, at the latest; 0: with the next Hello
	told         time.Duration // when we last did out of turn
}

// compareDigests has the stores compared if the peer's is not ours and nothing under way explains it.
func (c *Core) compareDigests(p *port, digest uint64) {
	s := &p.sync
	s.equal = digest == c.store.digest
	if s.equal {
		s.once, s.pause = true, 0
		return
	}
	again := s.theirs == digest && s.ours == c.store.digest
	if !again {
		s.pause = resync
	}
	since := c.now - s.at
	if s.at > 0 && (since < s.pause || len(p.pending) > 0 && since < patience) {
		return
	}
	if again {
		s.pause = min(2*s.pause, maxResync)
	}
	s.theirs, s.ours = digest, c.store.digest
	c.showSums(p)
}

func (c *Core) showSums(p *port) {
	p.sync.at, p.sync.sendSums = max(c.now, 1), true
	p.floodDue = max(c.now, 1)
}

// compareSums takes the sums of the peer's store.
func (c *Core) compareSums(p *port, theirs []uint64) {
	s := &p.sync
	if s.answered > 0 && c.now-s.answered < resync/2 {
		c.counters.Full++
		return
	}
	s.answered = max(c.now, 1)
	s.differing = 0
	for i, sum := range theirs {
		if s.differs[i] = sum != c.store.sums[i]; s.differs[i] {
			s.differing++
		}
	}
	if s.differing == 0 {
		return
	}
	p.floodDue = max(c.now, 1)
	if s.at == 0 || c.now-s.at >= resync {
		c.showSums(p)
	}
	for _, k := range c.store.keys() {
		if o := c.store.objects[k]; s.differs[bucket(k)] && o.sendable(c.now) {
			c.enqueue(p, k)
		}
	}
}

// offer has the next differing buckets' fragments acknowledged, as many as fill a few frames.
func (c *Core) offer(p *port) {
	s := &p.sync
	for i := 0; i < frame.Buckets && s.differing > 0 && len(p.acks) < floodBurst*frame.FloodRoom/frame.AckLen; i++ {
		if !s.differs[i] {
			continue
		}
		s.differs[i] = false
		s.differing--
		for _, k := range c.store.buckets[i] {
			if o := c.store.objects[k]; bulky(k) && o.sendable(c.now) {
				p.acknowledge(frame.Ack{Key: k, Stamp: o.stamp})
			}
		}
	}
}

// heldBy takes an acknowledgement: the peer holds this version.
func (c *Core) heldBy(p *port, a frame.Ack) {
	o := c.store.objects[a.Key]
	if o == nil || o.stamp.Compare(a.Stamp) <= 0 {
		p.settle(a.Key, c.now)
	}
	switch {
	case o == nil && a.Stamp.Seq > 0:
		c.ask(p, frame.Ack{Key: a.Key})
	case o == nil:
	case o.stamp.Compare(a.Stamp) < 0:
		c.ask(p, frame.Ack{Key: a.Key, Stamp: o.stamp})
	case o.stamp.Compare(a.Stamp) > 0:
		if _, waits := p.pending[a.Key]; !waits && o.sendable(c.now) {
			c.enqueue(p, a.Key)
		}
	}
}

// ask tells that we hold an older version, unless somebody was told of late: he will send it.
func (c *Core) ask(p *port, a frame.Ack) {
	if at, asked := c.asked[a.Key]; asked && c.now-at < askAgain || a.Key.Index > maxIndex || !c.store.room(a.Key) {
		return
	}
	if len(c.asked) >= maxObjects {
		clear(c.asked)
	}
	if p.acknowledge(a) {
		c.asked[a.Key] = c.now
	}
}

// tellDigest has our digest told by a Hello, soon and not too often.
func (p *port) tellDigest(now time.Duration) {
	if p.sync.tellAt == 0 {
		p.sync.tellAt = max(now, p.sync.told+digestPause, 1)
	}
}

// mayTell tells whether our digest may be told out of turn now; if not, it is dated.
func (p *port) mayTell(now time.Duration) bool {
	s := &p.sync
	if s.told > 0 && now < s.told+digestPause {
		p.tellDigest(now)
		return false
	}
	s.told, s.tellAt = max(now, 1), 0
	return true
}
