package jobs

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
)

func open(t *testing.T, path string) (*Jobs, *Journal, chan api.Job) {
	t.Helper()
	journal, err := OpenJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	changes := make(chan api.Job, 2000)
	j, err := New("s1", journal, func(job api.Job) { changes <- job }, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return j, journal, changes
}

func waitOver(t *testing.T, changes chan api.Job, id string) api.Job {
	t.Helper()
	for {
		select {
		case job := <-changes:
			if job.ID == id && job.State.Over() {
				return job
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the job does not end")
		}
	}
}

func TestJobsEndAsTheirWorkDoes(t *testing.T) {
	j, journal, changes := open(t, filepath.Join(t.TempDir(), "journal"))
	defer journal.Close()
	for _, c := range []struct {
		work   Work
		cancel bool
		want   api.JobState
	}{
		{func(context.Context, *Progress) error { return nil }, false, api.JobDone},
		{func(context.Context, *Progress) error { return errors.New("no space") }, false, api.JobFailed},
		{func(ctx context.Context, _ *Progress) error { <-ctx.Done(); return ctx.Err() }, true, api.JobCancelled},
	} {
		job, err := j.Start(t.Context(), api.Job{Verb: "create", Object: "web-1", Account: "local"}, nil, c.work)
		if err != nil {
			t.Fatal(err)
		}
		if c.cancel {
			if _, err := j.Cancel(job.ID); err != nil {
				t.Error(err)
			}
		}
		if got := waitOver(t, changes, job.ID); got.State != c.want || got.Ended == nil {
			t.Errorf("ended as %+v, want %s", got, c.want)
		}
		if found := j.Find(job.ID[:5]); len(found) != 1 || found[0].State != c.want {
			t.Errorf("found %+v", found)
		}
	}
	left, err := journal.Running()
	if err != nil || len(left) != 0 {
		t.Errorf("journal still has %v running, %v", left, err)
	}
}

// TestAKilledEngineLeavesItsPlan stops in the middle of a job as a kill -9 would: nothing more is written.
func TestAKilledEngineLeavesItsPlan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	j, journal, _ := open(t, path)
	type plan struct{ VM string }
	ctx, stop := context.WithCancel(t.Context())
	begun := make(chan struct{})
	job, err := j.Start(ctx, api.Job{Verb: "create", Object: "web-1", Account: "local"}, plan{"1234"}, func(ctx context.Context, _ *Progress) error {
		close(begun)
		<-ctx.Done()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	if err := journal.Close(); err != nil {
		t.Fatal(err)
	}
	j2, journal2, changes := open(t, path)
	defer journal2.Close()
	left, err := journal2.Running()
	if err != nil || len(left) != 1 || left[0].Job.ID != job.ID || string(left[0].Plan) != `{"VM":"1234"}` {
		t.Fatalf("left %+v, %v", left, err)
	}
	j2.Finish(left[0].Job, errors.New("the engine was restarted"))
	if got := waitOver(t, changes, job.ID); got.State != api.JobFailed || !strings.Contains(got.Error, "restarted") {
		t.Errorf("ended as %+v", got)
	}
	if left, _ := journal2.Running(); len(left) != 0 {
		t.Errorf("still running: %v", left)
	}
	stop()
}

func TestFinishedJobsAreBoundedAndSurvive(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	_, journal, _ := open(t, path)
	now := time.Now()
	for n := range keepFinished + 10 {
		ended := now.Add(time.Duration(n) * time.Second)
		if err := journal.End(api.Job{ID: newID(), Object: "x", Started: now, Ended: &ended, State: api.JobDone}); err != nil {
			t.Fatal(err)
		}
	}
	journal.Close()
	j, journal, _ := open(t, path)
	defer journal.Close()
	all := j.List()
	if len(all) != keepFinished {
		t.Fatalf("%d jobs kept, want %d", len(all), keepFinished)
	}
	if done, _ := journal.Finished(); !done[0].Ended.Equal(now.Add((keepFinished + 9) * time.Second).UTC()) {
		t.Errorf("the newest is of %v", done[0].Ended)
	}
}

func TestASecondEngineOnTheSameDataIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	_, journal, _ := open(t, path)
	defer journal.Close()
	if _, err := OpenJournal(path); err == nil || !strings.Contains(err.Error(), "another engine") {
		t.Errorf("got %v", err)
	}
}

func TestTooManyJobsAreRefused(t *testing.T) {
	j, journal, _ := open(t, filepath.Join(t.TempDir(), "journal"))
	defer journal.Close()
	ctx, stop := context.WithCancel(t.Context())
	for range MaxRunning {
		j.running[newID()] = &runningJob{}
	}
	if _, err := j.Start(ctx, api.Job{Verb: "create", Object: "x", Account: "local"}, nil, nil); api.CodeOf(err) != api.CodeExhausted {
		t.Errorf("got %v", err)
	}
	stop()
}

func TestOneAccountHoldsUpNoOther(t *testing.T) {
	j, journal, _ := open(t, filepath.Join(t.TempDir(), "journal"))
	defer journal.Close()
	ctx, end := context.WithCancel(t.Context())
	defer j.wg.Wait()
	defer end()
	start := func(account string) error {
		_, err := j.Start(ctx, api.Job{Verb: "stop", Object: "web", Account: account}, nil, func(ctx context.Context, _ *Progress) error { <-ctx.Done(); return ctx.Err() })
		return err
	}
	for range MaxAccount {
		if err := start("tenant"); err != nil {
			t.Fatal(err)
		}
	}
	if err := start("tenant"); api.CodeOf(err) != api.CodeExhausted {
		t.Errorf("one more: %v", err)
	}
	if err := start("another"); err != nil {
		t.Errorf("another's: %v", err)
	}
}
