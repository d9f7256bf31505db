package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"decenter/engine/api"
	"decenter/engine/rpc"
)

// shutdownWait is how long open requests may go on when the engine stops.
const shutdownWait = 2 * time.Second

// ListenUnix opens the socket of the machine's own users: root alone may connect. A socket file that no engine
// listens on any more is replaced; one that answers is an error.
func ListenUnix(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
		c.Close()
		return nil, fmt.Errorf("%s answers: another engine is running", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen on the engine's socket: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return rootOnly{l}, nil
}

// rootOnly lets only root's and the engine's own user's connections in, whatever became of the file's mode.
type rootOnly struct{ net.Listener }

func (l rootOnly) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if uid, err := peerUID(c.(*net.UnixConn)); err == nil && (uid == 0 || uid == uint32(os.Getuid())) {
			return c, nil
		}
		c.Close()
	}
}

func peerUID(c *net.UnixConn) (uid uint32, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	cerr := raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = cred.Uid
		}
	})
	return uid, errors.Join(err, cerr)
}

// ServeLocal answers the machine's own users on a listener of ListenUnix until ctx ends.
func (e *Engine) ServeLocal(ctx context.Context, l net.Listener) error {
	s := e.Open(api.Caller{Account: api.AccountLocal, Via: viaSocket})
	return serve(ctx, rpc.NewServer(rpc.NewHandler(s)), l)
}

// ExchangePattern is where the Exchange answers, for strangers too.
const ExchangePattern = "/decenter.v1.Satellite/"

// ServePeers answers other satellites until ctx ends. config makes them prove their keys; strangers reach the exchange
// alone. Each request has to show for whom it is; what they are told is this satellite's part alone.
func (e *Engine) ServePeers(ctx context.Context, l net.Listener, config *tls.Config) error {
	mux := http.NewServeMux()
	mux.Handle(rpc.PeerPattern, rpc.NewPeerHandler(e.authenticate))
	var member func(tls.ConnectionState) bool
	if x := e.cfg.Trust.Exchange; x != nil {
		mux.Handle(ExchangePattern, x.Handler())
		member = x.Member
	}
	s := rpc.NewServer(mux)
	s.ErrorLog = slog.NewLogLogger(e.cfg.Log.Handler(), slog.LevelDebug) // it tells of each stranger that was cut off
	return serve(ctx, s, rpc.NewTLSListener(l, config, rpc.PeerLimits(), member))
}

// ServeMetrics answers Prometheus until ctx ends.
func (e *Engine) ServeMetrics(ctx context.Context, l net.Listener) error {
	return serve(ctx, &http.Server{Handler: e.Metrics(), ReadTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}, l)
}

// errStopping is what requests that are still open when the engine stops end with.
var errStopping = &api.Error{Code: api.CodeUnavailable, Message: "the engine is stopping", Hint: "VMs go on; try again when it is back"}

// serve answers until ctx ends, and returns when no request is under way any more.
func serve(ctx context.Context, s *http.Server, l net.Listener) error {
	requests, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	s.BaseContext = func(net.Listener) context.Context { return requests }
	idle := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(idle)
		end(errStopping)
		ctx, cancel := context.WithTimeout(context.Background(), shutdownWait)
		defer cancel()
		if s.Shutdown(ctx) != nil {
			_ = s.Close() // requests that did not end by themselves
		}
	})
	err := s.Serve(l)
	if !stop() {
		<-idle
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return ctx.Err()
}
