package audit

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"decenter/engine/api"
)

func TestADiskThatHangsDelaysARequestForABoundedTime(t *testing.T) {
	l := open(t, t.TempDir(), newClock())
	appendAll(t, l, 1, 1)
	hang := make(chan struct{})
	release := sync.OnceFunc(func() { close(hang) })
	defer release()
	l.mu.Lock() // orders this before the writer's next read
	l.disk.before = func() { <-hang }
	l.mu.Unlock()
	start := time.Now()
	e, err := l.Append(denial(2))
	if took := time.Since(start); api.CodeOf(err) != api.CodeUnavailable || took > 2*MaxWait || e.Seq != 2 {
		t.Errorf("%+v, %v after %v", e, err, took)
	}
	start = time.Now()
	if _, err := l.Append(read("bc1qalice", "vm")); err != nil || time.Since(start) > MaxWait/2 {
		t.Errorf("a read waited %v: %v", time.Since(start), err)
	}
	fill(t, l)
	if _, err := l.Append(denial(3)); api.CodeOf(err) != api.CodeExhausted {
		t.Errorf("the queue takes more than its bound: %v", err)
	}
	release()
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := l.Append(denial(4)); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if got := find(t, l, api.Query{Words: []string{"found", "no", "room"}}); len(got) == 0 || got[0].Verdict != api.VerdictDeny {
		t.Error("the log does not say that an entry is missing")
	}
	if chain := verify(t, l); chain.Broken != "" {
		t.Error(chain.Broken)
	}
}

// fill fills the queue as requests would that do not wait.
func fill(t *testing.T, l *Log) {
	t.Helper()
	l.maxBytes = 8 * MaxQueue
	l.perFile = maxSegment
	for n := range MaxQueue {
		l.mu.Lock()
		_, err := l.enqueue(denial(n))
		queued := l.queued
		l.mu.Unlock()
		if err != nil {
			if queued > MaxQueue+maxLine+maxHeader {
				t.Errorf("%d bytes wait", queued)
			}
			return
		}
	}
	t.Fatal("the queue has no bound")
}

func TestAFullDiskIsSaidAndCaughtUpWith(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small file system needs root")
	}
	dir := t.TempDir()
	if err := syscall.Mount("audit", dir, "tmpfs", 0, "size=512k"); err != nil {
		t.Skip("no file system can be mounted here: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	l := open(t, filepath.Join(dir, "log"), newClock())
	appendAll(t, l, 1, 3)
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	var failed []uint64
	for n := range 100 {
		start := time.Now()
		e, err := l.Append(denial(n))
		if took := time.Since(start); took > 2*MaxWait {
			t.Fatalf("it took %v", took)
		}
		if err != nil {
			if api.CodeOf(err) != api.CodeUnavailable {
				t.Fatal(err)
			}
			failed = append(failed, e.Seq)
		}
	}
	if len(failed) == 0 {
		t.Fatal("a full disk failed nothing")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, err := l.Append(denial(0)); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	found := map[uint64]bool{}
	for _, e := range find(t, l, api.Query{}) {
		found[e.Seq] = true
	}
	for _, seq := range failed {
		if !found[seq] {
			t.Errorf("entry %d, which waited, is not there", seq)
		}
	}
	if chain := verify(t, l); chain.Broken != "" {
		t.Error(chain.Broken)
	}
}
