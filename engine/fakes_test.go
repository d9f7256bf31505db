package engine

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/engine/identity"
	"decenter/engine/jobs"
	"decenter/engine/radar"
	"decenter/virt"
)

// world is a machine in memory: what of it an engine's death leaves is what a test looks at. Each act on it
// passes a gate, where a test lets the engine die or the act fail.
type world struct {
	mu     sync.Mutex
	guests map[virt.ID]virt.Guest
	disks  map[virt.ID][]virt.Disk
	taps   map[string]bool
	wish   int // what the root priority is lower than 32768
	acts   int
	// gate is asked before and after each act with its running number: an error is the act's, and a dead
	// context stands for a killed engine, which never hears of the act's result.
	gate func(n int, act string, after bool) error
}

func newWorld() *world {
	return &world{guests: map[virt.ID]virt.Guest{}, disks: map[virt.ID][]virt.Disk{}, taps: map[string]bool{}}
}

func (w *world) act(ctx context.Context, name string, do func() error) error {
	w.mu.Lock()
	w.acts++
	n, gate := w.acts, w.gate
	w.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if gate != nil {
		if err := gate(n, name, false); err != nil {
			return err
		}
	}
	w.mu.Lock()
	err := do()
	w.mu.Unlock()
	if gate != nil && err == nil {
		err = gate(n, name, true)
	}
	return err
}

// whole tells what is wrong with the machine: every VM must have disks and taps, and nothing else may be there.
func (w *world) whole() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	taps := map[string]bool{}
	for id, g := range w.guests {
		if len(w.disks[id]) == 0 {
			return fmt.Errorf("%s has no disk", g.Name)
		}
		for _, n := range g.NICs {
			if !w.taps[n.MAC] {
				return fmt.Errorf("%s has no tap", g.Name)
			}
			taps[n.MAC] = true
		}
	}
	for id := range w.disks {
		if _, ok := w.guests[id]; !ok {
			return fmt.Errorf("disks of %s belong to no VM", id)
		}
	}
	for mac := range w.taps {
		if !taps[mac] {
			return fmt.Errorf("tap of %s belongs to no VM", mac)
		}
	}
	return nil
}

func (w *world) names() (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, g := range w.guests {
		names = append(names, g.Name+" "+string(g.State))
	}
	slices.Sort(names)
	return names
}

type fakeGuests struct {
	*world
	events chan virt.Event
}

func (f fakeGuests) Define(ctx context.Context, s virt.Spec) error {
	if err := s.Check(); err != nil {
		return err
	}
	return f.act(ctx, "define", func() error {
		f.guests[s.ID] = virt.Guest{Spec: s, State: virt.Stopped}
		return nil
	})
}

func (f fakeGuests) move(ctx context.Context, id virt.ID, v virt.Verb) error {
	return f.act(ctx, string(v), func() error {
		g, ok := f.guests[id]
		if !ok {
			return &virt.Error{Op: string(v), Kind: virt.ErrNotFound}
		}
		to, err := g.State.After(v)
		if err != nil {
			return err
		}
		g.State = to
		f.guests[id] = g
		if to == virt.Absent {
			delete(f.guests, id)
		}
		return nil
	})
}

func (f fakeGuests) Start(ctx context.Context, id virt.ID) error { return f.move(ctx, id, virt.Start) }
func (f fakeGuests) Pause(ctx context.Context, id virt.ID) error { return f.move(ctx, id, virt.Pause) }
func (f fakeGuests) Resume(ctx context.Context, id virt.ID) error {
	return f.move(ctx, id, virt.Resume)
}
func (f fakeGuests) Kill(ctx context.Context, id virt.ID) error  { return f.move(ctx, id, virt.Kill) }
func (f fakeGuests) Reset(ctx context.Context, id virt.ID) error { return f.move(ctx, id, virt.Reset) }
func (f fakeGuests) Undefine(ctx context.Context, id virt.ID) error {
	return f.move(ctx, id, virt.Undefine)
}
func (f fakeGuests) Stop(ctx context.Context, id virt.ID, _ time.Duration) error {
	return f.move(ctx, id, virt.Stop)
}

func (f fakeGuests) Get(_ context.Context, id virt.ID) (virt.Guest, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	g, ok := f.guests[id]
	if !ok {
		return g, &virt.Error{Op: "get", Object: id.String(), Kind: virt.ErrNotFound}
	}
	return g, nil
}

func (f fakeGuests) List(context.Context) (all []virt.Guest, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range f.guests {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b virt.Guest) int { return len(a.Name) - len(b.Name) })
	return all, nil
}

func (f fakeGuests) Addresses(context.Context, virt.ID) (map[string][]string, error) { return nil, nil }
func (f fakeGuests) Watch(context.Context) <-chan virt.Event                         { return f.events }
func (f fakeGuests) Console(context.Context, virt.ID) (io.ReadWriteCloser, error) {
	return nil, virt.ErrConflict
}

type fakeVolumes struct{ *world }

