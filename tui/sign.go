package tui

import (
	"context"
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// signing waits for the signature of a line. The person takes the line to a wallet, which is elsewhere, and comes back
// with what it gave:
//
//	a line executed ──▶ its statement is proposed ──▶ signing ──Enter──▶ declared ──▶ outcome
//	                                                   ▲  │ Esc             │ refused: why, and the line stays
//	                                                   └──┼─────────────────┘
//	                                                      └──▶ nothing was done
type signing struct {
	line     string // executed
	typed    string // without what confirmed it
	proposal api.Proposal
}

// maxSigned is the longest line that is shown to be signed: that of a statement.
const maxSigned = 240

// askSignature shows a line to be signed. What is signed must be what is shown, so a line that cannot be shown as it is
// is refused.
func (m *Model) askSignature(p api.Proposal) tea.Cmd {
	line, typed := m.act.line, m.act.typed
	m.act.line, m.act.text, m.act.job = "", nil, nil
	if clean(p.Line) != p.Line || width(p.Line) != len(p.Line) || len(p.Line) > maxSigned || p.Line == "" {
		m.failed = &failure{"", &api.Error{Code: api.CodeFailed, Message: "the satellite gave a line that is no statement", Hint: "sign nothing of it"}}
		return nil
	}
	m.sign = &signing{line, typed, p}
	m.failed, m.offers, m.note = nil, nil, ""
	m.box.set("")
	return m.edited()
}

// leaveSign gives the line back that led here.
func (m *Model) leaveSign() tea.Cmd {
	line := m.sign.typed
	if m.act.busy {
		m.act.cancel()
		m.act = act{seq: m.act.seq + 1}
	}
	m.sign = nil
	m.box.set(line)
	cmd := m.edited()
	m.note = "nothing was done"
	return cmd
}

// joined takes out the blanks and line ends with which a wallet or a terminal broke a signature.
func joined(s string) string { return strings.Join(strings.Fields(s), "") }

// signed takes what was pasted as the signature.
func (m *Model) signed(typed string) tea.Cmd {
	signature := joined(typed)
	switch {
	case m.act.busy:
		m.note = "being handed in"
		return nil
	case signature == "":
		m.note = "paste the signature first; Esc leaves it"
		return nil
	}
	m.box.set("")
	m.edited()
	m.act = act{seq: m.act.seq + 1, line: m.sign.line, typed: m.sign.typed, busy: true, started: m.opt.Now()}
	ctx, cancel := context.WithTimeout(m.ctx, actTimeout)
	m.act.cancel = cancel
	seq, lang, svc, line := m.act.seq, m.lang, m.svc, m.sign.proposal.Line
	return func() tea.Msg {
		defer cancel()
		out, err := lang.Declare(ctx, svc, api.Signed{Line: line, Signature: signature})
		return actedMsg{seq, out, err}
	}
}

// declared takes what came of the signature. One that is refused can be given again.
func (m *Model) declared(msg actedMsg) tea.Cmd {
	if msg.err != nil {
		m.act.line = ""
		m.failed = &failure{"", apiError(msg.err)}
		return nil
	}
	m.sign = nil
	m.act.text = cleanLines(msg.outcome.Text, maxOutcome)
	return m.edited()
}

// copyLine gives the whole line to the person's clipboard by OSC 52: what is selected on a screen has line ends in it.
func (m *Model) copyLine() tea.Cmd {
	n := len(m.sign.proposal.Line)
	switch {
	case m.w >= 80:
		m.note = fmt.Sprintf("copied the line of %d characters; a terminal without OSC 52 did not take it", n)
	case m.w >= 50:
		m.note = fmt.Sprintf("copied %d characters, if your terminal has OSC 52", n)
	default:
		m.note = fmt.Sprintf("asked to copy %d", n)
	}
	return tea.SetClipboard(m.sign.proposal.Line)
}

// pasted tells how much of a signature is in the box, which shows but a part of it.
func pasted(typed string, w int) string {
	n := len(joined(typed))
	if w < 50 {
		return count(n, "character", "characters") + " here"
	}
	return count(n, "character", "characters") + " of the signature are here; Enter hands it in"
}

// signLines shows the line from the first column on, with nothing added to it; or not at all where it does not fit.
func (m *Model) signLines(w, h int) []string {
	t, s := m.theme, m.sign
	line := s.proposal.Line
	var rows []string
	for rest := line; rest != ""; {
		n := min(len(rest), max(1, w))
		rows, rest = append(rows, t.name.Render(rest[:n])), rest[n:]
	}
	facts := fmt.Sprintf("%d characters in one line; Ctrl-Y copies it whole", len(line))
	tail := []string{t.dim.Render(cut(facts, w))}
	switch {
	case m.act.busy:
		tail = []string{t.busy.Render("◌ handing it in " + span(m.opt.Now().Sub(m.act.started)))}
	case m.failed != nil:
		tail = wrap("✗ "+strings.TrimSuffix(m.failed.err.Message+": "+m.failed.err.Hint, ": "), w, reasonLines)
		for i := range tail {
			tail[i] = t.bad.Render(tail[i])
		}
	case m.note != "":
		tail = []string{cut(clean(m.note), w)}
	case len(m.box.runes) > 0:
		tail = []string{cut(pasted(m.box.value(), w), w)}
	}
	ask := "Sign this line as "
	end := " and paste the signature:"
	head := []string{ask + middle(clean(s.proposal.Account), max(5, w-width(ask+end))) + end}
	if len(head)+len(rows)+len(tail) > h {
		return []string{
			cut(fmt.Sprintf("%d characters to sign.", len(line)), w),
			cut("Ctrl-Y copies them.", w),
			tail[0],
		}
	}
	room := h - len(head) - len(rows) - len(tail)
	if room >= 2 {
		rows = append(append([]string{""}, rows...), "")
		room -= 2
	}
	if room >= 1 {
		head = append([]string{t.busy.Render("! ") + cut(clean(s.line), w-2)}, head...)
		room--
	}
	if room >= 3 {
		tail = append(tail, "")
		tail = append(tail, wrap("Without a clipboard: the same command over ssh or in a shell prints the line alone, and declare takes it in.", w, 2)...)
	}
	return append(append(head, rows...), tail...)
}
