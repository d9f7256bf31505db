package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/virt"
)

// me is root of the satellite that is asked.
var me = api.Caller{Account: api.AccountLocal, Via: viaSocket}

// follow waits for the end of a job.
func follow(t *testing.T, s api.Service, job api.Job, err error) api.Job {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := s.Events(ctx, api.EventsRequest{Job: job.ID}, func(e api.Event) error { job = *e.Job; return nil }); err != nil {
		t.Fatal(err)
	}
	return job
}

func TestALifeOfAVM(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w := newWorld()
	s := boot(t, ctx, w, t.TempDir()).Open(me)
	job, err := s.Create(ctx, api.CreateRequest{Name: "web-1", From: "tiny"})
	if job = follow(t, s, job, err); job.State != api.JobDone {
		t.Fatalf("create: %+v", job)
	}
	vm, err := s.VM(ctx, "web-1")
	if err != nil || vm.State != api.StateRunning || vm.Owner != me.Account || vm.CPU != 1 || len(vm.Disks) != 1 || vm.Disks[0].Size != 64<<20 {
		t.Fatalf("%+v, %v", vm, err)
	}
	for _, act := range []struct {
		act  api.Act
		want api.VMState
	}{{api.ActPause, api.StatePaused}, {api.ActResume, api.StateRunning}, {api.ActReset, api.StateRunning},
		{api.ActStop, api.StateStopped}, {api.ActStart, api.StateRunning}} {
		job, err := s.Control(ctx, api.ControlRequest{VM: vm.ID, Act: act.act})
		if job = follow(t, s, job, err); job.State != api.JobDone {
			t.Errorf("%s: %+v", act.act, job)
		}
		if vm, _ := s.VM(ctx, "web-1"); vm.State != act.want {
			t.Errorf("after %s it is %s", act.act, vm.State)
		}
	}
	if _, err := s.Delete(ctx, api.DeleteRequest{VM: "web-1"}); api.CodeOf(err) != api.CodeInvalid || !strings.Contains(err.Error(), "confirm:web-1") {
		t.Errorf("delete without its name: %v", err)
	}
	job, err = s.Delete(ctx, api.DeleteRequest{VM: "web-1", Confirm: "web-1"})
	if job = follow(t, s, job, err); job.State != api.JobDone {
		t.Errorf("delete: %+v", job)
	}
	if err := w.whole(); err != nil || len(w.names()) != 0 {
		t.Errorf("left: %v, %v", w.names(), err)
	}
}

func TestRefusalsSayWhatWouldBeRight(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s := boot(t, ctx, newWorld(), t.TempDir()).Open(me)
	job, err := s.Create(ctx, api.CreateRequest{Name: "web-1", From: "tiny"})
	follow(t, s, job, err)
	for _, c := range []struct {
		do   func() error
		code api.Code
		want string
	}{
		{func() error { _, err := s.Create(ctx, api.CreateRequest{Name: "web-1", From: "tiny"}); return err }, api.CodeExists, "another name"},
		{func() error { _, err := s.Create(ctx, api.CreateRequest{Name: "Web", From: "tiny"}); return err }, api.CodeInvalid, `use "web"`},
		{func() error { _, err := s.Create(ctx, api.CreateRequest{Name: "b", From: "huge"}); return err }, api.CodeNotFound, "spacesuit"},
		{func() error {
			_, err := s.Create(ctx, api.CreateRequest{Name: "b", From: "tiny", Satellite: "s9"})
			return err
		}, api.CodeNotFound, "s9"},
		{func() error {
			_, err := s.Create(ctx, api.CreateRequest{Name: "b", From: "tiny", Disk: 1 << 20})
			return err
		}, api.CodeInvalid, "smaller"},
		{func() error {
			_, err := s.Create(ctx, api.CreateRequest{Name: "b", From: "tiny", Memory: api.MaxMemory})
			return err
		}, api.CodeExhausted, "of memory in all"},
		{func() error { _, err := s.Control(ctx, api.ControlRequest{VM: "web-1", Act: "start"}); return err }, api.CodeConflict, "running"},
		{func() error { _, err := s.Control(ctx, api.ControlRequest{VM: "web-1", Act: "fly"}); return err }, api.CodeInvalid, "use start"},
		{func() error { _, err := s.VM(ctx, "web-2"); return err }, api.CodeNotFound, "web-2"},
		{func() error { _, err := s.Cancel(ctx, "12"); return err }, api.CodeNotFound, "4 digits"},
	} {
		if err := c.do(); api.CodeOf(err) != c.code || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%v, want %s with %q", err, c.code, c.want)
		}
	}
}

