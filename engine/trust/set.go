package trust

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// The bounds, beside api.MaxStatements.
const (
	// MaxSigner is how many statements of one account are kept.
	MaxSigner = 1000
	// reserved places are for owners of the constellation alone.
	reserved = 1000
	// MaxSkew is how far a statement's time may be ahead of the satellite's clock.
	MaxSkew = 30 * time.Second
)

// keptFor is how long after its time a revocation or delegation matters: nothing that a revocation of time T ends, and no
// delegation that one of time T replaced, lives longer than T + MaxDelegation. The skew is for the other's clock.
const keptFor = statement.MaxDelegation + 2*MaxSkew

// charter is what the configuration says.
type charter struct {
	network         keys.Network
	constellation   string
	owners, tenants []keys.Address
	satellites      []keys.Fingerprint
	self            keys.Fingerprint
}

// entry is a statement in the set.
type entry struct {
	statement.Statement
	signed statement.Signed
}

// place is where the set has room for one statement. Other than Slot, it is of one signer: another's word about the same
// satellite must be there again when this one's does not count any more.
type place struct {
	signer keys.Address
	slot   string
}

func placeOf(s statement.Statement) place { return place{s.Signer(), s.Slot()} }

// set is all that is held, in force or not: pure, and not safe for concurrent use.
type set struct {
	entries  map[place]entry
	bySigner map[keys.Address]int // how many of entries; no zeros
}

func newSet() *set { return &set{map[place]entry{}, map[keys.Address]int{}} }

func (s *set) clone() *set { return &set{maps.Clone(s.entries), maps.Clone(s.bySigner)} }

// put takes in an entry that offer allowed, in place of the one that it replaces.
func (s *set) put(e entry) {
	p := placeOf(e)
	if !s.has(e) {
		s.bySigner[p.signer]++
	}
	s.entries[p] = e
}

func (s *set) remove(p place) {
	if _, had := s.entries[p]; !had {
		return
	}
	delete(s.entries, p)
	if s.bySigner[p.signer]--; s.bySigner[p.signer] == 0 {
		delete(s.bySigner, p.signer)
	}
}

// has tells whether something is held in the statement's place.
func (s *set) has(st statement.Statement) bool {
	_, had := s.entries[placeOf(st)]
	return had
}

// news tells whether e says something that the set does not hold already, or later.
func (s *set) news(e entry) bool {
	old, had := s.entries[placeOf(e)]
	return !had || statement.Replaces(e.Statement, old.Statement)
}

// less gives the set with those of next that take something away; some tells whether there are any. Who can fill a disk must
// not be able to keep a revocation out.
func (s *set) less(next *set) (less *set, some bool) {
	less = s.clone()
	for p, e := range next.entries {
		if old, had := s.entries[p]; had && old.signed.Line == e.signed.Line {
			continue
		}
		takes := false
		switch x := e.Statement.(type) {
		case statement.Revocation:
			takes = true
		case statement.Membership:
			takes = !x.Admit
		case statement.Grant:
			old, had := s.entries[p].Statement.(statement.Grant)
			takes = had && rank(api.Role(x.Role)) < rank(api.Role(old.Role))
		}
		if takes {
			less.put(e)
			some = true
		}
	}
	return less, some
}

// expiry is when a statement cannot matter any more, if ever.
func expiry(s statement.Statement) (time.Time, bool) {
	switch s.(type) {
	case statement.Revocation, statement.Delegation:
		return s.When().Add(keptFor), true
	}
	return time.Time{}, false
}

// prune drops what is over, and tells when the next is; zero if never.
func (s *set) prune(now time.Time) (next time.Time) {
	for p, e := range s.entries {
		end, ends := expiry(e.Statement)
		switch {
		case !ends:
		case !now.Before(end):
			s.remove(p)
		case next.IsZero() || end.Before(next):
			next = end
		}
	}
	return next
}

// offer tells what keeps e out of the set: an *api.Error, or nil if it may be put. The signature is not looked at.
func (s *set) offer(c charter, st standing, e entry, now time.Time) error {
	if err := st.authority(c, e.Statement); err != nil {
		return err
	}
	if ahead := e.When().Sub(now); ahead > MaxSkew {
		return &api.Error{Code: api.CodeInvalid,
			Message: fmt.Sprintf("the statement is of %s, but the clock of this satellite says %s: it is %s ahead, more than %s",
				clock(e.When()), clock(now), ahead.Round(time.Second), MaxSkew),
			Hint: "set the clock that is wrong, or declare the statement again later"}
	}
	if end, ends := expiry(e.Statement); ends && !now.Before(end) {
		return &api.Error{Code: api.CodeInvalid,
			Message: fmt.Sprintf("the statement is of %s, and the clock of this satellite says %s: nothing that it is about can still live",
				clock(e.When()), clock(now))}
	}
	if d, is := e.Statement.(statement.Delegation); is && !now.Before(d.Until) {
		return &api.Error{Code: api.CodeInvalid,
			Message: fmt.Sprintf("the delegation ended at %s, and the clock of this satellite says %s", clock(d.Until), clock(now)),
			Hint:    "delegate anew"}
	}
	if s.has(e) {
		return nil
	}
	return s.room(c, st, e)
}

// room makes a new place, if need be by dropping what does not count, the oldest first.
func (s *set) room(c charter, st standing, e entry) error {
	if s.bySigner[e.Signer()] >= MaxSigner {
		return &api.Error{Code: api.CodeExhausted,
			Message: fmt.Sprintf("account %s has %d statements here, and no account can have more", e.Signer(), MaxSigner),
			Hint:    "a newer statement on a subject takes an older one's place"}
	}
	limit := api.MaxStatements - reserved
	if st.owners[e.Signer()] {
		limit = api.MaxStatements
	}
	excess := len(s.entries) + 1 - limit
	if excess <= 0 {
		return nil
	}
	idle := s.idle(c, st)
	if len(idle) < excess {
		return errFull
	}
	for _, p := range idle[:excess] {
		s.remove(p)
	}
	return nil
}

// errFull is that the whole set is full, not one signer's part of it.
var errFull = &api.Error{Code: api.CodeExhausted, Message: "this satellite has as many statements as it keeps, and all of them count",
	Hint: "an owner of the constellation can take back the grants by which accounts that fill it are known"}

// idle gives the places of what does not count, the oldest first.
func (s *set) idle(c charter, st standing) []place {
	var idle []place
	for p, e := range s.entries {
		if !st.counts(c, e.Statement) {
			idle = append(idle, p)
		}
	}
	slices.SortFunc(idle, func(a, b place) int {
		x, y := s.entries[a], s.entries[b]
		return cmp.Or(x.When().Compare(y.When()), cmp.Compare(x.signed.Line, y.signed.Line))
	})
	return idle
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
