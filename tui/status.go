package tui

import (
	"fmt"
	"strings"

	"decenter/engine/api"
)

// who is the account and the satellite, in at most w columns.
func (m *Model) who(w int) string {
	if !m.known {
		return m.theme.dim.Render(cut("connecting …", w))
	}
	name := clean(m.hello.Satellite)
	scope := ""
	if s := m.scope(); s != "" {
		scope = " " + s
	}
	room := w - width(name) - width(scope) - 3
	if room < 5 {
		return cut(middle(clean(m.hello.Account), max(5, w/2))+"@"+name+scope, w)
	}
	return middle(clean(m.hello.Account), room) + m.theme.busy.Render(scope) + m.theme.dim.Render(" @ ") + m.theme.name.Render(name)
}

// scope says how little the login may do; empty where it may do all that the account may.
func (m *Model) scope() string {
	switch s := m.hello.Scope; {
	case !m.known || s.Full():
		return ""
	case s == api.ScopeRead:
		return "(read only)"
	default:
		return "(" + clean(string(s)) + " only)"
	}
}

// scopeLine says where to read how to lift the scope's limit.
func (m *Model) scopeLine() string {
	if m.scope() == "" {
		return ""
	}
	return strings.Trim(m.scope(), "()") + ": `whoami` says how to do more"
}

// statusLine is the last line: who and where, and what is amiss.
func (m *Model) statusLine(w int) string {
	t := m.theme
	right := ""
	switch {
	case m.offline != "":
		right = t.bad.Render("! " + clean(m.offline))
	case len(m.silent)+len(m.down)+len(m.refusals()) > 0:
		right = t.busy.Render("! " + clean(amiss(m.silent, m.down, m.refusals())))
	case w >= narrow && !m.atHome() && m.counts.ready:
		right = m.countsLine(w - 30)
		if m.note != "" {
			right = ""
		}
	case m.opt.Version != "":
		right = t.dim.Render(clean(strings.ToLower(m.opt.Name) + " " + m.opt.Version))
	}
	right = cut(right, w-min(w, 22))
	return spread(m.who(min(w, max(20, w-width(right)-2))), right, w)
}

// amiss says who did not answer, who failed, and who refuses.
func amiss(silent, down []string, refused []api.Refusal) string {
	var parts []string
	if len(silent) > 0 {
		parts = append(parts, some(silent)+" did not answer")
	}
	if len(down) > 0 {
		parts = append(parts, some(down)+" failed")
	}
	if len(refused) > 0 {
		var names []string
		for _, r := range refused {
			names = append(names, r.Satellite)
		}
		parts = append(parts, some(names)+" refused")
	}
	return strings.Join(parts, " · ")
}

// some names the first few.
func some(names []string) string {
	const most = 3
	if n := len(names); n > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), n-most)
	}
	return strings.Join(names, ", ")
}
