package tui

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// checkFrame says what is wrong with a frame: too many lines, a line too wide, anything but text and SGR. It
// shares no code with what draws: it reads SGR by hand and measures with another library.
func checkFrame(frame string, w, h int) string {
	lines := strings.Split(frame, "\n")
	if len(lines) > h && frame != "" {
		return fmt.Sprintf("%d lines of %d", len(lines), h)
	}
	measure := runewidth.Condition{}
	for i, l := range lines {
		var text strings.Builder
		for j, part := range strings.Split(l, "\x1b") {
			if j > 0 {
				end := strings.IndexByte(part, 'm')
				if end < 1 || part[0] != '[' || strings.Trim(part[1:end], "0123456789;") != "" {
					return fmt.Sprintf("line %d has a sequence that is not SGR: %q", i, part)
				}
				part = part[end+1:]
			}
			text.WriteString(part)
		}
		for _, r := range text.String() {
			if r < ' ' || r == 0x7f || !unicode.IsPrint(r) {
				return fmt.Sprintf("line %d has a control character: %q", i, text.String())
			}
		}
		if n := measure.StringWidth(text.String()); n > w {
			return fmt.Sprintf("line %d is %d columns wide of %d: %q", i, n, w, text.String())
		}
	}
	return ""
}

// The checker itself must see each fault.
func TestCheckFrameSeesFaults(t *testing.T) {
	if bad := checkFrame("a\x1b[1;31mb\x1b[0m\n日本", 4, 2); bad != "" {
		t.Error(bad)
	}
	for _, frame := range []string{"a\nb\nc", "12345", "日本語", "a\x1b[2Jb", "a\x1b]0;x\x07", "a\rb", "a\u009bb", "a\u202eb", "\x1b[1;31m12345"} {
		if checkFrame(frame, 4, 2) == "" {
			t.Errorf("%q passed", frame)
		}
	}
}

// The last check of a frame holds even where a page forgot to clean: what fails raw passes through fit.
func TestFitStopsWhatWasNotCleaned(t *testing.T) {
	failed := 0
	for _, raw := range hostile {
		if checkFrame(raw, 20, 1) != "" {
			failed++
		}
		if bad := checkFrame(strings.Join(fit([]string{raw, raw}, 20, 1), "\n"), 20, 1); bad != "" {
			t.Errorf("%q: %s", raw, bad)
		}
	}
	if failed < 8 {
		t.Errorf("only %d texts are hostile at all", failed)
	}
}
