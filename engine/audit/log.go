package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"decenter/engine/api"
)

// Limits of a log.
const (
	DefaultMaxBytes = 64 << 20
	MinMaxBytes     = 256 << 10
	// MaxWait is how long Append waits for the disk, and Close for what is left.
	MaxWait = 2 * time.Second
	// MaxQueue bounds the bytes that wait for the disk.
	MaxQueue = 4 << 20

	// ReadWindow is how long equal reads are counted in one entry, MaxReads how many groups of them at a time.
	ReadWindow = 10 * time.Minute
	MaxReads   = 1024

	minSegment = 64 << 10
	maxSegment = 4 << 20
	// retryAfter is between two tries to write.
	retryAfter = time.Second
	// readTick is how often groups of reads are looked at.
	readTick = 15 * time.Second
)

// Config is what a log needs.
type Config struct {
	Dir       string // made where it is missing; nothing else lives there
	Satellite string // the name that entries carry
	Now       func() time.Time
	Log       *slog.Logger
	MaxBytes  int64 // of all segments kept; 0: DefaultMaxBytes; at least MinMaxBytes
}

// Log is one satellite's log, open for writing. All methods are safe for concurrent use.
type Log struct {
	dir       string
	satellite string
	now       func() time.Time
	log       *slog.Logger
	maxBytes  int64
	perFile   int64 // bytes, at which a segment is full
	lock      *os.File
	disk      disk

	mu     sync.Mutex
	last   uint64    // Seq of the newest entry that was queued
	chain  hash      // of the newest line that was queued, an entry's or a header's
	segs   []segment // as queued, oldest first
	queue  []chunk   // not yet taken by the writer
	queued int       // bytes in it
	lost   int       // entries that found no room since the last that did
	reads  reads
	closed bool

	// What the disk has. done.seq ≤ last; doneSize bytes of the segment from doneFirst.
	done      point
	doneFirst uint64
	doneSize  int64
	failed    error         // of the newest try to write; nil: it worked
	changed   chan struct{} // closed and replaced when done or failed changes

	wake    chan struct{} // the writer's, of one place
	closing chan struct{} // closed by Close
	ended   chan struct{} // closed when the writer has ended
}

// Open opens or begins the log in c.Dir. It walks all of it; what it finds wrong is in the log's next entry and no error
// (see the package's doc). Errors are those of the file system, and a folder that another process has open.
func Open(c Config) (*Log, error) {
	if c.MaxBytes == 0 {
		c.MaxBytes = DefaultMaxBytes
	}
	if c.MaxBytes < MinMaxBytes {
		return nil, api.Errorf(api.CodeInvalid, "an audit log of %d bytes is too small: use at least %d", c.MaxBytes, MinMaxBytes)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	lock, err := lockDir(c.Dir)
	if err != nil {
		return nil, err
	}
	l := &Log{
		dir: c.Dir, satellite: cut(c.Satellite, maxWord), now: c.Now, log: c.Log, lock: lock, maxBytes: c.MaxBytes,
		perFile: min(max(c.MaxBytes/16, minSegment), maxSegment),
		reads:   newReads(),
		changed: make(chan struct{}), wake: make(chan struct{}, 1), closing: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := l.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the audit log: %w", err), l.disk.close(), lock.Close())
	}
	records, waiting, changed := l.last, l.done.seq < l.last, l.changed
	go l.write()
	l.poke()
	if waiting {
		// What was found wrong is to be told by Verify from now on. A disk that does not take it was logged.
		_ = l.await(records, changed)
	}
	return l, nil
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the audit log: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("the audit log in %s is in use by another process: %w", dir, err)
	}
	return f, nil
}

// Close writes the groups of reads and what else waits, for at most MaxWait. Append refuses from now on.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	for _, e := range l.reads.take(func(*group) bool { return true }) {
		_, _ = l.enqueue(e) // one that finds no room is counted in lost
	}
	l.closed = true
	close(l.closing)
	l.mu.Unlock()
	l.poke()
	timer := time.NewTimer(MaxWait)
	defer timer.Stop()
	select {
	case <-l.ended:
	case <-timer.C:
		// The writer sits in a call to the kernel. It ends, and frees the folder, when that returns.
		return api.Errorf(api.CodeUnavailable, "the audit log's disk did not answer; its newest entries may be missing")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done.seq < l.last || l.lost > 0 {
		return errors.Join(fmt.Errorf("%d entries of the audit log were not written", l.last-l.done.seq+uint64(l.lost)), l.failed)
	}
	return nil
}

// Verify walks all that is on the disk, of the segments that are kept, and tells the first place where the chain does not hold.
// It reads as a stream; entries that are appended meanwhile are not looked at.
func (l *Log) Verify(ctx context.Context) (api.AuditChain, error) {
	for {
		l.mu.Lock()
		list, done := l.onDisk(), l.done
		l.mu.Unlock()
		w, err := walkAll(ctx, l.dir, list, done)
		if err != nil {
			return api.AuditChain{}, fmt.Errorf("verifying the audit log: %w", err)
		}
		l.mu.Lock()
		gone := len(list) > 0 && l.segs[0].first > list[0].first
		l.mu.Unlock()
		if !gone {
			return w.state(l.satellite), nil
		}
		// The oldest was given up while we walked, which is no break: walk what is kept now.
	}
}

// state is the walk's result. What a header lists counts, too.
func (w *walk) state(satellite string) api.AuditChain {
	c := api.AuditChain{Satellite: satellite, Entries: w.entries, First: w.first, Head: w.newest.String()}
	switch {
	case len(w.breaks) > 0:
		c.Broken = w.breaks[0].what
	case len(w.told) > 0:
		c.Broken = w.told[0]
	}
	return c
}

// onDisk gives the segments and how much of them is written. It needs l.mu.
func (l *Log) onDisk() []segment {
	var list []segment
	for _, s := range l.segs {
		if s.first > l.doneFirst {
			break
		}
		if s.first == l.doneFirst {
			s.size = l.doneSize
		}
		s.entries = 0 // counted by the walk
		list = append(list, s)
	}
	return list
}
