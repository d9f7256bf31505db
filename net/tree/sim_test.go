package tree

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"decenter/net/frame"
)

// world is many satellites in one virtual time: each with its core, and a "kernel" that outlives it (gates,
// echo reflection, a socket's queue, the stored snapshot). An independent checker looks at the kernels'
// gates after every single step of every satellite.
type world struct {
	rng    *rand.Rand
	now    time.Duration
	nodes  []*node
	cables []*wire
	queue  events
	serial uint64
	cfg    Config // what all have in common
	auth   *auth

	loss, dup   float64
	delay, slow time.Duration // every frame takes delay and up to slow more: they overtake one another
	interrupt   float64       // how likely a satellite is killed or stopped in the middle of applying Effects
	broken      rule
	steps       int                 // gate changes checked
	blind       bool                // unicast is not checked
	routers     bool                // data paths look at the destination alone: no F1, no detours
	odds        *rand.Rand          // which pairs are
	walks       int                 // hops walked
	sample      int                 // of so many pairs of satellites one is checked at each change; 0: all
	drop        func(b []byte) bool // sees every frame sent, and may take it away
	log         []string

	island // switches of others, and what they are cabled to
}

type node struct {
	w         *world
	number    int // in w.nodes
	id        frame.MAC
	core      *Core // nil: the engine does not run
	starts    uint64
	frozen    bool
	gates     map[PortID]bool
	plane     plane
	disk      []byte // the stored snapshot
	rest      []func() bool
	inbox     []arrival
	timer     uint64        // serial of the pending tick
	armed     time.Duration // when it comes; -1: none
	wires     []*wire
	flushes   int
	homes     map[frame.MAC]frame.MAC // as this life of the engine told
	lastMoved time.Duration
	legacy    legacyPorts
	tamper    func(*Auth) // makes an impostor
}

type arrival struct {
	port  PortID
	frame []byte
}

// wire is a cable with two ends; ports are 1 + its number, at both ends.
type wire struct {
	a, b    *node
	port    PortID
	bport   PortID
	carrier bool
	changes uint32
	mute    [2]bool // silently loses what a (0) or b (1) sends
	late    [2]bool // loses the Floods that a (0) or b (1) sends
	mbps    uint64
}

func newWorld(seed uint64, n int) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, 77)), delay: 50 * time.Microsecond, slow: 300 * time.Microsecond,
		auth: newAuth(seed), odds: rand.New(rand.NewPCG(seed, 78)), cfg: Config{Colours: 2}}
	perm := w.rng.Perm(n) // ids are not in the order of the cabling
	for i := range n {
		w.nodes = append(w.nodes, &node{w: w, number: i, id: frame.MAC{2, 0xde, 0xce, 0, 0, byte(perm[i] + 1)}, gates: map[PortID]bool{},
			plane: plane{live: map[PortID]bool{}}, armed: -1})
	}
	return w
}

func (w *world) connect(a, b int, mbps uint64) *wire {
	c := &wire{a: w.nodes[a], b: w.nodes[b], carrier: true, changes: 1, mbps: mbps}
	c.port, c.bport = PortID(2*len(w.cables)+1), PortID(2*len(w.cables)+2)
	w.cables = append(w.cables, c)
	c.a.wires = append(c.a.wires, c)
	if a != b {
		c.b.wires = append(c.b.wires, c)
	}
	return c
}

func (w *world) after(d time.Duration, do func()) {
	w.serial++
	heap.Push(&w.queue, event{w.now + d, w.serial, do})
}

// run lets virtual time pass.
func (w *world) run(d time.Duration) {
	end := w.now + d
	for len(w.queue) > 0 && w.queue[0].at <= end {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
	}
	w.now = end
}

// runUntil stops early once cond holds, and tells whether it did.
func (w *world) runUntil(limit time.Duration, cond func() bool) bool {
	end := w.now + limit
	for !cond() {
		if len(w.queue) == 0 || w.queue[0].at > end {
			return false
		}
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
	}
	return true
}

func (w *world) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%12v ", w.now)+fmt.Sprintf(format, args...))
	if len(w.log) > 400 {
		w.log = w.log[200:]
	}
}

// looped is what the checker panics with: the cable that closes a loop.
type looped struct{ edge string }

func (l looped) Error() string { return "LOOP: " + l.edge }

// check is the independent checker: the cables whose both ends are open must form a forest, by union-find.
func (w *world) check() {
	w.steps++
	root := make(map[*node]*node, len(w.nodes))
	find := func(n *node) *node {
		for root[n] != nil {
			n = root[n]
		}
		return n
	}
	for _, c := range w.cables {
		if !c.a.passes(c.port) || !c.b.passes(c.bport) {
			continue
		}
		a, b := find(c.a), find(c.b)
		if a == b {
			panic(looped{fmt.Sprintf("%v-%v closes a loop", c.a.id, c.b.id)})
		}
		root[a] = b
	}
	w.checkIsland(root, find)
}

