package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"decenter/engine/api"
	"decenter/shell/grammar"
	"decenter/shell/output"
)

// Options of every line that a Runner carries out.
type Options struct {
	JSON        bool // as if each line had --json
	Detach      bool // as if each line that starts a job had --detach
	Interactive bool // someone types line after line: quit has a meaning
}

// Runner carries out lines, one after the other, on one constellation. It is not safe for concurrent use.
type Runner struct {
	svc  api.Service // nil where the lines need none
	s    Streams
	opt  Options
	in   *input // of s.In, once it was needed
	left bool   // quit was asked
}

// NewRunner makes one. Close it: what is typed after a console or a question has its own reader.
func NewRunner(svc api.Service, s Streams, opt Options) *Runner {
	if s.In == nil {
		s.In = strings.NewReader("")
	}
	return &Runner{svc: svc, s: s, opt: opt}
}

// Close stops reading from In. The streams stay open.
func (r *Runner) Close() {
	if r.in != nil {
		r.in.close()
		r.in = nil
	}
}

// Run carries out one line and gives its exit code.
func Run(ctx context.Context, svc api.Service, line string, s Streams, opt Options) int {
	r := NewRunner(svc, s, opt)
	defer r.Close()
	return r.Run(ctx, line)
}

// Run carries out one line and gives its exit code.
func (r *Runner) Run(ctx context.Context, line string) int {
	c, err := grammar.Parse(line)
	if err == nil {
		err = r.do(ctx, c)
	}
	return r.report(line, err)
}

// errRunning ends a line whose job goes on. What there is to say of it has been said.
var errRunning = errors.New("the job is still running")

// report writes an error and gives the exit code.
func (r *Runner) report(line string, err error) int {
	switch {
	case err == nil:
		return api.ExitDone
	case errors.Is(err, errRunning):
		return api.ExitRunning
	}
	r.say(output.Error(line, err, r.s.Colour && r.s.ErrTerminal))
	return api.ExitCode(err)
}

// say writes to Err. Where Err is gone there is nobody left to tell.
func (r *Runner) say(text string) { _, _ = io.WriteString(r.s.Err, text) }

func (r *Runner) printer(c grammar.Command) output.Printer {
	return output.Printer{W: r.s.Out, Width: r.s.outWidth(), Colour: r.s.Colour && r.s.OutTerminal, JSON: r.opt.JSON || c.Flag(grammar.FlagJSON)}
}

func (r *Runner) input() *input {
	if r.in == nil {
		r.in = newInput(r.s.In)
	}
	return r.in
}

// do carries out a command.
func (r *Runner) do(ctx context.Context, c grammar.Command) error {
	p := r.printer(c)
	if about, ok := helpOf(c); ok {
		return help(p, about)
	}
	switch {
	case c.Verb.Interactive:
		if !r.opt.Interactive {
			return &api.Error{Code: api.CodeInvalid, Message: c.Verb.Name + " has nothing to leave here", Hint: "it is for the console"}
		}
		r.left = true
		return nil
	case c.Verb.Work:
		return r.work(ctx, p, c)
	case c.Verb.Sign != "":
		return r.sign(ctx, p, c)
	}
	return r.named(ctx, p, c)
}

// named carries out a verb that has a way of its own.
func (r *Runner) named(ctx context.Context, p output.Printer, c grammar.Command) error {
	switch c.Verb.Name {
	case "":
		return r.search(ctx, p, c)
	case "console":
		return r.console(ctx, c.Word(0), c.Duration(grammar.KeyIdle))
	case "jobs":
		reply, err := r.svc.Jobs(ctx, api.JobsRequest{})
		if err != nil {
			return err
		}
		return r.answered(p.Jobs(reply.Jobs), len(reply.Jobs), "no jobs", reply.Silent, reply.Refused)
	case "watch":
		return r.follow(ctx, p, c.Word(0), nil)
	case "cancel":
		job, err := r.svc.Cancel(ctx, c.Word(0))
		if err != nil {
			return err
		}
		return p.Text(fmt.Sprintf("asked job %s to stop; watch %s tells whether it did\n", job.ID, job.ID), job)
	case "satellites":
		reply, err := r.svc.Satellites(ctx)
		if err != nil {
			return err
		}
		err = p.Satellites(reply.Satellites)
		r.say(output.Strangers(reply.Satellites) + output.Clocks(reply.Satellites) + output.Refused(reply.Refused))
		return err
	case "tree":
		return r.tree(ctx, p, c)
	case "trust":
		return r.trust(ctx, p, c)
	case "audit":
		return r.audit(ctx, p, c)
	case "declare":
		return r.declareLine(ctx, p, c)
	case "whoami":
		hello, err := r.svc.Hello(ctx)
		if err != nil {
			return err
		}
		return p.Hello(hello)
	}
	panic("shell: the table has the verb " + c.Verb.Name + " and nobody carries it out")
}

