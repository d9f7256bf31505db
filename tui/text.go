package tui

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// maxMarks bounds combining marks on one character.
const maxMarks = 2

// clean makes any text one line of printable characters: what a guest or another satellite sent can neither move
// the cursor nor reorder the line. Each character that is dropped leaves a dot.
func clean(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] > 0x7e {
			return cleanSlow(s)
		}
	}
	return s
}

func cleanSlow(s string) string {
	var b strings.Builder
	marks := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		i += n
		switch {
		case r == '\t' || r == '\n':
			b.WriteByte(' ')
			marks = 0
		case r == utf8.RuneError && n == 1, !unicode.IsPrint(r):
			b.WriteRune('·')
			marks = 0
		case r >= 0xfe00 && r <= 0xfe0f, r >= 0xe0100 && r <= 0xe01ef: // variation selectors change widths
		case unicode.Is(unicode.M, r):
			if marks++; marks <= maxMarks {
				b.WriteRune(r)
			}
		default:
			b.WriteRune(r)
			marks = 0
		}
	}
	return b.String()
}

// cleanLines is clean for text of several lines; at most limit of them.
func cleanLines(s string, limit int) []string {
	var out []string
	for line := range strings.Lines(s) {
		if len(out) == limit {
			break
		}
		line = strings.TrimRight(line, "\r\n")
		out = append(out, clean(strings.ReplaceAll(line, "\t", "    ")))
	}
	return out
}

func width(s string) int { return ansi.StringWidth(s) }

// cut shortens s to w columns, with an ellipsis where something is missing. s may hold SGR.
func cut(s string, w int) string {
	switch {
	case w <= 0:
		return ""
	case len(s) <= w:
		return s
	}
	return ansi.Truncate(s, w, "…")
}

// wrap breaks text into lines of at most w columns, at words where it can; the last of most lines says that more
// is missing. The text is cleaned.
func wrap(s string, w, most int) []string {
	w = max(1, w)
	out := strings.Split(ansi.Wrap(clean(s), w, ""), "\n")
	if len(out) > most {
		out = out[:most]
		out[most-1] = cut(out[most-1]+strings.Repeat("…", w), w)
	}
	return out
}

// middle shortens s to w columns by leaving out its middle.
func middle(s string, w int) string {
	if width(s) <= w || w < 5 {
		return cut(s, w)
	}
	tail := min(5, w/3)
	return ansi.Truncate(s, w-tail-1, "") + "…" + ansi.TruncateLeft(s, width(s)-tail, "")
}

// pad makes s exactly w columns wide.
func pad(s string, w int) string {
	s = cut(s, w)
	if n := w - width(s); n > 0 {
		s += strings.Repeat(" ", n)
	}
	return s
}

// padLeft is pad with the text at the right.
func padLeft(s string, w int) string {
	s = cut(s, w)
	if n := w - width(s); n > 0 {
		s = strings.Repeat(" ", n) + s
	}
	return s
}

// center puts s into the middle of w columns.
func center(s string, w int) string {
	s = cut(s, w)
	return strings.Repeat(" ", max(0, (w-width(s))/2)) + s
}

// size writes bytes as people do, in at most eight columns.
func size(n uint64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/unit, 0
	for f >= 999.5 && i < 5 {
		f /= unit
		i++
	}
	if f < 9.95 && f != float64(int(f)) {
		return fmt.Sprintf("%.1f %ciB", f, "KMGTPE"[i])
	}
	return fmt.Sprintf("%.0f %ciB", f, "KMGTPE"[i])
}

// span writes a duration in at most four columns: 9s, 12m, 3h, 45d, 2y.
func span(d time.Duration) string {
	switch s := int64(max(d, 0) / time.Second); {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm", s/60)
	case s < 48*3600:
		return fmt.Sprintf("%dh", s/3600)
	case s < 999*86400:
		return fmt.Sprintf("%dd", s/86400)
	default:
		return fmt.Sprintf("%dy", s/(365*86400))
	}
}

// seconds writes how long something took.
func seconds(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return "under 1 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return span(d)
}

// age is span since t; empty where t is not known.
func age(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(now.Sub(t))
}

// count writes a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// bar draws part of a whole in w columns.
func bar(part, whole float64, w int) string {
	if whole <= 0 || w <= 0 {
		return strings.Repeat("░", max(w, 0))
	}
	n := int(part/whole*float64(w) + 0.5)
	n = max(0, min(n, w))
	return strings.Repeat("█", n) + strings.Repeat("░", w-n)
}

var sparks = []rune("▁▂▃▄▅▆▇█")

// spark draws the last w of values from 0 to 1, newest at the right; dots are before the first.
func spark(values []float64, w int) string {
	if w <= 0 {
		return ""
	}
	values = values[max(0, len(values)-w):]
	var b strings.Builder
	b.WriteString(strings.Repeat("·", w-len(values)))
	for _, v := range values {
		i := int(v * float64(len(sparks)))
		b.WriteRune(sparks[max(0, min(i, len(sparks)-1))])
	}
	return b.String()
}

// word writes a name as the grammar reads it back.
func word(s string) string {
	special := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"\:,<>`, r) }
	if s != "" && s[0] != '-' && !strings.ContainsFunc(s, special) {
		return s
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(clean(s)) + `"`
}
