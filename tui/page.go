package tui

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// page is one thing shown below the box. Pages embed pageBase for what they do not do.
type page interface {
	base() *pageBase
	// command is the words that open it: they are its title, and work over ssh and on the command line too.
	command() string
	// load asks for what it shows, again and again.
	load(m *Model) tea.Cmd
	// answer takes what a question brought.
	answer(m *Model, value any)
	// event takes a change.
	event(m *Model, e api.Event)
	// every is how many heartbeats lie between two loads; 0 is never again.
	every() int
	// draw gives at most h lines.
	draw(m *Model, w, h int) []string
	// rows gives the list whose rows arrows select, and how many rows it has; nil where it has none.
	rows() (*list, int)
	// enter opens the selected row.
	enter(m *Model) tea.Cmd
}

// pageBase is what all pages have.
type pageBase struct {
	ctx    context.Context // ends when the page is closed
	cancel context.CancelFunc
	line   string // of the box when the page was opened
	old    bool   // that line was entered already
	asking bool
	ready  bool // something was answered
	err    *api.Error
	// refused are satellites that answered the page's question, but not this account.
	refused []api.Refusal
	beats   int
	lst     list
}

func (b *pageBase) base() *pageBase       { return b }
func (*pageBase) load(*Model) tea.Cmd     { return nil }
func (*pageBase) answer(*Model, any)      {}
func (*pageBase) event(*Model, api.Event) {}
func (*pageBase) every() int              { return 0 }
func (*pageBase) rows() (*list, int)      { return nil, 0 }
func (*pageBase) enter(*Model) tea.Cmd    { return nil }
func (b *pageBase) waiting(m *Model) []string {
	if b.err != nil {
		return errorLines(m.theme, b.err, m.w)
	}
	return []string{m.theme.dim.Render("asking …")}
}

// answered takes an answer to a page's question.
func (m *Model) answered(msg pageMsg) {
	b := msg.to.base()
	b.asking = false
	switch {
	case b.ctx.Err() != nil: // closed meanwhile
	case msg.err != nil:
		b.err = apiError(msg.err)
	default:
		b.ready, b.err = true, nil
		msg.to.answer(m, msg.value)
	}
}

// errorLines writes an error in full, w columns wide.
func errorLines(t theme, e *api.Error, w int) []string {
	what := "✗ "
	if e.Code == api.CodeDenied {
		what = "✗ not allowed: "
	}
	var out []string
	for _, l := range wrap(what+e.Message, w, reasonLines) {
		out = append(out, t.bad.Render(l))
	}
	if e.Hint != "" {
		for _, l := range wrap(e.Hint, w-2, reasonLines) {
			out = append(out, "  "+l)
		}
	}
	return out
}

// textPage is a long answer: help, or the outcome of a line.
type textPage struct {
	pageBase
	words string // the command
	lines []string
	fetch bool // execute the command to get the lines
	h     int  // of the last drawing
}

func (p *textPage) command() string { return p.words }

func (p *textPage) load(m *Model) tea.Cmd {
	if !p.fetch || p.ready {
		return nil
	}
	lang, svc := m.lang, m.svc
	return m.ask(p, func(ctx context.Context) (any, error) { return lang.Execute(ctx, svc, p.words) })
}

func (p *textPage) answer(_ *Model, v any) { p.lines = cleanLines(v.(Outcome).Text, maxTextLines) }

func (p *textPage) draw(m *Model, w, h int) []string {
	if !p.ready && p.fetch {
		return p.waiting(m)
	}
	p.h = h
	p.lst.top = max(0, min(p.lst.top, len(p.lines)-h))
	var out []string
	for _, l := range p.lines[p.lst.top:min(len(p.lines), p.lst.top+h)] {
		out = append(out, cut(l, w))
	}
	return out
}

// scroll moves by so many lines.
func (p *textPage) scroll(by int) { p.lst.top = max(0, min(p.lst.top+by, len(p.lines)-p.h)) }
