package proof

import (
	"crypto/ed25519"
	"fmt"
	"sync"
	"time"

	"decenter/engine/api"
	"decenter/keys"
)

// Verifier judges the requests that other satellites bring to this one. It is safe for concurrent use.
type Verifier struct {
	self    keys.Fingerprint
	judge   *Judge
	without check // only tests set it

	mu     sync.Mutex // guards nonces; nothing is verified under it
	nonces nonces
}

// NewVerifier makes the verifier of the satellite self, which began to answer at began: requests from before that are
// refused, for an earlier engine may have carried them out.
func NewVerifier(self keys.Fingerprint, j *Judge, began time.Time) *Verifier {
	return &Verifier{self: self, judge: j, nonces: newNonces(began)}
}

// Verify tells for whom a request is made. from is the key that the asking satellite proved on the connection; method and
// body are those of the request. What is wrong with it is an *api.Error of CodeDenied, or of CodeUnavailable and
// CodeExhausted where waiting helps. A request is verified once: the same header is refused from then on.
func (v *Verifier) Verify(text []byte, from ed25519.PublicKey, method string, body [32]byte, r Revocations, now time.Time) (Session, api.Proof, error) {
	if len(text) == 0 {
		return Session{}, api.Proof{}, denied("the request carries no proof of who asks", "it belongs into the header "+HeaderName)
	}
	h, ok := parse(text)
	if !ok {
		return Session{}, api.Proof{}, denied("the proof of who asks cannot be read", "is the asking satellite's version another one? `satellites` tells")
	}
	asking, err := keys.FingerprintOf(from)
	if err != nil {
		return Session{}, api.Proof{}, denied(err.Error(), "a satellite's key is ed25519")
	}
	signed := request{v.self, asking, method, body}.text(h, v.without)
	if !ed25519.Verify(from, signed, h.signature[:]) && v.without&checkRequest == 0 {
		return Session{}, api.Proof{}, denied("satellite "+asking.String()+" did not sign this request for this satellite", "a request is good for the satellite, method and content that it was signed for")
	}
	// A nonce is taken before the account's signature is looked at, so that a satellite cannot have more of these
	// verified than it has nonces.
	if err := v.take(asking, h, now); err != nil {
		return Session{}, api.Proof{}, err
	}
	p := h.proof()
	s, err := v.judge.Check(p, asking, r, now)
	if err != nil {
		return Session{}, api.Proof{}, err
	}
	return s, p, nil
}

// take judges a request's time and nonce.
func (v *Verifier) take(asking keys.Fingerprint, h header, now time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.nonces.forget(now)
	t, skew := h.at(), h.at().Sub(now)
	if a := v.nonces.of(asking); a != nil {
		a.skew = skew
	}
	if skew.Abs() > MaxSkew && v.without&checkFresh == 0 {
		which := "behind"
		if skew > 0 {
			which = "ahead of"
		}
		return denied(fmt.Sprintf("the request's time is %.1f s %s the clock here; at most %.0f s are tolerated", skew.Abs().Seconds(), which, MaxSkew.Seconds()), clocks(asking))
	}
	if t.Before(v.nonces.floor) && v.without&checkForgotten == 0 {
		wait := v.nonces.floor.Sub(t)
		e := &api.Error{Code: api.CodeUnavailable, Message: fmt.Sprintf("the request is %s older than what is remembered against replays", rounded(wait)),
			Hint: fmt.Sprintf("the engine has just started, or its clock was set back: try again in %.0f s", wait.Seconds()+1)}
		if wait > MaxSkew {
			e.Hint = "the clock here was set back: restart the engine here, VMs go on"
		}
		return e
	}
	return v.nonces.take(asking, h.nonce, t, v.without)
}

// Still tells what became wrong with a proof that Verify gave, while what was asked for goes on.
func (v *Verifier) Still(p api.Proof, from ed25519.PublicKey, r Revocations, now time.Time) error {
	asking, err := keys.FingerprintOf(from)
	if err != nil {
		return denied(err.Error(), "a satellite's key is ed25519")
	}
	_, err = v.judge.Check(p, asking, r, now)
	return err
}

// Skews gives, for each satellite that asked lately, its clock less this one's when it last asked, the way of the request
// included. It tells those too whose requests were refused for it.
func (v *Verifier) Skews() map[keys.Fingerprint]time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := make(map[keys.Fingerprint]time.Duration, len(v.nonces.askers))
	for id, a := range v.nonces.askers {
		all[id] = a.skew
	}
	return all
}
