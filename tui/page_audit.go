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

// every is seldom: a satellite has up to a thousand entries to send.
func (p *auditPage) every() int { return 4 }

func (p *auditPage) load(m *Model) tea.Cmd {
	svc, ask := m.svc, p.ask
	return m.ask(p, func(ctx context.Context) (any, error) { return svc.Audit(ctx, ask) })
}

func (p *auditPage) answer(m *Model, v any) {
	was := p.selected()
	p.reply = v.(api.AuditReply)
	p.reply.Entries = ReadsLast(p.reply.Entries)
	m.silent, p.refused = p.reply.Silent, p.reply.Refused
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
	d.add("action", times(e))
	d.values = append(d.values, who(e)...)
	at := stamp(e.Time)
	if e.Count > 1 {
		at += fmt.Sprintf(", the first of %d", e.Count)
	}
	d.add("at", at)
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

// who is the part of an entry that its row has no room for: names and values, in full.
func who(e *api.AuditEntry) [][2]string {
	via := e.Via
	if e.From != "" {
		via += ", by " + e.From
	}
	all := [][2]string{{"account", e.Account}, {"SSH key", e.Key}, {"via", via}, {"object", e.Object}, {"why", e.Reason}}
	return slices.DeleteFunc(all, func(v [2]string) bool { return v[1] == "" })
}

// auditColumns: who asked is told before what it was about, and why.
var auditColumns = []column{
	{title: "AT (UTC)", min: 14, max: 14, drop: 2},
	{title: "VERDICT", min: 7, max: 7},
	{title: "ACTION", min: 9, max: 12},
	{title: "WHO", min: 14, max: 62, drop: 1},
	{title: "OBJECT", min: 6, max: 34, drop: 3},
	{title: "WHY", min: 15, max: 64, drop: 4},
	{title: "SATELLITE", min: 9, max: 16, drop: 5},
	{title: "VIA", min: 6, max: 6, drop: 6},
}

// wholeAccounts is from how many columns on WHO is not shortened.
const wholeAccounts = 160

func (p *auditPage) draw(m *Model, w, h int) []string {
	if !p.ready {
		return p.waiting(m)
	}
	t := m.theme
	out := m.refusedLines(p.refused, w, h)
	if h -= len(out); len(p.reply.Entries) == 0 {
		return append(out, t.dim.Render("nothing found"))
	}
	var below []string
	if e := p.selected(); e != nil {
		if below = append([]string{""}, m.factLines(who(e), w)...); h-len(below) < 6 {
			below = nil // Enter shows it
		}
	}
	cols := slices.Clone(auditColumns)
	if w < wholeAccounts {
		cols[3].max = cols[3].min
	}
	out = append(out, p.lst.draw(t, cols, len(p.reply.Entries), w, h-len(below), func(i int) []field {
		e := &p.reply.Entries[i]
		verdict, style := "✓ "+string(e.Verdict), t.dim
		if e.Verdict == api.VerdictDeny {
			verdict, style = "✗ "+string(e.Verdict), t.bad
		}
		return []field{{e.Time.UTC().Format("01-02 15:04:05"), t.plain}, {verdict, style}, {times(e), t.plain}, {middle(clean(e.Account), cols[3].max), t.plain},
			{e.Object, t.plain}, {e.Reason, t.dim}, {e.Satellite, t.plain}, {e.Via, t.dim}}
	})...)
	return append(out, below...)
}
