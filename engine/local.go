package engine

import (
	"context"
	"errors"
	"io"
	"slices"

	"decenter/engine/api"
	"decenter/engine/authz"
	"decenter/engine/match"
	"decenter/keys"
	"decenter/virt"
)

// local answers for this satellite alone, to one caller. Each of its methods enters by the gate.
type local struct {
	e      *Engine
	caller api.Caller
	at     keys.Fingerprint // the satellite that the caller logged in to
}

var _ api.Service = local{}

// Local opens the view of this satellite alone, to a caller who logged in at a satellite. Other satellites' engines ask it.
func (e *Engine) Local(c api.Caller, at keys.Fingerprint) api.Service { return local{e, c, at} }

func (l local) Hello(ctx context.Context) (api.Hello, error) {
	w, err := l.look(ctx, "hello")
	if err != nil {
		return api.Hello{}, err
	}
	h := api.Hello{Satellite: l.e.cfg.Name, ID: l.e.cfg.ID, Version: l.e.cfg.Version, Account: w.account, Via: w.via, Scope: w.scope, Key: w.key}
	if !w.until.IsZero() {
		h.Until = &w.until
	}
	h.Role, h.Ejected = w.role(), l.e.cfg.Trust.Statements.View().Ejected(l.e.id)
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
	w, err := l.look(ctx, "search")
	if err != nil {
		return reply, err
	}
	items, err := l.items(ctx, w)
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

// items is everything on this satellite that w may see, in the order of kinds and names.
func (l local) items(ctx context.Context, w who) ([]api.Item, error) {
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
		if w.sees(l.e.objectVM(v.ID, v.Owner)) {
			items = append(items, api.Item{Kind: api.KindVM, Name: v.Name, State: string(v.State), Satellite: name, VM: &v})
		}
	}
	if w.sees(l.e.objectOf(api.KindSpacesuit)) {
		for _, s := range suits {
			items = append(items, api.Item{Kind: api.KindSpacesuit, Name: s.Name, Satellite: name, Spacesuit: &api.Spacesuit{
				Name: s.Name, Satellite: name, Size: s.Size, Allocated: s.Allocated, Created: s.Created}})
		}
	}
	if w.sees(l.e.objectOf(api.KindSatellite)) {
		self := l.e.selfAs(w, vms)
		items = append(items, api.Item{Kind: api.KindSatellite, Name: name, State: string(self.State), Satellite: name, Node: &self})
	}
	for _, j := range l.e.jobs.List() {
		if w.sees(l.e.objectJob(j)) {
			items = append(items, api.Item{Kind: api.KindJob, Name: j.Object, State: string(j.State), Satellite: name, Job: &j})
		}
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

// selfAs is self, with the number of VMs that w sees.
func (e *Engine) selfAs(w who, vms []api.VM) api.Satellite {
	return e.self(slices.DeleteFunc(slices.Clone(vms), func(v api.VM) bool { return !w.sees(e.objectVM(v.ID, v.Owner)) }))
}

func (l local) VM(ctx context.Context, ref string) (api.VM, error) {
	w, err := l.look(ctx, "vm")
	if err != nil {
		return api.VM{}, err
	}
	g, err := l.find(ctx, w, authz.Read, ref)
	if err != nil && api.CodeOf(err) == api.CodeNotFound {
		// A VM that is being created has no definition yet.
		vms, verr := l.e.vms(ctx)
		for _, v := range vms {
			if verr == nil && (v.Name == ref || v.ID == ref) && w.sees(l.e.objectVM(v.ID, v.Owner)) {
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

// unseen is the reason of denials of which their own account is not told: it would learn that something is there.
const unseen = "it is another's: who may not see a thing is told that there is none"

// find gives a VM that w may see, to do a to it; of others nobody learns that they are there.
func (l local) find(ctx context.Context, w who, a authz.Action, ref string) (virt.Guest, error) {
	g, err := l.e.known(ctx, ref)
	if err == nil && !w.sees(l.e.objectVM(g.ID.String(), g.Owner)) {
		_ = l.e.record(w, a, g.Name, authz.Verdict{Reason: unseen})
		return virt.Guest{}, l.e.noVM(ref)
	}
	return g, err
}

// enterVM enters for one VM.
func (l local) enterVM(ctx context.Context, a authz.Action, ref, what string) (who, virt.Guest, authz.Object, error) {
	w, err := l.e.judge(ctx, l.caller, l.at)
	if err != nil {
		_ = l.e.record(w, a, ref, authz.Verdict{Reason: err.Error()})
		return who{}, virt.Guest{}, authz.Object{}, refused(err)
	}
	g, err := l.find(ctx, w, a, ref)
	if err != nil {
		return who{}, virt.Guest{}, authz.Object{}, err
	}
	o := l.e.objectVM(g.ID.String(), g.Owner)
	return w, g, o, l.e.decide(w, a, o, what+g.Name)
}

func (l local) Create(ctx context.Context, r api.CreateRequest) (api.Job, error) {
	w, err := l.enter(ctx, authz.Create, authz.Object{Kind: api.KindVM, Satellite: l.e.cfg.Name}, r.Name)
	if err != nil {
		return api.Job{}, err
	}
	return l.e.create(ctx, w.account, r)
}

func (l local) Control(ctx context.Context, r api.ControlRequest) (api.Job, error) {
	w, g, _, err := l.enterVM(ctx, authz.Control, r.VM, string(r.Act)+" ")
	if err != nil {
		return api.Job{}, err
	}
	r.VM = g.ID.String()
	return l.e.control(ctx, w.account, r)
}

func (l local) Delete(ctx context.Context, r api.DeleteRequest) (api.Job, error) {
	w, g, _, err := l.enterVM(ctx, authz.Delete, r.VM, "")
	if err != nil {
		return api.Job{}, err
	}
	r.VM = g.ID.String()
	return l.e.delete(ctx, w.account, r)
}

func (l local) Jobs(ctx context.Context, r api.JobsRequest) (api.JobsReply, error) {
	w, err := l.look(ctx, "jobs")
	if err != nil {
		return api.JobsReply{}, err
	}
	if r.ID == "" {
		jobs := slices.DeleteFunc(l.e.jobs.List(), func(j api.Job) bool { return !w.sees(l.e.objectJob(j)) })
		return api.JobsReply{Jobs: jobs}, nil
	}
	job, err := l.job(w, r.ID)
	return api.JobsReply{Jobs: []api.Job{job}}, err
}

// job finds one job that w may see, by its id or the beginning of it.
func (l local) job(w who, id string) (api.Job, error) {
	found := slices.DeleteFunc(l.e.jobs.Find(id), func(j api.Job) bool { return !w.sees(l.e.objectJob(j)) })
	switch len(found) {
	case 0:
		return api.Job{}, api.Errorf(api.CodeNotFound, "no job %q on %s", id, l.e.cfg.Name)
	case 1:
		return found[0], nil
	}
	return api.Job{}, &api.Error{Code: api.CodeAmbiguous, Message: "more than one job begins with " + id, Hint: "give more digits"}
}

func (l local) Cancel(ctx context.Context, id string) (api.Job, error) {
	w, err := l.look(ctx, "cancel")
	if err != nil {
		return api.Job{}, err
	}
	job, err := l.job(w, id)
	if err != nil {
		if there := l.e.jobs.Find(id); api.CodeOf(err) == api.CodeNotFound && len(there) > 0 {
			_ = l.e.record(w, authz.Cancel, there[0].Verb+" "+there[0].Object, authz.Verdict{Reason: unseen})
		}
		return api.Job{}, err
	}
	if err := l.e.decide(w, authz.Cancel, l.e.objectJob(job), job.Verb+" "+job.Object); err != nil {
		return api.Job{}, err
	}
	return l.e.jobs.Cancel(job.ID)
}

var errOver = errors.New("the job is over")

func (l local) Events(ctx context.Context, r api.EventsRequest, fn func(api.Event) error) error {
	w, err := l.look(ctx, "events")
	if err != nil {
		return err
	}
	right := l.while(ctx, w, authz.Login, authz.Object{})
	defer right.stop()
	if r.Job == "" {
		err = l.changes(right, fn)
	} else {
		err = l.follow(right, r.Job, fn)
	}
	return whyEnded(right, err)
}

// whyEnded gives the reason that a context ended for, where it has one of ours.
func whyEnded(ctx context.Context, err error) error {
	var own *api.Error
	if err != nil && errors.As(context.Cause(ctx), &own) {
		return own
	}
	return err
}

// follow tells of one job until it is over, or the caller may see it no more.
func (l local) follow(ctx *right, id string, fn func(api.Event) error) error {
	ch, stop, err := l.e.bus.Subscribe()
	if err != nil {
		return err
	}
	defer stop()
	// Asked after subscribing, so that no change falls between.
	job, err := l.job(ctx.now(), id)
	if err != nil {
		return err
	}
	tell := func(j api.Job) error {
		if !ctx.now().sees(l.e.objectJob(j)) {
			return errRevoked
		}
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
				if now, ferr := l.job(ctx.now(), job.ID); ferr == nil {
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
func (l local) changes(ctx *right, fn func(api.Event) error) error {
	ch, stop, err := l.e.bus.Subscribe()
	if err != nil {
		return err
	}
	defer stop()
	for ev := (api.Event{Kind: api.EventLost, Time: l.e.cfg.Now().UTC()}); ; {
		if ev.Kind != api.EventSatellite && ev.Kind != api.EventTree && l.e.mayHear(ctx.now(), ev) {
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
	w, g, o, err := l.enterVM(ctx, authz.Console, ref, "")
	if err != nil {
		return nil, err
	}
	con, err := l.e.cfg.Guests.Console(ctx, g.ID)
	if err != nil {
		return nil, apiError(err)
	}
	right := l.while(ctx, w, authz.Console, o)
	context.AfterFunc(right, func() { con.Close() })
	return guarded{con, right}, nil
}

// guarded is a serial line that ends with the right to it.
type guarded struct {
	io.ReadWriteCloser
	right *right
}

func (g guarded) Read(b []byte) (int, error) {
	n, err := g.ReadWriteCloser.Read(b)
	return n, whyEnded(g.right, err)
}

func (g guarded) Write(b []byte) (int, error) {
	n, err := g.ReadWriteCloser.Write(b)
	return n, whyEnded(g.right, err)
}

func (g guarded) Close() error {
	g.right.stop()
	return g.ReadWriteCloser.Close()
}

// mayHear tells whether w may be told of an event.
func (e *Engine) mayHear(w who, ev api.Event) bool {
	switch {
	case ev.VM != nil:
		return w.sees(e.objectVM(ev.VM.ID, ev.VM.Owner))
	case ev.Job != nil:
		return w.sees(e.objectJob(*ev.Job))
	case ev.Kind == api.EventSatellite:
		return w.sees(e.objectOf(api.KindSatellite))
	case ev.Kind == api.EventTree:
		return w.sees(e.objectOf(authz.KindTree))
	}
	return true
}

func (l local) Satellites(ctx context.Context) (api.SatellitesReply, error) {
	w, err := l.enter(ctx, authz.Read, l.e.objectOf(api.KindSatellite), "satellite")
	if err != nil {
		return api.SatellitesReply{}, err
	}
	vms, err := l.e.vms(ctx)
	if err != nil {
		l.e.cfg.Log.Debug("satellites: VMs are not known", "err", err)
	}
	return api.SatellitesReply{Satellites: []api.Satellite{l.e.selfAs(w, vms)}}, nil
}

func (l local) Tree(ctx context.Context) (api.Tree, error) {
	if _, err := l.enter(ctx, authz.Read, l.e.objectOf(authz.KindTree), "tree"); err != nil {
		return api.Tree{}, err
	}
	t := l.e.cfg.Fabric.Tree()
	t.Satellite = l.e.cfg.Name
	return t, nil
}
