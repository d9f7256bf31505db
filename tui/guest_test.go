package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
)

func TestKeysForGuests(t *testing.T) {
	for _, c := range []struct {
		k    tea.KeyPressMsg
		app  bool
		want string
	}{
		{tea.KeyPressMsg{Code: 'a', Text: "a"}, false, "a"},
		{tea.KeyPressMsg{Code: 'é', Text: "é"}, false, "é"},
		{tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}, false, "\x03"},
		{tea.KeyPressMsg{Code: '[', Mod: tea.ModCtrl}, false, "\x1b"},
		{tea.KeyPressMsg{Code: tea.KeySpace, Mod: tea.ModCtrl}, false, "\x00"},
		{tea.KeyPressMsg{Code: 'x', Mod: tea.ModAlt}, false, "\x1bx"},
		{tea.KeyPressMsg{Code: tea.KeyEnter}, false, "\r"},
		{tea.KeyPressMsg{Code: tea.KeyBackspace}, false, "\x7f"},
		{tea.KeyPressMsg{Code: tea.KeyUp}, false, "\x1b[A"},
		{tea.KeyPressMsg{Code: tea.KeyUp}, true, "\x1bOA"},
		{tea.KeyPressMsg{Code: tea.KeyRight, Mod: tea.ModCtrl}, true, "\x1b[1;5C"},
		{tea.KeyPressMsg{Code: tea.KeyF5}, false, "\x1b[15~"},
	} {
		if got := encodeKey(c.k, c.app); got != c.want {
			t.Errorf("%s: %q, want %q", c.k, got, c.want)
		}
	}
}

// wire is a serial line whose reads and writes the test looks at.
type wire struct {
	wrote  []string
	closed bool
}

func (w *wire) Read([]byte) (int, error)    { select {} }
func (w *wire) Write(p []byte) (int, error) { w.wrote = append(w.wrote, string(p)); return len(p), nil }
func (w *wire) Close() error                { w.closed = true; return nil }

func TestConsoleKeysKeepTheirOrder(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "console web-1<enter>")
	p, w := m.page().(*consolePage), &wire{}
	p.wire = w
	first := press(m, "l")
	if cmd := press(m, "s<enter>"); cmd != nil {
		t.Error("a second write began before the first was over")
	}
	_, next := m.Update(first())
	p.read() // the other command of the batch
	for _, c := range flatten(next) {
		c()
	}
	if got := strings.Join(w.wrote, "|"); got != "l|s\r" {
		t.Errorf("wrote %q", got)
	}
	for range consolePending/1000 + 2 {
		m.Update(tea.PasteMsg{Content: strings.Repeat("x", 1000)})
	}
	if len(p.pending) > consolePending || !p.lost {
		t.Errorf("%d bytes wait for a guest that takes none", len(p.pending))
	}
	press(m, "<ctrl+]>")
	if m.page() != nil || p.ctx.Err() == nil {
		t.Error("Ctrl-] does not leave")
	}
}

// flatten gives the commands of a batch, but for a console's read, which waits for the guest.
func flatten(cmd tea.Cmd) []tea.Cmd {
	if cmd == nil {
		return nil
	}
	if msg, ok := cmd().(tea.BatchMsg); ok {
		return msg
	}
	return nil
}
