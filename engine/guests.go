package engine

import (
	"context"
	"maps"
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
	listPatient = 250 * time.Millisecond // for a newer list, where there is an older one to answer from
	listOld     = 10 * time.Second       // a list this old answers nothing
	listWait    = 20 * time.Second       // for the hypervisor, which may be busy starting a guest
	agentEvery  = 5 * time.Second        // between questions to the guests' agents
	agentWait   = time.Second            // for one agent
	agentAtOnce = 8
)

// guestCache spares the hypervisor, and searches its moods: a list that is a moment old serves them, an older one does
// while the hypervisor is busy starting a guest, and what only a guest's agent knows is asked in the background. Nothing is
// decided by it; acts ask the hypervisor about the one guest.
type guestCache struct {
	engine *Engine

	mu      sync.Mutex
	list    []virt.Guest
	at      time.Time     // when list was asked for; zero: never
	changes uint64        // that are known of
	seen    uint64        // changes when list was asked for; less than changes: list may be wrong
	flight  chan struct{} // closed when the list under way is there; nil: none is
	err     error         // of the last flight
	news    map[virt.ID]news
	extra   map[virt.ID]extra
}

// news is a guest as it became after list was asked for.
type news struct {
	change uint64      // its number
	guest  *virt.Guest // nil: it is gone
}

// extra is what is known of a running guest beside what the hypervisor says.
type extra struct{ addresses map[string][]string }

// all gives the guests: as they are now or were at most listFresh ago, and while the hypervisor is busy as they were
// at most listOld ago.
func (c *guestCache) all(ctx context.Context) ([]virt.Guest, error) {
	patience := time.NewTimer(listPatient)
	defer patience.Stop()
	c.mu.Lock()
	defer c.mu.Unlock()
	needed := c.changes
	if c.seen == needed && c.age() < listFresh {
		return c.merged(), nil
	}
	for {
		if c.flight == nil {
			c.flight = make(chan struct{})
			go c.fetch(c.engine.cfg.Now(), c.changes, c.flight)
		}
		flight := c.flight
		c.mu.Unlock()
		late := false
		select {
		case <-ctx.Done():
		case <-flight:
		case <-patience.C:
			late = true
		}
		c.mu.Lock()
		switch {
		case ctx.Err() != nil:
			return nil, apiError(ctx.Err())
		case late && c.age() < listOld:
			return c.merged(), nil
		case !late && c.err != nil:
			return nil, c.err
		case !late && c.seen >= needed:
			return c.merged(), nil
		}
	}
}

// age is how long ago the list was asked for. c.mu is held.
func (c *guestCache) age() time.Duration {
	if c.at.IsZero() {
		return listOld
	}
	return c.engine.cfg.Now().Sub(c.at)
}

func (c *guestCache) fetch(began time.Time, changes uint64, flight chan struct{}) {
	ctx, cancel := context.WithTimeout(c.engine.life, listWait)
	defer cancel()
	list, err := c.engine.cfg.Guests.List(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err = apiError(err); err == nil {
		c.list, c.at, c.seen = list, began, changes
		maps.DeleteFunc(c.news, func(_ virt.ID, n news) bool { return n.change <= changes })
	}
	c.flight = nil
	close(flight)
}

// owner gives the owner of a guest, as far as it is known; also when it has just gone.
func (c *guestCache) owner(id virt.ID) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n, ok := c.news[id]; ok && n.guest != nil {
		return n.guest.Owner
	}
	for _, g := range c.list {
		if g.ID == id {
			return g.Owner
		}
	}
	return ""
}

// stale tells that something changed: a list that was asked for before is not to be believed.
func (c *guestCache) stale() {
	c.mu.Lock()
	c.changes++
	c.mu.Unlock()
}

// put tells what became of one guest; nil is that it is gone.
func (c *guestCache) put(id virt.ID, g *virt.Guest) {
	c.mu.Lock()
	c.changes++
	c.news[id] = news{c.changes, g}
	if g == nil || !g.State.Live() {
		delete(c.extra, id) // the next run may have other addresses
	}
	c.mu.Unlock()
}

// merged is the list with what is newer than it. c.mu is held.
func (c *guestCache) merged() []virt.Guest {
	if len(c.news) == 0 {
		return c.list
	}
	all := make([]virt.Guest, 0, len(c.list)+len(c.news))
	for _, g := range c.list {
		if _, newer := c.news[g.ID]; !newer {
			all = append(all, g)
		}
	}
	for _, n := range c.news {
		if n.guest != nil {
			all = append(all, *n.guest)
		}
	}
	return all
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
		c.mu.Lock()
		began := c.changes
		c.mu.Unlock()
		list, err := c.all(ctx)
		if err != nil {
			continue
		}
		found := map[virt.ID]extra{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		slots := make(chan struct{}, agentAtOnce)
		for _, g := range list {
			if g.State == virt.Paused { // it cannot answer, and has what it had
				mu.Lock()
				found[g.ID] = extra{c.addresses(g.ID)}
				mu.Unlock()
			}
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
		maps.DeleteFunc(found, func(id virt.ID, _ extra) bool {
			n, ok := c.news[id] // who ended meanwhile is not the one who answered
			return ok && n.change > began && (n.guest == nil || !n.guest.State.Live())
		})
		c.mu.Unlock()
		c.learn(list, found)
	}
}

// learn takes over what the agents said, and tells of the guests whose addresses are new.
func (c *guestCache) learn(list []virt.Guest, found map[virt.ID]extra) {
	c.mu.Lock()
	var news []virt.Guest
	for _, g := range list {
		if !maps.EqualFunc(c.extra[g.ID].addresses, found[g.ID].addresses, slices.Equal) {
			news = append(news, g)
		}
	}
	c.extra = found
	c.mu.Unlock()
	for _, g := range news {
		vm := c.engine.view(g)
		c.engine.bus.Publish(api.Event{Kind: api.EventVM, VM: &vm})
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
		e.guests.stale()
		e.bus.Publish(api.Event{Kind: api.EventLost})
		return
	case virt.EventGone:
		owner := e.guests.owner(ev.ID)
		e.guests.put(ev.ID, nil)
		e.bus.Publish(api.Event{Kind: api.EventVM, Gone: true, VM: &api.VM{ID: ev.ID.String(), Name: ev.Name, Satellite: e.cfg.Name, Owner: owner}})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askWait)
	defer cancel()
	g, err := e.cfg.Guests.Get(ctx, ev.ID)
	if err != nil {
		e.guests.stale()
		return
	}
	e.guests.put(g.ID, &g)
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
	id, err := virt.ParseID(ref)
	if err != nil {
		known, err := e.known(ctx, ref)
		if err != nil {
			return virt.Guest{}, err
		}
		id = known.ID
	}
	g, err := e.cfg.Guests.Get(ctx, id)
	return g, apiError(err)
}

// known finds a VM of this satellite by name or id, as the last list has it.
func (e *Engine) known(ctx context.Context, ref string) (virt.Guest, error) {
	list, err := e.guests.all(ctx)
	if err != nil {
		return virt.Guest{}, err
	}
	for _, g := range list {
		if g.Name == ref || g.ID.String() == ref {
			return g, nil
		}
	}
	return virt.Guest{}, e.noVM(ref)
}

func (e *Engine) noVM(ref string) error {
	return api.Errorf(api.CodeNotFound, "no VM %q on %s", ref, e.cfg.Name)
}

func macsOf(nics []virt.NIC) (macs []net.HardwareAddr) {
	for _, n := range nics {
		if mac, err := net.ParseMAC(n.MAC); err == nil {
			macs = append(macs, mac)
		}
	}
	return macs
}
