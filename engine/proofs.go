package engine

import (
	"crypto/sha256"
	"slices"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/engine/authz"
	"decenter/engine/proof"
	"decenter/engine/rpc"
	"decenter/keys"
)

// asker signs the requests of a caller to another satellite.
type asker struct {
	signer proof.Signer
	caller api.Proof
	to     keys.Fingerprint
	now    func() time.Time
}

// Header implements rpc.Asker.
func (a asker) Header(method string, body [sha256.Size]byte) (string, error) {
	text, err := a.signer.Append(nil, a.caller, a.to, method, body, a.now())
	return string(text), err
}

// admitted tells why a satellite is not answered. TLS proves a key, and connections outlive an ejection.
func (e *Engine) admitted(id keys.Fingerprint) error {
	if e.cfg.Trust.Statements.View().Admitted(id) {
		return nil
	}
	return &api.Error{Code: api.CodeDenied, Message: "satellite " + id.String() + " is not admitted by " + e.cfg.Name, Hint: "an owner can `admit` it"}
}

// authenticate tells for whom another satellite's request is, and what it may use. What that account may do is decided
// when it does it; a request of nobody is denied, and written down, here.
func (e *Engine) authenticate(q rpc.Request) (rpc.Entry, error) {
	from, err := keys.FingerprintOf(q.From)
	if err != nil {
		return rpc.Entry{}, err
	}
	if err := e.admitted(from); err != nil {
		return rpc.Entry{}, e.turnedAway(source{kind: byStrangers}, from, q, err)
	}
	view := e.cfg.Trust.Statements.View()
	s, shown, err := e.cfg.Trust.Verifier.Verify([]byte(q.Proof), q.From, q.Method, q.Body, view, e.cfg.Now())
	if err != nil {
		return rpc.Entry{}, e.turnedAway(source{kind: bySatellite, from: from.String()}, from, q, err)
	}
	return rpc.Entry{
		Service: e.Local(api.Caller{Account: s.Account.String(), Via: viaPeer, Proof: shown}, from),
		Still:   func() error { return e.admitted(from) },
	}, nil
}

// turnedAway writes down that a request came in for which no account stands, and gives why.
func (e *Engine) turnedAway(s source, from keys.Fingerprint, q rpc.Request, why error) error {
	method, object, _ := strings.Cut(q.Method, " ")
	e.cfg.Log.Debug("a satellite's request was refused", "satellite", from.String(), "method", q.Method, "err", why)
	_ = e.recordFrom(s, who{via: viaPeer, from: e.nameOf(from)}, actionOf(method), object, authz.Verdict{Reason: why.Error()})
	return why
}

// actionOf is what a method of the api is to the gate.
func actionOf(method string) authz.Action {
	if a := authz.Action(strings.ToLower(method)); slices.Contains(authz.Actions(), a) {
		return a
	}
	return authz.Read
}
