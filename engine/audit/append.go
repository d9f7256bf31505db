package audit

import (
	"fmt"
	"time"

	"decenter/engine/api"
)

// ActionRead is the action whose allowed entries are counted together.
const ActionRead = "read"

// chunk is lines for one segment, to be written in one go.
type chunk struct {
	first uint64   // the segment
	begin bool     // the segment is to be made; text begins with its header
	drop  []uint64 // segments to remove once the chunk is written
	text  []byte
	last  point // its last entry
}

// Append records a decision. It fills in Satellite, Seq and Time (whole microseconds, UTC). An allowed read is counted (see
// the package's doc) and has Seq 0 until it is written. For anything else nil means that it is on the disk; with
// api.CodeUnavailable it may get there later, with api.CodeExhausted it will not. Texts beyond their bounds are cut.
func (l *Log) Append(e api.AuditEntry) (api.AuditEntry, error) {
	now := l.now().UTC().Truncate(time.Microsecond)
	e = bounded(e)
	e.Satellite, e.Seq, e.Time = l.satellite, 0, now
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return e, api.Errorf(api.CodeUnavailable, "the audit log is closed")
	}
	if e.Action == ActionRead && e.Verdict == api.VerdictAllow {
		e, over := l.reads.count(e, now)
		for _, o := range over {
			_, _ = l.enqueue(o)
		}
		l.mu.Unlock()
		if len(over) > 0 {
			l.poke()
		}
		return e, nil
	}
	e, err := l.enqueue(e)
	failed, changed := l.failed, l.changed
	l.mu.Unlock()
	if err != nil {
		return e, err
	}
	l.poke()
	if failed != nil {
		return e, notYet(failed)
	}
	return e, l.await(e.Seq, changed)
}

// await waits until the disk has the entry, a write failed, or MaxWait is over.
func (l *Log) await(seq uint64, changed <-chan struct{}) error {
	timer := time.NewTimer(MaxWait)
	defer timer.Stop()
	for {
		select {
		case <-changed:
		case <-timer.C:
			return notYet(fmt.Errorf("it did not answer within %v", MaxWait))
		}
		l.mu.Lock()
		done, failed := l.done.seq >= seq, l.failed
		changed = l.changed
		l.mu.Unlock()
		switch {
		case done:
			return nil
		case failed != nil:
			return notYet(failed)
		}
	}
}

func notYet(why error) error {
	return &api.Error{Code: api.CodeUnavailable, Message: fmt.Sprintf("the audit log's disk has not taken the entry: %v", why),
		Hint: "see whether the satellite's disk is full or failing"}
}

// enqueue gives the entry its place in the chain and to the writer. It needs l.mu.
func (l *Log) enqueue(e api.AuditEntry) (api.AuditEntry, error) {
	if l.queued >= MaxQueue {
		l.lost++
		return e, &api.Error{Code: api.CodeExhausted, Message: "the audit log's queue is full; the entry is not kept",
			Hint: "see whether the satellite's disk is full or failing"}
	}
	if n := l.lost; n > 0 {
		l.lost = 0
		if _, err := l.enqueue(l.own(api.VerdictDeny, fmt.Sprintf("%d entries found no room and were not kept", n))); err != nil {
			return e, err
		}
	}
	e.Satellite, e.Time = l.satellite, e.Time.UTC().Truncate(time.Microsecond)
	e.Seq = l.last + 1
	r := record{Seq: e.Seq, Time: e.Time, AuditEntry: e}
	text, sum, err := appendLine(nil, r, l.chain)
	if err != nil {
		return e, fmt.Errorf("writing an audit entry: %w", err) // a time beyond year 9999
	}
	if s := l.segs[len(l.segs)-1]; s.entries > 0 && s.size+int64(len(text)) > l.perFile {
		if err := l.rotate(nil); err != nil {
			return e, err
		}
		if text, sum, err = appendLine(nil, r, l.chain); err != nil {
			return e, err
		}
	}
	s := &l.segs[len(l.segs)-1]
	if n := len(l.queue); n == 0 || l.queue[n-1].first != s.first {
		l.queue = append(l.queue, chunk{first: s.first})
	}
	c := &l.queue[len(l.queue)-1]
	c.text, c.last = append(c.text, text...), point{e.Seq, sum}
	l.last, l.chain = e.Seq, sum
	l.queued += len(text)
	s.size += int64(len(text))
	s.entries++
	s.span(e.Time)
	return e, nil
}

// rotate begins a segment behind the last entry and gives up the oldest. It needs l.mu, or nobody else about.
func (l *Log) rotate(breaks []string) error {
	h := header{Audit: version, Satellite: l.satellite, First: l.last + 1, Time: l.now().UTC().Truncate(time.Microsecond), Broken: breaks}
	total := l.perFile // the new one's
	for _, s := range l.segs {
		total += s.size
	}
	var drop []uint64
	for len(l.segs) > 0 && total > l.maxBytes {
		drop = append(drop, l.segs[0].first)
		total -= l.segs[0].size
		l.segs = l.segs[1:]
	}
	h.Oldest = h.First
	if len(l.segs) > 0 {
		h.Oldest = l.segs[0].first
	}
	text, sum, err := appendLine(nil, h, l.chain)
	if err != nil {
		return fmt.Errorf("beginning an audit segment: %w", err)
	}
	l.chain = sum
	l.segs = append(l.segs, segment{first: h.First, size: int64(len(text))})
	l.queue = append(l.queue, chunk{first: h.First, begin: true, drop: drop, text: text, last: point{}})
	l.queued += len(text)
	return nil
}

// poke wakes the writer.
func (l *Log) poke() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}
