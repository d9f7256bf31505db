package trust

import (
	"cmp"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/engine/authz"
	"decenter/keys"
	"decenter/keys/statement"
)

// View is what is in force at one moment. It never changes, and all methods are safe for concurrent use. An account is
// given by its address; api.AccountLocal and texts that are no address are nobody.
type View struct {
	charter charter
	// owners, tenants and known are standing's, by address.
	owners, tenants, known map[string]bool
	// members holds, of each satellite that an owner said something about, what holds.
	members map[keys.Fingerprint]entry
	// grants are those that count, by grantee.
	grants map[string][]statement.Grant
	// revocations are all in the set by signer, also of accounts that are not known now: refusing more is safe.
	revocations map[keys.Address][]statement.Revocation
	// delegations are those to this satellite that count, first the one that statement.Replaces puts first.
	delegations []entry
	inForce     []entry            // newest first, then by line
	spread      []statement.Signed // by line
	digest      [sha256.Size]byte  // of spread's lines, each with a line end
}

// newView says what follows from a set.
func newView(c charter, s *set) *View {
	st := standings(c, s)
	v := &View{charter: c, owners: texts(st.owners), tenants: texts(st.tenants), known: texts(st.known),
		members: map[keys.Fingerprint]entry{}, grants: map[string][]statement.Grant{}, revocations: map[keys.Address][]statement.Revocation{}}
	for _, e := range s.entries {
		if r, is := e.Statement.(statement.Revocation); is {
			v.revocations[r.Account] = append(v.revocations[r.Account], r)
		}
		if !st.counts(c, e.Statement) {
			continue
		}
		switch x := e.Statement.(type) {
		case statement.Membership:
			if old, had := v.members[x.Satellite]; !had || statement.Replaces(x, old.Statement) {
				v.members[x.Satellite] = e
			}
		case statement.Grant:
			v.grants[x.To.String()] = append(v.grants[x.To.String()], x)
			v.inForce = append(v.inForce, e)
		case statement.Delegation:
			v.delegations = append(v.delegations, e)
			v.inForce = append(v.inForce, e)
			continue // not spread
		default:
			v.inForce = append(v.inForce, e)
		}
		v.spread = append(v.spread, e.signed)
	}
	v.order()
	return v
}

func texts(accounts map[keys.Address]bool) map[string]bool {
	m := make(map[string]bool, len(accounts))
	for a := range accounts {
		m[a.String()] = true
	}
	return m
}

// order sorts what was gathered from a map, so that equal sets give equal views.
func (v *View) order() {
	v.inForce = slices.AppendSeq(v.inForce, maps.Values(v.members))
	slices.SortFunc(v.inForce, func(a, b entry) int {
		return cmp.Or(b.When().Compare(a.When()), cmp.Compare(a.signed.Line, b.signed.Line))
	})
	slices.SortFunc(v.delegations, func(a, b entry) int {
		switch {
		case statement.Replaces(a.Statement, b.Statement):
			return -1
		case statement.Replaces(b.Statement, a.Statement):
			return 1
		}
		return 0
	})
	slices.SortFunc(v.spread, func(a, b statement.Signed) int { return cmp.Compare(a.Line, b.Line) })
	h := sha256.New()
	for _, s := range v.spread {
		h.Write([]byte(s.Line + "\n")) // without the signature: a statement can have several
	}
	h.Sum(v.digest[:0])
}

// Ejected tells whether an owner's ejection of the satellite holds.
func (v *View) Ejected(id keys.Fingerprint) bool {
	e, said := v.members[id]
	return said && !admits(e)
}

// Admitted tells whether the satellite is one of the constellation: by an owner's word, else by the configuration. This
// satellite is, unless it was ejected.
func (v *View) Admitted(id keys.Fingerprint) bool {
	if e, said := v.members[id]; said {
		return admits(e)
	}
	return id == v.charter.self || slices.Contains(v.charter.satellites, id)
}

// Member tells whether this satellite belongs to a constellation of more than itself: another is admitted, and this one
// was not ejected. Where it does not, nothing is to be asked of others, and nothing to be granted to them.
func (v *View) Member() bool {
	if v.Ejected(v.charter.self) {
		return false
	}
	return slices.ContainsFunc(v.AdmittedIDs(), func(id keys.Fingerprint) bool { return id != v.charter.self })
}

// AdmittedIDs gives every satellite that Admitted tells of, in the order of their bytes.
func (v *View) AdmittedIDs() []keys.Fingerprint {
	all := map[keys.Fingerprint]bool{v.charter.self: true}
	for _, id := range v.charter.satellites {
		all[id] = true
	}
	for id := range v.members {
		all[id] = true
	}
	maps.DeleteFunc(all, func(id keys.Fingerprint, _ bool) bool { return !v.Admitted(id) })
	return slices.SortedFunc(maps.Keys(all), func(a, b keys.Fingerprint) int { return slices.Compare(a[:], b[:]) })
}

