package apitest

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"decenter/engine/api"
)

// view is the constellation as one account sees it through one satellite.
type view struct {
	c         *Constellation
	satellite string
	account   string
}

var _ api.Service = view{}

// begin waits as long as the method was told to take and gives the failure it was told to give.
func (v view) begin(ctx context.Context, method string, object ...string) error {
	v.c.mu.Lock()
	delay, fault := v.c.delays[method], v.c.faults[method]
	v.c.mu.Unlock()
	if err := sleep(ctx, delay); err != nil {
		return err
	}
	if method != "Audit" && method != "Declare" { // the one would find itself, the other is judged first
		v.record(method, strings.Join(object, " "), fault)
	}
	return fault
}

func sleep(ctx context.Context, d time.Duration) error {
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return &api.Error{Code: api.CodeOf(ctx.Err()), Message: "the question was given up"}
	}
	return nil
}

// Hello implements api.Service.
func (v view) Hello(ctx context.Context) (api.Hello, error) {
	if err := v.begin(ctx, "Hello"); err != nil {
		return api.Hello{}, err
	}
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	h := v.c.logins[v.account]
	h.Satellite, h.Version, h.Account, h.Known, h.Via = v.satellite, "test", v.account, len(v.c.satellites), v.via()
	for _, s := range v.c.satellites {
		if s.Name == v.satellite {
			h.ID = s.ID
		}
		if s.State == api.SatelliteLive {
			h.Live++
		}
		if s.State == api.SatelliteStranger {
			h.Known--
		}
	}
	return h, nil
}

// Search implements api.Service.
func (v view) Search(ctx context.Context, q api.Query) (api.SearchReply, error) {
	if err := v.begin(ctx, "Search"); err != nil {
		return api.SearchReply{}, err
	}
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	r := api.SearchReply{Silent: v.c.silent(), Refused: slices.Clone(v.c.refused), Took: int64(time.Millisecond)}
	for _, item := range v.c.items() {
		if v.c.answers(item.Satellite) && !v.c.refuses(item.Satellite) && matches(q, item) {
			r.Items = append(r.Items, item)
		}
	}
	slices.SortStableFunc(r.Items, func(a, b api.Item) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Satellite, b.Satellite))
	})
	if q.Limit > 0 && len(r.Items) > q.Limit {
		r.Items = r.Items[:q.Limit]
	}
	return r, nil
}

// VM implements api.Service.
func (v view) VM(ctx context.Context, ref string) (api.VM, error) {
	if err := v.begin(ctx, "VM", ref); err != nil {
		return api.VM{}, err
	}
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	i, err := v.c.find(ref)
	if err != nil {
		return api.VM{}, err
	}
	return v.c.vms[i], nil
}

// Create implements api.Service.
func (v view) Create(ctx context.Context, r api.CreateRequest) (api.Job, error) {
	if err := v.begin(ctx, "Create", r.Name); err != nil {
		return api.Job{}, err
	}
	if err := r.Check(); err != nil {
		return api.Job{}, err
	}
	c := v.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.find(r.Name); err == nil {
		return api.Job{}, &api.Error{Code: api.CodeExists, Message: fmt.Sprintf("there is a %q already", r.Name), Hint: "use another name"}
	}
	suit, err := c.suit(r.From, cmp.Or(r.Satellite, v.satellite), r.Satellite != "")
	if err != nil {
		return api.Job{}, err
	}
	vm := c.complete(api.VM{Name: r.Name, State: api.StateCreating, Satellite: suit.Satellite, From: r.From, Owner: v.account,
		CPU: r.CPU, Memory: r.Memory, Disks: []api.Disk{{Name: "vda", Size: max(r.Disk, suit.Size), Allocated: 1 << 20}}})
	end := api.StateRunning
	if r.Stopped {
		end = api.StateStopped
	}
	return c.start(v.account, "create", vm, plan{
		steps: []string{"taking the spacesuit", "making the disk", "starting"}, bytes: suit.Size,
		begin: func() { c.vms = append(c.vms, vm); c.changed(vm.ID, api.StateCreating) },
		end:   func() { c.changed(vm.ID, end) },
		undo:  func() { c.remove(vm.ID) },
	})
}

// suit finds a spacesuit, on the satellite if it has it; else anywhere unless it must be there. c.mu is held.
func (c *Constellation) suit(name, satellite string, must bool) (api.Spacesuit, error) {
	var other *api.Spacesuit
	for i, s := range c.suits {
		if s.Name != name || !c.answers(s.Satellite) {
			continue
		}
		if s.Satellite == satellite {
			return s, nil
		}
		other = &c.suits[i]
	}
	if other == nil || must {
		return api.Spacesuit{}, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no spacesuit %q", name), Hint: "`spacesuit` lists them"}
	}
	return *other, nil
}

