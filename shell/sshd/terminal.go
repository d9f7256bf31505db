package sshd

import (
	"io"
	"sync"
	"unicode"
	"unicode/utf8"

	charm "charm.land/ssh"
	"github.com/charmbracelet/x/ansi"

	"decenter/engine/api"
)

// maxLine bounds a typed line, in bytes.
const maxLine = 4096

// Terminal is the client's, at the far end of the connection. There is none on this machine, so what a
// kernel's line discipline would do, Ask does.
type Terminal struct {
	in  io.Reader
	out io.Writer

	mu            sync.Mutex
	width, height int
	changed       func(width, height int) // nil: nobody follows
}

func newTerminal(pty charm.Pty, in io.Reader, out io.Writer) *Terminal {
	return &Terminal{in: in, out: out, width: pty.Window.Width, height: pty.Window.Height}
}

// Size gives the present size in cells; 80 by 24 where the client does not know.
func (t *Terminal) Size() (width, height int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.width <= 0 || t.height <= 0 {
		return 80, 24
	}
	return t.width, t.height
}

// follow keeps the size until changes closes, which is the session's end.
func (t *Terminal) follow(changes <-chan charm.Window) {
	for w := range changes {
		t.mu.Lock()
		t.width, t.height = w.Width, w.Height
		tell := t.changed
		t.mu.Unlock()
		if tell != nil {
			tell(w.Width, w.Height)
		}
	}
}

// onChange calls fn, which must not block for long, with each new size until stop is called.
func (t *Terminal) onChange(fn func(width, height int)) (stop func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.changed = fn
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.changed = nil
	}
}

// Ask shows a prompt and gives the line that is typed, echoed, without its end. Backspace, Ctrl-U and Ctrl-W
// edit it. Ctrl-D on an empty line is io.EOF; Ctrl-C is an *api.Error of CodeCancelled.
func (t *Terminal) Ask(prompt string) (string, error) {
	e := editor{t: t}
	if err := e.echo(prompt); err != nil {
		return "", err
	}
	for {
		r, err := e.next()
		if err != nil {
			return "", err
		}
		done, err := e.typed(r)
		if done || err != nil {
			return string(e.line), err
		}
	}
}

// editor is a line being typed.
type editor struct {
	t    *Terminal
	line []rune
}

func (e *editor) echo(s string) error {
	_, err := io.WriteString(e.t.out, s)
	return err
}

// next gives the next character. It reads byte by byte, so that nothing beyond the line is taken.
func (e *editor) next() (rune, error) {
	var b []byte
	for {
		var one [1]byte
		if n, err := e.t.in.Read(one[:]); n == 0 {
			return 0, err
		}
		b = append(b, one[0])
		if utf8.FullRune(b) {
			r, _ := utf8.DecodeRune(b)
			return r, nil
		}
	}
}

// typed acts on one character, and tells whether the line is over.
func (e *editor) typed(r rune) (done bool, err error) {
	switch r {
	case '\r', '\n':
		return true, e.echo("\n")
	case ctrlC:
		e.line = nil
		_ = e.echo("^C\n") // the error below says more
		return true, api.Errorf(api.CodeCancelled, "interrupted")
	case 4: // Ctrl-D
		if len(e.line) == 0 {
			_ = e.echo("\n")
			return true, io.EOF
		}
	case 8, 127: // Backspace
		return false, e.erase(1)
	case 21: // Ctrl-U
		return false, e.erase(len(e.line))
	case 23: // Ctrl-W
		return false, e.erase(e.lastWord())
	case 27: // Escape
		return false, e.skipSequence()
	default:
		if unicode.IsPrint(r) {
			return false, e.add(r)
		}
	}
	return false, nil
}

func (e *editor) add(r rune) error {
	if len(string(e.line))+utf8.RuneLen(r) > maxLine {
		return e.echo("\a")
	}
	e.line = append(e.line, r)
	return e.echo(string(r))
}

// erase takes characters off the end, each by as many cells as it has.
func (e *editor) erase(n int) error {
	for range min(n, len(e.line)) {
		last := len(e.line) - 1
		for range ansi.StringWidth(string(e.line[last])) {
			if err := e.echo("\b \b"); err != nil {
				return err
			}
		}
		e.line = e.line[:last]
	}
	return nil
}

// lastWord counts the characters of the last word and the blanks after it.
func (e *editor) lastWord() int {
	i := len(e.line)
	for i > 0 && e.line[i-1] == ' ' {
		i--
	}
	for i > 0 && e.line[i-1] != ' ' {
		i--
	}
	return len(e.line) - i
}

// skipSequence swallows an arrow or function key: ESC [ … final, ESC O final, or ESC and one character.
func (e *editor) skipSequence() error {
	r, err := e.next()
	if err != nil || r != '[' && r != 'O' {
		return err
	}
	for range 32 {
		r, err := e.next()
		if err != nil || r >= 0x40 && r <= 0x7e {
			return err
		}
	}
	return nil
}
