package tree

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"decenter/net/frame"
	"decenter/net/path"
)

// ErrSnapshot is wrapped by what Restore refuses.
var ErrSnapshot = errors.New("not a snapshot of this satellite's tree")

// snapshotVersion is that of what is written. One of version 1 has no Unicast, as its engine had no paths, and is read.
const snapshotVersion = 2

// snapshot is every promise that is in force: what a restarted engine must keep. The link state is not in it;
// the neighbours have it. Of the graph there is what paths were promised by. With one topology held, as in peace, it has some
// 700 bytes a port, or 1200 with secrets, 8 bytes a satellite and 22 a cable; with as many as can be held, eight times the latter.
type snapshot struct {
	Version    int            `json:"version"`
	ID         frame.MAC      `json:"id"`
	Vector     frame.Vector   `json:"vector"`
	Generation uint32         `json:"generation"`
	Ports      []portSnapshot `json:"ports"`
	Unicast    *path.Memory   `json:"unicast,omitempty"`
}

type portSnapshot struct {
	ID         PortID       `json:"id"`
	Name       string       `json:"name"`
	MAC        frame.MAC    `json:"mac"`
	Up         bool         `json:"up"`
	Session    uint64       `json:"session"`
	Peer       peer         `json:"peer"`
	TwoWay     bool         `json:"two_way"`
	Alive      bool         `json:"alive"`
	Asked      uint64       `json:"asked"`
	Gate       gateState    `json:"gate"`
	Claim      frame.Claim  `json:"claim"`
	Floor      frame.Vector `json:"floor"`
	Heard      frame.Claim  `json:"heard"`
	Bound      frame.Vector `json:"bound"`
	Granted    uint64       `json:"granted"`
	Consent    uint64       `json:"consent"`
	Seq        uint64       `json:"seq"`
	SeqHeard   uint64       `json:"seq_heard"`
	Follows    uint64       `json:"follows"`
	Joined     bool         `json:"joined,omitempty"`
	TheyJoined bool         `json:"they_joined,omitempty"`
	Host       bool         `json:"host,omitempty"` // an edge that let a host's frames through, under that count of Link.Changes
	Met        bool         `json:"met,omitempty"`  // a satellite was heard under that count
	Changes    uint32       `json:"changes,omitempty"`

	Secrets *secretSnapshot `json:"secrets,omitempty"` // with Config.Auth, of a two-way adjacency
}

// secretSnapshot is what an authenticated adjacency goes on with. Who can read it can speak on that one cable in our
// name until the session ends; the file has the mode and the place of the satellite's own secrets.
type secretSnapshot struct {
	Mine   frame.Keys `json:"mine"`
	Theirs frame.Keys `json:"theirs"`
	Out    []byte     `json:"out"`
	In     []byte     `json:"in"`
	Number uint64     `json:"number"`
	Window window     `json:"window"`
}

// A restored port counts on from far above what it may have sent after the snapshot was written.
const (
	seqLeap    = 1 << 32
	serialLeap = 1 << 32
	numberLeap = 1 << 32
)

// Snapshot gives the promises in force, to be stored whenever Effects.Changed says so. It belongs to the gates'
// pinned map: it lives where that lives, and whoever removes the one removes the other.
func (c *Core) Snapshot() []byte {
	s := snapshot{Version: snapshotVersion, ID: c.cfg.ID, Vector: c.vec, Generation: c.gen}
	memory := c.unicast.agreement.Memory()
	s.Unicast = &memory
	hosts := c.hosts()
	for _, id := range c.order {
		p := c.ports[id]
		s.Ports = append(s.Ports, portSnapshot{ID: id, Name: p.link.Name, MAC: p.link.MAC, Up: p.link.Up, Session: p.session,
			Peer: p.peer, TwoWay: p.twoWay, Alive: p.echo.alive, Asked: p.echo.asked, Gate: p.gate, Claim: p.claim,
			Floor: p.floor, Heard: p.heard, Bound: p.bound, Granted: p.granted, Consent: p.consent, Seq: p.seq, SeqHeard: p.seqHeard,
			Joined: p.joined, TheyJoined: p.theyJoined, Host: hosts[id], Met: p.edge.met, Changes: p.edge.changes, Follows: p.accord.follows, Secrets: p.keep()})
	}
	b, err := json.Marshal(s)
	if err != nil {
		panic("tree: " + err.Error()) // plain data always marshals
	}
	return b
}

