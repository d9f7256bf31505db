package path

import (
	"fmt"
	"testing"
)

// world is a number of satellites, each with its own tables, and cables of which some are down.
type world struct {
	n      int
	far    map[Port]hole // what is at the other end of a port's cable
	down   map[Port]bool
	dead   map[int]bool
	tables []Tables

	routers bool                                           // every frame is taken for one that is on its path: neither F1 nor F3
	flap    func()                                         // before each hop of walk
	mark    func(at hole, t Tables, colour, s, d int) bool // in place of the marks of F1; nil: those
	again   bool                                           // a frame off its path that can go no further is deflected: no F4
}

// hole is where a frame comes in.
type hole struct {
	node int
	port Port
}

// agree makes a world in which all hold one topology, and say so.
func agree(t testing.TB, g graph, colours int) *world {
	w := &world{n: g.n, far: map[Port]hole{}, down: map[Port]bool{}, dead: map[int]bool{}}
	w.plug(g)
	for i := range g.n {
		w.tables = append(w.tables, tablesOf(t, g, i, colours))
	}
	return w
}

func (w *world) plug(g graph) {
	for _, c := range g.cables {
		w.far[c.portA], w.far[c.portB] = hole{c.b, c.portB}, hole{c.a, c.portA}
	}
}

func tablesOf(t testing.TB, g graph, i, colours int) Tables {
	r, err := NewRoutes(g.topology(t, i), name(i), colours)
	if err != nil {
		t.Fatal(err)
	}
	p := NewRepair(r)
	for !p.Step(3) {
	}
	return Tables{Routes: r, Repair: p, Agreed: true}
}

func (w *world) cut(c wire) { w.down[c.portA], w.down[c.portB] = true, true }

func (w *world) up(p Port) bool { return !w.down[p] && !w.dead[w.far[p].node] }

func (w *world) mend() { w.down, w.dead = map[Port]bool{}, map[int]bool{} }

// step is one satellite's doing with a frame between two homes.
func (w *world) step(at hole, colour, source, destination int) (Verdict, Port) {
	t := w.tables[at.node]
	s, in := t.Routes.Topology().Index(name(source))
	d, ok := t.Routes.Topology().Index(name(destination))
	if !in || !ok {
		return NoPath, 0
	}
	if w.routers {
		at.port = Local
	}
	if w.mark != nil && at.port != Local {
		if back, ok := t.Routes.Next(colour, s); ok && back == at.port && w.mark(at, t, colour, s, d) {
			at.port = Local
		}
	}
	v, out := t.decide(at.port, colour, s, d, w.up)
	if v == Stray && w.again {
		return t.decide(Local, colour, s, d, w.up)
	}
	return v, out
}

// walk forwards a frame hop by hop and tells how it ends, the way, and an error if it comes twice to one place.
func (w *world) walk(colour, source, destination int) (Verdict, []hole, error) {
	at := hole{source, Local}
	way := []hole{at}
	been := map[hole]bool{at: true}
	for {
		if w.flap != nil {
			w.flap()
		}
		v, out := w.step(at, colour, source, destination)
		switch v {
		case Deliver:
			if at.node != destination {
				return v, way, fmt.Errorf("delivered to %d instead of %d", at.node, destination)
			}
			return v, way, nil
		case Forward, Deflect, Follow:
			if !w.up(out) {
				return v, way, fmt.Errorf("sent over a dead port at %d", at.node)
			}
		default:
			return v, way, nil
		}
		at = w.far[out]
		way = append(way, at)
		if been[at] {
			return v, way, fmt.Errorf("loop: colour %d, %d to %d, way %v", colour, source, destination, way)
		}
		been[at] = true
	}
}

// parts is the slow oracle of what is left: satellites with the same number can reach one another over what is up.
func (w *world) parts() []int {
	part := make([]int, w.n)
	for i := range part {
		part[i] = i
	}
	for again := true; again; {
		again = false
		for p, h := range w.far {
			if a := w.far[h.port].node; !w.dead[a] && w.up(p) && part[a] < part[h.node] {
				part[h.node], again = part[a], true
			}
		}
	}
	return part
}

// repairs checks that every frame that can arrive does, with what is down now.
func (w *world) repairs(colours int) error {
	part := w.parts()
	for s := range w.n {
		if w.dead[s] {
			continue
		}
		for d := range w.n {
			if w.dead[d] {
				continue
			}
			for c := range colours {
				v, way, err := w.walk(c, s, d)
				if err != nil {
					return err
				}
				if (v == Deliver) != (part[s] == part[d]) {
					return fmt.Errorf("colour %d, %d to %d: verdict %d after %v, although reachable is %v", c, s, d, v, way, part[s] == part[d])
				}
			}
		}
	}
	return nil
}

// whirls checks only that nothing goes round, wherever a frame may be under way already. What a satellite does with a frame
// depends on where it comes in alone, so a way that meets one that ends need not be followed.
func (w *world) whirls(colours int) error {
	for s := range w.n {
		for d := range w.n {
			for c := range colours {
				ends := map[hole]bool{}
				for _, from := range w.far {
					if err := w.ends(from, c, s, d, ends); err != nil {
						return err
					}
				}
				if err := w.ends(hole{s, Local}, c, s, d, ends); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (w *world) ends(at hole, c, s, d int, ends map[hole]bool) error {
	var way []hole
	been := map[hole]bool{}
	for !ends[at] && !w.dead[at.node] {
		if way = append(way, at); been[at] {
			return fmt.Errorf("loop: colour %d, %d to %d, way %v", c, s, d, way)
		}
		been[at] = true
		v, out := w.step(at, c, s, d)
		if v != Forward && v != Deflect && v != Follow {
			break
		}
		at = w.far[out]
	}
	for _, h := range way {
		ends[h] = true
	}
	return nil
}
