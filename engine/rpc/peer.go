package rpc

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"

	"decenter/engine/api"
)

// Times and bounds of requests of other satellites.
const (
	bodyWait   = 10 * time.Second // for all of a request's body
	stillEvery = 2 * time.Second  // an open stream's session is looked at
	maxReading = 64               // bodies that are being read, of one satellite: 16 MiB
)

// Request is what is known of a request before anything of it is believed.
type Request struct {
	Proof  string            // the header field Decenter-Proof
	From   ed25519.PublicKey // what the asking satellite proved to hold, by TLS
	Method string            // of the api; of Console: "Console", a blank, and the VM's name or id
	Body   [sha256.Size]byte // SHA-256 of the request's body; of Console: of nothing
}

// Entry is what an authenticated request gets.
type Entry struct {
	Service api.Service
	// Still is asked every two seconds while a stream goes on; an error ends the stream with it. Nil: never.
	Still func() error
}

// Authenticate tells what a request may use, or an *api.Error. It is called once for each request.
type Authenticate func(Request) (Entry, error)

// NewPeerHandler serves the api to other satellites over TLS: every request is authenticated before any of its body is
// decoded.
func NewPeerHandler(authenticate Authenticate) http.Handler {
	return &peerHandler{authenticate: authenticate, methods: methods(), errors: connect.NewErrorWriter(options()...),
		bodyWait: bodyWait, stillEvery: stillEvery, reading: map[string]int{}}
}

// PeerPattern is where a NewPeerHandler belongs in a mux with other handlers.
const PeerPattern = service

type peerHandler struct {
	authenticate Authenticate
	methods      map[string]func(api.Service) http.Handler
	errors       *connect.ErrorWriter
	bodyWait     time.Duration
	stillEvery   time.Duration

	mu      sync.Mutex     // guards reading
	reading map[string]int // bodies that are being read, by satellite's key
}

func (h *peerHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := strings.TrimPrefix(r.URL.Path, service)
	of, known := h.methods[method]
	var entry Entry
	var body []byte
	var err error
	if !known {
		err = &api.Error{Code: api.CodeInvalid, Message: "this satellite does not know such a request", Hint: "is its version older? `satellites` tells"}
	} else {
		entry, body, err = h.enter(w, r, method)
	}
	if err != nil {
		_ = h.errors.Write(w, r, toWire(r.Context(), err))
		return
	}
	if !streams(method) {
		r.Body = io.NopCloser(bytes.NewReader(body))
		of(entry.Service).ServeHTTP(w, r)
		return
	}
	ctx, end := context.WithCancelCause(r.Context())
	defer end(nil)
	r = r.WithContext(ctx)
	if method != "Console" {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	if entry.Still != nil {
		go watch(ctx, end, entry.Still, h.stillEvery)
	}
	of(entry.Service).ServeHTTP(w, r)
}

func streams(method string) bool { return method == "Events" || method == "Console" }

// enter reads the body, as far as it is signed, and authenticates the request.
func (h *peerHandler) enter(w http.ResponseWriter, r *http.Request, method string) (Entry, []byte, error) {
	kind := "application/json"
	if streams(method) {
		kind = "application/connect+json"
	}
	// The other protocols that the library speaks are nothing that a satellite asks in.
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != kind {
		return Entry{}, nil, &api.Error{Code: api.CodeInvalid, Message: "the request is not in the form that satellites speak", Hint: "it is a POST of " + kind}
	}
	from, err := peerKey(r)
	if err != nil {
		return Entry{}, nil, err
	}
	q := Request{From: from, Method: method}
	if proofs := r.Header.Values(proofHeader); len(proofs) == 1 {
		q.Proof = proofs[0]
	}
	var body []byte
	if method == "Console" {
		object, err := objectOf(r.Header)
		if err != nil {
			return Entry{}, nil, err
		}
		q.Method = consoleMethod(object)
	} else if body, err = h.readBody(w, r, string(from)); err != nil {
		return Entry{}, nil, err
	}
	q.Body = sha256.Sum256(body)
	entry, err := h.authenticate(q)
	return entry, body, err
}

// peerKey is the key that the connection is pinned to.
func peerKey(r *http.Request) (ed25519.PublicKey, error) {
	if r.TLS != nil && len(r.TLS.PeerCertificates) == 1 {
		if key, ok := r.TLS.PeerCertificates[0].PublicKey.(ed25519.PublicKey); ok {
			return key, nil
		}
	}
	return nil, &api.Error{Code: api.CodeDenied, Message: "no satellite's key is behind this connection", Hint: "satellites talk over TLS with their own ed25519 keys"}
}

// readBody reads all of a body. Whoever sends slowly holds up to maxReading of them, and nobody else's.
func (h *peerHandler) readBody(w http.ResponseWriter, r *http.Request, from string) ([]byte, error) {
	const most = MaxRequest + envelope
	if !h.begin(from) {
		return nil, &api.Error{Code: api.CodeExhausted, Message: fmt.Sprintf("%d requests of this satellite are still being sent", maxReading), Hint: "try again in a moment"}
	}
	defer h.done(from)
	patience := http.NewResponseController(w)
	_ = patience.SetReadDeadline(time.Now().Add(h.bodyWait)) // every HTTP/2 stream has one
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, most))
	_ = patience.SetReadDeadline(time.Time{})
	long := (*http.MaxBytesError)(nil)
	switch {
	case errors.As(err, &long):
		return nil, api.Errorf(api.CodeInvalid, "the request has more than %d bytes", most)
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, api.Errorf(api.CodeUnavailable, "the request did not come within %s", h.bodyWait)
	case err != nil:
		return nil, &api.Error{Code: api.CodeUnavailable, Message: "read the request: " + err.Error()}
	}
	return body, nil
}

func (h *peerHandler) begin(from string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reading[from] >= maxReading {
		return false
	}
	h.reading[from]++
	return true
}

func (h *peerHandler) done(from string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reading[from]--; h.reading[from] == 0 {
		delete(h.reading, from)
	}
}

// watch ends a stream with its session, until ctx ends.
func watch(ctx context.Context, end context.CancelCauseFunc, still func() error, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := still(); err != nil {
				end(err)
				return
			}
		}
	}
}
