package tui

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// auditPage lists decisions, newest first.
type auditPage struct {
	pageBase
	line  string
	ask   api.AuditRequest
	reply api.AuditReply
}

func (p *auditPage) command() string    { return p.line }
func (p *auditPage) rows() (*list, int) { return &p.lst, len(p.reply.Entries) }

// every is seldom: a satellite has up to a thousand entries to send. Whole chains are walked once, or at Ctrl-L.
func (p *auditPage) every() int {
	if p.ask.Verify {
		return 0
	}
	return 4
}

func (p *auditPage) load(m *Model) tea.Cmd {
	svc, ask := m.svc, p.ask
	return m.ask(p, func(ctx context.Context) (any, error) { return svc.Audit(ctx, ask) })
}

func (p *auditPage) answer(m *Model, v any) {
	was := p.selected()
	p.reply = v.(api.AuditReply)
	m.silent = p.reply.Silent
	p.lst.sel = slices.IndexFunc(p.reply.Entries, func(e api.AuditEntry) bool {
		return was != nil && e.Satellite == was.Satellite && e.Seq == was.Seq
	})
}

func (p *auditPage) selected() *api.AuditEntry {
	if p.lst.sel < 0 || p.lst.sel >= len(p.reply.Entries) {
		return nil
	}
	e := p.reply.Entries[p.lst.sel]
	return &e
}

// enter shows an entry in full.
func (p *auditPage) enter(m *Model) tea.Cmd {
	e := p.selected()
	if e == nil {
		return nil
	}
	d := &detailPage{words: fmt.Sprintf("audit satellite:%s action:%s since:%s", word(e.Satellite), word(e.Action), e.Time.UTC().Format(time.RFC3339))}
	d.add("verdict", string(e.Verdict)+", by "+e.Satellite)
	d.add("why", e.Reason)
	d.add("action", times(e))
	d.add("object", e.Object)
	d.add("account", e.Account)
	d.add("SSH key", e.Key)
	d.add("via", e.Via)
	d.add("at", stamp(e.Time))
	d.add("entry", strconv.FormatUint(e.Seq, 10))
	d.ready = true
	return m.open(d)
}

// times is an entry's action, and how many it stands for.
func times(e *api.AuditEntry) string {
	if e.Count > 1 {
		return e.Action + " ×" + strconv.Itoa(e.Count)
	}
	return e.Action
}

var auditColumns = []column{
	{title: "AT (UTC)", min: 14, max: 14},
	{title: "VERDICT", min: 7, max: 7},
	{title: "ACTION", min: 9, max: 12},
	{title: "OBJECT", min: 9, max: 34},
	{title: "WHY", min: 20, max: 64, drop: 1},
	{title: "SATELLITE", min: 9, max: 16, drop: 2},
	{title: "ACCOUNT", min: 12, max: 62, drop: 3},
	{title: "VIA", min: 6, max: 6, drop: 4},
}

func (p *auditPage) draw(m *Model, w, h int) []string {
	if !p.ready {
		return p.waiting(m)
	}
	t := m.theme
	var out []string
	for i := range p.reply.Chains {
		c := &p.reply.Chains[i]
		state, style := "✓ whole", t.good
		if c.Broken != "" {
			state, style = "✗ broken: "+clean(c.Broken), t.bad
		}
		out = append(out, cut(pad(clean(c.Satellite), 12)+style.Render(state)+t.dim.Render(fmt.Sprintf("  %s from %d, head ",
			count(int(min(c.Entries, 1<<31)), "entry", "entries"), c.First))+clean(c.Head), w))
	}
	out = out[:min(len(out), max(1, h/2))]
	if len(out) > 0 {
		out = append(out, "")
	}
	if len(p.reply.Entries) == 0 {
		return append(out, t.dim.Render("nothing found"))
	}
	var why []string
	if e := p.selected(); e != nil && h-len(out) > 3*reasonLines {
		why = append([]string{"", m.label("account") + cut(clean(e.Account), w-12)}, wrap(e.Reason, w, reasonLines)...)
	}
	return append(append(out, p.lst.draw(t, auditColumns, len(p.reply.Entries), w, h-len(out)-len(why), func(i int) []field {
		e := &p.reply.Entries[i]
		verdict, style := "✓ "+string(e.Verdict), t.dim
		if e.Verdict == api.VerdictDeny {
			verdict, style = "✗ "+string(e.Verdict), t.bad
		}
		return []field{{e.Time.UTC().Format("01-02 15:04:05"), t.plain}, {verdict, style}, {times(e), t.plain}, {e.Object, t.plain}, {e.Reason, t.dim},
			{e.Satellite, t.plain}, {e.Account, t.dim}, {e.Via, t.dim}}
	})...), why...)
}
