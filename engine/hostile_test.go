package engine

import (
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/keys/statement"
)

// The stories here are of people and satellites who have a right to be there, and want more.

func now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// tenantOf gives a tenant whom the satellites know.
func tenantOf(t *testing.T, n byte, all ...*sat) person {
	t.Helper()
	p := newPerson(t, n)
	for _, s := range all {
		s.hears(t, owner.says(t, grant(statement.Tenant, p, statement.ObjectAll)))
	}
	return p
}

// TestNobodyMakesRootActForThem: by a delegation to the satellite's key its root acts for an account, so that only root may
// take one. Else a tenant's would let root's next VM be the tenant's.
func TestNobodyMakesRootActForThem(t *testing.T) {
	t.Parallel()
	a, _ := two(t)
	tenant := tenantOf(t, 3, a)
	said := tenant.says(t, statement.Delegation{Account: tenant.account, Key: a.Engine.id, Scope: statement.All, From: now(), Until: now().Add(time.Hour)})
	if _, err := tenant.at(t, a, statement.All).Declare(t.Context(), said); api.CodeOf(err) != api.CodeDenied {
		t.Errorf("the tenant delegates to the satellite over ssh: %v", err)
	}
	if n, _ := a.cfg.Trust.Statements.Merge([]statement.Signed{statement.Signed(said)}); n != 0 {
		t.Error("another satellite brings it")
	}
	root := a.Open(me)
	if h, err := root.Hello(t.Context()); err != nil || h.Account != api.AccountLocal {
		t.Errorf("root acts for %s, %v", h.Account, err)
	}
	if _, err := root.Declare(t.Context(), said); err != nil {
		t.Errorf("root may want it: %v", err)
	}
	if h, err := root.Hello(t.Context()); err != nil || h.Account != tenant.account.String() {
		t.Errorf("root acts for %s, %v", h.Account, err)
	}
}
