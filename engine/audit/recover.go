package audit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"decenter/engine/api"
)

// recover reads what is there and brings the log to where it goes on. Only the goroutine of Open is about.
func (l *Log) recover() error {
	if err := removeLeftovers(l.dir); err != nil {
		return err
	}
	list, err := segments(l.dir)
	if err != nil {
		return err
	}
	if list, err = l.finishDrop(list); err != nil {
		return err
	}
	head, headBroken, err := l.disk.openHead(l.dir, len(list) > 0)
	if err != nil {
		return err
	}
	w, err := walkAll(context.Background(), l.dir, list, head)
	if err != nil {
		return err
	}
	torn := int64(0)
	if !headBroken {
		if torn = tornBytes(w, list, head); torn > 0 {
			if list, w, err = l.cutTail(list, head, torn); err != nil {
				return err
			}
		}
	} else {
		w.breaks = append(w.breaks, broken{what: "the file head is missing or unreadable"})
	}
	l.segs, l.done = list, point{w.last.seq, w.newest}
	l.chain, l.last = w.last.sum, max(w.last.seq, head.seq)
	if n := len(list); n > 0 {
		l.doneFirst, l.doneSize = list[n-1].first, list[n-1].size
		// Behind a break nothing is written to it.
		if err := l.disk.openSegment(l.dir, list[n-1]); err != nil && len(w.news()) == 0 {
			return err
		}
	}
	return l.tell(w.news(), torn)
}

// tell begins the first segment, or one behind breaks that no header lists, and makes the records of Open.
func (l *Log) tell(news []string, torn int64) error {
	if len(l.segs) == 0 || len(news) > 0 {
		if err := l.rotate(news); err != nil {
			return err
		}
	}
	if len(news) > 0 {
		l.log.Error("the audit log's chain is broken; it goes on in a new segment", "breaks", news)
		if _, err := l.enqueue(l.own(api.VerdictDeny, "the chain was found broken at opening: "+strings.Join(news, "; "))); err != nil {
			return err
		}
	}
	if torn > 0 {
		l.log.Warn("the audit log ended in a half-written entry", "cut", torn)
		if _, err := l.enqueue(l.own(api.VerdictAllow, fmt.Sprintf("%d bytes of half-written entries were cut off at opening", torn))); err != nil {
			return err
		}
	}
	return nil
}

// own is a record of the log itself.
func (l *Log) own(v api.Verdict, reason string) api.AuditEntry {
	return api.AuditEntry{Time: l.now(), Account: api.AccountLocal, Via: "engine", Action: "audit", Object: "log", Verdict: v, Reason: reason}
}

// finishDrop removes segments that the newest header says are given up: a kill came between the two.
func (l *Log) finishDrop(list []segment) ([]segment, error) {
	if len(list) == 0 {
		return list, nil
	}
	h, err := readHeader(filepath.Join(l.dir, segmentName(list[len(list)-1].first)))
	if err != nil {
		return list, nil // the walk will say so
	}
	for len(list) > 1 && list[0].first < h.Oldest {
		if err := os.Remove(filepath.Join(l.dir, segmentName(list[0].first))); err != nil {
			return list, err
		}
		list = list[1:]
	}
	return list, nil
}

// readHeader reads a segment's header alone.
func readHeader(name string) (header, error) {
	f, err := os.Open(name)
	if err != nil {
		return header{}, err
	}
	defer f.Close()
	start := make([]byte, maxHeader)
	n, err := io.ReadFull(f, start)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return header{}, err
	}
	text, _, ok := strings.Cut(string(start[:n]), "\n")
	if !ok {
		return header{}, errForm
	}
	p, err := parseLine([]byte(text))
	if err != nil || p.header == nil {
		return header{}, errForm
	}
	return *p.header, nil
}

// tornBytes tells how much at the end of the newest segment is not a whole chain although all that was promised is. 0 where
// nothing is, or where what was promised is wrong too.
func tornBytes(w *walk, list []segment, head point) int64 {
	if w.inside == nil || len(list) == 0 || w.inside.after < head.seq || !w.met {
		return 0
	}
	first, newest := *w.inside, list[len(list)-1]
	return newest.size - first.offset
}

// cutTail cuts the torn end off, durably, and walks again.
func (l *Log) cutTail(list []segment, head point, torn int64) ([]segment, *walk, error) {
	newest := list[len(list)-1]
	f, err := os.OpenFile(filepath.Join(l.dir, segmentName(newest.first)), os.O_RDWR, 0)
	if err != nil {
		return list, nil, err
	}
	if err := errors.Join(f.Truncate(newest.size-torn), f.Sync(), f.Close()); err != nil {
		return list, nil, err
	}
	list, err = segments(l.dir)
	if err != nil {
		return list, nil, err
	}
	w, err := walkAll(context.Background(), l.dir, list, head)
	return list, w, err
}
