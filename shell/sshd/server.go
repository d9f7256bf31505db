package sshd

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	charm "charm.land/ssh"
	"charm.land/wish/v2"
	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// Server lets accounts in.
//
//	New ──▶ listening ──Serve──▶ serving ──ctx ends──▶ closed
//	            └──────────Close──────────────────────────┘
type Server struct {
	cfg         Config
	fingerprint keys.Fingerprint // of the host key
	pending     *pending
	gate        *gate
	host        *hostCertificate
	denials     *meter // of Decided
	ssh         *charm.Server
	listeners   []net.Listener

	mu      sync.Mutex
	ending  bool                // no session begins any more
	guests  map[*guest]struct{} // connections that are logged in
	running sync.WaitGroup      // connections and sessions; added to only while not ending
}

// New opens the listeners, so that what is wrong with them is known at once. The caller must Serve or Close.
func New(cfg Config) (*Server, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	s := &Server{
		cfg:         cfg,
		fingerprint: fingerprint(cfg.HostKey.PublicKey()),
		pending:     newPending(2*cfg.Limits.Handshakes, cfg.Limits.Challenge, cfg.Dice),
		gate:        newGate(cfg.Limits, !cfg.flaws.wants(checkEviction)),
		host:        &hostCertificate{key: cfg.HostKey, dice: cfg.Dice, log: cfg.Log, admission: cfg.Admission},
		denials:     newMeter(deniedRate, deniedBurst, maxSources),
		guests:      make(map[*guest]struct{}),
	}
	var err error
	if s.ssh, err = wish.NewServer(s.options); err != nil {
		return nil, fmt.Errorf("prepare the SSH server: %w", err)
	}
	for _, addr := range cfg.Listen {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, errors.Join(&api.Error{Code: api.CodeUnavailable, Message: fmt.Sprintf("cannot listen for SSH on %s: %v", addr, err),
				Hint: "is another program there?"}, s.Close())
		}
		s.listeners = append(s.listeners, l)
	}
	return s, nil
}

type loginKey struct{}

// options makes of wish's server one that authenticates by login, and serves sessions by session.
func (s *Server) options(srv *charm.Server) error {
	srv.AddHostKey(s.cfg.HostKey)
	srv.Version = "decenter"
	if s.cfg.Version != "" {
		srv.Version += "_" + s.cfg.Version
	}
	srv.ConnCallback = func(ctx charm.Context, conn net.Conn) net.Conn {
		log := s.cfg.Log.With("remote", conn.RemoteAddr().String())
		ctx.SetValue(loginKey{}, &login{server: s, conn: conn.(*guardedConn), log: log})
		return conn
	}
	srv.ServerConfigCallback = func(ctx charm.Context) *ssh.ServerConfig {
		return ctx.Value(loginKey{}).(*login).config()
	}
	srv.ConnectionFailedCallback = func(conn net.Conn, err error) {
		s.cfg.Log.Debug("handshake failed", "remote", conn.RemoteAddr().String(), "error", err)
	}
	srv.ChannelHandlers = map[string]charm.ChannelHandler{"session": s.session}
	return nil
}

// Addrs gives the addresses listened on.
func (s *Server) Addrs() []net.Addr {
	addrs := make([]net.Addr, len(s.listeners))
	for i, l := range s.listeners {
		addrs[i] = l.Addr()
	}
	return addrs
}

// Close ends the listeners of a server that is not served.
func (s *Server) Close() error {
	var all error
	for _, l := range s.listeners {
		if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			all = errors.Join(all, err)
		}
	}
	return all
}

// Serve lets people in until ctx ends or a listener fails, then ends all sessions. It returns nil when ctx ended.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var accepting sync.WaitGroup
	for _, l := range s.listeners {
		accepting.Go(func() {
			if err := s.accept(ctx, l); err != nil {
				cancel(fmt.Errorf("accept SSH connections on %s: %w", l.Addr(), err))
			}
		})
	}
	accepting.Go(func() { s.watch(ctx) })
	<-ctx.Done()
	failed := context.Cause(ctx)
	closed := s.Close()
	accepting.Wait()

	s.mu.Lock()
	s.ending = true
	s.mu.Unlock()
	s.gate.shut() // ends every connection's context, and with it its sessions
	if !within(s.cfg.Limits.Leave, s.running.Wait) {
		s.cfg.Log.Warn("SSH sessions did not end in time", "waited", s.cfg.Limits.Leave)
	}
	if errors.Is(failed, context.Canceled) || errors.Is(failed, context.DeadlineExceeded) {
		return closed
	}
	return errors.Join(failed, closed)
}

// within tells whether wait came back in time.
func within(d time.Duration, wait func()) bool {
	done := make(chan struct{})
	go func() {
		wait()
		close(done)
	}()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
		return false
	}
}

// The pause after a failed accept, such as for want of file descriptors.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = time.Second
)

// accept takes connections in until ctx ends (nil) or the listener is no more.
func (s *Server) accept(ctx context.Context, l net.Listener) error {
	pause := firstPause
	for {
		conn, err := l.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = conn.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		case err != nil:
			s.cfg.Log.Warn("accept failed", "error", err)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
			pause = min(2*pause, lastPause)
			continue
		}
		pause = firstPause
		guarded, why := s.gate.admit(s.cfg.Now(), conn)
		if guarded == nil {
			s.cfg.Log.Debug("connection refused", "remote", conn.RemoteAddr().String(), "reason", why)
			turnAway(conn, why)
			continue
		}
		s.running.Go(func() {
			defer guarded.Close()
			defer s.farewell(guarded)
			s.ssh.HandleConn(guarded)
		})
	}
}

// turnAway says why before the protocol's version, as RFC 4253, 4.2 allows; `ssh -v` shows it. The socket's buffer is empty,
// so this does not block.
func turnAway(conn net.Conn, why string) {
	_ = conn.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	_, _ = fmt.Fprintf(conn, "decenter: %s\r\n", why)
	_ = conn.Close()
}
