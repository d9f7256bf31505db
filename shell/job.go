package shell

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/charmbracelet/x/ansi"

	"decenter/engine/api"
	"decenter/shell/grammar"
	"decenter/shell/output"
)

// The patience with a stream of events that breaks while its job goes on.
const (
	followTries = 4
	followPause = 500 * time.Millisecond
)

// work starts a job and follows it, unless the line detaches.
func (r *Runner) work(ctx context.Context, p output.Printer, c grammar.Command) error {
	var err error
	var job api.Job
	if needsConfirm(c) {
		if !r.s.InTerminal || !r.s.ErrTerminal {
			return unconfirmed(c)
		}
		job, err = r.deleteAfterAsking(ctx, c)
	} else {
		job, err = begin(ctx, r.svc, c)
	}
	if err != nil {
		return err
	}
	if err := p.Started(r.s.Err, job); err != nil {
		return err
	}
	if r.opt.Detach || c.Detach() {
		return errRunning
	}
	return r.follow(ctx, p, job.ID, &job)
}

// deleteAfterAsking has a person type the name of what goes for good.
func (r *Runner) deleteAfterAsking(ctx context.Context, c grammar.Command) (api.Job, error) {
	vm, err := r.svc.VM(ctx, c.Word(0))
	if err != nil {
		return api.Job{}, err
	}
	r.say(fmt.Sprintf("%s on %s and its disks go for good. Type its name to delete it: ", output.Clean(vm.Name), output.Clean(vm.Satellite)))
	typed, err := r.readLine(ctx)
	if err != nil {
		return api.Job{}, cancelled()
	}
	if typed != vm.Name {
		return api.Job{}, &api.Error{Code: api.CodeCancelled, Message: fmt.Sprintf("%q is not %s: nothing was done", typed, vm.Name)}
	}
	return r.svc.Delete(ctx, api.DeleteRequest{VM: vm.ID, Confirm: typed})
}

// readLine reads what a person types.
func (r *Runner) readLine(ctx context.Context) (string, error) {
	if r.s.InTerminal && r.s.Raw == nil {
		return r.input().edit(ctx, r.s.Err)
	}
	return r.input().line(ctx)
}

// follow reports a job until it is over. started is its first state where this line began it. When ctx ends,
// or Ctrl-C is typed, the job goes on without us.
func (r *Runner) follow(ctx context.Context, p output.Printer, id string, started *api.Job) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if r.s.InTerminal && r.s.Raw == nil && !r.s.Interrupts {
		stopped := r.onInterrupt(ctx, cancel)
		defer func() { cancel(); <-stopped }()
	}
	m := meter{w: r.s.Err, terminal: r.s.ErrTerminal, dumb: r.s.Dumb, width: r.s.Width}
	f := follower{seen: started != nil}
	if started != nil {
		f.last = *started
	}
	err := f.events(ctx, r.svc, id, func(j api.Job, now time.Time, first bool) error {
		if first && !j.State.Over() {
			if err := p.Started(r.s.Err, j); err != nil {
				return err
			}
		}
		if !j.State.Over() {
			m.show(j, now)
		}
		return nil
	})
	m.clear()
	switch {
	case f.last.State.Over():
		return ended(p, f.last)
	case f.last.ID == "":
		return err
	case ctx.Err() != nil:
		r.say(fmt.Sprintf("job %s goes on; watch %s follows it again\n", f.last.ID, f.last.ID))
	default:
		r.say(output.Error("", err, r.s.Colour && r.s.ErrTerminal))
		r.say(fmt.Sprintf("job %s was last seen running; watch %s follows it again\n", f.last.ID, f.last.ID))
	}
	return errRunning
}

// ended prints what became of a job.
func ended(p output.Printer, j api.Job) error {
	if p.JSON || j.State == api.JobDone {
		if err := p.Done(j); err != nil || j.State == api.JobDone {
			return err
		}
	}
	code, why := api.CodeFailed, j.Error
	if j.State == api.JobCancelled {
		code = api.CodeCancelled
	}
	if why == "" {
		why = string(j.State)
	}
	return api.Errorf(code, "job %s, %s %s on %s: %s", j.ID, j.Verb, j.Object, j.Satellite, why)
}

// follower reads a job's events and begins again where they break off.
type follower struct {
	last api.Job // as last seen; no ID before the first event
	seen bool
}

// events calls fn with each state of the job. It returns nil once the job is over.
func (f *follower) events(ctx context.Context, svc api.Service, id string, fn func(j api.Job, now time.Time, first bool) error) error {
	var err error
	for try := range followTries {
		if try > 0 && !pause(ctx, followPause) {
			return ctx.Err()
		}
		err = svc.Events(ctx, api.EventsRequest{Job: id}, func(e api.Event) error {
			if e.Job == nil {
				return nil // EventLost: the next state tells all the same
			}
			first := !f.seen
			f.last, f.seen = *e.Job, true
			return fn(f.last, e.Time, first)
		})
		if f.last.State.Over() || ctx.Err() != nil || !f.seen {
			return err
		}
		switch api.CodeOf(err) {
		case api.CodeNotFound, api.CodeDenied, api.CodeInvalid, api.CodeAmbiguous:
			return err
		}
	}
	if err == nil {
		err = api.Errorf(api.CodeUnavailable, "the events of job %s broke off", id)
	}
	return err
}

// pause waits; false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// onInterrupt calls stop when Ctrl-C comes through a raw terminal, where it is no signal. Other keys are
// dropped. The channel closes once ctx has ended and nothing is read any more.
func (r *Runner) onInterrupt(ctx context.Context, stop func()) <-chan struct{} {
	in, done := r.input(), make(chan struct{})
	go func() {
		defer close(done)
		for {
			b, err := in.readByte(ctx)
			if err != nil {
				return
			}
			if b == 0x03 {
				stop()
				return
			}
		}
	}()
	return done
}

// meter shows a job's progress on a terminal.
type meter struct {
	w              io.Writer
	terminal, dumb bool
	width          func() int
	step           string // the last one shown
	drawn          bool   // a line is there to be written over
}

func (m *meter) show(j api.Job, now time.Time) {
	text := output.Progress(j, now)
	switch {
	case !m.terminal:
	case m.dumb:
		if j.Step != m.step {
			_, _ = io.WriteString(m.w, text+"\n")
		}
	default:
		width := 80
		if m.width != nil {
			width = m.width()
		}
		_, _ = io.WriteString(m.w, "\r"+ansi.Truncate(text, max(width-1, 10), "…")+"\x1b[K")
		m.drawn = true
	}
	m.step = j.Step
}

// clear leaves an empty line.
func (m *meter) clear() {
	if m.drawn {
		_, _ = io.WriteString(m.w, "\r\x1b[K")
		m.drawn = false
	}
}
