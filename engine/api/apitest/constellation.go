package apitest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"decenter/engine/api"
)

// Epoch is the first reading of a constellation's clock.
var Epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// What can be delayed by SetDelay, besides the methods of api.Service by their names.
const Step = "step" // of a job

// Constellation is the state, and the Service of root on its first satellite. As gives it to others.
type Constellation struct {
	view   // of root on the first satellite
	ctx    context.Context
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu         sync.Mutex // guards all below
	satellites []api.Satellite
	vms        []api.VM
	suits      []api.Spacesuit
	jobs       []*job
	tree       api.Tree
	priorities []int // of the satellites that New made
	clock      time.Time
	minted     int // ids given out
	delays     map[string]time.Duration
	faults     map[string]error
	jobFaults  map[string]*api.Error
	held       chan struct{} // jobs wait for its close before their last step; nil: nothing is held
	readers    map[*reader]bool
	lines      map[string]*line // by VM id
	refused    []api.Refusal
	trust      trust
	log        map[string][]api.AuditEntry // by satellite, oldest first
	broken     map[string]string           // by satellite: what is wrong with its log
	logins     map[string]api.Hello        // by account: how far its login goes
}

// New makes a constellation of live satellites of these names; none means s1, s2 and s3.
func New(names ...string) *Constellation {
	if len(names) == 0 {
		names = []string{"s1", "s2", "s3"}
	}
	c := &Constellation{
		clock:     Epoch,
		delays:    map[string]time.Duration{},
		faults:    map[string]error{},
		jobFaults: map[string]*api.Error{},
		readers:   map[*reader]bool{},
		lines:     map[string]*line{},
		log:       map[string][]api.AuditEntry{},
		broken:    map[string]string{},
		logins:    map[string]api.Hello{},
	}
	c.trust.owners = []string{Owner}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.view = view{c: c, satellite: names[0], account: api.AccountLocal}
	for i, name := range names {
		c.satellites = append(c.satellites, api.Satellite{
			Name: name, ID: Fingerprint(name), State: api.SatelliteLive,
			Address: fmt.Sprintf("10.77.0.%d", i+1), Version: "test", CPUs: 4,
			Memory: 8 << 30, MemoryFree: 6 << 30, Load: 0.25, Accel: "kvm", Uptime: 3600,
		})
		c.suits = append(c.suits, api.Spacesuit{Name: "tiny", Satellite: name, Size: 64 << 20, Allocated: 12 << 20, Created: Epoch})
	}
	c.priorities = make([]int, len(names))
	for i := range names {
		c.priorities[i] = configured
	}
	c.tree = ring(c.satellites, c.priorities)
	return c
}

// Close ends every job, reader and serial line, and waits for them.
func (c *Constellation) Close() {
	c.cancel()
	c.wait.Wait()
}

// As gives the constellation as an account sees it through a satellite.
func (c *Constellation) As(account, satellite string) api.Service {
	return view{c: c, satellite: satellite, account: account}
}

// AddVM adds a running VM; what v leaves empty is filled in. It returns the VM as it is kept.
func (c *Constellation) AddVM(v api.VM) api.VM {
	c.mu.Lock()
	defer c.mu.Unlock()
	v = c.complete(v)
	c.vms = append(c.vms, v)
	c.tell(api.Event{Kind: api.EventVM, VM: &v})
	return v
}

// ChangeVM changes a VM by name and tells the readers of events.
func (c *Constellation) ChangeVM(name string, change func(*api.VM)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.vms {
		if c.vms[i].Name == name {
			change(&c.vms[i])
			v := c.vms[i]
			c.tell(api.Event{Kind: api.EventVM, VM: &v})
		}
	}
}

// AddSpacesuit adds a template.
func (c *Constellation) AddSpacesuit(s api.Spacesuit) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.suits = append(c.suits, s)
}

// Silence makes a satellite alive but without answers.
func (c *Constellation) Silence(name string) { c.setState(name, api.SatelliteSilent) }

// Fail makes a satellite dead.
func (c *Constellation) Fail(name string) { c.setState(name, api.SatelliteFailed) }

// Revive makes a satellite answer again.
func (c *Constellation) Revive(name string) { c.setState(name, api.SatelliteLive) }

// SetDelay makes a method of api.Service, by its name, or each Step of a job take d. The default is none.
func (c *Constellation) SetDelay(what string, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.delays[what] = d
}

// FailCall makes a method of api.Service, by its name, return err until it is called with nil.
func (c *Constellation) FailCall(method string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[method] = err
}

// FailJob makes the jobs of a verb fail with err until it is called with nil.
func (c *Constellation) FailJob(verb string, err *api.Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobFaults[verb] = err
}

// Hold makes jobs wait before their last step until Release.
func (c *Constellation) Hold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held == nil {
		c.held = make(chan struct{})
	}
}

