package authz_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"decenter/engine/api"
	. "decenter/engine/authz"
)

// people is a policy written out: what each account is, and its roles.
type people struct {
	known, owners, tenants []string
	roles                  map[string]map[string]api.Role // by account, then by "all" or a VM's id
}

func (p people) Known(a string) bool  { return slices.Contains(p.known, a) }
func (p people) Owner(a string) bool  { return slices.Contains(p.owners, a) }
func (p people) Tenant(a string) bool { return slices.Contains(p.tenants, a) }
func (p people) Role(a string, o Object) api.Role {
	best := api.RoleNone
	order := []api.Role{api.RoleNone, api.RoleTenant, api.RoleReader, api.RoleOperator, api.RoleOwner}
	for _, on := range []string{"all", o.ID} {
		if r, is := p.roles[a][on]; is && on != "" && slices.Index(order, r) > slices.Index(order, best) {
			best = r
		}
	}
	return best
}

// The accounts of the table. Each is named by what it is.
var lab = people{
	known: []string{"owner", "tenant", "neighbour", "vm-reader", "vm-operator", "vm-owner", "all-reader", "all-operator"},
	// An operator on all may have VMs of its own, a reader on all may not.
	owners:  []string{"owner"},
	tenants: []string{"owner", "tenant", "neighbour", "all-operator"},
	roles: map[string]map[string]api.Role{
		"owner":        {"all": api.RoleOwner},
		"tenant":       {"all": api.RoleTenant},
		"vm-reader":    {"web": api.RoleReader, "lost": api.RoleReader},
		"vm-operator":  {"web": api.RoleOperator, "lost": api.RoleOperator},
		"vm-owner":     {"web": api.RoleOwner, "lost": api.RoleOwner},
		"all-reader":   {"all": api.RoleReader},
		"all-operator": {"all": api.RoleOperator},
	},
}

// The tenant has VM web; VM lost is nobody's and old is root's.
var objects = map[string]Object{
	"nothing":             {},
	"web":                 {Kind: api.KindVM, ID: "web", Owner: "tenant", Satellite: "s1"},
	"lost":                {Kind: api.KindVM, ID: "lost"},
	"left behind":         {Kind: api.KindVM, ID: "left", Owner: "vm-reader"}, // who was a tenant once
	"old":                 {Kind: api.KindVM, ID: "old", Owner: api.AccountLocal},
	"job on web":          {Kind: api.KindJob, ID: "web", Owner: "tenant", Began: "vm-operator"},
	"job of the unknown":  {Kind: api.KindJob, ID: "web", Owner: "tenant", Began: "stranger"},
	"job of vm-reader":    {Kind: api.KindJob, ID: "old", Owner: api.AccountLocal, Began: "vm-reader"},
	"satellite":           {Kind: api.KindSatellite, Satellite: "s1"},
	"spacesuit":           {Kind: api.KindSpacesuit, Satellite: "s1"},
	"tenant's spacesuit":  {Kind: api.KindSpacesuit, Owner: "tenant"},
	"tree":                {Kind: KindTree},
	"tenant's entry":      {Kind: api.KindAudit, Owner: "tenant"},
	"root's entry":        {Kind: api.KindAudit, Owner: api.AccountLocal},
	"something new":       {Kind: "volume", ID: "web"},
	"new VM for tenant":   {Kind: api.KindVM, Owner: "tenant"},
	"VM with empty owner": {Kind: api.KindVM, ID: "web2", Owner: ""},
}

// A rule is one plain sentence. The oracle allows what any sentence allows, within what the scope's sentences leave.
type rule struct {
	sentence string
	allows   func(account string, a Action, o Object) bool
}

func one[T comparable](x T, of ...T) bool { return slices.Contains(of, x) }