// TestAFailedCreateLeavesNothing lets each act of a create fail in turn, and each time all must be as before.
func TestAFailedCreateLeavesNothing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w := newWorld()
	s := boot(t, ctx, w, t.TempDir()).Open(me)
	for at := 1; at <= 4; at++ {
		for _, after := range []bool{false, true} {
			w.acts = 0
			w.gate = func(n int, act string, now bool) error {
				if n == at && now == after {
					return errors.New("the disk is on fire")
				}
				return nil
			}
			job, err := s.Create(ctx, api.CreateRequest{Name: "web-1", From: "tiny"})
			if job = follow(t, s, job, err); job.State != api.JobFailed || !strings.Contains(job.Error, "on fire") {
				t.Errorf("act %d: %+v", at, job)
			}
			if err := w.whole(); err != nil || len(w.names()) != 0 {
				t.Errorf("act %d, after %v: left %v, %v", at, after, w.names(), err)
			}
		}
	}
}

// killAt runs do on an engine that dies, as by kill -9, before or after its nth act; then the next engine starts on
// the same machine and journal. It tells whether the engine died at all.
func killAt(t *testing.T, w *world, nth int, after bool, do func(api.Service) (api.Job, error)) (died bool, next api.Service) {
	t.Helper()
	dir := t.TempDir()
	w.gate = nil
	ctx, cancel := context.WithCancel(context.Background())
	e := boot(t, ctx, w, dir)
	dead := make(chan struct{})
	forever := make(chan struct{})
	t.Cleanup(func() { close(forever) })
	w.mu.Lock()
	w.acts = 0
	w.gate = func(n int, _ string, now bool) error {
		if n == nth && now == after {
			close(dead)
			<-forever // a killed engine does nothing any more
			return errors.New("dead")
		}
		return nil
	}
	w.mu.Unlock()
	job, err := do(e.Open(me))
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		_ = e.Open(me).Events(ctx, api.EventsRequest{Job: job.ID}, func(api.Event) error { return nil })
		close(over)
	}()
	select {
	case <-dead:
		died = true
	case <-over:
	}
	// The journal as the kill left it.
	copied := t.TempDir()
	text, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err == nil {
		err = os.WriteFile(filepath.Join(copied, "journal"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	w.gate = nil
	w.mu.Unlock()
	t.Cleanup(cancel)
	return died, boot(t, t.Context(), w, copied).Open(me)
}

// TestAKilledEngineLeavesAWholeVMOrNone kills the engine at every point of a create and of a delete.
func TestAKilledEngineLeavesAWholeVMOrNone(t *testing.T) {
	deaths := 0
	for nth := 1; nth <= 6; nth++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("create, act %d, after %v", nth, after), func(t *testing.T) {
				w := newWorld()
				died, s := killAt(t, w, nth, after, func(s api.Service) (api.Job, error) {
					return s.Create(t.Context(), api.CreateRequest{Name: "web-1", From: "tiny"})
				})
				if died {
					deaths++
				}
				if err := w.whole(); err != nil {
					t.Error(err)
				}
				if n := w.names(); len(n) != 0 && !slices.Equal(n, []string{"web-1 running"}) {
					t.Errorf("there is %v", n)
				}
				jobs, err := s.Jobs(t.Context(), api.JobsRequest{})
				if err != nil || len(jobs.Jobs) != 1 || !jobs.Jobs[0].State.Over() {
					t.Errorf("jobs: %+v, %v", jobs, err)
				}
			})
			t.Run(fmt.Sprintf("delete, act %d, after %v", nth, after), func(t *testing.T) {
				w := newWorld()
				ctx, stop := context.WithCancel(t.Context())
				s := boot(t, ctx, w, t.TempDir()).Open(me)
				job, err := s.Create(ctx, api.CreateRequest{Name: "web-1", From: "tiny"})
				follow(t, s, job, err)
				stop()
				died, _ := killAt(t, w, nth, after, func(s api.Service) (api.Job, error) {
					return s.Delete(t.Context(), api.DeleteRequest{VM: "web-1", Confirm: "web-1"})
				})
				if died {
					deaths++
				}
				if err := w.whole(); err != nil || len(w.names()) != 0 {
					t.Errorf("left %v, %v", w.names(), err)
				}
			})
		}
	}
	if deaths < 12 {
		t.Errorf("the engine died only %d times: the test does not reach the acts", deaths)
	}
}

