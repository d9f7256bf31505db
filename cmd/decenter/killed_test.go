package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"decenter/engine/api"
	"decenter/engine/lab"
	"decenter/engine/rpc"
)

// kills plays engines that are killed in the middle of what they do on s1. What is asked goes to s2, which lives.
type kills struct {
	ts   *testscript.TestScript
	dir  string
	lab  *lab.Lab
	s2   *rpc.Client
	dice *rand.Rand
	took map[string]time.Duration // an undisturbed create and delete
}

// killed is `killed SEED ROUNDS`: each round creates a VM on s1 and deletes it, and in either the engine is killed by
// SIGKILL at a moment that the seed draws. Once the next engine is ready there is a whole VM or nothing of it, no job
// is under way, and the name is free for the other of the two.
func killed(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("use: killed SEED ROUNDS")
	}
	seed, err := strconv.ParseUint(args[0], 10, 64)
	ts.Check(err)
	rounds, err := strconv.Atoi(args[1])
	ts.Check(err)
	dir := ts.Getenv("LAB")
	l, err := lab.Load(dir)
	ts.Check(err)
	k := &kills{ts: ts, dir: dir, lab: l, s2: rpc.DialUnix(filepath.Join(dir, "s2/run/engine.sock")),
		dice: rand.New(rand.NewPCG(seed, 0)), took: map[string]time.Duration{}}
	defer k.s2.Close()
	k.nothing()
	k.measure()
	k.strays()
	met := map[string]int{}
	for round := range rounds {
		name := fmt.Sprintf("cut-%d", round)
		whole := k.cut("create", name)
		met[fmt.Sprintf("create: whole %v", whole)]++
		if !whole {
			k.do("create", name)
		}
		whole = k.cut("delete", name)
		met[fmt.Sprintf("delete: whole %v", whole)]++
		if whole {
			k.do("delete", name)
		}
		k.nothing()
	}
	ts.Logf("seed %d: after kills in %d creates and %d deletes: %v", seed, rounds, rounds, met)
}

// ask starts a create or a delete of a VM on s1.
func (k *kills) ask(ctx context.Context, verb, name string) (api.Job, error) {
	if verb == "create" {
		return k.s2.Create(ctx, api.CreateRequest{Name: name, From: "tiny", Satellite: "s1"})
	}
	return k.s2.Delete(ctx, api.DeleteRequest{VM: name, Confirm: name})
}

// do creates or deletes without trouble, and tells how long it took.
func (k *kills) do(verb, name string) time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	began := time.Now()
	job, err := k.ask(ctx, verb, name)
	k.ts.Check(err)
	k.ts.Check(k.s2.Events(ctx, api.EventsRequest{Job: job.ID}, func(e api.Event) error {
		if e.Job != nil {
			job = *e.Job
		}
		return nil
	}))
	if job.State != api.JobDone {
		k.ts.Fatalf("%s %s: %s %s", verb, name, job.State, job.Error)
	}
	return time.Since(began)
}

func (k *kills) measure() {
	for _, verb := range []string{"create", "delete"} {
		k.took[verb] = k.do(verb, "calm")
		k.ts.Logf("an undisturbed %s takes %s", verb, k.took[verb].Round(time.Millisecond))
	}
}

// cut kills the engine of s1 in the middle of a create or delete, and tells whether the VM is there afterwards.
func (k *kills) cut(verb, name string) (whole bool) {
	early := k.dice.Float64() // squared: the first steps are the short ones
	after := time.Duration(early * early * float64(k.took[verb]))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var job api.Job
	asked := make(chan error, 1)
	began := time.Now()
	go func() {
		var err error
		job, err = k.ask(ctx, verb, name)
		asked <- err
	}()
	time.Sleep(after)
	k.ts.Check(k.lab.KillEngine(ctx, "s1", true))
	err := <-asked
	k.ready(ctx)
	back := time.Since(began) - after
	vm, there := k.find(ctx, name)
	end := k.over(ctx, job.ID)
	k.ts.Logf("%s %s, killed after %s (asked: %v), back after %s: VM there %v %s, job %s %s", verb, name,
		after.Round(time.Millisecond), err, back.Round(time.Millisecond), there, vm.State, end.State, end.Error)
	if end.State != "" && (end.State == api.JobDone) != (there == (verb == "create")) {
		k.ts.Fatalf("the job says %s, and the VM is there: %v", end.State, there)
	}
	if left := k.leftovers(ctx); len(left) > 0 {
		k.ts.Fatalf("neither whole nor gone: %s", strings.Join(left, "; "))
	}
	if there && vm.State == api.StateStopped {
		start, err := k.s2.Control(ctx, api.ControlRequest{VM: name, Act: api.ActStart})
		k.ts.Check(err)
		k.ts.Check(k.s2.Events(ctx, api.EventsRequest{Job: start.ID}, func(api.Event) error { return nil }))
		vm, _ = k.find(ctx, name)
	}
	if there && vm.State != api.StateRunning {
		k.ts.Fatalf("%s is %s", name, vm.State)
	}
	return there
}

