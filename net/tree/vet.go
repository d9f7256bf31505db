package tree

import "decenter/net/frame"

// This file is all that judges who says a Hello. What comes past vet is either sealed by the neighbour of a two-way
// adjacency, or proven, here and now, by a satellite that is admitted and alone on the cable.

// vet tells whether a Hello is to be used. Whatever is not moves nothing of an adjacency that is two-way.
func (c *Core) vet(p *port, h *frame.Hello, src frame.MAC, b []byte) bool {
	neighbours := p.twoWay && end(h) == p.peer.Peer
	if neighbours {
		genuine, news := p.sealed(b, h.Seal)
		switch {
		case genuine && !news:
			c.counters.Stale++
			return false
		case genuine:
			return c.stays(p, h)
		}
	}
	if p.twoWay {
		c.counters.Unsealed++
	}
	if !c.identified(p, h) || !c.spend(p) {
		return false
	}
	// A proof covers keys and sessions, and nothing else of the Hello: whoever has the neighbour's can put it into his own.
	if neighbours || !c.proven(p, h) {
		c.meet(p, h, src)
		return false
	}
	return c.alone(p, h)
}

// stays tells whether the neighbour is admitted still.
func (c *Core) stays(p *port, h *frame.Hello) bool {
	if id, admitted := c.cfg.Auth.Identify(p.sec.theirs.Public); !admitted || id != h.Self.ID {
		c.reset(p, "no longer admitted")
		c.refuse(p, h, "not admitted")
		return false
	}
	p.others.id, p.others.at = frame.Peer{ID: h.Self.ID, Port: h.Self.Port}, c.now
	if h.Keys != (frame.Keys{}) {
		p.sec.theirs.Nonce = h.Keys.Nonce // it may not be two-way yet, and want another proof
	}
	return true
}

// identified tells whether the key that a Hello shows belongs to the id it claims, and is admitted. It need not be the
// sender's.
func (c *Core) identified(p *port, h *frame.Hello) bool {
	if h.Self.ID == c.cfg.ID {
		q := c.ports[PortID(h.Self.Port)]
		switch {
		case q == nil || q.session != h.Self.Session || q.sec.mine.Public != h.Keys.Public:
			c.refuse(p, h, "it claims our id")
		case !p.twoWay: // else somebody says our own words back at us, for a neighbour is there
			c.loops(p, h)
		}
		return false
	}
	if h.Keys == (frame.Keys{}) {
		c.refuse(p, h, "it shows no key")
		return false
	}
	id, admitted := c.cfg.Auth.Identify(h.Keys.Public)
	switch {
	case id != h.Self.ID:
		c.refuse(p, h, "its id is not its key's")
	case !admitted:
		c.refuse(p, h, "not admitted")
	default:
		return true
	}
	return false
}

// refuse has nothing to do with the sender of a Hello.
func (c *Core) refuse(p *port, h *frame.Hello, why string) {
	o := &p.others
	c.counters.Stray++
	if p.twoWay { // whoever it is, he does not speak for our neighbour
		return
	}
	if o.refused.IsZero() || o.refused != h.Self.ID && c.now-o.refusedTold >= c.cfg.Hello {
		c.event(Event{Kind: PortRefused, Port: p.id, Neighbour: h.Self.ID, Name: h.Name, Why: why})
		o.refusedTold = c.now
	}
	o.refused, o.refusedAt = h.Self.ID, c.now
}

// spend bounds what strangers can have us work.
func (c *Core) spend(p *port) bool {
	s := &p.sec
	if c.now-s.metFrom >= c.cfg.Hello {
		s.met, s.metFrom = 0, c.now
	}
	if s.met >= meetings {
		c.counters.Full++
		return false
	}
	s.met++
	return true
}

// meet answers a Hello that proves nothing yet: with our proof, which lets its sender make his. A port that has a
// neighbour, or too many, goes on as it is.
func (c *Core) meet(p *port, h *frame.Hello, src frame.MAC) {
	from := end(h)
	if p.twoWay || c.shared(p) {
		if c.now-p.sec.guest.at < answerPause && p.sec.guest.peer != (frame.Peer{}) {
			return
		}
		p.sec.guest = guest{from, h.Keys, c.now}
		if p.twoWay {
			p.tell()
		}
		return
	}
	if from != p.peer.Peer || h.Keys.Public != p.sec.theirs.Public || h.Keys.Ephemeral != p.sec.theirs.Ephemeral {
		c.bind(p, h)
	}
	p.sec.theirs = h.Keys
	p.heardAt, p.peer.MAC, p.peer.Name = c.now, src, h.Name
	p.sendHello = p.sendHello || h.Answer
}

// shared tells whether a port is held shut because not one neighbour alone was heard there.
func (c *Core) shared(p *port) bool { return c.now < p.others.looped || c.now < p.others.until }

// alone notes who proved himself, and tells whether nobody else did of late.
func (c *Core) alone(p *port, h *frame.Hello) bool {
	c.crowds(p, h)
	if c.shared(p) {
		if p.peer.Peer != (frame.Peer{}) {
			c.reset(p, "not one neighbour alone")
		}
		return false
	}
	p.others.refused = frame.MAC{}
	theirs := p.sec.theirs
	if end(h) == p.peer.Peer && !p.twoWay && (h.Keys.Public != theirs.Public || h.Keys.Ephemeral != theirs.Ephemeral) {
		c.bind(p, h) // somebody had shown keys of his own in the name of this one
	}
	return true
}

// completes tells whether a proven Hello ends the handshake: it names our session, and its seal shows that the sender
// has the keys too.
func (c *Core) completes(p *port, h *frame.Hello, b []byte) bool {
	if h.Peer != c.me(p) {
		return false
	}
	if genuine, _ := p.sealed(b, h.Seal); !genuine {
		c.counters.Forged++
		return false
	}
	return true
}

// introduce adds our keys to a Hello, so that others on the cable can tell that we are there, and a proof for as long as
// the neighbour may need it: it uses, and acknowledges, nothing before. A guest gets his in turn.
func (c *Core) introduce(p *port, h *frame.Hello) {
	s := &p.sec
	h.Keys, h.Untold = s.mine, !p.twoWay
	if c.now-s.guest.at >= 2*c.cfg.Hello {
		s.guest = guest{}
	}
	guests, waits := s.guest.peer != (frame.Peer{}), p.peer.Peer != (frame.Peer{}) && p.acked == 0
	switch {
	case waits && (!guests || p.seq%2 == 0):
		h.Proof = c.prove(p, p.peer.Peer, s.theirs)
	case guests:
		h.Proof = c.prove(p, s.guest.peer, s.guest.keys)
	}
}
