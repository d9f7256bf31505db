package sshd

import (
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// start runs a command and gives its session, once it printed "waiting".
func start(t *testing.T, client *ssh.Client, command string) *ssh.Session {
	t.Helper()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := session.Start(command); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, len("waiting\n"))
	if _, err := io.ReadFull(out, b); err != nil {
		t.Fatal(err)
	}
	return session
}

func (w *world) sawEnd(t *testing.T, what string) {
	t.Helper()
	select {
	case got := <-w.ended:
		if got != what {
			t.Errorf("%q ended, want %q", got, what)
		}
	case <-time.After(10 * time.Second):
		t.Errorf("%q did not end", what)
	}
}

// A command ends with its channel, its connection, or the server, whichever is first.
func TestACommandEndsWithWhoAskedForIt(t *testing.T) {
	w := newWorld(t)
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	client := w.mustLogin(h)

	_ = start(t, client, "wait channel").Close()
	w.sawEnd(t, "channel")
	out, _, _ := output(t, client, "whoami")
	if !strings.Contains(out, h.account.String()) {
		t.Errorf("the connection does not outlive a channel: %q", out)
	}
	start(t, client, "wait connection")
	_ = client.Close()
	w.sawEnd(t, "connection")

	start(t, w.mustLogin(h), "wait server")
	w.stop()
	w.sawEnd(t, "server")
	if _, err := net.Dial("tcp", w.addr); err == nil {
		t.Error("the listener is still there")
	}
}

func TestServeLeavesNothingRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	w := newWorld(t)
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	client := w.mustLogin(h)
	start(t, client, "wait")
	stranger := dialRaw(t, w.addr) // says nothing
	w.stop()
	_ = client.Close()
	_ = stranger.Close()
	eventually(t, "goroutines end", func() bool { return runtime.NumGoroutine() <= before })
}

// A challenge gives the person longer than the other steps; the deadline of the handshake does not cut it.
func TestAChallengeOutlivesTheHandshakesDeadline(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits = Limits{Handshake: 1500 * time.Millisecond} })
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	slow := ssh.KeyboardInteractive(func(name, instruction string, questions []string, echos []bool) ([]string, error) {
		time.Sleep(1600 * time.Millisecond)
		return h.answer(t)(name, instruction, questions, echos)
	})
	client, _, err := w.dial(h.account.String(), ssh.PublicKeys(h.signer), slow)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // nor does it cut the session
	if out, _, _ := output(t, client, "whoami"); out == "" {
		t.Error("the session was cut")
	}
}

func TestSessionsOfAConnectionAreBounded(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits = Limits{Sessions: 2} })
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	client := w.mustLogin(h)
	first := start(t, client, "wait 1")
	start(t, client, "wait 2")
	if _, err := client.NewSession(); err == nil {
		t.Error("a third session opens")
	}
	_ = first.Close()
	eventually(t, "room again", func() bool {
		s, err := client.NewSession()
		if err == nil {
			_ = s.Close()
		}
		return err == nil
	})
}

// What SSH can do beyond sessions is not on offer.
func TestNothingIsForwarded(t *testing.T) {
	w := newWorld(t)
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	client := w.mustLogin(h)
	if conn, err := client.Dial("tcp", w.addr); err == nil {
		conn.Close()
		t.Error("forwards TCP")
	}
	if l, err := client.Listen("tcp", "127.0.0.1:0"); err == nil {
		l.Close()
		t.Error("listens for the client")
	}
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if err := session.RequestSubsystem("sftp"); err == nil {
		t.Error("has subsystems")
	}
}

