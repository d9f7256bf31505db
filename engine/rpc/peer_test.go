package rpc

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/engine/api/apitest"
	"decenter/engine/identity"
	"decenter/engine/proof"
	"decenter/keys"
	"decenter/keys/statement"
)

// peer is a satellite that answers another one, over TLS with both keys pinned, and asks it for proofs.
type peer struct {
	*apitest.Constellation
	id     *identity.Identity
	signer proof.Signer
	addr   string
	asked  atomic.Int32          // requests that reached the service
	ended  atomic.Pointer[error] // what Still tells
	naive  atomic.Bool           // believes everyone: the negative control
}

type counted struct {
	api.Service
	n *atomic.Int32
}

func (c counted) Delete(ctx context.Context, r api.DeleteRequest) (api.Job, error) {
	c.n.Add(1)
	return c.Service.Delete(ctx, r)
}

func (c counted) Control(ctx context.Context, r api.ControlRequest) (api.Job, error) {
	c.n.Add(1)
	return c.Service.Control(ctx, r)
}

func (c counted) Console(ctx context.Context, vm string) (io.ReadWriteCloser, error) {
	c.n.Add(1)
	return c.Service.Console(ctx, vm)
}

type nothingRevoked struct{}

func (nothingRevoked) Revoked(keys.Address, keys.Fingerprint, time.Time) (statement.Revocation, bool) {
	return statement.Revocation{}, false
}