// Restore takes over the promises of an earlier life. It comes right after New. A port is taken over when Link
// shows the same interface (id, name and address); a port that Link shows otherwise begins anew with its gate
// shut. Until the neighbours have given us the link state, at most Config.Resume, nothing is opened or
// left of our own will. An error wraps ErrSnapshot and leaves the core as it was.
func (c *Core) Restore(b []byte, now time.Duration) error {
	var s snapshot
	switch err := json.Unmarshal(b, &s); {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	case s.Version < 1 || s.Version > snapshotVersion || (s.Version == 1) != (s.Unicast == nil):
		return fmt.Errorf("%w: version %d, not %d", ErrSnapshot, s.Version, snapshotVersion)
	case s.ID != c.cfg.ID:
		return fmt.Errorf("%w: of %v, not of %v", ErrSnapshot, s.ID, c.cfg.ID)
	case len(s.Ports) > MaxPorts || len(c.ports) > 0:
		return fmt.Errorf("%w: %d ports, and the core has %d", ErrSnapshot, len(s.Ports), len(c.ports))
	}
	if err := s.check(c.cfg.Auth); err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	agreement, err := s.recall(c.cfg.Colours)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSnapshot, err)
	}
	c.pass(now)
	c.unicast.resume(agreement, c.now)
	c.vec, c.gen = s.Vector, s.Generation
	c.want = want{vec: c.vec, since: now}
	c.calmUntil, c.leftUntil = c.now+c.cfg.Drain, c.now+c.cfg.Drain
	for _, ps := range s.Ports {
		p := ps.port(c.now)
		if c.cfg.Auth != nil && !p.twoWay { // its ephemeral key is gone, and with it the session
			c.renew(p)
			p.unbind()
		}
		c.ports[p.id] = p
		c.order = append(c.order, p.id)
		if p.gate == gateUp {
			c.up = p
		}
		if p.twoWay {
			c.resumeBy = c.now + c.cfg.Resume
		}
	}
	c.changed = true
	return nil
}

func (ps *portSnapshot) port(now time.Duration) *port {
	p := &port{id: ps.ID, absent: true, link: Link{Name: ps.Name, MAC: ps.MAC, Up: ps.Up}, session: ps.Session, peer: ps.Peer,
		twoWay: ps.TwoWay, gate: ps.Gate, claim: ps.Claim, floor: ps.Floor, heard: ps.Heard, bound: ps.Bound,
		granted: ps.Granted, consent: ps.Consent, seq: ps.Seq + seqLeap, seqHeard: ps.SeqHeard, heardAt: now,
		proof: 1}
	if s := ps.Secrets; s != nil {
		p.sec = secrets{mine: s.Mine, nonceAt: now, theirs: s.Theirs, keyed: true, out: [keyLen]byte(s.Out), in: [keyLen]byte(s.In),
			number: s.Number + numberLeap, window: s.Window}
	}
	p.accord = accord{follows: ps.Follows, since: now, old: true}
	p.joined = ps.Joined || ps.Gate != gateShut // before there were edges, all cables were
	p.theyJoined = ps.TheyJoined                // they may be silent, and must not be parted from for that
	p.theirBridge, p.edge = frame.NoBridge, edgePort{host: ps.Host, met: ps.Met || ps.TwoWay, changes: ps.Changes}
	p.echo = echo{alive: ps.Alive, asked: ps.Asked + serialLeap, heard: ps.Asked + serialLeap, due: now}
	p.tell()
	return p
}