// tree shows the tree, or tells or sets a satellite's priority in it.
func (r *Runner) tree(ctx context.Context, p output.Printer, c grammar.Command) error {
	ask, sets := c.TreePriority()
	if sets {
		set, err := r.svc.TreePriority(ctx, ask)
		if err != nil {
			return err
		}
		return p.TreePriority(set)
	}
	t, err := r.svc.Tree(ctx)
	switch {
	case err != nil:
		return err
	case ask.Satellite == "":
		return p.Tree(t)
	}
	n, err := r.node(ctx, t, ask.Satellite)
	if err != nil {
		return err
	}
	return p.TreeNode(t, n)
}

// node finds a satellite in the tree, by its name or fingerprint.
func (r *Runner) node(ctx context.Context, t api.Tree, ref string) (api.TreeNode, error) {
	s := api.Satellite{Name: ref}
	if grammar.IsFingerprint(ref) {
		var err error
		if s, err = satellite(ctx, r.svc, ref); err != nil {
			return api.TreeNode{}, err
		}
	}
	for _, n := range t.Nodes {
		if n.Name != "" && n.Name == s.Name {
			return n, nil
		}
	}
	return api.TreeNode{}, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no satellite %q in the tree that %s knows", ref, output.Clean(t.Satellite)),
		Hint: "`tree` shows who is in it, `satellites` who answers"}
}

// search asks every satellite, and tells who did not answer, and who refused to.
func (r *Runner) search(ctx context.Context, p output.Printer, c grammar.Command) error {
	reply, err := r.svc.Search(ctx, c.Query())
	if err != nil {
		return err
	}
	none := "nothing found"
	if near, ok := grammar.Near(c); ok {
		none += fmt.Sprintf("; there is a verb %q", near)
	}
	return r.answered(p.Items(reply.Items), len(reply.Items), none, reply.Silent, reply.Refused)
}

// answered tells what a printed answer of n things does not: that it is none, and who gave no answer, or not to this caller.
func (r *Runner) answered(err error, n int, none string, silent []string, refused []api.Refusal) error {
	if err != nil {
		return err
	}
	if n == 0 {
		r.say(none + "\n")
	}
	r.say(output.Silent(silent) + output.Refused(refused))
	return nil
}

// helpOf tells what a line asks help about; empty is everything.
func helpOf(c grammar.Command) (string, bool) {
	switch {
	case c.Flag(grammar.FlagHelp):
		return c.Verb.Name, true
	case c.Verb.Name == "help":
		return c.Word(0), true
	}
	return "", false
}

func help(p output.Printer, about string) error {
	if v, ok := grammar.Find(about); ok && about != "" {
		return p.Text(v.Help(), v)
	}
	if p.JSON {
		return p.Verbs(grammar.Verbs())
	}
	return p.Text(grammar.Overview(), nil)
}

// begin starts the job of a verb that needs one. A deletion is confirmed by the line.
func begin(ctx context.Context, svc api.Service, c grammar.Command) (api.Job, error) {
	switch {
	case c.Verb.Act != "":
		return svc.Control(ctx, c.Control())
	case c.Verb.Name == "create":
		r := c.Create()
		if err := r.Check(); err != nil {
			return api.Job{}, err
		}
		return svc.Create(ctx, r)
	case c.Verb.Name == "delete":
		r := c.Delete()
		if grammar.IsID(r.VM) && r.Confirm == r.VM {
			// Whoever types an id twice means it; the engine wants the name.
			vm, err := svc.VM(ctx, r.VM)
			if err != nil {
				return api.Job{}, err
			}
			r.Confirm = vm.Name
		}
		return svc.Delete(ctx, r)
	}
	panic("shell: the table has the verb " + c.Verb.Name + " and nobody begins its job")
}

// unconfirmed is the error of an act that nobody can be asked about.
func unconfirmed(c grammar.Command) error {
	what := "deleting %s is for good and not confirmed"
	if c.Verb.Sign == api.StatementEject {
		what = "ejecting %s is not confirmed"
	}
	return &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf(what, c.Word(0)), Hint: "add confirm:" + c.Word(0)}
}

// needsConfirm tells whether a person must type the name first.
func needsConfirm(c grammar.Command) bool {
	_, has := c.Verb.Key(grammar.KeyConfirm)
	return has && c.Text(grammar.KeyConfirm) == ""
}
