package tui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/exp/teatest/v2"

	"decenter/engine/api"
	"decenter/engine/api/apitest"
	"decenter/tui/vt"
)

// watched is a program's output, drawn as its terminal would draw it.
type watched struct {
	t      *testing.T
	model  *teatest.TestModel
	screen *vt.Screen
}

func (w *watched) until(what string) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		// A program without a terminal for its input leaves the carriage return to the line discipline.
		out, _ := io.ReadAll(w.model.Output())
		_, _ = w.screen.Write(bytes.ReplaceAll(out, []byte("\n"), []byte("\r\n")))
		if strings.Contains(w.text(), what) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.t.Fatalf("%q did not appear:\n%s", what, w.text())
}

func (w *watched) text() string { return strings.Join(w.screen.Rows(0, true), "\n") }

func (w *watched) press(text string) {
	for _, k := range typed(text) {
		w.model.Send(k)
	}
}

func start(t *testing.T, c *apitest.Constellation) *watched {
	opt := Options{Width: 80, Height: 24, NoColor: true, Now: time.Now}
	m := New(c.As(testAccount, "s1"), &fakeLanguage{}, opt)
	tm := teatest.NewTestModel(t, m, teatest.WithInitialTermSize(80, 24), teatest.WithProgramOptions(ProgramOptions(opt)...))
	return &watched{t, tm, vt.New(80, 24)}
}

// A whole visit: find, create, watch it come, talk to it, delete it, leave.
func TestAVisit(t *testing.T) {
	c := apitest.New()
	defer c.Close()
	c.AddVM(api.VM{Name: "web-1", Satellite: "s2"})
	w := start(t, c)
	w.until("3 of 3 satellites live")
	w.press("web")
	w.until("web-1")
	w.press("<ctrl+c>create web-2<enter>")
	w.until("✓ done")
	w.press("web-2")
	w.until("1 found")
	w.press("<enter>")
	w.until("row 1 of 1")
	w.press("<enter>")
	w.until("vm name:web-2")
	w.press("<f2><enter>")
	w.until("serial console")
	w.press("<enter>hostname<enter>")
	w.until("\nweb-2\n")
	w.press("<ctrl+]>")
	w.until("vm name:web-2")
	w.press("<f8><enter>")
	w.until("cannot be undone")
	w.press("web-2<enter>")
	w.until("web-2 is no more")
	w.press("<ctrl+d>")
	w.model.WaitFinished(t, teatest.WithFinalTimeout(30*time.Second))
}

// A statement is proposed, signed elsewhere, and declared; a wrong signature is refused and given again.
func TestEjectWithASignature(t *testing.T) {
	c := apitest.New()
	defer c.Close()
	c.SetVerifier(func(s api.Signed) error {
		if s.Signature != "H9L5yLFj" {
			return errors.New("another key made it")
		}
		return nil
	})
	w := start(t, c)
	w.until("3 of 3 satellites live")
	w.press("eject s3<enter>")
	w.until("Its connections end at once")
	w.press("s3<enter>")
	w.until("decenter eject 1 in home as " + testAccount)
	w.press("AAAA<enter>")
	w.until("another key made it")
	w.model.Send(tea.PasteMsg{Content: "H9L5\nyLFj\n"})
	w.press("<enter>")
	w.until("in force")
	w.press("trust<enter>")
	w.until("eject     s3")
	w.press("<ctrl+d>")
	w.model.WaitFinished(t, teatest.WithFinalTimeout(30*time.Second))
	if r, err := c.Trust(context.Background()); err != nil || len(r.Statements) != 1 || r.Statements[0].Kind != api.StatementEject {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestASilentSatelliteIsNamed(t *testing.T) {
	c := apitest.New()
	defer c.Close()
	c.Silence("s2")
	w := start(t, c)
	w.until("s2 did not answer")
	w.press("<ctrl+d>")
	w.model.WaitFinished(t, teatest.WithFinalTimeout(30*time.Second))
}

// Whatever is open when the program ends, nothing of it goes on.
func TestEveryGoroutineEnds(t *testing.T) {
	before := runtime.NumGoroutine()
	c := apitest.New()
	c.AddVM(api.VM{Name: "web-1"})
	ctx, cancel := context.WithCancel(context.Background())
	var out lockedBuffer
	in, keys := io.Pipe()
	done := make(chan error)
	go func() {
		done <- Run(ctx, c.As(testAccount, "s1"), &fakeLanguage{}, Options{Width: 80, Height: 24}, in, &out)
	}()
	_, _ = io.WriteString(keys, "console web-1\r")
	for !strings.Contains(out.String(), "Ctrl-]") {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	keys.Close()
	c.Close()
	deadline := time.Now().Add(30 * time.Second)
	for runtime.NumGoroutine() > before && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	if n := runtime.NumGoroutine(); n > before {
		buf := make([]byte, 1<<16)
		t.Errorf("%d goroutines before, %d after:\n%s", before, n, buf[:runtime.Stack(buf, true)])
	}
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// From Run to the first frame, and from a key to its frame, with a constellation that takes its time.
func TestFirstFrameAndKeysAreFast(t *testing.T) {
	c := apitest.New()
	defer c.Close()
	for _, method := range []string{"Hello", "Search", "Satellites", "Jobs"} {
		c.SetDelay(method, 500*time.Millisecond)
	}
	var out lockedBuffer
	in, keys := io.Pipe()
	done := make(chan error)
	began := time.Now()
	go func() {
		done <- Run(context.Background(), c.As(testAccount, "s1"), &fakeLanguage{}, Options{Width: 80, Height: 24}, in, &out)
	}()
	wait := func(what string) time.Duration {
		for !strings.Contains(out.String(), what) {
			if time.Since(began) > 10*time.Second {
				t.Fatalf("%q did not appear in %q", what, out.String())
			}
			time.Sleep(500 * time.Microsecond)
		}
		return time.Since(began)
	}
	first := wait("connecting")
	var slowest time.Duration
	for _, key := range "ZQX" {
		began = time.Now()
		_, _ = fmt.Fprint(keys, string(key))
		slowest = max(slowest, wait(string(key)))
	}
	t.Logf("first frame %v, slowest key %v", first, slowest)
	if first > 100*time.Millisecond {
		t.Errorf("first frame after %v", first)
	}
	if slowest > 100*time.Millisecond { // 16 ms is the aim; a shared machine is given some slack
		t.Errorf("a key's frame after %v", slowest)
	}
	_, _ = io.WriteString(keys, "\x03\x04")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestRunTellsWhatFailed(t *testing.T) {
	err := Run(context.Background(), apitest.New(), &fakeLanguage{}, Options{Width: 80, Height: 24}, failingReader{}, io.Discard)
	if err == nil || errors.Is(err, tea.ErrInterrupted) {
		t.Errorf("%v", err)
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, os.ErrPermission }
