package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/shell/grammar"
	"decenter/shell/output"
	"decenter/tui"
)

// signTries is how often a person may paste what is no signature.
const signTries = 3

// asks tells whether a person is there to be asked, and an answer is wanted in words.
func (r *Runner) asks(p output.Printer) bool { return r.s.InTerminal && r.s.ErrTerminal && !p.JSON }

// sign has an account sign what a verb with Sign says. Where nobody can be asked it prints the line and leaves.
func (r *Runner) sign(ctx context.Context, p output.Printer, c grammar.Command) error {
	if needsConfirm(c) {
		n, err := satellite(ctx, r.svc, c.Word(0))
		if err != nil {
			return err // before anything is asked
		}
		if !r.asks(p) {
			return unconfirmed(c)
		}
		if err := r.confirmEject(ctx, n); err != nil {
			return err
		}
	}
	proposal, err := propose(ctx, r.svc, c)
	if err != nil {
		return err
	}
	if !r.asks(p) {
		if err := p.Proposal(proposal); err != nil {
			return err
		}
		r.say(fmt.Sprintf("to be signed by %s; then: declare \"LINE\" SIGNATURE\n", output.Clean(proposal.Account)))
		return errRunning
	}
	signature, err := r.askSignature(ctx, proposal)
	if err != nil {
		return err
	}
	return r.declare(ctx, p, api.Signed{Line: proposal.Line, Signature: signature})
}

// propose gets the line of a verb with Sign.
func propose(ctx context.Context, svc api.Service, c grammar.Command) (api.Proposal, error) {
	ask := c.Propose()
	if ask.Kind == api.StatementEject {
		n, err := satellite(ctx, svc, ask.Key)
		if err != nil {
			return api.Proposal{}, err
		}
		if typed := c.Text(grammar.KeyConfirm); typed != "" && typed != ask.Key && typed != n.Name && typed != n.ID {
			return api.Proposal{}, &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("%q does not confirm %q", typed, ask.Key),
				Hint: "confirm with its name or fingerprint"}
		}
		ask.Key = n.ID
	}
	return svc.Propose(ctx, ask)
}

