package trust

import (
	"path/filepath"
	"sync"
	"testing"

	"decenter/engine/authz"
	"decenter/keys/statement"
)

// Many declare, merge and look at once; every one sees a whole view, and its own word in it once Declare returned.
func TestManyAtOnce(t *testing.T) {
	cfg, _ := lab(t)
	s := inMemory(t, cfg)
	changed, stop := s.Watch()
	defer stop()
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			for m := range 10 {
				id := fingerprint(n*100 + m)
				if _, _, err := s.Declare(signed(admit(ann, id, 1))); err != nil || !s.View().Admitted(id) {
					t.Errorf("declared, and not there: %v", err)
				}
				s.Merge(s.Spread())
				v := s.View()
				if len(v.Statements()) != len(v.spread) || v.Role(ann.String(), authz.Object{}) == "" {
					t.Error("a view is half of one and half of another")
				}
			}
		})
	}
	group.Wait()
	<-changed
	want(t, "admitted", len(s.View().AdmittedIDs()), 81)
}

// The dearest Declare: to a set that is almost full.
func BenchmarkDeclareToAFullFile(b *testing.B) {
	cfg, _ := lab(b)
	cfg.Path = filepath.Join(b.TempDir(), "trust")
	for n := range byte(10) {
		cfg.Owners = append(cfg.Owners, who(200+n))
	}
	s := open(b, cfg)
	signature := signed(admit(ann, saturn, 0)).Signature
	for n := range 9000 {
		x := revoke(cfg.Owners[1+n/MaxSigner], fingerprint(n), 1)
		s.set.put(entry{x, statement.Signed{Line: statement.Line(x), Signature: signature}})
	}
	var words []statement.Signed
	for n := range 1000 {
		words = append(words, signed(admit(ann, saturn, n+1)))
	}
	n := 0
	for b.Loop() {
		if _, _, err := s.Declare(words[n%len(words)]); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
