package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"decenter/engine/api"
	"decenter/engine/authz"
	"decenter/engine/identity"
	"decenter/engine/radar"
	"decenter/keys"
)

// constellation is all satellites as one caller sees them.
type constellation struct {
	e      *Engine
	caller api.Caller
}

var _ api.Service = constellation{}

// Open gives the constellation to a caller whose account was authenticated.
func (e *Engine) Open(c api.Caller) api.Service { return constellation{e, c} }

// local is this satellite's own part.
func (c constellation) local() local { return local{c.e, c.caller, c.e.id} }

// at is one member's local view.
func (c constellation) at(m radar.Member) (api.Service, error) {
	if m.ID == c.e.cfg.ID {
		return c.local(), nil
	}
	return c.e.peers.at(m, c.caller)
}

// gathered is what the satellites said to one question.
type gathered[T any] struct {
	answers []radar.Answer[T]
	silent  []string      // names of those that did not answer
	refused []api.Refusal // those that answered, but not this caller
}

// askAll puts a question to every live satellite, this one included. Who cannot be reached, or can only tell of its
// own trouble, is as silent as who does not answer: one broken satellite spoils no answer of the others. The errors that
// are answers are CodeNotFound and CodeAmbiguous. A caller whom this very satellite refuses gets no answer at all.
func askAll[T any](ctx context.Context, c constellation, ask func(context.Context, api.Service) (T, error)) (gathered[T], error) {
	return askFor(ctx, askWait, c, ask)
}

// askFor is askAll with another patience.
func askFor[T any](ctx context.Context, wait time.Duration, c constellation, ask func(context.Context, api.Service) (T, error)) (g gathered[T], err error) {
	members := append([]radar.Member{c.e.cfg.Radar.Self()}, c.e.cfg.Radar.Peers()...)
	all, late := radar.Ask(ctx, members, wait, func(ctx context.Context, m radar.Member) (T, error) {
		s, err := c.at(m)
		if err != nil {
			var zero T
			return zero, err
		}
		return ask(ctx, s)
	})
	if err := ctx.Err(); err != nil {
		return g, err
	}
	for _, a := range all {
		switch code := api.CodeOf(a.Err); {
		case a.Err == nil, code == api.CodeNotFound, code == api.CodeAmbiguous:
			g.answers = append(g.answers, a)
		case code == api.CodeDenied && a.Member.ID == c.e.cfg.ID:
			return g, a.Err
		case code == api.CodeDenied:
			g.refused = append(g.refused, api.Refusal{Satellite: a.Member.Name, Reason: a.Err.Error()})
		default:
			c.e.cfg.Log.Debug("a satellite did not answer", "satellite", a.Member.Name, "err", a.Err)
			g.silent = append(g.silent, a.Member.Name)
		}
	}
	for _, m := range late {
		g.silent = append(g.silent, m.Name)
	}
	slices.Sort(g.silent)
	return g, nil
}

// missing says in a hint who could not tell; empty where all answered.
func (g gathered[T]) missing() string {
	var parts []string
	if len(g.silent) > 0 {
		parts = append(parts, strings.Join(g.silent, ", ")+" did not answer")
	}
	for _, r := range g.refused {
		parts = append(parts, r.Satellite+" refuses: "+r.Reason)
	}
	return strings.Join(parts, "; ")
}

func (c constellation) Hello(ctx context.Context) (api.Hello, error) { return c.local().Hello(ctx) }

func (c constellation) Search(ctx context.Context, q api.Query) (api.SearchReply, error) {
	began := time.Now()
	got, err := askAll(ctx, c, func(ctx context.Context, s api.Service) (api.SearchReply, error) { return s.Search(ctx, q) })
	if err != nil {
		return api.SearchReply{}, err
	}
	reply := api.SearchReply{Items: []api.Item{}, Silent: got.silent, Refused: got.refused}
	for _, a := range got.answers {
		reply.Items = append(reply.Items, a.Value.Items...)
	}
	slices.SortStableFunc(reply.Items, func(a, b api.Item) int {
		return strings.Compare(a.Name+"\x00"+a.Satellite, b.Name+"\x00"+b.Satellite)
	})
	reply.Took = int64(time.Since(began))
	return reply, nil
}

