package engine

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/engine/identity"
	"decenter/engine/jobs"
	"decenter/engine/radar"
	"decenter/engine/rpc"
	"decenter/keys/statement"
	"decenter/virt"
)

// The tests here run satellites in one process that find each other by real gossip and ask each other over real TLS, on
// loopback addresses of their own; only their machines are in memory.

const testPort = 27717

// sat is one of them.
type sat struct {
	*Engine
	world *world
	id    *identity.Identity
	radar *radar.Radar
	addr  netip.Addr
	serve func() (stop func()) // answers the others until stopped
}

func (s *sat) open() api.Service { return s.Open(meAt(s.id)) }

var lastHost atomic.Uint32

// satellite makes one that gossips but does not answer yet; nobody is joined.
func satellite(t *testing.T, name string) *sat {
	t.Helper()
	id, err := identity.LoadOrCreate(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &sat{world: newWorld(), id: id, addr: netip.AddrFrom4([4]byte{127, 0, 42, byte(lastHost.Add(1))})}
	s.radar, err = radar.New(radar.Config{ID: id.Fingerprint(), Name: name, Version: "test", Advertise: s.addr, Port: testPort,
		RPCPort: testPort + 1, Primary: make([]byte, radar.KeySize), Admitted: func(string) bool { return true }, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// background runs something until the end of the test.
func background(t *testing.T, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = run(ctx) }()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

func (s *sat) listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", netip.AddrPortFrom(s.addr, testPort+1).String())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// live runs its engine and answers the others, who all are admitted.
func (s *sat) live(t *testing.T) *sat {
	t.Helper()
	j, err := jobs.OpenJournal(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	s.Engine, err = New(Config{Trust: trustOf(t, s.id), Name: s.radar.Self().Name, ID: s.id.Fingerprint(), Version: "test", Guests: fakeGuests{s.world, make(chan virt.Event)},
		Volumes: fakeVolumes{s.world}, Fabric: fakeFabric{s.world}, Radar: s.radar, Journal: j, Accel: func() virt.Accel { return virt.TCG },
		PeerTLS: func(id string) (*tls.Config, error) { return s.id.TLS(func(have string) bool { return have == id }) },
		Now:     time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	config, err := s.id.TLS(func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	background(t, s.Run)
	s.serve = func() func() {
		l := s.listen(t)
		return background(t, func(ctx context.Context) error { return s.ServePeers(ctx, l, config) })
	}
	eventually(t, "the engine is ready", s.ready.Load)
	return s
}

// lying gossips, and answers every question with an api of the test's making.
func (s *sat) lying(t *testing.T, as api.Service) {
	t.Helper()
	config, err := s.id.TLS(func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	config.NextProtos = []string{"h2"}
	l := tls.NewListener(s.listen(t), config)
	background(t, s.radar.Run)
	background(t, func(ctx context.Context) error {
		return serve(ctx, rpc.NewServer(rpc.NewHandler(as)), l)
	})
}

// frozen gossips and takes connections, and says nothing: a satellite whose engine hangs.
func (s *sat) frozen(t *testing.T) {
	t.Helper()
	l := s.listen(t)
	background(t, s.radar.Run)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// admit tells a satellite its owner's word that another belongs to the constellation. One without an engine needs none.
func (s *sat) admit(t *testing.T, other *sat) {
	t.Helper()
	if s.Engine == nil || s == other {
		return
	}
	if _, _, err := s.cfg.Trust.Statements.Declare(signed(t, statement.Membership{Account: myAddress, Constellation: "test",
		Satellite: fingerprint(other.id), Admit: true, At: time.Now().UTC().Truncate(time.Second)})); err != nil {
		t.Fatal(err)
	}
}

// meet joins all to the first, and waits until each sees all.
func meet(t *testing.T, first *sat, others ...*sat) {
	t.Helper()
	for _, s := range append(others, first) {
		for _, other := range append(others, first) {
			s.admit(t, other)
		}
	}
	for _, s := range others {
		if n, err := s.radar.Join([]netip.Addr{first.addr}); n != 1 || err != nil {
			t.Fatalf("join: %d, %v", n, err)
		}
	}
	for _, s := range append(others, first) {
		eventually(t, "all see each other", func() bool { return len(s.radar.Peers()) == len(others) })
	}
}

// two gives two live satellites that know each other.
func two(t *testing.T) (a, b *sat) {
	t.Helper()
	a, b = satellite(t, "s1").live(t), satellite(t, "s2").live(t)
	a.serve()
	b.serve()
	meet(t, a, b)
	return a, b
}

func create(t *testing.T, s *sat, name, where string) api.VM {
	t.Helper()
	job, err := s.open().Create(t.Context(), api.CreateRequest{Name: name, From: "tiny", Satellite: where})
	if job = follow(t, s.open(), job, err); job.State != api.JobDone || job.Satellite != where {
		t.Fatalf("create: %+v", job)
	}
	vm, err := s.open().VM(t.Context(), name)
	if err != nil || vm.Satellite != where {
		t.Fatalf("%+v, %v", vm, err)
	}
	return vm
}

func TestAnySatelliteActsOnAVMOfAnother(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	create(t, a, "web-1", "s2") // and its job was watched from here
	r, err := a.open().Search(t.Context(), api.Query{Words: []string{"web"}, Filters: []api.Filter{{Key: api.KeyState, Values: []string{"running"}}}})
	if err != nil || len(r.Items) != 1 || r.Items[0].Satellite != "s2" || len(r.Silent) != 0 {
		t.Errorf("search: %+v, %v", r, err)
	}
	for _, where := range []string{"s1", "s2", ""} {
		if _, err := a.open().Create(t.Context(), api.CreateRequest{Name: "web-1", From: "tiny", Satellite: where}); api.CodeOf(err) != api.CodeExists {
			t.Errorf("a taken name, on %q: %v", where, err)
		}
	}
	if n := b.world.names(); !slices.Equal(n, []string{"web-1 running"}) {
		t.Errorf("s2 has %v", n)
	}
	if _, err := a.open().Delete(t.Context(), api.DeleteRequest{VM: "web-1", Confirm: "web-2"}); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("a wrong confirmation: %v", err)
	}
	job, err := a.open().Delete(t.Context(), api.DeleteRequest{VM: "web-1", Confirm: "web-1"})
	if job = follow(t, a.open(), job, err); job.State != api.JobDone || job.Account != myAddress.String() {
		t.Errorf("delete: %+v", job)
	}
	if err := b.world.whole(); err != nil || len(b.world.names()) != 0 {
		t.Errorf("left: %v, %v", b.world.names(), err)
	}
	if _, err := b.open().Cancel(t.Context(), job.ID); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("cancel of what is over: %v", err)
	}
	if _, err := a.open().Cancel(t.Context(), job.ID[:6]); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("the same from elsewhere: %v", err)
	}
}

func TestTwoVMsOfOneNameAreToldApartByTheirIDs(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	for _, s := range []*sat{a, b} { // each on its own, as while they were cut off from each other
		job, err := s.Local(me, s.Engine.id).Create(t.Context(), api.CreateRequest{Name: "web-1", From: "tiny"})
		follow(t, s.Local(me, s.Engine.id), job, err)
	}
	_, err := a.open().VM(t.Context(), "web-1")
	vm, lerr := b.Local(me, b.Engine.id).VM(t.Context(), "web-1")
	if api.CodeOf(err) != api.CodeAmbiguous || lerr != nil || !strings.Contains(err.Error(), vm.ID+" on s2") {
		t.Fatalf("%v, %v", err, lerr)
	}
	job, err := a.open().Delete(t.Context(), api.DeleteRequest{VM: vm.ID, Confirm: "web-1"})
	if job = follow(t, a.open(), job, err); job.State != api.JobDone || len(b.world.names()) != 0 || len(a.world.names()) != 1 {
		t.Errorf("%+v; s1 has %v, s2 %v", job, a.world.names(), b.world.names())
	}
	// A VM that is named like another's id would be found in its place.
	if _, err := a.open().Create(t.Context(), api.CreateRequest{Name: vm.ID, From: "tiny"}); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("a VM named like an id: %v", err)
	}
}

func TestAFrozenSatelliteIsNamedAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	create(t, a, "web-1", "s2")
	c := satellite(t, "s3")
	c.frozen(t)
	if _, err := c.radar.Join([]netip.Addr{a.addr}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "s3 is there", func() bool { return len(a.radar.Peers()) == 2 && len(b.radar.Peers()) == 2 })
	quick := func(what string, do func() error) {
		began := time.Now()
		err := do()
		if took := time.Since(began); err != nil || took > 2*time.Second {
			t.Errorf("%s took %v: %v", what, took, err)
		} else {
			t.Logf("%s took %v", what, took.Round(time.Millisecond))
		}
	}
	silent := func(names []string, err error) error {
		if err == nil && !slices.Equal(names, []string{"s3"}) {
			err = fmt.Errorf("silent: %v", names)
		}
		return err
	}
	quick("search", func() error {
		r, err := a.open().Search(t.Context(), api.Query{Words: []string{"web-1"}})
		if err == nil && len(r.Items) != 2 { // the VM and the job that made it
			err = fmt.Errorf("found %+v", r.Items)
		}
		return silent(r.Silent, err)
	})
	quick("jobs", func() error { r, err := a.open().Jobs(t.Context(), api.JobsRequest{}); return silent(r.Silent, err) })
	quick("satellites", func() error {
		r, err := a.open().Satellites(t.Context())
		if err == nil && (len(r.Satellites) != 3 || r.Satellites[1].State != api.SatelliteLive || r.Satellites[2].State != api.SatelliteSilent) {
			err = fmt.Errorf("%+v", r)
		}
		return err
	})
	quick("the VM's page", func() error { _, err := a.open().VM(t.Context(), "web-1"); return err })
	quick("a name that nobody has", func() error {
		_, err := a.open().VM(t.Context(), "web-9")
		if api.CodeOf(err) != api.CodeNotFound || !strings.Contains(err.Error(), "s3") {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
	var job api.Job
	quick("delete", func() (err error) {
		job, err = a.open().Delete(t.Context(), api.DeleteRequest{VM: "web-1", Confirm: "web-1"})
		return err
	})
	if job = follow(t, a.open(), job, nil); job.State != api.JobDone || len(b.world.names()) != 0 {
		t.Errorf("%+v, %v", job, b.world.names())
	}
}

func TestEventsOfAllSatellitesReachAReader(t *testing.T) {
	t.Parallel()
	a, b := satellite(t, "s1").live(t), satellite(t, "s2").live(t)
	stopServing := b.serve()
	meet(t, a, b)
	seen := make(chan api.Event, 1000)
	background(t, func(ctx context.Context) error {
		return a.open().Events(ctx, api.EventsRequest{}, func(ev api.Event) error { seen <- ev; return nil })
	})
	next := func(what string, poke func(), ok func(api.Event) bool) {
		t.Helper()
		late := time.After(20 * time.Second)
		for {
			poke()
			select {
			case ev := <-seen:
				if ok(ev) {
					return
				}
			case <-time.After(20 * time.Millisecond):
			case <-late:
				t.Fatalf("not told: %s", what)
			}
		}
	}
	tell := func(s *sat, name string) func() {
		id := "11111111-1111-4111-8111-111111111111"
		return func() {
			s.bus.Publish(api.Event{Kind: api.EventVM, VM: &api.VM{ID: id, Name: name, Satellite: s.cfg.Name}})
		}
	}
	is := func(name, where string) func(api.Event) bool {
		return func(ev api.Event) bool {
			return ev.Kind == api.EventVM && ev.VM.Name == name && ev.VM.Satellite == where
		}
	}
	next("a change there", tell(b, "there"), is("there", "s2"))
	next("a change here", tell(a, "here"), is("here", "s1"))
	// The stream breaks, things change meanwhile, and when it is back the reader knows that it missed something.
	stopServing()
	b.serve()
	next("a loss", func() {}, func(ev api.Event) bool { return ev.Kind == api.EventLost })
	next("a change after the break", tell(b, "again"), is("again", "s2"))
}

// liar is an api that claims what is not its own.
type liar struct {
	api.Service
	id string // of another's VM
}

func (l liar) Search(context.Context, api.Query) (api.SearchReply, error) {
	vm := api.VM{ID: l.id, Name: "web-1", Satellite: "s1"}
	return api.SearchReply{Items: []api.Item{
		{Kind: api.KindVM, Name: "web-1", Satellite: "s1", VM: &vm},
		{Kind: api.KindVM, Name: "web-2", Satellite: "s1"},
		{Kind: api.KindVM, Name: "\x1b[2J", VM: &api.VM{ID: l.id, Name: "\x1b[2J"}},
		{Kind: api.KindSatellite, Name: "s1", Satellite: "s1", Node: &api.Satellite{Name: "s1"}},
		{Kind: api.KindJob, Name: "x"}, {Kind: api.KindSpacesuit, Name: "x"}, {Kind: "x"},
	}}, nil
}

func (l liar) VM(context.Context, string) (api.VM, error) {
	return api.VM{ID: l.id, Name: "other"}, nil
}

func (l liar) Jobs(context.Context, api.JobsRequest) (api.JobsReply, error) {
	return api.JobsReply{}, nil
}

func (l liar) Satellites(context.Context) (api.SatellitesReply, error) {
	return api.SatellitesReply{Satellites: []api.Satellite{{Name: "s1", ID: "SHA256:1", State: api.SatelliteFailed}}}, nil
}

func (l liar) Events(_ context.Context, r api.EventsRequest, fn func(api.Event) error) error {
	for _, ev := range []api.Event{{Kind: api.EventVM}, {Kind: api.EventJob}, {Kind: api.EventSatellite}, {Kind: api.EventTree},
		{Kind: api.EventVM, VM: &api.VM{ID: l.id, Name: "from-the-liar", Satellite: "s1"}}} {
		if err := fn(ev); err != nil {
			return err
		}
	}
	return nil
}

// TestASatelliteSpeaksForItselfAlone puts one into the constellation that claims to be another and answers nonsense.
func TestASatelliteSpeaksForItselfAlone(t *testing.T) {
	t.Parallel()
	a := satellite(t, "s1").live(t)
	a.serve()
	vm := create(t, a, "web-1", "s1")
	l := satellite(t, "liar")
	l.lying(t, liar{id: vm.ID})
	meet(t, a, l)
	r, err := a.open().Search(t.Context(), api.Query{})
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, it := range r.Items {
		if it.Satellite != "s1" {
			said = append(said, fmt.Sprint(it.Kind, " ", it.Name))
			if it.VM != nil && it.VM.Satellite != "liar" || it.Node != nil && it.Node.ID != l.id.Fingerprint() {
				t.Errorf("it spoke for another: %+v", it)
			}
		}
	}
	if !slices.Equal(said, []string{"satellite liar", "vm web-1"}) {
		t.Errorf("of the liar came %v", said)
	}
	if got, err := a.open().VM(t.Context(), "web-1"); err != nil || got.Satellite != "s1" {
		t.Errorf("the VM: %+v, %v", got, err)
	}
	jobs, err := a.open().Jobs(t.Context(), api.JobsRequest{})
	if err != nil || len(jobs.Jobs) != 1 {
		t.Fatalf("%+v, %v", jobs, err)
	}
	if _, err := a.open().Cancel(t.Context(), jobs.Jobs[0].ID); api.CodeOf(err) != api.CodeConflict {
		t.Errorf("cancel went elsewhere: %v", err)
	}
	sats, err := a.open().Satellites(t.Context())
	if err != nil || len(sats.Satellites) != 2 || sats.Satellites[0].Name != "liar" || sats.Satellites[0].ID != l.id.Fingerprint() {
		t.Errorf("%+v, %v", sats, err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	err = a.open().Events(ctx, api.EventsRequest{}, func(ev api.Event) error {
		switch {
		case ev.Kind == api.EventVM && ev.VM == nil, ev.Kind == api.EventJob && ev.Job == nil, ev.Kind == api.EventTree,
			ev.Kind == api.EventSatellite && ev.Node == nil:
			t.Errorf("told on: %+v", ev)
		case ev.Kind == api.EventVM && ev.VM.Name == "from-the-liar":
			if ev.VM.Satellite != "liar" {
				t.Errorf("it spoke for %s", ev.VM.Satellite)
			}
			stop()
		}
		return nil
	})
	if api.CodeOf(err) != api.CodeCancelled {
		t.Errorf("events: %v", err)
	}
}

// broken is a satellite whose hypervisor is out of order.
type broken struct{ api.Service }

var errBroken = api.Errorf(api.CodeFailed, "internal error")

func (broken) Search(context.Context, api.Query) (api.SearchReply, error) {
	return api.SearchReply{}, errBroken
}
func (broken) VM(context.Context, string) (api.VM, error) { return api.VM{}, errBroken }
func (broken) Jobs(context.Context, api.JobsRequest) (api.JobsReply, error) {
	return api.JobsReply{}, errBroken
}

func TestABrokenSatelliteSpoilsNoAnswerOfTheOthers(t *testing.T) {
	t.Parallel()
	a := satellite(t, "s1").live(t)
	a.serve()
	create(t, a, "web-1", "s1")
	b := satellite(t, "s2")
	b.lying(t, broken{})
	meet(t, a, b)
	r, err := a.open().Search(t.Context(), api.Query{Words: []string{"web-1"}})
	if err != nil || len(r.Items) != 2 || !slices.Equal(r.Silent, []string{"s2"}) {
		t.Errorf("search: %+v, %v", r, err)
	}
	if _, err := a.open().VM(t.Context(), "web-1"); err != nil {
		t.Error(err)
	}
	if _, err := a.open().Create(t.Context(), api.CreateRequest{Name: "web-2", From: "tiny", Satellite: "s2"}); api.CodeOf(err) != api.CodeUnavailable {
		t.Errorf("create there: %v", err)
	}
	job, err := a.open().Delete(t.Context(), api.DeleteRequest{VM: "web-1", Confirm: "web-1"})
	if job = follow(t, a.open(), job, err); job.State != api.JobDone {
		t.Errorf("%+v", job)
	}
}