// TestTheCheckerSeesAHalfVM is the control of the test above.
func TestTheCheckerSeesAHalfVM(t *testing.T) {
	w := newWorld()
	w.taps["02:00:00:01:00:01"] = true
	if w.whole() == nil {
		t.Error("a tap without a VM was not seen")
	}
}

func TestACancelledCreateIsUndone(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w := newWorld()
	s := boot(t, ctx, w, t.TempDir()).Open(me)
	reached, goOn := make(chan struct{}), make(chan struct{})
	w.gate = func(_ int, act string, after bool) error {
		if act == "create disks" && after {
			close(reached)
			<-goOn
		}
		return nil
	}
	job, err := s.Create(ctx, api.CreateRequest{Name: "web-1", From: "tiny"})
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	if vm, err := s.VM(ctx, "web-1"); err != nil || vm.State != api.StateCreating {
		t.Errorf("meanwhile it is %+v, %v", vm, err)
	}
	if _, err := s.Create(ctx, api.CreateRequest{Name: "web-1", From: "tiny"}); err == nil {
		t.Error("a second create of the name was taken")
	}
	if _, err := s.Cancel(ctx, job.ID); err != nil {
		t.Error(err)
	}
	close(goOn)
	if job = follow(t, s, job, nil); job.State != api.JobCancelled {
		t.Errorf("ended as %+v", job)
	}
	if err := w.whole(); err != nil || len(w.names()) != 0 {
		t.Errorf("left %v, %v", w.names(), err)
	}
}

// TestACancelledDeleteIsFinished: a delete that was cancelled after the definition went would leave disks without a VM.
func TestACancelledDeleteIsFinished(t *testing.T) {
	w := newWorld()
	s := boot(t, t.Context(), w, t.TempDir()).Open(me)
	job, err := s.Create(t.Context(), api.CreateRequest{Name: "web-1", From: "tiny"})
	follow(t, s, job, err)
	reached, goOn := make(chan struct{}), make(chan struct{})
	w.mu.Lock()
	w.gate = func(_ int, act string, after bool) error {
		if act == string(virt.Undefine) && after {
			close(reached)
			<-goOn
		}
		return nil
	}
	w.mu.Unlock()
	if job, err = s.Delete(t.Context(), api.DeleteRequest{VM: "web-1", Confirm: "web-1"}); err != nil {
		t.Fatal(err)
	}
	<-reached
	if _, err := s.Cancel(t.Context(), job.ID); err != nil {
		t.Error(err)
	}
	close(goOn)
	if job = follow(t, s, job, nil); job.State != api.JobDone {
		t.Errorf("ended as %+v", job)
	}
	if err := w.whole(); err != nil || len(w.names()) != 0 {
		t.Errorf("left %v, %v", w.names(), err)
	}
}

