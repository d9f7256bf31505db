package shell

import (
	"io"
	"os"

	"golang.org/x/term"
)

// Streams is where a line reads from and writes to: a process's standard streams, or an ssh session's.
type Streams struct {
	In       io.Reader // nil is empty
	Out, Err io.Writer

	// Each tells whether that stream is a terminal.
	InTerminal, OutTerminal, ErrTerminal bool

	// Raw takes the keyboard byte by byte without echo until restore. Nil where it comes so anyway, as over
	// ssh; then what is typed is echoed here.
	Raw func() (restore func() error, err error)

	// Interrupts is set where whoever made the streams ends ctx at a Ctrl-C, as a kernel's terminal and package
	// sshd do. Where it is not set and Raw is nil, Ctrl-C is looked for here.
	Interrupts bool

	// Width is the terminal's, in columns, now. Nil is 80.
	Width func() int

	Colour bool // the terminal shows colours and the person wants them
	Dumb   bool // the terminal cannot write over a line
}

// StdStreams are those of the process. env is its environment (os.Getenv).
func StdStreams(env func(string) string) Streams {
	s := Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTerminal:  term.IsTerminal(int(os.Stdin.Fd())),
		OutTerminal: term.IsTerminal(int(os.Stdout.Fd())),
		ErrTerminal: term.IsTerminal(int(os.Stderr.Fd())),
		Interrupts:  true,
		Raw: func() (func() error, error) {
			fd := int(os.Stdin.Fd())
			before, err := term.MakeRaw(fd)
			if err != nil {
				return nil, err
			}
			return func() error { return term.Restore(fd, before) }, nil
		},
		Width: func() int {
			w, _, err := term.GetSize(int(os.Stdout.Fd()))
			if err != nil || w < 1 {
				return 80
			}
			return w
		},
	}
	s.Look(env)
	return s
}

// Look sets Colour and Dumb from an environment: NO_COLOR (no-color.org: set and not empty) and TERM.
func (s *Streams) Look(env func(string) string) {
	t := env("TERM")
	s.Dumb = t == "dumb" || t == ""
	s.Colour = env("NO_COLOR") == "" && !s.Dumb
}

// outWidth is how wide a table on Out may be; 0 is no limit.
func (s *Streams) outWidth() int {
	switch {
	case !s.OutTerminal:
		return 0
	case s.Width == nil:
		return 80
	}
	return max(s.Width(), 20)
}