// spans tells what keeps the open cables from being one tree per component of working cables, both ends alike.
func (w *world) spans() error {
	part, tree := map[*node]*node{}, map[*node]*node{}
	find := func(m map[*node]*node, n *node) *node {
		for m[n] != nil {
			n = m[n]
		}
		return n
	}
	join := func(m map[*node]*node, a, b *node) {
		if a, b = find(m, a), find(m, b); a != b {
			m[a] = b
		}
	}
	for _, c := range w.cables {
		works := c.carrier && !c.mute[0] && !c.mute[1]
		if works {
			join(part, c.a, c.b)
		}
		switch ga, gb := c.a.gates[c.port], c.b.gates[c.bport]; {
		case ga != gb:
			return fmt.Errorf("%v-%v is open at one end only (works: %v)", c.a.id, c.b.id, works)
		case ga && !works:
			return fmt.Errorf("%v-%v is open and does not work", c.a.id, c.b.id)
		case ga:
			join(tree, c.a, c.b)
		}
	}
	for _, a := range w.nodes {
		for _, b := range w.nodes {
			if (find(part, a) == find(part, b)) != (find(tree, a) == find(tree, b)) {
				return fmt.Errorf("%v and %v: cabled %v, connected %v", a.id, b.id, find(part, a) == find(part, b), find(tree, a) == find(tree, b))
			}
		}
	}
	return nil
}

// send puts a frame on the cable.
func (n *node) send(port PortID, b []byte) {
	for _, c := range n.wires {
		if c.port == port && c.a == n {
			n.w.carry(c, 0, c.b, c.bport, b)
			return
		}
		if c.bport == port && c.b == n {
			n.w.carry(c, 1, c.a, c.port, b)
			return
		}
	}
	n.toSwitch(port, b)
}

func (w *world) carry(c *wire, from int, to *node, port PortID, b []byte) {
	if w.drop != nil && w.drop(b) {
		return
	}
	copies := 1
	if w.dup > 0 && w.rng.Float64() < w.dup {
		copies = 2
	}
	for range copies {
		if c.late[from] && b[frame.OffType] == byte(frame.TypeFlood) {
			continue
		}
		if !c.carrier || c.mute[from] || w.loss > 0 && w.rng.Float64() < w.loss {
			continue
		}
		d := w.delay + time.Duration(w.rng.Int64N(int64(w.slow)+1))
		if w.loss > 0 && w.rng.IntN(50) == 0 {
			d += time.Duration(w.rng.Int64N(int64(300 * time.Millisecond))) // a straggler
		}
		w.after(d, func() {
			if c.carrier {
				to.arrive(port, b)
			}
		})
	}
}

// arrive is the kernel's part: the data path answers echoes; the rest goes to the engine's socket.
func (n *node) arrive(port PortID, b []byte) {
	if n.starts == 0 { // not a satellite yet
		return
	}
	if b[frame.OffType] == byte(frame.TypeEchoRequest) {
		b = append([]byte(nil), b...)
		if frame.Reflect(b) {
			n.send(port, b)
		}
		return
	}
	switch {
	case n.core == nil:
	case n.frozen:
		if len(n.inbox) < 200 {
			n.inbox = append(n.inbox, arrival{port, b})
		}
	default:
		n.step(func() { n.core.Input(port, b, n.w.now) })
	}
}

// step gives the core an input and applies what follows.
func (n *node) step(input func()) {
	w := n.w
	cut := -1
	var before []byte
	if w.interrupt > 0 && w.rng.Float64() < w.interrupt {
		cut, before = w.rng.IntN(6), n.disk
		if before == nil {
			before = n.core.Snapshot() // what the last Changed would have stored
		}
	}
	input()
	e := n.core.Ready()
	n.settle(e.Homes)
	if !e.Changed && !e.FlushLearned && cut < 0 && len(e.Gates) == 0 && len(e.Live) == 0 && len(e.Edges) == 0 && e.Tables == nil { // the common case, without ceremony
		n.legacy.ready = w.now
		for _, t := range e.Send {
			n.send(t.Port, t.Frame)
		}
		n.arm(e.Deadline)
		return
	}
	steps := n.plan(e, before)
	for _, ev := range e.Events {
		if ev.Port == 0 && ev.Kind != Resumed && ev.Kind != EdgeRootChanged {
			continue
		}
		w.note("%v: %s port %d %v %s", n.id, ev.Kind, ev.Port, ev.Neighbour, ev.Why)
	}
	for i, s := range steps {
		if i == cut {
			if w.rng.IntN(2) == 0 {
				w.note("%v killed in the middle", n.id)
				if i <= 1 {
					n.disk = before
				} else {
					n.disk = n.core.Snapshot()
				}
				n.stop()
				w.after(w.chance(200*time.Millisecond), n.start)
				return
			}
			w.note("%v stopped in the middle", n.id)
			n.frozen, n.rest = true, steps[i:]
			w.after(w.chance(500*time.Millisecond), n.thaw)
			return
		}
		s()
	}
	n.arm(e.Deadline)
}

