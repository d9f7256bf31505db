package rstp

import (
	"fmt"
	"strings"
)

func (w *world) forwards(e end) bool {
	if e.node >= 1000 {
		s := w.sats[e.node-1000]
		return (!s.dead || s.lease > w.now) && s.state[PortID(e.port)] == Forwarding
	}
	return w.switches[e.node].Forwards(e.port)
}

// islands gives, over what is up (or, with open, over what forwards), each node's and LAN's group, and a loop met.
func (w *world) islands(open, ours bool) (group func(any) any, loop string) {
	parent := map[any]any{}
	var find func(any) any
	find = func(x any) any {
		if p, ok := parent[x]; ok {
			r := find(p)
			parent[x] = r
			return r
		}
		return x
	}
	for _, l := range w.lans {
		if !l.up {
			continue
		}
		for _, e := range l.ends {
			if open && !w.forwards(e) {
				continue
			}
			var node any = e.node
			if w.standIn && e.node == 0 && !ours {
				continue
			}
			if e.node >= 1000 {
				if !ours || w.sats[e.node-1000].dead && w.sats[e.node-1000].lease == 0 {
					continue
				}
				node = part(w.sats[e.node-1000].part)
			}
			a, b := find(node), find(l)
			if a == b {
				loop = fmt.Sprintf("%s at node %v port %d", l.name, node, e.port)
				continue
			}
			parent[a] = b
		}
	}
	return find, loop
}

// check looks for a loop of forwarding ports, now.
func (w *world) check() {
	_, loop := w.islands(true, true)
	if loop != "" && (w.standIn || len(w.sats) > 0) {
		if _, others := w.islands(true, false); others != "" {
			w.foreign++
			loop = ""
		}
	}
	switch {
	case loop != "" && w.loopSince < 0:
		w.loopSince = w.now
		if w.trace != nil {
			fmt.Fprintf(w.trace, "%v LOOP %s\n%s", w.now, loop, w.picture())
		}
		if w.firstLoop == "" {
			w.firstLoop = fmt.Sprintf("%v: %s", w.now, loop)
		}
	case loop == "" && w.loopSince >= 0:
		if w.now > w.loopSince {
			w.loops++
		}
		w.longest = max(w.longest, w.now-w.loopSince)
		w.loopSince = -1
	}
}

// settled tells what is wrong after quiescence: a loop, or two nodes that are cabled together but not connected.
func (w *world) settled() error {
	open, loop := w.islands(true, true)
	if loop != "" {
		return fmt.Errorf("a loop at rest: %s", loop)
	}
	up, _ := w.islands(false, true)
	seen := map[any]any{}
	see := func(x any, name string) error {
		if was, ok := seen[up(x)]; ok && was != open(x) {
			return fmt.Errorf("%s is cut off\n%s", name, w.picture())
		}
		seen[up(x)] = open(x)
		return nil
	}
	if len(w.sats) > 0 {
		for _, s := range w.sats {
			if err := see(part(s.part), "constellation"); err != nil && !s.dead {
				return err
			}
		}
	}
	for i, s := range w.switches {
		if err := see(i, s.name); err != nil {
			return err
		}
	}
	for _, l := range w.lans {
		if l.up {
			if err := see(l, l.name); err != nil {
				return err
			}
		}
	}
	roots := 0
	for _, s := range w.sats {
		for _, p := range s.e.Ports() {
			if !s.dead && p.Role == Root {
				roots++
			}
		}
	}
	if roots > 1 {
		return fmt.Errorf("%d root ports\n%s", roots, w.picture())
	}
	return nil
}

// picture tells every port.
func (w *world) picture() string {
	var b strings.Builder
	role := func(e end) string {
		if e.node >= 1000 {
			for _, p := range w.sats[e.node-1000].e.Ports() {
				if int(p.Port) == e.port {
					return fmt.Sprintf("sat%d.%d %v/%v host=%v stp=%v", e.node-1000, e.port, p.Role, p.State, p.Host, p.STP)
				}
			}
		}
		s := w.switches[e.node]
		return fmt.Sprintf("%s.%d %s/%v", s.name, e.port, s.Role(e.port), s.Forwards(e.port))
	}
	for _, l := range w.lans {
		fmt.Fprintf(&b, "%s up=%v:", l.name, l.up)
		for _, e := range l.ends {
			fmt.Fprintf(&b, "  %s", role(e))
		}
		b.WriteByte('\n')
	}
	return b.String()
}
