package proof

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// Our own limits.
const (
	// MaxLogin is how long after its challenge's expiry a login is good.
	MaxLogin = 12 * time.Hour
	// ChallengeLife is how long a challenge waits for its answer. A login began so long before its challenge's expiry.
	ChallengeLife = 120 * time.Second
	// MaxSkew is by how much the clocks of two satellites may differ.
	MaxSkew = 30 * time.Second
)

// Revocations is what accounts took back. It is safe for concurrent use and does not wait.
type Revocations interface {
	// Revoked gives the account's revocation of the key, or of every key, that is not older than at. The zero key is
	// none: only a revocation of every key concerns it.
	Revoked(account keys.Address, key keys.Fingerprint, at time.Time) (statement.Revocation, bool)
}

// Session is what a proof allows.
type Session struct {
	Account keys.Address
	Scope   api.Scope
	Key     keys.Fingerprint // that acts for the account; zero: none was proved
	Began   time.Time        // a revocation of that time or later ends it
	Until   time.Time        // the first moment at which it is over
}

// check is something that is looked at. Tests switch one off to show that it is what stops an attack.
type check uint32

const (
	checkAccount check = 1 << iota // the account's signature
	checkSatellite
	checkKey
	checkOver
	checkEarly
	checkRevoked
	checkVouched // the word that a delegated SSH key is in use there
	checkRequest // the satellite's signature
	checkFresh
	checkReplay
	checkForgotten
	fieldTo // the checks from here on are fields of what a request's signature is over
	fieldFrom
	fieldMethod
	fieldBody
	fieldProof
)

// Judge tells for whom a proof speaks. It is safe for concurrent use.
type Judge struct {
	network  keys.Network
	verified *cache
	without  check // only tests set it
}

// NewJudge makes a judge of accounts of a network.
func NewJudge(network keys.Network) *Judge {
	return &Judge{network: network, verified: newCache(maxVerified)}
}

// claim is what a signed line says: one of both.
type claim struct {
	login      *keys.Challenge
	delegation *statement.Delegation
}

// Check tells for whom p speaks, as far as the satellite `at`, where the login was, may claim it. What is wrong is an
// *api.Error of CodeDenied.
func (j *Judge) Check(p api.Proof, at keys.Fingerprint, r Revocations, now time.Time) (Session, error) {
	if p == (api.Proof{}) {
		return Session{}, denied("nothing shows which account asks", "log in as the account, or delegate to this satellite's key: a satellite's root acts on that satellite alone")
	}
	var key keys.Fingerprint
	if p.Key != "" {
		var err error
		if key, err = keys.ParseFingerprint(p.Key); err != nil || key == (keys.Fingerprint{}) {
			return Session{}, denied(fmt.Sprintf("the key of the login, %.64q, is not a fingerprint", p.Key), "it is of the form SHA256:…, as of ssh-keygen -l")
		}
	}
	c, err := j.read(p.Line, p.Signature)
	if err != nil {
		return Session{}, err
	}
	var s Session
	if c.login != nil {
		s, err = j.login(*c.login, key, at, now)
	} else {
		s, err = j.delegated(*c.delegation, key, at, now)
		if err == nil && key != (keys.Fingerprint{}) && j.checks(checkVouched) {
			err = vouched(p, c.delegation.Via, at)
		}
	}
	if err != nil {
		return Session{}, err
	}
	// A login is dated by the satellite's clock and a revocation by its signer's: one made a moment before must not survive it
	// because the satellite's clock is ahead. The price is that the first seconds after a revocation take no new login.
	began := s.Began
	if c.login != nil {
		began = began.Add(-MaxSkew)
	}
	if v, ended := r.Revoked(s.Account, s.Key, began); ended && j.checks(checkRevoked) {
		return Session{}, revoked(c, s, v)
	}
	return s, nil
}

func (j *Judge) checks(c check) bool { return j.without&c == 0 }

// read tells what a line says that its account signed.
func (j *Judge) read(line, signature string) (claim, error) {
	if len(line) > keys.MaxChallenge || len(signature) > keys.MaxSignature {
		return claim{}, denied(fmt.Sprintf("the proof has a line of %d and a signature of %d characters", len(line), len(signature)),
			fmt.Sprintf("they have at most %d and %d", keys.MaxChallenge, keys.MaxSignature))
	}
	name := digestOf(line, signature)
	if c, ok := j.verified.get(name); ok {
		return c, nil
	}
	c, account, err := j.parse(line)
	if err != nil {
		return claim{}, err
	}
	if err := keys.Verify(account, line, signature); err != nil && j.checks(checkAccount) {
		return claim{}, denied(fmt.Sprintf("%s did not sign this: %s", account, problem(err)), c.remedy())
	}
	j.verified.put(name, c)
	return c, nil
}

