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
	keep  bool // its column gives way after those that do not keep
}

// table collects rows; the first is the headings.
type table struct {
	rows    [][]cell
	below   [][]string // lines below each row but the headings; nil for none
	aligned int        // where there is no screen no column is wider, and longer texts stand out; 0: no limit
}

func newTable(headings ...string) *table {
	t := &table{}
	row := make([]cell, len(headings))
	for i, h := range headings {
		row[i] = cell{text: h, style: dim}
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

// without is the table less some columns, by their headings.
func (t *table) without(headings ...string) *table {
	out := &table{below: t.below, aligned: t.aligned}
	for _, row := range t.rows {
		var some []cell
		for i, c := range row {
			if !slices.Contains(headings, t.rows[0][i].text) {
				some = append(some, c)
			}
		}
		out.rows = append(out.rows, some)
	}
	return out
}

// text makes a plain cell.
func text(s string) cell { return cell{text: s} }

// kept makes a plain cell of a column that gives way last.
func kept(s string) cell { return cell{text: s, keep: true} }

// layout lays the table out for a screen of so many columns; 0 is no limit.
func (t *table) layout(screen int, colour bool) string {
	widths := t.widths(screen)
	var b strings.Builder
	for n, row := range t.rows {
		var line strings.Builder
		for i, c := range row {
			s, column := c.text, widths[i]
			if screen == 0 && t.aligned > 0 {
				column = min(column, t.aligned)
			} else {
				s = ansi.Truncate(s, column, "…")
			}
			pad := max(0, column-ansi.StringWidth(s))
			if i == len(row)-1 {
				pad = 0
			}
			line.WriteString(paint(s, c.style, colour) + strings.Repeat(" ", pad))
			if i < len(row)-1 {
				line.WriteString(gap)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		if n > 0 && t.below != nil {
			for _, l := range t.below[n-1] {
				b.WriteString(gap + l + "\n")
			}
		}
	}
	return b.String()
}

// least is how narrow a column is made at most: a screen narrower than that shows what it can.
const least = 4

// natural is how wide the table is where nothing is cut.
func (t *table) natural() int { return sum(t.widths(0)) }

func sum(widths []int) int {
	total := len(gap) * (len(widths) - 1)
	for _, w := range widths {
		total += w
	}
	return total
}

// widths gives each column's, the widest made narrower until all fit: first of those that need not be kept.
func (t *table) widths(screen int) []int {
	widths, keep := make([]int, len(t.rows[0])), make([]bool, len(t.rows[0]))
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], ansi.StringWidth(c.text))
			keep[i] = keep[i] || c.keep
		}
	}
	for over := sum(widths) - screen; screen > 0 && over > 0; over-- {
		widest := -1
		for _, kept := range []bool{false, true} {
			for i, w := range widths {
				if keep[i] == kept && w > least && (widest < 0 || w > widths[widest]) {
					widest = i
				}
			}
			if widest >= 0 {
				break
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
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
