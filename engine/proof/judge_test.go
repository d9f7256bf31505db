package proof

import (
	"strings"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

func TestProofsThatAreGood(t *testing.T) {
	s1 := newSatellite(1)
	for _, c := range []struct {
		name string
		p    api.Proof
		want Session
	}{
		{"a login", alice.login(s1.id, laptop, noon), Session{alice.account, api.ScopeAll, laptop, noon, noon.Add(ChallengeLife + MaxLogin)}},
		{"a login eleven hours ago", alice.login(s1.id, laptop, noon.Add(-11*time.Hour)),
			Session{alice.account, api.ScopeAll, laptop, noon.Add(-11 * time.Hour), noon.Add(ChallengeLife + time.Hour)}},
		{"a login at a satellite whose clock is ahead", alice.login(s1.id, laptop, noon.Add(MaxSkew)),
			Session{alice.account, api.ScopeAll, laptop, noon.Add(MaxSkew), noon.Add(MaxSkew + ChallengeLife + MaxLogin)}},
		{"a pasted signature without an SSH key reads alone", alice.login(s1.id, none, noon),
			Session{alice.account, api.ScopeRead, none, noon, noon.Add(ChallengeLife + MaxLogin)}},
		{"a delegation to the laptop", with(alice.delegates(laptop, statement.Operate, noon, noon.Add(time.Hour)), laptop),
			Session{alice.account, api.ScopeOperate, laptop, noon, noon.Add(time.Hour)}},
		{"a delegation to the satellite", alice.delegates(s1.id, statement.Read, noon.Add(MaxSkew), noon.Add(time.Hour)),
			Session{alice.account, api.ScopeRead, s1.id, noon.Add(MaxSkew), noon.Add(time.Hour)}},
	} {
		for _, again := range []string{"", ", again"} { // the second time it is known
			if s, err := s1.judge.Check(c.p, s1.id, took{}, noon); err != nil || s != c.want {
				t.Errorf("%s%s: %+v, %v", c.name, again, s, err)
			}
		}
	}
}

func unvouched(p api.Proof) api.Proof {
	p.Vouched = ""
	return p
}

// TestProofsThatAreNot: each with the check that stops it; without that check it is accepted.
func TestProofsThatAreNot(t *testing.T) {
	s1, s2 := newSatellite(1), newSatellite(2)
	forged := mallory.login(s1.id, laptop, noon)
	forged.Line = strings.Replace(forged.Line, mallory.account.String(), alice.account.String(), 1)
	whole := func(p api.Proof) api.Proof { return with(p, laptop) }
	every := took{{Account: alice.account, At: noon.Add(time.Minute)}}
	for _, c := range []struct {
		name    string
		p       api.Proof
		r       took
		stopped check
	}{
		{"somebody else's signature", forged, nil, checkAccount},
		{"a login at another satellite", alice.login(s2.id, laptop, noon), nil, checkSatellite},
		{"a challenge answered by who logged in with another SSH key", with(alice.login(s1.id, laptop, noon), phone), nil, checkKey},
		{"a challenge for an SSH key, and none was proved", with(alice.login(s1.id, laptop, noon), none), nil, checkKey},
		{"a challenge for no SSH key, and one was proved", with(alice.login(s1.id, none, noon), phone), nil, checkKey},
		{"a login that is over", alice.login(s1.id, laptop, noon.Add(-ChallengeLife-MaxLogin)), nil, checkOver},
		{"a login to come", alice.login(s1.id, laptop, noon.Add(MaxSkew+time.Second)), nil, checkEarly},
		{"a delegation that is over", whole(alice.delegates(laptop, statement.All, noon.Add(-time.Hour), noon)), nil, checkOver},
		{"a delegation to come", whole(alice.delegates(laptop, statement.All, noon.Add(MaxSkew+time.Second), noon.Add(time.Hour))), nil, checkEarly},
		{"a delegation to another SSH key", whole(alice.delegates(phone, statement.All, noon, noon.Add(time.Hour))), nil, checkKey},
		{"a delegation to another satellite", alice.delegates(s2.id, statement.All, noon, noon.Add(time.Hour)), nil, checkKey},
		{"a delegation to the satellite, and an SSH key logged in", whole(alice.delegates(s1.id, statement.All, noon, noon.Add(time.Hour))), nil, checkKey},
		{"a delegation that was seen in another satellite's request", in(whole(alice.delegates(laptop, statement.All, noon, noon.Add(time.Hour))), s2.id), nil, checkVouched},
		{"a delegation without its voucher's word", unvouched(whole(alice.delegates(laptop, statement.All, noon, noon.Add(time.Hour)))), nil, checkVouched},
		{"a delegation to an SSH key that names no voucher", with(alice.signs(statement.Line(statement.Delegation{Account: alice.account, Key: laptop, Scope: statement.All,
			From: noon, Until: noon.Add(time.Hour)})), laptop), nil, checkVouched},
		{"a login with a key that was revoked since", alice.login(s1.id, laptop, noon), took{{Account: alice.account, Key: laptop, At: noon}}, checkRevoked},
		{"a login before every key was revoked", alice.login(s1.id, laptop, noon), every, checkRevoked},
		{"a login without a key before every key was revoked", alice.login(s1.id, none, noon), every, checkRevoked},
		{"a delegation to a key that was revoked since", whole(alice.delegates(laptop, statement.All, noon, noon.Add(time.Hour))), took{{Account: alice.account, Key: laptop, At: noon}}, checkRevoked},
		{"a delegation before every key was revoked", whole(alice.delegates(laptop, statement.All, noon, noon.Add(time.Hour))), every, checkRevoked},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := newSatellite(1).judge.Check(c.p, s1.id, c.r, noon)
			refusedBecause(t, err, api.CodeDenied)
			s, err := newSatellite(1).skips(c.stopped).judge.Check(c.p, s1.id, c.r, noon)
			if err != nil || s.Account != alice.account {
				t.Errorf("something else stops it, too: %+v, %v", s, err)
			}
			if _, err := newSatellite(1).skips(^c.stopped).judge.Check(c.p, s1.id, c.r, noon); err == nil {
				t.Error("the check alone does not stop it")
			}
		})
	}
}