// Release lets held jobs go on.
func (c *Constellation) Release() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.held != nil {
		close(c.held)
		c.held = nil
	}
}

func (c *Constellation) setState(name string, s api.SatelliteState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.satellites {
		if n := &c.satellites[i]; n.Name == name {
			n.State = s
			seen := *n
			c.tell(api.Event{Kind: api.EventSatellite, Node: &seen})
		}
	}
}

// now reads the clock and moves it. c.mu is held.
func (c *Constellation) now() time.Time {
	t := c.clock
	c.clock = t.Add(time.Second)
	return t
}

// mint gives the next number for an id. c.mu is held.
func (c *Constellation) mint() uint32 {
	c.minted++
	return uint32(c.minted) * 2654435761 // Knuth's multiplier: distinct, and distinct in the first digits too
}

// complete fills in what a VM's maker left empty. c.mu is held.
func (c *Constellation) complete(v api.VM) api.VM {
	n := c.mint()
	fill(&v.ID, fmt.Sprintf("%08x-0000-4000-8000-%012x", n, c.minted))
	fill(&v.Name, fmt.Sprintf("vm-%d", c.minted))
	fill(&v.State, api.StateRunning)
	fill(&v.Satellite, c.satellites[0].Name)
	fill(&v.From, "tiny")
	fill(&v.Owner, api.AccountLocal)
	fill(&v.CPU, 1)
	fill(&v.Memory, api.DefaultMemory)
	fill(&v.Accel, "kvm")
	if v.Created.IsZero() {
		v.Created = c.now()
	}
	if v.Disks == nil {
		v.Disks = []api.Disk{{Name: "vda", Size: 64 << 20, Allocated: 1 << 20}}
	}
	if v.NICs == nil {
		mac := fmt.Sprintf("52:54:00:%02x:%02x:%02x", byte(n>>16), byte(n>>8), byte(n))
		v.NICs = []api.NIC{{MAC: mac, Addresses: []string{fmt.Sprintf("10.0.%d.%d", c.minted/250, c.minted%250+1)}}}
	}
	return v
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// answers tells whether a satellite takes part. c.mu is held.
func (c *Constellation) answers(name string) bool {
	i := slices.IndexFunc(c.satellites, func(s api.Satellite) bool { return s.Name == name })
	return i >= 0 && c.satellites[i].State == api.SatelliteLive
}

// silent names those that live and do not answer. c.mu is held.
func (c *Constellation) silent() []string {
	var names []string
	for _, s := range c.satellites {
		if s.State == api.SatelliteSilent {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}

// find looks a VM up by name or id among the answering satellites. c.mu is held.
func (c *Constellation) find(ref string) (int, error) {
	found := -1
	for i, v := range c.vms {
		if (v.Name != ref && v.ID != ref) || !c.answers(v.Satellite) {
			continue
		}
		if found >= 0 {
			return -1, &api.Error{Code: api.CodeAmbiguous, Message: fmt.Sprintf("%q is on %s and on %s", ref, c.vms[found].Satellite, v.Satellite),
				Hint: "use the id"}
		}
		found = i
	}
	if found < 0 {
		err := api.Errorf(api.CodeNotFound, "no VM %q", ref)
		if s := c.silent(); s != nil {
			err.Hint = strings.Join(s, ", ") + " did not answer"
		}
		return -1, err
	}
	return found, nil
}

// configured is the root priority that every satellite's configuration says.
const configured = 32768

// ring draws satellites cabled in a circle: the first with the lowest priority as root, its farthest cable out of the tree.
func ring(sats []api.Satellite, priorities []int) api.Tree {
	n := len(priorities)
	root := slices.Index(priorities, slices.Min(priorities))
	id := func(i int) string { return fmt.Sprintf("02:00:00:00:00:%02x", i%n+1) }
	t := api.Tree{Satellite: sats[0].Name, Root: sats[root].Name}
	for i, s := range sats[:n] {
		away := (i - root + n) % n // by the ports that lead on
		node := api.TreeNode{ID: id(i), Name: s.Name, Priority: priorities[i], MACs: 1, Distance: uint64(min(away, n-away)) * 2000}
		switch {
		case away == 0:
		case away <= n/2:
			node.Parent = id(i + n - 1)
		default:
			node.Parent = id(i + 1)
		}
		t.Nodes = append(t.Nodes, node)
		if n > 1 && (i > 0 || n > 2) {
			t.Links = append(t.Links, api.TreeLink{A: id(i), APort: "to-next", B: id(i + 1), BPort: "to-last", Cost: 2000, Tree: away != n/2})
		}
	}
	t.Ports = []api.TreePort{
		{Name: "to-last", Role: "child", Neighbour: sats[n-1].Name, RX: 120, TX: 140},
		{Name: "to-next", Role: "child", Neighbour: sats[1%n].Name, RX: 220, TX: 240, Dropped: 1},
	}
	return t
}
