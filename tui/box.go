package tui

import (
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

// Bounds of what a person types.
const (
	maxLine    = 4096 // characters
	maxHistory = 200  // lines
)

// box is the one line that is typed into. It is our own because the cursor's column must be right for wide
// characters and for lines longer than the box, and because Ctrl-V must not read the satellite's clipboard.
type box struct {
	runes []rune
	pos   int // 0 to len(runes)
	// entered: Enter has searched for the line, and what is typed next replaces it as if it were selected. A key
	// that edits the line, or moves in it, takes it up again as it is.
	entered bool
}

func (b *box) value() string { return string(b.runes) }

// offset is the cursor as a byte offset into value.
func (b *box) offset() int { return len(string(b.runes[:b.pos])) }

func (b *box) set(s string) {
	b.runes = b.runes[:0]
	b.pos, b.entered = 0, false
	b.insert(s)
}

// insert puts text at the cursor, or in the place of an entered line, as one printable line.
func (b *box) insert(s string) {
	in := []rune(clean(s))
	if len(in) > 0 && b.entered {
		b.runes, b.pos, b.entered = b.runes[:0], 0, false
	}
	in = in[:min(len(in), maxLine-len(b.runes))]
	b.runes = append(b.runes[:b.pos], append(in, b.runes[b.pos:]...)...)
	b.pos += len(in)
}

func (b *box) remove(from, to int) {
	b.runes = append(b.runes[:from], b.runes[to:]...)
	b.pos = from
}

// wordLeft and wordRight find the next border of a word.
func (b *box) wordLeft() int {
	i := b.pos
	for i > 0 && unicode.IsSpace(b.runes[i-1]) {
		i--
	}
	for i > 0 && !unicode.IsSpace(b.runes[i-1]) {
		i--
	}
	return i
}

func (b *box) wordRight() int {
	i := b.pos
	for i < len(b.runes) && unicode.IsSpace(b.runes[i]) {
		i++
	}
	for i < len(b.runes) && !unicode.IsSpace(b.runes[i]) {
		i++
	}
	return i
}

// key edits the line as readline does, and tells whether its text changed.
func (b *box) key(k tea.KeyPressMsg) (changed bool) {
	before := len(b.runes)
	switch k.String() {
	case "left", "ctrl+b":
		b.pos = max(0, b.pos-1)
	case "right", "ctrl+f":
		b.pos = min(len(b.runes), b.pos+1)
	case "ctrl+left", "alt+left", "alt+b":
		b.pos = b.wordLeft()
	case "ctrl+right", "alt+right", "alt+f":
		b.pos = b.wordRight()
	case "home", "ctrl+a":
		b.pos = 0
	case "end", "ctrl+e":
		b.pos = len(b.runes)
	case "backspace", "ctrl+h":
		b.remove(max(0, b.pos-1), b.pos)
	case "delete", "ctrl+d":
		b.remove(b.pos, min(len(b.runes), b.pos+1))
	case "ctrl+w", "alt+backspace", "ctrl+backspace":
		b.remove(b.wordLeft(), b.pos)
	case "alt+d", "ctrl+delete":
		b.remove(b.pos, b.wordRight())
	case "ctrl+u":
		b.remove(0, b.pos)
	case "ctrl+k":
		b.remove(b.pos, len(b.runes))
	default:
		if k.Text != "" {
			b.insert(k.Text)
			return true
		}
		return false // no key of the line
	}
	b.entered = false
	return len(b.runes) != before
}

// view gives the part of the line that fits w columns with the cursor in it, and the cursor's column.
func (b *box) view(w int) (string, int) {
	if w < 1 {
		return "", 0
	}
	left, cols := b.pos, 0
	for left > 0 {
		n := ansi.StringWidth(string(b.runes[left-1]))
		if cols+n > w-1 {
			break
		}
		cols += n
		left--
	}
	return ansi.Truncate(string(b.runes[left:]), w, ""), cols
}

// history is what was entered, oldest first.
type history struct {
	lines []string
	at    int    // len(lines): not browsing
	draft string // what was in the box before browsing
}

func (h *history) add(line string) {
	line = strings.TrimSpace(line)
	if line != "" && (len(h.lines) == 0 || h.lines[len(h.lines)-1] != line) {
		h.lines = append(h.lines, line)
		h.lines = h.lines[max(0, len(h.lines)-maxHistory):]
	}
	h.leave()
}

func (h *history) leave() { h.at, h.draft = len(h.lines), "" }

func (h *history) browsing() bool { return h.at < len(h.lines) }

// move goes by older (-1) or newer (1), and tells what to put into the box.
func (h *history) move(by int, now string) (string, bool) {
	if !h.browsing() {
		h.draft = now
	}
	to := h.at + by
	if to < 0 || to > len(h.lines) {
		return "", false
	}
	h.at = to
	if to == len(h.lines) {
		return h.draft, true
	}
	return h.lines[to], true
}
