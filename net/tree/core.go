package tree

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"decenter/net/frame"
	"decenter/net/path"
	"decenter/net/rstp"
)

// PortID is a fabric port: the index of its network interface, never 0.
type PortID uint32

// Link is what the kernel says about a port.
type Link struct {
	Name string
	Up   bool      // has carrier and is administratively up
	Mbps uint64    // speed in Mbit/s; 0: not known, taken for 1000
	MAC  frame.MAC // the source of what we send there
	// Changes counts changes of carrier since the interface is there, as Linux does (carrier_changes); 0: not known.
	Changes uint32
}

// Gate is what a port's gate is to become.
type Gate struct {
	Port PortID
	Open bool
}

// Transmit is a whole frame to send out of a port.
type Transmit struct {
	Port  PortID
	Frame []byte
}

// Edge is what a port without a satellite behind it is to let through.
type Edge struct {
	Port  PortID
	State rstp.State
}

// Home tells where a MAC lives. A home may be a satellite that cannot be reached at the time, so that a satellite that comes
// and goes changes the homes of contested MACs alone: a data path takes a home that its Tables do not name for none. A
// satellite is home to its own id whenever it can be reached.
type Home struct {
	MAC       frame.MAC
	Satellite frame.MAC // zero: nobody says that it is home to the MAC
}

// Effects is what the caller does next, in this order:
//
//  1. apply the closings of Gates, Live and Edges (a lower state than before); forget the addresses learned on the ports of
//     Flush; if Tables is not nil, forward only what both the tables of before and these would, and by the same port;
//  2. if Changed, store Snapshot() where the next start finds it, replacing the old one whole;
//  3. send Send; a failing send is a lost frame;
//  4. apply the openings of Gates, Live and Edges, and follow Tables;
//  5. apply Homes; if FlushLearned, forget every learned address of every port.
//
// A core that starts knows no homes, and tells all of them as it learns them. A caller whose data path outlived the core before
// keeps the old homes until a minute or so after the event Resumed, and then forgets those that were not told again.
//
// The order is what the proofs in the package comment and in package path stand on. A caller that cannot do 2 removes the
// stored snapshot before it goes on, so that the next start begins anew. A core that begins anew shuts all in its first Effects,
// and gives Tables that lead nowhere: what an earlier life left in the data path is gone before anything is said.
type Effects struct {
	Gates        []Gate       // broadcast
	Live         []Gate       // unicast: Open says that cable and neighbour work; else no frame goes out, and none that comes in counts
	Edges        []Edge       // to the legacy; the data path keeps them open for Config.EdgeLease after the last Ready only
	Flush        []PortID     // edge ports
	Tables       *path.Tables // unicast: paths and detours; never changed once given; nil: as before; without Routes: none
	Homes        []Home       // changes, perhaps the same twice; at most 16,384, and more with the next Ready, which Deadline asks for at once
	Send         []Transmit
	Events       []Event
	Deadline     time.Duration // call Tick at this time, or as soon after as possible
	Changed      bool
	FlushLearned bool
}

// want is what the link state says we should be.
type want struct {
	vec    frame.Vector
	parent frame.MAC // zero: we are the root
	since  time.Duration
}

// Core is one satellite's part of the tree. It is not safe for concurrent use, starts nothing and waits for
// nothing: inputs and the time go in, Ready tells what to do.
type Core struct {
	cfg      Config
	now      time.Duration
	sessions uint64 // how many were made

	// vec is where we stand. It changes in setVec alone, which keeps every open gate's promise.
	vec  frame.Vector
	want want
	up   *port // the one port whose gate is open toward a parent, or nil

	calmUntil time.Duration // what was under way when a gate last shut, or a promise to a child moved, has arrived then
	leftUntil time.Duration // the same, of the gate toward a parent

	ports map[PortID]*port
	order []PortID // the keys of ports, ascending

	store store
	asked map[frame.Key]time.Duration // objects that somebody has and we asked for
	index index
	own   own
	gen   uint32 // counts changes of our gates
	topo  topology
	edges edges

	unicast unicast
	counts  counts

	// resumeBy is when a restored core stops waiting for its neighbours' link state; 0: it does not wait.
	resumeBy    time.Duration
	resumeSoon  time.Duration // once one neighbour has caught up: when to wait no longer for the others
	restart     bool          // own objects or links may have changed
	recompute   bool          // the graph changed, or priorities
	recabled    bool          // the graph changed
	computeNext time.Duration // not before
	deadline    time.Duration
	housekeep   time.Duration
	emitted     told
	lit         told
	events      []Event
	changed     bool
	flush       bool
	counters    Counters
	broken      rule // tests only
}

