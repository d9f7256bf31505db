package rpc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"connectrpc.com/connect"

	"decenter/engine/api"
)

// methods gives, for each method, its handler for one caller's service. Handlers are made anew for each request of another
// satellite: which service it may use then stands in no context that something could put another one into.
func methods() map[string]func(api.Service) http.Handler {
	return map[string]func(api.Service) http.Handler{
		"Hello":  unary("Hello", func(s api.Service, ctx context.Context, _ none) (api.Hello, error) { return s.Hello(ctx) }),
		"Search": unary("Search", api.Service.Search),
		"VM":     unary("VM", func(s api.Service, ctx context.Context, r ref) (api.VM, error) { return s.VM(ctx, r.Ref) }),
		"Create": unary("Create", api.Service.Create), "Control": unary("Control", api.Service.Control),
		"Delete": unary("Delete", api.Service.Delete), "Jobs": unary("Jobs", api.Service.Jobs),
		"Cancel": unary("Cancel", func(s api.Service, ctx context.Context, r ref) (api.Job, error) { return s.Cancel(ctx, r.Ref) }),
		"Satellites": unary("Satellites", func(s api.Service, ctx context.Context, _ none) (api.SatellitesReply, error) {
			return s.Satellites(ctx)
		}),
		"Tree":         unary("Tree", func(s api.Service, ctx context.Context, _ none) (api.Tree, error) { return s.Tree(ctx) }),
		"TreePriority": unary("TreePriority", api.Service.TreePriority),
		"Trust":        unary("Trust", func(s api.Service, ctx context.Context, _ none) (api.TrustReply, error) { return s.Trust(ctx) }),
		"Propose":      unary("Propose", api.Service.Propose), "Declare": unary("Declare", api.Service.Declare),
		"Audit": unary("Audit", api.Service.Audit), "Events": events, "Console": consoles,
	}
}

// NewHandler serves the api over HTTP to whoever can connect, as one caller's service.
func NewHandler(s api.Service) http.Handler {
	mux := http.NewServeMux()
	for method, of := range methods() {
		mux.Handle(service+method, of(s))
	}
	return mux
}

func options() []connect.HandlerOption {
	return []connect.HandlerOption{connect.WithCodec(codec{maxAsked}), connect.WithReadMaxBytes(MaxRequest)}
}

func unary[Req, Res any](method string, do func(api.Service, context.Context, Req) (Res, error)) func(api.Service) http.Handler {
	return func(s api.Service) http.Handler {
		return connect.NewUnaryHandler(service+method, func(ctx context.Context, r *connect.Request[Req]) (*connect.Response[Res], error) {
			out, err := do(s, ctx, *r.Msg)
			if err != nil {
				return nil, toWire(ctx, err)
			}
			return connect.NewResponse(&out), nil
		}, options()...)
	}
}

func events(s api.Service) http.Handler {
	return connect.NewServerStreamHandler(service+"Events",
		func(ctx context.Context, r *connect.Request[api.EventsRequest], out *connect.ServerStream[api.Event]) error {
			// The headers tell the client that the subscription stands, before anything happens.
			if err := out.Send(nil); err != nil {
				return err
			}
			return toWire(ctx, s.Events(ctx, *r.Msg, func(e api.Event) error { return out.Send(&e) }))
		}, options()...)
}

func consoles(s api.Service) http.Handler {
	return connect.NewBidiStreamHandler(service+"Console",
		func(ctx context.Context, b *connect.BidiStream[chunk, chunk]) error {
			return toWire(ctx, serveConsole(ctx, s, b))
		}, options()...)
}

// objectOf reads the header of the object.
func objectOf(h http.Header) (string, error) {
	values := h.Values(objectHeader)
	if len(values) == 1 {
		if name, err := url.PathUnescape(values[0]); err == nil && name != "" && len(name) <= maxObject {
			return name, nil
		}
	}
	return "", &api.Error{Code: api.CodeInvalid, Message: "the request does not say whose console to open", Hint: "give a VM's name or id"}
}

func serveConsole(ctx context.Context, s api.Service, b *connect.BidiStream[chunk, chunk]) error {
	vm, err := objectOf(b.RequestHeader())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	con, err := s.Console(ctx, vm)
	if err != nil {
		return err
	}
	defer con.Close()
	// A line whose session is over closes, whether or not the guest says anything.
	defer context.AfterFunc(ctx, func() { con.Close() })()
	// An empty chunk tells the client that the line is open.
	if err := b.Send(&chunk{}); err != nil {
		return err
	}
	// The input side ends when the client goes, which ends ctx and with it b.Receive. Why it ended before that is
	// what the client should hear; closing the line only makes the output side look up.
	input := make(chan error, 1)
	go func() {
		defer con.Close()
		for {
			c, err := b.Receive()
			if err != nil {
				return
			}
			if _, err := con.Write(c.Data); err != nil {
				input <- err
				return
			}
		}
	}()
	buf := make([]byte, chunkSize)
	for {
		n, err := con.Read(buf)
		if n > 0 {
			if err := b.Send(&chunk{Data: buf[:n]}); err != nil {
				return err
			}
		}
		if err == nil {
			continue
		}
		select {
		case err := <-input:
			return err
		default:
		}
		if e := (*api.Error)(nil); errors.As(context.Cause(ctx), &e) {
			return e
		}
		if errors.Is(err, io.EOF) || ctx.Err() != nil {
			return nil
		}
		return err
	}
}

// NewServer gives an HTTP/2 server with bounded patience for clients that say nothing; without TLS it speaks
// HTTP/2 with prior knowledge (RFC 9113 section 3.3).
func NewServer(h http.Handler) *http.Server {
	p := new(http.Protocols)
	p.SetHTTP2(true)
	p.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           h,
		Protocols:         p,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       5 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		HTTP2:             http2(),
	}
}

func http2() *http.HTTP2Config {
	return &http.HTTP2Config{MaxConcurrentStreams: 1024, SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second,
		WriteByteTimeout: 10 * time.Second}
}
