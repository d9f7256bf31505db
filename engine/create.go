package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"

	"decenter/engine/api"
	"decenter/engine/jobs"
	"decenter/net/interstellar"
	"decenter/virt"
)

// createPlan is a create in the journal: enough to finish it or to remove what it left.
type createPlan struct {
	VM      string `json:"vm"` // id
	MAC     string `json:"mac"`
	Stopped bool   `json:"stopped,omitempty"`
}

// deletePlan is a delete in the journal.
type deletePlan struct {
	VM   string   `json:"vm"` // id
	MACs []string `json:"macs"`
}

// able tells why no VM can be changed yet. It is asked first: until earlier work was recovered, what else a request is
// measured by may still change.
func (e *Engine) able() error {
	if !e.ready.Load() {
		return &api.Error{Code: api.CodeUnavailable, Message: e.cfg.Name + " is not ready: its hypervisor does not answer yet", Hint: "try again in a moment"}
	}
	return nil
}

// hold takes a name for a job; two jobs never change one VM at the same time.
func (e *Engine) hold(name string, c claim) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, taken := e.busy[name]; taken {
		err := &api.Error{Code: api.CodeConflict, Message: fmt.Sprintf("another job is at work on %q", name), Hint: "see `jobs`, and try again when it is over"}
		for _, job := range e.jobs.List() {
			if job.Object == name && !job.State.Over() {
				err.Message = fmt.Sprintf("job %s (%s) is at work on %q", job.ID, job.Verb, name)
				err.Hint = fmt.Sprintf("wait for it, or `cancel %s`", job.ID)
			}
		}
		return err
	}
	e.busy[name] = c
	return nil
}

func (e *Engine) release(name string) {
	e.mu.Lock()
	delete(e.busy, name)
	e.mu.Unlock()
	e.guests.stale()
}

func (e *Engine) create(ctx context.Context, account string, r api.CreateRequest) (api.Job, error) {
	if err := r.Check(); err != nil {
		return api.Job{}, err
	}
	if err := e.able(); err != nil {
		return api.Job{}, err
	}
	if _, err := virt.ParseID(r.Name); err == nil {
		return api.Job{}, &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("%q has the form of an id, which could mean another VM", r.Name), Hint: "choose another name"}
	}
	suit, err := e.cfg.Volumes.Spacesuit(ctx, r.From)
	if errors.Is(err, virt.ErrNotFound) {
		return api.Job{}, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no spacesuit %q on %s", r.From, e.cfg.Name), Hint: "`spacesuit` alone searches for them"}
	}
	if err != nil {
		return api.Job{}, apiError(err)
	}
	if r.Disk != 0 && r.Disk < suit.Size {
		return api.Job{}, &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("disk of %d bytes is smaller than the spacesuit's %d", r.Disk, suit.Size), Hint: "leave disk: away, or give more"}
	}
	if err := e.fits(r); err != nil {
		return api.Job{}, err
	}
	if _, err := e.known(ctx, r.Name); err == nil {
		return api.Job{}, &api.Error{Code: api.CodeExists, Message: fmt.Sprintf("a VM %q is on %s already", r.Name, e.cfg.Name), Hint: "choose another name"}
	} else if api.CodeOf(err) != api.CodeNotFound {
		return api.Job{}, err
	}
	spec, mac, err := e.spec(account, r)
	if err != nil {
		return api.Job{}, err
	}
	view := e.view(virt.Guest{Spec: spec})
	view.State = api.StateCreating
	if err := e.hold(r.Name, claim{api.StateCreating, view}); err != nil {
		return api.Job{}, err
	}
	plan := createPlan{VM: spec.ID.String(), MAC: mac.String(), Stopped: r.Stopped}
	job, err := e.jobs.Start(e.life, api.Job{Verb: "create", Object: r.Name, Account: account, VM: plan.VM, Owner: account}, plan, func(ctx context.Context, p *jobs.Progress) error {
		defer e.release(r.Name)
		return e.doCreate(ctx, p, spec, mac, r)
	})
	if err != nil {
		e.release(r.Name)
		return api.Job{}, err
	}
	e.bus.Publish(api.Event{Kind: api.EventVM, VM: &view})
	return job, nil
}

