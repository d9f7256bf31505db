package fabric

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"decenter/engine/api"
	"decenter/net/datapath"
	"decenter/net/frame"
	"decenter/net/link"
	"decenter/net/tree"
)

// Our limits.
const (
	maxFrames  = 64                     // of one port, looked at in one go
	maxWaiting = 1024                   // of one port, looked at before time passes: more than its socket holds
	rescan     = 5 * time.Second        // how often devices are listed though nothing was heard of a change
	rescanSoon = 100 * time.Millisecond // the same, after a list that could not be had
	askTimeout = time.Second            // how long a question without a context waits for Run
)

// Config is what a fabric is made of.
type Config struct {
	Name     string    // of the satellite
	MAC      frame.MAC // of its host port: its id in the tree
	Priority uint16    // to be root, unless SetPriority said otherwise; the lowest wins
	Ports    link.Filter
	Host     string // name of the host port
	BPF      string // folder on a bpffs
	State    string // folder on a file system that a reboot empties
	Data     string // folder that outlives a reboot: what SetPriority said is kept there
	// Auth is what neighbours prove themselves with; see package tree. Its key's id is MAC. A fabric that runs has one.
	Auth *tree.Auth
	Log  *slog.Logger
}

// Fabric is a satellite's part of it. Its methods are safe for concurrent use; but for New and Close they wait for Run.
type Fabric struct {
	cfg   Config
	start time.Time

	readable chan *port // its socket has frames
	asks     chan ask
	changed  chan struct{}
	stopped  chan struct{} // closed when Run is over

	setting sync.Mutex // held while a priority is kept and then set, so that the last one kept is the last one set

	// Owned by New, then by Run's goroutine.
	lock    *os.File // makes the data path ours
	core    *tree.Core
	set     *uint16 // what SetPriority said, in this life or an earlier one; nil: nothing
	dp      *datapath.Datapath
	ports   map[uint32]*port
	uplinks map[uint32]string     // devices that had the default route once, by name: not ours, also while it is away
	priors  map[string]link.Prior // by name
	taps    map[frame.MAC]tap
	inner   link.Link // the host port's inner end
	outer   link.Link
}

// ask is something for Run's goroutine to do.
type ask struct {
	do   func() error
	done chan<- error
}

// New makes the host port and takes over, or loads, the data path. Nothing is opened or said before Run. While another
// engine has the data path it is a CodeConflict.
func New(ctx context.Context, cfg Config) (*Fabric, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	f := &Fabric{cfg: cfg, start: time.Now(), readable: make(chan *port), asks: make(chan ask), changed: make(chan struct{}, 1),
		stopped: make(chan struct{}), ports: map[uint32]*port{}, uplinks: map[uint32]string{}, taps: map[frame.MAC]tap{}}
	var err error
	if f.lock, err = own(cfg); err != nil {
		return nil, err
	}
	if err := errors.Join(f.begin(), ctx.Err()); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// own makes this process the only one that works with the data path.
func own(cfg Config) (*os.File, error) {
	lock, err := datapath.Lock(cfg.BPF)
	if errors.Is(err, datapath.ErrBusy) {
		return nil, &api.Error{Code: api.CodeConflict, Message: "another engine is running on the data path in " + cfg.BPF,
			Hint: "stop it first; guests and frames go on without it"}
	}
	return lock, err
}

func (f *Fabric) begin() (err error) {
	if err := os.MkdirAll(f.cfg.State, 0o700); err != nil {
		return fmt.Errorf("make the fabric's folder: %w", err)
	}
	if f.priors, err = readPriors(f.cfg.State); err != nil {
		return err
	}
	if f.outer, f.inner, err = link.CreateHost(f.cfg.Host, f.cfg.MAC); err != nil {
		return err
	}
	if f.dp, err = datapath.Open(f.cfg.BPF, f.cfg.Log); err != nil {
		return err
	}
	return f.takeOver()
}

func (c Config) check() error {
	if err := c.Ports.Check(); err != nil {
		return &api.Error{Code: api.CodeInvalid, Message: err.Error()}
	}
	if c.MAC.IsZero() || c.MAC.IsGroup() {
		return fmt.Errorf("the satellite's MAC %v is not a unicast address", c.MAC)
	}
	if c.Auth == nil {
		return errors.New("a fabric without a key would take everybody's word on its cables")
	}
	if id, _ := c.Auth.Identify(c.Auth.Public); id != c.MAC {
		return fmt.Errorf("the satellite's MAC %v is not its key's, %v: no neighbour would take it", c.MAC, id)
	}
	return nil
}

// takeOver makes the core, with the promises of an earlier life if the gates they speak of are still there.
func (f *Fabric) takeOver() error {
	var b [8]byte
	_, _ = rand.Read(b[:])
	var err error
	if f.set, err = keptPriority(f.cfg.Data); err != nil {
		f.cfg.Log.Warn("the priority that was set is not known; the configuration's holds", "err", err)
	}
	f.core = tree.New(tree.Config{ID: f.cfg.MAC, Name: f.cfg.Name, Priority: f.priority(),
		Instance: binary.BigEndian.Uint64(b[:]), Auth: f.cfg.Auth}, f.now())
	path := filepath.Join(f.cfg.State, snapshotFile)
	if f.dp.Fresh() {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove stale promises: %w", err)
		}
	}
	snapshot, err := os.ReadFile(path)
	if err == nil {
		err = f.core.Restore(snapshot, f.now())
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		f.cfg.Log.Warn("promises of the earlier life are not used; every gate shuts", "err", err)
	}
	if err != nil { // whatever is open was opened under promises that nobody knows
		for _, p := range f.dp.Ports() {
			if p.Kind == datapath.Fabric {
				if err := f.dp.SetGate(p.Ifindex, false); err != nil {
					return err
				}
			}
		}
	}
	if err := f.takeOverTaps(); err != nil {
		return err
	}
	return f.dp.Attach(datapath.Port{Ifindex: f.inner.Index, Kind: datapath.Host, MAC: f.cfg.MAC})
}

