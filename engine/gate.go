package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"decenter/engine/api"
	"decenter/engine/authz"
	"decenter/keys"
)

// who is a caller as this satellite itself judged it.
type who struct {
	root    bool   // this satellite's own, on its own socket
	account string // a Bitcoin address; api.AccountLocal for a root without one
	key     string // the SSH key that logged in
	via     string
	from    string // the satellite that brought the request; empty: none
	scope   api.Scope
	until   time.Time // zero: no end
	policy  authz.Policy
}

// judge tells who a caller is, now: the proof, that nothing revoked it, and that the account is known here. Asked for every
// request, and again for streams whenever trust changed. at is the satellite that the caller logged in to.
func (e *Engine) judge(ctx context.Context, c api.Caller, at keys.Fingerprint) (who, error) {
	view, now := e.cfg.Trust.Statements.View(), e.cfg.Now()
	w := who{via: c.Via, policy: view}
	if at != e.id {
		w.from = e.nameOf(at)
	}
	if c.Via == viaSocket && at == e.id {
		w.root, w.account, w.scope = true, api.AccountLocal, api.ScopeAll
		if d, _, ok := view.Local(now); ok {
			w.account = d.Account.String()
		}
		return w, nil
	}
	session, err := e.cfg.Trust.Judge.Check(c.Proof, at, view, now)
	if err != nil {
		w.account, w.key = c.Account, c.Proof.Key
		return w, err
	}
	w.account, w.key, w.scope, w.until = session.Account.String(), c.Proof.Key, session.Scope, session.Until
	if e.cfg.Trust.Directory != nil {
		role, err := e.cfg.Trust.Directory.Role(ctx, w.account)
		if err != nil {
			return w, fmt.Errorf("the directory: %w", err)
		}
		w.policy = inDirectory{view, w.account, role}
	}
	return w, nil
}

// nameOf is a satellite's name, where it is known.
func (e *Engine) nameOf(id keys.Fingerprint) string {
	text := id.String()
	for _, m := range e.cfg.Radar.Members() {
		if m.ID == text {
			return m.Name
		}
	}
	return text
}

// inDirectory is the policy for one account to which the directory gives a role with all.
type inDirectory struct {
	authz.Policy
	account string
	role    api.Role
}

func (p inDirectory) Known(account string) bool {
	return account == p.account && p.role != api.RoleNone || p.Policy.Known(account)
}

func (p inDirectory) Owner(account string) bool {
	return account == p.account && p.role == api.RoleOwner || p.Policy.Owner(account)
}

func (p inDirectory) Tenant(account string) bool {
	return account == p.account && (p.role == api.RoleTenant || authz.AtLeast(p.role, api.RoleOperator)) || p.Policy.Tenant(account)
}

func (p inDirectory) Role(account string, o authz.Object) api.Role {
	have := p.Policy.Role(account, o)
	if account == p.account && authz.AtLeast(p.role, have) {
		return p.role
	}
	return have
}

// may decides whether w may do it.
func (w who) may(a authz.Action, o authz.Object) authz.Verdict {
	return authz.Decide(w.policy, authz.Request{Account: w.account, Root: w.root, Scope: w.scope, Action: a, Object: o})
}

// role is the account's with all.
func (w who) role() api.Role {
	role := w.policy.Role(w.account, authz.Object{})
	switch {
	case w.root || w.policy.Owner(w.account):
		return api.RoleOwner
	case authz.AtLeast(role, api.RoleReader):
		return role
	case w.policy.Tenant(w.account):
		return api.RoleTenant
	}
	return api.RoleNone
}

// sees tells whether w may read it; nobody is told of what is only left out of a list.
func (w who) sees(o authz.Object) bool { return w.may(authz.Read, o).Allow }

// enter is the one way to this satellite's things: who asks is judged, what is asked is decided, and both are recorded,
// before anything is done. what names the object for people.
func (l local) enter(ctx context.Context, a authz.Action, o authz.Object, what string) (who, error) {
	w, err := l.e.judge(ctx, l.caller, l.at)
	if err != nil {
		_ = l.e.record(w, a, what, authz.Verdict{Reason: err.Error()})
		return who{}, refused(err)
	}
	return w, l.e.decide(w, a, o, what)
}

