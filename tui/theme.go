package tui

import (
	"image/color"
	"strings"

	"charm.land/lipgloss/v2"

	"decenter/engine/api"
)

// style is a lipgloss style worked out once: a frame of 200 by 50 has some hundred styled texts, each of one line.
type style struct{ open, end string }

func newStyle(s lipgloss.Style) style {
	const mark = "x"
	open, end, _ := strings.Cut(s.Render(mark), mark)
	return style{open, end}
}

// Render puts text into the style.
func (s style) Render(text string) string {
	if s.open == "" || text == "" {
		return text
	}
	return s.open + text + s.end
}

// theme is how things look. Only the sixteen colours that every terminal's own palette defines are used, so that
// light and dark backgrounds both work without asking the terminal; what a colour says is always said by a
// sign or a word too.
type theme struct {
	plain  style
	name   style // the program's name
	head   style // titles of columns and parts
	dim    style // less important
	key    style // keys and words that act
	sel    style // the selected row
	good   style
	busy   style
	bad    style
	accent style // the box
}

func newTheme(noColor bool) theme {
	s := lipgloss.NewStyle()
	color := func(s lipgloss.Style, c color.Color) style {
		if !noColor {
			s = s.Foreground(c)
		}
		return newStyle(s)
	}
	return theme{
		plain:  newStyle(s),
		name:   color(s.Bold(true), lipgloss.Cyan),
		head:   color(s, lipgloss.Cyan),
		dim:    newStyle(s.Faint(true)),
		key:    color(s, lipgloss.Blue),
		sel:    newStyle(s.Reverse(true)),
		good:   color(s, lipgloss.Green),
		busy:   color(s, lipgloss.Yellow),
		bad:    color(s.Bold(noColor), lipgloss.Red),
		accent: color(s, lipgloss.Cyan),
	}
}

// state gives a state its sign, and its style.
func (t theme) state(state string) (string, style) {
	switch state {
	case string(api.StateRunning), string(api.SatelliteLive), string(api.JobDone):
		return "● " + state, t.good
	case string(api.StateCreating), string(api.StateDeleting):
		return "◌ " + state, t.busy
	case string(api.StatePaused), string(api.SatelliteSilent), string(api.JobCancelled):
		return "‖ " + state, t.busy
	case string(api.StateCrashed), string(api.SatelliteFailed):
		return "✗ " + state, t.bad
	case string(api.SatelliteStranger):
		return "? " + state, t.busy
	case "":
		return "", t.dim
	}
	return "○ " + clean(state), t.dim
}

// jobState is state for a job, whose running is called working: it is not the state of its VM.
func (t theme) jobState(s api.JobState) (string, style) {
	switch s {
	case api.JobRunning:
		return "◌ working", t.busy
	case api.JobDone:
		return "✓ done", t.good
	case api.JobFailed:
		return "✗ failed", t.bad
	}
	return t.state(string(s))
}
