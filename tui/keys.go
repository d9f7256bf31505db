package tui

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// confirm asks for a name before an irreversible line is executed.
type confirm struct{ line, name, verb string }

// warning says why the name is asked for.
func (c *confirm) warning() string {
	if c.verb == "eject" {
		return "Its connections end at once."
	}
	return "This cannot be undone."
}

// asked tells whether the box takes an answer and no line.
func (m *Model) asked() bool { return m.confirm != nil || m.sign != nil }

// completion is what Tab goes through.
type completion struct {
	on     bool
	line   string // before the first Tab
	cursor int    // byte offset
	offers []Suggestion
	at     int
}

// key takes one key. Only the console sends letters elsewhere than into the box.
func (m *Model) key(k tea.KeyPressMsg) tea.Cmd {
	if c, ok := m.page().(*consolePage); ok {
		return c.key(m, k)
	}
	if k.String() != "ctrl+c" {
		m.note, m.quitAt = "", time.Time{}
	}
	switch s := k.String(); s {
	case "ctrl+c":
		return m.interrupt()
	case "ctrl+d":
		if len(m.box.runes) == 0 && !m.asked() {
			return m.quit()
		}
	case "esc":
		return m.escape()
	case "enter":
		return m.enter()
	case "tab":
		return m.complete(1)
	case "shift+tab":
		return m.complete(-1)
	case "up", "down", "pgup", "pgdown", "ctrl+p", "ctrl+n":
		return m.move(s)
	case "ctrl+y":
		return m.copy()
	case "ctrl+l":
		return m.refresh()
	default:
		if k.Code >= tea.KeyF1 && k.Code <= tea.KeyF12 {
			return m.function(k.Code)
		}
	}
	before := m.box.pos
	if m.box.key(k) {
		m.history.leave()
		return m.edited()
	}
	if m.box.pos != before && !m.asked() {
		m.tab = completion{}
		m.offer()
	}
	return nil
}

// interrupt clears the line, ends waiting, or quits: in this order, one a key.
func (m *Model) interrupt() tea.Cmd {
	switch {
	case m.asked():
		return m.escape()
	case len(m.box.runes) > 0:
		m.box.set("")
		m.history.leave()
		return m.edited()
	case m.act.busy:
		m.act.cancel()
		m.note = "stopped waiting"
		return nil
	}
	now := m.opt.Now()
	if !m.quitAt.IsZero() && now.Sub(m.quitAt) < quitWindow {
		return m.quit()
	}
	m.quitAt, m.note = now, "Ctrl-C again to quit"
	return nil
}

// escape goes back by one step.
func (m *Model) escape() tea.Cmd {
	switch {
	case m.sign != nil:
		return m.leaveSign()
	case m.confirm != nil:
		line := m.confirm.line
		m.confirm = nil
		m.box.set(line)
		cmd := m.edited()
		m.note = "nothing was done"
		return cmd
	case m.failed != nil:
		m.failed = nil
	case m.tab.on:
		line := m.tab.line
		m.box.set(line)
		return m.edited()
	case len(m.box.runes) > 0:
		m.box.set("")
		m.history.leave()
		return m.edited()
	case m.act.text != nil || m.act.job != nil:
		m.act.text, m.act.job, m.act.line = nil, nil, ""
	case m.page() != nil:
		return m.back()
	}
	return nil
}

