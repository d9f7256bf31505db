package tui

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"decenter/engine/api"
)

// From these heights on, parts of the screen have room.
const (
	borderRows = 12 // a border around the box
	keyRows    = 8  // the line of keys
	logoRows   = 18 // the large name
	airyRows   = 20 // empty lines between parts
	narrow     = 60 // columns from which the large name fits
)

// View draws the state.
func (m *Model) View() tea.View {
	lines, x, y := m.frame()
	v := tea.NewView(strings.Join(fit(lines, m.w, m.h), "\n"))
	v.AltScreen = true
	v.WindowTitle = m.title()
	if x >= 0 && x < m.w && y >= 0 && y < m.h {
		v.Cursor = tea.NewCursor(x, y)
		v.Cursor.Shape = tea.CursorBar
	}
	return v
}

func (m *Model) title() string {
	t := clean(m.opt.Name)
	if m.known {
		t += " " + clean(m.hello.Satellite)
	}
	if p := m.page(); p != nil {
		t += ": " + clean(p.command())
	}
	return t
}

// frame gives the screen's lines and the cursor's place; -1 hides it.
func (m *Model) frame() (lines []string, x, y int) {
	if c, ok := m.page().(*consolePage); ok {
		return m.consoleFrame(c)
	}
	if m.w < 1 || m.h < 1 {
		return nil, -1, -1
	}
	var foot []string
	if m.h >= keyRows {
		foot = append(foot, m.keyLine(m.w))
	}
	foot = append(foot, m.statusLine(m.w))
	if m.h == 1 {
		foot = nil
	}
	room := m.h - len(foot)
	if m.atHome() {
		lines, x, y = m.homeBody(m.w, room)
	} else {
		lines, x, y = m.workBody(m.w, room)
	}
	lines = lines[:min(len(lines), room)]
	for len(lines) < room {
		lines = append(lines, "")
	}
	return append(lines, foot...), x, y
}

// atHome tells whether the first screen is shown: nothing typed, nothing to say.
func (m *Model) atHome() bool {
	return m.page() == nil && len(m.box.runes) == 0 && !m.asked() && m.failed == nil && m.act.line == ""
}

func (m *Model) consoleFrame(c *consolePage) (lines []string, x, y int) {
	_, h := m.consoleSize()
	lines = c.draw(m, m.w, max(h, 0))
	_, vh := c.screen.Size()
	x, y, shown := c.screen.Cursor()
	y -= vh - len(lines)
	for len(lines) < h {
		lines = append(lines, "")
	}
	if !shown || c.back > 0 || c.ended != nil {
		x = -1
	}
	return append(lines, c.status(m, m.w)), x, y
}

// logo is the name in large letters, three rows of cells.
var logo = []string{
	"█▀▄  █▀▀  █▀▀  █▀▀  █▄ █  ▀█▀  █▀▀  █▀▄",
	"█ █  █▀▀  █    █▀▀  █ ▀█   █   █▀▀  █▀▄",
	"▀▀   ▀▀▀  ▀▀▀  ▀▀▀  ▀  ▀   ▀   ▀▀▀  ▀ ▀",
}

// homeBody is the first screen: the name, the box in the middle, the counts in one line.
func (m *Model) homeBody(w, h int) (lines []string, x, y int) {
	t := m.theme
	var name []string
	switch {
	case h < 4:
	case h >= logoRows && w >= narrow && m.opt.Name == "DECENTER":
		for _, l := range logo {
			name = append(name, t.name.Render(center(l, w)))
		}
		name = append(name, "")
	default:
		name = []string{t.name.Render(center(strings.Join(strings.Split(m.opt.Name, ""), " "), w))}
		if h >= borderRows {
			name = append(name, "")
		}
	}
	boxW := min(w, 64)
	if w < 64 && h >= borderRows {
		boxW = max(1, w-2)
	}
	left := (w - boxW) / 2
	box, bx, by := m.boxLines(boxW, h >= borderRows)
	top := max(0, (h-len(name)-len(box)-2)*2/5)
	for range top {
		lines = append(lines, "")
	}
	lines = append(lines, name...)
	y = len(lines) + by
	for _, l := range box {
		lines = append(lines, strings.Repeat(" ", left)+l)
	}
	lines = append(lines, center(m.countsLine(w), w))
	if s := m.scopeLine(); s != "" {
		lines = append(lines, m.theme.busy.Render(center(s, w)))
	}
	if h >= 18 {
		lines = append(lines, "")
		for _, l := range m.examples() {
			lines = append(lines, strings.Repeat(" ", max(0, left))+l)
		}
	}
	return lines, left + bx, y
}

// examples are lines to begin with.
func (m *Model) examples() []string {
	var out []string
	for _, e := range [][2]string{
		{"web", "finds everything named like web"},
		{"vm state:running", "finds what runs"},
		{"create web-1 from:tiny", "makes a VM"},
		{"help", "says the rest"},
	} {
		out = append(out, "  "+m.theme.key.Render(pad(e[0], 26))+m.theme.dim.Render(e[1]))
	}
	return out
}

