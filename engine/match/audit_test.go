package match

import (
	"testing"
	"time"

	"decenter/engine/api"
)

func TestAuditEntriesAreFound(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	e := api.AuditEntry{Satellite: "s1", Seq: 7, Time: now.Add(-90 * time.Minute), Account: "bc1qAlice", Key: "SHA256:abc", Via: "ssh",
		Action: "delete", Object: "vm web-1", Verdict: api.VerdictDeny, Reason: "role reader is too little"}
	f := func(key string, values ...string) api.Filter { return api.Filter{Key: key, Values: values} }
	not := func(f api.Filter) api.Filter { f.Not = true; return f }
	for _, c := range []struct {
		q    api.Query
		want bool
	}{
		{api.Query{}, true},
		{api.Query{Words: []string{"audit", "WEB", "reader"}}, true},
		{api.Query{Words: []string{"web", "owner"}}, false},
		{api.Query{Filters: []api.Filter{f("account", "bc1qalice")}}, true},
		{api.Query{Filters: []api.Filter{f("account", "bc1q")}}, false},
		{api.Query{Filters: []api.Filter{f("account", "bc1q*"), f("verdict", "allow", "deny")}}, true},
		{api.Query{Filters: []api.Filter{not(f("verdict", "deny"))}}, false},
		{api.Query{Filters: []api.Filter{not(f("key", "sha256:x*")), f("via", "ssh"), f("satellite", "s1"), f("action", "del*"), f("reason", "*little"), f("object", "vm*")}}, true},
		{api.Query{Filters: []api.Filter{f("since", "2h")}}, true},
		{api.Query{Filters: []api.Filter{f("since", "1h")}}, false},
		{api.Query{Filters: []api.Filter{f("since", "3d"), f("since", "5m")}}, false},
		{api.Query{Filters: []api.Filter{f("since", "1w")}}, true},
		{api.Query{Filters: []api.Filter{f("since", "2026-03-01")}}, true},
		{api.Query{Filters: []api.Filter{f("since", "2026-03-01T12:29:00+02:00")}}, true},
		{api.Query{Filters: []api.Filter{f("since", "2026-03-01T10:31:00Z")}}, false},
	} {
		a, err := Audit(c.q, now)
		if err != nil {
			t.Errorf("%+v: %v", c.q, err)
		} else if got := a.Match(e); got != c.want {
			t.Errorf("%+v: %v, want %v", c.q, got, c.want)
		}
	}
	for _, q := range []api.Filter{f("colour", "red"), f("since", "yesterday"), f("since", "-2h"), f("since", "99999999w"), f("since", "1h", "2h"),
		not(f("since", "1h")), {Key: "account", Op: api.OpGT, Values: []string{"a"}}} {
		if _, err := Audit(api.Query{Filters: []api.Filter{q}}, now); api.CodeOf(err) != api.CodeInvalid {
			t.Errorf("%+v: %v", q, err)
		}
	}
}
