package tui

import (
	"context"
	"fmt"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// chainsPage tells whether the satellites' logs are whole. Their heads are written down elsewhere by those who read them,
// so none is cut: the page scrolls. Whole chains are walked once, or at Ctrl-L.
type chainsPage struct {
	pageBase
	line   string
	ask    api.AuditRequest
	chains []api.AuditChain
	h, all int // of the last drawing
}

func (p *chainsPage) command() string { return p.line }

func (p *chainsPage) load(m *Model) tea.Cmd {
	svc, ask := m.svc, p.ask
	return m.ask(p, func(ctx context.Context) (any, error) { return svc.Audit(ctx, ask) })
}

func (p *chainsPage) answer(m *Model, v any) {
	r := v.(api.AuditReply)
	p.chains, m.silent, p.refused = r.Chains, r.Silent, r.Refused
}

func (p *chainsPage) draw(m *Model, w, h int) []string {
	if !p.ready {
		return p.waiting(m)
	}
	t := m.theme
	out := m.refusedLines(p.refused, w, h)
	h -= len(out)
	var lines []string
	for i := range p.chains {
		c := &p.chains[i]
		kept := fmt.Sprintf("%s from %d", count(int(min(c.Entries, 1<<31)), "entry", "entries"), c.First)
		if c.Broken == "" {
			lines = append(lines, cut(t.name.Render(pad(clean(c.Satellite), 10))+"  "+t.good.Render("✓ whole")+"  "+t.dim.Render(kept), w))
		} else {
			lines = append(lines, cut(t.name.Render(pad(clean(c.Satellite), 10))+"  "+t.bad.Render("✗ broken")+"  "+t.dim.Render(kept), w))
			for _, l := range wrap(c.Broken, w-2, reasonLines) {
				lines = append(lines, "  "+t.bad.Render(l))
			}
		}
		for _, part := range pieces(clean(c.Head), w-2) {
			lines = append(lines, "  "+part)
		}
	}
	if len(lines) == 0 {
		lines = []string{t.dim.Render("no logs")}
	}
	p.h, p.all = h, len(lines)
	p.scroll(0)
	return append(out, lines[p.lst.top:min(len(lines), p.lst.top+max(0, h))]...)
}

// scroll moves by so many lines.
func (p *chainsPage) scroll(by int) { p.lst.top = max(0, min(p.lst.top+by, p.all-p.h)) }

// pieces breaks a hash into equal parts that fit w columns: halves, quarters and so on.
func pieces(hash string, w int) []string {
	n := len(hash)
	for n > w && n > 8 {
		n = (n + 1) / 2
	}
	var out []string
	for ; len(hash) > n; hash = hash[n:] {
		out = append(out, hash[:n])
	}
	return append(out, hash)
}