func newPeer(t testing.TB) *peer {
	t.Helper()
	p := &peer{Constellation: apitest.New(), id: newID(t)}
	t.Cleanup(p.Close)
	p.signer = signerOf(t, p.id)
	verifier := proof.NewVerifier(p.signer.Self(), proof.NewJudge(keys.Mainnet), time.Now())
	h := NewPeerHandler(func(q Request) (Entry, error) {
		s, _, err := verifier.Verify([]byte(q.Proof), q.From, q.Method, q.Body, nothingRevoked{}, time.Now())
		if err != nil && !p.naive.Load() {
			return Entry{}, err
		}
		account := s.Account.String()
		if account == "" {
			account = "bc1qanyone"
		}
		return Entry{counted{p.As(account, "s2"), &p.asked}, func() error {
			if e := p.ended.Load(); e != nil {
				return *e
			}
			return nil
		}}, nil
	}).(*peerHandler)
	h.stillEvery, h.bodyWait = 20*time.Millisecond, 3*time.Second
	config, err := p.id.TLS(func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.addr = l.Addr().String()
	s := NewServer(h)
	go func() { _ = s.Serve(NewTLSListener(l, config, PeerLimits(), nil)) }()
	t.Cleanup(func() { _ = s.Close() })
	return p
}

func newID(t testing.TB) *identity.Identity {
	t.Helper()
	id, err := identity.LoadOrCreate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func signerOf(t testing.TB, id *identity.Identity) proof.Signer {
	t.Helper()
	s, err := proof.NewSigner(id.Key(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// login is what a satellite holds of an account that logged in there.
func login(t testing.TB, at keys.Fingerprint) (string, api.Proof) {
	t.Helper()
	key, err := keys.NewPrivateKey(bytes.NewReader(bytes.Repeat([]byte{1}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	account := key.Address(keys.Mainnet, keys.P2WPKH)
	ssh := keys.Fingerprint{1}
	line := keys.Challenge{Satellite: at, Account: account, Key: ssh, Expires: time.Now().UTC().Truncate(time.Second).Add(time.Minute)}.String()
	signature, err := key.Sign(account, line)
	if err != nil {
		t.Fatal(err)
	}
	return account.String(), api.Proof{Line: line, Signature: signature, Key: ssh.String()}
}

// asks signs with the satellite's real key for whoever logged in at it.
type asks struct {
	proof.Signer
	p  api.Proof
	to keys.Fingerprint
}

func (a asks) Header(method string, body [32]byte) (string, error) {
	text, err := a.Append(nil, a.p, a.to, method, body, time.Now())
	return string(text), err
}

// from gives the peer as another satellite asks it, and the account that is logged in there.
func (p *peer) from(t testing.TB, id *identity.Identity) (string, *Client) {
	t.Helper()
	config, err := id.TLS(func(have string) bool { return have == p.id.Fingerprint() })
	if err != nil {
		t.Fatal(err)
	}
	s := signerOf(t, id)
	account, shown := login(t, s.Self())
	c := DialTLS(p.addr, config).For(asks{s, shown, p.signer.Self()})
	t.Cleanup(c.Close)
	return account, c
}

// TestEveryRequestTravelsBetweenSatellites asks both ways for the same, and each must be told the same.
func TestEveryRequestTravelsBetweenSatellites(t *testing.T) {
	p := newPeer(t)
	account, remote := p.from(t, newID(t))
	here := p.As(account, "s2")
	p.AddVM(api.VM{Name: "web-1", Satellite: "s2", Owner: account})
	p.SetOwners(account)
	p.FailCall("Tree", &api.Error{Code: api.CodeConflict, Message: "no tree", Hint: "plant one", Column: 3})
	ctx := t.Context()
	line := "decenter admit 1 in home as " + account + " satellite " + apitest.Fingerprint("s9") + " at 2026-01-02T15:04:05Z"
	for name, ask := range map[string]func(api.Service) (any, error){
		"Hello":      func(s api.Service) (any, error) { return s.Hello(ctx) },
		"VM":         func(s api.Service) (any, error) { return s.VM(ctx, "web-1") },
		"Satellites": func(s api.Service) (any, error) { return s.Satellites(ctx) },
		"Tree":       func(s api.Service) (any, error) { return s.Tree(ctx) },
		"Declare":    func(s api.Service) (any, error) { return s.Declare(ctx, api.Signed{Line: line, Signature: "any"}) },
		"Trust":      func(s api.Service) (any, error) { return s.Trust(ctx) },
		"Propose": func(s api.Service) (any, error) {
			r, err := s.Propose(ctx, api.ProposeRequest{Kind: api.StatementRevoke, Key: apitest.Fingerprint("laptop")})
			r.Line, _, _ = strings.Cut(r.Line, " at ") // the time moves
			return r, err
		},
		"Audit": func(s api.Service) (any, error) {
			r, err := s.Audit(ctx, api.AuditRequest{Verify: true})
			return len(r.Entries) > 0 && len(r.Chains) > 0, err
		},
		"Delete": func(s api.Service) (any, error) {
			return s.Delete(ctx, api.DeleteRequest{VM: "web-1", Confirm: "web-2"})
		},
		"Cancel": func(s api.Service) (any, error) { return s.Cancel(ctx, "12345678") },
		"Jobs":   func(s api.Service) (any, error) { return s.Jobs(ctx, api.JobsRequest{}) },
	} {
		want, wantErr := ask(here)
		got, gotErr := ask(remote)
		if !reflect.DeepEqual(got, want) || !sameError(gotErr, wantErr) {
			t.Errorf("%s: here %+v, %v; from elsewhere %+v, %v", name, want, wantErr, got, gotErr)
		}
	}
	con, err := remote.Console(ctx, "web-1")
	if err != nil {
		t.Fatal(err)
	}
	defer con.Close()
	if _, err := io.WriteString(con, "echo hello\r"); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	for buf := make([]byte, 100); !bytes.Contains(seen.Bytes(), []byte("echo hello")); {
		n, err := con.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(buf[:n])
	}
	job, err := remote.Control(ctx, api.ControlRequest{VM: "web-1", Act: api.ActPause})
	if err != nil || job.Account != account {
		t.Errorf("control: %+v, %v", job, err)
	}
	var last api.Job
	if err := remote.Events(ctx, api.EventsRequest{Job: job.ID}, func(e api.Event) error { last = *e.Job; return nil }); err != nil || !last.State.Over() {
		t.Errorf("events: %+v, %v", last, err)
	}
	if _, err := remote.Console(ctx, "web/ü %2F"); api.CodeOf(err) != api.CodeNotFound || !strings.Contains(err.Error(), "web/ü %2F") {
		t.Errorf("a name of other letters: %v", err)
	}
}

func sameError(a, b error) bool {
	var x, y *api.Error
	return a == nil && b == nil || errors.As(a, &x) && errors.As(b, &y) && *x == *y
}

// middle changes requests after they were signed: what a hostile hand between client and server could do.
type middle struct {
	http.RoundTripper
	change func(*http.Request)
}

func (m middle) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	m.change(r)
	return m.RoundTripper.RoundTrip(r)
}

func TestARequestThatIsChangedOnItsWayIsRefused(t *testing.T) {
	var kept string
	vm2 := `{"vm":"web-2","confirm":"web-2"}`
	for _, c := range []struct {
		name   string
		change func(*http.Request)
	}{
		{"another body", func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(vm2)), int64(len(vm2))
		}},
		{"another method", func(r *http.Request) { r.URL = &url.URL{Scheme: "https", Host: "satellite", Path: service + "Control"} }},
		{"another VM's console", func(r *http.Request) { r.Header.Set(objectHeader, "web-2") }},
		{"no proof", func(r *http.Request) { r.Header.Del(proofHeader) }},
		{"two proofs", func(r *http.Request) { r.Header.Add(proofHeader, r.Header.Get(proofHeader)) }},
		{"somebody's account in clear", func(r *http.Request) {
			r.Header.Del(proofHeader)
			r.Header.Set("Decenter-Account", "bc1qalice")
		}},
		{"the proof of another request", func(r *http.Request) {
			if kept == "" {
				kept = r.Header.Get(proofHeader)
			}
			r.Header.Set(proofHeader, kept)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t)
			account, client := p.from(t, newID(t))
			for _, name := range []string{"web-1", "web-2", "web-3"} {
				p.AddVM(api.VM{Name: name, Satellite: "s2", Owner: account})
			}
			kept = ""
			s := client.http.Transport.(signing)
			client.http.Transport = signing{middle{s.to, c.change}, s.asker}
			ask := func() error {
				if c.name == "another VM's console" {
					con, err := client.Console(t.Context(), "web-1")
					if err == nil {
						con.Close()
					}
					return err
				}
				if c.name == "the proof of another request" {
					_, _ = client.Delete(t.Context(), api.DeleteRequest{VM: "web-3", Confirm: "web-3"})
					p.asked.Store(0)
				}
				_, err := client.Delete(t.Context(), api.DeleteRequest{VM: "web-1", Confirm: "web-1"})
				return err
			}
			err := ask()
			var e *api.Error
			if !errors.As(err, &e) || e.Code != api.CodeDenied || e.Hint == "" || p.asked.Load() != 0 {
				t.Errorf("refused with %#v; %d requests reached the service", err, p.asked.Load())
			} else {
				t.Log(err)
			}
			p.naive.Store(true)
			if _ = ask(); p.asked.Load() == 0 {
				t.Error("something else stops it, too")
			}
		})
	}
}

// TestTheRefusalComesBeforeTheBodyIsRead: strangers' JSON is not decoded, and a long or slow body ends by itself.
func TestTheRefusalComesBeforeTheBodyIsRead(t *testing.T) {
	p := newPeer(t)
	_, client := p.from(t, newID(t))
	post := func(method, kind string, body io.Reader) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://satellite"+service+method, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		res, err := client.transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res
	}
	for _, c := range []struct {
		name, method, kind string
		body               string
		status             int
		says               string
	}{
		{"what is no JSON", "Search", "application/json", "{{{", http.StatusForbidden, "carries no proof"},
		{"what is too long", "Search", "application/json", strings.Repeat("x", MaxRequest+100), http.StatusBadRequest, "more than"},
		{"another protocol", "Search", "application/grpc+json", "", 0, ""},
		{"another protocol for browsers", "Search", "application/grpc-web+json", "", 0, ""},
		{"another codec", "Search", "application/proto", "", http.StatusBadRequest, "form that satellites speak"},
		{"an unknown method", "Format", "application/json", "", http.StatusBadRequest, "does not know"},
		{"a console of nothing", "Console", "application/connect+json", "", http.StatusOK, ""},
	} {
		res := post(c.method, c.kind, strings.NewReader(c.body))
		text, _ := url.PathUnescape(res.Header.Get(errorHeader))
		if c.status != 0 && res.StatusCode != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: %d, %q", c.name, res.StatusCode, text)
		}
	}
	if p.asked.Load() != 0 {
		t.Error("something reached the service")
	}
}

// TestSlowBodiesEnd: they are bounded for each satellite, and while they last another one is answered.
func TestSlowBodiesEnd(t *testing.T) {
	p := newPeer(t)
	_, slow := p.from(t, newID(t))
	_, other := p.from(t, newID(t))
	type answer struct {
		status int
		text   string
	}
	answers := make(chan answer, maxReading)
	post := func(body io.Reader) answer {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://satellite"+service+"Search", body)
		if err != nil {
			return answer{text: err.Error()}
		}
		r.Header.Set("Content-Type", "application/json")
		res, err := slow.transport.RoundTrip(r)
		if err != nil {
			return answer{text: err.Error()}
		}
		res.Body.Close()
		text, _ := url.PathUnescape(res.Header.Get(errorHeader))
		return answer{res.StatusCode, text}
	}
	if _, err := slow.Hello(t.Context()); err != nil { // so that one connection serves all
		t.Fatal(err)
	}
	began := time.Now()
	for range maxReading {
		body, w := io.Pipe()
		t.Cleanup(func() { w.Close() })
		go func() { answers <- post(body) }()
	}
	for busy := (answer{}); !strings.Contains(busy.text, "still being sent"); busy = post(strings.NewReader("{}")) {
		if time.Since(began) > 2900*time.Millisecond {
			t.Fatalf("one more than %d is taken: %+v", maxReading, busy)
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, err := other.Hello(t.Context()); err != nil || time.Since(began) > 2900*time.Millisecond {
		t.Errorf("another satellite, after %v: %v", time.Since(began), err)
	}
	for range maxReading {
		if a := <-answers; a.status != http.StatusServiceUnavailable || !strings.Contains(a.text, "did not come within") {
			t.Fatalf("%+v", a)
		}
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("they ended after %v", took)
	}
	if _, err := slow.Hello(t.Context()); err != nil {
		t.Errorf("once they ended: %v", err)
	}
}

// TestWhatIsRefusedHereIsNotSent: the asker's own error comes back whole.
func TestWhatIsRefusedHereIsNotSent(t *testing.T) {
	p := newPeer(t)
	_, client := p.from(t, newID(t))
	root := client.For(asks{client.http.Transport.(signing).asker.(asks).Signer, api.Proof{}, p.signer.Self()})
	_, err := root.Hello(t.Context())
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeDenied || e.Hint == "" {
		t.Errorf("a unary request: %#v", err)
	}
	if err := root.Events(t.Context(), api.EventsRequest{}, nil); api.CodeOf(err) != api.CodeDenied {
		t.Errorf("events: %v", err)
	}
	if _, err := root.Console(t.Context(), "web-1"); api.CodeOf(err) != api.CodeDenied {
		t.Errorf("a console: %v", err)
	}
	if _, err := client.Search(t.Context(), api.Query{Words: []string{strings.Repeat("x", MaxRequest)}}); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("a huge one: %v", err)
	}
}

func TestOpenStreamsEndWithTheirSession(t *testing.T) {
	p := newPeer(t)
	account, client := p.from(t, newID(t))
	p.AddVM(api.VM{Name: "web-1", Satellite: "s2", Owner: account})
	con, err := client.Console(t.Context(), "web-1")
	if err != nil {
		t.Fatal(err)
	}
	defer con.Close()
	console, events := make(chan error, 1), make(chan error, 1)
	go func() {
		for buf := make([]byte, 100); ; {
			if _, err := con.Read(buf); err != nil {
				console <- err
				return
			}
		}
	}()
	go func() {
		events <- client.Events(t.Context(), api.EventsRequest{}, func(api.Event) error { return nil })
	}()
	select {
	case err := <-console:
		t.Fatalf("the console ended by itself: %v", err)
	case err := <-events:
		t.Fatalf("the events ended by themselves: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	over := error(&api.Error{Code: api.CodeDenied, Message: "the key was revoked", Hint: "log in again"})
	p.ended.Store(&over)
	for name, end := range map[string]chan error{"console": console, "events": events} {
		select {
		case err := <-end:
			if !sameError(err, over) {
				t.Errorf("the %s ended with %#v", name, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("the %s goes on", name)
		}
	}
}

// TestSatellitesPinEachOther: TLS keeps out who is not admitted, before any request.
func TestSatellitesPinEachOther(t *testing.T) {
	p := newPeer(t)
	other, stranger := newID(t), newID(t)
	config, err := stranger.TLS(func(have string) bool { return have == other.Fingerprint() })
	if err != nil {
		t.Fatal(err)
	}
	s := signerOf(t, stranger)
	_, shown := login(t, s.Self())
	c := DialTLS(p.addr, config).For(asks{s, shown, p.signer.Self()})
	if _, err := c.Hello(t.Context()); api.CodeOf(err) != api.CodeUnavailable {
		t.Errorf("a satellite with another key was believed: %v", err)
	}
	if _, err := DialTLS(p.addr, config).Hello(t.Context()); api.CodeOf(err) != api.CodeUnavailable {
		t.Errorf("and without a proof: %v", err)
	}
}
