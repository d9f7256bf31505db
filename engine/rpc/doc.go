// Package rpc carries engine/api between processes: the Connect protocol (connectrpc.com) over HTTP/2, on a
// unix socket without TLS and between satellites with TLS 1.3. Messages are the api's own types as JSON
// (RFC 8259); there is no second schema to keep.
//
//	POST /decenter.v1.Constellation/METHOD
//	Content-Type: application/json           (unary)
//	              application/connect+json   (Events: server stream; Console: both ways)
//	Decenter-Proof: who asks                 (between satellites only: package engine/proof)
//	Decenter-Object: the VM's name or id     (Console only; percent-encoded)
//
// An *api.Error travels whole in the header or trailer Decenter-Error, as percent-encoded JSON beside Connect's own code, so
// that hint and column reach the person who typed.
//
// # Who asks
//
// The unix socket is root's, and its handler serves one Service. Between satellites each request, stream or not, is signed
// (Asker) over its method and the SHA-256 of its body as it is on the wire, and authenticated (Authenticate) before any of
// the body is decoded. Console is authenticated before its body comes: what is signed in its place is the empty body, and
// the method "Console" followed by a blank and the object. A stream is looked at again every few seconds, and
// ended when its session is.
//
// # Bounds
//
// A request is at most MaxRequest bytes and a reply MaxMessage. JSON of a few bytes decodes to a struct of hundreds, so
// the objects and array elements of a message are counted before it is decoded, too: see budget. Connections whose TLS
// handshake is under way, and those of strangers, are bounded for each address, and all together: see NewTLSListener.
//
// Console's messages are chunks of bytes, at most 32 KiB each. The first from the server is empty: the line is open.
package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"syscall"

	"connectrpc.com/connect"

	"decenter/engine/api"
)

// The bounds of one message, in bytes: a reply may be a whole satellite's things, a request is what somebody typed.
// api.MaxItems VMs with two disks, two network cards and eight addresses each take 11 MiB; api.MaxStatements 9 MiB.
const (
	MaxMessage = 16 << 20
	MaxRequest = 256 << 10
)

const (
	service      = "/decenter.v1.Constellation/"
	proofHeader  = "Decenter-Proof"
	objectHeader = "Decenter-Object"
	errorHeader  = "Decenter-Error"
	chunkSize    = 32 << 10
	maxObject    = 256 // bytes of a VM's name or id
)

// none is the request of a method without one, and the reply likewise.
type none struct{}

type ref struct {
	Ref string `json:"ref"`
}

type chunk struct {
	Data []byte `json:"data,omitempty"`
}

var codes = map[api.Code]connect.Code{
	api.CodeInvalid:     connect.CodeInvalidArgument,
	api.CodeNotFound:    connect.CodeNotFound,
	api.CodeAmbiguous:   connect.CodeFailedPrecondition,
	api.CodeExists:      connect.CodeAlreadyExists,
	api.CodeConflict:    connect.CodeFailedPrecondition,
	api.CodeDenied:      connect.CodePermissionDenied,
	api.CodeUnavailable: connect.CodeUnavailable,
	api.CodeCancelled:   connect.CodeCanceled,
	api.CodeExhausted:   connect.CodeResourceExhausted,
	api.CodeFailed:      connect.CodeInternal,
}

// toWire makes any error one that the other end can read. Where the server ended the request it tells why.
func toWire(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var e *api.Error
	if errors.Is(err, context.Canceled) || api.CodeOf(err) == api.CodeCancelled {
		_ = errors.As(context.Cause(ctx), &e)
	}
	if e == nil && !errors.As(err, &e) {
		e = &api.Error{Code: api.CodeOf(err), Message: err.Error()}
	}
	code, known := codes[e.Code]
	if !known { // another satellite's
		code = connect.CodeInternal
	}
	out := connect.NewError(code, errors.New(e.Message))
	if text, err := json.Marshal(e); err == nil {
		out.Meta().Set(errorHeader, url.PathEscape(string(text)))
	}
	return out
}

// fromWire is its inverse; what the transport itself failed with becomes an *api.Error too.
func fromWire(err error) error {
	if err == nil {
		return nil
	}
	var c *connect.Error
	if !errors.As(err, &c) {
		return err
	}
	if own := (*api.Error)(nil); errors.As(err, &own) { // ours, from before the request was sent
		return own
	}
	if text, bad := url.PathUnescape(c.Meta().Get(errorHeader)); bad == nil && text != "" {
		e := &api.Error{}
		if json.Unmarshal([]byte(text), e) == nil && e.Message != "" {
			return e
		}
	}
	code := api.CodeFailed
	switch c.Code() {
	case connect.CodeCanceled:
		code = api.CodeCancelled
	case connect.CodeUnavailable, connect.CodeDeadlineExceeded, connect.CodeUnknown:
		code = api.CodeUnavailable
	case connect.CodePermissionDenied, connect.CodeUnauthenticated:
		code = api.CodeDenied
	}
	if errors.Is(c, io.ErrUnexpectedEOF) || errors.Is(c, io.EOF) || errors.Is(c, syscall.ECONNRESET) {
		return &api.Error{Code: api.CodeUnavailable, Message: "the satellite that was asked went away before it answered", Hint: "`jobs` tells whether it began"}
	}
	return &api.Error{Code: code, Message: c.Message()}
}
