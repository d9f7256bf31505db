package tui

import (
	"charm.land/lipgloss/v2"

	"decenter/engine/api"
)

// theme is how things look. Only the sixteen colours that every terminal's own palette defines are used, so that
// light and dark backgrounds both work without asking the terminal; what a colour says is always said by a
// sign or a word too.
type theme struct {
	plain  lipgloss.Style
	name   lipgloss.Style // the program's name
	head   lipgloss.Style // titles of columns and parts
	dim    lipgloss.Style // less important
	key    lipgloss.Style // keys and words that act
	sel    lipgloss.Style // the selected row
	good   lipgloss.Style
	busy   lipgloss.Style
	bad    lipgloss.Style
	accent lipgloss.Style // the box
}

func newTheme(noColor bool) theme {
	s := lipgloss.NewStyle()
	t := theme{
		plain: s, name: s.Bold(true), head: s.Bold(true), dim: s.Faint(true), key: s.Bold(true),
		sel: s.Reverse(true), good: s, busy: s, bad: s.Bold(true), accent: s,
	}
	if noColor {
		return t
	}
	t.name = t.name.Foreground(lipgloss.Cyan)
	t.head = s.Foreground(lipgloss.Cyan)
	t.key = s.Foreground(lipgloss.Blue)
	t.good = s.Foreground(lipgloss.Green)
	t.busy = s.Foreground(lipgloss.Yellow)
	t.bad = s.Foreground(lipgloss.Red)
	t.accent = s.Foreground(lipgloss.Cyan)
	return t
}

// state gives a state its sign, and its style.
func (t theme) state(state string) (string, lipgloss.Style) {
	switch state {
	case string(api.StateRunning), string(api.SatelliteLive), string(api.JobDone):
		return "● " + state, t.good
	case string(api.StateCreating), string(api.StateDeleting):
		return "◌ " + state, t.busy
	case string(api.StatePaused), string(api.SatelliteSilent), string(api.JobCancelled):
		return "‖ " + state, t.busy
	case string(api.StateCrashed), string(api.SatelliteFailed):
		return "✗ " + state, t.bad
	case "":
		return "", t.dim
	}
	return "○ " + clean(state), t.dim
}

// jobState is state for a job, where running means under way.
func (t theme) jobState(s api.JobState) (string, lipgloss.Style) {
	switch s {
	case api.JobRunning:
		return "◌ running", t.busy
	case api.JobDone:
		return "✓ done", t.good
	case api.JobFailed:
		return "✗ failed", t.bad
	}
	return t.state(string(s))
}
