package trust

import (
	"encoding/binary"
	"testing"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// stuff puts statements into a set as they would come from the disk: nobody signed them.
func stuff(s *set, made ...statement.Statement) {
	for _, x := range made {
		s.put(entry{x, statement.Signed{Line: statement.Line(x)}})
	}
}

func fingerprint(n int) (f keys.Fingerprint) {
	binary.BigEndian.PutUint32(f[:], uint32(n)+1)
	return f
}

func TestNoAccountHasMoreThanItsPart(t *testing.T) {
	cfg, _ := lab(t)
	s := inMemory(t, cfg)
	for n := range MaxSigner - 1 {
		stuff(s.set, revoke(ann, fingerprint(n), 1))
	}
	says(t, s, admit(ann, saturn, 1))
	refuses(t, s, admit(ann, titan, 1), api.CodeExhausted, "1000 statements")
	says(t, s, eject(ann, saturn, 2)) // in place of the admission
	if n, refused := s.Merge([]statement.Signed{signed(admit(ann, titan, 1)), signed(admit(ann, saturn, 3))}); n != 1 || len(refused) != 1 {
		t.Errorf("merged %d, refused %q", n, refused)
	}
}

// A tenant lets in accounts of its own making, which fill the set. An owner's word is still taken.
func TestACrowdCannotKeepAnOwnersWordOut(t *testing.T) {
	cfg, _ := lab(t)
	cfg.Tenants = []keys.Address{eve}
	s := inMemory(t, cfg)
	for n := 0; len(s.set.entries) < api.MaxStatements-reserved; n++ {
		puppet := secret(byte(150+n/900)).Address(keys.Mainnet, keys.P2WPKH)
		stuff(s.set, grant(eve, statement.Reader, puppet, statement.ObjectArray, 1), revoke(puppet, fingerprint(n), 1))
	}
	puppet := secret(150).Address(keys.Mainnet, keys.P2WPKH)
	st := standings(s.charter, s.set)
	next := revoke(puppet, laptop, 1)
	if err := s.set.offer(s.charter, st, entry{next, statement.Signed{}}, s.now()); api.CodeOf(err) != api.CodeExhausted {
		t.Errorf("the crowd goes on: %v", err)
	}
	says(t, s, eject(ann, saturn, 1))
	want(t, "ejected", s.View().Ejected(saturn), true)

	// Ann shuts Eve out by what the configuration cannot: nothing of the crowd counts, so it makes room.
	cfg.Tenants = nil
	cfg.Path += "2"
	clean := inMemory(t, cfg)
	clean.set = s.set.clone()
	says(t, clean, grant(ann, statement.Tenant, bob, all, 1), revoke(bob, laptop, 1))
	want(t, "Bob may", clean.View().Known(bob.String()), true)
	want(t, "statements", len(clean.set.entries), api.MaxStatements-reserved)
}

func TestABatchThatIsTooLargeIsCut(t *testing.T) {
	cfg, _ := lab(t)
	s := inMemory(t, cfg)
	batch := make([]statement.Signed, api.MaxStatements+3)
	batch[0] = signed(admit(ann, saturn, 1))
	batch[api.MaxStatements] = signed(admit(ann, titan, 1))
	n, refused := s.Merge(batch)
	if n != 1 || len(refused) != api.MaxStatements || api.CodeOf(refused[0]) != api.CodeExhausted {
		t.Errorf("merged %d, %d refused, first %q", n, len(refused), refused[0])
	}
}

// The rest of a full set is refused without looking at each statement that is held, or a batch would take minutes.
func TestAFullSetRefusesABatchFast(t *testing.T) {
	cfg, _ := lab(t)
	for n := range byte(10) {
		cfg.Owners = append(cfg.Owners, who(200+n))
	}
	s := inMemory(t, cfg)
	for n := range api.MaxStatements {
		stuff(s.set, revoke(cfg.Owners[1+n/MaxSigner], fingerprint(n), 1))
	}
	var batch []statement.Signed
	for n := range api.MaxStatements {
		batch = append(batch, statement.Signed{Line: statement.Line(admit(ann, fingerprint(n), 1)), Signature: "AAAA"})
	}
	batch[0] = signed(admit(ann, fingerprint(0), 1))
	if n, refused := s.Merge(batch); n != 0 || len(refused) != len(batch) {
		t.Errorf("merged %d, refused %d", n, len(refused))
	} else if last := refused[len(refused)-1]; api.CodeOf(last) != api.CodeExhausted {
		t.Errorf("the set is full, and yet a signature was looked at: %v", last)
	}
}
