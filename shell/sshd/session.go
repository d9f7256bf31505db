package sshd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"
	charm "charm.land/ssh"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
)

// session serves one session channel (RFC 4254, 6). It returns when the client or the connection closed it.
func (s *Server) session(_ *charm.Server, conn *ssh.ServerConn, newChan ssh.NewChannel, ctx charm.Context) {
	is, err := recordOf(conn.Permissions, s.cfg.Network)
	l, _ := ctx.Value(loginKey{}).(*login)
	if err == nil && (l == nil || l.guest == nil || l.guest.is != is) {
		err = errors.New("the connection's login is not known")
	}
	if err != nil {
		s.cfg.Log.Error("session refused", "remote", conn.RemoteAddr().String(), "error", err)
		_ = newChan.Reject(ssh.Prohibited, "not logged in") // a failure is the client's end
		return
	}
	life, cancel := context.WithCancel(ctx)
	defer cancel()
	id, ok := s.enter(l.guest, cancel)
	if !ok {
		_ = newChan.Reject(ssh.ResourceShortage, "too many sessions on one connection")
		return
	}
	defer s.leave(l.guest, id)
	// What was right at the login may be no longer.
	scope, err := s.judge(is.account, is.proof)
	if err != nil {
		_ = newChan.Reject(ssh.Prohibited, err.Error())
		s.dismiss(l.guest, err)
		return
	}
	svc := s.cfg.Open(api.Caller{Account: is.account.String(), Via: "ssh", Proof: is.proof})
	s.handle(conn, newChan, ctx, func(sess charm.Session) int {
		r := &run{server: s, ctx: life, sess: sess, svc: svc, scope: scope}
		code := r.serve()
		if why := l.guest.reason(); why != "" {
			fmt.Fprintf(sess.Stderr(), "decenter: this connection ends: %s\n", why)
			return api.ExitDenied
		}
		return code
	}, cancel)
}

// handle runs serve once the client asked for a command or a shell, and returns when both it and the channel ended. The
// channel's end cancels.
func (s *Server) handle(conn *ssh.ServerConn, newChan ssh.NewChannel, ctx charm.Context, serve func(charm.Session) int, cancel context.CancelFunc) {
	// The library's handler reads what to run from a server. Each session gets its own, so that what runs can
	// know this channel's end and this connection's account.
	handled := make(chan struct{})
	started := false
	one := &charm.Server{
		SessionRequestCallback: func(charm.Session, string) bool { started = true; return true },
		Handler: func(sess charm.Session) {
			defer close(handled)
			if err := sess.Exit(exitCode(serve(sess))); err != nil {
				s.cfg.Log.Debug("session's end not delivered", "remote", conn.RemoteAddr().String(), "error", err)
			}
		},
	}
	if err := one.SetOption(charm.EmulatePty()); err != nil {
		panic("sshd: " + err.Error()) // our own bug: the server was not started
	}
	charm.DefaultSessionHandler(one, conn, sober{newChan}, ctx)
	cancel()
	if started {
		<-handled
	}
}

// enter counts a session in; false where there are too many, or the connection or the server ends.
func (s *Server) enter(g *guest, cancel context.CancelFunc) (id int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return 0, false
	}
	if id, ok = g.enter(s.cfg.Limits.Sessions, cancel); ok {
		s.running.Add(1)
	}
	return id, ok
}

func (s *Server) leave(g *guest, id int) {
	g.leave(id)
	s.running.Done()
}

// exitCode keeps a code among those that a client can tell from ssh's own.
func exitCode(code int) int {
	if code < 0 || code > 254 {
		return api.ExitFailed
	}
	return code
}

// run is one session under way.
type run struct {
	server *Server
	ctx    context.Context
	sess   charm.Session
	svc    api.Service
	scope  api.Scope
	in     *input
	term   *Terminal // nil without a pty
	env    []string
}

// serve gives the session what it asked for, and the exit code.
func (r *run) serve() int {
	pty, changes, hasPTY := r.sess.Pty()
	r.in = newInput(r.sess)
	defer r.in.close()
	r.env = r.sess.Environ()
	if hasPTY {
		r.env = append(r.env, "TERM="+pty.Term, "SSH_TTY=ssh") // the latter tells programs not to question the terminal
		r.term = newTerminal(pty, r.in, r.sess)
		// Nobody else drains the changes, and undrained they would stall the whole connection.
		go r.term.follow(changes)
	}
	raw := r.sess.RawCommand()
	switch {
	case strings.TrimSpace(raw) != "":
		return r.exec(raw)
	case hasPTY && !plain(r.env):
		return r.console()
	}
	return r.lines()
}

// exec carries out one command. With a terminal, Ctrl-C ends it unless it reads its input.
func (r *run) exec(raw string) int {
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	if r.term != nil {
		r.in.onInterrupt(cancel)
		defer r.in.onInterrupt(nil)
	}
	call := Call{Service: r.svc, Raw: raw, In: r.in, Out: r.sess, Err: r.sess.Stderr(), Terminal: r.term, Env: slices.Clone(r.env)}
	return r.server.cfg.Exec(ctx, call)
}

// console runs the full screen.
func (r *run) console() int {
	width, height := r.term.Size()
	model := r.server.cfg.TUI(r.ctx, r.svc, Screen{Width: width, Height: height, Env: slices.Clone(r.env)})
	program := tea.NewProgram(model,
		tea.WithContext(r.ctx),
		tea.WithInput(r.in), tea.WithOutput(r.sess),
		tea.WithEnvironment(r.env),
		tea.WithWindowSize(width, height),
		// There is no terminal of this machine to look at, so the client's variables decide.
		tea.WithColorProfile(colorprofile.Env(r.env)),
		// The process's signals are the engine's.
		tea.WithoutSignalHandler(),
		tea.WithFilter(func(_ tea.Model, msg tea.Msg) tea.Msg {
			if _, ok := msg.(tea.SuspendMsg); ok {
				return tea.ResumeMsg{} // Ctrl-Z would stop the engine
			}
			return msg
		}),
	)
	stop := r.term.onChange(func(width, height int) { program.Send(tea.WindowSizeMsg{Width: width, Height: height}) })
	defer stop()
	if _, err := program.Run(); err != nil && r.ctx.Err() == nil && !errors.Is(err, tea.ErrInterrupted) {
		r.server.cfg.Log.Error("console ended", "error", err)
		return api.ExitFailed
	}
	return api.ExitDone
}

// plain tells whether a person with this environment wants lines instead of a screen: no-color.org, and the
// terminal type of programs that cannot place a cursor.
func plain(env []string) bool {
	term, noColor := "", ""
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, "TERM="); ok {
			term = value
		}
		if value, ok := strings.CutPrefix(v, "NO_COLOR="); ok {
			noColor = value
		}
	}
	return term == "" || term == "dumb" || noColor != ""
}
