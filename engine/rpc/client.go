package rpc

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"connectrpc.com/connect"

	"decenter/engine/api"
)

// Client is a Service in another process.
type Client struct {
	http      *http.Client
	transport *http.Transport
	base      string
}

var _ api.Service = (*Client)(nil)

const dialWait = 2 * time.Second

// DialUnix gives the engine behind a unix socket. Nothing is sent yet.
func DialUnix(path string) *Client {
	p := new(http.Protocols)
	p.SetUnencryptedHTTP2(true)
	d := net.Dialer{Timeout: dialWait}
	return newClient("http://engine", &http.Transport{
		Protocols: p, HTTP2: http2(),
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
	}, nil)
}

// DialTLS gives the engine of another satellite at address:port. The configuration pins its key. Only what For gives
// of it is answered.
func DialTLS(addr string, config *tls.Config) *Client {
	p := new(http.Protocols)
	p.SetHTTP2(true)
	d := net.Dialer{Timeout: dialWait}
	return newClient("https://satellite", &http.Transport{
		Protocols: p, HTTP2: http2(), TLSClientConfig: config, TLSHandshakeTimeout: dialWait, IdleConnTimeout: 5 * time.Minute,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "tcp", addr) },
	}, nil)
}

func newClient(base string, t *http.Transport, a Asker) *Client {
	c := &Client{base: base, transport: t, http: &http.Client{Transport: t,
		// No engine redirects; one that is broken shall not have other requests signed than were meant.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if a != nil {
		c.http.Transport = signing{t, a}
	}
	return c
}

// For gives the same connection for who signs its requests. Close of either is Close of both.
func (c *Client) For(a Asker) *Client { return newClient(c.base, c.transport, a) }

// Close drops idle connections.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

func clientOptions() []connect.ClientOption {
	return []connect.ClientOption{connect.WithCodec(codec{maxReply}), connect.WithReadMaxBytes(MaxMessage)}
}

func call[Req, Res any](ctx context.Context, c *Client, method string, r Req) (Res, error) {
	req := connect.NewRequest(&r)
	res, err := connect.NewClient[Req, Res](c.http, c.base+service+method, clientOptions()...).CallUnary(ctx, req)
	if err != nil {
		var zero Res
		return zero, fromWire(err)
	}
	return *res.Msg, nil
}

// Hello is of api.Service, as are the methods below.
func (c *Client) Hello(ctx context.Context) (api.Hello, error) {
	return call[none, api.Hello](ctx, c, "Hello", none{})
}

// Search is of api.Service.
func (c *Client) Search(ctx context.Context, q api.Query) (api.SearchReply, error) {
	return call[api.Query, api.SearchReply](ctx, c, "Search", q)
}

// VM is of api.Service.
func (c *Client) VM(ctx context.Context, r string) (api.VM, error) {
	return call[ref, api.VM](ctx, c, "VM", ref{r})
}

// Create is of api.Service.
func (c *Client) Create(ctx context.Context, r api.CreateRequest) (api.Job, error) {
	return call[api.CreateRequest, api.Job](ctx, c, "Create", r)
}

// Control is of api.Service.
func (c *Client) Control(ctx context.Context, r api.ControlRequest) (api.Job, error) {
	return call[api.ControlRequest, api.Job](ctx, c, "Control", r)
}

// Delete is of api.Service.
func (c *Client) Delete(ctx context.Context, r api.DeleteRequest) (api.Job, error) {
	return call[api.DeleteRequest, api.Job](ctx, c, "Delete", r)
}

// Jobs is of api.Service.
func (c *Client) Jobs(ctx context.Context, r api.JobsRequest) (api.JobsReply, error) {
	return call[api.JobsRequest, api.JobsReply](ctx, c, "Jobs", r)
}

// Cancel is of api.Service.
func (c *Client) Cancel(ctx context.Context, id string) (api.Job, error) {
	return call[ref, api.Job](ctx, c, "Cancel", ref{id})
}

// Satellites is of api.Service.
func (c *Client) Satellites(ctx context.Context) (api.SatellitesReply, error) {
	return call[none, api.SatellitesReply](ctx, c, "Satellites", none{})
}

// Tree is of api.Service.
func (c *Client) Tree(ctx context.Context) (api.Tree, error) {
	return call[none, api.Tree](ctx, c, "Tree", none{})
}

// TreePriority is of api.Service.
func (c *Client) TreePriority(ctx context.Context, r api.TreePriorityRequest) (api.TreePriority, error) {
	return call[api.TreePriorityRequest, api.TreePriority](ctx, c, "TreePriority", r)
}

// Trust is of api.Service.
func (c *Client) Trust(ctx context.Context) (api.TrustReply, error) {
	return call[none, api.TrustReply](ctx, c, "Trust", none{})
}

// Propose is of api.Service.
func (c *Client) Propose(ctx context.Context, r api.ProposeRequest) (api.Proposal, error) {
	return call[api.ProposeRequest, api.Proposal](ctx, c, "Propose", r)
}

// Declare is of api.Service.
func (c *Client) Declare(ctx context.Context, s api.Signed) (api.Statement, error) {
	return call[api.Signed, api.Statement](ctx, c, "Declare", s)
}

// Audit is of api.Service.
func (c *Client) Audit(ctx context.Context, r api.AuditRequest) (api.AuditReply, error) {
	return call[api.AuditRequest, api.AuditReply](ctx, c, "Audit", r)
}

// Events is of api.Service.
func (c *Client) Events(ctx context.Context, r api.EventsRequest, fn func(api.Event) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	req := connect.NewRequest(&r)
	s, err := connect.NewClient[api.EventsRequest, api.Event](c.http, c.base+service+"Events", clientOptions()...).CallServerStream(ctx, req)
	if err != nil {
		return fromWire(err)
	}
	defer s.Close()
	for s.Receive() {
		if err := fn(*s.Msg()); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fromWire(s.Err())
}

// Console is of api.Service.
func (c *Client) Console(ctx context.Context, name string) (io.ReadWriteCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	b := connect.NewClient[chunk, chunk](c.http, c.base+service+"Console", clientOptions()...).CallBidiStream(ctx)
	b.RequestHeader().Set(objectHeader, url.PathEscape(name))
	con := &console{stream: b, cancel: cancel}
	if err := b.Send(nil); err != nil {
		// The reason, if the other end gave one, comes with the reply.
		if _, why := b.Receive(); why != nil {
			err = why
		}
		con.Close()
		return nil, fromWire(err)
	}
	if _, err := b.Receive(); err != nil {
		con.Close()
		return nil, fromWire(err)
	}
	return con, nil
}

// console is the client's end of a serial line.
type console struct {
	stream *connect.BidiStreamForClient[chunk, chunk]
	cancel context.CancelFunc
	rest   []byte // of the last chunk; Read's alone

	mu sync.Mutex // guards Send and CloseRequest, which may not overlap
}

func (c *console) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		m, err := c.stream.Receive()
		if err != nil {
			if connect.CodeOf(err) == connect.CodeCanceled {
				return 0, io.EOF
			}
			return 0, fromWireEOF(err)
		}
		c.rest = m.Data
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for n := 0; n < len(p); {
		end := min(len(p), n+chunkSize)
		if err := c.stream.Send(&chunk{Data: p[n:end]}); err != nil {
			return n, fromWireEOF(err)
		}
		n = end
	}
	return len(p), nil
}

func (c *console) Close() error {
	c.cancel()
	return nil
}

// fromWireEOF is fromWire that leaves a plain end of stream what it is.
func fromWireEOF(err error) error {
	if err == io.EOF {
		return err
	}
	return fromWire(err)
}
