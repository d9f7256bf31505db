package sshd

import (
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// revokedAttacks are by who has the victim's SSH key, after the victim took back what the key may do. The flaw is a judge
// that knows of no revocation, or a server that does not watch.
func revokedAttacks() []attack {
	loggedIn := func(s *scene) []ssh.AuthMethod { return []ssh.AuthMethod{ssh.PublicKeys(papers(s.T, s.victim))} }
	return []attack{
		{
			name: "a certificate of a revoked key", judged: true, flaw: believing,
			try: func(s *scene) string {
				auth := loggedIn(s)
				s.w.revoke(s.victim.account, s.victim.signer.PublicKey())
				return s.as(s.victim.account.String(), auth...)
			},
		},
		{
			name: "a new session on the connection of a revoked key", judged: true, flaw: believing,
			set: func(_ *scene, c *Config) { c.Watch = nil },
			try: func(s *scene) string {
				client, _, err := s.w.dial(s.victim.account.String(), loggedIn(s)...)
				if err != nil {
					s.Fatal(err)
				}
				defer client.Close()
				if got := s.who(client); got != s.victim.account.String() {
					s.Fatalf("before: %q", got)
				}
				s.w.revoke(s.victim.account, s.victim.signer.PublicKey())
				return s.who(client)
			},
		},
		{
			name: "an open session of a revoked key", judged: true,
			flaw: func(_ *scene, c *Config) { c.Watch = nil },
			try: func(s *scene) string {
				client, _, err := s.w.dial(s.victim.account.String(), loggedIn(s)...)
				if err != nil {
					s.Fatal(err)
				}
				defer client.Close()
				start(s.T, client, "wait revoked")
				s.w.revoke(s.victim.account, s.victim.signer.PublicKey())
				over := make(chan struct{})
				go func() { _ = client.Wait(); close(over) }()
				select {
				case <-over:
					return ""
				case <-time.After(3 * time.Second):
					return s.victim.account.String()
				}
			},
		},
	}
}

// Whoever sits at a session that ends is told why; connections that still hold go on.
func TestARevokedKeysSessionsEndAndSayWhy(t *testing.T) {
	w := newWorld(t)
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	other := holder{h.secret, h.account, newSigner(t)} // the same account, another key
	stays := w.mustLogin(other)
	client, _, err := w.dial(h.account.String(), ssh.PublicKeys(papers(t, h)))
	if err != nil {
		t.Fatal(err)
	}
	idle := w.mustLogin(h) // no session: it ends as well
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	errOut, _ := session.StderrPipe()
	out, _ := session.StdoutPipe()
	if err := session.RequestPty("xterm", 24, 80, nil); err != nil {
		t.Fatal(err)
	}
	if err := session.Start("wait revoked"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("waiting"))); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	w.revoke(h.account, h.signer.PublicKey())
	said, _ := io.ReadAll(errOut)
	if !strings.Contains(string(said), "this connection ends: ") || !strings.Contains(string(said), "revoked") && !strings.Contains(string(said), "took") {
		t.Errorf("the terminal is told %q", said)
	}
	code := 0
	if e, ok := session.Wait().(*ssh.ExitError); ok {
		code = e.ExitStatus()
	}
	if code != api.ExitDenied {
		t.Errorf("exit %d", code)
	}
	_ = client.Wait()
	_ = idle.Wait()
	if took := time.Since(began); took > DefaultLimits().JudgeEvery/2 { // it is told, and not found out by and by
		t.Errorf("it took %v", took)
	}
	w.sawEnd(t, "revoked")
	if out, _, _ := output(t, stays, "whoami"); out == "" {
		t.Error("a connection of another key ended, too")
	}
}

// What ends by the clock ends without anybody's telling.
func TestALoginEndsByTheClock(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Limits.JudgeEvery = 50 * time.Millisecond })
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	client, _, err := w.dial(h.account.String(), ssh.PublicKeys(papers(t, h)))
	if err != nil {
		t.Fatal(err)
	}
	start(t, client, "wait clock")
	time.Sleep(200 * time.Millisecond)
	select {
	case <-w.ended:
		t.Fatal("control: it ends before its time")
	default:
	}
	w.shift(2 * time.Hour)
	w.sawEnd(t, "clock")
	_ = client.Wait()
}

// A watch whose channel closes with each change is watched anew.
func TestAWatchMayClose(t *testing.T) {
	var w *world
	watches := make(chan chan struct{}, 8)
	w = newWorld(t, func(c *Config) {
		c.Watch = func() (<-chan struct{}, func()) {
			ch := make(chan struct{})
			watches <- ch
			return ch, func() {}
		}
	})
	h := newHolder(t, keys.P2WPKH)
	w.allow(h.account)
	for range 2 {
		client := w.mustLogin(h)
		w.mu.Lock()
		w.allowed[h.account.String()] = false
		w.mu.Unlock()
		close(<-watches)
		_ = client.Wait()
		w.allow(h.account)
	}
}
