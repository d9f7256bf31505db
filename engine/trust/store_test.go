package trust

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/engine/authz"
	"decenter/keys"
	"decenter/keys/statement"
)

var _ authz.Policy = (*View)(nil)

func TestAnOwnerAdmitsAndEjectsASatellite(t *testing.T) {
	cfg, _ := lab(t)
	s := open(t, cfg)
	want(t, "alone", s.View().Member(), false)
	says(t, s, admit(ann, saturn, 1))
	want(t, "admitted", s.View().Admitted(saturn), true)
	want(t, "member", s.View().Member(), true)
	want(t, "admitted are", s.View().AdmittedIDs(), []keys.Fingerprint{self, saturn})
	if word, is := s.View().Admission(saturn); !is || word != signed(admit(ann, saturn, 1)) {
		t.Errorf("the admission in force is %v", word)
	}

	says(t, s, eject(ann, saturn, 2))
	want(t, "ejected", s.View().Ejected(saturn), true)
	want(t, "admitted", s.View().Admitted(saturn), false)
	want(t, "member", s.View().Member(), false)
	if _, is := s.View().Admission(saturn); is {
		t.Error("an ejected satellite shows its admission")
	}

	// Replaying the admission changes nothing, and tells what holds.
	held, changed, err := s.Declare(signed(admit(ann, saturn, 1)))
	if err != nil || changed || held != statement.Statement(eject(ann, saturn, 2)) {
		t.Errorf("a replay: holds %v, changed %v, %v", held, changed, err)
	}
	says(t, s, admit(ann, saturn, 3))
	want(t, "admitted again", s.View().Admitted(saturn), true)
}

func TestAnEjectionBeatsTheConfiguration(t *testing.T) {
	cfg, _ := lab(t)
	cfg.Satellites = []keys.Fingerprint{self, saturn}
	s := open(t, cfg)
	want(t, "admitted by configuration", s.View().Admitted(saturn), true)
	if _, is := s.View().Admission(saturn); is {
		t.Error("nobody signed an admission, and one is shown")
	}
	says(t, s, admit(ann, titan, 1), eject(ann, saturn, 1), eject(ann, self, 1))
	want(t, "admitted", s.View().Admitted(saturn), false)
	want(t, "self admitted", s.View().Admitted(self), false)
	want(t, "self a member", s.View().Member(), false)
	want(t, "admitted are", s.View().AdmittedIDs(), []keys.Fingerprint{titan})
}

func TestWhoMaySayWhat(t *testing.T) {
	cfg, _ := lab(t)
	cfg.Tenants = []keys.Address{dan}
	s := inMemory(t, cfg)
	says(t, s, grant(ann, statement.Reader, eve, statement.ObjectVM(web), 1))
	refuses(t, s, admit(dan, saturn, 1), api.CodeDenied, "not an owner", "trust.owners")
	refuses(t, s, eject(dan, saturn, 1), api.CodeDenied, "not an owner")
	refuses(t, s, grant(dan, statement.Reader, bob, all, 1), api.CodeDenied, "not an owner")
	refuses(t, s, grant(eve, statement.Reader, bob, statement.ObjectArray, 1), api.CodeDenied, "not a tenant")
	refuses(t, s, grant(bob, statement.Reader, eve, statement.ObjectVM(web), 1), api.CodeDenied, "not a tenant")
	refuses(t, s, revoke(bob, laptop, 1), api.CodeDenied, "not known")
	refuses(t, s, delegate(bob, 1), api.CodeDenied, "not known")
	toLaptop := delegate(ann, 1)
	toLaptop.Key = laptop
	refuses(t, s, toLaptop, api.CodeDenied, "another key", "decenter key delegate")
	elsewhere := admit(ann, saturn, 1)
	elsewhere.Constellation = "office"
	refuses(t, s, elsewhere, api.CodeDenied, `"office"`, `"lab"`)

	says(t, s, grant(dan, statement.Owner, bob, statement.ObjectVM(web), 1), grant(dan, statement.Reader, eve, statement.ObjectArrayAt("s1"), 1),
		revoke(bob, laptop, 1), revoke(eve, everyKey, 1), delegate(eve, 2))
}

func TestAnUnsignedOrMalformedStatementIsRefused(t *testing.T) {
	cfg, _ := lab(t)
	s := inMemory(t, cfg)
	good := signed(admit(ann, saturn, 1))
	forged := good
	forged.Signature = signed(eject(ann, saturn, 1)).Signature
	refusesSigned(t, s, forged, api.CodeDenied, "signature")
	refusesSigned(t, s, statement.Signed{Line: good.Line, Signature: strings.Repeat("A", 2000)}, api.CodeInvalid, "characters")
	refusesSigned(t, s, statement.Signed{Line: good.Line + " please", Signature: good.Signature}, api.CodeInvalid, "not a statement")
	changed, refused := s.Merge([]statement.Signed{forged, {}, good, forged})
	if changed != 1 || len(refused) != 2 || api.CodeOf(refused[0]) != api.CodeInvalid || api.CodeOf(refused[1]) != api.CodeDenied {
		t.Errorf("merged %d, refused %q; want the good one alone taken", changed, refused)
	}
	want(t, "admitted", s.View().Admitted(saturn), true)
}

