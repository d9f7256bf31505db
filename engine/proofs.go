package engine

import (
	"crypto/sha256"
	"time"

	"decenter/engine/api"
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
// when it does it.
func (e *Engine) authenticate(q rpc.Request) (rpc.Entry, error) {
	from, err := proof.FingerprintOf(q.From)
	if err != nil {
		return rpc.Entry{}, err
	}
	if err := e.admitted(from); err != nil {
		return rpc.Entry{}, err
	}
	view := e.cfg.Trust.Statements.View()
	s, shown, err := e.cfg.Trust.Verifier.Verify([]byte(q.Proof), q.From, q.Method, q.Body, view, e.cfg.Now())
	if err != nil {
		e.cfg.Log.Warn("a satellite's request was refused", "satellite", from.String(), "method", q.Method, "err", err)
		return rpc.Entry{}, err
	}
	return rpc.Entry{
		Service: e.Local(api.Caller{Account: s.Account.String(), Via: viaPeer, Proof: shown}, from),
		Still:   func() error { return e.admitted(from) },
	}, nil
}