var rules = []rule{
	{"the owner may do everything", func(who string, _ Action, _ Object) bool { return who == "owner" }},
	{"everyone known may log in, ask for a statement's line and declare one", func(_ string, a Action, _ Object) bool {
		return one(a, Login, Propose, Declare)
	}},
	{"everyone known reads the audit entries about themselves", func(who string, a Action, o Object) bool { return a == Audit && o.Owner == who }},
	{"tenants and readers and operators on all read trust", func(who string, a Action, _ Object) bool {
		return a == Trust && one(who, "tenant", "neighbour", "all-reader", "all-operator")
	}},
	{"tenants read satellites, spacesuits and the tree", func(who string, a Action, o Object) bool {
		return a == Read && one(who, "tenant", "neighbour") && one(o.Kind, api.KindSatellite, api.KindSpacesuit, KindTree)
	}},
	{"readers and operators on all read everything", func(who string, a Action, _ Object) bool {
		return a == Read && one(who, "all-reader", "all-operator")
	}},
	{"tenants and operators on all create VMs for themselves", func(who string, a Action, o Object) bool {
		return a == Create && one(who, "tenant", "neighbour", "all-operator") && one(o.Owner, "", who)
	}},
	{"the tenant does everything with what it owns, but audit and what has no owner are other matters", func(who string, a Action, o Object) bool {
		return who == "tenant" && o.Owner == "tenant" && one(a, Read, Control, Console, Delete, Cancel)
	}},
	{"who was granted a role on web or lost has it there, and on the jobs on it", func(who string, a Action, o Object) bool {
		if !one(o.Kind, api.KindVM, api.KindJob, "volume") || !one(o.ID, "web", "lost") {
			return false
		}
		switch who {
		case "vm-reader":
			return a == Read
		case "vm-operator":
			return one(a, Read, Control, Console, Cancel)
		case "vm-owner":
			return one(a, Read, Control, Console, Cancel, Delete)
		}
		return false
	}},
	{"operators on all control everything, open consoles, cancel jobs and set what satellites have to be set", func(who string, a Action, _ Object) bool {
		return who == "all-operator" && one(a, Control, Console, Cancel, Set)
	}},
	{"who began a job reads and cancels it", func(who string, a Action, o Object) bool {
		return o.Kind == api.KindJob && o.Began == who && one(a, Read, Cancel)
	}},
}

// within is what the scopes leave, in sentences of their own.
func within(who string, scope api.Scope, a Action, o Object) bool {
	switch scope {
	case api.ScopeAll:
		return true
	case api.ScopeOperate:
		return a != Delete // what cannot be undone
	case api.ScopeRead:
		return one(a, Login, Read, Trust, Propose, Declare) || a == Audit && o.Owner == who
	}
	return false
}

func oracle(r Request) bool {
	switch {
	case !slices.Contains(Actions(), r.Action):
		return false
	case r.Root:
		return true
	case !one(r.Account, "owner", "tenant", "neighbour", "vm-reader", "vm-operator", "vm-owner", "all-reader", "all-operator"):
		return false
	}
	return within(r.Account, r.Scope, r.Action, r.Object) &&
		slices.ContainsFunc(rules, func(x rule) bool { return x.allows(r.Account, r.Action, r.Object) })
}

// table gives every request of the table.
func table(yield func(name string, r Request) bool) {
	accounts := append([]string{"stranger", "", api.AccountLocal}, lab.known...)
	scopes := []api.Scope{api.ScopeRead, api.ScopeOperate, api.ScopeAll, "", "everything"}
	actions := append([]Action{"", "format", "READ"}, Actions()...)
	for _, root := range []bool{false, true} {
		for _, account := range accounts {
			for _, scope := range scopes {
				for _, action := range actions {
					for name, o := range objects {
						r := Request{Account: account, Root: root, Scope: scope, Action: action, Object: o}
						if !yield(fmt.Sprintf("root %v, %q with scope %q: %s %s", root, account, scope, action, name), r) {
							return
						}
					}
				}
			}
		}
	}
}

// differences compares a decision with the oracle over the whole table.
func differences(decide func(Policy, Request) Verdict) (all int, wrong []string) {
	table(func(name string, r Request) bool {
		all++
		if v := decide(lab, r); v.Allow != oracle(r) {
			wrong = append(wrong, fmt.Sprintf("%s: %v (%s)", name, v.Allow, v.Reason))
		}
		return true
	})
	return all, wrong
}

