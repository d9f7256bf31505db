package directory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"decenter/engine/api"
)

// Gate asks one directory. All methods are safe for concurrent use.
type Gate struct {
	plan   *plan
	ctx    context.Context // ends with Close
	stop   context.CancelFunc
	shared singleflight.Group // calls under way, by account
	calls  chan struct{}      // a place for each of them

	mu    sync.Mutex
	known cache

	turn chan struct{} // of one place: who holds it may use link
	link link
}

// New checks the configuration and reads its files; it dials nothing. Errors are of api.CodeInvalid.
func New(c Config) (*Gate, error) {
	p, err := c.check()
	if err != nil {
		return nil, err
	}
	g := &Gate{plan: p, calls: make(chan struct{}, maxCalls), known: newCache(), turn: make(chan struct{}, 1)}
	g.link.plan = p
	g.ctx, g.stop = context.WithCancel(context.Background())
	return g, nil
}

// Close ends calls under way and the connection. Role answers api.CodeUnavailable from now on.
func (g *Gate) Close() error {
	g.stop()
	g.turn <- struct{}{} // whoever has it ends with g.ctx
	defer func() { <-g.turn }()
	g.link.drop()
	return nil
}

// Role gives the highest role of the account's groups. api.CodeDenied: the directory knows no role of it.
// api.CodeUnavailable: it does not answer within Timeout, and nothing that is cached counts. An error of ctx when that ended first.
func (g *Gate) Role(ctx context.Context, account string) (api.Role, error) {
	if account == "" || len(account) > maxAccount {
		return api.RoleNone, denied("an account of this form is in no directory", "")
	}
	if a, ok := g.cached(account); ok && a.fresh(g.plan.Now()) {
		return a.result()
	}
	if err := ctx.Err(); err != nil {
		return api.RoleNone, fmt.Errorf("asking the directory: %w", err)
	}
	select {
	case got := <-g.shared.DoChan(account, func() (any, error) { return g.fly(account) }):
		if got.Err != nil {
			return api.RoleNone, got.Err
		}
		return got.Val.(answer).result()
	case <-ctx.Done():
		return api.RoleNone, fmt.Errorf("asking the directory: %w", ctx.Err())
	}
}

func (g *Gate) cached(account string) (answer, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.known.get(account)
}

// fly asks for all who wait for the account, and keeps the answer. It does not end with any one of them, but after Timeout.
func (g *Gate) fly(account string) (answer, error) {
	select {
	case g.calls <- struct{}{}:
		defer func() { <-g.calls }()
	default:
		return g.fallback(account, unavailable("too many accounts wait for the directory", nil))
	}
	ctx, cancel := context.WithTimeout(g.ctx, g.plan.Timeout)
	defer cancel()
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return g.fallback(account, unavailable("the directory does not answer in time", nil))
	}
	if ctx.Err() != nil { // both were ready
		return g.fallback(account, unavailable("the directory does not answer in time", nil))
	}
	a, err := g.link.ask(ctx, account)
	if err != nil {
		return g.fallback(account, err)
	}
	a.at = g.plan.Now()
	g.mu.Lock()
	g.known.put(account, a)
	g.mu.Unlock()
	return a, nil
}

// fallback is what holds when there is no answer: what was known last, where the policy and its age allow.
func (g *Gate) fallback(account string, err error) (answer, error) {
	if g.plan.WhenDown != Cached || g.ctx.Err() != nil {
		return answer{}, err
	}
	if a, ok := g.cached(account); ok && a.within(MaxStale, g.plan.Now()) {
		return a, nil
	}
	return answer{}, err
}

func denied(problem, hint string) *api.Error {
	return &api.Error{Code: api.CodeDenied, Message: problem, Hint: hint}
}

// unavailable wraps why the directory cannot be asked.
func unavailable(problem string, why error) error {
	e := &api.Error{Code: api.CodeUnavailable, Message: problem, Hint: "ask who runs the directory"}
	if why != nil {
		e.Message += ": " + why.Error()
	}
	return e
}

// resting is after a failure: how long the directory is left alone.
type resting struct {
	failures int
	until    time.Time
	why      error
}

func (r *resting) fail(now time.Time, why error) {
	wait := min(minBackoff<<min(r.failures, 10), maxBackoff)
	r.failures++
	r.until, r.why = now.Add(wait), why
}

// err says whether the directory is to be left alone now. A clock that was set back ends it.
func (r *resting) err(now time.Time) error {
	if r.why == nil || !now.Before(r.until) || now.Before(r.until.Add(-maxBackoff)) {
		return nil
	}
	return r.why
}

var errTooLong = errors.New("the directory's answer is too long")
