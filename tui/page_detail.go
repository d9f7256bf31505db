package tui

import (
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// detailPage is one thing in full: names and values, the long ones over several lines.
type detailPage struct {
	pageBase
	words  string
	values [][2]string
	h, all int // of the last drawing
}

func (p *detailPage) add(name, value string) {
	if value != "" {
		p.values = append(p.values, [2]string{name, value})
	}
}

func (p *detailPage) command() string { return p.words }

func (p *detailPage) draw(m *Model, w, h int) []string {
	out := m.factLines(p.values, w)
	p.h, p.all = h, len(out)
	p.lst.top = max(0, min(p.lst.top, len(out)-h))
	return out[p.lst.top:min(len(out), p.lst.top+h)]
}

// factLines writes names and values, each value whole.
func (m *Model) factLines(values [][2]string, w int) []string {
	var out []string
	for _, v := range values {
		text := clean(v[1])
		for i := 0; i == 0 || text != ""; i++ {
			name := v[0]
			if i > 0 {
				name = ""
			}
			first := cutHard(text, w-12)
			out = append(out, m.label(name)+first)
			text = text[len(first):]
		}
	}
	return out
}

// cutHard gives as many whole characters of s, from its beginning, as w columns hold, and at least one.
func cutHard(s string, w int) string {
	if t := ansi.Truncate(s, max(1, w), ""); t != "" || s == "" {
		return t
	}
	_, n := utf8.DecodeRuneInString(s)
	return s[:n]
}

// scroll moves by so many lines.
func (p *detailPage) scroll(by int) { p.lst.top = max(0, min(p.lst.top+by, p.all-p.h)) }
