package tree

import (
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
	if p.sync.tellAt > 0 && c.now >= p.sync.tellAt && p.mayTell(c.now) {
		p.sendHello = true
	}
	if p.sendHello {
		out = append(out, Transmit{p.id, c.sayHello(p)})
	}
	if p.edge.send {
		p.edge.send = false
		out = append(out, Transmit{p.id, p.appendProbe()})
	}
	if p.echo.send {
		p.echo.send = false
		h := frame.Header{Destination: p.peer.MAC, Source: p.link.MAC, Type: frame.TypeEchoRequest}
		out = append(out, Transmit{p.id, frame.Echo{Session: p.session, Serial: p.echo.asked}.Append(nil, h)})
	}
	if p.twoWay && (len(p.acks) > 0 || p.sync.sendSums || p.floodDue > 0 && c.now >= p.floodDue) {
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
		h.Bridge, h.Joined = c.edges.confirmed, p.joined
	}
	p.helloDue = c.now + c.cfg.Hello
	if h.Answer {
		p.backoff = min(max(c.cfg.Retry, 2*p.backoff), c.cfg.Hello)
		p.helloDue = c.now + p.backoff
	}
	return p.seal(h.Append(make([]byte, 0, 512), p.link.MAC))
}

// flood packs acknowledgements, sums and due objects into frames.
func (c *Core) flood(p *port, out []Transmit) []Transmit {
	for range floodBurst {
		c.offer(p)
		f := frame.Flood{Self: c.self(p), Peer: p.peer.Peer}
		room := frame.FloodRoom
		if p.sync.sendSums {
			p.sync.sendSums = false
			f.Sums = c.store.sums[:]
			room -= frame.SumsLen
		}
		n := min(len(p.acks), room/frame.AckLen)
		f.Acks, p.acks = p.acks[:n:n], p.acks[n:]
		room -= n * frame.AckLen
		for {
			k, found := p.nextDue(c.now)
			if !found {
				break
			}
			o := c.store.objects[k]
			if o == nil || !o.sendable(c.now) {
				p.settle(k, c.now)
				continue
			}
			wire := o.wire(c.now)
			if wire.Len() > room {
				break
			}
			room -= wire.Len()
			f.Objects = append(f.Objects, wire)
			p.sending(k, c.now)
		}
		if room == frame.FloodRoom {
			break
		}
		out = append(out, Transmit{p.id, p.seal(f.Append(make([]byte, 0, frame.HeaderLen+frame.MTU-room), p.link.MAC))})
	}
	p.dateFlood(c.now)
	if p.floodDue == 0 && p.sync.differing > 0 {
		p.floodDue = c.now + floodPause
	}
	return out
}