// now is the time on the core's axis.
func (f *Fabric) now() time.Duration { return time.Since(f.start) }

// Close lets go of the data path, which goes on forwarding. Run must be over, or never begun.
func (f *Fabric) Close() error {
	if f.dp != nil {
		f.dp.Close()
	}
	return f.lock.Close()
}

// Run keeps the fabric until ctx ends, which is no error.
func (f *Fabric) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for _, p := range f.ports {
			p.close()
		}
		close(f.stopped)
	}()
	watch, err := link.Watch(ctx)
	if err != nil {
		return err
	}
	again := time.NewTimer(rescan)
	defer again.Stop()
	if err := f.scan(ctx); err != nil { // without a list the core would not know the gates that are open
		return err
	}
	deadline, err := f.apply()
	if err != nil {
		return err
	}
	timer := time.NewTimer(deadline)
	defer timer.Stop()
	for {
		timer.Reset(deadline - f.now())
		select {
		case <-ctx.Done():
			return nil
		case p := <-f.readable:
			f.receive(p, maxFrames)
		case _, open := <-watch:
			if !open {
				if ctx.Err() != nil {
					return nil
				}
				return errors.New("the kernel tells no more of network devices")
			}
			err = f.rescan(ctx, again)
		case <-again.C:
			err = f.rescan(ctx, again)
		case a := <-f.asks:
			a.done <- a.do()
		case <-timer.C:
			f.tick()
		}
		if err != nil {
			return err
		}
		if deadline, err = f.apply(); err != nil {
			return err
		}
	}
}

// tick hands over all that has arrived, then lets time pass: what waits in our own sockets was not lost on the way.
func (f *Fabric) tick() {
	for _, p := range f.ports {
		f.receive(p, maxWaiting)
	}
	f.core.Tick(f.now())
}

// receive hands over what waits in a port's socket, which is the only queue there is: each port has its own.
func (f *Fabric) receive(p *port, most int) {
	index := p.link.Index
	for range most {
		b, err := p.packet.Poll()
		if b == nil || err != nil || f.ports[index] != p {
			return
		}
		f.core.Input(tree.PortID(index), b, f.now())
	}
}

// ask has Run's goroutine do something and waits until it has.
func (f *Fabric) ask(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	select {
	case f.asks <- ask{do, done}:
	case <-f.stopped:
		return api.Errorf(api.CodeUnavailable, "the fabric is stopped")
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-done:
		return err
	case <-f.stopped:
		return api.Errorf(api.CodeUnavailable, "the fabric is stopped")
	}
}

// Changed gets a token when the tree or the satellites in it changed.
func (f *Fabric) Changed() <-chan struct{} { return f.changed }

func (f *Fabric) tellChanged() {
	select {
	case f.changed <- struct{}{}:
	default:
	}
}