func (f fakeVolumes) Import(context.Context, string, virt.Image, func(done, total uint64)) (virt.Spacesuit, error) {
	return virt.Spacesuit{}, virt.ErrFailed
}

func (f fakeVolumes) Spacesuits(context.Context) ([]virt.Spacesuit, error) {
	return []virt.Spacesuit{{Name: "tiny", Size: 64 << 20}}, nil
}

func (f fakeVolumes) Spacesuit(_ context.Context, name string) (virt.Spacesuit, error) {
	if name != "tiny" {
		return virt.Spacesuit{}, &virt.Error{Op: "find spacesuit", Object: name, Kind: virt.ErrNotFound}
	}
	return virt.Spacesuit{Name: name, Size: 64 << 20}, nil
}

func (f fakeVolumes) Create(ctx context.Context, vm virt.ID, _ string, _ uint64) ([]virt.Disk, error) {
	disks := []virt.Disk{{Name: "vda", Path: "/disks/" + vm.String() + ".qcow2", Format: virt.QCOW2}}
	return disks, f.act(ctx, "create disks", func() error { f.disks[vm] = disks; return nil })
}

func (f fakeVolumes) Grow(context.Context, virt.ID, string, uint64) error { return virt.ErrFailed }

func (f fakeVolumes) Delete(ctx context.Context, vm virt.ID) error {
	return f.act(ctx, "delete disks", func() error {
		if _, ok := f.disks[vm]; !ok {
			return &virt.Error{Op: "delete disks", Object: vm.String(), Kind: virt.ErrNotFound}
		}
		delete(f.disks, vm)
		return nil
	})
}

func (f fakeVolumes) Usage(_ context.Context, vm virt.ID) (u []virt.Usage, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range f.disks[vm] {
		u = append(u, virt.Usage{Disk: d, Size: 64 << 20, Allocated: 1 << 20})
	}
	return u, nil
}

func (f fakeVolumes) Sweep(_ context.Context, live func(virt.ID) bool) (gone []virt.ID, _ error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id := range f.disks {
		if !live(id) {
			delete(f.disks, id)
			gone = append(gone, id)
		}
	}
	return gone, nil
}

type fakeFabric struct{ *world }

func (f fakeFabric) Attach(ctx context.Context, mac net.HardwareAddr) (string, error) {
	return "dt" + mac.String()[9:11] + mac.String()[12:14] + mac.String()[15:], f.act(ctx, "attach", func() error { f.taps[mac.String()] = true; return nil })
}

func (f fakeFabric) Detach(ctx context.Context, mac net.HardwareAddr) error {
	return f.act(ctx, "detach", func() error { delete(f.taps, mac.String()); return nil })
}

func (f fakeFabric) Keep(_ context.Context, macs []net.HardwareAddr) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taps = map[string]bool{}
	for _, m := range macs {
		f.taps[m.String()] = true
	}
	return nil
}

func (f fakeFabric) Knows(net.HardwareAddr) bool { return false }
func (f fakeFabric) Satellites() []netip.Addr    { return nil }
func (f fakeFabric) Tree() api.Tree              { return api.Tree{} }
func (f fakeFabric) Changed() <-chan struct{}    { return nil }

func (f fakeFabric) SetPriority(ctx context.Context, p *uint16) (r api.TreePriority, _ error) {
	r = api.TreePriority{Was: 32768 - f.wish, Configured: 32768, Priority: 32768, Set: p != nil}
	if p != nil {
		r.Priority = int(*p)
	}
	return r, f.act(ctx, "set priority", func() error { f.wish = 32768 - r.Priority; return nil })
}

// alone is the radar of a satellite without others.
type alone struct{ id string }

func (a alone) Self() radar.Member {
	return radar.Member{ID: a.id, Name: "s1", State: api.SatelliteLive}
}
func (a alone) Members() []radar.Member        { return []radar.Member{a.Self()} }
func (alone) Peers() []radar.Member            { return nil }
func (alone) Join([]netip.Addr) (int, error)   { return 0, nil }
func (alone) Watch() (<-chan struct{}, func()) { return nil, func() {} }
func (alone) Run(ctx context.Context) error    { <-ctx.Done(); return nil }

// boot starts an engine on the machine and waits until it is ready. The end of ctx is the engine's.
func boot(t *testing.T, ctx context.Context, w *world, journal string) *Engine {
	t.Helper()
	j, err := jobs.OpenJournal(filepath.Join(journal, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := identity.LoadOrCreate(journal)
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Config{Name: "s1", ID: id.Fingerprint(), Trust: trustOf(t, id), Version: "test", Guests: fakeGuests{w, make(chan virt.Event)}, Volumes: fakeVolumes{w},
		Fabric: fakeFabric{w}, Radar: alone{id.Fingerprint()}, Journal: j, Accel: func() virt.Accel { return virt.TCG }, Now: time.Now,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = e.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done; _ = j.Close() })
	for end := time.Now().Add(time.Minute); !e.ready.Load(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the engine does not get ready")
		}
	}
	return e
}
