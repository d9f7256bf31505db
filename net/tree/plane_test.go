package tree

import (
	"fmt"
	"slices"

	"decenter/net/frame"
	"decenter/net/path"
)

// plane is a data path's share of unicast: what Effects told it last. It outlives the engine.
type plane struct {
	live   map[PortID]bool
	tables *installed // nil: none
	both   bool       // only what tables and next would do is done
	next   *installed
	given  int // how many tables it was given
}

// installed are tables, and the index there of each satellite of the world; -1: none.
type installed struct {
	*path.Tables
	at []int
}

func (w *world) install(t *path.Tables) *installed {
	if t == nil || t.Routes == nil {
		return nil
	}
	in := &installed{Tables: t}
	for _, n := range w.nodes {
		i, known := t.Routes.Topology().Index(n.id)
		if !known {
			i = -1
		}
		in.at = append(in.at, i)
	}
	return in
}

// narrow is step 1 of Effects, widen is step 4.
func (n *node) narrow(e Effects) {
	for _, g := range e.Live {
		if !g.Open {
			n.plane.live[g.Port] = false
		}
	}
	n.plane.next, n.plane.both = n.w.install(e.Tables), e.Tables != nil
	if len(e.Live) > 0 || e.Tables != nil {
		n.w.rounds(n)
	}
}

func (n *node) widen(e Effects) {
	for _, g := range e.Live {
		if g.Open {
			n.plane.live[g.Port] = true
		}
	}
	if e.Tables != nil {
		n.plane.tables, n.plane.both = n.plane.next, false
		n.plane.given++
	}
	if len(e.Live) > 0 || e.Tables != nil {
		n.w.rounds(n)
	}
}

// hole is where a frame comes into a satellite.
type hole struct {
	n    *node
	port PortID
}

const inside = PortID(path.Local) // where frames begin

// forward tells where a frame goes on, if it does, and why not.
func (h hole) forward(colour int, from, to *node) (hole, path.Verdict) {
	p := &h.n.plane
	out, v := h.ask(p.tables, colour, from, to)
	if p.both && onward(v) {
		if o, also := h.ask(p.next, colour, from, to); !onward(also) || o != out {
			return hole{}, path.Dead
		}
	}
	if !onward(v) {
		return hole{}, v
	}
	for _, c := range h.n.wires {
		switch {
		case c.a == h.n && c.port == out:
			return c.over(0, hole{c.b, c.bport})
		case c.b == h.n && c.bport == out:
			return c.over(1, hole{c.a, c.port})
		}
	}
	return hole{}, path.Dead
}

func (c *wire) over(from int, to hole) (hole, path.Verdict) {
	if !c.carrier || c.mute[from] {
		return hole{}, path.Dead
	}
	return to, path.Forward
}

func (h hole) ask(in *installed, colour int, from, to *node) (PortID, path.Verdict) {
	if in == nil || in.at[from.number] < 0 || in.at[to.number] < 0 {
		return 0, path.NoPath
	}
	t, s, d := in.Tables, in.at[from.number], in.at[to.number]
	if h.n.w.routers {
		if h.port != inside && !h.n.up(path.Port(h.port)) {
			return 0, path.Stray
		}
		plain := *t
		plain.Agreed = false
		t, h.port = &plain, inside
	}
	v, port := t.Decide(path.Port(h.port), colour, s, d, h.n.up)
	return PortID(port), v
}

// up is what the data path knows of a port: carrier, and what the engine said.
func (n *node) up(port path.Port) bool {
	return n.plane.live[PortID(port)] && slices.ContainsFunc(n.wires, func(c *wire) bool {
		return c.carrier && (c.a == n && c.port == PortID(port) || c.b == n && c.bport == PortID(port))
	})
}

func onward(v path.Verdict) bool { return v == path.Forward || v == path.Deflect || v == path.Follow }

// rounds is the independent checker of unicast: no frame comes twice into a satellite by one port. Something changed at n; so if
// a way leads around now and did not before, it leads by n.
func (w *world) rounds(n *node) {
	if w.blind {
		return
	}
	for _, s := range w.nodes {
		for _, d := range w.nodes {
			if w.sample > 0 && w.odds.IntN(w.sample) > 0 {
				continue
			}
			for colour := range w.cfg.Colours {
				for _, c := range n.wires {
					if c.a == n {
						w.around(hole{n, c.port}, colour, s, d)
					}
					if c.b == n {
						w.around(hole{n, c.bport}, colour, s, d)
					}
				}
			}
		}
	}
}

// around walks on from a hole until the way ends, and panics if it leads back there.
func (w *world) around(h hole, colour int, s, d *node) {
	way := h
	for range 4 * (len(w.cables) + 1) {
		on, v := way.forward(colour, s, d)
		if v != path.Forward {
			return
		}
		w.walks++
		if way = on; way == h {
			panic(looped{fmt.Sprintf("colour %d, %v to %v goes round by port %d of %v", colour, s.id, d.id, h.port, h.n.id)})
		}
	}
}

// walk gives the way of a frame from one satellite to another, by the satellites' ids.
func (w *world) walk(colour int, s, d *node) (way []frame.MAC, v path.Verdict) {
	at := hole{s, inside}
	for range 4 * (len(w.cables) + 1) {
		way = append(way, at.n.id)
		if at, v = at.forward(colour, s, d); v != path.Forward {
			return way, v
		}
	}
	return way, path.NoPath
}

// delivers tells what keeps frames from getting where cables lead, by the way they come back.
func (w *world) delivers() error {
	part := w.parts()
	for _, s := range w.nodes {
		for _, d := range w.nodes {
			for colour := range w.cfg.Colours {
				way, v := w.walk(colour, s, d)
				if (v == path.Deliver) != (part[s] == part[d]) {
					return fmt.Errorf("colour %d, %v to %v: verdict %d after %v, cabled %v", colour, s.id, d.id, v, way, part[s] == part[d])
				}
				back, _ := w.walk(colour, d, s)
				if slices.Reverse(back); v == path.Deliver && !slices.Equal(way, back) {
					return fmt.Errorf("colour %d, %v to %v: %v, and back %v", colour, s.id, d.id, way, back)
				}
			}
		}
	}
	return nil
}

// parts numbers the satellites: those alike are connected by cables that work.
func (w *world) parts() map[*node]int {
	part := map[*node]int{}
	for i, n := range w.nodes {
		part[n] = i
	}
	for again := true; again; {
		again = false
		for _, c := range w.cables {
			if a, b := part[c.a], part[c.b]; a != b && c.carrier && !c.mute[0] && !c.mute[1] {
				part[c.a], part[c.b], again = min(a, b), min(a, b), true
			}
		}
	}
	return part
}
