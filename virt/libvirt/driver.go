package libvirt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	lv "libvirt.org/go/libvirt"

	"decenter/virt"
)

// Config is what a Driver needs to be told.
type Config struct {
	// URI names the hypervisor: "qemu:///system", or "qemu+unix:///system?socket=PATH".
	URI string
	// Dir holds each guest's serial socket and log; it is made where missing. A socket's path has at most 107
	// bytes, so Dir has at most 66. This process and QEMU must see it at the same path.
	Dir string
	// Emulator is the path of a QEMU; empty is libvirt's choice.
	Emulator string
	// CallTimeout bounds one call to libvirt; 0 is 20 s.
	CallTimeout time.Duration
	Log         *slog.Logger
}

// Our own limits.
const (
	defaultCallTimeout = 20 * time.Second
	connectWait        = 3 * time.Second // a call waits so long for a connection: a restart of libvirtd is shorter
	backoffMin         = 100 * time.Millisecond
	backoffMax         = 2 * time.Second
	pingInterval       = 2  // seconds
	pingsLost          = 3  // then the connection is dead
	maxCalls           = 16 // at a time, each on a connection of its own; libvirtd has 20 workers
	maxAgentCalls      = 2
	rawQueue           = 4096
	maxDir             = 107 - len("/") - 36 - len(".tty") // sun_path of unix(7) holds 108 bytes with the final zero
)

// Driver is one hypervisor. Open makes it, Run keeps it connected.
type Driver struct {
	cfg    Config
	layout layout
	hub    *hub
	raw    chan rawEvent // from libvirt's event loop to digest

	slots  chan struct{} // calls under way
	agents chan struct{} // of these, to guest agents

	mu      sync.Mutex
	up      *link                  // nil while down; guarded by mu, as all below
	changed chan struct{}          // closed and replaced when up changes
	lanes   map[virt.ID]*lane      // present while somebody is in or waits
	known   map[virt.ID]knownGuest // one for each domain, also foreign ones
	lines   map[virt.ID]*line      // present while a console is open
	missed  bool                   // raw was full: all domains must be read again
}

// knownGuest is what we last read of a domain.
type knownGuest struct {
	entry
	foreign bool
}

var _ virt.Guests = (*Driver)(nil)

// Open loads libvirt's client library and prepares Dir; it does not connect. ErrUnavailable where the library is
// missing.
func Open(cfg Config) (*Driver, error) {
	const op = "open hypervisor"
	if cfg.CallTimeout == 0 {
		cfg.CallTimeout = defaultCallTimeout
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fail(op, cfg.Dir, err)
	}
	if len(dir) > maxDir {
		return nil, fail(op, dir, &virt.FieldError{Field: "dir", Value: dir, Hint: fmt.Sprintf("a path of at most %d bytes, since sockets lie in it", maxDir)})
	}
	if err := eventLoop(); err != nil {
		return nil, &virt.Error{Op: op, Object: cfg.URI, Kind: virt.ErrUnavailable, Err: errors.Join(err, errors.New("install libvirt0 and libvirt-daemon"))}
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fail(op, dir, err)
	}
	return &Driver{
		cfg: cfg, layout: layout{dir: dir, emulator: cfg.Emulator}, hub: newHub(),
		raw: make(chan rawEvent, rawQueue), slots: make(chan struct{}, maxCalls),
		agents:  make(chan struct{}, maxAgentCalls),
		changed: make(chan struct{}), lanes: map[virt.ID]*lane{}, known: map[virt.ID]knownGuest{}, lines: map[virt.ID]*line{},
	}, nil
}

// Watch sends changes until ctx ends.
func (d *Driver) Watch(ctx context.Context) <-chan virt.Event { return d.hub.watch(ctx) }

// Run connects, keeps connected and delivers events until ctx ends; it returns ctx's error. It runs once.
func (d *Driver) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { d.digest(ctx) })
	wg.Go(func() { d.janitor(ctx) })
	defer wg.Wait()
	wait := backoffMin
	for ctx.Err() == nil {
		l, err := d.dial(ctx)
		if err != nil {
			if wait == backoffMin {
				d.cfg.Log.Warn("hypervisor does not answer", "error", fail("connect to", d.cfg.URI, err))
			}
			sleep(ctx, wait)
			wait = min(2*wait, backoffMax)
			continue
		}
		wait = backoffMin
		d.cfg.Log.Info("hypervisor connected", "uri", d.cfg.URI)
		wg.Go(func() { d.warm(ctx) })
		select {
		case <-l.dead:
			d.cfg.Log.Warn("hypervisor connection lost", "uri", d.cfg.URI, "why", l.why)
		case <-ctx.Done():
		}
		d.setLink(nil)
		d.hub.publish(virt.Event{Kind: virt.EventDown})
		go l.close() // aside: it may hang, until libvirtd lives or dies
		sleep(ctx, wait)
	}
	return ctx.Err()
}

