package match

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"decenter/engine/api"
)

func vm(name string) api.Item {
	return api.Item{Kind: api.KindVM, Name: name, State: "running", Satellite: "s2", VM: &api.VM{
		ID: "6f1c2b1e-0000-4000-8000-000000000001", Name: name, From: "tiny", Owner: "bc1qxyz", CPU: 2, Memory: 2 << 30,
		NICs: []api.NIC{{MAC: "02:00:00:01:ab:cd", Addresses: []string{"169.254.7.9"}}}}}
}

func TestWordsAndFilters(t *testing.T) {
	f := func(key string, op api.Op, values ...string) api.Filter {
		return api.Filter{Key: key, Op: op, Values: values}
	}
	not := func(f api.Filter) api.Filter { f.Not = true; return f }
	for _, c := range []struct {
		q    api.Query
		want bool
	}{
		{api.Query{}, true},
		{api.Query{Words: []string{"WEB"}}, true},
		{api.Query{Words: []string{"vm", "web"}}, true},
		{api.Query{Words: []string{"satellite", "web"}}, false},
		{api.Query{Words: []string{"169.254.7"}}, true},
		{api.Query{Words: []string{"6f1c"}}, true},
		{api.Query{Words: []string{"db"}}, false},
		{api.Query{Filters: []api.Filter{f("state", "", "stopped", "running")}}, true},
		{api.Query{Filters: []api.Filter{not(f("state", "", "running"))}}, false},
		{api.Query{Filters: []api.Filter{f("memory", ">=", "2147483648")}}, true},
		{api.Query{Filters: []api.Filter{f("memory", ">", "2147483648")}}, false},
		{api.Query{Filters: []api.Filter{f("cpu", "<", "3"), f("from", "", "ti*")}}, true},
		{api.Query{Filters: []api.Filter{f("cpu", "<", "x")}}, false},
		{api.Query{Filters: []api.Filter{f("mac", "", "*:ab:cd")}}, true},
		{api.Query{Filters: []api.Filter{f("no-such-key", "", "x")}}, false},
	} {
		if got := Item(c.q, vm("web-1")); got != c.want {
			t.Errorf("%+v: %v, want %v", c.q, got, c.want)
		}
	}
}

func TestAKindWordLimitsTheKind(t *testing.T) {
	if Item(api.Query{Words: []string{"job"}}, vm("cron-job-1")) {
		t.Error("a VM was found among the jobs")
	}
}

func TestAWordInsideAnIDIsChance(t *testing.T) {
	node := api.Item{Kind: api.KindSatellite, Name: "s1", Node: &api.Satellite{ID: "SHA256:webWEBweb"}}
	if Item(api.Query{Words: []string{"web"}}, node) {
		t.Error("a satellite was found by letters of its fingerprint")
	}
	if !Item(api.Query{Words: []string{"sha256:web"}}, node) {
		t.Error("a satellite was not found by the beginning of its fingerprint")
	}
}

// TestGlobIsARegexp holds glob against the slow obvious way.
func TestGlobIsARegexp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringMatching(`[ab*]{0,8}`).Draw(t, "pattern")
		s := rapid.StringMatching(`[ab]{0,8}`).Draw(t, "s")
		slow := regexp.MustCompile("^" + strings.ReplaceAll(pattern, "*", ".*") + "$").MatchString(s)
		if got := glob(pattern, s); got != slow {
			t.Fatalf("glob(%q, %q) = %v, want %v", pattern, s, got, slow)
		}
	})
}
