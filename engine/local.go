package engine

import (
	"context"
	"errors"
	"io"

	"decenter/engine/api"
	"decenter/engine/match"
)

// local answers for this satellite alone, to one caller.
type local struct {
	e      *Engine
	caller api.Caller
}

var _ api.Service = local{}

// Local opens the view of this satellite alone. Other satellites' engines ask it, for the caller they name.
func (e *Engine) Local(c api.Caller) api.Service { return local{e, c} }

func (l local) Hello(context.Context) (api.Hello, error) {
	h := api.Hello{Satellite: l.e.cfg.Name, ID: l.e.cfg.ID, Version: l.e.cfg.Version, Account: l.caller.Account}
	for _, m := range l.e.cfg.Radar.Members() {
		h.Known++
		if m.State == api.SatelliteLive {
			h.Live++
		}
	}
	return h, nil
}

func (l local) Search(ctx context.Context, q api.Query) (api.SearchReply, error) {
	limit := q.Limit
	if limit <= 0 || limit > api.MaxItems {
		limit = api.MaxItems
	}
	began := l.e.cfg.Now()
	reply := api.SearchReply{Items: []api.Item{}}
	items, err := l.items(ctx)
	if err != nil {
		return reply, err
	}
	for _, it := range items {
		if len(reply.Items) < limit && match.Item(q, it) {
			reply.Items = append(reply.Items, it)
		}
	}
	reply.Took = int64(l.e.cfg.Now().Sub(began))
	return reply, nil
}

// items is everything on this satellite that can be found, in the order of kinds and names.
func (l local) items(ctx context.Context) ([]api.Item, error) {
	vms, err := l.e.vms(ctx)
	if err != nil {
		return nil, err
	}
	suits, err := l.e.cfg.Volumes.Spacesuits(ctx)
	if err != nil {
		return nil, apiError(err)
	}
	var items []api.Item
	name := l.e.cfg.Name
	for _, v := range vms {
		items = append(items, api.Item{Kind: api.KindVM, Name: v.Name, State: string(v.State), Satellite: name, VM: &v})
	}
	for _, s := range suits {
		items = append(items, api.Item{Kind: api.KindSpacesuit, Name: s.Name, Satellite: name, Spacesuit: &api.Spacesuit{
			Name: s.Name, Satellite: name, Size: s.Size, Allocated: s.Allocated, Created: s.Created}})
	}
	self := l.e.self(vms)
	items = append(items, api.Item{Kind: api.KindSatellite, Name: name, State: string(self.State), Satellite: name, Node: &self})
	for _, j := range l.e.jobs.List() {
		items = append(items, api.Item{Kind: api.KindJob, Name: j.Object, State: string(j.State), Satellite: name, Job: &j})
	}
	return items, nil
}

// self is this satellite as it knows itself.
func (e *Engine) self(vms []api.VM) api.Satellite {
	s := satelliteOf(e.cfg.Radar.Self())
	s.State, s.VMs, s.Accel = api.SatelliteLive, len(vms), string(e.cfg.Accel())
	for _, v := range vms {
		if v.State == api.StateRunning {
			s.Running++
		}
	}
	s.Uptime = int64(e.cfg.Now().Sub(e.began).Seconds())
	host(&s)
	return s
}

func (l local) VM(ctx context.Context, ref string) (api.VM, error) {
	g, err := l.e.known(ctx, ref)
	if err != nil && api.CodeOf(err) == api.CodeNotFound {
		// A VM that is being created has no definition yet.
		vms, verr := l.e.vms(ctx)
		for _, v := range vms {
			if verr == nil && (v.Name == ref || v.ID == ref) {
				return v, nil
			}
		}
	}
	if err != nil {
		return api.VM{}, err
	}
	v := l.e.view(g)
	usage, err := l.e.cfg.Volumes.Usage(ctx, g.ID)
	if err != nil {
		l.e.cfg.Log.Warn("the disks' usage is not known", "vm", g.Name, "err", err)
		return v, nil
	}
	v.Disks = v.Disks[:0]
	for _, u := range usage {
		v.Disks = append(v.Disks, api.Disk{Name: u.Disk.Name, Size: u.Size, Allocated: u.Allocated})
	}
	return v, nil
}

