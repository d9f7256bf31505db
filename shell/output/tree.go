package output

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"decenter/engine/api"
)

// Tree writes the satellite tree: the tree, the cables it does not use, and the telling satellite's ports.
func (p Printer) Tree(t api.Tree) error {
	if p.JSON {
		return objects(p.W, []api.Tree{t})
	}
	d := newDrawing(t)
	var b strings.Builder
	fmt.Fprintf(&b, "the satellite tree as %s knows it\n\n", Clean(t.Satellite))
	for _, n := range t.Nodes {
		if n.Parent == "" || !d.known[n.Parent] {
			d.draw(&b, n, "", "")
		}
	}
	for _, n := range t.Nodes { // what hangs on no root, because its parents go in a circle
		d.draw(&b, n, "", "")
	}
	heading := "\nnot in the tree, in reserve:\n"
	for _, l := range t.Links {
		if !l.Tree {
			fmt.Fprintf(&b, "%s  %s %s — %s %s  cost %d\n", heading, d.name(l.A), Clean(l.APort), d.name(l.B), Clean(l.BPort), l.Cost)
			heading = ""
		}
	}
	if _, err := io.WriteString(p.W, b.String()); err != nil || len(t.Ports) == 0 {
		return err
	}
	ports := newTable("PORT", "ROLE", "NEIGHBOUR", "RECEIVED", "SENT", "DROPPED")
	for _, q := range t.Ports {
		ports.add(text(q.Name), text(q.Role), text(q.Neighbour), text(strconv.FormatUint(q.RX, 10)), text(strconv.FormatUint(q.TX, 10)),
			text(strconv.FormatUint(q.Dropped, 10)))
	}
	if _, err := io.WriteString(p.W, "\n"); err != nil {
		return err
	}
	return p.table(ports)
}

// drawing is a tree being drawn. Each node is drawn once, whatever a confused fabric says of its parents.
type drawing struct {
	children map[string][]api.TreeNode
	names    map[string]string
	known    map[string]bool
	drawn    map[string]bool
}

func newDrawing(t api.Tree) *drawing {
	d := &drawing{children: map[string][]api.TreeNode{}, names: map[string]string{}, known: map[string]bool{}, drawn: map[string]bool{}}
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

// draw writes a node after its branch and its children under it.
func (d *drawing) draw(b *strings.Builder, n api.TreeNode, branch, under string) {
	if d.drawn[n.ID] {
		return
	}
	d.drawn[n.ID] = true
	macs := "MACs"
	if n.MACs == 1 {
		macs = "MAC"
	}
	fmt.Fprintf(b, "%s%s  %s  cost %d, home to %d %s\n", branch, d.name(n.ID), Clean(n.ID), n.Distance, n.MACs, macs)
	kids := slices.DeleteFunc(slices.Clone(d.children[n.ID]), func(k api.TreeNode) bool { return d.drawn[k.ID] })
	for i, k := range kids {
		if i == len(kids)-1 {
			d.draw(b, k, under+"└─ ", under+"   ")
		} else {
			d.draw(b, k, under+"├─ ", under+"│  ")
		}
	}
}
