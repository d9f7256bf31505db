package output

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"decenter/engine/api"
	"decenter/shell/grammar"
)

// Tree writes the satellite tree: the tree, the cables it does not use, and the telling satellite's ports.
func (p Printer) Tree(t api.Tree) error {
	if p.JSON {
		return objects(p.W, []api.Tree{t})
	}
	d := newDrawing(t)
	for _, n := range t.Nodes {
		if n.Parent == "" || !d.known[n.Parent] {
			d.draw(n, "", "")
		}
	}
	for _, n := range t.Nodes { // what hangs on no root, because its parents go in a circle
		d.draw(n, "", "")
	}
	if _, err := fmt.Fprintf(p.W, "the satellite tree as %s knows it\n\n", Clean(t.Satellite)); err != nil {
		return err
	}
	if err := p.table(d.out); err != nil {
		return err
	}
	if _, err := io.WriteString(p.W, d.reserve()); err != nil || len(t.Ports) == 0 {
		return err
	}
	if _, err := fmt.Fprintf(p.W, "\nthe ports of %s, in frames:\n", Clean(t.Satellite)); err != nil {
		return err
	}
	return p.table(treePorts(t))
}

// treePorts is the table of the telling satellite's ports. There is a column of notes where one has something to say.
func treePorts(t api.Tree) *table {
	ports := newTable("PORT", "ROLE", "NEIGHBOUR", "RECEIVED", "SENT", "DROPPED", "NOTE")
	notes := false
	for _, q := range t.Ports {
		ports.add(text(q.Name), treeRole(q.Role), text(q.Neighbour), text(strconv.FormatUint(q.RX, 10)), text(strconv.FormatUint(q.TX, 10)),
			text(strconv.FormatUint(q.Dropped, 10)), text(q.Note))
		notes = notes || q.Note != ""
	}
	if !notes {
		return ports.without("NOTE")
	}
	return ports
}

// treeRole gives the role of a port the colour of what it lets through.
func treeRole(role string) cell {
	style := plain
	switch role {
	case "root", "child":
		style = green
	case "blocked", "waiting":
		style = yellow
	case "down":
		style = red
	}
	return cell{text: role, style: style}
}

// TreePriority tells what a satellite's priority became.
func (p Printer) TreePriority(s api.TreePriority) error {
	line := fmt.Sprintf("%s has priority %d", Clean(s.Satellite), s.Priority)
	if s.Was != s.Priority {
		line += fmt.Sprintf(", before %d", s.Was)
	}
	switch {
	case !s.Set:
		line += "; its configuration says so"
	case s.Configured != s.Priority:
		line += fmt.Sprintf("\n`tree priority %s %s` makes it its configuration's again, %d", Clean(s.Satellite), grammar.PriorityDefault, s.Configured)
	}
	return p.Text(line+"\n", s)
}

// TreeNode tells the priority of one satellite in the tree.
func (p Printer) TreeNode(t api.Tree, n api.TreeNode) error {
	line := fmt.Sprintf("%s has priority %d", Clean(cmp.Or(n.Name, n.ID)), n.Priority)
	switch {
	case is(t.Root, n):
		line += " and is the root"
	case t.Root != "":
		line += "; the root is " + Clean(t.Root)
		if i := slices.IndexFunc(t.Nodes, func(o api.TreeNode) bool { return is(t.Root, o) }); i >= 0 {
			line += fmt.Sprintf(", of priority %d", t.Nodes[i].Priority)
		}
	}
	return p.Text(line+"\n", n)
}

// drawing is a tree being drawn. Each node is drawn once, whatever a confused fabric says of its parents.
type drawing struct {
	tree     api.Tree
	children map[string][]api.TreeNode
	names    map[string]string
	known    map[string]bool
	drawn    map[string]bool
	out      *table
}

func newDrawing(t api.Tree) *drawing {
	d := &drawing{tree: t, children: map[string][]api.TreeNode{}, names: map[string]string{}, known: map[string]bool{}, drawn: map[string]bool{},
		out: newTable("SATELLITE", "PRIORITY", "COST", "CABLE TO THE ROOT", "MACS", "ID")}
	for _, n := range t.Nodes {
		d.known[n.ID], d.names[n.ID] = true, n.Name
		if n.Parent != "" {
			d.children[n.Parent] = append(d.children[n.Parent], n)
		}
	}
	return d
}

func (d *drawing) name(id string) string {
	if n := d.names[id]; n != "" {
		return Clean(n)
	}
	return Clean(id)
}

// draw adds a node after its branch and its children under it.
func (d *drawing) draw(n api.TreeNode, branch, under string) {
	if d.drawn[n.ID] {
		return
	}
	d.drawn[n.ID] = true
	name, style, priority := branch+d.name(n.ID), plain, strconv.Itoa(n.Priority)
	switch root, here := is(d.tree.Root, n), is(d.tree.Satellite, n); {
	case root && here:
		name, style = name+" (root, here)", green
	case root:
		name, style = name+" (root)", green
	case here:
		name += " (here)"
	}
	if n.Set {
		priority += " set"
	}
	d.out.add(cell{text: name, style: style, keep: true}, text(priority), text(strconv.FormatUint(n.Distance, 10)), text(d.upwards(n)),
		text(strconv.Itoa(n.MACs)), text(n.ID))
	kids := slices.DeleteFunc(slices.Clone(d.children[n.ID]), func(k api.TreeNode) bool { return d.drawn[k.ID] })
	for i, k := range kids {
		if i == len(kids)-1 {
			d.draw(k, under+"└─ ", under+"   ")
		} else {
			d.draw(k, under+"├─ ", under+"│  ")
		}
	}
}

// is tells whether a node is meant by a name or id.
func is(ref string, n api.TreeNode) bool { return ref != "" && (ref == n.Name || ref == n.ID) }

// upwards is the cable of the tree by which a node hangs on its parent.
func (d *drawing) upwards(n api.TreeNode) string {
	for _, l := range d.tree.Links {
		switch {
		case !l.Tree || n.Parent == "":
		case l.A == n.ID && l.B == n.Parent:
			return port(l.APort) + " — " + d.name(l.B) + " " + port(l.BPort)
		case l.B == n.ID && l.A == n.Parent:
			return port(l.BPort) + " — " + d.name(l.A) + " " + port(l.APort)
		}
	}
	return ""
}

// port is a port's name, where it is known; of another satellite's only the number is.
func port(name string) string {
	if _, err := strconv.ParseUint(name, 10, 32); err == nil {
		return "port " + name
	}
	return Clean(name)
}

// reserve lists the cables that are not in the tree.
func (d *drawing) reserve() string {
	var b strings.Builder
	heading := "\nnot in the tree, in reserve:\n"
	for _, l := range d.tree.Links {
		if !l.Tree {
			fmt.Fprintf(&b, "%s  %s %s — %s %s  cost %d\n", heading, d.name(l.A), port(l.APort), d.name(l.B), port(l.BPort), l.Cost)
			heading = ""
		}
	}
	return b.String()
}
