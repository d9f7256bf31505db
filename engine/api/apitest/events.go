package apitest

import (
	"context"

	"decenter/engine/api"
)

// maxBehind is how many events a reader may fall behind (engine/api, Service.Events).
const maxBehind = 1024

// reader is one call of Events.
type reader struct {
	job  string // the only job it wants; empty: all
	ch   chan api.Event
	lost bool // events were dropped since ch was last found with room
}

// tell gives an event to every reader, never waiting for one. c.mu is held.
func (c *Constellation) tell(e api.Event) {
	e.Time = c.clock // telling does not move the clock: how many readers there are must not show
	for r := range c.readers {
		if r.job != "" && (e.Job == nil || e.Job.ID != r.job) {
			continue
		}
		if r.lost && len(r.ch) < maxBehind {
			r.ch <- api.Event{Kind: api.EventLost, Time: e.Time}
			r.lost = false
		}
		select {
		case r.ch <- e:
		default:
			r.lost = true
		}
	}
}

func (c *Constellation) tellJob(j *job) {
	seen := j.Job
	c.tell(api.Event{Kind: api.EventJob, Job: &seen})
}

// Events implements api.Service.
func (v view) Events(ctx context.Context, r api.EventsRequest, fn func(api.Event) error) error {
	if err := v.begin(ctx, "Events"); err != nil {
		return err
	}
	c := v.c
	in := &reader{ch: make(chan api.Event, maxBehind)}
	c.mu.Lock()
	if r.Job != "" {
		j, err := c.job(r.Job)
		if err != nil {
			c.mu.Unlock()
			return err
		}
		in.job = j.ID
		now := j.Job
		in.ch <- api.Event{Kind: api.EventJob, Time: c.clock, Job: &now} // asking does not move the clock
	}
	c.readers[in] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.readers, in)
	}()
	for {
		select {
		case e := <-in.ch:
			if err := fn(e); err != nil {
				return err
			}
			if in.job != "" && e.Job != nil && e.Job.State.Over() {
				return nil
			}
		case <-ctx.Done():
			return &api.Error{Code: api.CodeOf(ctx.Err()), Message: "the events were given up"}
		case <-c.ctx.Done():
			return api.Errorf(api.CodeUnavailable, "the constellation is closed")
		}
	}
}
