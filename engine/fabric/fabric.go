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
	"time"

	"decenter/engine/api"
	"decenter/net/datapath"
	"decenter/net/frame"
	"decenter/net/link"
	"decenter/net/tree"
)

// Our limits.
const (
	maxFrames  = 1024            // received and not yet looked at, over all ports
	rescan     = 5 * time.Second // how often devices are listed though nothing was heard of a change
	askTimeout = time.Second     // how long a question without a context waits for Run
)

// Config is what a fabric is made of.
type Config struct {
	Name     string    // of the satellite
	MAC      frame.MAC // of its host port: its id in the tree
	Priority uint16    // to be root; the lowest wins
	Ports    link.Filter
	Host     string // name of the host port
	BPF      string // folder on a bpffs
	State    string // folder on a file system that a reboot empties
	// Admit says whether a satellite may be a neighbour; nil admits all.
	Admit func(frame.MAC) bool
	Log   *slog.Logger
}

// Fabric is a satellite's part of it. Its methods are safe for concurrent use; but for New and Close they wait for Run.
type Fabric struct {
	cfg   Config
	start time.Time

	frames  chan arrival
	asks    chan ask
	changed chan struct{}
	stopped chan struct{} // closed when Run is over

	// Owned by New, then by Run's goroutine.
	core   *tree.Core
	dp     *datapath.Datapath
	ports  map[uint32]*port
	priors map[string]link.Prior // by name
	taps   map[frame.MAC]tap
	inner  link.Link // the host port's inner end
	outer  link.Link
}

// arrival is a control frame that came in.
type arrival struct {
	port  tree.PortID
	frame []byte
}

// ask is something for Run's goroutine to do.
type ask struct {
	do   func() error
	done chan<- error
}

// New makes the host port and takes over, or loads, the data path. Nothing is opened or said before Run.
func New(ctx context.Context, cfg Config) (*Fabric, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	f := &Fabric{cfg: cfg, start: time.Now(), frames: make(chan arrival, maxFrames), asks: make(chan ask),
		changed: make(chan struct{}, 1), stopped: make(chan struct{}), ports: map[uint32]*port{}, taps: map[frame.MAC]tap{}}
	if err := os.MkdirAll(cfg.State, 0o700); err != nil {
		return nil, fmt.Errorf("make the fabric's folder: %w", err)
	}
	var err error
	if f.priors, err = readPriors(cfg.State); err != nil {
		return nil, err
	}
	if f.outer, f.inner, err = link.CreateHost(cfg.Host, cfg.MAC); err != nil {
		return nil, err
	}
	if f.dp, err = datapath.Open(cfg.BPF, cfg.Log); err != nil {
		return nil, err
	}
	if err := f.takeOver(); err != nil {
		f.dp.Close()
		return nil, err
	}
	return f, ctx.Err()
}

func (c Config) check() error {
	if err := c.Ports.Check(); err != nil {
		return &api.Error{Code: api.CodeInvalid, Message: err.Error()}
	}
	if c.MAC.IsZero() || c.MAC.IsGroup() {
		return fmt.Errorf("the satellite's MAC %v is not a unicast address", c.MAC)
	}
	return nil
}

// takeOver makes the core, with the promises of an earlier life if the gates they speak of are still there.
func (f *Fabric) takeOver() error {
	var b [8]byte
	_, _ = rand.Read(b[:])
	f.core = tree.New(tree.Config{ID: f.cfg.MAC, Name: f.cfg.Name, Priority: f.cfg.Priority,
		Instance: binary.BigEndian.Uint64(b[:]), Admit: f.cfg.Admit}, f.now())
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
	f.dp.Close()
	return nil
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
	again := time.NewTicker(rescan)
	defer again.Stop()
	f.scan(ctx)
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
		case a := <-f.frames:
			f.core.Input(a.port, a.frame, f.now())
		case _, open := <-watch:
			if !open {
				if ctx.Err() != nil {
					return nil
				}
				return errors.New("the kernel tells no more of network devices")
			}
			f.scan(ctx)
		case <-again.C:
			f.scan(ctx)
		case a := <-f.asks:
			a.done <- a.do()
		case <-timer.C:
			f.tick()
		}
		if deadline, err = f.apply(); err != nil {
			return err
		}
	}
}

// tick hands over all that has arrived, then lets time pass: what waits in our own queues was not lost on the way.
func (f *Fabric) tick() {
	for range len(f.frames) {
		a := <-f.frames
		f.core.Input(a.port, a.frame, f.now())
	}
	for index, p := range f.ports {
		for range maxFrames {
			b, err := p.packet.Poll()
			if b == nil || err != nil {
				break
			}
			f.core.Input(tree.PortID(index), b, f.now())
		}
	}
	f.core.Tick(f.now())
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
