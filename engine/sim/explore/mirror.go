package explore

import (
	"fmt"

	"decenter/net/frame"
	"decenter/net/path"
)

// mirror lets real path.Agreements live through what the model's satellites do, and compares what they allow. An
// Agreement is changed by its own satellite's events alone, as a local state is; so each is made anew from one sequence
// of events that leads there.
type mirror struct {
	p       *plan
	routes  map[[2]int]path.Tables // by satellite and view: Routes and Repair
	history []map[uint32]past      // by satellite and local state
	strange []string
	steps   int
	shy     int // frames that the real one holds back, although the model would let them go
}

type past struct {
	before uint32
	by     event
}

// Compare explores with a mirror. Strange says where a real satellite does what the model would not: shy counts the
// frames that it holds back where the model would let them go, which costs time, and never a loop.
func Compare(s Scenario) (r Result, steps, shy int) {
	f := newSearch(newPlan(s))
	m := &mirror{p: f.plan, routes: map[[2]int]path.Tables{}}
	for range f.N {
		m.history = append(m.history, map[uint32]past{})
	}
	f.mirror = m
	r = f.run()
	return r, m.steps, m.shy
}

func name(i int) frame.MAC { return frame.MAC{2, 0, 0, 0, 0, byte(i + 1)} }

// step compares what comes of an event.
func (m *mirror) step(f *search, i int, n uint32, e event, to uint32) {
	if to != n {
		if _, in := m.history[i][to]; !in && to != 0 {
			m.history[i][to] = past{n, e}
		}
	}
	var events []event
	for at := n; at != 0; at = m.history[i][at].before {
		events = append(events, m.history[i][at].by)
	}
	a := m.first(i, f.locals[i][0])
	for k := len(events) - 1; k >= 0; k-- {
		m.play(a, i, events[k])
	}
	m.play(a, i, e)
	m.steps++
	m.compare(a, i, &f.locals[i][to])
}

// first is the satellite in agreement on the first version.
func (m *mirror) first(i int, l local) *path.Agreement {
	a := path.NewAgreement()
	m.play(a, i, event{kind: adopts, at: l.past[0].view})
	m.play(a, i, event{kind: works})
	for k, p := range l.peers {
		if p.up {
			m.play(a, i, event{kind: rises, at: uint8(k)})
			m.play(a, i, event{hearing, uint8(k), message{p.view, p.heard, p.ready, p.acked}})
		}
	}
	return a
}

func (m *mirror) play(a *path.Agreement, i int, e event) {
	switch e.kind {
	case adopts:
		a.Adopt(m.tables(i, e.at).Routes)
	case works:
		for view := range m.p.views {
			if t, in := m.routes[[2]int{i, view}]; in && t.Routes == a.Routes() {
				a.Ready(t.Repair)
			}
		}
	case rises:
		arc := m.p.from[i][e.at]
		a.Up(port(arc), name(m.p.head(arc)), port(arc^1))
	case falls:
		a.Down(port(m.p.from[i][e.at]))
	case hearing:
		arc := m.p.from[i][e.at]
		a.Heard(port(arc), m.tables(m.p.head(arc), e.msg.view).Routes.Version(), e.msg.ready, uint64(e.msg.echo))
	}
}

// tables computes the real routes and detours of a satellite and view.
func (m *mirror) tables(i int, view uint8) path.Tables {
	k := [2]int{i, int(view)}
	if t, in := m.routes[k]; in {
		return t
	}
	told := make([]path.Told, m.p.N)
	for s := range told {
		told[s].ID = name(s)
	}
	for arc := range 2 * len(m.p.Cables) {
		if m.p.views[view].cables>>(arc/2)&1 == 1 {
			tail := m.p.tail(arc)
			told[tail].Links = append(told[tail].Links, frame.Link{Neighbour: name(m.p.head(arc)), Port: port(arc),
				NeighbourPort: port(arc ^ 1), Cost: uint32(m.p.Cables[arc/2].Cost)})
		}
	}
	topo, err := path.NewTopology(name(i), told)
	if err != nil {
		panic(err)
	}
	r, err := path.NewRoutes(topo, name(i), m.p.Colours)
	if err != nil {
		panic(err)
	}
	repair := path.NewRepair(r)
	for !repair.Step(topo.Len()) {
	}
	t := path.Tables{Routes: r, Repair: repair}
	m.routes[k] = t
	return t
}

// compare goes through all frames, once with all ports alive and once with the port of the next hop dead.
func (m *mirror) compare(a *path.Agreement, i int, l *local) {
	p, t := m.p, a.Tables()
	model := p.table(i, l)
	topo := t.Routes.Topology()
	for c := range p.Colours {
		for in := range 2 * len(p.Cables) {
			if p.head(in) != i {
				continue
			}
			for s := range p.N {
				for d := range p.N {
					want, got := model[((c*2*len(p.Cables)+in)*p.N+s)*p.N+d], nowhere
					source, known := topo.Index(name(s))
					destination, in2 := topo.Index(name(d))
					if known && in2 && d != i {
						got = m.ask(&t, l, i, c, in, source, destination)
					}
					m.judge(fmt.Sprintf("satellite %d, colour %d, in by %d, %d to %d, %+v", i, c, in, s, d, *l), want, got)
				}
			}
		}
	}
}

// ask gives the arcs by which a real satellite lets a frame go: with its next hop alive, and dead.
func (m *mirror) ask(t *path.Tables, l *local, i, c, in, s, d int) [2]int8 {
	out := nowhere
	live := func(p path.Port) bool { return m.p.over(l, i, int(p)-int(port(0))) != none }
	verdict, by := t.Decide(port(in^1), c, s, d, live)
	switch verdict {
	case path.Forward, path.Follow:
		out[0] = int8(by - port(0))
	case path.Deflect:
		out[1] = int8(by - port(0))
	}
	if verdict != path.Follow && verdict != path.Stray && verdict != path.Deflect {
		primary, _ := t.Routes.Next(c, d)
		verdict, by = t.Decide(port(in^1), c, s, d, func(p path.Port) bool { return p != primary && live(p) })
		if verdict == path.Deflect {
			out[1] = int8(by - port(0))
		}
	}
	return out
}

func (m *mirror) judge(where string, want, got [2]int8) {
	for k := range got {
		switch {
		case got[k] == want[k]:
		case got[k] == none:
			m.shy++
		case len(m.strange) < 10:
			m.strange = append(m.strange, fmt.Sprintf("%s: real %v, model %v", where, got, want))
		}
	}
}