func TestAStatementAheadOfTheClockIsRefusedAndBothClocksTold(t *testing.T) {
	cfg, clock := lab(t)
	s := inMemory(t, cfg)
	clock.Time = noon
	refuses(t, s, admit(ann, saturn, 31), api.CodeInvalid, "2026-01-02T12:00:31Z", "2026-01-02T12:00:00Z", "31s ahead", "30s")
	says(t, s, admit(ann, saturn, 30))
	clock.Time = noon.Add(time.Second)
	says(t, s, admit(ann, saturn, 31)) // it is taken when it is offered again
}

func TestOwnersChainFromTheConfiguration(t *testing.T) {
	cfg, _ := lab(t)
	s := inMemory(t, cfg)
	says(t, s, grant(ann, statement.Owner, bob, all, 1), grant(bob, statement.Owner, eve, all, 2), grant(eve, statement.Owner, bob, all, 3),
		admit(eve, saturn, 4), grant(eve, statement.Tenant, dan, all, 5))
	want(t, "Eve owns", s.View().Owner(eve.String()), true)
	want(t, "Dan", s.View().Tenant(dan.String()), true)

	// Bob and Eve still name each other, but Ann takes back what it all hung on.
	says(t, s, grant(ann, statement.None, bob, all, 6))
	v := s.View()
	for _, a := range []keys.Address{bob, eve, dan} {
		if v.Owner(a.String()) || v.Tenant(a.String()) || v.Known(a.String()) {
			t.Errorf("%s is still something", a)
		}
	}
	want(t, "admitted", v.Admitted(saturn), false)
	want(t, "owners", v.Owners(), []string{ann.String()})
	want(t, "in force", len(v.Statements()), 1)
	want(t, "spread", len(s.Spread()), 1)

	// Ann trusts Eve anew: what Eve said counts again, also for Bob.
	says(t, s, grant(ann, statement.Owner, eve, all, 7))
	want(t, "Bob owns", s.View().Owner(bob.String()), true)
	want(t, "admitted", s.View().Admitted(saturn), true)
}

// A rogue owner's ejection goes with the owner: the admission that it beat is still there.
func TestWhatAnotherOwnerSaidIsThereWhenTheLaterOneLapses(t *testing.T) {
	cfg, _ := lab(t)
	s := inMemory(t, cfg)
	says(t, s, admit(ann, saturn, 1), grant(ann, statement.Owner, eve, all, 1), eject(eve, saturn, 2))
	want(t, "ejected", s.View().Ejected(saturn), true)
	says(t, s, grant(ann, statement.None, eve, all, 3))
	want(t, "admitted", s.View().Admitted(saturn), true)
}

func TestRoles(t *testing.T) {
	cfg, _ := lab(t)
	cfg.Tenants = []keys.Address{dan}
	s := inMemory(t, cfg)
	says(t, s,
		grant(ann, statement.Reader, bob, statement.ObjectVM(web), 1),
		grant(dan, statement.Operator, bob, statement.ObjectVM(web), 1),
		grant(dan, statement.Owner, eve, statement.ObjectArrayAt("s1"), 1),
		grant(dan, statement.Reader, eve, statement.ObjectArray, 1))
	vm := func(id string, owner keys.Address, on string) authz.Object {
		return authz.Object{Kind: api.KindVM, ID: id, Owner: owner.String(), Satellite: on}
	}
	other := "0190163d-8694-739b-aea5-966c26f8ad92"
	for name, c := range map[string]struct {
		account keys.Address
		object  authz.Object
		role    api.Role
	}{
		"both grants count, the higher holds":     {bob, vm(web, dan, "s2"), api.RoleOperator},
		"Dan's does not count on another's VM":    {bob, vm(web, eve, "s2"), api.RoleReader},
		"nor on one of nobody's":                  {bob, authz.Object{Kind: api.KindVM, ID: web, Owner: "local"}, api.RoleReader},
		"another VM":                              {bob, vm(other, dan, "s2"), api.RoleNone},
		"a job on the VM":                         {bob, authz.Object{Kind: api.KindJob, ID: web, Owner: dan.String()}, api.RoleOperator},
		"a satellite is no VM whatever its id":    {bob, authz.Object{Kind: api.KindSatellite, ID: web, Owner: dan.String()}, api.RoleNone},
		"capitals and hyphens do not matter":      {bob, vm(strings.ToUpper(web), dan, ""), api.RoleOperator},
		"an array on one satellite":               {eve, vm(other, dan, "s1"), api.RoleOwner},
		"an array on another":                     {eve, vm(other, dan, "s2"), api.RoleReader},
		"not what another has there":              {eve, vm(other, bob, "s1"), api.RoleNone},
		"not what nobody has":                     {eve, authz.Object{Kind: api.KindVM, ID: other, Satellite: "s1"}, api.RoleNone},
		"who granted has no role by that himself": {dan, vm(web, dan, "s1"), api.RoleNone},
	} {
		want(t, name, s.View().Role(c.account.String(), c.object), c.role)
	}
	want(t, "a guest may log in", s.View().Known(bob.String()), true)
	want(t, "a guest is no tenant", s.View().Tenant(bob.String()), false)
	want(t, "local is nobody", s.View().Known(api.AccountLocal), false)
	says(t, s, grant(ann, statement.Reader, bob, all, 2))
	want(t, "reader on all", s.View().Role(bob.String(), authz.Object{}), api.RoleReader)
	want(t, "reader on all is no tenant", s.View().Tenant(bob.String()), false)
	says(t, s, grant(ann, statement.Operator, bob, all, 3))
	want(t, "operator on all is a tenant", s.View().Tenant(bob.String()), true)
}