func (m *Model) countsLine(w int) string {
	c := m.counts
	switch {
	case m.note != "":
		return cut(m.note, w)
	case !c.ready:
		return m.theme.dim.Render("asking the constellation …")
	}
	line := fmt.Sprintf("%s of %s running · %d of %s live · %s", thousands(c.running), count(c.vms, "VM", "VMs"),
		c.live, count(c.all, "satellite", "satellites"), count(c.jobs, "job", "jobs"))
	if width(line) > w {
		line = fmt.Sprintf("%d/%d VM %d/%d sat %d job", c.running, c.vms, c.live, c.all, c.jobs)
	}
	return m.theme.dim.Render(line)
}

// boxLines draws the box, w columns wide, and tells where the cursor is in it.
func (m *Model) boxLines(w int, border bool) (lines []string, x, y int) {
	t := m.theme
	sign := "› "
	switch {
	case m.sign != nil:
		sign = "signature? "
	case m.confirm != nil:
		sign = "name? "
	}
	inner := w - len([]rune(sign))
	if border {
		inner -= 4
	}
	text, cursor := m.box.view(inner)
	room := max(0, inner-width(text))
	if m.box.entered {
		text = t.sel.Render(text)
	}
	line := t.accent.Render(sign) + text + strings.Repeat(" ", room)
	if !border {
		return []string{line}, width(sign) + cursor, 0
	}
	edge := strings.Repeat("─", max(0, w-2))
	return []string{
		t.accent.Render("╭" + edge + "╮"),
		t.accent.Render("│ ") + line + t.accent.Render(" │"),
		t.accent.Render("╰" + edge + "╯"),
	}, 2 + width(sign) + cursor, 1
}

// workBody is every other screen: the box above, what there is to say, then the results or the page.
func (m *Model) workBody(w, h int) (lines []string, x, y int) {
	lines, x, y = m.boxLines(w, h >= borderRows-2)
	lines = append(lines, m.below(w, max(0, h-len(lines)))...)
	room := h - len(lines)
	switch p := m.page(); {
	case room < 1 || m.sign != nil || m.confirm != nil && p == nil:
	case m.results():
		lines = append(lines, m.drawResults(w, room)...)
	case p != nil:
		if room > 4 {
			title := spread(m.theme.head.Render(clean(p.command())), m.theme.dim.Render(m.wayOut(room-1)), w)
			lines = append(lines, title)
			room--
			if h >= airyRows {
				lines = append(lines, "")
				room--
			}
		}
		lines = append(lines, p.draw(m, w, room)...)
	}
	return lines, x, y
}

// wayOut says how to leave a page of which h lines are shown, and how to see the rest of it.
func (m *Model) wayOut(h int) string {
	out := "Esc goes back"
	var lines int
	switch p := m.page().(type) {
	case *textPage:
		lines = len(p.lines)
	case *treePage:
		lines = p.lines
	case *chainsPage:
		lines = p.all
	}
	if lines >= h {
		out = "↑↓ scroll " + count(lines, "line", "lines") + " · " + out
	}
	return out
}

// below is what the box has to say, at most h lines: one thing at a time.
func (m *Model) below(w, h int) []string {
	var out []string
	t := m.theme
	switch {
	case m.sign != nil:
		out = m.signLines(w, h)
	case m.confirm != nil:
		out = []string{t.busy.Render("! ") + t.name.Render(clean(m.confirm.line)),
			"  " + m.confirm.warning() + " Type " + t.name.Render(clean(m.confirm.name)) + " and Enter to do it, Esc to leave it."}
		if width(out[1]) > w {
			out = append(out[:1], "  "+m.confirm.warning()+" Type", "  "+t.name.Render(clean(m.confirm.name)), "  and Enter to do it, Esc to leave it.")
		}
		if m.failed != nil {
			out = append(out, errorLines(t, m.failed.err, w)...)
		}
	case m.failed != nil:
		out = m.failedLines()
	case m.note != "":
		out = []string{clean(m.note)}
	case len(m.box.runes) > 0:
		out = m.offerLines(w)
	case m.act.line != "":
		out = m.actLines(w)
	}
	return out[:min(len(out), h)]
}

// failedLines shows an error: a caret under the column, what was wrong, what would be right.
func (m *Model) failedLines() []string {
	f := m.failed
	out := errorLines(m.theme, f.err, m.w)
	if col := f.err.Column; col > 0 && f.line != "" {
		line := box{runes: []rune(clean(f.line))}
		line.pos = min(col-1, len(line.runes))
		text, x := line.view(m.w - 4) // keeps the column in sight
		out = append([]string{
			"  " + m.theme.dim.Render(text),
			"  " + strings.Repeat(" ", x) + m.theme.bad.Render("^") + m.theme.dim.Render(fmt.Sprintf(" column %d", col)),
		}, out...)
	}
	return out
}

