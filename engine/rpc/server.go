package rpc

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"connectrpc.com/connect"

	"decenter/engine/api"
)

// Open gives the service as one account sees it. account is what the client's header says: only a listener
// whose clients were authenticated may believe it.
type Open func(account string) (api.Service, error)

// NewHandler serves the api over HTTP.
func NewHandler(open Open) http.Handler {
	mux := http.NewServeMux()
	unary(mux, open, "Hello", func(ctx context.Context, s api.Service, _ *none) (api.Hello, error) { return s.Hello(ctx) })
	unary(mux, open, "Search", func(ctx context.Context, s api.Service, q *api.Query) (api.SearchReply, error) {
		return s.Search(ctx, *q)
	})
	unary(mux, open, "VM", func(ctx context.Context, s api.Service, r *ref) (api.VM, error) { return s.VM(ctx, r.Ref) })
	unary(mux, open, "Create", func(ctx context.Context, s api.Service, r *api.CreateRequest) (api.Job, error) {
		return s.Create(ctx, *r)
	})
	unary(mux, open, "Control", func(ctx context.Context, s api.Service, r *api.ControlRequest) (api.Job, error) {
		return s.Control(ctx, *r)
	})
	unary(mux, open, "Delete", func(ctx context.Context, s api.Service, r *api.DeleteRequest) (api.Job, error) {
		return s.Delete(ctx, *r)
	})
	unary(mux, open, "Jobs", func(ctx context.Context, s api.Service, r *api.JobsRequest) (api.JobsReply, error) {
		return s.Jobs(ctx, *r)
	})
	unary(mux, open, "Cancel", func(ctx context.Context, s api.Service, r *ref) (api.Job, error) { return s.Cancel(ctx, r.Ref) })
	unary(mux, open, "Satellites", func(ctx context.Context, s api.Service, _ *none) (api.SatellitesReply, error) {
		return s.Satellites(ctx)
	})
	unary(mux, open, "Tree", func(ctx context.Context, s api.Service, _ *none) (api.Tree, error) { return s.Tree(ctx) })
	unary(mux, open, "Trust", func(ctx context.Context, s api.Service, _ *none) (api.TrustReply, error) { return s.Trust(ctx) })
	unary(mux, open, "Propose", func(ctx context.Context, s api.Service, r *api.ProposeRequest) (api.Proposal, error) {
		return s.Propose(ctx, *r)
	})
	unary(mux, open, "Declare", func(ctx context.Context, s api.Service, r *api.Signed) (api.Statement, error) {
		return s.Declare(ctx, *r)
	})
	unary(mux, open, "Audit", func(ctx context.Context, s api.Service, r *api.AuditRequest) (api.AuditReply, error) {
		return s.Audit(ctx, *r)
	})
	mux.Handle(service+"Events", connect.NewServerStreamHandler(service+"Events",
		func(ctx context.Context, r *connect.Request[api.EventsRequest], out *connect.ServerStream[api.Event]) error {
			s, err := open(r.Header().Get(accountHeader))
			if err != nil {
				return toWire(ctx, err)
			}
			// The headers tell the client that the subscription stands, before anything happens.
			if err := out.Send(nil); err != nil {
				return err
			}
			return toWire(ctx, s.Events(ctx, *r.Msg, func(e api.Event) error { return out.Send(&e) }))
		}, options()...))
	mux.Handle(service+"Console", connect.NewBidiStreamHandler(service+"Console",
		func(ctx context.Context, b *connect.BidiStream[chunk, chunk]) error {
			return toWire(ctx, serveConsole(ctx, open, b))
		}, options()...))
	return mux
}

func options() []connect.HandlerOption {
	return []connect.HandlerOption{connect.WithCodec(codec{}), connect.WithReadMaxBytes(MaxRequest)}
}

func unary[Req, Res any](mux *http.ServeMux, open Open, method string, do func(context.Context, api.Service, *Req) (Res, error)) {
	mux.Handle(service+method, connect.NewUnaryHandler(service+method,
		func(ctx context.Context, r *connect.Request[Req]) (*connect.Response[Res], error) {
			s, err := open(r.Header().Get(accountHeader))
			if err != nil {
				return nil, toWire(ctx, err)
			}
			out, err := do(ctx, s, r.Msg)
			if err != nil {
				return nil, toWire(ctx, err)
			}
			return connect.NewResponse(&out), nil
		}, options()...))
}

func serveConsole(ctx context.Context, open Open, b *connect.BidiStream[chunk, chunk]) error {
	first, err := b.Receive()
	if err != nil {
		return err
	}
	s, err := open(b.RequestHeader().Get(accountHeader))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	con, err := s.Console(ctx, first.Open)
	if err != nil {
		return err
	}
	defer con.Close()
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
