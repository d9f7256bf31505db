package tui

import (
	"slices"
	"time"

	"decenter/engine/api"
)

// ReadsLast puts entries, newest first, in the order in which they are shown: of those of one second, what was read comes
// last. An entry of reads bears the time of the first of many.
func ReadsLast(entries []api.AuditEntry) []api.AuditEntry {
	const read = "read"
	out := slices.Clone(entries)
	slices.SortStableFunc(out, func(a, b api.AuditEntry) int {
		switch at, bt := a.Time.Truncate(time.Second), b.Time.Truncate(time.Second); {
		case !at.Equal(bt):
			return bt.Compare(at)
		case (a.Action == read) == (b.Action == read):
			return 0
		case a.Action == read:
			return 1
		}
		return -1
	})
	return out
}