// fits refuses what this machine could not run if it ran nothing else.
func (e *Engine) fits(r api.CreateRequest) error {
	var have api.Satellite
	host(&have)
	if have.Memory != 0 && r.Memory > have.Memory {
		return &api.Error{Code: api.CodeExhausted, Message: fmt.Sprintf("%s has %d MiB of memory in all, not the %d MiB asked for", e.cfg.Name, have.Memory>>20, r.Memory>>20),
			Hint: "ask for less, or name a larger satellite"}
	}
	return nil
}

// spec mints what is new of a VM: id and MAC.
func (e *Engine) spec(account string, r api.CreateRequest) (virt.Spec, net.HardwareAddr, error) {
	id, err := virt.NewID(rand.Reader)
	if err != nil {
		return virt.Spec{}, nil, err
	}
	mac, err := e.mintMAC()
	if err != nil {
		return virt.Spec{}, nil, err
	}
	s := virt.Spec{ID: id, Name: r.Name, Owner: account, From: r.From, Created: e.cfg.Now().UTC(), CPU: max(r.CPU, 1),
		Memory: virt.AlignMemory(r.Memory), Accel: e.cfg.Accel()}
	if r.Memory == 0 {
		s.Memory = api.DefaultMemory
	}
	return s, mac, nil
}

// firstInterstellar is the network of VMs that were given none: everyone's, id 0000001.
const firstInterstellar interstellar.ID = 1

// mintMAC picks NIC numbers until one is free, as far as the whole fabric's link state tells.
func (e *Engine) mintMAC() (net.HardwareAddr, error) {
	for range 64 {
		var b [2]byte
		_, _ = rand.Read(b[:])
		mac := interstellar.MAC(firstInterstellar, uint16(b[0])<<8|uint16(b[1]))
		if !e.cfg.Fabric.Knows(mac) {
			return mac, nil
		}
	}
	return nil, &api.Error{Code: api.CodeExhausted, Message: "no free NIC number was found in interstellar 0000001 in 64 tries"}
}

// doCreate makes the VM, or leaves nothing. The definition is the commit: before it all is undone on failure.
func (e *Engine) doCreate(ctx context.Context, p *jobs.Progress, spec virt.Spec, mac net.HardwareAddr, r api.CreateRequest) (err error) {
	defer func() {
		if err != nil {
			if uerr := e.undoCreate(spec.ID, mac); uerr != nil {
				err = fmt.Errorf("%w; %w: %w", err, jobs.ErrLeft, uerr)
			}
			e.bus.Publish(api.Event{Kind: api.EventVM, Gone: true, VM: &api.VM{ID: spec.ID.String(), Name: spec.Name, Satellite: e.cfg.Name, Owner: spec.Owner}})
		}
	}()
	p.Step("disks", 0, 4)
	if spec.Disks, err = e.cfg.Volumes.Create(ctx, spec.ID, r.From, r.Disk); err != nil {
		return err
	}
	p.Step("network", 1, 4)
	tap, err := e.cfg.Fabric.Attach(ctx, mac)
	if err != nil {
		return fmt.Errorf("attach to the fabric: %w", err)
	}
	spec.NICs = []virt.NIC{{MAC: mac.String(), Tap: tap}}
	p.Step("definition", 2, 4)
	if err = ctx.Err(); err != nil {
		return err
	}
	if err = e.cfg.Guests.Define(ctx, spec); err != nil {
		return err
	}
	e.guests.put(spec.ID, &virt.Guest{Spec: spec, State: virt.Stopped})
	if r.Stopped {
		return nil
	}
	p.Step("start", 3, 4)
	if err = e.cfg.Guests.Start(ctx, spec.ID); err == nil {
		e.guests.put(spec.ID, &virt.Guest{Spec: spec, State: virt.Running})
	}
	return err
}

// undoCreate removes whatever there is of a VM that never came to be. It works on after ctx's end, within actWait.
func (e *Engine) undoCreate(id virt.ID, mac net.HardwareAddr) error {
	ctx, cancel := context.WithTimeout(context.Background(), actWait)
	defer cancel()
	return e.erase(ctx, id, []net.HardwareAddr{mac})
}

// erase removes all that is there of a VM, in an order in which the definition goes before what it refers to. It may
// be called again after any failure.
func (e *Engine) erase(ctx context.Context, id virt.ID, macs []net.HardwareAddr) error {
	absent := func(err error) bool { return err == nil || errors.Is(err, virt.ErrNotFound) }
	if g, err := e.cfg.Guests.Get(ctx, id); err == nil {
		if g.State.Live() {
			if err := e.cfg.Guests.Kill(ctx, id); !absent(err) && !errors.Is(err, virt.ErrConflict) {
				return err
			}
		}
		if err := e.cfg.Guests.Undefine(ctx, id); !absent(err) {
			return err
		}
	} else if !absent(err) {
		return err
	}
	e.guests.put(id, nil)
	err := e.cfg.Volumes.Delete(ctx, id)
	if absent(err) {
		err = nil
	}
	for _, mac := range macs {
		err = errors.Join(err, e.cfg.Fabric.Detach(ctx, mac))
	}
	return err
}

