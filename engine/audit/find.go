package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"decenter/engine/api"
	"decenter/engine/match"
)

// Find gives the entries that the query asks for (see match.Audit), newest first: reads that are still counted, with Seq 0,
// then what was written, by falling Seq. limit 0, or above it, is api.MaxAudit; q.Limit holds too. A line that cannot be read is
// left out: Verify tells of it. It keeps one segment in memory, at most 4 MiB.
func (l *Log) Find(ctx context.Context, q api.Query, limit int) ([]api.AuditEntry, error) {
	filter, err := match.Audit(q, l.now())
	if err != nil {
		return nil, err
	}
	if limit <= 0 || limit > api.MaxAudit {
		limit = api.MaxAudit
	}
	if q.Limit > 0 {
		limit = min(limit, q.Limit)
	}
	l.mu.Lock()
	list, counted := l.onDisk(), l.reads.all()
	l.mu.Unlock()
	var found []api.AuditEntry
	for _, e := range counted {
		if len(found) < limit && filter.Match(e) {
			found = append(found, e)
		}
	}
	var buffer []byte
	for i := len(list) - 1; i >= 0 && len(found) < limit; i-- {
		if filter.Before(list[i].last) {
			continue
		}
		if buffer, err = readSegment(l.dir, list[i], buffer); err != nil {
			return nil, fmt.Errorf("searching the audit log: %w", err)
		}
		if found, err = findIn(ctx, buffer, filter, found, limit); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// readSegment reads what is written of a segment; nothing, where it was given up meanwhile.
func readSegment(dir string, s segment, buffer []byte) ([]byte, error) {
	buffer = buffer[:0]
	f, err := os.Open(filepath.Join(dir, segmentName(s.first)))
	if errors.Is(err, os.ErrNotExist) {
		return buffer, nil
	}
	if err != nil {
		return buffer, err
	}
	defer f.Close()
	b := bytes.NewBuffer(buffer)
	_, err = b.ReadFrom(io.LimitReader(f, min(s.size, maxSegment+maxLine+maxHeader)))
	return b.Bytes(), err
}

// findIn looks through a segment's lines from the last to the first.
func findIn(ctx context.Context, text []byte, filter match.AuditFilter, found []api.AuditEntry, limit int) ([]api.AuditEntry, error) {
	for n := 0; len(text) > 0 && len(found) < limit; n++ {
		if n%512 == 0 && ctx.Err() != nil {
			return found, ctx.Err()
		}
		text = bytes.TrimSuffix(text, []byte("\n"))
		at := bytes.LastIndexByte(text, '\n') + 1
		e, err := parseEntry(text[at:])
		text = text[:at]
		if err == nil && filter.Match(e) {
			found = append(found, e)
		}
	}
	return found, nil
}
