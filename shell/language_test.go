package shell

import (
	"reflect"
	"strings"
	"testing"

	"decenter/engine/api"
	"decenter/tui"
)

func TestWhatEnterWouldDo(t *testing.T) {
	l := NewLanguage(nil)
	for line, want := range map[string]tui.Intent{
		"web state:running":          {Query: api.Query{Words: []string{"web"}, Filters: []api.Filter{{Key: "state", Values: []string{"running"}}}}},
		"create web-1 from:tiny":     {Verb: "create", Object: "web-1"},
		"delete web-1":               {Verb: "delete", Object: "web-1", Confirm: "web-1"},
		"delete web-1 confirm:web-1": {Verb: "delete", Object: "web-1"},
		"console web-1":              {Verb: "console", Object: "web-1", View: "console"},
		"jobs":                       {Verb: "jobs", View: "jobs"},
		"watch 3F9A":                 {Verb: "watch", Object: "3f9a", View: "watch"},
		"satellites":                 {Verb: "satellites", View: "satellites"},
		"tree":                       {Verb: "tree", View: "tree"},
		"tree priority s3 50":        {Verb: "tree", Object: "s3"},
		"tree priority s3":           {Verb: "tree", Object: "s3"},
		"help":                       {Verb: "help", View: "help"},
		"help create":                {Verb: "help", Object: "create", View: "help"},
		"create --help":              {Verb: "help", Object: "create", View: "help"},
		"trust admit":                {Verb: "trust", View: "trust", Query: api.Query{Words: []string{"admit"}}},
		"audit verdict:deny verify:yes": {Verb: "audit", View: "audit", Audit: api.AuditRequest{Verify: true, Query: api.Query{
			Filters: []api.Filter{{Key: "verdict", Values: []string{"deny"}}}}}},
		"eject s3": {Verb: "eject", Object: "s3", Confirm: "s3"},
		"exit":     {Verb: "quit", View: "quit"},
	} {
		got, err := l.Parse(line)
		if got.Hint == "" {
			t.Errorf("%s has no hint", line)
		}
		got.Hint = ""
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s means %+v, %v; want %+v", line, got, err, want)
		}
	}
	if _, err := l.Parse("create web-1 "); err == nil || err.(*api.Error).Column != 13 {
		t.Errorf("an unfinished line gives %v", err)
	}
}

func TestExecute(t *testing.T) {
	ctx, c := world(t)
	l := NewLanguage(func(api.Kind) []string { return []string{"web-1"} })
	out, err := l.Execute(ctx, c, "create web-1 from:tiny")
	if err != nil || out.Job == nil || out.Job.Object != "web-1" || !strings.Contains(out.Text, out.Job.ID) {
		t.Fatalf("create: %+v, %v", out, err)
	}
	settle(t, c, "")
	if _, err := l.Execute(ctx, c, "delete web-1"); api.CodeOf(err) != api.CodeInvalid {
		t.Errorf("an unconfirmed deletion gave %v", err)
	}
	if _, err := c.VM(ctx, "web-1"); err != nil {
		t.Errorf("and did it: %v", err)
	}
	for line, want := range map[string]string{
		"vm": "web-1", "jobs": "create", "satellites": "10.77.0.1", "tree": "satellite tree", "help": "create", "create --help": "from:NAME",
		"watch " + out.Job.ID: "done", "vm state:crashed": "nothing found",
	} {
		if got, err := l.Execute(ctx, c, line); err != nil || !strings.Contains(got.Text, want) {
			t.Errorf("%s: %q, %v", line, got.Text, err)
		}
	}
	vm, _ := c.VM(ctx, "web-1")
	out, err = l.Execute(ctx, c, "delete "+vm.ID+" confirm:"+vm.ID) // the console asks for what was typed
	if err != nil || out.Job == nil {
		t.Fatalf("deletion by id: %+v, %v", out, err)
	}
	s := l.Complete("start w", 7)
	if len(s) != 1 || s[0] != (tui.Suggestion{From: 6, Text: "web-1", Hint: "vm"}) {
		t.Errorf("completion gives %+v", s)
	}
}
