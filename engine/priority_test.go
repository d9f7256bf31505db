package engine

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/keys/statement"
)

// wish is how much lower than its configuration says a satellite's priority is.
func (s *sat) wish() int {
	s.world.mu.Lock()
	defer s.world.mu.Unlock()
	return s.world.wish
}

// TestWhoBecomesRootIsSetFromAnySatellite, by those who may, and written down where it is done.
func TestWhoBecomesRootIsSetFromAnySatellite(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	low := 50
	ask := api.TreePriorityRequest{Satellite: "s2", Priority: &low}
	got, err := owner.at(t, a, statement.Operate).TreePriority(t.Context(), ask)
	want := api.TreePriority{Satellite: "s2", Priority: 50, Was: 32768, Configured: 32768, Set: true}
	if err != nil || got != want || a.wish() != 0 || b.wish() != 32718 {
		t.Fatalf("%+v, %v; s1 wishes %d, s2 %d", got, err, a.wish(), b.wish())
	}
	got, err = a.open().TreePriority(t.Context(), api.TreePriorityRequest{Satellite: b.cfg.ID}) // by fingerprint
	if want = (api.TreePriority{Satellite: "s2", Priority: 32768, Was: 50, Configured: 32768}); err != nil || got != want || b.wish() != 0 {
		t.Errorf("the configuration's again: %+v, %v", got, err)
	}
	people := map[string]person{"tenant": newPerson(t, 3), "reader": newPerson(t, 4), "operator": newPerson(t, 5)}
	for role, p := range people {
		for _, s := range []*sat{a, b} {
			s.hears(t, owner.says(t, grant(statement.Role(role), p, statement.ObjectAll)))
		}
	}
	for what, c := range map[string]struct {
		svc     api.Service
		allowed bool
	}{
		"a tenant":           {people["tenant"].at(t, a, statement.All), false},
		"a reader":           {people["reader"].at(t, a, statement.All), false},
		"an owner who reads": {owner.at(t, a, statement.Read), false},
		"an operator":        {people["operator"].at(t, a, statement.Operate), true},
	} {
		_, err := c.svc.TreePriority(t.Context(), ask)
		if c.allowed != (err == nil) || !c.allowed && api.CodeOf(err) != api.CodeDenied {
			t.Errorf("%s: %v", what, err)
		}
		if set := b.wish() != 0; set != c.allowed {
			t.Errorf("%s: set is %v", what, set)
		}
		_, _ = a.open().TreePriority(t.Context(), api.TreePriorityRequest{Satellite: "s2"})
	}
	log, err := a.open().Audit(t.Context(), api.AuditRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []api.Verdict{api.VerdictAllow, api.VerdictDeny} {
		if !slices.ContainsFunc(log.Entries, func(e api.AuditEntry) bool {
			return e.Action == "set" && e.Object == "priority 50" && e.Satellite == "s2" && e.Verdict == v
		}) {
			t.Errorf("%s is not in the log: %+v", v, log.Entries)
		}
	}
}

// TestAPriorityForNobody names what is wrong.
func TestAPriorityForNobody(t *testing.T) {
	t.Parallel()
	a, b := two(t)
	low, high := 50, api.MaxPriority+1
	for _, c := range []struct {
		ask  api.TreePriorityRequest
		code api.Code
		says string
	}{
		{api.TreePriorityRequest{Satellite: "s9", Priority: &low}, api.CodeNotFound, `no satellite "s9"`},
		{api.TreePriorityRequest{Priority: &low}, api.CodeInvalid, "missing"},
		{api.TreePriorityRequest{Satellite: "s2", Priority: &high}, api.CodeInvalid, "0 to 65535"},
	} {
		if _, err := a.open().TreePriority(t.Context(), c.ask); api.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.ask, err)
		}
	}
	third := satellite(t, "s3")
	third.frozen(t)
	meet(t, a, b, third)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := a.open().TreePriority(ctx, api.TreePriorityRequest{Satellite: "s3", Priority: &low}); api.CodeOf(err) != api.CodeUnavailable || ctx.Err() != nil {
		t.Errorf("one that hangs: %v", err)
	}
	if b.wish() != 0 || a.wish() != 0 {
		t.Error("something was set")
	}
}