// Window changes that nobody asked for must not stall the connection.
func TestAFloodOfWindowChangesStallsNothing(t *testing.T) {
	w := newWorld(t)
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	client := w.mustLogin(h)
	for _, command := range []string{"", "wait flood"} {
		session, err := client.NewSession()
		if err != nil {
			t.Fatal(err)
		}
		defer session.Close()
		if err := session.RequestPty("xterm", 24, 80, nil); err != nil {
			t.Fatal(err)
		}
		if command != "" {
			if err := session.Start(command); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 200 {
			if err := session.WindowChange(24+i%10, 80); err != nil {
				t.Fatal(err)
			}
		}
	}
	if out, _, _ := output(t, client, "whoami"); out == "" {
		t.Error("the connection is stalled")
	}
}

func TestConfigurationIsChecked(t *testing.T) {
	whole := Config{HostKey: newSigner(t), Judge: func(api.Proof) (string, api.Scope, error) { return "", "", nil }, Open: func(api.Caller) api.Service { return nil },
		Exec: func(context.Context, Call) int { return 0 }, TUI: (&world{}).noTUI}
	if _, err := New(whole); err != nil {
		t.Fatalf("control: %v", err)
	}
	for name, broken := range map[string]func(*Config){
		"HostKey":        func(c *Config) { c.HostKey = nil },
		"Judge":          func(c *Config) { c.Judge = nil },
		"SSH key may do": func(c *Config) { c.Pasted = "write" },
		"Open":           func(c *Config) { c.Open = nil },
		"Exec":           func(c *Config) { c.Exec = nil },
		"TUI":            func(c *Config) { c.TUI = nil },
		"cannot listen":  func(c *Config) { c.Listen = []string{"127.0.0.1:99999"} },
	} {
		c := whole
		broken(&c)
		var e *api.Error
		if _, err := New(c); !errors.As(err, &e) || !strings.Contains(e.Message, name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// BenchmarkFirstFrame is the time from asking for a shell to the console's first frame, login not included, and
// BenchmarkLogin that of a whole login with one command.
func BenchmarkFirstFrame(b *testing.B) {
	w := newWorld(b)
	h := newHolder(b, keys.P2WPKH)
	w.allow(h.account)
	client := w.mustLogin(h)
	for b.Loop() {
		session, err := client.NewSession()
		if err != nil {
			b.Fatal(err)
		}
		out, err := session.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := errors.Join(session.RequestPty("xterm-256color", 24, 80, nil), session.Shell()); err != nil {
			b.Fatal(err)
		}
		var got strings.Builder
		for chunk := make([]byte, 4096); !strings.Contains(got.String(), "size=80x24"); {
			n, err := out.Read(chunk)
			if err != nil {
				b.Fatal(err)
			}
			got.Write(chunk[:n])
		}
		_ = session.Close()
	}
}

func BenchmarkLogin(b *testing.B) {
	w := newWorld(b)
	h := newHolder(b, keys.P2WPKH)
	w.allow(h.account)
	for b.Loop() {
		client := w.mustLogin(h)
		if out, _, _ := output(b, client, "whoami"); out == "" {
			b.Fatal("no answer")
		}
		_ = client.Close()
	}
}

// The newest reader has the keyboard; the one it displaced takes nothing.
func TestInputGoesToWhoReadsLast(t *testing.T) {
	r, keyboard := io.Pipe()
	in := newInput(r)
	defer keyboard.Close()
	displaced := make(chan error, 1)
	go func() {
		_, err := in.Read(make([]byte, 8))
		displaced <- err
	}()
	eventually(t, "the first waits", func() bool { in.mu.Lock(); defer in.mu.Unlock(); return in.turn == 1 })
	got := make(chan string, 1)
	go func() {
		b := make([]byte, 8)
		n, _ := in.Read(b)
		got <- string(b[:n])
	}()
	if err := <-displaced; err != io.EOF {
		t.Errorf("the first got %v", err)
	}
	if _, err := keyboard.Write([]byte("key")); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "key" {
		t.Errorf("the last got %q", s)
	}
	in.close()
	if _, err := in.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("after its end: %v", err)
	}
}

func TestCtrlCInterruptsUntilSomethingReads(t *testing.T) {
	r, keyboard := io.Pipe()
	in := newInput(r)
	defer in.close()
	defer keyboard.Close()
	interrupted := make(chan struct{}, 8)
	in.onInterrupt(func() { interrupted <- struct{}{} })
	_, _ = keyboard.Write([]byte("typed ahead\x03x"))
	<-interrupted
	b := make([]byte, 8)
	if n, _ := in.Read(b); string(b[:n]) != "x" {
		t.Errorf("after the interrupt %q is left", b[:n])
	}
	_, _ = keyboard.Write([]byte("\x03"))
	if n, _ := in.Read(b); string(b[:n]) != "\x03" {
		t.Errorf("the reader got %q", b[:n])
	}
	if len(interrupted) != 0 {
		t.Error("interrupted although something reads")
	}
}

func TestWhatIsTypedAheadIsBounded(t *testing.T) {
	in := newInput(endless{})
	eventually(t, "the buffer is full", func() bool { in.mu.Lock(); defer in.mu.Unlock(); return len(in.waiting) >= maxWaiting })
	time.Sleep(20 * time.Millisecond)
	in.mu.Lock()
	n := len(in.waiting)
	in.mu.Unlock()
	if n > maxWaiting+4096 {
		t.Errorf("%d bytes wait", n)
	}
	in.close()
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }
