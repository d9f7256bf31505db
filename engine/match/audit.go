package match

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"decenter/engine/api"
)

// AuditFilter is a query for audit entries, made ready for many of them.
type AuditFilter struct {
	words   []string // in lower case
	filters []api.Filter
	since   time.Time // zero: from the beginning
}

type auditKey struct {
	key string
	of  func(api.AuditEntry) string
}

// auditKeys are the keys of filters of audit entries, but since, and what an entry has under them.
var auditKeys = []auditKey{
	{api.KeyAccount, func(e api.AuditEntry) string { return e.Account }},
	{api.KeyAction, func(e api.AuditEntry) string { return e.Action }},
	{api.KeyKey, func(e api.AuditEntry) string { return e.Key }},
	{api.KeyObject, func(e api.AuditEntry) string { return e.Object }},
	{api.KeyReason, func(e api.AuditEntry) string { return e.Reason }},
	{api.KeySatellite, func(e api.AuditEntry) string { return e.Satellite }},
	{api.KeyVerdict, func(e api.AuditEntry) string { return string(e.Verdict) }},
	{api.KeyVia, func(e api.AuditEntry) string { return e.Via }},
}

// Audit makes a query for audit entries ready. A word must be part of any of an entry's texts, without regard to case; the
// kind's own name limits nothing. A filter's value must be equal to the whole text, with * for any run, as in Item;
// since takes an age back from now (90s, 2h, 3d, 1w), a date (its beginning in UTC) or an RFC 3339 time.
func Audit(q api.Query, now time.Time) (AuditFilter, error) {
	var a AuditFilter
	for _, w := range q.Words {
		if w = strings.ToLower(w); w != string(api.KindAudit) {
			a.words = append(a.words, w)
		}
	}
	for _, f := range q.Filters {
		if f.Op != api.OpIs {
			return a, invalid(fmt.Sprintf("%s:%s does not compare audit entries", f.Key, f.Op), "use "+f.Key+":VALUE")
		}
		switch {
		case f.Key == api.KeySince:
			if f.Not || len(f.Values) != 1 {
				return a, invalid("since takes one time", "use since:2h")
			}
			since, err := sinceTime(f.Values[0], now)
			if err != nil {
				return a, err
			}
			if since.After(a.since) {
				a.since = since
			}
		case !slices.ContainsFunc(auditKeys, func(k auditKey) bool { return k.key == f.Key }):
			return a, invalid(fmt.Sprintf("audit entries have no %s", f.Key), "use account, action, key, object, reason, satellite, since, verdict or via")
		default:
			low := make([]string, len(f.Values))
			for i, v := range f.Values {
				low[i] = strings.ToLower(v)
			}
			f.Values = low
			a.filters = append(a.filters, f)
		}
	}
	return a, nil
}

// Match tells whether the entry is what the query asks for.
func (a AuditFilter) Match(e api.AuditEntry) bool {
	if e.Time.Before(a.since) {
		return false
	}
	for _, f := range a.filters {
		if auditHolds(f, e) == f.Not {
			return false
		}
	}
	if len(a.words) == 0 {
		return true
	}
	var all strings.Builder
	for _, k := range auditKeys {
		all.WriteString(k.of(e) + "\n")
	}
	text := strings.ToLower(all.String())
	return !slices.ContainsFunc(a.words, func(w string) bool { return !strings.Contains(text, w) })
}

// Before tells whether entries up to the time are all too old for the query.
func (a AuditFilter) Before(newest time.Time) bool { return newest.Before(a.since) }

// Texts gives texts in lower case, each of which is part of some text of every entry that matches, so that a store can pass over
// entries without them. They need not be all that the query asks for.
func (a AuditFilter) Texts() []string {
	texts := slices.Clone(a.words)
	for _, f := range a.filters {
		if f.Not || len(f.Values) != 1 {
			continue
		}
		longest := ""
		for part := range strings.SplitSeq(f.Values[0], "*") {
			if len(part) > len(longest) {
				longest = part
			}
		}
		texts = append(texts, longest)
	}
	return texts
}

func auditHolds(f api.Filter, e api.AuditEntry) bool {
	for _, k := range auditKeys {
		if k.key == f.Key {
			have := strings.ToLower(k.of(e))
			return slices.ContainsFunc(f.Values, func(want string) bool { return glob(want, have) })
		}
	}
	return false
}

// sinceTime reads since's value.
func sinceTime(text string, now time.Time) (time.Time, error) {
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			if n, err := strconv.ParseUint(number, 10, 32); err == nil && n > 0 && n <= uint64(maxAge/length) {
				return now.Add(-time.Duration(n) * length), nil
			}
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	for _, form := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(form, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, invalid(fmt.Sprintf("%q is no time", text), "use an age such as 2h or 3d, a date such as 2026-01-31, or a time such as 2026-01-31T15:04:05Z")
}

// maxAge keeps ages within what a time.Duration can hold.
const maxAge = 100 * 365 * 24 * time.Hour

func invalid(message, hint string) error {
	return &api.Error{Code: api.CodeInvalid, Message: message, Hint: hint}
}