// sleep waits for t or the end of ctx.
func sleep(ctx context.Context, t time.Duration) {
	timer := time.NewTimer(t)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// dial makes a connection current. A dial that hangs is waited for in the background: libvirt cannot be told to stop.
func (d *Driver) dial(ctx context.Context) (*link, error) {
	type result struct {
		l   *link
		err error
	}
	done := make(chan result, 1)
	go func() {
		l, err := connect(d.cfg.URI, d.receive)
		done <- result{l, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		go func() { // whenever it comes, nobody wants it any more
			if r := <-done; r.err == nil {
				r.l.close()
			}
		}()
		return nil, ctx.Err()
	}
	if r.err != nil {
		return nil, r.err
	}
	d.setLink(r.l)
	if err := d.sync(ctx); err != nil {
		d.setLink(nil)
		go r.l.close()
		return nil, err
	}
	return r.l, nil
}

// warm lets libvirt learn what QEMU can do, which it otherwise does when the first guest is defined: 0.7 s. A hypervisor
// without QEMU is found out here too.
func (d *Driver) warm(ctx context.Context) {
	_, err := call(ctx, d, virt.ID{}, func(c *lv.Connect) (nothing, error) {
		_, err := c.GetDomainCapabilities(d.cfg.Emulator, "x86_64", "q35", "qemu", 0)
		return nothing{}, err
	})
	if err != nil && ctx.Err() == nil {
		d.cfg.Log.Warn("hypervisor cannot tell what it can do", "uri", d.cfg.URI, "error", err)
	}
}

// setLink makes l the present link; nil is none.
func (d *Driver) setLink(l *link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.up = l
	close(d.changed)
	d.changed = make(chan struct{})
}

// sync reads all domains, clears away files of guests that are no more, and tells the readers to list anew.
func (d *Driver) sync(ctx context.Context) error {
	files, err := filepath.Glob(filepath.Join(d.layout.dir, "*.*"))
	if err != nil {
		return err
	}
	known, err := call(ctx, d, virt.ID{}, readAll)
	if err != nil {
		return err
	}
	d.mu.Lock()
	d.known = known
	d.mu.Unlock()
	for _, f := range files { // listed before the domains, so a guest defined meanwhile keeps its files
		name := filepath.Base(f)
		ext := filepath.Ext(name)
		id, err := virt.ParseID(name[:len(name)-len(ext)])
		if _, there := known[id]; err == nil && !there && (ext == ".log" || ext == ".tty") {
			os.Remove(f)
		}
	}
	d.hub.publish(virt.Event{Kind: virt.EventSync})
	return nil
}

// readAll reads every domain's description.
func readAll(c *lv.Connect) (map[virt.ID]knownGuest, error) {
	doms, err := c.ListAllDomains(0)
	if err != nil {
		return nil, err
	}
	known := map[virt.ID]knownGuest{}
	for i := range doms {
		id, k, err := readDomain(&doms[i])
		doms[i].Free()
		if errors.Is(err, lv.ERR_NO_DOMAIN) { // gone since
			continue
		}
		if err != nil {
			for j := range doms[i+1:] {
				doms[i+1+j].Free()
			}
			return nil, err
		}
		known[id] = k
	}
	return known, nil
}

// readDomain reads one; what is not ours, or cannot be read, is foreign and no error.
func readDomain(dom *lv.Domain) (virt.ID, knownGuest, error) {
	raw, err := dom.GetUUID()
	if err != nil {
		return virt.ID{}, knownGuest{}, err
	}
	id := virt.ID(raw)
	text, err := dom.GetXMLDesc(0)
	if err != nil {
		return id, knownGuest{}, err
	}
	e, err := decode(text)
	return id, knownGuest{entry: e, foreign: err != nil}, nil
}
