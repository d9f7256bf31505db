package keycmd

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"decenter/engine/api"
)

// screen collects what a terminal shows.
type screen struct {
	mu  sync.Mutex
	got bytes.Buffer
}

func (s *screen) watch(r io.Reader) {
	b := make([]byte, 256)
	for {
		n, err := r.Read(b)
		s.mu.Lock()
		s.got.Write(b[:n])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// Write shows what a program says.
func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(b)
}

func (s *screen) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

// until waits for text to be shown.
func (s *screen) until(t *testing.T, text string) {
	t.Helper()
	for range 3000 {
		if strings.Contains(s.text(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%q is not shown: %q", text, s.text())
}

type answer struct {
	text string
	err  error
}

// asks begins a question at a new terminal.
func asks(t *testing.T) (io.Writer, *screen, chan answer) {
	t.Helper()
	master, tty, err := pty.Open()
	if err != nil {
		t.Skipf("without a pseudo-terminal: %v", err)
	}
	t.Cleanup(func() { master.Close(); tty.Close() })
	s := &screen{}
	go s.watch(master)
	done := make(chan answer, 1)
	go func() {
		text, err := readPassword(tty, "Passphrase: ")
		done <- answer{text, err}
	}()
	s.until(t, "Passphrase: ")
	return master, s, done
}

func wait(t *testing.T, done chan answer) answer {
	t.Helper()
	select {
	case a := <-done:
		return a
	case <-time.After(20 * time.Second):
		t.Fatal("it still asks")
		return answer{}
	}
}

func TestATypedPassphraseIsNotShown(t *testing.T) {
	keyboard, s, done := asks(t)
	if _, err := io.WriteString(keyboard, "open \x7f sesame\r"); err != nil {
		t.Fatal(err)
	}
	if a := wait(t, done); a.err != nil || a.text != "open sesame" {
		t.Errorf("%q, %v", a.text, a.err)
	}
	s.until(t, "\n")
	if strings.Contains(s.text(), "sesame") {
		t.Errorf("the screen shows it: %q", s.text())
	}
}

// The program catches SIGINT for its context; the question must end all the same, and leave the terminal as it was.
func TestAnInterruptEndsTheQuestion(t *testing.T) {
	keyboard, s, done := asks(t)
	if err := syscall.Kill(syscall.Getpid(), syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if a := wait(t, done); api.CodeOf(a.err) != api.CodeCancelled || errors.Is(a.err, io.EOF) {
		t.Errorf("%q, %v", a.text, a.err)
	}
	if _, err := io.WriteString(keyboard, "visible\r"); err != nil {
		t.Fatal(err)
	}
	s.until(t, "visible")
}
