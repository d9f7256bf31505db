package shell

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"decenter/engine/api"
	"decenter/engine/api/apitest"
)

// screen collects what a terminal shows and lets a test wait for it.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the screen has shown a text.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	s.awaitTimes(t, text, 1)
}

// awaitTimes waits until the screen has shown a text so many times, with or without colours in it.
func (s *screen) awaitTimes(t *testing.T, text string, n int) {
	t.Helper()
	for range 6000 {
		if shown := s.String(); strings.Count(shown, text) >= n || strings.Count(ansi.Strip(shown), text) >= n {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("not shown %d times: %q; the screen has %q", n, text, s.String())
}

// person is someone at a raw terminal, as an ssh session has it.
type person struct {
	keys io.WriteCloser
	screen
	streams Streams
}

func newPerson() *person {
	r, w := io.Pipe()
	p := &person{keys: w}
	p.streams = Streams{In: r, Out: &p.screen, Err: &p.screen, InTerminal: true, OutTerminal: true, ErrTerminal: true, Width: func() int { return 80 }}
	return p
}

func (p *person) types(t *testing.T, s string) {
	t.Helper()
	if _, err := io.WriteString(p.keys, s); err != nil {
		t.Fatal(err)
	}
}

// run carries a line out in the background.
func run(ctx context.Context, f func() int) <-chan int {
	code := make(chan int, 1)
	go func() { code <- f() }()
	return code
}

func exits(t *testing.T, code <-chan int, want int) {
	t.Helper()
	select {
	case got := <-code:
		if got != want {
			t.Fatalf("exit code %d, want %d", got, want)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it does not end")
	}
}

func world(t *testing.T) (context.Context, *apitest.Constellation) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	c := apitest.New()
	t.Cleanup(func() { c.Close(); cancel() })
	return ctx, c
}

func TestDeleteAsksForTheName(t *testing.T) {
	for _, story := range []struct {
		typed string
		code  int
		gone  bool
	}{
		{"web-1\r", 0, true},
		{"wrong\x15webb\x7f-2\x7f1\x1b[D\r", 0, true}, // with Ctrl-U, Backspace and an arrow key
		{"web\r", 2, false},
		{"\r", 2, false},
		{"web-1\x03", 2, false}, // Ctrl-C
		{"\x04", 2, false},      // Ctrl-D
	} {
		ctx, c := world(t)
		c.AddVM(api.VM{Name: "web-1"})
		p := newPerson()
		code := run(ctx, func() int { return Run(ctx, c, "delete web-1", p.streams, Options{}) })
		p.await(t, "Type its name")
		p.types(t, story.typed)
		exits(t, code, story.code)
		if _, err := c.VM(ctx, "web-1"); (err != nil) != story.gone {
			t.Errorf("after %q: %v", story.typed, err)
		}
	}
}

func TestProgressIsOneLineWrittenOver(t *testing.T) {
	ctx, c := world(t)
	c.Hold()
	p := newPerson()
	code := run(ctx, func() int { return Run(ctx, c, "create web-1 from:tiny", p.streams, Options{}) })
	p.await(t, "starting, 42.7MiB of 64MiB (66%)")
	c.Release()
	exits(t, code, 0)
	first, rest, _ := strings.Cut(p.String(), "\n")
	if !strings.HasPrefix(first, "job ") {
		t.Errorf("the job's id does not come first: %q", first)
	}
	if strings.Count(rest, "\n") != 1 || !strings.Contains(rest, "\r\x1b[Kcreate web-1 on s1: done") {
		t.Errorf("progress was not written over: %q", rest)
	}
}

func TestDumbTerminalGetsLines(t *testing.T) {
	ctx, c := world(t)
	p := newPerson()
	p.streams.Dumb = true
	c.Hold()
	code := run(ctx, func() int { return Run(ctx, c, "create web-1 from:tiny", p.streams, Options{}) })
	p.await(t, "starting")
	c.Release()
	exits(t, code, 0)
	if s := p.String(); strings.ContainsAny(s, "\r\x1b") || !strings.Contains(s, "starting") {
		t.Errorf("a dumb terminal got %q", s)
	}
}

// A person who goes away does not stop the work, and anyone may follow it again.
func TestGoingAwayDetaches(t *testing.T) {
	ctx, c := world(t)
	c.Hold()
	p := newPerson()
	gone, leave := context.WithCancel(ctx)
	code := run(ctx, func() int { return Run(gone, c, "create web-1 from:tiny", p.streams, Options{}) })
	p.await(t, "starting")
	leave()
	exits(t, code, api.ExitRunning)
	p.await(t, "goes on; watch")

	q := newPerson()
	code = run(ctx, func() int { return Run(ctx, c.As("local", "s3"), "watch 3c6e", q.streams, Options{}) })
	q.await(t, "starting")
	q.types(t, "\x03") // Ctrl-C on a raw terminal
	exits(t, code, api.ExitRunning)

	c.Release()
	settle(t, c, "")
	exits(t, run(ctx, func() int { return Run(ctx, c, "watch 3c6e", Streams{Out: &p.screen, Err: &p.screen}, Options{}) }), 0)
}

func TestBrokenEventsAreNoEnd(t *testing.T) {
	ctx, c := world(t)
	c.FailCall("Events", api.Errorf(api.CodeUnavailable, "the link broke"))
	p := newPerson()
	code := run(ctx, func() int { return Run(ctx, c, "create web-1 from:tiny", p.streams, Options{}) })
	p.await(t, "job 3c6ef362")
	c.FailCall("Events", nil)
	exits(t, code, 0)

	c.FailCall("Events", api.Errorf(api.CodeUnavailable, "the link broke"))
	exits(t, run(ctx, func() int { return Run(ctx, c, "stop web-1", p.streams, Options{}) }), api.ExitRunning)
	p.await(t, "was last seen running")
}

func TestSerialConsole(t *testing.T) {
	ctx, c := world(t)
	c.AddVM(api.VM{Name: "web-1"})
	p := newPerson()
	code := run(ctx, func() int { return Run(ctx, c, "console web-1", p.streams, Options{}) })
	p.await(t, "leaves it")
	p.types(t, "hostname\r")
	p.await(t, "web-1\r\n"+apitest.Prompt)
	p.types(t, "echo \x1d\x1d \x1dx\r") // the escape twice, and before another key
	p.await(t, "\x1d \x1dx\r\n")
	p.types(t, "\x1dq")
	exits(t, code, 0)
	p.await(t, "left the serial console of web-1")
}

func TestSerialConsoleOfAScript(t *testing.T) {
	ctx, c := world(t)
	c.AddVM(api.VM{Name: "web-1"})
	var out, errs bytes.Buffer
	s := Streams{In: strings.NewReader("hostname\necho a b\n"), Out: &out, Err: &errs}
	if code := Run(ctx, c, "console web-1 idle:100ms", s, Options{}); code != 0 || errs.Len() > 0 {
		t.Fatalf("exit code %d, %s", code, errs.String())
	}
	want := "hostname\r\nweb-1\r\n" + apitest.Prompt + "echo a b\r\na b\r\n" + apitest.Prompt
	if out.String() != want {
		t.Errorf("the guest said %q, want %q", out.String(), want)
	}
}

func TestSerialConsoleEndsWithTheLine(t *testing.T) {
	ctx, c := world(t)
	c.AddVM(api.VM{Name: "web-1"})
	p := newPerson()
	code := run(ctx, func() int { return Run(ctx, c, "console web-1", p.streams, Options{}) })
	p.await(t, "leaves it")
	c.Close()
	exits(t, code, 0)
}

func TestEscape(t *testing.T) {
	for _, c := range []struct {
		typed, send, rest string
		leave             bool
	}{
		{"abc", "abc", "", false},
		{"a\x1d", "a", "", false},
		{"a\x1d.b", "a", "b", true},
		{"\x1dq", "", "", true},
		{"\x1d\x1dq", "\x1dq", "", false},
		{"\x1dxq", "\x1dxq", "", false},
	} {
		var whole escape
		send, rest, leave := whole.keys([]byte(c.typed))
		if string(send) != c.send || string(rest) != c.rest || leave != c.leave {
			t.Errorf("%q: sends %q, leaves %v with %q", c.typed, send, leave, rest)
		}
		var single escape // the same, byte by byte
		var sent []byte
		left := false
		for _, b := range []byte(c.typed) {
			if left {
				break
			}
			var s []byte
			s, _, left = single.keys([]byte{b})
			sent = append(sent, s...)
		}
		if string(sent) != c.send || left != c.leave {
			t.Errorf("%q byte by byte: sends %q, leaves %v", c.typed, sent, left)
		}
	}
}

func TestLineMode(t *testing.T) {
	ctx, c := world(t)
	p := newPerson()
	code := run(ctx, func() int { return REPL(ctx, c, p.streams, Options{}) })
	p.await(t, prompt)
	p.types(t, "create web-1 from:tiny\r")
	p.await(t, "done in")
	p.types(t, "console web-1\r")
	p.await(t, "leaves it")
	p.types(t, "echo in\r\x1dqvm\r") // what is typed after leaving is the next line
	p.await(t, "vm    web-1")
	p.types(t, "frob\x03exit\r")
	exits(t, code, 0)
}

func TestLineModeOfAScript(t *testing.T) {
	ctx, c := world(t)
	var out, errs bytes.Buffer
	s := Streams{In: strings.NewReader("create web-1 from:tiny\r\n\n  \nvm\nstart web-1"), Out: &out, Err: &errs}
	if code := REPL(ctx, c, s, Options{}); code != 1 {
		t.Errorf("exit code %d, want that of the last line", code)
	}
	if !strings.Contains(out.String(), "done in") || !strings.Contains(out.String(), "vm    web-1") || strings.Contains(errs.String(), prompt) {
		t.Errorf("out %q, err %q", out.String(), errs.String())
	}
}

// A guest that takes nothing and says nothing holds up neither the escape nor the end.
func TestDeadGuestDoesNotHoldTheKeyboard(t *testing.T) {
	ctx, c := world(t)
	p := newPerson()
	code := run(ctx, func() int { return Run(ctx, deadGuest{c}, "console web-1", p.streams, Options{}) })
	p.await(t, "leaves it")
	for range 2 * maxUnsent {
		p.types(t, "x")
	}
	p.await(t, "\a") // what is too much is dropped, and said so
	p.types(t, "\x1dq")
	exits(t, code, 0)
}

// deadGuest is a constellation whose serial lines block, even when closed.
type deadGuest struct{ api.Service }

func (deadGuest) Console(ctx context.Context, _ string) (io.ReadWriteCloser, error) {
	return deadLine{ctx}, nil
}

type deadLine struct{ ctx context.Context }

func (l deadLine) Read([]byte) (int, error) { <-l.ctx.Done(); return 0, io.EOF }
func (l deadLine) Write([]byte) (int, error) {
	<-l.ctx.Done()
	return 0, io.ErrClosedPipe
}
func (l deadLine) Close() error { return nil }
