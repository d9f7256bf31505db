package output

import (
	"errors"
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"decenter/engine/api"
)

// around is how much of a long line an error shows on each side of its column.
const around = 36

// hintWidth is how wide a hint is written, after its indent of two.
const hintWidth = 76

// Error writes an error of a line: one line, and with a column the line and a caret.
func Error(line string, err error, colour bool) string {
	var e *api.Error
	if !errors.As(err, &e) {
		e = &api.Error{Code: api.CodeOf(err), Message: err.Error()}
	}
	head := paint("error:", red, colour) + " " + Clean(e.Message)
	hint := Clean(e.Hint)
	typed := []rune(Clean(line))
	if e.Column < 1 || e.Column > len(typed)+1 || len(typed) == 0 {
		if hint != "" {
			head += ": " + hint
		}
		return head + "\n"
	}
	left, right := typed[:e.Column-1], typed[e.Column-1:]
	if len(left) > around {
		left = append([]rune("…"), left[len(left)-around:]...)
	}
	if len(right) > around {
		right = append(append([]rune{}, right[:around]...), '…')
	}
	under := strings.Repeat(" ", ansi.StringWidth(string(left))) + "^"
	if hint != "" && ansi.StringWidth(under)+1+ansi.StringWidth(hint) <= hintWidth {
		under, hint = under+" "+hint, ""
	}
	s := fmt.Sprintf("%s (column %d)\n  %s%s\n  %s\n", head, e.Column, string(left), string(right), under)
	if hint != "" {
		s += "  " + strings.ReplaceAll(ansi.Wordwrap(hint, hintWidth, ""), "\n", "\n  ") + "\n"
	}
	return s
}
