package vt

import (
	"strings"
	"testing"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

func show(s *Screen) string {
	return strings.TrimRight(strings.Join(s.Rows(0, true), "\n"), "\n")
}

// What guests send, and what a person then sees.
func TestScreens(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"lines", "one\r\ntwo", "one\ntwo"},
		{"wrap waits for the next character", "0123456789\r\nx", "0123456789\nx"},
		{"wrap", "0123456789ab", "0123456789\nab"},
		{"scroll", "1\r\n2\r\n3\r\n4\r\n5", "2\n3\n4\n5"},
		{"backspace", "ab\b \bc", "ac"},
		{"tab", "a\tb", "a       b"},
		{"home and erase", "junk\x1b[H\x1b[2Jnew", "new"},
		{"erase to the end", "abcdef\x1b[1;3H\x1b[K", "ab"},
		{"insert and delete characters", "abc\x1b[1;2H\x1b[2@\x1b[1;1H\x1b[1P", "  bc"},
		{"insert a line", "a\r\nb\x1b[1;1H\x1b[L", "\na\nb"},
		{"delete a line", "a\r\nb\r\nc\x1b[1;1H\x1b[M", "b\nc"},
		{"scroll region", "a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[3;1H\nx", "a\nc\nx\nd"},
		{"reverse index", "a\r\nb\x1b[H\x1bMz", "z\na\nb"},
		{"line drawing", "\x1b(0lqk\x1b(B q", "┌─┐ q"},
		{"repeat", "ab\x1b[3b", "abbbb"},
		{"second screen", "shell\x1b[?1049hvi\x1b[?1049l$", "shell$"},
		{"wide", "日本", "日本"},
		{"half of a wide one is overwritten", "日本\x1b[1;2Hx", " x本"},
		{"wide at the edge", "012345678日", "012345678\n日"},
		{"title and device strings are dropped", "a\x1b]0;evil\x07b\x1bPq#1\x1b\\c", "abc"},
		{"C1 as UTF-8 is dropped", "a\u009b31mb", "a31mb"},
		{"bidi and zero width are dropped", "a\u202eb\u200bc", "abc"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New(10, 4)
			s.Write([]byte(c.in))
			if got := show(s); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestColoursLeaveAsSGR(t *testing.T) {
	s := New(20, 2)
	s.Write([]byte("\x1b[1;31mred\x1b[0m \x1b[38;5;200mpink\x1b[48;2;1;2;3mdeep"))
	want := "\x1b[0;1;38;5;1mred\x1b[0m \x1b[0;38;5;200mpink\x1b[0;38;5;200;48;2;1;2;3mdeep\x1b[0m"
	if got := s.Rows(0, false)[0]; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := s.Rows(0, true)[0]; got != "\x1b[0;1mred\x1b[0m pinkdeep" {
		t.Errorf("plain: %q", got)
	}
}

func TestAnswers(t *testing.T) {
	s := New(20, 5)
	s.Write([]byte("ab\x1b[6n\x1b[5n\x1b[c"))
	if got := string(s.TakeReply()); got != "\x1b[1;3R\x1b[0n\x1b[?6c" {
		t.Errorf("%q", got)
	}
	if s.TakeReply() != nil {
		t.Error("answered twice")
	}
	s.Write([]byte(strings.Repeat("\x1b[6n", 10000)))
	if n := len(s.TakeReply()); n > maxReply {
		t.Errorf("%d bytes of answers", n)
	}
}

func TestScrollbackIsKeptAndBounded(t *testing.T) {
	s := New(10, 2)
	s.Write([]byte("first\r\n" + strings.Repeat("x\r\n", 5)))
	if got := s.Rows(s.Back(), true)[0]; got != "first" {
		t.Errorf("oldest row is %q", got)
	}
	s.Write([]byte(strings.Repeat("y\r\n", 3*MaxBack)))
	if s.Back() != MaxBack {
		t.Errorf("%d rows kept", s.Back())
	}
}

func TestResizeKeepsWhatIsShown(t *testing.T) {
	s := New(10, 4)
	s.Write([]byte("a\r\nb\r\nc\r\nd"))
	s.Resize(10, 2)
	if got := show(s); got != "c\nd" {
		t.Errorf("smaller: %q", got)
	}
	s.Resize(12, 4)
	if got := show(s); got != "a\nb\nc\nd" {
		t.Errorf("larger again: %q", got)
	}
}

// checkRows says what is wrong with rendered rows: too wide, too many, or anything but text and SGR.
func checkRows(rows []string, w, h int) string {
	if len(rows) != h {
		return "wrong number of rows"
	}
	for _, row := range rows {
		if ansi.StringWidth(row) > w {
			return "too wide: " + row
		}
		for i, part := range strings.Split(row, "\x1b[") {
			if i > 0 {
				end := strings.IndexByte(part, 'm')
				if end < 0 || strings.Trim(part[:end], "0123456789;") != "" {
					return "not SGR: " + part
				}
				part = part[end+1:]
			}
			if strings.ContainsFunc(part, func(r rune) bool { return !unicode.IsPrint(r) }) {
				return "control character"
			}
		}
	}
	return ""
}

func TestCheckRowsSeesFaults(t *testing.T) {
	for _, row := range []string{"12345678901", "a\x1b[2J", "a\x1bc", "a\rb", "\u009b"} {
		if checkRows([]string{row}, 10, 1) == "" {
			t.Errorf("%q passed", row)
		}
	}
}

func FuzzScreen(f *testing.F) {
	for _, seed := range []string{
		"hello\r\nworld", "\x1b[2J\x1b[H\x1b[31mx", "日本語\x1b[1;2Hx\x1b[5P\x1b[3@", "\x1b[?1049h\x1b[2;3r\x1bM\x1bD\x1b[99S",
		"\x1b[38;2", "\x1b[999999999999A\x1b[0;0H", "\x1b(0lqqk\x0e\x0f", "\xff\xfe\xc3", "\x1b7\x1b[99;99H\x1b8\x1bc",
	} {
		f.Add([]byte(seed), uint8(10), uint8(4))
	}
	f.Fuzz(func(t *testing.T, in []byte, w, h uint8) {
		s := New(20, 5)
		half := len(in) / 2
		s.Write(in[:half])
		s.Resize(int(w), int(h))
		s.Write(in[half:])
		cols, rows := s.Size()
		for _, back := range []int{0, s.Back()} {
			if bad := checkRows(s.Rows(back, false), cols, rows); bad != "" {
				t.Fatal(bad)
			}
		}
		if x, y, _ := s.Cursor(); x < 0 || x >= cols || y < 0 || y >= rows {
			t.Fatalf("cursor at %d,%d of %dx%d", x, y, cols, rows)
		}
	})
}

// What a guest that floods its serial line costs.
func BenchmarkFlood(b *testing.B) {
	s := New(80, 24)
	chunk := []byte(strings.Repeat("\x1b[32m2026-01-02 kernel:\x1b[0m a line of some length, and then the next\r\n", 400))
	b.SetBytes(int64(len(chunk)))
	for b.Loop() {
		s.Write(chunk)
		s.Rows(0, false)
	}
}
