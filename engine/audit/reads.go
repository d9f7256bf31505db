package audit

import (
	"strings"
	"time"

	"decenter/engine/api"
)

// what makes reads equal.
type likeness struct{ account, key, via, kind string }

// group is equal reads of one window. Its Time is the first one's.
type group struct {
	entry api.AuditEntry
	count int
}

// over tells whether the group's window is over. A clock that was set back ends it too.
func (g *group) over(now time.Time) bool {
	return now.Before(g.entry.Time) || !now.Before(g.entry.Time.Add(ReadWindow))
}

func (g *group) get() api.AuditEntry {
	e := g.entry
	if g.count > 1 {
		e.Count = g.count
	}
	return e
}

// reads counts reads that are not written yet. Invariant: order has the keys of groups, each once, by the time of their
// first read; len(order) ≤ MaxReads.
type reads struct {
	groups map[likeness]*group
	order  []likeness
}

func newReads() reads { return reads{groups: map[likeness]*group{}} }

// count counts a read, gives its group's entry as it is now, and the entries that are now to be written.
func (r *reads) count(e api.AuditEntry, now time.Time) (api.AuditEntry, []api.AuditEntry) {
	over := r.take(func(g *group) bool { return g.over(now) })
	k := likeness{e.Account, e.Key, e.Via, objectKind(e.Object)}
	g := r.groups[k]
	if g == nil {
		if len(r.order) >= MaxReads {
			oldest := r.groups[r.order[0]]
			over = append(over, r.take(func(g *group) bool { return g == oldest })...)
		}
		g = &group{entry: e}
		r.groups[k] = g
		r.order = append(r.order, k)
	}
	g.count += max(e.Count, 1)
	if g.entry.Object != e.Object {
		g.entry.Object = k.kind // several of the kind
	}
	return g.get(), over
}

// take removes groups from the beginning on as long as they are wanted, and gives their entries.
func (r *reads) take(want func(*group) bool) []api.AuditEntry {
	var list []api.AuditEntry
	for len(r.order) > 0 && want(r.groups[r.order[0]]) {
		list = append(list, r.groups[r.order[0]].get())
		delete(r.groups, r.order[0])
		r.order = r.order[1:]
	}
	return list
}

// all gives the groups' entries, newest first.
func (r *reads) all() []api.AuditEntry {
	list := make([]api.AuditEntry, 0, len(r.order))
	for i := len(r.order) - 1; i >= 0; i-- {
		list = append(list, r.groups[r.order[i]].get())
	}
	return list
}

// objectKind is an object's text up to the first of `: @/`.
func objectKind(object string) string {
	if i := strings.IndexAny(object, ": @/"); i >= 0 {
		return object[:i]
	}
	return object
}
