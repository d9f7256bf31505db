package tree

import (
	"errors"
	"testing"
)

// Each rule of unicast in turn is left out, and storms are let loose until the checker sees a frame go round. U1 is tried by
// itself, with data paths that look at nothing but the destination: elsewhere F1 hides most of what it is for. (What is for
// F6b is rare; package path plays it.)
func TestWithoutARuleOfUnicastItLoops(t *testing.T) {
	for name, test := range map[string]struct {
		rule    rule
		routers bool
	}{"U1": {ruleU1, true}, "F6a": {ruleF6a, false}} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(100) {
				if test.routers {
					if _, err := storm(seed, 0, true); err != nil {
						t.Fatalf("with the rule, storm %d: %v", seed, err)
					}
				}
				_, err := storm(seed, test.rule, test.routers)
				var l looped
				if errors.As(err, &l) {
					t.Logf("storm %d: %v", seed, err)
					return
				}
			}
			t.Error("nothing went round")
		})
	}
}
