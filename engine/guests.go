package engine

import (
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"decenter/engine/api"
	"decenter/virt"
)

// Times of what is asked of guests.
const (
	listFresh   = 100 * time.Millisecond // a list of guests this young answers a search: typing asks at each key
	agentEvery  = 5 * time.Second        // between questions to the guests' agents
	agentWait   = time.Second            // for one agent
	agentAtOnce = 8
)

// guestCache spares the hypervisor: a list that is a moment old serves searches, and what only a guest's agent
// knows is asked in the background. Nothing decides by it; acts ask the hypervisor.
type guestCache struct {
	engine *Engine

	mu    sync.Mutex
	list  []virt.Guest
	at    time.Time
	extra map[virt.ID]extra
}

// extra is what is known of a running guest beside what the hypervisor says.
type extra struct{ addresses map[string][]string }

// all gives the guests, at most listFresh old.
func (c *guestCache) all(ctx context.Context) ([]virt.Guest, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.engine.cfg.Now()
	if !c.at.IsZero() && now.Sub(c.at) < listFresh && now.Sub(c.at) >= 0 {
		return c.list, nil
	}
	list, err := c.engine.cfg.Guests.List(ctx)
	if err != nil {
		return nil, apiError(err)
	}
	c.list, c.at = list, c.engine.cfg.Now()
	return list, nil
}

// stale makes the next list a fresh one.
func (c *guestCache) stale() {
	c.mu.Lock()
	c.at = time.Time{}
	c.mu.Unlock()
}

func (c *guestCache) addresses(id virt.ID) map[string][]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.extra[id].addresses
}

// refreshAgents asks the agents of running guests for addresses, now and then.
func (c *guestCache) refreshAgents(ctx context.Context) error {
	tick := time.NewTicker(agentEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		list, err := c.all(ctx)
		if err != nil {
			continue
		}
		found := map[virt.ID]extra{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		slots := make(chan struct{}, agentAtOnce)
		for _, g := range list {
			if g.State != virt.Running || !g.Agent {
				continue
			}
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				ctx, cancel := context.WithTimeout(ctx, agentWait)
				defer cancel()
				if a, err := c.engine.cfg.Guests.Addresses(ctx, g.ID); err == nil {
					mu.Lock()
					found[g.ID] = extra{a}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		c.mu.Lock()
		c.extra = found
		c.mu.Unlock()
	}
}

// followGuests turns the hypervisor's events into ours, and recovers earlier work each time it begins to answer.
func (e *Engine) followGuests(ctx context.Context) error {
	changes := e.cfg.Guests.Watch(ctx)
	retry := time.NewTimer(0)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-retry.C:
			if e.ready.Load() {
				continue
			}
			if err := e.recover(ctx); err != nil {
				e.cfg.Log.Warn("earlier work is not recovered yet", "err", err)
				retry.Reset(recoverRetry)
				continue
			}
			e.ready.Store(true)
		case ev, ok := <-changes:
			if !ok {
				return ctx.Err()
			}
			e.guests.stale()
			e.guestChanged(ctx, ev)
		}
	}
}

func (e *Engine) guestChanged(ctx context.Context, ev virt.Event) {
	switch ev.Kind {
	case virt.EventDown:
		e.cfg.Log.Warn("the hypervisor does not answer")
		return
	case virt.EventSync:
		e.bus.Publish(api.Event{Kind: api.EventLost})
		return
	case virt.EventGone:
		e.bus.Publish(api.Event{Kind: api.EventVM, Gone: true, VM: &api.VM{ID: ev.ID.String(), Name: ev.Name, Satellite: e.cfg.Name}})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	g, err := e.cfg.Guests.Get(ctx, ev.ID)
	if err != nil {
		return
	}
	vm := e.view(g)
	e.bus.Publish(api.Event{Kind: api.EventVM, VM: &vm})
}

// view is a guest as the api shows it.
func (e *Engine) view(g virt.Guest) api.VM {
	vm := api.VM{ID: g.ID.String(), Name: g.Name, State: api.StateStopped, Satellite: e.cfg.Name, From: g.From, Owner: g.Owner,
		CPU: g.CPU, Memory: g.Memory, Accel: string(g.Accel), Created: g.Created, CPUTime: uint64(g.CPUTime), Agent: g.Agent}
	switch g.State {
	case virt.Running:
		vm.State = api.StateRunning
	case virt.Paused:
		vm.State = api.StatePaused
	case virt.Crashed:
		vm.State = api.StateCrashed
	}
	addresses := e.guests.addresses(g.ID)
	for _, n := range g.NICs {
		vm.NICs = append(vm.NICs, api.NIC{MAC: n.MAC, Addresses: addresses[n.MAC]})
	}
	for _, d := range g.Disks {
		vm.Disks = append(vm.Disks, api.Disk{Name: d.Name})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.busy[g.Name]; c.state != "" {
		vm.State = c.state
	}
	return vm
}

// vms gives every VM of this satellite, those under creation included, by name.
func (e *Engine) vms(ctx context.Context) ([]api.VM, error) {
	list, err := e.guests.all(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	all := make([]api.VM, 0, len(list))
	for _, g := range list {
		seen[g.Name] = true
		all = append(all, e.view(g))
	}
	e.mu.Lock()
	for name, c := range e.busy {
		if c.state == api.StateCreating && !seen[name] {
			all = append(all, c.view)
		}
	}
	e.mu.Unlock()
	slices.SortFunc(all, func(a, b api.VM) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// guest finds a VM of this satellite by name or id, as the hypervisor has it now.
func (e *Engine) guest(ctx context.Context, ref string) (virt.Guest, error) {
	if id, err := virt.ParseID(ref); err == nil {
		g, err := e.cfg.Guests.Get(ctx, id)
		return g, apiError(err)
	}
	list, err := e.cfg.Guests.List(ctx)
	if err != nil {
		return virt.Guest{}, apiError(err)
	}
	for _, g := range list {
		if g.Name == ref {
			return g, nil
		}
	}
	return virt.Guest{}, api.Errorf(api.CodeNotFound, "no VM %q on %s", ref, e.cfg.Name)
}

func macsOf(nics []virt.NIC) (macs []net.HardwareAddr) {
	for _, n := range nics {
		if mac, err := net.ParseMAC(n.MAC); err == nil {
			macs = append(macs, mac)
		}
	}
	return macs
}
