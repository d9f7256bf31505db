package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/engine/authz"
	"decenter/engine/trust"
	"decenter/keys"
	"decenter/keys/statement"
)

// Trust is of api.Service: this satellite's own view, which all others come to share within seconds.
func (l local) Trust(ctx context.Context) (api.TrustReply, error) {
	if _, err := l.enter(ctx, authz.Trust, authz.Object{}, "trust"); err != nil {
		return api.TrustReply{}, err
	}
	return api.TrustReply{Constellation: l.e.cfg.Trust.Constellation, Owners: slices.Clone(l.e.cfg.Trust.Owners), Statements: l.e.cfg.Trust.Statements.View().Statements()}, nil
}

// Propose is of api.Service. An object must be a whole one here: names are the constellation's to find.
func (l local) Propose(ctx context.Context, r api.ProposeRequest) (api.Proposal, error) {
	w, err := l.enter(ctx, authz.Propose, authz.Object{}, string(r.Kind))
	if err != nil {
		return api.Proposal{}, err
	}
	if r.Account == "" {
		r.Account = w.account
	}
	if r.Account == api.AccountLocal {
		return api.Proposal{}, &api.Error{Code: api.CodeInvalid, Message: "root has no account that could sign", Hint: "add as:ACCOUNT, or declare a delegation to this satellite first (`decenter key delegate --to " + l.e.cfg.ID + "`)"}
	}
	s, err := l.e.proposed(r)
	if err != nil {
		return api.Proposal{}, typedError(err)
	}
	line, err := statement.New(s)
	return api.Proposal{Line: line, Account: r.Account}, typedError(err)
}

// proposed puts a statement together.
func (e *Engine) proposed(r api.ProposeRequest) (statement.Statement, error) {
	account, err := keys.ParseAddress(e.cfg.Trust.Network, r.Account)
	if err != nil {
		return nil, err
	}
	var key keys.Fingerprint
	if r.Key != "" {
		if key, err = keys.ParseFingerprint(r.Key); err != nil {
			return nil, err
		}
	}
	now := e.cfg.Now().UTC().Truncate(time.Second)
	switch r.Kind {
	case api.StatementRevoke:
		return statement.Revocation{Account: account, Key: key, At: now}, nil
	case api.StatementAdmit, api.StatementEject:
		return statement.Membership{Account: account, Constellation: e.cfg.Trust.Constellation, Satellite: key, Admit: r.Kind == api.StatementAdmit, At: now}, nil
	case api.StatementGrant:
		to, err := keys.ParseAddress(e.cfg.Trust.Network, r.Grantee)
		if err != nil {
			return nil, err
		}
		return statement.Grant{Account: account, Constellation: e.cfg.Trust.Constellation, Role: statement.Role(r.Role), To: to, Object: statement.Object(r.Object), At: now}, nil
	}
	return nil, &api.Error{Code: api.CodeInvalid, Message: "no statement of kind " + string(r.Kind) + " can be proposed", Hint: "use revoke, admit, eject or grant; a delegation is made by `decenter key delegate`"}
}

// typedError makes an error about what the person typed out of one of the keys packages.
func typedError(err error) error {
	var e *keys.Error
	if !errors.As(err, &e) {
		return err
	}
	code := api.CodeInvalid
	if errors.Is(err, keys.ErrSignature) {
		code = api.CodeDenied
	}
	return &api.Error{Code: code, Message: e.Problem, Hint: e.Hint}
}

// Declare is of api.Service. A delegation to this satellite makes its root act for the account: nobody but root decides that.
func (l local) Declare(ctx context.Context, s api.Signed) (api.Statement, error) {
	what, said, wrong := l.e.said(s)
	w, err := l.e.judge(ctx, l.caller, l.at)
	_, delegation := said.(statement.Delegation)
	switch {
	case err != nil:
		err = refused(err)
	case wrong != nil:
		err = typedError(wrong)
	case delegation && !w.root:
		err = errNotRoot
	}
	if err != nil {
		_ = l.e.record(w, authz.Declare, what, authz.Verdict{Reason: err.Error()})
		return api.Statement{}, err
	}
	// Who can fill a disk must not be able to keep a revocation out: what takes rights away is done unwritten, if need be.
	if err := l.e.decide(w, authz.Declare, authz.Object{}, what); err != nil && (api.CodeOf(err) != api.CodeUnavailable || !statement.Withdraws(said)) {
		return api.Statement{}, err
	}
	held, _, err := l.e.cfg.Trust.Statements.Declare(statement.Signed(s))
	if err != nil { // whoever brought it, it is the signer who had no right to it
		return api.Statement{}, errors.Join(err, l.e.record(w, authz.Declare, what, authz.Verdict{Reason: err.Error()}))
	}
	for _, known := range l.e.cfg.Trust.Statements.View().Statements() {
		if known.Signed.Line == s.Line {
			return known, nil
		}
	}
	if line := statement.Line(held); line != s.Line {
		return api.Statement{}, &api.Error{Code: api.CodeConflict, Message: "a later statement about the same holds instead", Hint: line}
	}
	return api.Statement{}, &api.Error{Code: api.CodeConflict, Message: "the statement is kept, but is not in force",
		Hint: "its account has no such right (yet); `trust` lists what holds"}
}

