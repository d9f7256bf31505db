package apitest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"decenter/engine/api"
)

// maxJobs under way at once, as a real satellite bounds them too.
const maxJobs = 64

// job is one piece of work. Its embedded state is guarded by the constellation's lock.
type job struct {
	api.Job
	cancel context.CancelFunc
}

// plan is what a job does. All three functions run with the lock held; any may be nil.
type plan struct {
	steps []string
	bytes uint64 // counted over the steps; 0: unknown
	begin func() // at once
	end   func() // when all went well
	undo  func() // when not
}

// start makes a job and lets it run. c.mu is held.
func (c *Constellation) start(account, verb string, vm api.VM, p plan) (api.Job, error) {
	running := 0
	for _, j := range c.jobs {
		if !j.State.Over() {
			running++
		}
	}
	if running >= maxJobs {
		return api.Job{}, &api.Error{Code: api.CodeExhausted, Message: fmt.Sprintf("%d jobs are under way", running), Hint: "wait for one to end"}
	}
	ctx, cancel := context.WithCancel(c.ctx)
	j := &job{cancel: cancel, Job: api.Job{ID: fmt.Sprintf("%08x", c.mint()), Verb: verb, Object: vm.Name, Satellite: vm.Satellite,
		Account: account, State: api.JobRunning, Step: p.steps[0], Total: p.bytes, Started: c.now()}}
	c.jobs = append(c.jobs, j)
	if p.begin != nil {
		p.begin()
	}
	first := j.Job
	c.tellJob(j)
	c.wait.Go(func() { c.run(ctx, j, p) })
	return first, nil
}

// run takes a job through its steps.
func (c *Constellation) run(ctx context.Context, j *job, p plan) {
	defer j.cancel()
	for i, step := range p.steps {
		c.mu.Lock()
		j.Step, j.Done = step, p.bytes*uint64(i)/uint64(len(p.steps))
		c.tellJob(j)
		delay, held := c.delays[Step], c.held
		c.mu.Unlock()
		if held != nil && i == len(p.steps)-1 {
			select {
			case <-held:
			case <-ctx.Done():
			}
		}
		if sleep(ctx, delay) != nil {
			break
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	fault := c.jobFaults[j.Verb]
	switch {
	case ctx.Err() != nil:
		j.State, j.Error = api.JobCancelled, "cancelled and undone"
	case fault != nil:
		j.State, j.Error = api.JobFailed, fault.Error()
	default:
		j.State, j.Done = api.JobDone, j.Total
	}
	finish := p.end
	if j.State != api.JobDone {
		finish = p.undo
	}
	if finish != nil {
		finish()
	}
	ended := c.now()
	j.Ended, j.Step = &ended, ""
	c.tellJob(j)
}

// changed gives a VM a state and tells of it. c.mu is held.
func (c *Constellation) changed(id string, s api.VMState) {
	for i := range c.vms {
		if c.vms[i].ID == id {
			c.vms[i].State = s
			v := c.vms[i]
			c.tell(api.Event{Kind: api.EventVM, VM: &v})
		}
	}
}

// remove takes a VM out and tells of it. c.mu is held.
func (c *Constellation) remove(id string) {
	i := slices.IndexFunc(c.vms, func(v api.VM) bool { return v.ID == id })
	if i < 0 {
		return
	}
	v := c.vms[i]
	c.vms = slices.Delete(c.vms, i, i+1)
	delete(c.lines, id)
	c.tell(api.Event{Kind: api.EventVM, Gone: true, VM: &v})
}

// Jobs implements api.Service.
func (v view) Jobs(ctx context.Context, r api.JobsRequest) (api.JobsReply, error) {
	if err := v.begin(ctx, "Jobs"); err != nil {
		return api.JobsReply{}, err
	}
	c := v.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.ID != "" {
		j, err := c.job(r.ID)
		if err != nil {
			return api.JobsReply{}, err
		}
		return api.JobsReply{Jobs: []api.Job{j.Job}, Silent: c.silent()}, nil
	}
	reply := api.JobsReply{Silent: c.silent(), Refused: slices.Clone(c.refused)}
	for _, j := range slices.Backward(c.jobs) {
		if c.answers(j.Satellite) {
			reply.Jobs = append(reply.Jobs, j.Job)
		}
	}
	return reply, nil
}

// Cancel implements api.Service.
func (v view) Cancel(ctx context.Context, id string) (api.Job, error) {
	if err := v.begin(ctx, "Cancel", id); err != nil {
		return api.Job{}, err
	}
	c := v.c
	c.mu.Lock()
	defer c.mu.Unlock()
	j, err := c.job(id)
	if err != nil {
		return api.Job{}, err
	}
	if j.State.Over() {
		return api.Job{}, api.Errorf(api.CodeConflict, "job %s is %s", j.ID, j.State)
	}
	j.cancel()
	return j.Job, nil
}

// job finds one by its id or a prefix of at least four digits. c.mu is held.
func (c *Constellation) job(id string) (*job, error) {
	var found *job
	for _, j := range c.jobs {
		if len(id) < 4 || !strings.HasPrefix(j.ID, strings.ToLower(id)) || !c.answers(j.Satellite) {
			continue
		}
		if found != nil {
			return nil, &api.Error{Code: api.CodeAmbiguous, Message: fmt.Sprintf("several jobs begin with %q", id), Hint: "give more digits"}
		}
		found = j
	}
	if found == nil {
		return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no job %q", id), Hint: "`jobs` lists them"}
	}
	return found, nil
}
