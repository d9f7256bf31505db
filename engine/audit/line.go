package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"decenter/engine/api"
)

// version is the form of the lines.
const version = 1

// The bounds of an entry's texts in bytes; longer ones are cut.
const (
	maxWord   = 128 // account, key, via, action, verdict, satellite
	maxObject = 512
	maxReason = 1024
)

// maxLine bounds a line: each byte of text takes at most six (\u0000) in JSON, and the rest is far below 2 KiB.
const maxLine = 6*(6*maxWord+maxObject+maxReason) + 2<<10

// maxHeader bounds a header: its list of breaks is bounded too.
const maxHeader = maxLine

// hash is a link of the chain. The zero hash is before the first line.
type hash [sha256.Size]byte

func (h hash) String() string { return hex.EncodeToString(h[:]) }

func parseHash(text []byte) (h hash, ok bool) {
	for _, c := range text {
		if c >= 'A' && c <= 'F' {
			return h, false // one spelling alone
		}
	}
	if len(text) != 2*len(h) {
		return h, false
	}
	_, err := hex.Decode(h[:], text)
	return h, err == nil
}

// record is an entry as it lies in a segment: seq and time come first, to be read without the rest.
type record struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	api.AuditEntry
}

// header is a segment's first line.
type header struct {
	Audit     int       `json:"audit"`
	Satellite string    `json:"satellite"`
	First     uint64    `json:"first"`
	Oldest    uint64    `json:"oldest"`
	Time      time.Time `json:"time"`
	// Broken is what was wrong with the chain when this segment was begun because of it.
	Broken []string `json:"broken,omitempty"`
}

const (
	prevMark = `,"prev":"`
	hashMark = `","hash":"`
	endMark  = `"}`
	// tailLen is how long prev and hash are, with all around them.
	tailLen = len(prevMark) + 2*sha256.Size + len(hashMark) + 2*sha256.Size + len(endMark)
	// unhashed is how much of the line's end the hash does not cover.
	unhashed = len(hashMark) - 1 + 2*sha256.Size + len(endMark)
)

// appendLine appends v, a record or a header, as a line with its line end, and gives its hash.
func appendLine(b []byte, v any, prev hash) ([]byte, hash, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return b, hash{}, err
	}
	start := len(b)
	b = append(b, text[:len(text)-1]...)
	b = append(b, prevMark...)
	b = hex.AppendEncode(b, prev[:])
	b = append(b, '"')
	sum := hash(sha256.Sum256(b[start:]))
	b = append(b, hashMark[1:]...)
	b = hex.AppendEncode(b, sum[:])
	return append(b, endMark+"\n"...), sum, nil
}

// What can be wrong with a line by itself.
var (
	errForm = errors.New("the line is not of the log's form")
	errHash = errors.New("the line's bytes do not give its hash")
)

// line is what the chain needs of a line.
type line struct {
	prev, sum hash
	header    *header // nil: an entry
	seq       uint64  // of an entry
	time      time.Time
}

// parseLine reads a line without its line end and checks its hash. An entry's texts are left to parseEntry. With
// errHash the stated hashes are given all the same, for the walk to go on from.
func parseLine(text []byte) (line, error) {
	var l line
	if len(text) < tailLen {
		return l, errForm
	}
	tail := text[len(text)-tailLen:]
	prevAt := len(prevMark)
	markAt := prevAt + 2*sha256.Size
	sumAt := markAt + len(hashMark)
	var ok1, ok2 bool
	l.prev, ok1 = parseHash(tail[prevAt:markAt])
	l.sum, ok2 = parseHash(tail[sumAt : sumAt+2*sha256.Size])
	if !ok1 || !ok2 || string(tail[:prevAt]) != prevMark || string(tail[markAt:sumAt]) != hashMark || string(tail[tailLen-len(endMark):]) != endMark {
		return line{}, errForm
	}
	if sha256.Sum256(text[:len(text)-unhashed]) != l.sum {
		return l, errHash
	}
	body := text[:len(text)-tailLen]
	if bytes.HasPrefix(body, []byte(`{"audit":`)) {
		h, err := parseHeader(text)
		if err != nil {
			return line{}, err
		}
		l.header, l.time = &h, h.Time
		return l, nil
	}
	return l, l.parseStart(body)
}

// parseStart reads `{"seq":N,"time":"T"`, with which every entry begins.
func (l *line) parseStart(body []byte) error {
	rest, ok := bytes.CutPrefix(body, []byte(`{"seq":`))
	number, rest, ok2 := bytes.Cut(rest, []byte(`,"time":"`))
	stamp, _, ok3 := bytes.Cut(rest, []byte(`"`))
	if !ok || !ok2 || !ok3 {
		return errForm
	}
	var err error
	if l.seq, err = strconv.ParseUint(string(number), 10, 64); err != nil || l.seq == 0 {
		return errForm
	}
	if l.time, err = time.Parse(time.RFC3339Nano, string(stamp)); err != nil {
		return errForm
	}
	return nil
}

func parseHeader(text []byte) (header, error) {
	var h header
	if err := json.Unmarshal(text, &h); err != nil || h.First == 0 || h.Oldest == 0 || h.Oldest > h.First {
		return h, errForm
	}
	if h.Audit != version {
		return h, fmt.Errorf("the segment is of form %d, and this program reads form %d", h.Audit, version)
	}
	return h, nil
}

// parseEntry reads an entry's line, with or without its line end. It does not look at the hashes.
func parseEntry(text []byte) (api.AuditEntry, error) {
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return api.AuditEntry{}, errForm
	}
	if r.Seq == 0 {
		return api.AuditEntry{}, errForm
	}
	e := r.AuditEntry
	e.Seq, e.Time = r.Seq, r.Time
	return e, nil
}

// bounded cuts the entry's texts to their bounds.
func bounded(e api.AuditEntry) api.AuditEntry {
	for _, s := range []*string{&e.Satellite, &e.Account, &e.Key, &e.Via, &e.Action} {
		*s = cut(*s, maxWord)
	}
	e.Object, e.Reason = cut(e.Object, maxObject), cut(e.Reason, maxReason)
	e.Verdict = api.Verdict(cut(string(e.Verdict), maxWord))
	return e
}

// cut gives s in at most n bytes, whole characters, with an ellipsis where some are missing and U+FFFD for what is no UTF-8.
func cut(s string, n int) string {
	const more = "…"
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= n {
		return s
	}
	s = s[:n-len(more)]
	for len(s) > 0 {
		if r, size := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || size != 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s + more
}
