package audit

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// maxBreaks is how many breaks one walk tells; the first is what matters.
const maxBreaks = 8

// broken is a place where the chain does not hold.
type broken struct {
	what    string
	segment uint64 // by its first
	offset  int64  // in the segment, in bytes
	after   uint64 // Seq of the last entry before
}

// walk checks lines one after the other. It keeps no line, so that it takes the same memory for any log.
type walk struct {
	head point // to be met on the way; seq 0: none

	breaks  []broken
	inside  *broken  // the first in the segment that is walked, behind its header; kept for the newest
	told    []string // breaks that a header lists
	last    point    // the last entry's Seq, and the hash of the last line
	begun   bool     // a line was there
	loose   bool     // what the next line's prev has to be is not known
	met     bool     // the head was met
	newest  hash     // of the last entry
	first   uint64   // of the first segment
	oldest  uint64   // of the last header
	entries uint64

	at     *segment
	offset int64
	number int // of the line
}

// walkAll walks the segments, whose entries and times it fills in. What cannot be read is a break; an error is ctx's.
func walkAll(ctx context.Context, dir string, list []segment, head point) (*walk, error) {
	w := &walk{head: head, met: head.seq == 0}
	buffer := bufio.NewReaderSize(nil, max(maxLine, maxHeader)+1)
	for i := range list {
		if err := w.segment(ctx, dir, &list[i], buffer); err != nil {
			return w, err
		}
	}
	if len(list) > 0 && w.oldest > 0 && w.oldest < list[0].first {
		w.breakAt(fmt.Sprintf("the segments from entry %d to %d are missing", w.oldest, list[0].first-1))
	}
	switch {
	case w.met:
	case w.last.seq < head.seq:
		// In the words that will stand at the segment which goes on behind the gap.
		w.at, w.number, w.offset = &segment{first: head.seq + 1}, 1, 0
		w.breakAt(missing(w.last.seq+1, head.seq))
		w.at = nil
	case !slices.ContainsFunc(w.breaks, func(b broken) bool { return b.after < head.seq }):
		w.breakAt(fmt.Sprintf("entry %d is another than the one that was written", head.seq))
	}
	return w, nil
}

func missing(from, to uint64) string { return fmt.Sprintf("entries %d to %d are missing", from, to) }

func (w *walk) breakAt(what string) {
	b := broken{what: what, after: w.last.seq, offset: w.offset}
	if w.at != nil {
		b.segment = w.at.first
		b.what = fmt.Sprintf("%s, line %d: %s", segmentName(w.at.first), w.number, what)
	}
	if w.at != nil && w.inside == nil && w.offset > 0 {
		w.inside = &b
	}
	if len(w.breaks) < maxBreaks {
		w.breaks = append(w.breaks, b)
	}
}

func (w *walk) segment(ctx context.Context, dir string, s *segment, in *bufio.Reader) error {
	w.at, w.offset, w.number, w.inside = s, 0, 1, nil
	if w.first == 0 {
		w.first, w.last.seq = s.first, s.first-1
	}
	defer func() { w.at = nil }()
	f, err := os.Open(filepath.Join(dir, segmentName(s.first)))
	if errors.Is(err, os.ErrNotExist) {
		w.unreadable("the segment is missing")
		return nil
	}
	if err != nil {
		w.unreadable(err.Error())
		return nil
	}
	defer f.Close()
	in.Reset(io.LimitReader(f, s.size))
	for ; ; w.number++ {
		if w.number%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		text, err := in.ReadSlice('\n')
		switch {
		case err == nil:
			w.line(text[:len(text)-1], s)
		case err == io.EOF:
			w.end(text, s)
			return ctx.Err()
		case err == bufio.ErrBufferFull:
			w.unreadable("the line is longer than any of the log")
			n, _ := skipLine(in) // an error comes again with the next line
			w.offset += n
		default: // a sector that is gone: what is behind it is not looked at
			w.unreadable(err.Error())
			return ctx.Err()
		}
		w.offset += int64(len(text))
	}
}

// end is the end of a segment's file, with what stands there without a line end.
func (w *walk) end(rest []byte, s *segment) {
	switch {
	case len(rest) > 0:
		w.unreadable("the line has no end")
	case w.offset == 0:
		w.unreadable("the segment is empty")
	case w.offset < s.size:
		w.unreadable(fmt.Sprintf("%d bytes are missing at the end", s.size-w.offset))
	}
}

// skipLine reads on to the next line.
func skipLine(in *bufio.Reader) (n int64, err error) {
	for {
		text, err := in.ReadSlice('\n')
		n += int64(len(text))
		if err != bufio.ErrBufferFull {
			return n, err
		}
	}
}

func (w *walk) unreadable(what string) {
	w.breakAt(what)
	w.loose = true
}

// line checks one line against the ones before it, and goes on from what it states.
func (w *walk) line(text []byte, s *segment) {
	l, err := parseLine(text)
	if err != nil && !errors.Is(err, errHash) {
		w.unreadable(err.Error())
		return
	}
	switch {
	case err != nil:
		w.breakAt(err.Error())
	case w.begun && !w.loose && l.prev != w.last.sum && (l.header == nil || l.header.First == w.last.seq+1):
		w.breakAt("it does not follow the line before")
	case (w.number == 1) != (l.header != nil):
		w.breakAt("a header stands where an entry belongs, or the other way round")
	}
	w.begun, w.loose, w.last.sum = true, false, l.sum
	if err != nil {
		// Its Seq may be anything: take the one that belongs here.
		if w.number > 1 {
			w.last.seq++
		}
		return
	}
	if l.header != nil {
		w.header(*l.header, s)
		return
	}
	if l.seq != w.last.seq+1 {
		w.breakAt(fmt.Sprintf("it has number %d where %d belongs", l.seq, w.last.seq+1))
	}
	w.last.seq = l.seq
	w.newest = l.sum
	w.entries++
	s.entries++
	s.span(l.time)
	if l.seq == w.head.seq && l.sum == w.head.sum {
		w.met = true
	}
}

func (w *walk) header(h header, s *segment) {
	switch {
	case h.First != s.first:
		w.breakAt(fmt.Sprintf("it is the header of the segment from %d", h.First))
	case h.First > w.last.seq+1:
		w.breakAt(missing(w.last.seq+1, h.First-1))
	case h.First < w.last.seq+1:
		w.breakAt(fmt.Sprintf("it begins with entry %d where %d belongs", h.First, w.last.seq+1))
	}
	w.last.seq = s.first - 1
	w.oldest = h.Oldest
	for _, b := range h.Broken {
		if len(w.told) < 16*maxBreaks {
			w.told = append(w.told, b)
		}
	}
}

// news are breaks that no header lists yet; the newest segment's is always among them, as nothing may follow it there.
func (w *walk) news() []string {
	var list []string
	if w.inside != nil && !slices.ContainsFunc(w.breaks, func(b broken) bool { return b == *w.inside }) {
		list = append(list, w.inside.what)
	}
	for _, b := range w.breaks {
		if !slices.Contains(w.told, b.what) {
			list = append(list, b.what)
		}
	}
	return list
}