// rule names a rule of gates.go that a test breaks to see that the checker notices.
type rule uint16

const (
	ruleOrder    rule = 1 << iota // a grant asks for a lower vector
	ruleSeen                      // a grant waits until the end of our own claim was seen
	ruleClosing                   // a worsening shuts gates first
	ruleProof                     // a proof is a signature by the key shown
	ruleWithdraw                  // what a fragment does not claim any more leaves the index
	ruleJoin                      // parts become one bridge before they become one network
	ruleDrain                     // an end becomes up when what was under way has arrived
	ruleU1                        // next hops wait until they are legal
	ruleF6a                       // detours wait until all agree
	ruleF6b                       // frames are on their path only if they were
	ruleClass                     // a guest's claim goes before learned ones
	ruleMet                       // a port that met a satellite is no edge until its carrier changes
)

// Counters counts what arrived and was not used.
type Counters struct {
	Malformed uint64 // could not be read
	Stale     uint64 // of an earlier session, or overtaken
	Stray     uint64 // well-formed, but of nobody we talk to
	Full      uint64 // refused because a table is full, or because too much of it came at once
	Unsealed  uint64 // a Hello without the seal of the neighbour that is there
	Spoofed   uint64 // tellings of an address learned at an edge that is another satellite's guest's
	Forged    uint64 // a proof, or the seal of a Flood or of a Hello that ends a handshake, that is not right
}

// New makes a core that has no port and knows nobody. now is any monotonic time; later calls go on from it.
func New(cfg Config, now time.Duration) *Core {
	if (cfg.Auth == nil) != cfg.Unauthenticated {
		panic("tree: neither, or both of, Auth and Unauthenticated") // nobody is to forget it
	}
	cfg.fill()
	c := &Core{cfg: cfg, now: now, ports: map[PortID]*port{}, emitted: told{}, lit: told{}, unicast: unicast{agreement: path.NewAgreement()},
		store: newStore(), asked: map[frame.Key]time.Duration{}, index: newIndex(cfg.ID), restart: true, recompute: true,
		own: own{macs: map[frame.MAC]ownMAC{}, moving: map[frame.MAC]*moving{}, born: now}}
	c.index.news = append(c.index.news, cfg.ID)
	c.vec = frame.Vector{Priority: cfg.Priority, Root: cfg.ID, ID: cfg.ID}
	c.want = want{vec: c.vec, since: now}
	c.housekeep = now + housekeeping
	c.edges = newEdges(&c.cfg, c.reachable, now)
	return c
}

// ID is the satellite's own.
func (c *Core) ID() frame.MAC { return c.cfg.ID }

// Counters tells what was not used.
func (c *Core) Counters() Counters { return c.counters }

// Link tells that a port is there, or what became of it. Loss of carrier ends the adjacency at once.
func (c *Core) Link(id PortID, l Link, now time.Duration) {
	c.pass(now)
	p := c.ports[id]
	if p == nil {
		if id == 0 || len(c.ports) >= MaxPorts {
			c.counters.Full++
			return
		}
		p = &port{id: id}
		c.ports[id] = p
		at, _ := slices.BinarySearch(c.order, id)
		c.order = slices.Insert(c.order, at, id)
		c.renew(p)
		p.link.Name, p.link.MAC = l.Name, l.MAC
	}
	if p.link.Name != l.Name || p.link.MAC != l.MAC {
		c.reset(p, "another interface")
	}
	shown := c.known(id) && !p.absent && p.link.Name == l.Name && p.link.MAC == l.MAC
	defer func(old Link) { c.cabledAnew(p, old, l, shown) }(p.link)
	p.absent = false
	old := p.link
	if !l.Up {
		c.reset(p, "no carrier")
		p.others, p.proof = others{}, 1
	}
	p.link = l
	if l.Up && !old.Up {
		p.helloDue, p.sendHello = now, true
	}
	c.restart = c.restart || old.Mbps != l.Mbps
}