func (l local) Create(ctx context.Context, r api.CreateRequest) (api.Job, error) {
	return l.e.create(ctx, l.caller.Account, r)
}

func (l local) Control(ctx context.Context, r api.ControlRequest) (api.Job, error) {
	return l.e.control(ctx, l.caller.Account, r)
}

func (l local) Delete(ctx context.Context, r api.DeleteRequest) (api.Job, error) {
	return l.e.delete(ctx, l.caller.Account, r)
}

func (l local) Jobs(_ context.Context, r api.JobsRequest) (api.JobsReply, error) {
	if r.ID == "" {
		return api.JobsReply{Jobs: l.e.jobs.List()}, nil
	}
	job, err := l.job(r.ID)
	return api.JobsReply{Jobs: []api.Job{job}}, err
}

// job finds one job by its id or the beginning of it.
func (l local) job(id string) (api.Job, error) {
	switch found := l.e.jobs.Find(id); len(found) {
	case 0:
		return api.Job{}, api.Errorf(api.CodeNotFound, "no job %q on %s", id, l.e.cfg.Name)
	case 1:
		return found[0], nil
	}
	return api.Job{}, &api.Error{Code: api.CodeAmbiguous, Message: "more than one job begins with " + id, Hint: "give more digits"}
}

func (l local) Cancel(_ context.Context, id string) (api.Job, error) {
	job, err := l.job(id)
	if err != nil {
		return api.Job{}, err
	}
	return l.e.jobs.Cancel(job.ID)
}

var errOver = errors.New("the job is over")

func (l local) Events(ctx context.Context, r api.EventsRequest, fn func(api.Event) error) error {
	if r.Job == "" {
		return l.changes(ctx, fn)
	}
	ch, stop, err := l.e.bus.Subscribe()
	if err != nil {
		return err
	}
	defer stop()
	// Asked after subscribing, so that no change falls between.
	job, err := l.job(r.Job)
	if err != nil {
		return err
	}
	tell := func(j api.Job) error {
		if err := fn(api.Event{Kind: api.EventJob, Time: l.e.cfg.Now().UTC(), Job: &j}); err != nil {
			return err
		}
		if j.State.Over() {
			return errOver
		}
		return nil
	}
	for err = tell(job); err == nil; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ev := <-ch:
			switch {
			case ev.Kind == api.EventJob && ev.Job.ID == job.ID:
				err = tell(*ev.Job)
			case ev.Kind == api.EventLost:
				if now, ferr := l.job(job.ID); ferr == nil {
					err = tell(now)
				}
			}
		}
	}
	if errors.Is(err, errOver) {
		return nil
	}
	return err
}

// changes tells of this satellite's things. The first event is EventLost, by which an asker whose stream broke knows that
// from here on nothing is missing; what concerns the constellation each asker's own engine tells.
func (l local) changes(ctx context.Context, fn func(api.Event) error) error {
	ch, stop, err := l.e.bus.Subscribe()
	if err != nil {
		return err
	}
	defer stop()
	for ev := (api.Event{Kind: api.EventLost, Time: l.e.cfg.Now().UTC()}); ; {
		if ev.Kind != api.EventSatellite && ev.Kind != api.EventTree {
			if err := fn(ev); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ev = <-ch:
		}
	}
}

func (l local) Console(ctx context.Context, ref string) (io.ReadWriteCloser, error) {
	g, err := l.e.known(ctx, ref)
	if err != nil {
		return nil, err
	}
	con, err := l.e.cfg.Guests.Console(ctx, g.ID)
	return con, apiError(err)
}

func (l local) Satellites(ctx context.Context) (api.SatellitesReply, error) {
	vms, err := l.e.vms(ctx)
	if err != nil {
		l.e.cfg.Log.Debug("satellites: VMs are not known", "err", err)
	}
	return api.SatellitesReply{Satellites: []api.Satellite{l.e.self(vms)}}, nil
}

func (l local) Tree(context.Context) (api.Tree, error) {
	t := l.e.cfg.Fabric.Tree()
	t.Satellite = l.e.cfg.Name
	return t, nil
}