// recall makes the agreement of the snapshot. It is kept with those neighbours alone with whom there is a session; and with as
// many colours as before, or frames on their way would take one colour for another.
func (s *snapshot) recall(colours int) (*path.Agreement, error) {
	memory := path.Memory{}
	if s.Unicast != nil {
		memory = *s.Unicast
	}
	if memory.Serial > 0 && memory.Colours != colours {
		return nil, fmt.Errorf("%d colours, not %d", memory.Colours, colours)
	}
	a, err := path.Recall(s.ID, memory)
	if err != nil {
		return nil, err
	}
	told := 0
	for i := range s.Ports {
		p := &s.Ports[i]
		switch {
		case p.TwoWay && s.Unicast == nil:
			a.Up(path.Port(p.ID), p.Peer.ID, p.Peer.Port)
		case p.TwoWay && !a.Hears(path.Port(p.ID), p.Peer.ID, p.Peer.Port):
			return nil, fmt.Errorf("port %d: no word of the neighbour's paths", p.ID)
		case p.TwoWay:
			told++
		}
	}
	if told != len(memory.Peers) {
		return nil, errors.New("paths agreed upon with nobody")
	}
	return a, nil
}

// keep is what is stored of a port's secrets: nothing while nothing is promised under them.
func (p *port) keep() *secretSnapshot {
	s := &p.sec
	if !p.twoWay || !s.keyed {
		return nil
	}
	return &secretSnapshot{Mine: s.mine, Theirs: s.theirs, Out: s.out[:], In: s.in[:], Number: s.number, Window: s.window}
}

// check refuses what this program cannot have written, in particular promises that contradict one another, and those
// made to somebody who did not prove himself, or under another key of ours.
func (s *snapshot) check(a *Auth) error {
	ups := 0
	for i, p := range s.Ports {
		bad := ""
		switch {
		case p.ID == 0 || p.Session == 0 || i > 0 && s.Ports[i-1].ID >= p.ID:
			bad = "no session, or out of order"
		case p.Secrets != nil && (len(p.Secrets.Out) != keyLen || len(p.Secrets.In) != keyLen):
			bad = "keys cut short"
		case a != nil && p.TwoWay && (p.Secrets == nil || p.Secrets.Mine.Public != a.Public):
			bad = "neighbour without keys, or of another key of ours"
		case a == nil && p.Secrets != nil:
			bad = "keys where nobody proves himself"
		case p.Gate > gateDown || p.Gate != gateShut && !p.TwoWay:
			bad = "gate without neighbour"
		case p.Gate == gateUp && (!p.Claim.Join || s.Vector.Less(p.Floor)):
			bad = "gate up against its promise"
		case p.Gate == gateDown && (p.Claim.Join || !s.Vector.Less(p.Bound)):
			bad = "gate down against its promise"
		}
		if bad != "" {
			return fmt.Errorf("port %d: %s", p.ID, bad)
		}
		if p.Gate == gateUp {
			ups++
		}
	}
	if ups > 1 {
		return errors.New("two parents")
	}
	return nil
}

// caughtUp ends the takeover once the neighbours we had have given us their link state, and nobody whom it names
// is missing from it (as would be while all satellites restart at once).
func (c *Core) caughtUp() {
	had, equal := 0, 0
	for _, p := range c.ports {
		if p.twoWay {
			had++
			if p.sync.once {
				equal++
			} else if p.sync.asked != c.store.digest && p.mayTell(c.now) {
				p.sync.asked = c.store.digest
				p.tell() // its answer carries its digest
			}
		}
	}
	switch {
	case c.dangling():
	case equal == had:
		c.resumed()
	case equal > 0 && c.resumeSoon == 0:
		c.resumeSoon = c.now + 2*c.cfg.Hello
	}
}

// dangling tells whether the store names a neighbour of whom it holds nothing.
func (c *Core) dangling() bool {
	for _, o := range c.store.graph {
		for _, l := range o.node.Links {
			if c.store.graph[frame.Key{Origin: l.Neighbour}] == nil {
				return true
			}
		}
	}
	return len(c.store.graph) == 0
}

// resumed ends the takeover: the core acts on what it knows.
func (c *Core) resumed() {
	c.resumeBy, c.resumeSoon = 0, 0
	c.restart, c.recompute = true, true
	for _, id := range slices.Clone(c.order) {
		if c.ports[id].absent {
			c.Remove(id, c.now)
		}
	}
	c.event(Event{Kind: Resumed})
}
