package tree

import (
	"slices"
	"time"

	"decenter/net/frame"
)

// outbox is what a port has to send of the store. An object that was enqueued is in pending until the peer acknowledges
// that version or a later one; it is in line, or on its way and then sent again every reflood. All that takes time in
// proportion to what is sent, not to what waits.
type outbox struct {
	pending map[frame.Key]time.Duration // when last sent; 0: in line
	urgent  []frame.Key                 // in line, before bulk; some have left pending meanwhile
	bulk    []frame.Key
	sent    []sending // in the order of time; some were acknowledged, or sent again
	flying  int       // bulky objects of pending that were sent

	acks      []frame.Ack
	floodDue  time.Duration // when something is due; 0: nothing
	floodNext time.Duration // not before
}

type sending struct {
	key frame.Key
	at  time.Duration
}

// enqueue has an object sent on a port until it is acknowledged.
func (c *Core) enqueue(p *port, k frame.Key) {
	if !p.twoWay {
		return
	}
	at, waits := p.pending[k]
	if waits && at == 0 {
		return
	}
	if waits && bulky(k) {
		p.flying--
	}
	if p.pending == nil {
		p.pending = map[frame.Key]time.Duration{}
	}
	p.pending[k] = 0
	if bulky(k) {
		p.bulk = p.tidy(append(p.bulk, k))
	} else {
		p.urgent = p.tidy(append(p.urgent, k))
	}
	p.floodDue = max(c.now, 1)
}

// tidy bounds a line whose entries leave it unsent: each key once, and only if it is in line.
func (b *outbox) tidy(line []frame.Key) []frame.Key {
	if len(line) < 2*len(b.pending)+1024 {
		return line
	}
	met := make(map[frame.Key]bool, len(b.pending))
	return slices.DeleteFunc(line, func(k frame.Key) bool {
		at, waits := b.pending[k]
		again := met[k]
		met[k] = true
		return again || !waits || at != 0
	})
}

// settle takes an object off: the peer has it, or it is not to be sent any more.
func (b *outbox) settle(k frame.Key, now time.Duration) {
	at, waits := b.pending[k]
	if !waits {
		return
	}
	delete(b.pending, k)
	if at > 0 && bulky(k) {
		b.flying--
		if len(b.bulk) > 0 {
			b.floodDue = max(now, 1)
		}
	}
	if len(b.pending) == 0 {
		b.urgent, b.bulk, b.sent, b.floodDue = nil, nil, nil, 0
	}
}

// nextDue gives the object to be sent next, until sending or settle is told of it.
func (b *outbox) nextDue(now time.Duration) (k frame.Key, found bool) {
	for len(b.sent) > 0 {
		s := b.sent[0]
		if at, waits := b.pending[s.key]; waits && at == s.at {
			if now-s.at < reflood {
				break
			}
			return s.key, true
		}
		b.sent = b.sent[1:]
	}
	if k, found = b.first(&b.urgent); found {
		return k, true
	}
	if b.flying >= inFlight {
		return k, false
	}
	return b.first(&b.bulk)
}

// first is the first of a line that is in line still.
func (b *outbox) first(line *[]frame.Key) (k frame.Key, found bool) {
	for len(*line) > 0 {
		k = (*line)[0]
		if at, waits := b.pending[k]; waits && at == 0 {
			return k, true
		}
		*line = (*line)[1:]
	}
	return k, false
}

// sending notes that an object goes out now.
func (b *outbox) sending(k frame.Key, now time.Duration) {
	now = max(now, 1)
	if b.pending[k] == 0 && bulky(k) {
		b.flying++
	}
	b.pending[k] = now
	b.sent = append(b.sent, sending{k, now})
}

// acknowledge has an acknowledgement sent, or loses it: it is bounded, and what is lost is asked for again.
func (b *outbox) acknowledge(a frame.Ack) bool {
	if len(b.acks) >= maxAcks {
		return false
	}
	b.acks = append(b.acks, a)
	return true
}

// afford bounds what a neighbour has us take and pass on of MACs: the generic cell rate algorithm of ITU-T I.371.
func (p *port) afford(now time.Duration) bool {
	if now < p.taken-takeBurst*takePace {
		return false
	}
	p.taken = max(p.taken, now) + takePace
	return true
}

// dateFlood finds when something is due next.
func (b *outbox) dateFlood(now time.Duration) {
	b.floodDue = 0
	if len(b.acks) == 0 {
		b.acks = nil
	}
	if _, found := b.nextDue(now); found || len(b.acks) > 0 {
		b.floodDue = now + floodPause
	} else if len(b.sent) > 0 {
		b.floodDue = max(b.sent[0].at+reflood, now+floodPause)
	}
}
