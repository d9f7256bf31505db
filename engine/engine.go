package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"decenter/engine/api"
	"decenter/engine/audit"
	"decenter/engine/events"
	"decenter/engine/jobs"
	"decenter/engine/proof"
	"decenter/engine/radar"
	"decenter/engine/trust"
	"decenter/keys"
	"decenter/virt"
)

// Fabric is the layer-2 network as the engine needs it. All methods are safe for concurrent use and return within
// a second or with their context.
type Fabric interface {
	// Attach makes the tap of a vNIC, whose name depends on the MAC alone, and makes the MAC known to the
	// fabric; doing it again is fine. Detach undoes both; no tap is no error.
	Attach(ctx context.Context, mac net.HardwareAddr) (tap string, err error)
	Detach(ctx context.Context, mac net.HardwareAddr) error
	// Keep detaches every tap of ours but those of these MACs, and attaches those that are missing.
	Keep(ctx context.Context, macs []net.HardwareAddr) error
	// Knows tells whether any satellite is home to the MAC, as far as the link state says.
	Knows(mac net.HardwareAddr) bool
	// Satellites gives the link-local addresses of the other satellites in the link state.
	Satellites() []netip.Addr
	// Tree tells the tree. Changed gets a token when it or the satellites changed.
	Tree() api.Tree
	Changed() <-chan struct{}
	// SetPriority makes p the wish to be root, from now on and after each restart; nil is the configuration's again.
	SetPriority(ctx context.Context, p *uint16) (api.TreePriority, error)
}

// Radar is who is there; *radar.Radar is the one. Its methods do not wait, but Join and Run.
type Radar interface {
	Self() radar.Member
	Members() []radar.Member
	Peers() []radar.Member // the live ones but for this
	Join(addrs []netip.Addr) (int, error)
	Watch() (changed <-chan struct{}, stop func())
	Run(ctx context.Context) error
}

// Config is what an engine is made of.
type Config struct {
	Name    string
	ID      string // fingerprint
	Version string
	Guests  virt.Guests
	Volumes virt.Volumes
	Fabric  Fabric
	Radar   Radar
	Journal *jobs.Journal
	// ImportDir is where image files are put to become spacesuits; empty: nowhere.
	ImportDir string
	// Accel tells what to run guests with; it must not wait long.
	Accel func() virt.Accel
	// PeerTLS pins a connection to one satellite's key.
	PeerTLS func(id string) (*tls.Config, error)
	// Trust is whom this satellite trusts, and how it judges who asks.
	Trust Trust
	Now   func() time.Time
	Log   *slog.Logger
}

// Trust is whom a satellite trusts, and how it judges who asks. All of it but Directory and Exchange is needed.
type Trust struct {
	Constellation string
	Network       keys.Network
	Owners        []string // of the configuration
	Statements    *trust.Store
	Judge         *proof.Judge
	Verifier      *proof.Verifier
	Signer        proof.Signer
	Audit         *audit.Log
	Directory     Directory // a second gate; nil: there is none
	Exchange      Exchange  // nil: statements are this satellite's alone
}

// Directory tells what role an account has with all, by its groups. It returns within seconds, with an error where the
// account has no entry or the directory does not answer.
type Directory interface {
	Role(ctx context.Context, account string) (api.Role, error)
}

// Exchange spreads statements and keys among satellites; *admission.Admission is one.
type Exchange interface {
	// Run works until ctx ends.
	Run(ctx context.Context) error
	// Introduce swaps statements and keys with satellites at these addresses, and gives those that may be joined.
	Introduce(ctx context.Context, addrs []netip.Addr) (admitted []netip.Addr)
	// Handler answers other satellites, also those that are not admitted yet.
	Handler() http.Handler
	// Member tells whether the other end of a connection proved the key of an admitted satellite. It does not wait.
	Member(state tls.ConnectionState) bool
}

// Times and bounds of the engine.
const (
	askWait      = 1500 * time.Millisecond // for the slowest satellite's answer to any question
	verifyWait   = 30 * time.Second        // for it to walk its whole audit log
	nameWait     = 5 * time.Second         // for its answer whether a name is taken; a dead one is known as such by then
	setWait      = 5 * time.Second         // for it to set something, which it writes to its disk
	actWait      = 30 * time.Second        // for undoing, once the job itself was cancelled
	stopGrace    = 60 * time.Second        // for a guest to power off when asked
	recoverRetry = time.Second
	joinEvery    = 5 * time.Second // at least so often the fabric's satellites are compared with the radar's
	joinAtOnce   = 8               // one of them that answers tells of all the others
)

// Engine is one satellite. Make it with New, then Run it; its views may be opened at once.
type Engine struct {
	cfg     Config
	id      keys.Fingerprint // cfg.ID
	began   time.Time
	bus     *events.Bus
	jobs    *jobs.Jobs
	peers   *peers
	guests  *guestCache
	ready   atomic.Bool // earlier work was recovered: VMs may be changed
	metrics *metrics
	pace    *pace
	reading chan struct{} // of one place: the audit log is read by one at a time

	// life ends when Run does; jobs hang on it and not on who asked for them.
	life   context.Context
	endAll context.CancelFunc

	mu   sync.Mutex
	busy map[string]claim // names of VMs that a job is changing
}

