package shell

import (
	"context"
	"errors"
	"io"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/cancelreader"

	"decenter/engine/api"
	"decenter/shell/grammar"
)

// maxTyped bounds a typed line, in bytes: the longest line of the grammar, and a bit so that it is seen to be too long.
const maxTyped = grammar.MaxLine*utf8.UTFMax + 16

// errInterrupted is what Ctrl-C does to a line being typed.
var errInterrupted = errors.New("interrupted")

// input reads a stream in a goroutine of its own, so that a reader can give up while it waits.
type input struct {
	chunks chan []byte // closed after the stream's end
	quit   chan struct{}
	cancel func() bool
	rest   []byte // of the last chunk, not yet read
}

func newInput(r io.Reader) *input {
	in := &input{chunks: make(chan []byte), quit: make(chan struct{}), cancel: func() bool { return false }}
	// A terminal's read can be ended at once. One of an ssh channel ends with the channel, and one of a file soon.
	if c, err := cancelreader.NewReader(r); err == nil {
		r, in.cancel = c, c.Cancel
	}
	go in.pump(r)
	return in
}

func (in *input) pump(r io.Reader) {
	defer close(in.chunks)
	for {
		buf := make([]byte, 4096)
		n, err := r.Read(buf)
		if n > 0 {
			select {
			case in.chunks <- buf[:n]:
			case <-in.quit:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// close stops reading.
func (in *input) close() {
	close(in.quit)
	in.cancel()
}

// read gives the next bytes, or io.EOF, or ctx's error.
func (in *input) read(ctx context.Context) ([]byte, error) {
	if rest := in.rest; len(rest) > 0 {
		in.rest = nil
		return rest, nil
	}
	select {
	case b, ok := <-in.chunks:
		if !ok {
			return nil, io.EOF
		}
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (in *input) readByte(ctx context.Context) (byte, error) {
	b, err := in.read(ctx)
	if err != nil {
		return 0, err
	}
	in.rest = b[1:]
	return b[0], nil
}

// line reads a line that comes whole: from a pipe, or from a terminal that echoes and edits by itself. The
// last line may lack its end.
func (in *input) line(ctx context.Context) (string, error) {
	var line []byte
	for {
		b, err := in.readByte(ctx)
		switch {
		case err == io.EOF && len(line) > 0:
			return string(line), nil
		case err != nil:
			return "", err
		case b == '\n':
			if n := len(line); n > 0 && line[n-1] == '\r' {
				line = line[:n-1]
			}
			return string(line), nil
		case len(line) < maxTyped:
			line = append(line, b)
		}
	}
}

// edit reads a line key by key and echoes it. It knows Backspace, Ctrl-U, Ctrl-C, and Ctrl-D on an empty line.
func (in *input) edit(ctx context.Context, echo io.Writer) (string, error) {
	var line []byte
	say := func(s string) { _, _ = io.WriteString(echo, s) } // a dead terminal ends ctx or the input
	for {
		b, err := in.readByte(ctx)
		if err != nil {
			return "", err
		}
		switch {
		case b == '\r' || b == '\n':
			say("\r\n")
			return string(line), nil
		case b == 0x03:
			say("^C\r\n")
			return "", errInterrupted
		case b == 0x04 && len(line) == 0:
			say("\r\n")
			return "", io.EOF
		case b == 0x7f || b == '\b':
			line = rubOut(line, say)
		case b == 0x15:
			for len(line) > 0 {
				line = rubOut(line, say)
			}
		case b == 0x1b:
			if err := in.skipEscape(ctx); err != nil {
				return "", err
			}
		case b >= 0x20 && len(line) < maxTyped:
			line = append(line, b)
			say(string([]byte{b}))
		}
	}
}

// rubOut takes the last character away, from the line and from the screen.
func rubOut(line []byte, say func(string)) []byte {
	_, size := utf8.DecodeLastRune(line)
	for range ansi.StringWidth(string(line[len(line)-size:])) {
		say("\b \b")
	}
	return line[:len(line)-size]
}

// skipEscape reads past an escape sequence such as an arrow key's (ECMA-48 section 5.4).
func (in *input) skipEscape(ctx context.Context) error {
	b, err := in.readByte(ctx)
	if err != nil || b != '[' && b != 'O' {
		return err
	}
	for {
		if b, err = in.readByte(ctx); err != nil || b >= 0x40 && b <= 0x7e {
			return err
		}
	}
}

// cancelled is the error of a question that was not answered.
func cancelled() error {
	return &api.Error{Code: api.CodeCancelled, Message: "cancelled", Hint: "nothing was done"}
}
