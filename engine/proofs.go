package engine

import (
	"crypto/sha256"
	"time"

	"decenter/engine/api"
	"decenter/engine/proof"
	"decenter/engine/rpc"
	"decenter/keys"
)

// Proofs is how this satellite shows others who asks, and judges what they show.
type Proofs struct {
	Signer      proof.Signer
	Verifier    *proof.Verifier
	Revocations proof.Revocations
}

// errAlone is of a satellite without Proofs.
var errAlone = &api.Error{Code: api.CodeDenied, Message: "this satellite proves nothing to others and takes no proof of theirs"}

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

// authenticate tells for whom another satellite's request is, and what it may use.
func (e *Engine) authenticate(q rpc.Request) (rpc.Entry, error) {
	p := e.cfg.Proofs
	if p == nil {
		return rpc.Entry{}, errAlone
	}
	s, shown, err := p.Verifier.Verify([]byte(q.Proof), q.From, q.Method, q.Body, p.Revocations, e.cfg.Now())
	if err != nil {
		return rpc.Entry{}, err
	}
	return rpc.Entry{
		Service: e.Local(api.Caller{Account: s.Account.String(), Via: "peer", Proof: shown}),
		Still:   func() error { return p.Verifier.Still(shown, q.From, p.Revocations, e.cfg.Now()) },
	}, nil
}