// enter executes the line as it is typed; on an empty box, or a search, it opens the selected row.
func (m *Model) enter() tea.Cmd {
	line := strings.TrimSpace(m.box.value())
	switch {
	case m.sign != nil:
		return m.signed(line)
	case m.confirm != nil:
		return m.confirmed(line)
	}
	if line == "" {
		if p := m.page(); p != nil {
			return p.enter(m)
		}
		return nil
	}
	m.tab = completion{}
	in, err := m.lang.Parse(line)
	if err != nil {
		m.leaveSearch()
		m.leavePages("")
		m.failed = &failure{line, apiError(err)}
		return nil
	}
	if m.searchLine() && in.Verb == "" && in.View == "" {
		m.history.add(line)
		m.box.entered = true
		if it := m.search.selected(); it != nil {
			return m.openItem(it)
		}
		cmd := m.runSearch()
		m.search.first = true
		return cmd
	}
	switch {
	case in.View != "":
		m.history.add(line)
		m.box.set("")
		m.edited()
		return m.openView(in, line)
	case m.act.busy:
		m.note = "still at work on: " + clean(m.act.line) + " (Ctrl-C on an empty line stops waiting)"
		return nil
	}
	if _, tree := m.page().(*treePage); !tree || in.Verb != "tree" { // there one sees the root move
		m.leavePages(in.Object)
	}
	if in.Verb == "eject" && in.Confirm != "" && !m.knows(in.Confirm) {
		m.failed = &failure{"", &api.Error{Code: api.CodeNotFound, Message: "no satellite " + in.Confirm, Hint: "`satellites` lists them"}}
		return nil
	}
	if in.Confirm != "" {
		m.confirm = &confirm{line, cmp.Or(m.names[in.Confirm], in.Confirm), in.Verb} // a name is typed sooner than a fingerprint
		m.failed, m.offers = nil, nil
		m.box.set("")
		return nil
	}
	return m.run(line, "")
}

// knows tells whether a satellite can be ejected: by its name it has to be there, by its fingerprint not. Before the first
// answer nobody can tell.
func (m *Model) knows(satellite string) bool {
	if !m.counts.ready || strings.HasPrefix(satellite, "SHA256:") {
		return true
	}
	for _, name := range m.names {
		if name == satellite {
			return true
		}
	}
	return false
}

// confirmed takes what was typed as the name.
func (m *Model) confirmed(typed string) tea.Cmd {
	c := m.confirm
	if typed != c.name {
		m.failed = &failure{"", &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("that is not %s: nothing was done", c.name), Hint: "type the name in full, or Esc to leave it"}}
		m.box.set("")
		return nil
	}
	m.confirm = nil
	return m.run(c.line, " confirm:"+word(c.name))
}

// run executes a line and empties the box. What confirms it is left out of the history, and of the line that is given
// back after an error: an irreversible line asks each time.
func (m *Model) run(line, confirmation string) tea.Cmd {
	m.history.add(line)
	m.box.set("")
	m.edited()
	return m.execute(line, confirmation)
}

// openView opens what a line names.
func (m *Model) openView(in Intent, line string) tea.Cmd {
	switch in.View {
	case "console":
		return m.openConsole(in.Object)
	case "jobs":
		return m.open(&jobsPage{pageBase: pageBase{lst: list{sel: -1}}})
	case "watch":
		return m.open(&watchPage{id: in.Object})
	case "satellites":
		return m.open(&satellitesPage{pageBase: pageBase{lst: list{sel: -1}}})
	case "tree":
		return m.open(&treePage{})
	case "trust":
		return m.open(&trustPage{pageBase: pageBase{lst: list{sel: -1}}, line: line, words: in.Query.Words})
	case "audit":
		if in.Audit.Verify {
			return m.open(&chainsPage{line: line, ask: in.Audit})
		}
		return m.open(&auditPage{pageBase: pageBase{lst: list{sel: -1}}, line: line, ask: in.Audit})
	case "help":
		return m.open(&textPage{words: line, fetch: true})
	case "quit":
		return m.quit()
	}
	return m.run(line, "")
}