// claim is a job's hold on a name.
type claim struct {
	state api.VMState // creating, deleting, or empty
	view  api.VM      // while creating
}

// New makes the engine of a satellite. Nothing runs yet.
func New(cfg Config) (*Engine, error) {
	id, err := keys.ParseFingerprint(cfg.ID)
	if err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, id: id, began: cfg.Now(), bus: events.New(cfg.Now), pace: newPace(cfg.Now), reading: make(chan struct{}, 1), busy: map[string]claim{}}
	e.life, e.endAll = context.WithCancel(context.Background())
	e.metrics = newMetrics(e)
	e.peers = newPeers(cfg)
	e.guests = &guestCache{engine: e, news: map[virt.ID]news{}, extra: map[virt.ID]extra{}}
	e.jobs, err = jobs.New(cfg.Name, cfg.Journal, e.jobChanged, cfg.Now, cfg.Log)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	return e, nil
}

// Run works until ctx ends: it recovers what an earlier engine left, follows the hypervisor's events, and keeps the
// radar joined to the satellites that the fabric knows. Jobs under way are cancelled and undone before it returns.
func (e *Engine) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	if e.cfg.ImportDir != "" {
		imp, err := newImporter(e, e.cfg.ImportDir)
		if err != nil {
			return err
		}
		g.Go(func() error { return imp.run(ctx) })
	}
	g.Go(func() error { return e.cfg.Radar.Run(ctx) })
	if x := e.cfg.Trust.Exchange; x != nil {
		g.Go(func() error { return x.Run(ctx) })
	}
	g.Go(func() error { return e.followGuests(ctx) })
	g.Go(func() error { return e.followMembers(ctx) })
	g.Go(func() error { return e.keepJoined(ctx) })
	g.Go(func() error { return e.guests.refreshAgents(ctx) })
	g.Go(func() error {
		<-ctx.Done()
		e.endAll()
		e.jobs.Close()
		e.peers.close()
		return nil
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// keepJoined tells the radar of satellites that the fabric knows and it does not.
func (e *Engine) keepJoined(ctx context.Context) error {
	tick := time.NewTicker(joinEvery)
	defer tick.Stop()
	idle := make(chan struct{}, 1) // holds a token while no join is under way
	idle <- struct{}{}
	for due := true; ; {
		var begin chan struct{}
		if due {
			begin = idle
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-begin:
			due = false
			// Aside: a satellite that is frozen lets a join hang for seconds, and a join cannot be told to stop.
			go func() { e.joinMissing(ctx); idle <- struct{}{} }()
		case <-tick.C:
			due = true
		case <-e.cfg.Fabric.Changed():
			due = true
			e.bus.Publish(api.Event{Kind: api.EventTree})
		}
	}
}

func (e *Engine) joinMissing(ctx context.Context) {
	known := map[netip.Addr]bool{}
	for _, m := range e.cfg.Radar.Members() {
		if m.State == api.SatelliteLive {
			known[m.Addr.Addr().WithZone("")] = true
		}
	}
	var missing []netip.Addr
	for _, a := range e.cfg.Fabric.Satellites() {
		if !known[a.WithZone("")] {
			missing = append(missing, a)
		}
	}
	// Not always the same ones first, should these be dead.
	rand.Shuffle(len(missing), func(i, j int) { missing[i], missing[j] = missing[j], missing[i] })
	missing = missing[:min(len(missing), joinAtOnce)]
	if x := e.cfg.Trust.Exchange; x != nil && len(missing) > 0 {
		missing = x.Introduce(ctx, missing) // without the constellation's key their gossip says nothing to us, nor ours to them
	}
	if n, err := e.cfg.Radar.Join(missing); err != nil {
		e.cfg.Log.Debug("join", "satellites", len(missing), "joined", n, "err", err)
	}
}

// followMembers tells watchers of satellites that come, fail and leave.
func (e *Engine) followMembers(ctx context.Context) error {
	changed, stop := e.cfg.Radar.Watch()
	defer stop()
	before := map[string]api.SatelliteState{}
	for {
		for _, m := range e.cfg.Radar.Members() {
			if before[m.ID] != m.State {
				before[m.ID] = m.State
				node := satelliteOf(m)
				e.bus.Publish(api.Event{Kind: api.EventSatellite, Node: &node})
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}
}

func (e *Engine) jobChanged(job api.Job) {
	e.bus.Publish(api.Event{Kind: api.EventJob, Job: &job})
	if job.State.Over() {
		e.metrics.jobs.WithLabelValues(job.Verb, string(job.State)).Inc()
		if job.Ended != nil {
			e.metrics.jobSeconds.WithLabelValues(job.Verb).Observe(job.Ended.Sub(job.Started).Seconds())
		}
	}
}

func satelliteOf(m radar.Member) api.Satellite {
	return api.Satellite{Name: m.Name, ID: m.ID, State: m.State, Address: m.Addr.Addr().String(), Version: m.Version}
}