func (e *Engine) delete(ctx context.Context, account string, r api.DeleteRequest) (api.Job, error) {
	if err := e.able(); err != nil {
		return api.Job{}, err
	}
	g, err := e.guest(ctx, r.VM)
	if err != nil {
		return api.Job{}, err
	}
	if r.Confirm != g.Name {
		return api.Job{}, &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("deleting %s cannot be undone", g.Name), Hint: "say confirm:" + g.Name}
	}
	if err := e.hold(g.Name, claim{state: api.StateDeleting}); err != nil {
		return api.Job{}, err
	}
	plan := deletePlan{VM: g.ID.String()}
	for _, n := range g.NICs {
		plan.MACs = append(plan.MACs, n.MAC)
	}
	job, err := e.jobs.Start(e.life, jobOn(g, "delete", account), plan, func(ctx context.Context, p *jobs.Progress) error {
		defer e.release(g.Name)
		p.Step("erase", 0, 1)
		return e.doDelete(ctx, g)
	})
	if err != nil {
		e.release(g.Name)
	}
	return job, err
}

// jobOn is a job that works on a VM.
func jobOn(g virt.Guest, verb, account string) api.Job {
	return api.Job{Verb: verb, Object: g.Name, Account: account, VM: g.ID.String(), Owner: g.Owner}
}

// doDelete erases the VM. Once begun it is finished, within actWait, whoever cancels: half a VM is of no use to anyone.
func (e *Engine) doDelete(ctx context.Context, g virt.Guest) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), actWait)
	defer cancel()
	if err := e.erase(ctx, g.ID, macsOf(g.NICs)); err != nil {
		return fmt.Errorf("%w; %w", err, jobs.ErrLeft)
	}
	return nil
}

func (e *Engine) control(ctx context.Context, account string, r api.ControlRequest) (api.Job, error) {
	verbs := map[api.Act]virt.Verb{api.ActStart: virt.Start, api.ActStop: virt.Stop, api.ActPause: virt.Pause,
		api.ActResume: virt.Resume, api.ActReset: virt.Reset}
	verb, ok := verbs[r.Act]
	if !ok {
		return api.Job{}, &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("no act %q", r.Act), Hint: "use start, stop, pause, resume or reset"}
	}
	if err := e.able(); err != nil {
		return api.Job{}, err
	}
	g, err := e.guest(ctx, r.VM)
	if err != nil {
		return api.Job{}, err
	}
	if _, err := g.State.After(verb); err != nil {
		return api.Job{}, apiError(fmt.Errorf("%s: %w", g.Name, err))
	}
	if err := e.hold(g.Name, claim{}); err != nil {
		return api.Job{}, err
	}
	job, err := e.jobs.Start(e.life, jobOn(g, string(r.Act), account), nil, func(ctx context.Context, p *jobs.Progress) error {
		defer e.release(g.Name)
		return e.doControl(ctx, p, g, r)
	})
	if err != nil {
		e.release(g.Name)
	}
	return job, err
}

func (e *Engine) doControl(ctx context.Context, p *jobs.Progress, g virt.Guest, r api.ControlRequest) error {
	switch r.Act {
	case api.ActStart:
		// After the satellite was off the taps are gone.
		for _, mac := range macsOf(g.NICs) {
			if _, err := e.cfg.Fabric.Attach(ctx, mac); err != nil {
				return fmt.Errorf("attach to the fabric: %w", err)
			}
		}
		return e.cfg.Guests.Start(ctx, g.ID)
	case api.ActStop:
		if r.Force {
			return e.cfg.Guests.Kill(ctx, g.ID)
		}
		p.Step("waiting for the guest to power off", 0, 0)
		return e.cfg.Guests.Stop(ctx, g.ID, stopGrace)
	case api.ActPause:
		return e.cfg.Guests.Pause(ctx, g.ID)
	case api.ActResume:
		return e.cfg.Guests.Resume(ctx, g.ID)
	default:
		return e.cfg.Guests.Reset(ctx, g.ID)
	}
}
