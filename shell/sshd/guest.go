package sshd

import (
	"context"
	"fmt"
	"sync"
	"time"

	"decenter/engine/api"
	"decenter/keys"
)

// guest is a connection that is logged in.
//
//	welcome ──▶ open ──enter/leave──▶ open
//	             └──end(why)──▶ ending: no session begins; those there are have a moment to say why ──▶ closed
type guest struct {
	conn *guardedConn
	is   record

	mu       sync.Mutex
	leaving  bool   // it is to end: no session begins any more
	why      string // it ends; empty: it does not
	next     int
	sessions map[int]context.CancelFunc
	empty    chan struct{} // closed when it ends and no session is left
}

// enter counts a session in, whose cancel ends it; false where there are too many or the connection ends.
func (g *guest) enter(most int, cancel context.CancelFunc) (id int, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.leaving || len(g.sessions) >= most {
		return 0, false
	}
	g.next++
	g.sessions[g.next] = cancel
	return g.next, true
}

func (g *guest) leave(id int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.sessions, id)
	if g.why != "" && len(g.sessions) == 0 {
		g.closeEmpty()
	}
}

// closeEmpty needs mu.
func (g *guest) closeEmpty() {
	select {
	case <-g.empty:
	default:
		close(g.empty)
	}
}

// reason tells why the connection ends; empty: it does not.
func (g *guest) reason() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.why
}

// end ends the connection's sessions; false where it was ending already.
func (g *guest) end(why string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.why != "" {
		return false
	}
	g.why = why
	for _, cancel := range g.sessions {
		cancel()
	}
	if len(g.sessions) == 0 {
		g.closeEmpty()
	}
	return true
}

// welcome notes that a connection is logged in. What it may do hangs on the record, not on this.
func (s *Server) welcome(l *login) {
	l.conn.authenticated()
	s.gate.rates.give(s.cfg.Now(), l.conn.from)
	s.gate.remember(l.conn.from)
	is, err := recordOf(l.granted, s.cfg.Network)
	if err != nil {
		return // no session will begin either
	}
	l.guest = &guest{conn: l.conn, is: is, sessions: make(map[int]context.CancelFunc), empty: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guests[l.guest] = struct{}{}
}

// farewell forgets a connection that is over.
func (s *Server) farewell(conn *guardedConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for g := range s.guests {
		if g.conn == conn {
			delete(s.guests, g)
		}
	}
}

// denied tells Decided of a denial, unless there were too many from its source.
func (s *Server) denied(l *guardedConn, account keys.Address, key, reason string) {
	ok, more := s.denials.take(s.cfg.Now(), l.from)
	if !ok {
		return
	}
	if more > 0 {
		reason = fmt.Sprintf("%s (and %d refusals before, from the same address)", reason, more)
	}
	s.cfg.Decided(account.String(), key, string(api.VerdictDeny), reason)
}

// watch judges open connections again when trust changed, and every so often, until ctx ends.
func (s *Server) watch(ctx context.Context) {
	var changed <-chan struct{}
	stop := func() {}
	defer func() { stop() }()
	tick := time.NewTicker(s.cfg.Limits.JudgeEvery)
	defer tick.Stop()
	for {
		if changed == nil && s.cfg.Watch != nil {
			changed, stop = s.cfg.Watch()
			// What changed before the watch began was not told.
			s.judgeAll(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case _, ok := <-changed:
			if !ok {
				stop()
				changed, stop = nil, func() {}
			}
		case <-tick.C:
		}
		if changed != nil || s.cfg.Watch == nil {
			s.judgeAll(ctx)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(judgePause):
		}
	}
}

// judgeAll judges every open connection once, and ends those that fail.
func (s *Server) judgeAll(ctx context.Context) {
	s.mu.Lock()
	all := make(chan *guest, len(s.guests))
	for g := range s.guests {
		all <- g
	}
	s.mu.Unlock()
	close(all)
	var judges sync.WaitGroup
	for range min(judgeAtOnce, len(all)) {
		judges.Go(func() {
			for g := range all {
				if ctx.Err() != nil {
					return
				}
				if _, err := s.judge(g.is.account, g.is.proof); err != nil {
					s.dismiss(g, err)
				}
			}
		})
	}
	judges.Wait()
}

// leaves tells, the first time it is asked, that the connection is to end.
func (g *guest) leaves() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := !g.leaving
	g.leaving = true
	return first
}

// dismiss ends a connection whose login no longer holds. A command under way, which may be the one that took the right back,
// has a moment to end by itself; what it asks of the engine is refused already. Then the sessions have one to say why.
func (s *Server) dismiss(g *guest, why error) {
	if !g.leaves() {
		return
	}
	s.cfg.Log.Warn("connection ended", "account", g.is.account.String(), "key", g.is.proof.Key, "reason", why.Error())
	s.denied(g.conn, g.is.account, g.is.proof.Key, "the open connection ends: "+why.Error())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending {
		return // Serve closes it
	}
	s.running.Go(func() {
		time.Sleep(settle)
		g.end(why.Error())
		t := time.NewTimer(farewell)
		defer t.Stop()
		select {
		case <-g.empty:
		case <-t.C:
		}
		_ = g.conn.Close() // it is going away anyhow
	})
}