func TestEveryDecisionIsTheRulesOwn(t *testing.T) {
	all, wrong := differences(Decide)
	for _, w := range wrong[:min(len(wrong), 20)] {
		t.Error(w)
	}
	t.Logf("%d of %d decisions differ from the sentences", len(wrong), all)
}

// Negative control: each of these holes is seen by the table.
func TestTheTableSeesHoles(t *testing.T) {
	for name, hole := range map[string]func(*Request){
		"the scope is not looked at":            func(r *Request) { r.Scope = api.ScopeAll },
		"root of another satellite passes":      func(r *Request) { r.Root = r.Root || r.Account == api.AccountLocal },
		"nobody's VM is the asker's":            func(r *Request) { r.Object.Owner = strings.TrimPrefix(r.Object.Owner+r.Account, r.Object.Owner) },
		"a job is its VM owner's alone":         func(r *Request) { r.Object.Began = "" },
		"deleting is judged as controlling":     func(r *Request) { r.Action = Action(strings.Replace(string(r.Action), "delete", "control", 1)) },
		"consoles are judged as reading":        func(r *Request) { r.Action = Action(strings.Replace(string(r.Action), "console", "read", 1)) },
		"capitals do not matter":                func(r *Request) { r.Action = Action(strings.ToLower(string(r.Action))) },
		"an unknown account is taken as tenant": func(r *Request) { r.Account = strings.Replace(r.Account, "stranger", "neighbour", 1) },
	} {
		if _, wrong := differences(func(p Policy, r Request) Verdict { hole(&r); return Decide(p, r) }); len(wrong) == 0 {
			t.Errorf("%s, and the table does not see it", name)
		}
	}
}

func TestEveryReasonTellsAPersonSomething(t *testing.T) {
	table(func(name string, r Request) bool {
		v := Decide(lab, r)
		if len(v.Reason) < 15 || strings.ContainsFunc(v.Reason, func(c rune) bool { return c < ' ' || c > '~' }) {
			t.Errorf("%s: %q", name, v.Reason)
		}
		if v != Decide(lab, r) {
			t.Errorf("%s: another verdict the second time", name)
		}
		return !t.Failed()
	})
	for _, c := range []struct {
		r    Request
		says string
	}{
		{Request{Account: "stranger", Scope: api.ScopeAll, Action: Login}, "tenant on all"},
		{Request{Account: "tenant", Scope: api.ScopeRead, Action: Delete, Object: objects["web"]}, "takes scope all"},
		{Request{Account: "neighbour", Scope: api.ScopeAll, Action: Console, Object: objects["web"]}, "role operator, which the VM's owner"},
		{Request{Account: "vm-reader", Scope: api.ScopeAll, Action: Read, Object: objects["satellite"]}, "role reader on all"},
		{Request{Account: "owner", Scope: api.ScopeRead, Action: Audit, Object: objects["tenant's entry"]}, "scope operate"},
		{Request{Account: "owner", Scope: api.ScopeAll, Action: "rm\x1b[2J"}, `\x1b`},
		{Request{Account: "all-reader", Scope: api.ScopeAll, Action: Create}, "role tenant"},
		{Request{Account: "tenant", Scope: api.ScopeAll, Action: Create, Object: Object{Owner: "neighbour"}}, "who creates a VM owns it"},
	} {
		if v := Decide(lab, c.r); v.Allow || !strings.Contains(v.Reason, c.says) {
			t.Errorf("%+v: %+v, want it to tell %q", c.r, v, c.says)
		}
	}
}

// Whatever a policy says of them: "local" is root's name, and nobody who comes without root is root.
func TestNobodyIsRootByName(t *testing.T) {
	names := []string{"", api.AccountLocal}
	gullible := people{known: names, owners: names, tenants: names}
	for _, name := range names {
		for _, a := range Actions() {
			if v := Decide(gullible, Request{Account: name, Scope: api.ScopeAll, Action: a}); v.Allow {
				t.Errorf("%q may %s: %s", name, a, v.Reason)
			}
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	r := Request{Account: "neighbour", Scope: api.ScopeAll, Action: Read, Object: objects["web"]}
	for b.Loop() {
		Decide(lab, r)
	}
}