func (j *Judge) parse(line string) (claim, keys.Address, error) {
	const hint = "log in, or make a delegation with `decenter key delegate`"
	if !statement.Mentions(line) {
		c, err := keys.ParseChallenge(j.network, line)
		if err != nil {
			return claim{}, keys.Address{}, denied("the proof is neither a login nor a delegation: "+problem(err), hint)
		}
		return claim{login: &c}, c.Account, nil
	}
	s, err := statement.Parse(j.network, line)
	if err != nil {
		return claim{}, keys.Address{}, denied("the proof is no delegation: "+err.Error(), hint)
	}
	d, ok := s.(statement.Delegation)
	if !ok {
		_, verb, _ := strings.Cut(line, " ")
		verb, _, _ = strings.Cut(verb, " ")
		return claim{}, keys.Address{}, denied(fmt.Sprintf("a statement to %s does not show who asks", verb), hint)
	}
	return claim{delegation: &d}, d.Account, nil
}

// remedy says how to get a proof in place of one that is not good.
func (c claim) remedy() string {
	if c.login != nil {
		return "log in again"
	}
	return "make a new delegation with `decenter key delegate`"
}

func (j *Judge) login(c keys.Challenge, key, at keys.Fingerprint, now time.Time) (Session, error) {
	s := Session{Account: c.Account, Scope: api.ScopeAll, Key: c.Key, Began: c.Expires.Add(-ChallengeLife), Until: c.Expires.Add(MaxLogin)}
	none := keys.Fingerprint{}
	if c.Key == none {
		s.Scope = api.ScopeRead
	}
	switch {
	case c.Satellite != at && j.checks(checkSatellite):
		return Session{}, denied(fmt.Sprintf("the login was at another satellite, %s, than the one that asks, %s", c.Satellite, at), "log in there")
	case c.Key != key && j.checks(checkKey):
		return Session{}, denied(fmt.Sprintf("the login was signed for %s, but %s is what logged in", keyName(c.Key), keyName(key)), "log in again, with one SSH key")
	case s.Began.After(now.Add(MaxSkew)) && j.checks(checkEarly):
		return Session{}, denied(fmt.Sprintf("the login begins %s from now", rounded(s.Began.Sub(now))), clocks(at))
	case !now.Before(s.Until) && j.checks(checkOver):
		return Session{}, denied(fmt.Sprintf("the login is over since %s; it was good for %s", s.Until.Format(time.RFC3339), MaxLogin), "log in again")
	}
	return s, nil
}

func (j *Judge) delegated(d statement.Delegation, key, at keys.Fingerprint, now time.Time) (Session, error) {
	s := Session{Account: d.Account, Scope: api.Scope(d.Scope), Key: d.Key, Began: d.From, Until: d.Until}
	// Without an SSH key it is the satellite's own that acts.
	acts := key
	if key == (keys.Fingerprint{}) {
		acts = at
	}
	switch {
	case d.Key != acts && j.checks(checkKey):
		return Session{}, denied(fmt.Sprintf("the delegation is to %s, but %s is what asks", keyName(d.Key), keyName(acts)), "make one to that key with `decenter key delegate`")
	case now.Before(d.From.Add(-MaxSkew)) && j.checks(checkEarly):
		return Session{}, denied(fmt.Sprintf("the delegation begins %s from now, at %s", rounded(d.From.Sub(now)), d.From.Format(time.RFC3339)), "wait until then, or "+clocks(at))
	case !now.Before(d.Until) && j.checks(checkOver):
		return Session{}, denied("the delegation is over since "+d.Until.Format(time.RFC3339), "make a new delegation with `decenter key delegate`")
	}
	return s, nil
}

// vouched judges the word that a delegated SSH key is in use at a satellite. Without it, whoever was ever shown a delegation
// could say that its key logged in there.
func vouched(p api.Proof, via statement.Voucher, at keys.Fingerprint) error {
	const hint = "make a new delegation with `decenter key delegate`"
	if via == (statement.Voucher{}) {
		return denied("the delegation names no voucher, without which any satellite could use it", hint)
	}
	v, err := statement.ParseVouched(p.Vouched)
	if err != nil || !v.By(via, p.Line, at) {
		return denied(fmt.Sprintf("nothing shows that the delegated key logged in at satellite %s", at), "log in there")
	}
	return nil
}

func revoked(c claim, s Session, v statement.Revocation) error {
	what, which := "login", keyName(v.Key)
	if c.delegation != nil {
		what = "delegation"
	}
	if v.Key == (keys.Fingerprint{}) {
		which = "every key"
	}
	return denied(fmt.Sprintf("%s revoked %s at %s, and this %s is of %s", s.Account, which, v.At.Format(time.RFC3339), what, s.Began.Format(time.RFC3339)), c.remedy())
}

func keyName(f keys.Fingerprint) string {
	if f == (keys.Fingerprint{}) {
		return "no key"
	}
	return f.String()
}

// problem is an error's own words without the hint, which ours replaces.
func problem(err error) string {
	var e *keys.Error
	if errors.As(err, &e) {
		return e.Problem
	}
	return err.Error()
}

func clocks(at keys.Fingerprint) string {
	return fmt.Sprintf("compare the clock of satellite %s with this one's, with `timedatectl` on both", at)
}

func rounded(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }

func denied(message, hint string) error {
	return &api.Error{Code: api.CodeDenied, Message: message, Hint: hint}
}