// Admission gives the owner's signed word by which the satellite is admitted, if it is by one.
func (v *View) Admission(id keys.Fingerprint) (statement.Signed, bool) {
	e, said := v.members[id]
	if !said || !admits(e) {
		return statement.Signed{}, false
	}
	return e.signed, true
}

func admits(e entry) bool {
	m, is := e.Statement.(statement.Membership)
	return is && m.Admit
}

// Owner tells whether the account is an owner of the constellation. It is of authz.Policy.
func (v *View) Owner(account string) bool { return v.owners[account] }

// Tenant tells whether the account may have VMs of its own. It is of authz.Policy.
func (v *View) Tenant(account string) bool { return v.tenants[account] }

// Known tells whether the account may log in. It is of authz.Policy.
func (v *View) Known(account string) bool { return v.known[account] }

// Role gives the highest role with the object that others granted to the account. It is of authz.Policy.
func (v *View) Role(account string, o authz.Object) api.Role {
	best := api.RoleNone
	for _, g := range v.grants[account] {
		if r := api.Role(g.Role); rank(r) > rank(best) && v.reaches(g, o) {
			best = r
		}
	}
	return best
}

func rank(r api.Role) int {
	return slices.Index([]api.Role{api.RoleNone, api.RoleTenant, api.RoleReader, api.RoleOperator, api.RoleOwner}, r)
}

// reaches tells whether a grant that counts is about the object. A VM that the grantor does not own is none that the
// grantor can give, unless an owner of the constellation says so.
func (v *View) reaches(g statement.Grant, o authz.Object) bool {
	if g.Object == statement.ObjectAll {
		return true
	}
	grantor := g.Account.String()
	owns := o.Owner == grantor
	if id, isVM := strings.CutPrefix(string(g.Object), "vm:"); isVM {
		about := (o.Kind == api.KindVM || o.Kind == api.KindJob) && string(statement.ObjectVM(o.ID)) == "vm:"+id
		return about && (owns || v.owners[grantor])
	}
	return owns && (g.Object == statement.ObjectArray || g.Object == statement.ObjectArrayAt(o.Satellite))
}

// Revoked tells whether something that the account's key did or got at a time was revoked, and by what: a revocation of
// that key, or of every key, of that time or later; the latest such. The zero key is none: only of every key fits.
func (v *View) Revoked(account keys.Address, key keys.Fingerprint, at time.Time) (statement.Revocation, bool) {
	var best statement.Revocation
	for _, r := range v.revocations[account] {
		fits := r.Key == (keys.Fingerprint{}) || r.Key == key
		if fits && !r.At.Before(at) && (best.At.IsZero() || r.At.After(best.At)) {
			best = r
		}
	}
	return best, !best.At.IsZero()
}

// Local gives the delegation to this satellite's own key that is in force: begun, not over, not revoked, of an account
// that is known. With it root on this satellite acts for the account elsewhere. Of several it is the latest.
func (v *View) Local(now time.Time) (statement.Delegation, statement.Signed, bool) {
	for _, e := range v.delegations {
		d, is := e.Statement.(statement.Delegation)
		if !is || now.Before(d.From) || !now.Before(d.Until) {
			continue
		}
		if _, revoked := v.Revoked(d.Account, d.Key, d.From); !revoked {
			return d, e.signed, true
		}
	}
	return statement.Delegation{}, statement.Signed{}, false
}

// Owners gives the owners' addresses, of the configuration and granted, sorted.
func (v *View) Owners() []string { return slices.Sorted(maps.Keys(v.owners)) }

// Statements gives what is in force, newest first: what counts and is not beaten by another. Grants of the role none
// and ejections are among it, for they hold too.
func (v *View) Statements() []api.Statement {
	all := make([]api.Statement, len(v.inForce))
	for i, e := range v.inForce {
		all[i] = Words(e.Statement, e.signed)
	}
	return all
}

// Words gives a statement as the api shows it.
func Words(s statement.Statement, signed statement.Signed) api.Statement {
	w := api.Statement{Account: s.Signer().String(), Time: s.When(), Signed: api.Signed(signed)}
	switch s := s.(type) {
	case statement.Delegation:
		until := s.Until
		w.Kind, w.Key, w.Scope, w.Until = api.StatementDelegate, s.Key.String(), api.Scope(s.Scope), &until
	case statement.Revocation:
		w.Kind = api.StatementRevoke
		if s.Key != (keys.Fingerprint{}) {
			w.Key = s.Key.String()
		}
	case statement.Membership:
		w.Kind, w.Key = api.StatementEject, s.Satellite.String()
		if s.Admit {
			w.Kind = api.StatementAdmit
		}
	case statement.Grant:
		w.Kind, w.Role, w.Grantee, w.Object = api.StatementGrant, api.Role(s.Role), s.To.String(), string(s.Object)
	}
	return w
}