func (c *Core) known(id PortID) bool { _, ok := c.emitted[id]; return ok }

// Remove tells that a port is gone.
func (c *Core) Remove(id PortID, now time.Duration) {
	c.pass(now)
	p := c.ports[id]
	if p == nil {
		return
	}
	c.reset(p, "port removed")
	c.removeEdge(id)
	c.forgetPort(id)
	delete(c.ports, id)
	if at, ok := slices.BinarySearch(c.order, id); ok {
		c.order = slices.Delete(c.order, at, at+1)
	}
	c.changed = true
}

// SetPriority changes the wish to be root; the lowest (priority, id) is.
func (c *Core) SetPriority(prio uint16, now time.Duration) {
	c.pass(now)
	c.cfg.Priority = prio
	c.restart, c.recompute = true, true
}

// Input takes a frame of our EtherType, or to frame.BridgeGroup, that arrived on a port. It keeps no reference to b.
func (c *Core) Input(id PortID, b []byte, now time.Duration) {
	c.pass(now)
	p := c.ports[id]
	if isBPDU(b) {
		c.bpdu(p, b)
		return
	}
	h, err := frame.ParseHeader(b)
	if p != nil && !p.absent && p.link.Up && (err == nil || errors.Is(err, frame.ErrVersion)) {
		c.satellite(p)
	}
	switch {
	case err != nil:
		c.counters.Malformed++
		return
	case p == nil || p.absent || !p.link.Up:
		c.counters.Stray++
		return
	}
	body := b[frame.OffBody:]
	switch h.Type {
	case frame.TypeHello:
		if m, err := frame.ParseHello(body); err == nil {
			c.hello(p, &m, h.Source, b)
			return
		}
	case frame.TypeFlood:
		if m, err := frame.ParseFlood(body); err == nil {
			c.flooded(p, &m, b)
			return
		}
	case frame.TypeEchoReply:
		if m, err := frame.ParseEcho(body); err == nil {
			c.echoed(p, m)
			return
		}
	case frame.TypeEchoRequest:
		c.counters.Stray++ // the data path answers these; the engine must not, it may be the only thing alive
		return
	}
	c.counters.Malformed++
}

// Tick lets time pass: it judges liveness and repeats what was not answered. The caller hands over what has
// already arrived before it ticks, so that nothing in its own queue is judged lost.
func (c *Core) Tick(now time.Duration) {
	c.pass(now)
	if late := now - c.deadline; late > c.cfg.Hello/2 && c.deadline > 0 {
		c.excuse(late)
	}
	for _, id := range c.order {
		if p := c.ports[id]; !p.absent && p.link.Up {
			c.tickPort(p)
		}
	}
	if c.resumeBy > 0 && (now >= c.resumeBy || c.resumeSoon > 0 && now >= c.resumeSoon) {
		c.resumed()
	}
	if now >= c.housekeep {
		c.housekeep = now + housekeeping
		c.expire()
	}
}

// pass moves the clock; it never runs backwards.
func (c *Core) pass(now time.Duration) { c.now = max(c.now, now) }

// excuse forgives the neighbours the time in which we ourselves stood still.
func (c *Core) excuse(late time.Duration) {
	for _, p := range c.ports {
		p.heardAt = min(p.heardAt+late, c.now)
		p.accord.since = min(p.accord.since+late, c.now)
	}
}

