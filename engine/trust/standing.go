package trust

import (
	"fmt"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// standing is what accounts are, by the configuration and the statements that count. Each map holds the one before it.
type standing struct {
	owners  map[keys.Address]bool
	tenants map[keys.Address]bool // may have VMs of their own
	known   map[keys.Address]bool // may log in
}

// standings judges the set. Each of the three is the least fixpoint of rules that only ever add, so that the order in
// which statements are looked at changes nothing.
func standings(c charter, s *set) standing {
	onAll := map[keys.Address][]statement.Grant{} // by signer
	var others []statement.Grant
	for _, e := range s.entries {
		g, is := e.Statement.(statement.Grant)
		switch {
		case !is || g.Constellation != c.constellation:
		case g.Object == statement.ObjectAll:
			onAll[g.Account] = append(onAll[g.Account], g)
		default:
			others = append(others, g)
		}
	}
	st := standing{owners: ownersFrom(c.owners, onAll), tenants: map[keys.Address]bool{}, known: map[keys.Address]bool{}}
	for _, t := range c.tenants {
		st.tenants[t] = true
	}
	for owner := range st.owners {
		st.tenants[owner] = true
		for _, g := range onAll[owner] {
			if holds(g.Role) {
				st.tenants[g.To] = true
			}
			if g.Role != statement.None {
				st.known[g.To] = true
			}
		}
	}
	for tenant := range st.tenants {
		st.known[tenant] = true
	}
	for _, g := range others {
		if st.tenants[g.Account] && g.Role != statement.None {
			st.known[g.To] = true
		}
	}
	return st
}

// ownersFrom finds all owners from the configuration's outward. Each account is looked at once.
func ownersFrom(roots []keys.Address, onAll map[keys.Address][]statement.Grant) map[keys.Address]bool {
	owners := map[keys.Address]bool{}
	next := roots
	for len(next) > 0 {
		var found []keys.Address
		for _, o := range next {
			if owners[o] {
				continue
			}
			owners[o] = true
			for _, g := range onAll[o] {
				if g.Role == statement.Owner {
					found = append(found, g.To)
				}
			}
		}
		next = found
	}
	return owners
}

// holds tells whether a role on all lets an account have VMs of its own.
func holds(r statement.Role) bool {
	return r == statement.Tenant || r == statement.Operator || r == statement.Owner
}

// counts tells whether a statement's signer has the authority for it. It depends on the statement's signer, kind and
// subject alone (see "Why every satellite ends with the same").
func (st standing) counts(c charter, s statement.Statement) bool {
	switch s := s.(type) {
	case statement.Membership:
		return c.constellation != "" && s.Constellation == c.constellation && st.owners[s.Account]
	case statement.Grant:
		if c.constellation == "" || s.Constellation != c.constellation {
			return false
		}
		if s.Object == statement.ObjectAll {
			return st.owners[s.Account]
		}
		return st.tenants[s.Account]
	case statement.Revocation:
		return st.known[s.Account]
	case statement.Delegation:
		return s.Key == c.self && st.known[s.Account]
	}
	return false
}

// authority is counts in words: nil, or an *api.Error of CodeDenied that says what is wanting.
func (st standing) authority(c charter, s statement.Statement) error {
	if st.counts(c, s) {
		return nil
	}
	switch s := s.(type) {
	case statement.Membership:
		if err := c.ours(s.Constellation); err != nil {
			return err
		}
		return noOwner(s.Account, "admit and eject satellites")
	case statement.Grant:
		if err := c.ours(s.Constellation); err != nil {
			return err
		}
		if s.Object == statement.ObjectAll {
			return noOwner(s.Account, "grant anything on all")
		}
		return denied("an owner of the constellation can grant it the role tenant on all",
			"account %s is not a tenant of the constellation, so it has nothing to grant", s.Account)
	case statement.Delegation:
		if s.Key != c.self {
			return denied("one to a person's SSH key travels in that person's certificate (decenter key delegate); one to a satellite's key is declared on that satellite",
				"the delegation is to another key than this satellite's own")
		}
	}
	return denied("an owner of the constellation can grant it a role, such as tenant on all", "account %s is not known here", s.Signer())
}

// ours tells whether a statement is about this constellation.
func (c charter) ours(name string) error {
	switch {
	case c.constellation == "":
		return denied("set trust.constellation in it", "the statement is about constellation %q, but this satellite's configuration names none", name)
	case name != c.constellation:
		return denied("", "the statement is about constellation %q, but this one is %q", name, c.constellation)
	}
	return nil
}

func noOwner(a keys.Address, to string) error {
	return denied("owners are those in trust.owners of the configuration, and whom an owner granted the role owner on all",
		"account %s is not an owner of the constellation: only owners %s", a, to)
}

func denied(hint, format string, args ...any) error {
	return &api.Error{Code: api.CodeDenied, Message: fmt.Sprintf(format, args...), Hint: hint}
}