// decide is the second half of enter, for who was judged already. What cannot be written down is not done, but for root,
// who has to be able to mend that.
func (e *Engine) decide(w who, a authz.Action, o authz.Object, what string) error {
	v := w.may(a, o)
	err := e.record(w, a, what, v)
	if v.Allow && (err == nil || w.root) {
		return nil
	}
	if v.Allow && errors.Is(err, errTooMany) {
		return err
	}
	if v.Allow {
		return &api.Error{Code: api.CodeUnavailable, Message: "the decision could not be written down on " + e.cfg.Name + ", so nothing was done", Hint: err.Error()}
	}
	return &api.Error{Code: api.CodeDenied, Message: fmt.Sprintf("%s may not %s %s on %s", w.account, a, orAll(what), e.cfg.Name), Hint: v.Reason}
}

func orAll(what string) string {
	if what == "" {
		return "here"
	}
	return what
}

// refused makes sure that a judgement's error has a code that stops the asker from trying elsewhere.
func refused(err error) error {
	var own *api.Error
	if errors.As(err, &own) {
		return err
	}
	return &api.Error{Code: api.CodeDenied, Message: err.Error()}
}

// record writes a decision down.
func (e *Engine) record(w who, a authz.Action, what string, v authz.Verdict) error {
	return e.recordFrom(source{byAccount, w.account, w.from}, w, a, what, v)
}

// recordFrom is record of what else than an account brought about. Reads that are allowed are counted by the log, and root
// has to be able to act whatever others do.
func (e *Engine) recordFrom(s source, w who, a authz.Action, what string, v authz.Verdict) error {
	missed, before := 0, 0
	if a == authz.Trust {
		a = authz.Read // in the log: a console asks for it every few seconds
	}
	if a == authz.Read && !v.Allow {
		again := false
		if before, again = e.pace.again(s, what+"\x00"+v.Reason); again {
			return nil
		}
	}
	if counted := a == authz.Read && v.Allow; !counted && !w.root {
		var err error
		if missed, err = e.pace.take(s); err != nil {
			e.cfg.Log.Debug("a decision is only counted", "account", w.account, "action", string(a), "object", what, "allow", v.Allow)
			return err
		}
	}
	entry := api.AuditEntry{Account: w.account, Key: w.key, Via: w.via, From: w.from, Action: string(a), Object: what, Verdict: api.VerdictDeny, Reason: v.Reason}
	if v.Allow {
		entry.Verdict = api.VerdictAllow
	}
	if before > 0 {
		entry.Count = before + 1
	}
	if missed > 0 {
		more := entry
		more.Account, more.Key, more.Object, more.Verdict, more.Count = s.account, "", "", api.VerdictDeny, missed
		more.Reason = "requests before this one were too many: refused, and counted only"
		_, _ = e.cfg.Trust.Audit.Append(more) // the next one tells
	}
	_, err := e.cfg.Trust.Audit.Append(entry)
	if err != nil {
		e.cfg.Log.Error("a decision was not written down", "account", w.account, "action", string(a), "object", what, "verdict", string(entry.Verdict), "err", err)
	}
	return err
}

// look is enter for questions whose answer holds what the caller may see and nothing else: a known account will do.
func (l local) look(ctx context.Context, what string) (who, error) {
	w, err := l.e.judge(ctx, l.caller, l.at)
	v := authz.Verdict{}
	if err == nil {
		v = w.may(authz.Login, authz.Object{})
	} else {
		v.Reason = err.Error()
	}
	_ = l.e.record(w, authz.Read, what, v) // reads go on without
	switch {
	case err != nil:
		return who{}, refused(err)
	case !v.Allow:
		return who{}, &api.Error{Code: api.CodeDenied, Message: w.account + " may not come in on " + l.e.cfg.Name, Hint: v.Reason}
	}
	return w, nil
}