// ready waits until the engine of s1 that was just killed has a successor that takes work: earlier jobs are over by then.
func (k *kills) ready(ctx context.Context) {
	for {
		reply, err := k.s2.Jobs(ctx, api.JobsRequest{})
		if err == nil && len(reply.Silent) == 0 && !slices.ContainsFunc(reply.Jobs, func(j api.Job) bool { return !j.State.Over() }) {
			// An engine that is not ready says so first, and then that it has no such spacesuit.
			_, err = k.s2.Create(ctx, api.CreateRequest{Name: "never", From: "none", Satellite: "s1"})
			if err != nil && strings.Contains(err.Error(), "no spacesuit") {
				return
			}
		}
		if ctx.Err() != nil {
			k.ts.Fatalf("s1 is not back: %v, %+v", err, reply)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (k *kills) find(ctx context.Context, name string) (api.VM, bool) {
	vm, err := k.s2.VM(ctx, name)
	if api.CodeOf(err) == api.CodeNotFound && err != nil {
		return vm, false
	}
	k.ts.Check(err)
	return vm, true
}

// over gives a job as it ended; nothing for one that never began, or of which the answer was lost.
func (k *kills) over(ctx context.Context, id string) api.Job {
	if id == "" {
		return api.Job{}
	}
	reply, err := k.s2.Jobs(ctx, api.JobsRequest{ID: id})
	k.ts.Check(err)
	if len(reply.Jobs) != 1 || !reply.Jobs[0].State.Over() {
		k.ts.Fatalf("job %s is not over: %+v", id, reply.Jobs)
	}
	return reply.Jobs[0]
}

// nothing fails where anything of a VM is on s1.
func (k *kills) nothing() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	reply, err := k.s2.Search(ctx, api.Query{Words: []string{"vm"}})
	k.ts.Check(err)
	if left := k.leftovers(ctx); len(left)+len(reply.Items) > 0 {
		k.ts.Fatalf("left: %v %v", left, reply.Items)
	}
}

// leftovers tells what on s1 is of no VM, and what a VM misses: of its definition, disk, tap and process.
func (k *kills) leftovers(ctx context.Context) (wrong []string) {
	reply, err := k.s2.Search(ctx, api.Query{Words: []string{"vm"}})
	k.ts.Check(err)
	var disks, definitions, taps, running []string
	for _, it := range reply.Items {
		disks = append(disks, it.VM.ID)
		definitions = append(definitions, it.VM.ID)
		if it.VM.State == api.StateRunning {
			running = append(running, it.VM.ID)
		}
		for _, n := range it.VM.NICs {
			taps = append(taps, "dt"+strings.ReplaceAll(n.MAC, ":", ""))
		}
	}
	compare := func(what string, should, are []string) {
		for _, s := range are {
			if !slices.Contains(should, s) {
				wrong = append(wrong, "a "+what+" too much: "+s)
			}
		}
		for _, s := range should {
			if !slices.Contains(are, s) {
				wrong = append(wrong, "a "+what+" missing: "+s)
			}
		}
	}
	s1 := filepath.Join(k.dir, "s1")
	compare("disk", disks, names(s1, "data/volumes/volumes", ""))
	compare("definition", definitions, k.domains())
	compare("tap", taps, k.taps())
	compare("guest's process", running, k.processes())
	return wrong
}

// names lists a folder, without an extension.
func names(dir, folder, ext string) (all []string) {
	entries, _ := os.ReadDir(filepath.Join(dir, folder))
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ext); ok {
			all = append(all, name)
		}
	}
	return all
}

// domains gives the ids that stand in libvirt's own files.
func (k *kills) domains() (ids []string) {
	dir := filepath.Join(k.dir, "s1")
	for _, name := range names(dir, "libvirt/etc/qemu", ".xml") {
		text, err := os.ReadFile(filepath.Join(dir, "libvirt/etc/qemu", name+".xml"))
		k.ts.Check(err)
		_, id, _ := strings.Cut(string(text), "<uuid>")
		id, _, _ = strings.Cut(id, "</uuid>")
		ids = append(ids, id)
	}
	return ids
}

func (k *kills) taps() (all []string) {
	for line := range strings.Lines(mustOutput(k.ts, "decenter", "lab", "exec", "--dir", k.dir, "s1", "--", "ip", "-o", "link")) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasPrefix(fields[1], "dt") {
			all = append(all, strings.TrimSuffix(fields[1], ":"))
		}
	}
	return all
}

// processes gives the ids of VMs whose disks a running QEMU has.
func (k *kills) processes() (ids []string) {
	at := filepath.Join(k.dir, "s1/data/volumes/volumes") + "/"
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range all {
		text, _ := os.ReadFile(p)
		if !strings.Contains(string(text), "qemu-system") {
			continue
		}
		if _, id, ok := strings.Cut(string(text), at); ok {
			id, _, _ = strings.Cut(id, "/")
			ids = append(ids, id)
		}
	}
	return ids
}

// strays is the control: what is planted on s1 is seen by us. The next engine removes the tap and leaves the disk, which is
// of no job of its own: it may be all that somebody has.
func (k *kills) strays() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	const id, tap = "dece0000-0000-4000-8000-00000000dead", "dt020000000001"
	disk := filepath.Join(k.dir, "s1/data/volumes/volumes", id)
	k.ts.Check(os.Mkdir(disk, 0o700))
	k.ts.Check(os.WriteFile(filepath.Join(disk, "vda.qcow2"), nil, 0o600))
	mustOutput(k.ts, "decenter", "lab", "exec", "--dir", k.dir, "s1", "--", "ip", "tuntap", "add", tap, "mode", "tap")
	both := []string{"a disk too much: " + id, "a tap too much: " + tap}
	if left := k.leftovers(ctx); !slices.Equal(left, both) {
		k.ts.Fatalf("a disk and a tap were planted, and seen is %v", left)
	}
	k.ts.Check(k.lab.KillEngine(ctx, "s1", true))
	k.ready(ctx)
	if left := k.leftovers(ctx); !slices.Equal(left, both[:1]) {
		k.ts.Fatalf("the next engine left %v", left)
	}
	k.ts.Check(os.RemoveAll(disk))
}