func TestARevocationEndsWhatIsAsOldAsIt(t *testing.T) {
	cfg, _ := lab(t)
	s := inMemory(t, cfg)
	says(t, s, revoke(ann, laptop, 10), revoke(ann, everyKey, 5))
	for name, c := range map[string]struct {
		key    keys.Fingerprint
		second int
		by     statement.Statement
	}{
		"older":                        {laptop, 4, revoke(ann, laptop, 10)},
		"as old":                       {laptop, 10, revoke(ann, laptop, 10)},
		"younger":                      {laptop, 11, nil},
		"another key, older":           {titan, 5, revoke(ann, everyKey, 5)},
		"another key, younger":         {titan, 6, nil},
		"a login without key, older":   {everyKey, 5, revoke(ann, everyKey, 5)},
		"a login without key, younger": {everyKey, 6, nil},
	} {
		got, is := s.View().Revoked(ann, c.key, at(c.second))
		if is != (c.by != nil) || is && statement.Statement(got) != c.by {
			t.Errorf("%s: %v, %v", name, got, is)
		}
	}
	if _, is := s.View().Revoked(bob, laptop, at(0)); is {
		t.Error("Ann's word ends what is Bob's")
	}
}

func TestADelegationToThisSatelliteStaysHereAndEnds(t *testing.T) {
	cfg, clock := lab(t)
	s := inMemory(t, cfg)
	clock.Time = noon
	before := s.Digest()
	says(t, s, delegate(ann, 10))
	want(t, "digest", s.Digest(), before)
	want(t, "spread", len(s.Spread()), 0)
	want(t, "shown", len(s.View().Statements()), 1)
	local := func(second int) bool { _, _, is := s.View().Local(at(second)); return is }
	want(t, "not begun", local(9), false)
	want(t, "begun", local(10), true)
	want(t, "last second", local(3609), true)
	want(t, "over", local(3610), false)
	clock.Time = at(20)
	says(t, s, revoke(ann, self, 15))
	want(t, "revoked", local(20), false)
	says(t, s, delegate(ann, 16))
	want(t, "delegated anew", local(20), true)
	clock.Time = at(4000)
	refuses(t, s, delegate(ann, 17), api.CodeInvalid, "ended")
}

func TestRevocationsAreDroppedWhenNothingCanBeAsOld(t *testing.T) {
	cfg, clock := lab(t)
	s := inMemory(t, cfg)
	empty := s.Digest()
	says(t, s, revoke(ann, laptop, 1))
	clock.Time = at(1).Add(keptFor - time.Second)
	want(t, "kept", len(s.Spread()), 1)
	clock.Time = at(1).Add(keptFor)
	want(t, "digest", s.Digest(), empty)
	want(t, "kept", len(s.Spread()), 0)
	refuses(t, s, revoke(ann, laptop, 1), api.CodeInvalid, "clock")
}

