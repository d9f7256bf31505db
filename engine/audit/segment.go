package audit

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// segment is one file, as far as it is known without reading it.
type segment struct {
	first        uint64    // Seq of its first entry
	size         int64     // bytes
	entries      uint64    // it has
	oldest, last time.Time // of its entries' Times; zero: it has no entry
}

// span widens the segment's times by an entry's.
func (s *segment) span(t time.Time) {
	if s.oldest.IsZero() || t.Before(s.oldest) {
		s.oldest = t
	}
	if t.After(s.last) {
		s.last = t
	}
}

const (
	headName = "head"
	lockName = "lock"
	tmpEnd   = ".tmp"
)

var segmentForm = regexp.MustCompile(`^[0-9]{20}\.log$`)

func segmentName(first uint64) string { return fmt.Sprintf("%020d.log", first) }

// segments lists the folder's, oldest first, with their sizes.
func segments(dir string) ([]segment, error) {
	all, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var list []segment
	for _, e := range all {
		if !segmentForm.MatchString(e.Name()) {
			continue
		}
		first, err := strconv.ParseUint(strings.TrimSuffix(e.Name(), ".log"), 10, 64)
		info, statErr := e.Info()
		if err != nil || statErr != nil {
			continue // no number of ours, or gone since
		}
		list = append(list, segment{first: first, size: info.Size()})
	}
	slices.SortFunc(list, func(a, b segment) int { return cmp.Compare(a.first, b.first) })
	return list, nil
}

// beginSegment makes a segment's file with its first bytes, whole or not at all, and durably.
func beginSegment(dir string, first uint64, text []byte) (*os.File, error) {
	name := filepath.Join(dir, segmentName(first))
	f, err := os.OpenFile(name+tmpEnd, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync()); err == nil {
		err = os.Rename(name+tmpEnd, name)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// removeLeftovers removes segments that were never begun for good.
func removeLeftovers(dir string) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"+tmpEnd))
	for _, name := range names {
		err = errors.Join(err, os.Remove(name))
	}
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// point is a place in the chain: an entry's Seq and hash. Seq 0 is before the first.
type point struct {
	seq uint64
	sum hash
}

func (p point) String() string { return fmt.Sprintf("%020d %s\n", p.seq, p.sum) }

// parsePoint reads what String gives.
func parsePoint(text []byte) (point, bool) {
	if len(text) != 20+1+64+1 || text[20] != ' ' || text[85] != '\n' {
		return point{}, false
	}
	seq, err := strconv.ParseUint(string(text[:20]), 10, 64)
	sum, ok := parseHash(text[21:85])
	return point{seq, sum}, err == nil && ok
}
