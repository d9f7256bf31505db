package tree

import (
	"maps"
	"slices"
	"time"

	"decenter/net/frame"
)

// A port sends at most floodBurst Floods at once and then pauses, so that what changes often in a burst is sent
// in its last version only.
const (
	floodBurst = 8
	floodPause = time.Millisecond
)

// transmit adds what the port has to send.
func (c *Core) transmit(p *port, out []Transmit) []Transmit {
	if p.sendHello {
		out = append(out, Transmit{p.id, c.sayHello(p)})
	}
	if p.echo.send {
		p.echo.send = false
		h := frame.Header{Destination: p.peer.MAC, Source: p.link.MAC, Type: frame.TypeEchoRequest}
		out = append(out, Transmit{p.id, frame.Echo{Session: p.session, Serial: p.echo.asked}.Append(nil, h)})
	}
	if p.twoWay && (len(p.acks) > 0 || p.floodDue > 0 && c.now >= p.floodDue) {
		if c.now < p.floodNext {
			p.floodDue = p.floodNext
			return out
		}
		p.floodNext = c.now + floodPause
		out = c.flood(p, out)
	}
	return out
}

// sayHello makes the Hello and dates the next one: soon if this one wants an answer.
func (c *Core) sayHello(p *port) []byte {
	p.sendHello = false
	p.seq++
	h := frame.Hello{Self: c.self(p), Peer: p.peer.Peer, Seq: p.seq, Ack: p.seqHeard,
		Answer: p.peer.Peer != (frame.Peer{}) && p.acked < p.changedSeq, Name: c.cfg.Name, Digest: c.store.digest}
	if c.cfg.Auth != nil {
		c.introduce(p, &h)
	}
	if p.twoWay {
		h.Claim, h.Seen, h.Grant, h.Agree = p.claim, p.heard.Number, p.granted, p.accord.said
	}
	p.helloDue = c.now + c.cfg.Hello
	if h.Answer {
		p.backoff = min(max(c.cfg.Retry, 2*p.backoff), c.cfg.Hello)
		p.helloDue = c.now + p.backoff
	}
	return p.seal(h.Append(make([]byte, 0, 512), p.link.MAC))
}

// flood packs acknowledgements and due objects into frames.
func (c *Core) flood(p *port, out []Transmit) []Transmit {
	due := p.dueObjects(c.now)
	for range floodBurst {
		if len(due) == 0 && len(p.acks) == 0 {
			break
		}
		f := frame.Flood{Self: c.self(p), Peer: p.peer.Peer}
		room := frame.FloodRoom
		n := min(len(p.acks), room/frame.AckLen)
		f.Acks, p.acks = p.acks[:n:n], p.acks[n:]
		room -= n * frame.AckLen
		for len(due) > 0 {
			o, ok := c.store.objects[due[0]]
			if !ok || o.age(c.now) >= maxAge-nearDeath {
				delete(p.pending, due[0])
				due = due[1:]
				continue
			}
			wire := o.wire(c.now)
			if wire.Len() > room {
				break
			}
			room -= wire.Len()
			f.Objects = append(f.Objects, wire)
			p.pending[due[0]] = c.now
			due = due[1:]
		}
		if len(f.Objects)+len(f.Acks) > 0 {
			out = append(out, Transmit{p.id, p.seal(f.Append(make([]byte, 0, frame.HeaderLen+frame.MTU-room), p.link.MAC))})
		}
	}
	p.dateFlood(c.now)
	return out
}

// dueObjects lists, in order, what was not sent yet or not acknowledged in time.
func (p *port) dueObjects(now time.Duration) []frame.Key {
	var due []frame.Key
	for k, sent := range p.pending {
		if sent == 0 || now-sent >= reflood {
			due = append(due, k)
		}
	}
	slices.SortFunc(due, frame.Key.Compare)
	return due
}

// dateFlood finds when something of pending, or an acknowledgement, is due next.
func (p *port) dateFlood(now time.Duration) {
	p.floodDue = 0
	for sent := range maps.Values(p.pending) {
		at := max(sent+reflood, now+floodPause)
		if sent == 0 {
			at = now + floodPause
		}
		if p.floodDue == 0 || at < p.floodDue {
			p.floodDue = at
		}
	}
	if len(p.acks) > 0 {
		p.floodDue = now + floodPause
	}
}

// enqueue has an object sent on a port until it is acknowledged.
func (c *Core) enqueue(p *port, k frame.Key) {
	if p.twoWay {
		p.pending[k] = 0
		p.floodDue = max(c.now, 1)
	}
}
