// Package jobs runs the engine's long work: each piece has an id, tells its progress, can be cancelled, and is
// journaled, so that after a kill -9 the next engine knows what was under way.
//
//	          Start: journal Begin            work returns nil
//	(nothing) ─────────────────────▶ running ──────────────────▶ done
//	                                   │ │      work fails
//	                                   │ └─────────────────────▶ failed
//	                                   │      Cancel, work stopped
//	                                   └───────────────────────▶ cancelled
//
// A job found running in the journal at start was cut off; the engine's recovery ends it. One found failed there left
// something (ErrLeft), and recovery clears that away.
package jobs

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"decenter/engine/api"
)

// The bounds of one satellite.
const (
	MaxRunning = 256
	// MaxAccount is how many may run for one account: nobody's hold up the others', nor root's.
	MaxAccount = MaxRunning / 4
	minPrefix  = 4 // digits of an id that are enough to name a job
)

// Work does a job. It returns soon after ctx ends, having undone what it did.
type Work func(ctx context.Context, p *Progress) error

// Jobs are the jobs of one satellite.
type Jobs struct {
	satellite string
	journal   *Journal
	publish   func(api.Job)
	now       func() time.Time
	log       *slog.Logger

	mu       sync.Mutex
	running  map[string]*runningJob
	finished []api.Job // newest first, at most keepFinished
	closed   bool
	wg       sync.WaitGroup
}

type runningJob struct {
	job    api.Job
	cancel context.CancelCauseFunc
}

var (
	errCancelled = errors.New("cancelled")
	errStopped   = errors.New("the engine was stopped in the middle of it")
)

// ErrLeft, in the error of a Work, says that it could neither be finished nor undone. The job has failed, and its plan
// stays in the journal, so that the next engine can remove what is left.
var ErrLeft = errors.New("what it left could not be removed, and is when the engine starts next")

// New makes the jobs of a satellite on its journal. publish is told of every change and must not block.
func New(satellite string, j *Journal, publish func(api.Job), now func() time.Time, log *slog.Logger) (*Jobs, error) {
	done, err := j.Finished()
	if err != nil {
		return nil, err
	}
	return &Jobs{satellite: satellite, journal: j, publish: publish, now: now, log: log,
		running: map[string]*runningJob{}, finished: done}, nil
}

// Start journals and begins a job, of which job says verb, object, account, VM and owner. plan is what recovery needs, as
// JSON; it is written before work begins. The job outlives the caller; it ends with ctx, which is the engine's.
func (j *Jobs) Start(ctx context.Context, job api.Job, plan any, work Work) (api.Job, error) {
	text, err := json.Marshal(plan)
	if err != nil {
		return api.Job{}, fmt.Errorf("plan of %s: %w", job.Verb, err)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	job = api.Job{ID: newID(), Verb: job.Verb, Object: job.Object, Satellite: j.satellite, Account: job.Account,
		VM: job.VM, Owner: job.Owner, State: api.JobRunning, Started: j.now().UTC()}
	if err := j.admit(&job, cancel); err != nil {
		cancel(nil)
		return api.Job{}, err
	}
	if err := j.journal.Begin(Record{Job: job, Plan: text}); err != nil {
		cancel(nil)
		j.mu.Lock()
		delete(j.running, job.ID)
		j.mu.Unlock()
		j.wg.Done()
		return api.Job{}, fmt.Errorf("write the journal: %w", err)
	}
	j.publish(job)
	go func() {
		defer j.wg.Done()
		err := work(ctx, &Progress{j, job.ID})
		if err != nil && errors.Is(context.Cause(ctx), errCancelled) && !errors.Is(err, ErrLeft) {
			err = errCancelled
		} else if ctx.Err() != nil && errors.Is(err, context.Canceled) && !errors.Is(err, ErrLeft) {
			err = errStopped
		}
		cancel(nil)
		j.end(job.ID, err)
	}()
	return job, nil
}

func (j *Jobs) admit(job *api.Job, cancel context.CancelCauseFunc) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed {
		return &api.Error{Code: api.CodeUnavailable, Message: "the engine is stopping"}
	}
	if len(j.running) >= MaxRunning {
		return &api.Error{Code: api.CodeExhausted, Message: fmt.Sprintf("%d jobs are running on %s", MaxRunning, j.satellite), Hint: "wait for some to end, or cancel some"}
	}
	own := 0
	for _, r := range j.running {
		if r.job.Account == job.Account {
			own++
		}
	}
	if own >= MaxAccount && job.Account != api.AccountLocal {
		return &api.Error{Code: api.CodeExhausted, Message: fmt.Sprintf("%d jobs of %s are running on %s", own, job.Account, j.satellite), Hint: "wait for some to end, or cancel some"}
	}
	// An id means one job; also a job that is over can be asked for.
	taken := func(id string) bool {
		return j.running[id] != nil || slices.ContainsFunc(j.finished, func(old api.Job) bool { return old.ID == id })
	}
	for taken(job.ID) {
		job.ID = newID()
	}
	j.running[job.ID] = &runningJob{*job, cancel}
	j.wg.Add(1)
	return nil
}