func (w *world) chance(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d))) }

// plan is the order that Effects asks for, one checked step each.
func (n *node) plan(e Effects, before []byte) []func() bool {
	gate := func(open bool) func() bool {
		return func() bool {
			for _, g := range e.Gates {
				if g.Open == open && n.gates[g.Port] != open {
					n.gates[g.Port] = open
					n.lastMoved = n.w.now
					n.w.check()
				}
			}
			return true
		}
	}
	return []func() bool{
		func() bool { n.edges(e, false); gate(false)(); n.narrow(e); return true },
		func() bool {
			if e.Changed {
				n.disk = nil // stored lazily: the core is what would be on the disk until its next input
			}
			return true
		},
		func() bool {
			for _, t := range e.Send {
				n.send(t.Port, t.Frame)
			}
			return true
		},
		func() bool { n.edges(e, true); gate(true)(); n.widen(e); return true },
		func() bool {
			if e.FlushLearned {
				n.flushes++
			}
			return true
		},
		func() bool { n.arm(e.Deadline); return true },
	}
}

func (n *node) arm(at time.Duration) {
	if at = max(at, n.w.now); at == n.armed {
		return
	}
	n.timer++
	n.armed = at
	mine := n.timer
	n.w.after(at-n.w.now, func() {
		if n.timer != mine {
			return
		}
		n.armed = -1
		if n.core != nil && !n.frozen {
			n.step(func() { n.core.Tick(n.w.now) })
		}
	})
}

func (n *node) links() {
	for _, c := range n.wires {
		l := Link{Up: c.carrier, Mbps: c.mbps, Changes: c.changes}
		if c.a == n {
			l.Name, l.MAC = fmt.Sprintf("p%d", c.port), portMAC(c.port)
			n.core.Link(c.port, l, n.w.now)
		}
		if c.b == n {
			l.Name, l.MAC = fmt.Sprintf("p%d", c.bport), portMAC(c.bport)
			n.core.Link(c.bport, l, n.w.now)
		}
	}
	n.patchLinks()
}

func portMAC(p PortID) frame.MAC { return frame.MAC{2, 0, 0, 0, byte(p >> 8), byte(p)} }

// start begins a new life of the engine, from the stored snapshot if there is one.
func (n *node) start() {
	if n.core != nil {
		return
	}
	n.starts++
	cfg := n.w.cfg
	cfg.ID, cfg.Name, cfg.Instance = n.id, n.id.String(), n.w.rng.Uint64()
	if cfg.Priority == 0 {
		cfg.Priority = 0x8000
	}
	n.authenticate(&cfg)
	n.core, n.homes = New(cfg, n.w.now), map[frame.MAC]frame.MAC{}
	n.core.broken = n.w.broken
	if n.disk != nil {
		if err := n.core.Restore(n.disk, n.w.now); err != nil && n.w.broken == 0 {
			panic(err)
		}
	}
	n.disk = nil
	n.step(n.links)
}

// stop is kill -9: what is stored stays, the gates stay.
func (n *node) stop() {
	n.core, n.frozen, n.inbox, n.rest, n.timer, n.armed = nil, false, nil, nil, n.timer+1, -1
}

func (n *node) kill(keep bool) {
	if n.core == nil {
		return
	}
	n.w.note("%v killed (snapshot kept: %v)", n.id, keep)
	switch {
	case !keep:
		n.disk = nil
	case n.disk == nil && n.rest == nil:
		n.disk = n.core.Snapshot()
	case n.rest != nil: // stopped in the middle: the honest choice is to have nothing
		n.disk = nil
	}
	n.stop()
}

func (n *node) freeze() {
	if n.core != nil && !n.frozen {
		n.w.note("%v frozen", n.id)
		n.frozen = true
	}
}

func (n *node) thaw() {
	if n.core == nil || !n.frozen {
		return
	}
	n.w.note("%v thawed", n.id)
	n.frozen = false
	rest, inbox := n.rest, n.inbox
	n.rest, n.inbox = nil, nil
	for _, s := range rest {
		s()
	}
	n.step(n.links)
	for _, a := range inbox {
		if n.core != nil && !n.frozen {
			n.step(func() { n.core.Input(a.port, a.frame, n.w.now) })
		}
	}
	if n.core != nil && !n.frozen {
		n.step(func() { n.core.Tick(n.w.now) })
	}
}

// set changes a cable's carrier; both kernels tell their engines, where these listen.
func (c *wire) set(w *world, up bool) {
	c.carrier = up
	c.changes++
	w.note("cable %v-%v carrier %v", c.a.id, c.b.id, up)
	w.rounds(c.a)
	w.rounds(c.b)
	for _, n := range []*node{c.a, c.b} {
		if n.core != nil && !n.frozen {
			n.step(n.links)
		}
	}
}

func (w *world) startAll() {
	for _, n := range w.nodes {
		n.start()
	}
}
