package engine

import (
	"context"
	"slices"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/engine/match"
	"decenter/engine/proof"
	"decenter/engine/radar"
	"decenter/virt"
)

// heard is another satellite's local view, believed in what is its own to say and in nothing else: it may not speak for
// other satellites, and what it says has the shape that the api promises, so that no reader has to look twice. Text in it
// is any text; who shows it takes care of that.
type heard struct {
	api.Service
	from radar.Member
	now  func() time.Time
}

// maxHeardJobs bounds what is taken of one satellite's jobs; an honest one has fewer.
const maxHeardJobs = 1000

func (h heard) lies(about string) error {
	return api.Errorf(api.CodeFailed, "%s gave an answer about %s that makes no sense", h.from.Name, about)
}

func (h heard) vm(v *api.VM) bool {
	if v == nil || api.CheckName(v.Name) != nil {
		return false
	}
	_, err := virt.ParseID(v.ID)
	v.Satellite = h.from.Name
	return err == nil
}

func (h heard) job(j *api.Job) bool {
	if j == nil || j.ID == "" {
		return false
	}
	j.Satellite = h.from.Name
	return true
}

func (h heard) node(s *api.Satellite) bool {
	if s == nil {
		return false
	}
	// Who it is, its key has proven; how it fares, it says itself.
	is := satelliteOf(h.from)
	s.Name, s.ID, s.Address, s.State = is.Name, is.ID, is.Address, api.SatelliteLive
	return true
}

func (h heard) item(it api.Item) (api.Item, bool) {
	out := api.Item{Kind: it.Kind, Name: it.Name, State: it.State, Satellite: h.from.Name}
	ok := false
	switch it.Kind {
	case api.KindVM:
		out.VM = it.VM
		ok = h.vm(it.VM) && it.VM.Name == it.Name
	case api.KindSpacesuit:
		out.Spacesuit = it.Spacesuit
		if ok = it.Spacesuit != nil && it.Spacesuit.Name == it.Name && api.CheckName(it.Name) == nil; ok {
			out.Spacesuit.Satellite = h.from.Name
		}
	case api.KindSatellite:
		out.Node, out.Name, out.State = it.Node, h.from.Name, string(api.SatelliteLive)
		ok = h.node(it.Node)
	case api.KindJob:
		out.Job = it.Job
		ok = h.job(it.Job)
	}
	return out, ok
}

func (h heard) Search(ctx context.Context, q api.Query) (api.SearchReply, error) {
	r, err := h.Service.Search(ctx, q)
	if err != nil {
		return api.SearchReply{}, err
	}
	out := api.SearchReply{Items: r.Items[:0]}
	for _, it := range r.Items[:min(len(r.Items), api.MaxItems)] {
		if it, ok := h.item(it); ok {
			out.Items = append(out.Items, it)
		}
	}
	return out, nil
}

func (h heard) VM(ctx context.Context, ref string) (api.VM, error) {
	v, err := h.Service.VM(ctx, ref)
	if api.CodeOf(err) == api.CodeAmbiguous { // one satellite has no two of a name
		return api.VM{}, h.lies("VM " + ref)
	}
	if err == nil && (!h.vm(&v) || v.Name != ref && !strings.EqualFold(v.ID, ref)) {
		return api.VM{}, h.lies("VM " + ref)
	}
	return v, err
}

// begun is the first state of a job that was asked for.
func (h heard) begun(j api.Job, err error) (api.Job, error) {
	if err == nil && !h.job(&j) {
		err = h.lies("a job")
	}
	return j, err
}

func (h heard) Create(ctx context.Context, r api.CreateRequest) (api.Job, error) {
	return h.begun(h.Service.Create(ctx, r))
}

func (h heard) Control(ctx context.Context, r api.ControlRequest) (api.Job, error) {
	return h.begun(h.Service.Control(ctx, r))
}

func (h heard) Delete(ctx context.Context, r api.DeleteRequest) (api.Job, error) {
	return h.begun(h.Service.Delete(ctx, r))
}

func (h heard) Cancel(ctx context.Context, id string) (api.Job, error) {
	return h.begun(h.Service.Cancel(ctx, id))
}

func (h heard) Jobs(ctx context.Context, r api.JobsRequest) (api.JobsReply, error) {
	reply, err := h.Service.Jobs(ctx, r)
	if err != nil {
		return api.JobsReply{}, err
	}
	jobs := reply.Jobs[:min(len(reply.Jobs), maxHeardJobs)]
	for i := range jobs {
		h.job(&jobs[i])
	}
	jobs = slices.DeleteFunc(jobs, func(j api.Job) bool { return j.ID == "" })
	if r.ID != "" && (len(jobs) != 1 || !strings.HasPrefix(jobs[0].ID, strings.ToLower(r.ID))) {
		return api.JobsReply{}, h.lies("job " + r.ID)
	}
	return api.JobsReply{Jobs: jobs}, nil
}

// Audit takes entries of its own log that fit the question, and are not of the future: that would put them before everyone else's.
func (h heard) Audit(ctx context.Context, r api.AuditRequest) (api.AuditReply, error) {
	now := h.now()
	asked, err := match.Audit(r.Query, now)
	if err != nil {
		return api.AuditReply{}, err
	}
	reply, err := h.Service.Audit(ctx, r)
	if err != nil {
		return api.AuditReply{}, err
	}
	var own api.AuditReply
	for _, e := range reply.Entries[:min(len(reply.Entries), api.MaxAudit)] {
		if e.Satellite = h.from.Name; asked.Match(e) && e.Time.Before(now.Add(proof.MaxSkew)) {
			own.Entries = append(own.Entries, e)
		}
	}
	if r.Verify {
		if len(reply.Chains) != 1 {
			return api.AuditReply{}, h.lies("its audit log")
		}
		own.Chains = reply.Chains
		own.Chains[0].Satellite = h.from.Name
	}
	return own, nil
}

func (h heard) Satellites(ctx context.Context) (api.SatellitesReply, error) {
	r, err := h.Service.Satellites(ctx)
	if err == nil && len(r.Satellites) != 1 {
		return api.SatellitesReply{}, h.lies("itself")
	}
	for i := range r.Satellites {
		h.node(&r.Satellites[i])
	}
	return r, err
}

func (h heard) TreePriority(ctx context.Context, r api.TreePriorityRequest) (api.TreePriority, error) {
	p, err := h.Service.TreePriority(ctx, r)
	if err == nil && (r.Priority != nil && p.Priority != *r.Priority || min(p.Priority, p.Was, p.Configured) < 0 ||
		max(p.Priority, p.Was, p.Configured) > api.MaxPriority) {
		return api.TreePriority{}, h.lies("its priority")
	}
	p.Satellite = h.from.Name
	return p, err
}

func (h heard) Events(ctx context.Context, r api.EventsRequest, fn func(api.Event) error) error {
	over := false
	err := h.Service.Events(ctx, r, func(ev api.Event) error {
		// What concerns the constellation each asker's own engine tells.
		ok := ev.Kind == api.EventLost
		switch ev.Kind {
		case api.EventVM:
			ok = h.vm(ev.VM)
		case api.EventJob:
			if ok = h.job(ev.Job) && (r.Job == "" || ev.Job.ID == r.Job); ok {
				over = over || ev.Job.State.Over()
			}
		}
		if !ok {
			return nil
		}
		return fn(ev)
	})
	if err == nil && r.Job != "" && !over {
		return h.lies("the end of job " + r.Job)
	}
	return err
}
