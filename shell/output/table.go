package output

import (
	"slices"
	"strings"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// gap is between columns.
const gap = "  "

// The colours, as SGR parameters.
const (
	plain  = ""
	green  = "32"
	yellow = "33"
	red    = "31"
	dim    = "2"
)

// cell is one field of a table.
type cell struct {
	text  string
	style string
}

// table collects rows; the first is the headings.
type table struct{ rows [][]cell }

func newTable(headings ...string) *table {
	t := &table{}
	row := make([]cell, len(headings))
	for i, h := range headings {
		row[i] = cell{h, dim}
	}
	t.rows = append(t.rows, row)
	return t
}

func (t *table) add(cells ...cell) {
	for i := range cells {
		cells[i].text = Clean(cells[i].text)
	}
	t.rows = append(t.rows, cells)
}

// text makes a plain cell.
func text(s string) cell { return cell{text: s} }

// String lays the table out for a screen of so many columns; 0 is no limit.
func (t *table) layout(screen int, colour bool) string {
	widths := t.widths(screen)
	var b strings.Builder
	for _, row := range t.rows {
		var line strings.Builder
		for i, c := range row {
			s := ansi.Truncate(c.text, widths[i], "…")
			pad := widths[i] - ansi.StringWidth(s)
			if i == len(row)-1 {
				pad = 0
			}
			line.WriteString(paint(s, c.style, colour) + strings.Repeat(" ", pad))
			if i < len(row)-1 {
				line.WriteString(gap)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

// widths gives each column's, the widest made narrower until all fit.
func (t *table) widths(screen int) []int {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], ansi.StringWidth(c.text))
		}
	}
	total := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	for screen > 0 && total > screen {
		widest := slices.Index(widths, slices.Max(widths))
		if widths[widest] <= 4 {
			break // a screen this narrow shows what it can
		}
		widths[widest]--
		total--
	}
	return widths
}

func paint(s, style string, colour bool) string {
	if !colour || style == plain || s == "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

// Clean makes a text that others wrote safe to print on a terminal, and one line.
func Clean(s string) string {
	if !strings.ContainsFunc(s, unsafe) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if unsafe(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// unsafe tells of control characters, and of those that turn the direction of writing (UAX #9).
func unsafe(r rune) bool {
	return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}