// transitions are the states in which an act is allowed, and where it leads.
var transitions = map[api.Act]struct {
	from []api.VMState
	to   api.VMState
}{
	api.ActStart:  {[]api.VMState{api.StateStopped, api.StateCrashed}, api.StateRunning},
	api.ActStop:   {[]api.VMState{api.StateRunning, api.StatePaused}, api.StateStopped},
	api.ActPause:  {[]api.VMState{api.StateRunning}, api.StatePaused},
	api.ActResume: {[]api.VMState{api.StatePaused}, api.StateRunning},
	api.ActReset:  {[]api.VMState{api.StateRunning, api.StatePaused}, api.StateRunning},
}

// Control implements api.Service.
func (v view) Control(ctx context.Context, r api.ControlRequest) (api.Job, error) {
	if err := v.begin(ctx, "Control", r.VM); err != nil {
		return api.Job{}, err
	}
	c := v.c
	c.mu.Lock()
	defer c.mu.Unlock()
	i, err := c.find(r.VM)
	if err != nil {
		return api.Job{}, err
	}
	vm, was := c.vms[i], c.vms[i].State
	t, ok := transitions[r.Act]
	if !ok {
		return api.Job{}, api.Errorf(api.CodeInvalid, "no act %q", r.Act)
	}
	if !slices.Contains(t.from, was) {
		return api.Job{}, api.Errorf(api.CodeConflict, "%s is %s", vm.Name, was)
	}
	return c.start(v.account, string(r.Act), vm, plan{
		steps: []string{"asking the guest"},
		end:   func() { c.changed(vm.ID, t.to) },
		undo:  func() { c.changed(vm.ID, was) },
	})
}

// Delete implements api.Service.
func (v view) Delete(ctx context.Context, r api.DeleteRequest) (api.Job, error) {
	if err := v.begin(ctx, "Delete", r.VM); err != nil {
		return api.Job{}, err
	}
	c := v.c
	c.mu.Lock()
	defer c.mu.Unlock()
	i, err := c.find(r.VM)
	if err != nil {
		return api.Job{}, err
	}
	vm, was := c.vms[i], c.vms[i].State
	if r.Confirm != vm.Name {
		return api.Job{}, &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("deleting %s is not confirmed", vm.Name), Hint: "add confirm:" + vm.Name}
	}
	return c.start(v.account, "delete", vm, plan{
		steps: []string{"stopping", "removing the disk"}, bytes: vm.Disks[0].Allocated,
		begin: func() { c.changed(vm.ID, api.StateDeleting) },
		end:   func() { c.remove(vm.ID) },
		undo:  func() { c.changed(vm.ID, was) },
	})
}

// Satellites implements api.Service.
func (v view) Satellites(ctx context.Context) (api.SatellitesReply, error) {
	if err := v.begin(ctx, "Satellites"); err != nil {
		return api.SatellitesReply{}, err
	}
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	return api.SatellitesReply{Satellites: v.c.nodes(), Refused: slices.Clone(v.c.refused)}, nil
}

// Tree implements api.Service.
func (v view) Tree(ctx context.Context) (api.Tree, error) {
	if err := v.begin(ctx, "Tree"); err != nil {
		return api.Tree{}, err
	}
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	t := v.c.tree
	t.Satellite = v.satellite
	return t, nil
}

// TreePriority implements api.Service.
func (v view) TreePriority(ctx context.Context, r api.TreePriorityRequest) (api.TreePriority, error) {
	if err := v.begin(ctx, "TreePriority", r.Satellite); err != nil {
		return api.TreePriority{}, err
	}
	if err := r.Check(); err != nil {
		return api.TreePriority{}, err
	}
	c := v.c
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.satellites[:len(c.priorities)], func(s api.Satellite) bool { return s.Name == r.Satellite || s.ID == r.Satellite })
	if i < 0 {
		return api.TreePriority{}, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no satellite %q", r.Satellite), Hint: "`satellites` lists them"}
	}
	if s := c.satellites[i]; s.State != api.SatelliteLive {
		return api.TreePriority{}, api.Errorf(api.CodeUnavailable, "%s is not live but %s", s.Name, s.State)
	}
	p := api.TreePriority{Satellite: c.satellites[i].Name, Was: c.priorities[i], Configured: configured, Priority: configured}
	if r.Priority != nil {
		p.Priority, p.Set = *r.Priority, true
	}
	c.priorities[i] = p.Priority
	c.tree = ring(c.satellites, c.priorities)
	c.tell(api.Event{Kind: api.EventTree})
	return p, nil
}

// Console implements api.Service.
func (v view) Console(ctx context.Context, ref string) (io.ReadWriteCloser, error) {
	if err := v.begin(ctx, "Console", ref); err != nil {
		return nil, err
	}
	v.c.mu.Lock()
	defer v.c.mu.Unlock()
	i, err := v.c.find(ref)
	if err != nil {
		return nil, err
	}
	vm := v.c.vms[i]
	if vm.State != api.StateRunning {
		return nil, &api.Error{Code: api.CodeConflict, Message: fmt.Sprintf("%s is %s", vm.Name, vm.State), Hint: "start " + vm.Name}
	}
	return v.c.open(vm), nil
}
