package audit

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

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
	needs := needles(filter.Texts())
	for i := len(list) - 1; i >= 0 && len(found) < limit; i-- {
		if filter.Before(list[i].last) {
			continue
		}
		if buffer, err = readSegment(l.dir, list[i], buffer); err != nil {
			l.log.Warn("a segment of the audit log cannot be read whole", "segment", segmentName(list[i].first), "error", err)
		}
		if found, err = findIn(ctx, buffer, filter, needs, found, limit); err != nil {
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

// needles are those of the texts that JSON writes as they are, so that a line without one of them need not be read.
func needles(texts []string) [][]byte {
	var list [][]byte
	for _, t := range texts {
		if !strings.ContainsFunc(t, func(r rune) bool { return r < ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r) }) {
			list = append(list, []byte(t))
		}
	}
	return list
}

// findIn looks through a segment's lines from the last to the first.
func findIn(ctx context.Context, text []byte, filter match.AuditFilter, needs [][]byte, found []api.AuditEntry, limit int) ([]api.AuditEntry, error) {
	for n := 0; len(text) > 0 && len(found) < limit; n++ {
		if n%512 == 0 && ctx.Err() != nil {
			return found, ctx.Err()
		}
		text = bytes.TrimSuffix(text, []byte("\n"))
		at := bytes.LastIndexByte(text, '\n') + 1
		line := text[at:]
		text = text[:at]
		if len(needs) > 0 {
			low := bytes.ToLower(line)
			if slices.ContainsFunc(needs, func(n []byte) bool { return !bytes.Contains(low, n) }) {
				continue
			}
		}
		e, err := parseEntry(line)
		if err == nil && filter.Match(e) {
			found = append(found, e)
		}
	}
	return found, nil
}
