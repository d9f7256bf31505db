package shell

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"decenter/engine/api"
	"decenter/shell/grammar"
	"decenter/tui"
)

// Language is the grammar for the console. Parse and Complete ask nobody.
type Language struct{ names grammar.Names }

var _ tui.Language = (*Language)(nil)

// NewLanguage makes one. names gives the names that completion knows of, from memory; nil knows none.
func NewLanguage(names grammar.Names) *Language { return &Language{names} }

// Parse implements tui.Language.
func (l *Language) Parse(line string) (tui.Intent, error) {
	c, err := grammar.Parse(line)
	if err != nil {
		return tui.Intent{}, err
	}
	in := tui.Intent{Verb: c.Verb.Name, Object: c.Word(0), Hint: c.Verb.Usage()}
	if about, ok := helpOf(c); ok {
		in.Verb, in.View, in.Object = "help", "help", about
		return in, nil
	}
	if c.Verb.Name == "" {
		in.Query, in.Object = c.Query(), ""
	}
	if c.Verb.View {
		in.View = c.Verb.Name
	}
	switch c.Verb.Name {
	case "trust":
		in.Query, in.Object = c.Query(), ""
	case "audit":
		in.Audit, in.Object = c.Audit(time.Now()), ""
	case "grant":
		in.Object = c.Text(grammar.KeyOn)
	case "tree":
		if in.Object = c.Word(1); in.Object != "" {
			in.View = "" // it is a line of text
		}
	case "declare", "revoke":
		in.Object = ""
	}
	if needsConfirm(c) {
		in.Confirm = in.Object
	}
	return in, nil
}

// Complete implements tui.Language.
func (l *Language) Complete(line string, cursor int) []tui.Suggestion {
	var all []tui.Suggestion
	for _, c := range grammar.Complete(line, cursor, l.names) {
		all = append(all, tui.Suggestion{From: c.From, Text: c.Text, Hint: c.Hint})
	}
	return all
}

// Declare implements tui.Language.
func (l *Language) Declare(ctx context.Context, svc api.Service, s api.Signed) (tui.Outcome, error) {
	s, err := grammar.CheckSigned(s)
	if err != nil {
		return tui.Outcome{}, err
	}
	statement, err := svc.Declare(ctx, s)
	if err != nil {
		return tui.Outcome{}, err
	}
	return tui.Outcome{Text: "in force, signed by " + statement.Account + "\n"}, nil
}

// Execute implements tui.Language.
func (l *Language) Execute(ctx context.Context, svc api.Service, line string) (tui.Outcome, error) {
	c, err := grammar.Parse(line)
	if err != nil {
		return tui.Outcome{}, err
	}
	var out, about bytes.Buffer
	r := NewRunner(svc, Streams{Out: &out, Err: &about}, Options{Interactive: true})
	defer r.Close()
	switch _, helps := helpOf(c); {
	case helps:
	case needsConfirm(c):
		if c.Verb.Sign == api.StatementEject {
			if _, err := satellite(ctx, svc, c.Word(0)); err != nil {
				return tui.Outcome{}, err
			}
		}
		return tui.Outcome{}, unconfirmed(c)
	case c.Verb.Work:
		job, err := begin(ctx, svc, c)
		if err != nil {
			return tui.Outcome{}, err
		}
		return tui.Outcome{Text: fmt.Sprintf("job %s: %s %s on %s\n", job.ID, job.Verb, job.Object, job.Satellite), Job: &job}, nil
	case c.Verb.Sign != "":
		proposal, err := propose(ctx, svc, c)
		if err != nil {
			return tui.Outcome{}, err
		}
		return tui.Outcome{Proposal: &proposal}, nil
	case c.Verb.Name == "console":
		return tui.Outcome{}, &api.Error{Code: api.CodeInvalid, Message: "a serial console is no text", Hint: "open its view"}
	case c.Verb.Name == "watch":
		reply, err := svc.Jobs(ctx, api.JobsRequest{ID: c.Word(0)})
		if err != nil {
			return tui.Outcome{}, err
		}
		if err := r.printer(c).Jobs(reply.Jobs); err != nil || len(reply.Jobs) == 0 {
			return tui.Outcome{}, err
		}
		return tui.Outcome{Text: out.String(), Job: &reply.Jobs[0]}, nil
	}
	if err := r.do(ctx, c); err != nil {
		return tui.Outcome{}, err
	}
	return tui.Outcome{Text: out.String() + about.String()}, nil
}