// satellite finds one by name or fingerprint; a fingerprint need not be of a known one.
func satellite(ctx context.Context, svc api.Service, ref string) (api.Satellite, error) {
	reply, err := svc.Satellites(ctx)
	if err != nil {
		return api.Satellite{}, err
	}
	var found []api.Satellite
	for _, n := range reply.Satellites {
		if n.ID != "" && (n.ID == ref || n.Name == ref) {
			found = append(found, n)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case grammar.IsFingerprint(ref):
		return api.Satellite{ID: ref}, nil
	case len(found) > 1:
		return api.Satellite{}, &api.Error{Code: api.CodeAmbiguous, Message: fmt.Sprintf("%d satellites are named %q", len(found), ref),
			Hint: "use the fingerprint: `satellites --json` shows it"}
	}
	return api.Satellite{}, &api.Error{Code: api.CodeNotFound, Message: "no satellite " + ref, Hint: "`satellites` lists them"}
}

// confirmEject has a person type what the satellite is called.
func (r *Runner) confirmEject(ctx context.Context, n api.Satellite) error {
	what, by := n.ID, "fingerprint"
	if n.Name != "" {
		what, by = n.Name+" ("+n.ID+")", "name"
	}
	r.say(fmt.Sprintf("%s is put out of the constellation. Type its %s to go on: ", output.Clean(what), by))
	typed, err := r.readLine(ctx)
	if err != nil {
		return cancelled()
	}
	if typed = strings.TrimSpace(typed); typed == "" || typed != n.Name && typed != n.ID {
		return &api.Error{Code: api.CodeCancelled, Message: fmt.Sprintf("%q is not %s: nothing was done", typed, what)}
	}
	return nil
}

// askSignature shows a line, alone on its own, and has a person paste its signature.
func (r *Runner) askSignature(ctx context.Context, p api.Proposal) (string, error) {
	r.say("\n" + output.Clean(p.Line) + "\n\n")
	for try := range signTries {
		if try == 0 {
			r.say(fmt.Sprintf("Sign the line above as %s and paste the signature: ", output.Clean(p.Account)))
		} else {
			r.say("The signature once more, or an empty line to leave it: ")
		}
		typed, err := r.readLine(ctx)
		if err != nil || strings.TrimSpace(typed) == "" {
			return "", cancelled()
		}
		signed, err := grammar.CheckSigned(api.Signed{Line: p.Line, Signature: typed})
		if err == nil {
			return signed.Signature, nil
		}
		r.say(output.Error("", err, r.s.Colour && r.s.ErrTerminal))
	}
	return "", cancelled()
}

// declare hands a signed statement in.
func (r *Runner) declare(ctx context.Context, p output.Printer, s api.Signed) error {
	statement, err := r.svc.Declare(ctx, s)
	if err != nil {
		return err
	}
	if statement.Kind == api.StatementAdmit {
		defer r.remindOfSelf(ctx)
	}
	return p.Declared(statement)
}

// remindOfSelf tells where the asked satellite lacks its owner's word itself: without, whom it admits does not admit it.
func (r *Runner) remindOfSelf(ctx context.Context) {
	hello, err := r.svc.Hello(ctx)
	if err != nil {
		return
	}
	trust, err := r.svc.Trust(ctx)
	if err != nil || slices.ContainsFunc(trust.Statements, func(s api.Statement) bool { return s.Kind == api.StatementAdmit && s.Key == hello.ID }) {
		return
	}
	r.say(fmt.Sprintf("%s itself has no owner's word yet, without which the others do not take it for one of theirs: admit %s\n",
		output.Clean(hello.Satellite), output.Clean(hello.ID)))
}

// declareLine is the verb declare.
func (r *Runner) declareLine(ctx context.Context, p output.Printer, c grammar.Command) error {
	s := c.Signed()
	switch {
	case s.Signature != "":
		return r.declare(ctx, p, s)
	case s.Line != "":
		return &api.Error{Code: api.CodeInvalid, Message: "declare lacks SIGNATURE", Hint: c.Verb.Usage()}
	case r.s.InTerminal:
		return &api.Error{Code: api.CodeInvalid, Message: "declare lacks LINE", Hint: c.Verb.Usage()}
	}
	for n := 0; ; n++ {
		s, err := r.readSigned(ctx)
		switch {
		case errors.Is(err, io.EOF) && n == 0:
			return &api.Error{Code: api.CodeInvalid, Message: "nothing is declared", Hint: "give LINE and SIGNATURE, or both as lines of the input"}
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := r.declare(ctx, p, s); err != nil {
			return err
		}
	}
}

// readSigned reads a statement from the input: as a declare, or as two lines; io.EOF where there is none.
func (r *Runner) readSigned(ctx context.Context) (api.Signed, error) {
	var two []string
	for len(two) < 2 {
		l, err := r.readLine(ctx)
		switch {
		case errors.Is(err, io.EOF) && len(two) == 1:
			return api.Signed{}, &api.Error{Code: api.CodeInvalid, Message: "the last line of the input has no signature below it"}
		case err != nil:
			return api.Signed{}, err
		case strings.TrimSpace(l) == "":
			continue
		}
		if c, err := grammar.Parse(l); err == nil && len(two) == 0 && c.Verb.Name == "declare" && c.Signed().Signature != "" {
			return c.Signed(), nil // as decenter key prints it
		}
		two = append(two, l)
	}
	return grammar.CheckSigned(api.Signed{Line: two[0], Signature: two[1]})
}

// trust is the verb trust.
func (r *Runner) trust(ctx context.Context, p output.Printer, c grammar.Command) error {
	reply, err := r.svc.Trust(ctx)
	if err != nil {
		return err
	}
	words := c.Query().Words
	reply.Statements = slices.DeleteFunc(slices.Clone(reply.Statements), func(s api.Statement) bool { return !s.Has(words) })
	return r.answered(p.Trust(reply), len(reply.Statements), "no statements", nil, nil)
}

// audit is the verb audit. Chains that are broken make it fail.
func (r *Runner) audit(ctx context.Context, p output.Printer, c grammar.Command) error {
	ask := c.Audit(time.Now())
	reply, err := r.svc.Audit(ctx, ask)
	if err != nil {
		return err
	}
	if !ask.Verify {
		return r.answered(p.Audit(tui.ReadsLast(reply.Entries)), len(reply.Entries), "nothing found", reply.Silent, reply.Refused)
	}
	if err := r.answered(p.Chains(reply.Chains), len(reply.Chains), "no logs", reply.Silent, reply.Refused); err != nil {
		return err
	}
	var broken []string
	for _, ch := range reply.Chains {
		if ch.Broken != "" {
			broken = append(broken, ch.Satellite)
		}
	}
	if broken != nil {
		return api.Errorf(api.CodeFailed, "the log of %s is not as it was written", strings.Join(broken, ", "))
	}
	return nil
}
