package audit

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// disk is the files that the writer writes. The writer's goroutine alone uses it.
type disk struct {
	head    *os.File
	segment *os.File
	first   uint64 // the segment
	size    int64  // bytes of it that are good: the next ones are written there
	before  func() // nil but in tests: called before a chunk is written
}

// openHead opens the head, or makes it for a new log. bad says that there is none that can be read, although there should be.
func (d *disk) openHead(dir string, old bool) (p point, bad bool, err error) {
	name := filepath.Join(dir, headName)
	if d.head, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return p, false, err
	}
	text := make([]byte, 128)
	n, _ := d.head.ReadAt(text, 0)
	p, ok := parsePoint(text[:n])
	if ok {
		return p, false, nil
	}
	if !old && n == 0 {
		return point{}, false, errors.Join(d.writeHead(point{}), d.head.Sync(), syncDir(dir))
	}
	return point{}, true, d.head.Truncate(0)
}

// writeHead writes where the disk is. It is not synced: an older head promises less.
func (d *disk) writeHead(p point) error {
	_, err := d.head.WriteAt([]byte(p.String()), 0)
	return err
}

func (d *disk) openSegment(dir string, s segment) (err error) {
	d.segment, err = os.OpenFile(filepath.Join(dir, segmentName(s.first)), os.O_RDWR, 0)
	d.first, d.size = s.first, s.size
	return err
}

// put writes a chunk durably, and the head after it. It can be done again after an error, with the same chunk or a longer one.
func (d *disk) put(dir string, c chunk) error {
	if d.before != nil {
		d.before()
	}
	if c.begin {
		f, err := beginSegment(dir, c.first, c.text)
		if err != nil {
			return err
		}
		if d.segment != nil {
			_ = d.segment.Close() // all of it is synced
		}
		d.segment, d.first, d.size = f, c.first, 0
	} else if err := d.append(c.text); err != nil {
		return err
	}
	if c.last.seq > 0 {
		if err := d.writeHead(c.last); err != nil {
			return err
		}
	}
	d.size += int64(len(c.text))
	return nil
}

func (d *disk) append(text []byte) error {
	if _, err := d.segment.WriteAt(text, d.size); err != nil {
		return err
	}
	return syscall.Fdatasync(int(d.segment.Fd()))
}

func (d *disk) close() error {
	var err error
	for _, f := range []*os.File{d.segment, d.head} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	return err
}

// write is the writer: it takes what waits to the disk until the log is closed and all is written, or cannot be.
func (l *Log) write() {
	defer close(l.ended)
	defer func() { _ = errors.Join(l.disk.close(), l.lock.Close()) }()
	tick := time.NewTicker(readTick)
	defer tick.Stop()
	for {
		select {
		case <-l.wake:
		case <-tick.C:
			l.flushReads()
		}
		for l.drain() {
			retry := time.NewTimer(retryAfter)
			select {
			case <-retry.C:
			case <-l.closing:
			}
			retry.Stop()
		}
		l.mu.Lock()
		over := l.closed && (len(l.queue) == 0 || l.failed != nil)
		l.mu.Unlock()
		if over {
			return
		}
	}
}

// drain writes all that waits. True: it failed, and is to be tried again.
func (l *Log) drain() bool {
	for {
		l.mu.Lock()
		batch := l.queue
		l.queue = nil
		l.mu.Unlock()
		if len(batch) == 0 {
			return false
		}
		for i, c := range batch {
			err := l.disk.put(l.dir, c)
			l.mu.Lock()
			if err != nil {
				l.queue = append(batch[i:len(batch):len(batch)], l.queue...)
			}
			again := l.settle(c, err)
			l.mu.Unlock()
			if err != nil {
				return again
			}
			for _, first := range c.drop {
				if err := os.Remove(filepath.Join(l.dir, segmentName(first))); err != nil && !errors.Is(err, os.ErrNotExist) {
					l.log.Warn("an old segment of the audit log could not be removed", "segment", segmentName(first), "error", err)
				}
			}
		}
	}
}

// settle takes in how a write ended and tells those who wait. It needs l.mu. True: try again.
func (l *Log) settle(c chunk, err error) bool {
	if (err == nil) != (l.failed == nil) {
		if err != nil {
			l.log.Error("the audit log cannot be written", "error", err)
		} else {
			l.log.Info("the audit log can be written again")
		}
	}
	l.failed = err
	if err == nil {
		l.queued -= len(c.text)
		l.doneFirst, l.doneSize = l.disk.first, l.disk.size
		if c.last.seq > 0 {
			l.done = c.last
		}
	}
	close(l.changed)
	l.changed = make(chan struct{})
	return err != nil && !l.closed
}

// flushReads queues the groups of reads whose time is over.
func (l *Log) flushReads() {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	for _, e := range l.reads.take(func(g *group) bool { return g.over(now) }) {
		_, _ = l.enqueue(e)
	}
}