// holder is where a VM is, and what it is there.
type holder struct {
	member radar.Member
	vm     api.VM
}

// find asks everyone who has the VM.
func (c constellation) find(ctx context.Context, ref string) (holder, error) {
	got, err := askAll(ctx, c, func(ctx context.Context, s api.Service) (api.VM, error) { return s.VM(ctx, ref) })
	if err != nil {
		return holder{}, err
	}
	var found []holder
	for _, a := range got.answers {
		switch {
		case a.Err == nil:
			found = append(found, holder{a.Member, a.Value})
		case api.CodeOf(a.Err) != api.CodeNotFound:
			return holder{}, a.Err
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		var where []string
		for _, h := range found {
			where = append(where, h.vm.ID+" on "+h.member.Name)
		}
		return holder{}, &api.Error{Code: api.CodeAmbiguous, Message: fmt.Sprintf("%d VMs answer to %q", len(found), ref), Hint: "use an id: " + strings.Join(where, ", ")}
	case got.missing() != "":
		return holder{}, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no VM %q on the satellites that answered", ref), Hint: got.missing()}
	}
	return holder{}, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no VM %q", ref), Hint: "`vm` alone lists them all"}
}

func (c constellation) VM(ctx context.Context, ref string) (api.VM, error) {
	h, err := c.find(ctx, ref)
	return h.vm, err
}

// Create chooses the satellite. A name that a satellite which does not answer may have is waited for until that one
// should be known to be dead, and no longer: ids are what VMs are told apart by.
func (c constellation) Create(ctx context.Context, r api.CreateRequest) (api.Job, error) {
	if err := r.Check(); err != nil {
		return api.Job{}, err
	}
	q := api.Query{}
	got, err := askFor(ctx, nameWait, c, func(ctx context.Context, s api.Service) (api.SearchReply, error) { return s.Search(ctx, q) })
	if err != nil {
		return api.Job{}, err
	}
	var best *radar.Member
	var most uint64
	for _, a := range got.answers {
		if a.Err != nil {
			continue
		}
		has, free := false, uint64(0)
		for _, it := range a.Value.Items {
			if it.Kind == api.KindVM && it.Name == r.Name {
				return api.Job{}, &api.Error{Code: api.CodeExists, Message: fmt.Sprintf("a VM %q is on %s already", r.Name, it.Satellite), Hint: "choose another name"}
			}
			has = has || it.Kind == api.KindSpacesuit && it.Name == r.From
			if it.Node != nil {
				free = it.Node.MemoryFree
			}
		}
		if r.Satellite != "" {
			if a.Member.Name == r.Satellite && best != nil {
				return api.Job{}, &api.Error{Code: api.CodeAmbiguous, Message: fmt.Sprintf("two satellites are named %q", r.Satellite),
					Hint: "give one of them another name: " + best.ID + ", " + a.Member.ID}
			}
			if a.Member.Name == r.Satellite {
				best = &a.Member
			}
			continue
		}
		// The asked satellite wins a tie, being the first.
		if has && (best == nil || free > most+most/8 && best.ID != c.e.cfg.ID) {
			best, most = &a.Member, free
		}
	}
	if best == nil {
		return api.Job{}, nowhere(r, got)
	}
	s, err := c.at(*best)
	if err != nil {
		return api.Job{}, apiError(err)
	}
	return s.Create(ctx, r)
}

// nowhere tells why no satellite takes the VM.
func nowhere[T any](r api.CreateRequest, got gathered[T]) error {
	if r.Satellite == "" {
		e := &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no satellite that answers has a spacesuit %q", r.From), Hint: "`spacesuit` alone lists them"}
		if missing := got.missing(); missing != "" {
			e.Hint += "; " + missing
		}
		return e
	}
	for _, no := range got.refused {
		if no.Satellite == r.Satellite {
			return &api.Error{Code: api.CodeDenied, Message: r.Satellite + " refuses", Hint: no.Reason}
		}
	}
	if slices.Contains(got.silent, r.Satellite) {
		return &api.Error{Code: api.CodeUnavailable, Message: r.Satellite + " does not answer", Hint: "try again, or leave satellite: away"}
	}
	return &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no live satellite %q", r.Satellite), Hint: "`satellites` lists them"}
}

func (c constellation) Control(ctx context.Context, r api.ControlRequest) (api.Job, error) {
	return atHolder(ctx, c, r.VM, func(s api.Service, id string) (api.Job, error) {
		r.VM = id
		return s.Control(ctx, r)
	})
}

func (c constellation) Delete(ctx context.Context, r api.DeleteRequest) (api.Job, error) {
	return atHolder(ctx, c, r.VM, func(s api.Service, id string) (api.Job, error) {
		r.VM = id
		return s.Delete(ctx, r)
	})
}

func (c constellation) Console(ctx context.Context, ref string) (io.ReadWriteCloser, error) {
	return atHolder(ctx, c, ref, func(s api.Service, id string) (io.ReadWriteCloser, error) { return s.Console(ctx, id) })
}

// atHolder does something where the VM is, by its id: a name could mean another one a moment later.
func atHolder[T any](ctx context.Context, c constellation, ref string, do func(s api.Service, id string) (T, error)) (T, error) {
	var zero T
	h, err := c.find(ctx, ref)
	if err != nil {
		return zero, err
	}
	s, err := c.at(h.member)
	if err != nil {
		return zero, apiError(err)
	}
	return do(s, h.vm.ID)
}

func (c constellation) Jobs(ctx context.Context, r api.JobsRequest) (api.JobsReply, error) {
	if r.ID != "" {
		_, job, err := c.findJob(ctx, r.ID)
		return api.JobsReply{Jobs: []api.Job{job}}, err
	}
	got, err := askAll(ctx, c, func(ctx context.Context, s api.Service) (api.JobsReply, error) { return s.Jobs(ctx, r) })
	if err != nil {
		return api.JobsReply{}, err
	}
	reply := api.JobsReply{Jobs: []api.Job{}, Silent: got.silent, Refused: got.refused}
	for _, a := range got.answers {
		if a.Err == nil {
			reply.Jobs = append(reply.Jobs, a.Value.Jobs...)
		}
	}
	slices.SortStableFunc(reply.Jobs, func(a, b api.Job) int { return b.Started.Compare(a.Started) })
	return reply, nil
}

// findJob asks everyone who has the job.
func (c constellation) findJob(ctx context.Context, id string) (radar.Member, api.Job, error) {
	got, err := askAll(ctx, c, func(ctx context.Context, s api.Service) (api.JobsReply, error) {
		return s.Jobs(ctx, api.JobsRequest{ID: id})
	})
	if err != nil {
		return radar.Member{}, api.Job{}, err
	}
	var where []radar.Member
	var found []api.Job
	for _, a := range got.answers {
		switch {
		case a.Err == nil: // one job: local and heard see to that
			where, found = append(where, a.Member), append(found, a.Value.Jobs...)
		case api.CodeOf(a.Err) != api.CodeNotFound:
			return radar.Member{}, api.Job{}, a.Err
		}
	}
	switch len(found) {
	case 1:
		return where[0], found[0], nil
	case 0:
		e := &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no job %q", id), Hint: "`jobs` lists them; an id needs at least 4 digits"}
		if missing := got.missing(); missing != "" {
			e.Hint = missing
		}
		return radar.Member{}, api.Job{}, e
	}
	return radar.Member{}, api.Job{}, &api.Error{Code: api.CodeAmbiguous, Message: "more than one job begins with " + id, Hint: "give more digits"}
}

func (c constellation) Cancel(ctx context.Context, id string) (api.Job, error) {
	m, job, err := c.findJob(ctx, id)
	if err != nil {
		return api.Job{}, err
	}
	s, err := c.at(m)
	if err != nil {
		return api.Job{}, apiError(err)
	}
	return s.Cancel(ctx, job.ID)
}

func (c constellation) Satellites(ctx context.Context) (api.SatellitesReply, error) {
	got, err := askAll(ctx, c, func(ctx context.Context, s api.Service) (api.SatellitesReply, error) { return s.Satellites(ctx) })
	if err != nil {
		return api.SatellitesReply{}, err
	}
	told := map[string]api.Satellite{}
	for _, a := range got.answers {
		if a.Err == nil && len(a.Value.Satellites) == 1 {
			told[a.Member.ID] = a.Value.Satellites[0]
		}
	}
	skews := c.e.cfg.Trust.Verifier.Skews()
	reply := api.SatellitesReply{Satellites: []api.Satellite{}, Refused: got.refused}
	for _, m := range c.e.cfg.Radar.Members() {
		s := satelliteOf(m)
		if t, ok := told[m.ID]; ok {
			s = t
		} else if s.State == api.SatelliteLive {
			s.State = api.SatelliteSilent
		}
		if id, err := keys.ParseFingerprint(m.ID); err == nil {
			s.ClockOff = int64(skews[id])
		}
		reply.Satellites = append(reply.Satellites, s)
	}
	reply.Satellites = append(reply.Satellites, c.e.strangers()...)
	return reply, nil
}

// strangers are the neighbours on a cable that nobody admitted and, as long as this satellite belongs to nobody itself, the
// others in the tree that it then is part of. By MAC: their names are theirs to claim.
func (e *Engine) strangers() (all []api.Satellite) {
	t, admitted := e.cfg.Fabric.Tree(), map[string]bool{}
	for _, id := range e.cfg.Trust.Statements.View().AdmittedIDs() {
		admitted[identity.MACOf(id).String()] = true
	}
	stranger := func(mac, where string) {
		all = append(all, api.Satellite{Name: mac, State: api.SatelliteStranger, Address: where})
	}
	for _, p := range t.Ports {
		if p.Note == api.NoteStranger {
			stranger(p.Neighbour, p.Name)
		}
	}
	for _, n := range t.Nodes {
		if !admitted[n.ID] && n.ID != identity.MACOf(e.id).String() {
			stranger(n.ID, "in the tree")
		}
	}
	return all
}

func (c constellation) Tree(ctx context.Context) (api.Tree, error) { return c.local().Tree(ctx) }

// Events joins this satellite's events with those of every live one, also of those that come later.
func (c constellation) Events(ctx context.Context, r api.EventsRequest, fn func(api.Event) error) error {
	if r.Job != "" {
		m, job, err := c.findJob(ctx, r.Job)
		if err != nil {
			return err
		}
		s, err := c.at(m)
		if err != nil {
			return apiError(err)
		}
		return s.Events(ctx, api.EventsRequest{Job: job.ID}, fn)
	}
	w, err := c.local().look(ctx, "events")
	if err != nil {
		return err
	}
	right := c.local().while(ctx, w, authz.Login, authz.Object{})
	defer right.stop()
	ctx, cancel := context.WithCancelCause(right)
	defer cancel(nil)
	// fn is called by one reader at a time.
	var mu sync.Mutex
	tell := func(ev api.Event) error {
		mu.Lock()
		defer mu.Unlock()
		if err := ctx.Err(); err != nil {
			return err
		}
		err := fn(ev)
		if err != nil {
			cancel(err)
		}
		return err
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { c.followPeers(ctx, tell) })
	err = c.e.bus.Each(ctx, func(ev api.Event) error {
		if !c.e.mayHear(right.now(), ev) {
			return nil
		}
		return tell(ev)
	})
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	cancel(nil)
	return err
}

// followPeers keeps one stream of events open to each live satellite.
func (c constellation) followPeers(ctx context.Context, tell func(api.Event) error) {
	changed, stop := c.e.cfg.Radar.Watch()
	defer stop()
	again := time.NewTicker(joinEvery)
	defer again.Stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	var mu sync.Mutex
	open := map[string]bool{}
	for first := true; ; first = false {
		for _, m := range c.e.cfg.Radar.Peers() {
			mu.Lock()
			already := open[m.ID]
			open[m.ID] = true
			mu.Unlock()
			if already {
				continue
			}
			wg.Go(func() {
				defer func() { mu.Lock(); delete(open, m.ID); mu.Unlock() }()
				s, err := c.at(m)
				if err == nil {
					err = s.Events(ctx, api.EventsRequest{}, told(first, tell))
				}
				c.e.cfg.Log.Debug("events of a satellite ended", "satellite", m.Name, "err", err)
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-again.C:
		}
	}
}

// told passes on what a satellite tells, the first of which is EventLost (see local.Events): the reader has missed what
// was before, unless it only begins to read now.
func told(begins bool, tell func(api.Event) error) func(api.Event) error {
	return func(ev api.Event) error {
		if begins && ev.Kind == api.EventLost {
			begins = false
			return nil
		}
		return tell(ev)
	}
}
