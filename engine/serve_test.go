package engine

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"decenter/engine/identity"
	"decenter/engine/rpc"
)

// onlooker is an Exchange to which one satellite alone is a member.
type onlooker struct{ member *identity.Identity }

func (onlooker) Run(ctx context.Context) error                                 { <-ctx.Done(); return nil }
func (onlooker) Introduce(context.Context, []netip.Addr) (joined []netip.Addr) { return nil }
func (onlooker) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "the exchange") })
}
func (o onlooker) Member(state tls.ConnectionState) bool {
	id, err := identity.PeerID(state)
	return err == nil && id == o.member.Fingerprint()
}

// scroll is what was written, by whoever.
type scroll struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *scroll) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *scroll) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// TestStrangersReachTheExchangeAndNotTheTerminal: strangers have few connections and members many, and what the server has to
// say of those who speak no HTTP goes to the engine's log.
func TestStrangersReachTheExchangeAndNotTheTerminal(t *testing.T) {
	made := func() *identity.Identity {
		id, err := identity.LoadOrCreate(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	id, friend, other := made(), made(), made()
	var logged, terminal scroll
	before := log.Writer()
	log.SetOutput(&terminal) // where a server without a log of its own writes
	t.Cleanup(func() { log.SetOutput(before) })
	e := &Engine{cfg: Config{Trust: Trust{Exchange: onlooker{friend}},
		Log: slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))}}
	config, err := id.ListenTLS()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	background(t, func(ctx context.Context) error { return e.ServePeers(ctx, l, config) })
	dial := func(who *identity.Identity) *tls.Conn {
		t.Helper()
		c, err := who.ListenTLS()
		if err != nil {
			t.Fatal(err)
		}
		c.NextProtos = []string{"h2"}
		conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", l.Addr().String(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}

	proto := new(http.Protocols)
	proto.SetHTTP2(true)
	own, err := other.ListenTLS()
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{Protocols: proto, TLSClientConfig: own}}
	t.Cleanup(web.CloseIdleConnections)
	res, err := web.Get("https://" + l.Addr().String() + ExchangePattern + "Exchange")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(res.Body)
	res.Body.Close()
	if string(text) != "the exchange" {
		t.Errorf("a stranger is answered %q", text)
	}

	for who, want := range map[*identity.Identity]int{other: rpc.PeerLimits().StrangersPerSource, friend: 12} {
		var open []*tls.Conn
		for range 12 {
			open = append(open, dial(who))
		}
		here := 0
		for _, c := range open {
			_ = c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
				here++
			}
		}
		if here != want {
			t.Errorf("%d connections are held, not %d", here, want)
		}
	}

	if _, err := io.WriteString(dial(other), strings.Repeat("no preface of HTTP/2\n", 4)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the log tells", func() bool { return strings.Contains(logged.String(), "level=DEBUG") })
	if said := terminal.String(); said != "" {
		t.Errorf("on the terminal: %s", said)
	}
}
