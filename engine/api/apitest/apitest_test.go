package apitest

import (
	"bufio"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
)

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// follow waits for a job's end and gives its last state.
func follow(t *testing.T, svc api.Service, id string) api.Job {
	t.Helper()
	var last api.Job
	err := svc.Events(bounded(t), api.EventsRequest{Job: id}, func(e api.Event) error { last = *e.Job; return nil })
	if err != nil {
		t.Fatalf("following %s: %v", id, err)
	}
	return last
}

func TestLifeOfAVM(t *testing.T) {
	ctx := bounded(t)
	c := New()
	defer c.Close()
	j, err := c.Create(ctx, api.CreateRequest{Name: "web-1", From: "tiny", Satellite: "s2"})
	if err != nil {
		t.Fatal(err)
	}
	if end := follow(t, c, j.ID); end.State != api.JobDone || end.Done != end.Total {
		t.Fatalf("create ended as %+v", end)
	}
	vm, err := c.As("1BitcoinEaterAddressDontSendf59kuE", "s3").VM(ctx, "web-1")
	if err != nil || vm.State != api.StateRunning || vm.Satellite != "s2" {
		t.Fatalf("VM from s3: %+v, %v", vm, err)
	}
	if _, err := c.Control(ctx, api.ControlRequest{VM: "web-1", Act: api.ActStart}); api.CodeOf(err) != api.CodeConflict {
		t.Fatalf("starting what runs gave %v", err)
	}
	if _, err := c.Delete(ctx, api.DeleteRequest{VM: "web-1"}); api.CodeOf(err) != api.CodeInvalid {
		t.Fatalf("unconfirmed delete gave %v", err)
	}
	j, err = c.Delete(ctx, api.DeleteRequest{VM: "web-1", Confirm: "web-1"})
	if err != nil {
		t.Fatal(err)
	}
	follow(t, c, j.ID)
	if _, err := c.VM(ctx, "web-1"); api.CodeOf(err) != api.CodeNotFound {
		t.Fatalf("after delete: %v", err)
	}
}

func TestCancelUndoes(t *testing.T) {
	ctx := bounded(t)
	c := New("s1")
	defer c.Close()
	c.Hold()
	j, err := c.Create(ctx, api.CreateRequest{Name: "web-1", From: "tiny"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Cancel(ctx, j.ID[:4]); err != nil {
		t.Fatal(err)
	}
	if end := follow(t, c, j.ID); end.State != api.JobCancelled {
		t.Fatalf("ended as %+v", end)
	}
	if _, err := c.VM(ctx, "web-1"); api.CodeOf(err) != api.CodeNotFound {
		t.Fatalf("a cancelled create left something: %v", err)
	}
}

func TestSilentSatellite(t *testing.T) {
	ctx := bounded(t)
	c := New()
	defer c.Close()
	c.AddVM(api.VM{Name: "web-1", Satellite: "s1"})
	c.AddVM(api.VM{Name: "web-2", Satellite: "s2"})
	q := api.Query{Words: []string{"vm"}, Filters: []api.Filter{{Key: api.KeyName, Values: []string{"web-*"}}}}
	if r, err := c.Search(ctx, q); err != nil || len(r.Items) != 2 || r.Silent != nil {
		t.Fatalf("all live: %+v, %v", r, err)
	}
	c.Silence("s2")
	r, err := c.Search(ctx, q)
	if err != nil || len(r.Items) != 1 || strings.Join(r.Silent, ",") != "s2" {
		t.Fatalf("s2 silent: %+v, %v", r, err)
	}
}

// The satellite with the lowest priority is the root, and of equal ones the first.
func TestRootOfTheTree(t *testing.T) {
	ctx := bounded(t)
	c := New("s1", "s2", "s3", "s4")
	defer c.Close()
	set := func(satellite string, priority int) {
		if _, err := c.TreePriority(ctx, api.TreePriorityRequest{Satellite: satellite, Priority: &priority}); err != nil {
			t.Fatal(err)
		}
	}
	root := func(want string) {
		t.Helper()
		tree, err := c.Tree(ctx)
		if err != nil || tree.Root != want {
			t.Errorf("the root is %s, not %s, %v", tree.Root, want, err)
		}
		open := 0
		for _, l := range tree.Links {
			if l.Tree {
				open++
			}
		}
		if len(tree.Links) != 4 || open != 3 {
			t.Errorf("of %d cables %d are in the tree", len(tree.Links), open)
		}
	}
	root("s1")
	set("s3", 50)
	root("s3")
	set("s2", 50)
	root("s2")
	set("s2", 32768)
	root("s3")
	c.Silence("s3")
	if _, err := c.TreePriority(ctx, api.TreePriorityRequest{Satellite: "s3"}); api.CodeOf(err) != api.CodeUnavailable {
		t.Errorf("one that is silent: %v", err)
	}
	if _, err := c.TreePriority(ctx, api.TreePriorityRequest{Satellite: "s9"}); api.CodeOf(err) != api.CodeNotFound {
		t.Errorf("one that is not there: %v", err)
	}
}

func TestSlowReaderIsToldWhatItLost(t *testing.T) {
	c := New("s1")
	defer c.Close()
	c.AddVM(api.VM{Name: "web-1"})
	stop := errors.New("enough")
	first, lost := make(chan bool), false
	done := make(chan error)
	go func() {
		n := 0
		done <- c.Events(bounded(t), api.EventsRequest{}, func(e api.Event) error {
			if n++; n == 1 {
				first <- true
				<-first
			}
			if lost = lost || e.Kind == api.EventLost; lost {
				return stop
			}
			if n == maxBehind+1 {
				go c.ChangeVM("web-1", func(*api.VM) {})
			}
			return nil
		})
	}()
	change := time.NewTicker(time.Millisecond)
	defer change.Stop()
	for begun := false; !begun; {
		select {
		case begun = <-first:
		case <-change.C:
			c.ChangeVM("web-1", func(*api.VM) {})
		}
	}
	for range 2 * maxBehind {
		c.ChangeVM("web-1", func(*api.VM) {})
	}
	first <- true
	if err := <-done; !errors.Is(err, stop) {
		t.Fatalf("Events gave %v and no EventLost", err)
	}
}

func TestSerialLineEchoes(t *testing.T) {
	ctx := bounded(t)
	c := New("s1")
	defer c.Close()
	c.AddVM(api.VM{Name: "web-1"})
	a, err := c.Console(ctx, "web-1")
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Console(ctx, "web-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Write([]byte("hostname\r")); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(b)
	for _, want := range []string{"hostname\r\n", "web-1\r\n"} {
		if got, err := in.ReadString('\n'); got != want || err != nil {
			t.Fatalf("the other console saw %q, %v; want %q", got, err, want)
		}
	}
	a.Close()
	if _, err := a.Write([]byte("x")); err == nil {
		t.Fatal("a closed console takes bytes")
	}
}