func TestOthersRevocationsAreNotOnesOwn(t *testing.T) {
	s1 := newSatellite(1)
	r := took{{Account: mallory.account, At: noon.Add(time.Hour)}, {Account: alice.account, Key: phone, At: noon.Add(time.Hour)},
		{Account: alice.account, At: noon.Add(-MaxSkew - time.Second)}}
	if _, err := s1.judge.Check(alice.login(s1.id, laptop, noon), s1.id, r, noon); err != nil {
		t.Error(err)
	}
}

// A satellite whose clock is ahead dates a login later than the revocation that its owner made after it.
func TestAClockThatIsAheadSavesNoStolenKey(t *testing.T) {
	s1 := newSatellite(1)
	r := took{{Account: alice.account, At: noon.Add(-MaxSkew / 2)}}
	_, err := s1.judge.Check(alice.login(s1.id, laptop, noon), s1.id, r, noon)
	refusedBecause(t, err, api.CodeDenied)
}

func TestWhatIsNoProofAtAll(t *testing.T) {
	s1 := newSatellite(1)
	good := alice.login(s1.id, laptop, noon)
	regtest := alice.key.Address(keys.Regtest, keys.P2WPKH)
	other := keys.Challenge{Satellite: s1.id, Account: regtest, Key: laptop, Expires: noon}.String()
	signature, err := alice.key.Sign(regtest, other)
	if err != nil {
		t.Fatal(err)
	}
	grant := statement.Line(statement.Grant{Account: alice.account, Constellation: "home", Role: statement.Owner, To: mallory.account, Object: statement.ObjectAll, At: noon})
	for name, p := range map[string]api.Proof{
		"none":                       {},
		"a key alone":                {Key: laptop.String()},
		"a key that is none":         {Line: good.Line, Signature: good.Signature, Key: "laptop"},
		"the zero key":               {Line: good.Line, Signature: good.Signature, Key: none.String()},
		"no signature":               {Line: good.Line, Key: good.Key},
		"another Bitcoin network":    with(api.Proof{Line: other, Signature: signature}, laptop),
		"a grant":                    alice.signs(grant),
		"free text":                  alice.signs("hello"),
		"a line with something more": with(alice.signs(good.Line+" "), laptop),
		"a line that is too long":    with(alice.signs(good.Line+strings.Repeat(" x", 100)), laptop),
		"a login of another version": with(alice.signs(strings.Replace(good.Line, "login 1", "login 2", 1)), laptop),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s1.judge.Check(p, s1.id, took{}, noon)
			refusedBecause(t, err, api.CodeDenied)
		})
	}
	if n := s1.judge.verified.order.Len(); n != 0 {
		t.Errorf("%d refused lines are remembered as good", n)
	}
}

func TestOnlyTheLastUsedLinesAreRemembered(t *testing.T) {
	c := newCache(2)
	for _, name := range []digest{{1}, {2}, {1}, {3}} {
		if _, have := c.get(name); !have {
			c.put(name, claim{})
		}
	}
	_, one := c.get(digest{1})
	_, two := c.get(digest{2})
	_, three := c.get(digest{3})
	if !one || two || !three || len(c.have) != 2 || c.order.Len() != 2 {
		t.Errorf("1: %v, 2: %v, 3: %v, %d in all", one, two, three, len(c.have))
	}
}
