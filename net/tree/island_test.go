package tree

import (
	"fmt"
	"maps"
	"time"

	"decenter/net/frame"
	"decenter/net/rstp"
	"decenter/net/rstp/legacy"
)

// island is what is no satellite: switches, the cables between them, and the cables from satellites to switches or hosts.
type island struct {
	switches []*otherSwitch
	patches  []*patch
	loyal    bool // data paths keep edges open without a lease
}

// otherSwitch is a switch of others.
type otherSwitch struct {
	legacy.Switch
	name string
	at   map[int]*patch
}

// side is one end of a patch: a satellite's port, a switch's port, or nothing at all, as where a host is.
type side struct {
	node *node
	port PortID
	sw   *otherSwitch
	num  int
}

// patch is a cable with at least one end that is no satellite's.
type patch struct {
	ends    [2]side
	up      bool
	changes uint32
	busy    [2]time.Duration // a cable overtakes nothing
}

// legacyPorts are a satellite's data path as far as edges go.
type legacyPorts struct {
	state   map[PortID]rstp.State
	ready   time.Duration // when the engine last called Ready
	patches []*patch
	opened  map[PortID]time.Duration // when a port began to forward
	flushed int
}

const islandPorts = 8

func (w *world) rapid(priority, number int) *otherSwitch {
	id := frame.MakeBridgeID(uint16(priority), frame.MAC{2, 1, 0, 0, 0, byte(number)})
	var ports []legacy.PortConfig
	for i := range islandPorts {
		ports = append(ports, legacy.PortConfig{ID: uint16(0x8001 + i), Cost: 20000, MAC: frame.MAC{2, 2, 0, 0, byte(number), byte(i + 1)}})
	}
	s := &otherSwitch{legacy.NewRapid(id, ports), fmt.Sprintf("switch %d", number), map[int]*patch{}}
	w.switches = append(w.switches, s)
	var second func()
	second = func() {
		s.Second()
		w.sent(s)
		w.after(time.Second, second)
	}
	w.after(w.chance(time.Second), second)
	return s
}

// patch cables a satellite, by number, to the next free port of a switch, or to a host if there is none.
func (w *world) patch(sat int, s *otherSwitch) *patch {
	n := w.nodes[sat]
	if n.legacy.state == nil {
		n.legacy.state, n.legacy.opened = map[PortID]rstp.State{}, map[PortID]time.Duration{}
	}
	p := &patch{ends: [2]side{{node: n, port: PortID(1000 + len(n.legacy.patches))}, w.free(s)}}
	n.legacy.patches = append(n.legacy.patches, p)
	w.lay(p)
	return p
}

func (w *world) between(a, b *otherSwitch) *patch {
	p := &patch{}
	p.ends[0] = w.free(a)
	w.claim(p, 0)
	p.ends[1] = w.free(b)
	w.lay(p)
	return p
}

func (w *world) free(s *otherSwitch) side {
	if s == nil {
		return side{}
	}
	return side{sw: s, num: len(s.at) + 1}
}

func (w *world) claim(p *patch, i int) {
	if e := p.ends[i]; e.sw != nil {
		e.sw.at[e.num] = p
	}
}

func (w *world) lay(p *patch) {
	w.claim(p, 0)
	w.claim(p, 1)
	w.patches = append(w.patches, p)
	w.plug(p, true)
}

// plug puts a patch in or pulls it out.
func (w *world) plug(p *patch, up bool) {
	if p.up == up {
		return
	}
	w.note("patch %v-%v carrier %v", p.ends[0], p.ends[1], up)
	p.up = up
	p.changes++
	for _, e := range p.ends {
		switch {
		case e.sw != nil:
			e.sw.Link(e.num, up)
			w.sent(e.sw)
		case e.node != nil && e.node.core != nil && !e.node.frozen:
			e.node.step(e.node.links)
		}
	}
	w.check()
}

func (e side) String() string {
	switch {
	case e.node != nil:
		return fmt.Sprintf("%v port %d", e.node.id, e.port)
	case e.sw != nil:
		return fmt.Sprintf("%s port %d", e.sw.name, e.num)
	}
	return "host"
}

// forwards tells whether ordinary frames pass an end.
func (w *world) forwards(e side) bool {
	switch {
	case e.node != nil:
		return e.node.passes(e.port)
	case e.sw != nil:
		return e.sw.Forwards(e.num)
	}
	return true
}

// passes tells whether the data path lets broadcasts through a port, by its gate or as an edge under its lease.
func (n *node) passes(port PortID) bool {
	return n.gates[port] || n.legacy.state[port] == rstp.Forwarding && (n.w.loyal || n.w.now < n.legacy.ready+3*time.Second)
}

func (n *node) edges(e Effects, opening bool) {
	for _, x := range e.Edges {
		if n.legacy.state == nil {
			n.legacy.state, n.legacy.opened = map[PortID]rstp.State{}, map[PortID]time.Duration{}
		}
		if was := n.legacy.state[x.Port]; opening == (x.State > was) && was != x.State {
			n.legacy.state[x.Port] = x.State
			n.legacy.opened[x.Port] = n.w.now
			n.w.note("%v port %d is %v", n.id, x.Port, x.State)
			n.w.check()
		}
	}
	if !opening { // the lease is renewed when all that is to shut is shut
		n.legacy.ready = n.w.now
		n.legacy.flushed += len(e.Flush)
	}
}

