package authz

import (
	"slices"
	"strconv"

	"decenter/engine/api"
)

// need is a line of the table of package authz.
type need struct {
	scope api.Scope
	role  api.Role // on the object; RoleNone: no role gives it
}

// needs gives an action's line.
func needs(a Action) (n need, known bool) {
	switch a {
	case Login, Audit, Propose, Declare:
		return need{api.ScopeRead, api.RoleNone}, true
	case Read, Trust:
		return need{api.ScopeRead, api.RoleReader}, true
	case Create, Control, Console, Cancel, Set:
		return need{api.ScopeOperate, api.RoleOperator}, true
	case Delete:
		return need{api.ScopeAll, api.RoleOwner}, true
	}
	return need{}, false
}

// Decide answers a request. Equal arguments give equal verdicts.
func Decide(p Policy, r Request) Verdict {
	n, known := needs(r.Action)
	switch {
	case !known:
		return deny("there is no action " + quote(string(r.Action)))
	case r.Root:
		return allow("root on the satellite itself may do everything there")
	case r.Account == "" || r.Account == api.AccountLocal:
		return deny("no account was proved: log in with a Bitcoin address, or be root on the satellite itself")
	case !p.Known(r.Account):
		return deny("the account is not known here: an owner of the constellation can grant it a role, such as tenant on all")
	case !reaches(r.Scope, n.scope):
		return deny("this login is of scope " + quote(string(r.Scope)) + ", and to " + string(r.Action) + " takes scope " +
			string(n.scope) + ": log in with an SSH key and the wallet, or with a delegation of that scope")
	case r.Action == Audit:
		return decideAudit(p, r)
	case p.Owner(r.Account):
		return allow("an owner of the constellation may do everything")
	case r.Action == Login:
		return allow("the account is known here")
	case r.Action == Declare || r.Action == Propose:
		return allow("a known account may bring statements: their own signature and authority count")
	case r.Action == Trust || r.Action == Set:
		r.Object = Object{} // trust and the satellites are the constellation's, whatever the request names
	case r.Action == Create:
		return decideCreate(p, r)
	}
	return decideObject(p, r, n.role)
}

// decideAudit is of one entry. An owner reads those of others with scope operate, not with a login that was pasted.
func decideAudit(p Policy, r Request) Verdict {
	switch {
	case r.Object.Owner == r.Account:
		return allow("the entry is about the account itself")
	case !p.Owner(r.Account):
		return deny("the entry is about another account: only owners of the constellation read those")
	case !reaches(r.Scope, api.ScopeOperate):
		return deny("with a login of scope read an owner of the constellation reads only entries about itself: log in with scope operate")
	}
	return allow("an owner of the constellation reads all entries")
}

func decideCreate(p Policy, r Request) Verdict {
	switch {
	case r.Object.Owner != "" && r.Object.Owner != r.Account:
		return deny("who creates a VM owns it: only an owner of the constellation creates one for another account")
	case p.Tenant(r.Account):
		return allow("a tenant may create VMs")
	case atLeast(p.Role(r.Account, Object{}), api.RoleOperator):
		return allow("an operator on all may create VMs")
	}
	return deny("creating takes the role tenant, or operator, on all, which an owner of the constellation can grant")
}

// decideObject is of what is done to an object that there is, by anyone but an owner of the constellation.
func decideObject(p Policy, r Request, role api.Role) Verdict {
	o, tenant := r.Object, p.Tenant(r.Account)
	switch {
	case tenant && o.Owner == r.Account:
		return allow("the account owns it")
	case tenant && r.Action == Read && shared(o.Kind), tenant && r.Action == Trust:
		return allow("a tenant may read it")
	case o.Kind == api.KindJob && o.Began == r.Account && (r.Action == Read || r.Action == Cancel):
		return allow("the account began the job")
	case atLeast(p.Role(r.Account, o), role):
		return allow("the account was granted the role that this takes")
	case o.Kind == api.KindVM || o.Kind == api.KindJob:
		return deny("to " + string(r.Action) + " it takes the role " + string(role) +
			", which the VM's owner or an owner of the constellation can grant")
	}
	return deny("to " + string(r.Action) + " it takes the role " + string(role) +
		" on all, which an owner of the constellation can grant")
}

// shared tells whether all tenants read things of the kind.
func shared(k api.Kind) bool {
	return k == api.KindSatellite || k == api.KindSpacesuit || k == KindTree
}

// reaches tells whether a scope is at least another. A scope that is none reaches nothing.
func reaches(have, want api.Scope) bool {
	order := []api.Scope{api.ScopeRead, api.ScopeOperate, api.ScopeAll}
	i := slices.Index(order, have)
	return i >= 0 && i >= slices.Index(order, want)
}

// atLeast tells whether a role is at least another. A role that is none gives nothing.
func atLeast(have, want api.Role) bool {
	order := []api.Role{api.RoleTenant, api.RoleReader, api.RoleOperator, api.RoleOwner}
	i := slices.Index(order, have)
	return i >= 0 && i >= slices.Index(order, want)
}

func allow(reason string) Verdict { return Verdict{Allow: true, Reason: reason} }
func deny(reason string) Verdict  { return Verdict{Reason: reason} }

// quote makes text of the request harmless to print.
func quote(s string) string {
	if s == "" {
		return "none"
	}
	return strconv.Quote(s[:min(len(s), 32)])
}
