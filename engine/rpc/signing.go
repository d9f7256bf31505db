package rpc

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net/http"
	"net/url"
	"strings"

	"decenter/engine/api"
)

// Asker signs the requests of one caller to one satellite. It is safe for concurrent use.
type Asker interface {
	// Header gives the field Decenter-Proof for a request of that method, whose body has that SHA-256. An error is the
	// request's, and nothing is sent.
	Header(method string, body [sha256.Size]byte) (string, error)
}

// signing is a transport whose requests are signed.
type signing struct {
	to    http.RoundTripper
	asker Asker
}

// RoundTrip is of http.RoundTripper.
func (s signing) RoundTrip(r *http.Request) (*http.Response, error) {
	method := strings.TrimPrefix(r.URL.Path, service)
	out := r.Clone(r.Context())
	var body []byte
	switch {
	case method == "Console": // its body comes as it is typed
		name, err := url.PathUnescape(r.Header.Get(objectHeader))
		if err != nil {
			r.Body.Close()
			return nil, err
		}
		method = consoleMethod(name)
	case r.Body != nil:
		var err error
		body, err = io.ReadAll(io.LimitReader(r.Body, MaxRequest+envelope+1))
		r.Body.Close()
		if err != nil {
			return nil, err
		}
		if len(body) > MaxRequest+envelope {
			return nil, &api.Error{Code: api.CodeInvalid, Message: "the request is too long", Hint: "a satellite takes 256 KiB"}
		}
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	field, err := s.asker.Header(method, sha256.Sum256(body))
	if err != nil {
		if out.Body != nil {
			out.Body.Close()
		}
		return nil, err
	}
	out.Header.Set(proofHeader, field)
	return s.to.RoundTrip(out)
}

// envelope is what Connect puts before a message of a stream: a byte of flags and the length.
const envelope = 5

func consoleMethod(object string) string { return "Console " + object }