// Login judges a login at this satellite, once it was proved. It is asked again when trust changed.
func (e *Engine) Login(ctx context.Context, p api.Proof) (account string, scope api.Scope, err error) {
	w, err := e.judge(ctx, api.Caller{Via: viaSSH, Proof: p}, e.id)
	if err != nil {
		return w.account, "", refused(err)
	}
	if v := w.may(authz.Login, authz.Object{}); !v.Allow {
		return w.account, "", &api.Error{Code: api.CodeDenied, Message: w.account + " may not log in on " + e.cfg.Name, Hint: v.Reason}
	}
	return w.account, w.scope, nil
}

// LoggedIn writes down how a login ended.
func (e *Engine) LoggedIn(account, key string, verdict api.Verdict, reason string) {
	from := source{kind: atLogin} // the account of a denied one is anybody's claim
	if verdict == api.VerdictAllow {
		from = source{kind: byAccount, account: account}
	}
	_ = e.recordFrom(from, who{account: account, key: key, via: viaSSH}, authz.Login, "", authz.Verdict{Allow: verdict == api.VerdictAllow, Reason: reason})
}

// How callers come, as in api.Caller.
const (
	viaSocket = "socket"
	viaSSH    = "ssh"
	viaPeer   = "peer"
)

// errRevoked ends streams of callers who lost their right.
var errRevoked = &api.Error{Code: api.CodeDenied, Message: "the right to this was taken back", Hint: "log in again"}

// right is a caller's right to something that goes on: a context that ends when the right does. stop must be called.
type right struct {
	context.Context
	stop func()
	who  atomic.Pointer[who]
}

// now is the caller, as judged last.
func (r *right) now() who { return *r.who.Load() }

// directoryEvery is how often the directory, which tells of no changes, is asked about callers of streams.
const directoryEvery = time.Minute

// while gives the right of w to do a to o for as long as it lasts: until its time is over, or trust changed.
func (l local) while(ctx context.Context, w who, a authz.Action, o authz.Object) *right {
	ctx, cancel := context.WithCancelCause(ctx)
	r := &right{Context: ctx, stop: func() { cancel(nil) }}
	r.who.Store(&w)
	changed, unwatch := l.e.cfg.Trust.Statements.Watch()
	go func() {
		defer unwatch()
		var again <-chan time.Time
		if l.e.cfg.Trust.Directory != nil {
			t := time.NewTicker(directoryEvery)
			defer t.Stop()
			again = t.C
		}
		for { // at once, too: something may have changed since w was judged
			now, err := l.e.judge(ctx, l.caller, l.at)
			if err == nil && !now.may(a, o).Allow {
				err = errRevoked
			}
			if err != nil {
				cancel(refused(err))
				return
			}
			r.who.Store(&now)
			over, stop := l.e.at(now.until)
			select {
			case <-ctx.Done():
			case <-over:
			case <-again:
			case <-changed:
			}
			stop()
			if ctx.Err() != nil {
				return
			}
		}
	}()
	return r
}

// at gives a channel that tells when it is that time; never, for the zero one.
func (e *Engine) at(when time.Time) (is <-chan time.Time, stop func() bool) {
	if when.IsZero() {
		return nil, func() bool { return true }
	}
	t := time.NewTimer(when.Sub(e.cfg.Now()))
	return t.C, t.Stop
}

// objects of decisions.

func (e *Engine) objectVM(id, owner string) authz.Object {
	return authz.Object{Kind: api.KindVM, ID: id, Owner: owner, Satellite: e.cfg.Name}
}

func (e *Engine) objectJob(j api.Job) authz.Object {
	return authz.Object{Kind: api.KindJob, ID: j.VM, Owner: j.Owner, Began: j.Account, Satellite: e.cfg.Name}
}

func (e *Engine) objectOf(kind api.Kind) authz.Object {
	return authz.Object{Kind: kind, Satellite: e.cfg.Name}
}