func newID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}

// Finish ends a job that an earlier engine left running.
func (j *Jobs) Finish(job api.Job, err error) {
	j.mu.Lock()
	j.running[job.ID] = &runningJob{job: job}
	j.mu.Unlock()
	j.end(job.ID, err)
}

func (j *Jobs) end(id string, err error) {
	j.mu.Lock()
	r := j.running[id]
	job := r.job
	ended := j.now().UTC()
	job.Ended, job.Step = &ended, ""
	switch {
	case err == nil:
		job.State, job.Done = api.JobDone, job.Total // the last step told of is one before the end
	case errors.Is(err, errCancelled):
		job.State, job.Error = api.JobCancelled, "cancelled"
	default:
		job.State, job.Error = api.JobFailed, err.Error()
	}
	delete(j.running, id)
	j.finished = slices.Insert(j.finished, 0, job)
	if len(j.finished) > keepFinished {
		j.finished = j.finished[:keepFinished]
	}
	j.mu.Unlock()
	// Without this line on disk the next engine would recover the job again, which recovery is made to bear.
	write := j.journal.End
	if errors.Is(err, ErrLeft) {
		write = j.journal.EndLeft
	}
	if werr := write(job); werr != nil {
		j.log.Error("the journal did not take a job's end", "job", id, "err", werr)
	}
	j.publish(job)
	j.log.Info("job "+string(job.State), "job", id, "verb", job.Verb, "object", job.Object, "account", job.Account,
		"took", ended.Sub(job.Started).Round(time.Millisecond), "err", job.Error)
}

// List gives running jobs and the last finished ones, newest first.
func (j *Jobs) List() []api.Job {
	j.mu.Lock()
	defer j.mu.Unlock()
	all := slices.Clone(j.finished)
	for _, r := range j.running {
		all = append(all, r.job)
	}
	slices.SortFunc(all, func(a, b api.Job) int {
		if c := b.Started.Compare(a.Started); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return all
}

// Find gives the jobs whose id begins with prefix; none for a prefix that is too short to mean one.
func (j *Jobs) Find(prefix string) []api.Job {
	prefix = strings.ToLower(prefix)
	if len(prefix) < minPrefix {
		return nil
	}
	return slices.DeleteFunc(j.List(), func(job api.Job) bool { return !strings.HasPrefix(job.ID, prefix) })
}

// Cancel asks a running job to stop; one that is over stays as it is.
func (j *Jobs) Cancel(id string) (api.Job, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if r := j.running[id]; r != nil && r.cancel != nil {
		r.cancel(errCancelled)
		return r.job, nil
	}
	for _, job := range j.finished {
		if job.ID == id {
			return job, &api.Error{Code: api.CodeConflict, Message: fmt.Sprintf("job %s is over: %s", id, job.State)}
		}
	}
	return api.Job{}, api.Errorf(api.CodeNotFound, "no job %s on %s", id, j.satellite)
}

// Close refuses new jobs and waits for the running ones, which end with the engine's context.
func (j *Jobs) Close() {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.wg.Wait()
}

// Progress is how work tells where it is.
type Progress struct {
	jobs *Jobs
	id   string
}

// Job is the id of the job that is told about.
func (p *Progress) Job() string { return p.id }

// Step tells what is done now, in a few words, and how far: done of total, in bytes or steps; 0 of 0 is unknown.
func (p *Progress) Step(text string, done, total uint64) {
	p.jobs.mu.Lock()
	r := p.jobs.running[p.id]
	if r == nil {
		p.jobs.mu.Unlock()
		return
	}
	r.job.Step, r.job.Done, r.job.Total = text, done, total
	job := r.job
	p.jobs.mu.Unlock()
	p.jobs.publish(job)
}