// move is for the keys that go up and down: through history, results or a page.
func (m *Model) move(key string) tea.Cmd {
	by := map[string]int{"up": -1, "down": 1, "ctrl+p": -1, "ctrl+n": 1, "pgup": -max(1, m.h-8), "pgdown": max(1, m.h-8)}[key]
	if m.asked() {
		return nil
	}
	l, n := m.rows()
	old := key == "ctrl+p" || key == "ctrl+n" || (key == "up" || key == "down") && m.history.browsing()
	if !old && key == "up" && len(m.box.runes) == 0 && (l == nil || l.sel < 0) && m.scroller() == nil {
		old = true
	}
	switch {
	case old:
		if line, ok := m.history.move(by, m.box.value()); ok {
			m.box.set(line)
			return m.edited()
		}
	case l != nil && key == "up" && l.sel == 0:
		l.sel = -1 // back into the box
	case l != nil && (by > 0 || l.sel >= 0):
		l.move(by, n)
	case l == nil && m.scroller() != nil:
		m.scroller().scroll(by)
	}
	return nil
}

// rows is the list that arrows move in; nil where there is none.
func (m *Model) rows() (*list, int) {
	if m.results() {
		if !m.searchLine() {
			return nil, 0 // shown beside a verb's line, for the eye alone
		}
		return &m.search.list, len(m.search.items)
	}
	if p := m.page(); p != nil {
		return p.rows()
	}
	return nil, 0
}

// scroller is the page if it is scrolled by lines.
func (m *Model) scroller() interface{ scroll(int) } {
	if m.results() {
		return nil
	}
	s, _ := m.page().(interface{ scroll(int) })
	return s
}

// complete puts the next suggestion into the box; any other key accepts it.
func (m *Model) complete(by int) tea.Cmd {
	if m.asked() {
		return nil
	}
	m.box.entered = false
	if !m.tab.on {
		line, cursor := m.box.value(), m.box.offset()
		offers := m.lang.Complete(line, cursor)
		if len(offers) == 0 {
			offers = m.nameOffers(line, cursor)
		}
		if len(offers) == 0 {
			return nil
		}
		m.tab = completion{on: true, line: line, cursor: cursor, offers: offers, at: -1}
		if by < 0 {
			m.tab.at = 0
		}
	}
	t := m.tab
	t.at = (t.at + by + len(t.offers)) % len(t.offers)
	o := t.offers[t.at]
	from := max(0, min(o.From, t.cursor))
	rest := t.line[t.cursor:]
	m.box.set(t.line[:from] + o.Text)
	pos := m.box.pos
	m.box.insert(rest)
	m.box.pos = pos
	cmd := m.edited()
	m.tab = t
	if len(t.offers) == 1 {
		m.tab = completion{}
	}
	return cmd
}

// nameOffers completes a name by what is on the screen, which the grammar cannot know.
func (m *Model) nameOffers(line string, cursor int) []Suggestion {
	from := strings.LastIndexAny(line[:cursor], " ") + 1
	part := line[from:cursor]
	if part == "" || strings.ContainsAny(part, ":\"") {
		return nil
	}
	var out []Suggestion
	for i := range m.search.items {
		it := &m.search.items[i]
		if strings.HasPrefix(it.Name, part) && it.Name != part {
			out = append(out, Suggestion{From: from, Text: word(it.Name), Hint: string(it.Kind) + " on " + clean(it.Satellite)})
		}
		if len(out) == 12 {
			break
		}
	}
	return out
}

// copy gives the selected name, or else the line, to the person's clipboard by OSC 52.
func (m *Model) copy() tea.Cmd {
	if m.sign != nil {
		return m.copyLine()
	}
	text := m.box.value()
	if it := m.search.selected(); m.results() && it != nil {
		text = clean(it.Name)
	} else if p := m.page(); p != nil && text == "" {
		text = p.command()
	}
	if text == "" {
		return nil
	}
	m.note = "copied: " + text
	return tea.SetClipboard(text)
}

// refresh asks anew for all that is shown, and draws the screen anew.
func (m *Model) refresh() tea.Cmd {
	cmds := []tea.Cmd{tea.ClearScreen, m.askCounts()}
	if m.search.on {
		cmds = append(cmds, m.runSearch())
	}
	if p := m.page(); p != nil {
		cmds = append(cmds, p.load(m))
	}
	return tea.Batch(cmds...)
}
