package tui

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// treePage draws the satellite tree: the root, below it who hangs on whom by which cable, then the cables that
// broadcast does not use, then the ports of the satellite that tells.
type treePage struct {
	pageBase
	tree  api.Tree
	h     int
	lines int
}

func (p *treePage) command() string { return "tree" }
func (p *treePage) every() int      { return 2 }

func (p *treePage) load(m *Model) tea.Cmd {
	svc := m.svc
	return m.ask(p, func(ctx context.Context) (any, error) { return svc.Tree(ctx) })
}

func (p *treePage) answer(_ *Model, v any) { p.tree = v.(api.Tree) }

// event makes the next heartbeat ask, however long the last load is ago.
func (p *treePage) event(_ *Model, e api.Event) {
	if e.Kind == api.EventTree {
		p.beats = p.every()
	}
}

func (p *treePage) scroll(by int) { p.lst.top = max(0, min(p.lst.top+by, p.lines-p.h)) }

func (p *treePage) draw(m *Model, w, h int) []string {
	if !p.ready {
		return p.waiting(m)
	}
	lines := m.treeLines(&p.tree)
	if ports := m.portLines(&p.tree, w, h); w >= 120 {
		lines = beside(lines, ports, w/2, m.theme.dim.Render("│ "))
	} else {
		lines = append(append(lines, ""), ports...)
	}
	p.h, p.lines = h, len(lines)
	p.scroll(0)
	return lines[p.lst.top:min(len(lines), p.lst.top+h)]
}

// drawing is the tree while it is drawn.
type drawing struct {
	m        *Model
	tree     *api.Tree
	nodes    map[string]*api.TreeNode
	children map[string][]*api.TreeNode
	seen     map[string]bool
	out      []string
}

func (m *Model) treeLines(t *api.Tree) []string {
	d := drawing{m: m, tree: t, nodes: map[string]*api.TreeNode{}, children: map[string][]*api.TreeNode{}, seen: map[string]bool{}}
	var roots []*api.TreeNode
	for i := range t.Nodes {
		d.nodes[t.Nodes[i].ID] = &t.Nodes[i]
	}
	for i := range t.Nodes {
		n := &t.Nodes[i]
		if d.nodes[n.Parent] == nil || n.Parent == n.ID {
			roots = append(roots, n)
		} else {
			d.children[n.Parent] = append(d.children[n.Parent], n)
		}
	}
	for _, r := range roots {
		d.node(r, "", "")
	}
	for i := range t.Nodes { // parents in a circle: show them all the same
		if !d.seen[t.Nodes[i].ID] {
			d.node(&t.Nodes[i], "", "")
		}
	}
	d.spare()
	return d.out
}

func (d *drawing) name(id string) string {
	if n := d.nodes[id]; n != nil && n.Name != "" {
		return clean(n.Name)
	}
	return clean(id)
}

// node draws one satellite and all below it.
func (d *drawing) node(n *api.TreeNode, first, rest string) {
	if d.seen[n.ID] {
		return
	}
	d.seen[n.ID] = true
	t := d.m.theme
	name := d.name(n.ID)
	line := t.dim.Render(first) + t.name.Render(name)
	var notes []string
	if n.Name != "" && (n.Name == d.tree.Root || n.ID == d.tree.Root) || n.ID == d.tree.Root {
		line += t.good.Render(" ★ root")
	}
	if n.Name != "" && n.Name == d.tree.Satellite || n.ID == d.tree.Satellite {
		line += t.dim.Render(" (here)")
	}
	if l := d.link(n.ID, n.Parent); l != nil {
		mine, other := l.APort, l.BPort
		if l.A != n.ID {
			mine, other = other, mine
		}
		notes = append(notes, fmt.Sprintf("%s ══ %s %s", portName(mine), d.name(n.Parent), portName(other)), fmt.Sprintf("cost %d", n.Distance))
	}
	priority := fmt.Sprintf("priority %d", n.Priority)
	if n.Set {
		priority += " set"
	}
	notes = append(notes, priority, count(n.MACs, "MAC", "MACs"))
	d.out = append(d.out, line+t.dim.Render("  "+strings.Join(notes, " · ")))
	kids := d.children[n.ID]
	slices.SortFunc(kids, func(a, b *api.TreeNode) int { return strings.Compare(d.name(a.ID), d.name(b.ID)) })
	for i, k := range kids {
		if i == len(kids)-1 {
			d.node(k, rest+"└─ ", rest+"   ")
		} else {
			d.node(k, rest+"├─ ", rest+"│  ")
		}
	}
}

// link finds the tree's cable between two satellites.
func (d *drawing) link(a, b string) *api.TreeLink {
	for i := range d.tree.Links {
		l := &d.tree.Links[i]
		if l.Tree && (l.A == a && l.B == b || l.A == b && l.B == a) {
			return l
		}
	}
	return nil
}

// spare lists the cables that are not part of the tree.
func (d *drawing) spare() {
	t := d.m.theme
	for _, l := range d.tree.Links {
		if !l.Tree {
			line := fmt.Sprintf("%s %s ╌╌ %s %s · cost %d · spare", d.name(l.A), portName(l.APort), d.name(l.B), portName(l.BPort), l.Cost)
			d.out = append(d.out, t.dim.Render("   ")+t.busy.Render(line))
		}
	}
}

// portName is a port's name, where it is known; of another satellite's only the number is.
func portName(name string) string {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return "port " + name
	}
	return clean(name)
}

var portColumns = []column{
	{title: "PORT", min: 8, max: 16},
	{title: "ROLE", min: 9, max: 9},
	{title: "TO", min: 8, max: 20},
	{title: "RECEIVED", min: 11, max: 15, right: true, drop: 1},
	{title: "SENT", min: 11, max: 15, right: true, drop: 2},
	{title: "DROPPED", min: 8, max: 12, right: true, drop: 3},
	{title: "NOTE", min: 14, max: 40, drop: 4},
}

// portLines is the table of the telling satellite's ports.
func (m *Model) portLines(t *api.Tree, w, h int) []string {
	if w >= 120 {
		w = w/2 - 2
	}
	l := list{sel: -1}
	th := m.theme
	columns := portColumns
	if !slices.ContainsFunc(t.Ports, func(p api.TreePort) bool { return p.Note != "" }) {
		columns = columns[:len(columns)-1]
	}
	rows := l.draw(th, columns, len(t.Ports), w, max(h, len(t.Ports)+1), func(i int) []field {
		p := &t.Ports[i]
		sign, style := portRole(th, p.Role)
		to := p.Neighbour
		for _, n := range t.Nodes {
			if n.ID == to && n.Name != "" {
				to = n.Name
			}
		}
		return []field{
			{p.Name, th.plain}, {sign, style}, {to, th.plain}, {thousands(int(p.RX)), th.plain},
			{thousands(int(p.TX)), th.plain}, {thousands(int(p.Dropped)), th.dim},
			{p.Note, th.busy},
		}[:len(columns)]
	})
	return append([]string{th.dim.Render("ports of " + clean(t.Satellite) + ", in frames")}, rows...)
}

// portRole gives a port's role its sign.
func portRole(t theme, role string) (string, style) {
	switch role {
	case "root":
		return "↑ root", t.good
	case "child":
		return "↓ child", t.good
	case "blocked":
		return "╌ blocked", t.busy
	case "down":
		return "✗ down", t.bad
	case "waiting":
		return "◌ waiting", t.busy
	}
	return "· " + clean(role), t.plain
}
