package engine

import (
	"context"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/engine/identity"
	"decenter/engine/jobs"
	"decenter/engine/rpc"
	"decenter/keys"
	"decenter/virt"
)

// TestAStoppingEngineEndsItsStreams: who watches hears why it ended, and nothing is under way when ServeLocal returned.
func TestAStoppingEngineEndsItsStreams(t *testing.T) {
	e := boot(t, t.Context(), newWorld(), t.TempDir())
	path := filepath.Join(t.TempDir(), "engine.sock")
	l, err := ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() { defer close(served); _ = e.ServeLocal(ctx, l) }()
	client := rpc.DialUnix(path)
	defer client.Close()
	watching, ended := make(chan struct{}, 100), make(chan error, 1)
	go func() {
		ended <- client.Events(t.Context(), api.EventsRequest{}, func(api.Event) error { watching <- struct{}{}; return nil })
	}()
	for seen := false; !seen; {
		e.bus.Publish(api.Event{Kind: api.EventTree})
		select {
		case <-watching:
			seen = true
		case <-time.After(10 * time.Millisecond):
		}
	}
	began := time.Now()
	stop()
	if err := <-ended; api.CodeOf(err) != api.CodeUnavailable || time.Since(began) > time.Second {
		t.Errorf("after %v the stream ended with %v", time.Since(began), err)
	}
	<-served
	if took := time.Since(began); took > shutdownWait-100*time.Millisecond {
		t.Errorf("stopping took %v", took)
	}
}

// changing is a fabric whose tree changes, and on which a frozen satellite is seen.
type changing struct {
	fakeFabric
	changed chan struct{}
}

func (c changing) Changed() <-chan struct{} { return c.changed }
func (changing) Satellites() []netip.Addr   { return []netip.Addr{netip.MustParseAddr("fe80::1")} }

// stuck is a radar whose join hangs, as towards a frozen satellite.
type stuck struct {
	alone
	joins, forever chan struct{}
}

func (s stuck) Join([]netip.Addr) (int, error) { s.joins <- struct{}{}; <-s.forever; return 0, nil }

// TestAJoinThatHangsHoldsNothingUp: neither the tree's changes nor the engine's end wait for it.
func TestAJoinThatHangsHoldsNothingUp(t *testing.T) {
	w := newWorld()
	j, err := jobs.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	fabric := changing{fakeFabric{w}, make(chan struct{})}
	radar := stuck{joins: make(chan struct{}, 10), forever: make(chan struct{})}
	defer close(radar.forever)
	id, err := identity.LoadOrCreate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Config{Name: "s1", ID: id.Fingerprint(), Trust: trustOf(t, id), Guests: fakeGuests{w, make(chan virt.Event)}, Volumes: fakeVolumes{w}, Fabric: fabric,
		Radar: radar, Journal: j, Accel: func() virt.Accel { return virt.TCG }, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = e.Run(ctx) }()
	<-radar.joins
	for range 3 {
		select {
		case fabric.changed <- struct{}{}:
		case <-time.After(5 * time.Second):
			t.Fatal("the tree's changes are not looked at")
		}
	}
	stop()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("the engine does not stop")
	}
}

// TestTheSocketIsRootsAlone looks at what the file system says; the peer's credentials are checked besides.
func TestTheSocketIsRootsAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "engine.sock")
	l, err := ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ListenUnix(path); err == nil {
		t.Error("a second engine took the socket of the first")
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	u := l.(rootOnly).Listener.(*net.UnixListener)
	u.SetUnlinkOnClose(false) // as kill -9 leaves it
	u.Close()
	again, err := ListenUnix(path)
	if err != nil {
		t.Fatalf("the socket of an engine that is gone: %v", err)
	}
	again.Close()
}

// doubled is a fabric of which two ports are seen under one name.
type doubled struct{ fakeFabric }

func (doubled) Tree() api.Tree {
	return api.Tree{Ports: []api.TreePort{{Name: "eth1"}, {Name: "eth1"}}}
}

func TestMetricsSurviveTwoPortsOfOneName(t *testing.T) {
	w := newWorld()
	j, err := jobs.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	e, err := New(Config{ID: keys.Fingerprint{1}.String(), Name: "s1", Guests: fakeGuests{w, nil}, Volumes: fakeVolumes{w}, Fabric: doubled{fakeFabric{w}}, Radar: alone{},
		Journal: j, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRecorder()
	e.Metrics().ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
	if r.Code != 200 || !strings.Contains(r.Body.String(), "decenter_hypervisor_up 1") {
		t.Errorf("%d: %.300s", r.Code, r.Body)
	}
}
