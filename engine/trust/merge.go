package trust

import (
	"errors"
	"fmt"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// merge is one call of Store.Merge.
type merge struct {
	charter charter
	now     time.Time
	set     *set // ours, with what was taken so far
	waiting []waiting
	changed int
	refused []error
}

// waiting is a statement whose signer has no authority yet.
type waiting struct {
	entry
	why error
}

// read takes the batch apart. What the set holds already, in this or a later form, is passed over unseen.
func (m *merge) read(batch []statement.Signed) {
	for _, signed := range batch {
		e, err := read(m.charter.network, signed)
		_, delegation := e.Statement.(statement.Delegation)
		switch {
		case err != nil:
			m.refused = append(m.refused, err)
		case delegation:
			m.refuse(e, errNotSpread)
		case m.set.news(e):
			m.waiting = append(m.waiting, waiting{entry: e})
		}
	}
}

// round takes what has authority now, and tells whether another round can do more.
func (m *merge) round() (again bool) {
	st := standings(m.charter, m.set)
	full := map[bool]bool{} // by whether the signer is an owner
	was := m.waiting
	m.waiting = nil
	for _, w := range was {
		if !m.set.news(w.entry) {
			continue // another of this batch came later in time
		}
		owner := st.owners[w.Signer()]
		if full[owner] && !m.set.has(w) && st.counts(m.charter, w.Statement) {
			m.refuse(w.entry, errFull)
			continue
		}
		if err := st.authority(m.charter, w.Statement); err != nil {
			m.waiting = append(m.waiting, waiting{w.entry, err})
			continue
		}
		err := verify(w.entry) // the dearest check; and without it nothing makes room for the statement
		if err == nil {
			err = m.set.offer(m.charter, st, w.entry, m.now)
		}
		if err != nil {
			full[owner] = full[owner] || err == error(errFull)
			m.refuse(w.entry, err)
			continue
		}
		m.set.put(w.entry)
		m.changed++
		again = true
	}
	return again && len(m.waiting) > 0
}

var errNotSpread = api.Errorf(api.CodeDenied, "a delegation to a satellite's key is declared there, by its root")

func (m *merge) refuse(e entry, why error) {
	m.refused = append(m.refused, fmt.Errorf("%q is refused: %w", e.signed.Line, why))
}

// read gives a statement without looking at its signature.
func read(network keys.Network, signed statement.Signed) (entry, error) {
	if len(signed.Signature) > keys.MaxSignature {
		return entry{}, api.Errorf(api.CodeInvalid, "the signature has more than %d characters", keys.MaxSignature)
	}
	s, err := statement.Parse(network, signed.Line)
	if err != nil {
		return entry{}, told(api.CodeInvalid, err)
	}
	return entry{s, signed}, nil
}

// verify checks that the signer signed the line.
func verify(e entry) error {
	if err := keys.Verify(e.Signer(), e.signed.Line, e.signed.Signature); err != nil {
		return told(api.CodeDenied, err)
	}
	return nil
}

// told makes an error of package keys one of the api.
func told(code api.Code, err error) error {
	var k *keys.Error
	if errors.As(err, &k) {
		return &api.Error{Code: code, Message: k.Problem, Hint: k.Hint}
	}
	return api.Errorf(code, "%v", err)
}