// said tells what a statement is about, in words for the log, and what is wrong with its form or signature.
func (e *Engine) said(s api.Signed) (what string, said statement.Statement, wrong error) {
	signed := statement.Signed(s)
	if said, wrong = statement.Parse(e.cfg.Trust.Network, s.Line); wrong != nil {
		return clip(s.Line), nil, wrong
	}
	words := trust.Words(said, signed)
	_, wrong = signed.Verify(e.cfg.Trust.Network)
	return string(words.Kind) + " " + words.About() + ", signed by " + words.Account, said, wrong
}

// errNotRoot is what others hear who bring a delegation.
var errNotRoot = &api.Error{Code: api.CodeDenied, Message: "root alone decides for whom it acts",
	Hint: "give a delegation to a satellite's key to `decenter` on that satellite, as root; one to an SSH key travels in its certificate"}

func clip(line string) string { return line[:min(len(line), statement.MaxLine)] }

// Audit is of api.Service: of this satellite's own log, what the caller may read.
func (l local) Audit(ctx context.Context, r api.AuditRequest) (api.AuditReply, error) {
	w, err := l.look(ctx, "audit")
	if err != nil {
		return api.AuditReply{}, err
	}
	all := w.may(authz.Audit, authz.Object{Kind: api.KindAudit})
	if !all.Allow {
		own, told := api.Filter{Key: api.KeyAccount, Values: []string{w.account}}, api.Filter{Key: api.KeyReason, Values: []string{unseen}, Not: true}
		r.Query.Filters = append(slices.Clone(r.Query.Filters), own, told)
	}
	if r.Verify && !all.Allow { // it takes seconds, and tells how much everybody does
		return api.AuditReply{}, l.e.decide(w, authz.Audit, authz.Object{Kind: api.KindAudit}, "verify")
	}
	limit := r.Query.Limit
	if limit <= 0 || limit > api.MaxAudit {
		limit = api.MaxAudit
	}
	select { // one at a time is read: the log has 64 MiB
	case l.e.reading <- struct{}{}:
		defer func() { <-l.e.reading }()
	case <-ctx.Done():
		return api.AuditReply{}, apiError(ctx.Err())
	}
	entries, err := l.e.cfg.Trust.Audit.Find(ctx, r.Query, limit)
	if err != nil {
		return api.AuditReply{}, apiError(err)
	}
	reply := api.AuditReply{Entries: entries}
	if r.Verify {
		chain, err := l.e.cfg.Trust.Audit.Verify(ctx)
		if err != nil {
			return api.AuditReply{}, apiError(err)
		}
		reply.Chains = []api.AuditChain{chain}
	}
	return reply, nil
}

// Trust is of api.Service.
func (c constellation) Trust(ctx context.Context) (api.TrustReply, error) {
	return c.local().Trust(ctx)
}

// Propose is of api.Service. A VM that is granted may be given by name.
func (c constellation) Propose(ctx context.Context, r api.ProposeRequest) (api.Proposal, error) {
	if r.Kind == api.StatementGrant && !wholeObject(r.Object) {
		vm, err := c.VM(ctx, strings.TrimPrefix(r.Object, "vm:"))
		if err != nil {
			return api.Proposal{}, err
		}
		r.Object = string(statement.ObjectVM(vm.ID))
	}
	return c.local().Propose(ctx, r)
}

func wholeObject(o string) bool {
	return o == string(statement.ObjectAll) || o == string(statement.ObjectArray) || strings.HasPrefix(o, "array@")
}

// Declare is of api.Service.
func (c constellation) Declare(ctx context.Context, s api.Signed) (api.Statement, error) {
	return c.local().Declare(ctx, s)
}

// Audit is of api.Service.
func (c constellation) Audit(ctx context.Context, r api.AuditRequest) (api.AuditReply, error) {
	ask := func(ctx context.Context, s api.Service) (api.AuditReply, error) { return s.Audit(ctx, r) }
	wait := askWait
	if r.Verify {
		wait = verifyWait
	}
	got, err := askFor(ctx, wait, c, ask)
	if err != nil {
		return api.AuditReply{}, err
	}
	reply := api.AuditReply{Entries: []api.AuditEntry{}, Silent: got.silent, Refused: got.refused}
	for _, a := range got.answers {
		reply.Entries = append(reply.Entries, a.Value.Entries...)
		reply.Chains = append(reply.Chains, a.Value.Chains...)
	}
	slices.SortStableFunc(reply.Entries, func(a, b api.AuditEntry) int {
		if n := b.Time.Compare(a.Time); n != 0 {
			return n
		}
		return cmp.Compare(b.Seq, a.Seq)
	})
	if limit := r.Query.Limit; limit > 0 && len(reply.Entries) > limit {
		reply.Entries = reply.Entries[:limit]
	}
	slices.SortFunc(reply.Chains, func(a, b api.AuditChain) int { return strings.Compare(a.Satellite, b.Satellite) })
	return reply, nil
}