func TestTwoSignaturesOfOneLineAreOneStatement(t *testing.T) {
	old := secret(1).Address(keys.Mainnet, keys.P2PKH)
	cfg, _ := lab(t)
	cfg.Owners = []keys.Address{old}
	line := statement.Line(admit(old, saturn, 1))
	one, err := secret(1).Sign(old, line)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := base64.StdEncoding.DecodeString(one)
	raw[0] += 4 // BIP-137: the same signature, with another claim of the account's kind
	two := base64.StdEncoding.EncodeToString(raw)
	var digests [2][32]byte
	for i, signature := range []string{one, two} {
		s := inMemory(t, cfg)
		if _, changed, err := s.Declare(statement.Signed{Line: line, Signature: signature}); err != nil || !changed {
			t.Fatal(changed, err)
		}
		if _, changed, err := s.Declare(statement.Signed{Line: line, Signature: one}); err != nil || changed {
			t.Error("another signature of the same line is news", err)
		}
		digests[i] = s.Digest()
	}
	want(t, "digests", digests[0], digests[1])
}

func TestWatchersAreToldOfChangesAlone(t *testing.T) {
	cfg, _ := lab(t)
	s := inMemory(t, cfg)
	changed, stop := s.Watch()
	told := func() bool {
		select {
		case <-changed:
			return true
		default:
			return false
		}
	}
	want(t, "nothing happened", told(), false)
	says(t, s, admit(ann, saturn, 1), admit(ann, titan, 1))
	want(t, "two changes", told(), true)
	want(t, "told once for both", told(), false)
	refuses(t, s, admit(bob, saturn, 2), api.CodeDenied)
	if n, _ := s.Merge([]statement.Signed{signed(admit(ann, saturn, 1))}); n != 0 {
		t.Error("a repetition is news")
	}
	want(t, "nothing changed", told(), false)
	stop()
	says(t, s, eject(ann, saturn, 3))
	want(t, "after stop", told(), false)
}

func TestWhatIsInForceIsShownNewestFirst(t *testing.T) {
	cfg, _ := lab(t)
	s := inMemory(t, cfg)
	says(t, s, grant(ann, statement.Owner, bob, all, 1), admit(ann, saturn, 2), eject(bob, saturn, 3), revoke(bob, everyKey, 4), delegate(ann, 5))
	var kinds []api.StatementKind
	for _, x := range s.View().Statements() {
		kinds = append(kinds, x.Kind)
		if x.Signed.Line == "" || x.Account == "" || x.Time.IsZero() {
			t.Errorf("%+v is not whole", x)
		}
	}
	want(t, "in force", kinds, []api.StatementKind{api.StatementDelegate, api.StatementRevoke, api.StatementEject, api.StatementGrant})
	want(t, "spread", len(s.Spread()), 4) // with the admission, which is beaten but there
}

func TestADiskThatFailsChangesNothing(t *testing.T) {
	cfg, _ := lab(t)
	s := open(t, cfg)
	s.keep = func(*set) error { return os.ErrPermission }
	refuses(t, s, admit(ann, saturn, 1), api.CodeFailed, "could not be kept")
	if n, refused := s.Merge([]statement.Signed{signed(admit(ann, saturn, 1))}); n != 0 || len(refused) != 1 {
		t.Error(n, refused)
	}
	want(t, "admitted", s.View().Admitted(saturn), false)
}

func TestAfterCloseNothingChanges(t *testing.T) {
	cfg, _ := lab(t)
	s := open(t, cfg)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	refuses(t, s, admit(ann, saturn, 1), api.CodeUnavailable, "stopping")
}

// A tenant's guests may fill the disk; their revocation holds even so, and is written with whatever is written next.
func TestADiskThatFailsKeepsNoRevocationOut(t *testing.T) {
	cfg, _ := lab(t)
	s := open(t, cfg)
	says(t, s, admit(ann, saturn, 1), grant(ann, statement.Tenant, bob, all, 1), grant(ann, statement.Operator, eve, all, 1))
	keep := s.keep
	s.keep = func(*set) error { return os.ErrPermission }
	_, refused := s.Merge([]statement.Signed{signed(revoke(bob, laptop, 2)), signed(eject(ann, saturn, 2)), signed(grant(ann, statement.Reader, eve, all, 2)),
		signed(grant(ann, statement.Owner, bob, all, 2)), signed(admit(ann, titan, 2))})
	want(t, "refusals", len(refused), 1)
	_, revoked := s.View().Revoked(bob, laptop, at(1))
	v := s.View()
	want(t, "revoked, ejected, less", []any{revoked, v.Ejected(saturn), v.Tenant(eve.String())}, []any{true, true, false})
	want(t, "more", []any{v.Owner(bob.String()), v.Admitted(titan)}, []any{false, false})
	s.keep = keep
	says(t, s, admit(ann, titan, 3))
	_ = s.Close()
	v = open(t, cfg).View()
	_, revoked = v.Revoked(bob, laptop, at(1))
	want(t, "on the disk", []any{revoked, v.Ejected(saturn), v.Admitted(titan)}, []any{true, true, true})
}
