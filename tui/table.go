package tui

import "strings"

// column says how wide a column is and when it gives way. Widths follow from the screen alone, never from the
// rows: a table does not jump while it is scrolled or refreshed.
type column struct {
	title    string
	min, max int
	right    bool // numbers
	drop     int  // columns with the highest drop go first where room is short; 0 stays
}

// gap is the room between columns.
const gap = 2

// layout gives each column its width; 0 where it does not fit.
func layout(cols []column, w int) []int {
	widths := make([]int, len(cols))
	for i, c := range cols {
		widths[i] = c.min
	}
	sum := func() (n int) {
		for _, x := range widths {
			if x > 0 {
				n += x + gap
			}
		}
		return n - gap
	}
	for sum() > w {
		worst := -1
		for i, c := range cols {
			if widths[i] > 0 && c.drop > 0 && (worst < 0 || c.drop > cols[worst].drop) {
				worst = i
			}
		}
		if worst < 0 {
			break
		}
		widths[worst] = 0
	}
	for room, grew := w-sum(), true; room > 0 && grew; {
		grew = false
		for i, c := range cols {
			if widths[i] > 0 && widths[i] < c.max && room > 0 {
				widths[i]++
				room--
				grew = true
			}
		}
	}
	for i := range widths { // what stays may still be too wide for a tiny screen
		if over := sum() - w; over > 0 && widths[i] > 1 {
			widths[i] = max(1, widths[i]-over)
		}
	}
	return widths
}

// field is one cell of a table.
type field struct {
	text  string
	style style
}

// list is which row is selected and which is shown first.
type list struct {
	sel int // -1: none
	top int
}

// move selects by so many rows; from nothing, the first or last.
func (l *list) move(by, n int) {
	switch {
	case n == 0:
		l.sel = -1
	case l.sel < 0 && by > 0:
		l.sel = min(by, n) - 1
	default:
		l.sel = max(0, min(l.sel+by, n-1))
	}
}

// clip keeps the selection among n rows, and in a window of h rows.
func (l *list) clip(n, h int) {
	if l.sel >= n {
		l.sel = n - 1
	}
	if l.sel >= 0 {
		l.top = min(l.top, l.sel)
		l.top = max(l.top, l.sel-h+1)
	}
	l.top = max(0, min(l.top, n-h))
}

// draw renders the head and the rows in the window, at most h lines; row is called for visible rows alone.
func (l *list) draw(t theme, cols []column, n, w, h int, row func(i int) []field) []string {
	if h < 1 {
		return nil
	}
	widths := layout(cols, w-2)
	out := make([]string, 0, h)
	if h > 2 {
		out = append(out, "  "+t.head.Render(heading(cols, widths)))
		h--
	}
	l.clip(n, h)
	for i := l.top; i < min(n, l.top+h); i++ {
		out = append(out, l.line(t, cols, widths, row(i), i == l.sel))
	}
	return out
}

func heading(cols []column, widths []int) string {
	var parts []string
	for i, c := range cols {
		if widths[i] > 0 {
			parts = append(parts, place(c, c.title, widths[i]))
		}
	}
	return strings.TrimRight(strings.Join(parts, "  "), " ")
}

func place(c column, s string, w int) string {
	if c.right {
		return padLeft(s, w)
	}
	return pad(s, w)
}

func (l *list) line(t theme, cols []column, widths []int, fields []field, selected bool) string {
	var b strings.Builder
	for i, f := range fields {
		if widths[i] == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("  ")
		}
		s := place(cols[i], clean(f.text), widths[i])
		if !selected {
			s = f.style.Render(s)
		}
		b.WriteString(s)
	}
	if selected {
		return t.key.Render("▸ ") + t.sel.Render(b.String())
	}
	return "  " + b.String()
}