// offerLines shows how the line may go on.
func (m *Model) offerLines(w int) []string {
	t := m.theme
	var out []string
	most := 5
	if m.searchLine() {
		most = 1
	} else if m.intent.Hint != "" && m.unready == nil {
		out = append(out, "  "+t.dim.Render(clean(m.intent.Hint)))
	} else if m.unready != nil {
		out = append(out, "  "+t.dim.Render("… "+clean(apiError(m.unready).Error())))
	}
	offers, at := m.offers, -1
	if m.tab.on {
		offers, at, most = m.tab.offers, m.tab.at, 5
	}
	first := max(0, min(at-most+1, len(offers)-most))
	for i := first; i < min(len(offers), first+most); i++ {
		o := offers[i]
		lead, style := "      ", t.plain
		switch {
		case i == at:
			lead, style = t.key.Render("    ▸ "), t.sel
		case i == 0 && at < 0:
			lead = t.key.Render("  Tab ")
		}
		out = append(out, lead+style.Render(pad(clean(o.Text), min(24, max(1, w-6))))+"  "+t.dim.Render(clean(o.Hint)))
	}
	return out
}

// actLines shows what was executed and what came of it.
func (m *Model) actLines(w int) []string {
	t, a := m.theme, &m.act
	out := []string{t.dim.Render("› ") + clean(a.line)}
	switch {
	case a.busy:
		out[0] += t.busy.Render("  ◌ " + span(m.opt.Now().Sub(a.started)))
	case a.job != nil:
		out = append(out, "  "+m.jobLine(a.job))
		if a.job.job.State == api.JobFailed {
			for _, l := range wrap(a.job.job.Error, w-2, reasonLines) {
				out = append(out, "  "+l)
			}
		}
	default:
		out[0] += t.good.Render("  ✓")
	}
	if a.job == nil || len(a.text) > 1 {
		for _, l := range a.text {
			out = append(out, "  "+l)
		}
	}
	return out
}

// keyLine shows the keys that mean something now, with the words that do the same.
func (m *Model) keyLine(w int) string {
	t := m.theme
	parts := []string{t.key.Render("F1") + " help"}
	add := func(key, what string) { parts = append(parts, t.key.Render(key)+" "+what) }
	switch {
	case m.sign != nil:
		parts = parts[:0]
		add("Enter", "hands it in")
		add("Ctrl-Y", "copies the line")
		add("Esc", "leaves it")
	case m.confirm != nil:
		parts = parts[:0]
		add("Enter", "does it")
		add("Esc", "leaves it")
	default:
		if m.searchLine() {
			if it := m.search.selected(); it != nil {
				add("Enter", "opens "+clean(it.Name))
			} else if len(m.search.items) > 0 {
				add("↓", "selects")
			}
		} else if len(m.box.runes) > 0 && m.unready == nil && m.intent.Verb != "" {
			add("Enter", "does it")
		}
		for _, h := range m.hints() {
			add(fmt.Sprintf("F%d", h.key-tea.KeyF1+1), h.label)
		}
	}
	line := ""
	for _, p := range parts {
		if width(line)+width(p)+2 > w {
			break
		}
		if line != "" {
			line += "  "
		}
		line += p
	}
	return line
}

// spread puts one text at the left and one at the right of w columns; the right one gives way.
func spread(left, right string, w int) string {
	left = cut(left, w)
	room := w - width(left) - 2
	if room < 4 {
		return left
	}
	right = cut(right, room)
	return left + strings.Repeat(" ", w-width(left)-width(right)) + right
}

// fit makes any lines a frame of at most w by h, in which the only control sequences are SGR.
func fit(lines []string, w, h int) []string {
	lines = lines[:max(0, min(len(lines), h))]
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = cut(safe(l), w)
	}
	return out
}

// safe drops control characters and control sequences other than SGR.
func safe(s string) string {
	bad := false
	for i := 0; i < len(s) && !bad; {
		n := sgrLen(s[i:])
		if n == 0 {
			var r rune
			r, n = utf8.DecodeRuneInString(s[i:])
			bad = r < 0x20 || r >= 0x7f && !unicode.IsPrint(r)
		}
		i += n
	}
	if !bad {
		return s
	}
	return clean(ansi.Strip(s))
}

// sgrLen is the length of the SGR sequence at the beginning of s; 0 where there is none.
func sgrLen(s string) int {
	if !strings.HasPrefix(s, "\x1b[") {
		return 0
	}
	for i := 2; i < len(s); i++ {
		switch c := s[i]; {
		case c == 'm':
			return i + 1
		case (c < '0' || c > '9') && c != ';':
			return 0
		}
	}
	return 0
}
