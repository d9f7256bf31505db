package grammar

import (
	"os"
	"strings"
	"testing"

	"decenter/engine/api"
)

// Every row explains itself, and its examples are lines of that verb.
func TestTableIsWhole(t *testing.T) {
	names := map[string]bool{}
	for _, v := range Verbs() {
		for _, n := range append([]string{v.Title()}, v.Aliases...) {
			if names[n] {
				t.Errorf("%s is in the table twice", n)
			}
			names[n] = true
		}
		if v.Summary == "" || len(v.Examples) == 0 {
			t.Errorf("%s lacks a summary or an example", v.Title())
		}
		for _, k := range v.Keys {
			if k.Meaning == "" || k.Type.Meaning() == "" {
				t.Errorf("%s: %s does not say what it means", v.Title(), k.Name)
			}
		}
		for _, e := range v.Examples {
			if c, err := Parse(e.Line); err != nil || c.Verb.Name != v.Name {
				t.Errorf("the example %q of %s is one of %v: %v", e.Line, v.Title(), c.Verb, err)
			}
		}
		for i, line := range strings.Split(v.Help(), "\n") {
			if len([]rune(line)) > 80 {
				t.Errorf("help %s, line %d is wider than 80: %s", v.Title(), i+1, line)
			}
		}
	}
	for i, line := range strings.Split(Overview(), "\n") {
		if len([]rune(line)) > 80 {
			t.Errorf("help, line %d is wider than 80: %s", i+1, line)
		}
	}
}

// A search takes every filter the api knows, and no other.
func TestSearchHasTheKeysOfTheAPI(t *testing.T) {
	keys := []string{api.KeyName, api.KeyState, api.KeySatellite, api.KeyFrom, api.KeyCPU, api.KeyMemory, api.KeyAddress, api.KeyMAC, api.KeyOwner, api.KeyID}
	if len(verbs[0].Keys) != len(keys) {
		t.Errorf("a search has %d keys, the api %d", len(verbs[0].Keys), len(keys))
	}
	for _, k := range keys {
		if key, ok := verbs[0].Key(k); !ok || !key.Filter {
			t.Errorf("a search has no filter %s", k)
		}
	}
}

// Whoever changes the table runs go generate.
func TestReferenceIsUpToDate(t *testing.T) {
	file, err := os.ReadFile("REFERENCE.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(file) != Reference() {
		t.Error("REFERENCE.md differs from the table: run go generate ./shell/grammar")
	}
}