// TestWhatCouldNotBeUndoneIsToldAndRemovedAtTheNextStart cancels a create whose disks cannot be deleted.
func TestWhatCouldNotBeUndoneIsToldAndRemovedAtTheNextStart(t *testing.T) {
	w, dir := newWorld(), t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	e := boot(t, ctx, w, dir)
	s := e.Open(me)
	reached, goOn := make(chan struct{}), make(chan struct{})
	w.gate = func(_ int, act string, after bool) error {
		switch {
		case act == "attach" && after:
			close(reached)
			<-goOn
		case act == "delete disks":
			return errors.New("the disk is on fire")
		}
		return nil
	}
	job, err := s.Create(ctx, api.CreateRequest{Name: "web-1", From: "tiny"})
	if err != nil {
		t.Fatal(err)
	}
	<-reached
	if _, err := s.Cancel(ctx, job.ID); err != nil {
		t.Error(err)
	}
	close(goOn)
	if job = follow(t, s, job, nil); job.State != api.JobFailed || !strings.Contains(job.Error, "on fire") {
		t.Errorf("ended as %+v", job)
	}
	if w.whole() == nil {
		t.Error("the disks could be deleted: this test shows nothing")
	}
	stop()
	<-e.life.Done()
	e.jobs.Close()
	_ = e.cfg.Journal.Close()
	w.gate = nil
	jobs, err := boot(t, t.Context(), w, dir).Open(me).Jobs(t.Context(), api.JobsRequest{})
	if err != nil || len(jobs.Jobs) != 1 || jobs.Jobs[0].State != api.JobFailed {
		t.Errorf("jobs: %+v, %v", jobs, err)
	}
	if err := w.whole(); err != nil {
		t.Error(err)
	}
}

// TestDisksOfAVMThatTheHypervisorDoesNotKnowStay: with its definitions lost, or another hypervisor configured, the disks
// are all that there is of a VM.
func TestDisksOfAVMThatTheHypervisorDoesNotKnowStay(t *testing.T) {
	w := newWorld()
	id, err := virt.NewID(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.disks[id] = []virt.Disk{{Name: "vda"}}
	boot(t, t.Context(), w, t.TempDir())
	if len(w.disks) != 1 {
		t.Error("the disks were removed")
	}
}

func TestNewAddressesOfAGuestAreTold(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	w := newWorld()
	e := boot(t, ctx, w, t.TempDir())
	s := e.Open(me)
	job, err := s.Create(ctx, api.CreateRequest{Name: "web-1", From: "tiny"})
	follow(t, s, job, err)
	list, err := e.guests.all(ctx)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	told, end, err := e.bus.Subscribe()
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	mac := list[0].NICs[0].MAC
	found := map[virt.ID]extra{list[0].ID: {map[string][]string{mac: {"169.254.1.2"}}}}
	e.guests.learn(list, found)
	e.guests.learn(list, found) // nothing new
	if len(told) != 1 {
		t.Fatalf("told %d times, want once", len(told))
	}
	if ev := <-told; ev.VM == nil || len(ev.VM.NICs) != 1 || !slices.Equal(ev.VM.NICs[0].Addresses, []string{"169.254.1.2"}) {
		t.Errorf("told %+v", ev.VM)
	}
	g := list[0]
	g.State = virt.Stopped
	e.guests.put(g.ID, &g)
	g.State = virt.Running
	e.guests.put(g.ID, &g)
	if vm := e.view(g); len(vm.NICs[0].Addresses) != 0 {
		t.Errorf("a new run has the last one's addresses: %v", vm.NICs[0].Addresses)
	}
}

// TestAGuestEndsWhileItsAddressesAreLearnt shows a race to the race detector: what was learnt is also what put changes.
func TestAGuestEndsWhileItsAddressesAreLearnt(t *testing.T) {
	e := boot(t, t.Context(), newWorld(), t.TempDir())
	var list []virt.Guest
	for range 100 {
		id, err := virt.NewID(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, virt.Guest{Spec: virt.Spec{ID: id, Name: "web-" + id.String()[:8]}, State: virt.Running})
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for _, g := range list {
			e.guests.put(g.ID, nil)
		}
	}()
	for range 10 {
		e.guests.learn(list, map[virt.ID]extra{list[0].ID: {}})
	}
	<-over
}
