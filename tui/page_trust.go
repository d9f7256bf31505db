package tui

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// trustVerbs are lines by which it is found out whether the language has a verb.
var trustVerbs = map[string]string{
	"admit": "admit " + anyKey, "eject": "eject " + anyKey, "revoke": "revoke " + anyKey, "grant": "grant none " + anyAccount + " on:all",
}

// A fingerprint and an address that are well formed, of nobody.
const (
	anyKey     = "SHA256:1xW0OZkTVhIQrNwHRG1C1ZMTZpOA8mT3DCJcDsRCkzg"
	anyAccount = "1BitcoinEaterAddressDontSendf59kuE"
)

// trustPage lists whom the satellite trusts.
type trustPage struct {
	pageBase
	line  string
	words []string
	reply api.TrustReply // its statements those that have the words
}

func (p *trustPage) command() string    { return p.line }
func (p *trustPage) every() int         { return 3 }
func (p *trustPage) rows() (*list, int) { return &p.lst, len(p.reply.Statements) }

func (p *trustPage) load(m *Model) tea.Cmd {
	svc := m.svc
	return m.ask(p, func(ctx context.Context) (any, error) { return svc.Trust(ctx) })
}

func (p *trustPage) answer(_ *Model, v any) {
	was := ""
	if s := p.selected(); s != nil {
		was = s.Signed.Line
	}
	p.reply = v.(api.TrustReply)
	p.reply.Statements = slices.DeleteFunc(slices.Clone(p.reply.Statements), func(s api.Statement) bool { return !s.Has(p.words) })
	p.lst.sel = slices.IndexFunc(p.reply.Statements, func(s api.Statement) bool { return was != "" && s.Signed.Line == was })
}

func (p *trustPage) selected() *api.Statement {
	if p.lst.sel < 0 || p.lst.sel >= len(p.reply.Statements) {
		return nil
	}
	return &p.reply.Statements[p.lst.sel]
}

// enter shows a statement in full.
func (p *trustPage) enter(m *Model) tea.Cmd {
	s := p.selected()
	if s == nil {
		return nil
	}
	d := &detailPage{words: "trust " + clean(string(s.Kind)) + " " + word(s.Time.UTC().Format(time.RFC3339))}
	d.add("says", string(s.Kind)+" "+s.About())
	d.add("satellite", m.names[s.Key])
	d.add("signed by", s.Account)
	d.add("since", stamp(s.Time))
	if s.Until != nil {
		d.add("until", stamp(*s.Until))
	}
	d.add("line", s.Signed.Line)
	d.add("signature", s.Signed.Signature)
	d.ready = true
	return m.open(d)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") + " UTC" }

var trustColumns = []column{
	{title: "SAYS", min: 8, max: 8},
	{title: "ABOUT", min: 34, max: 76},
	{title: "SIGNED BY", min: 14, max: 62, drop: 1},
	{title: "SINCE (UTC)", min: 16, max: 16, drop: 2},
	{title: "UNTIL (UTC)", min: 16, max: 16, drop: 3},
}

func (p *trustPage) draw(m *Model, w, h int) []string {
	if !p.ready {
		return p.waiting(m)
	}
	t := m.theme
	out := p.head(m, w, h)
	if len(p.reply.Statements) == 0 {
		return append(out, t.dim.Render("no statements"))
	}
	cols, key, account := trustColumns, 18, 14
	if w < 80 {
		cols, key, account = slices.Clone(cols), 16, 12
		cols[2].min = account
	}
	const minute = "2006-01-02 15:04"
	return append(out, p.lst.draw(t, cols, len(p.reply.Statements), w, h-len(out), func(i int) []field {
		s := &p.reply.Statements[i]
		until := ""
		if s.Until != nil {
			until = s.Until.UTC().Format(minute)
		}
		style, short := t.plain, *s
		if w < 120 { // the ends of a key and of an address tell more than either half
			short.Key, short.Grantee, short.Account = middle(clean(s.Key), key), middle(clean(s.Grantee), account), middle(clean(s.Account), account)
		}
		if s.Kind == api.StatementEject || s.Kind == api.StatementRevoke {
			style = t.busy
		}
		if name := m.names[s.Key]; name != "" {
			short.Key = name + " " + short.Key
		}
		return []field{{string(s.Kind), style}, {short.About(), t.plain}, {short.Account, t.dim}, {s.Time.UTC().Format(minute), t.dim}, {until, t.dim}}
	})...)
}

// head names the constellation and all its owners: on one line, or where that is too long, each on its own, in at most
// half of h lines.
func (p *trustPage) head(m *Model, w, h int) []string {
	t := m.theme
	name, owners := t.dim.Render("constellation ")+clean(p.reply.Constellation), "none but root on a satellite"
	if len(p.reply.Owners) > 0 {
		owners = clean(strings.Join(p.reply.Owners, ", "))
	}
	if line := name + t.dim.Render(" · owners ") + owners; width(line) <= w || h < 6 {
		return []string{cut(line, w)}
	}
	out := []string{cut(name, w)}
	for i, o := range p.reply.Owners {
		if len(out) == h/2-1 && i < len(p.reply.Owners)-1 {
			return append(out, cut(t.dim.Render("owners      ")+fmt.Sprintf("and %d more", len(p.reply.Owners)-i), w))
		}
		out = append(out, m.factLines([][2]string{{map[bool]string{true: "owners"}[i == 0], o}}, w)...)
	}
	return out
}

// trustHints offers the verbs that fit what is selected among satellites and statements.
func (m *Model) trustHints() []hint {
	var out []hint
	add := func(key rune, verb, label, line string) {
		if m.verbs[verb] {
			out = append(out, hint{key: key, label: label, line: line})
		}
	}
	switch p := m.page().(type) {
	case *satellitesPage:
		if p.lst.sel < 0 || p.lst.sel >= len(p.all) {
			break
		}
		if n := &p.all[p.lst.sel]; n.State == api.SatelliteStranger {
			add(tea.KeyF3, "admit", "admit", "admit SHA256:")
		} else if n.State != api.SatelliteLeft {
			add(tea.KeyF8, "eject", "eject", "eject "+word(n.Name))
		}
	case *trustPage:
		s := p.selected()
		if s == nil {
			break
		}
		switch key := strings.Fields(clean(s.Key)); {
		case s.Kind == api.StatementDelegate && len(key) == 1:
			add(tea.KeyF8, "revoke", "revoke", "revoke "+key[0])
		case s.Kind == api.StatementAdmit && len(key) == 1:
			add(tea.KeyF8, "eject", "eject", "eject "+key[0])
		case s.Kind == api.StatementEject && len(key) == 1:
			add(tea.KeyF3, "admit", "admit again", "admit "+key[0])
		case s.Kind == api.StatementGrant && s.Role != api.RoleNone:
			add(tea.KeyF8, "grant", "take back", "grant none "+word(s.Grantee)+" on:"+clean(s.Object))
		}
	}
	return out
}