func (n *node) patchLinks() {
	for _, p := range n.legacy.patches {
		e := p.ends[0]
		n.core.Link(e.port, Link{Name: fmt.Sprintf("p%d", e.port), MAC: portMAC(e.port), Up: p.up, Mbps: 1000, Changes: p.changes}, n.w.now)
	}
}

// toSwitch carries what a satellite sends on a patch.
func (n *node) toSwitch(port PortID, b []byte) {
	for _, p := range n.legacy.patches {
		if p.ends[0].port == port {
			n.w.pass(p, 1, b)
		}
	}
}

// sent carries what a switch sends.
func (w *world) sent(s *otherSwitch) {
	for _, o := range s.Take() {
		if p := s.at[o.Port]; p != nil {
			to := 0
			if p.ends[0].sw == s && p.ends[0].num == o.Port {
				to = 1
			}
			w.pass(p, to, o.Frame)
		}
	}
	w.check()
}

func (w *world) pass(p *patch, to int, b []byte) {
	if !p.up {
		return
	}
	at := max(w.now+w.delay+w.chance(w.slow+1), p.busy[to]+1)
	p.busy[to] = at
	changes := p.changes
	w.after(at-w.now, func() {
		e := p.ends[to]
		switch {
		case p.changes != changes:
		case e.node != nil:
			e.node.arrive(e.port, b)
		case e.sw != nil:
			e.sw.Input(e.num, b)
			w.sent(e.sw)
		}
	})
}

// checkIsland goes on with the union of all that frames can pass: a patch joins its ends' owners.
func (w *world) checkIsland(root map[*node]*node, find func(*node) *node) {
	if len(w.patches) == 0 {
		return
	}
	stand := map[*otherSwitch]*node{}
	for _, s := range w.switches {
		stand[s] = &node{}
	}
	owner := func(e side) *node {
		if e.node != nil {
			return e.node
		}
		return stand[e.sw]
	}
	for _, p := range w.patches {
		if !p.up || p.ends[1] == (side{}) || !w.forwards(p.ends[0]) || !w.forwards(p.ends[1]) {
			continue
		}
		a, b := find(owner(p.ends[0])), find(owner(p.ends[1]))
		if a == b {
			panic(looped{fmt.Sprintf("%v-%v closes a loop", p.ends[0], p.ends[1])})
		}
		root[a] = b
	}
}

// oneNetwork tells what keeps all satellites and switches that are cabled together from being connected.
func (w *world) oneNetwork() error {
	return w.reaches(func(p *patch) bool { return w.forwards(p.ends[0]) && w.forwards(p.ends[1]) },
		func(c *wire) bool { return c.a.passes(c.port) && c.b.passes(c.bport) })
}

func (w *world) reaches(patched func(*patch) bool, cabled func(*wire) bool) error {
	parts := [2]map[any]any{{}, {}}
	find := func(m map[any]any, x any) any {
		for m[x] != nil {
			x = m[x]
		}
		return x
	}
	join := func(i int, a, b any) {
		if a, b = find(parts[i], a), find(parts[i], b); a != b {
			parts[i][a] = b
		}
	}
	owner := func(e side) any {
		if e.node != nil {
			return e.node
		}
		return e.sw
	}
	for _, c := range w.cables {
		if c.carrier {
			join(0, c.a, c.b)
			if cabled(c) {
				join(1, c.a, c.b)
			}
		}
	}
	for _, p := range w.patches {
		if p.up && p.ends[1] != (side{}) {
			join(0, owner(p.ends[0]), owner(p.ends[1]))
			if patched(p) {
				join(1, owner(p.ends[0]), owner(p.ends[1]))
			}
		}
	}
	seen := map[any]any{}
	all := make([]any, 0, len(w.nodes)+len(w.switches))
	for _, n := range w.nodes {
		all = append(all, n)
	}
	for _, s := range w.switches {
		all = append(all, s)
	}
	for _, x := range all {
		could, can := find(parts[0], x), find(parts[1], x)
		if was, ok := seen[could]; ok && was != can {
			return fmt.Errorf("not all that is cabled is connected: %s", w.edgePicture())
		}
		seen[could] = can
	}
	return nil
}

func (w *world) edgePicture() string {
	s := ""
	for _, n := range w.nodes {
		s += fmt.Sprintf("\n%v gates %v edges %v", n.id, maps.Clone(n.gates), n.legacy.state)
		if n.core != nil {
			for _, p := range n.core.ports {
				if p.usable() {
					s += fmt.Sprintf(" [%d joined %v/%v bridge %v/%v]", p.id, p.joined, p.theyJoined, n.core.edges.confirmed, p.theirBridge)
				}
			}
		}
	}
	for _, p := range w.patches {
		s += fmt.Sprintf("\n%v-%v up %v forwards %v %v", p.ends[0], p.ends[1], p.up, w.forwards(p.ends[0]), w.forwards(p.ends[1]))
	}
	return s
}