// Ready drains what is to be done.
func (c *Core) Ready() Effects {
	c.tellState()
	if c.resumeBy > 0 {
		c.caughtUp()
	}
	if c.recompute && c.resumeBy == 0 && c.now >= c.computeNext {
		c.recompute = false
		c.compute()
		c.computeNext = c.now + time.Duration(len(c.topo.order))*computePause
	}
	c.bridge()
	c.steer()
	edges := c.letThrough()
	c.tellState() // all this may have moved gates and edges
	tables := c.settle()
	e := Effects{Gates: c.gates(), Live: c.lives(), Edges: edges, Flush: c.edges.flush, Tables: tables, Events: c.events,
		Changed: c.changed, FlushLearned: c.flush}
	c.events, c.changed, c.flush, c.edges.flush = nil, false, false, nil
	for _, id := range c.order {
		if p := c.ports[id]; !p.absent && p.link.Up {
			e.Send = c.transmit(p, e.Send)
		}
	}
	e.Send, c.edges.sends = append(e.Send, c.edges.sends...), nil
	e.Homes = c.index.drain(homesBurst)
	c.deadline = c.nextDeadline()
	e.Deadline = c.deadline
	return e
}

// tellState renews our own link-state objects if they may have changed. A restored core waits until the kernel
// has shown it its ports, lest it tell that it has none.
func (c *Core) tellState() {
	if c.unshown() {
		return
	}
	if c.restart {
		c.restart = false
		c.originate()
	}
	c.sayFragments()
}

// unshown tells whether the kernel has not shown yet a port whose neighbour we had.
func (c *Core) unshown() bool {
	for _, p := range c.ports {
		if p.absent && p.twoWay {
			return true
		}
	}
	return false
}

// told is what the caller was told of each port.
type told map[PortID]bool

// gates compares what the gates are to what the caller was told.
func (c *Core) gates() []Gate {
	return c.compare(c.emitted, func(p *port) bool { return p.gate != gateShut })
}

// compare gives what is to be told, closings first. A port that the caller was told nothing of is told.
func (c *Core) compare(was told, is func(*port) bool) []Gate {
	var open, shut []Gate
	shown := 0
	for _, id := range c.order {
		p := c.ports[id]
		if p.absent {
			continue
		}
		shown++
		now := is(p)
		if before, ok := was[id]; ok && before == now {
			continue
		}
		was[id] = now
		if now {
			open = append(open, Gate{id, true})
		} else {
			shut = append(shut, Gate{id, false})
		}
	}
	if len(was) > shown {
		for id := range was {
			if c.ports[id] == nil {
				delete(was, id)
				shut = append(shut, Gate{id, false})
			}
		}
		slices.SortFunc(shut, func(a, b Gate) int { return cmp.Compare(a.Port, b.Port) })
	}
	return append(shut, open...)
}

func (c *Core) nextDeadline() time.Duration {
	at := c.housekeep
	if len(c.index.news) > 0 {
		at = c.now
	}
	if due := c.own.fragments.due(c.now); due > 0 && !c.unshown() {
		at = min(at, due)
	}
	if c.resumeBy > 0 {
		at = min(at, c.resumeBy)
		if c.resumeSoon > 0 {
			at = min(at, c.resumeSoon)
		}
	}
	if c.recompute && c.resumeBy == 0 {
		at = min(at, c.computeNext)
	}
	if c.unicast.sliceAt > 0 {
		at = min(at, c.unicast.sliceAt)
	}
	if by := c.want.since + c.cfg.Grace; by > c.now && c.resumeBy == 0 {
		at = min(at, by)
	}
	for _, t := range [...]time.Duration{c.calmUntil, c.leftUntil} {
		if t > c.now {
			at = min(at, t)
		}
	}
	if c.edges.due > 0 {
		at = min(at, c.edges.due)
	}
	if c.edges.staleAt > 0 {
		at = min(at, c.edges.staleAt)
	}
	for _, p := range c.ports {
		if !p.absent && p.link.Up {
			at = min(at, p.due())
		}
	}
	return at
}

func (c *Core) event(e Event) {
	if len(c.events) < MaxEvents {
		c.events = append(c.events, e)
	}
}

// mix is splitmix64's finalizer (Steele, Lea, Flood 2014), a bijection: different inputs, different outputs.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
