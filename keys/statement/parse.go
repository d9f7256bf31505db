package statement

import (
	"fmt"
	"strings"
	"time"

	"decenter/keys"
)

// Parse reads one line, without a line end, in the one spelling that Append gives. It does not look at the time of day:
// a statement may be over, or not yet hold.
func Parse(network keys.Network, line string) (Statement, error) {
	if len(line) > MaxLine {
		return nil, wrong(fmt.Sprintf("this is not a statement: it has %d characters, more than %d", len(line), MaxLine), "")
	}
	words := strings.Split(line, " ")
	r := reader{network: network, words: words}
	s := r.statement()
	if r.err == nil && len(r.words) > 0 {
		r.fail(fmt.Sprintf("%q stands after its end", r.words[0]))
	}
	if r.err != nil {
		return nil, r.err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// statement reads what stands in the line; s is to be used only if nothing was wrong.
func (r *reader) statement() (s Statement) {
	r.word("decenter")
	switch verb := r.next(); verb {
	case "delegate":
		r.word("1", "as")
		d := Delegation{Account: r.account()}
		r.word("to")
		d.Key = r.key()
		r.word("scope")
		d.Scope = Scope(r.next())
		r.word("from")
		d.From = r.time()
		r.word("until")
		d.Until = r.time()
		if r.skip("via") {
			d.Via = r.voucher()
		}
		return d
	case "revoke":
		r.word("1", "as")
		v := Revocation{Account: r.account()}
		r.word("key")
		if !r.skip(everyKey) {
			v.Key = r.key()
		}
		r.word("at")
		v.At = r.time()
		return v
	case "admit", "eject":
		r.word("1", "in")
		m := Membership{Constellation: r.next(), Admit: verb == "admit"}
		r.word("as")
		m.Account = r.account()
		r.word("satellite")
		m.Satellite = r.key()
		r.word("at")
		m.At = r.time()
		return m
	case "grant":
		r.word("1", "in")
		g := Grant{Constellation: r.next()}
		r.word("as")
		g.Account = r.account()
		g.Role = Role(r.next())
		r.word("to")
		g.To = r.account()
		r.word("on")
		g.Object = Object(r.next())
		r.word("at")
		g.At = r.time()
		return g
	}
	r.fail(`its line would begin with "decenter" and one of delegate, revoke, admit, eject and grant`)
	return nil
}

// reader takes a line's words one after the other; after the first that is wrong it gives zero values.
type reader struct {
	network keys.Network
	words   []string
	err     error
}

func (r *reader) fail(why string) {
	if r.err == nil {
		r.err = wrong("this is not a statement", why)
	}
	r.words = nil
}

func (r *reader) next() string {
	if len(r.words) == 0 {
		r.fail("it ends too early")
		return ""
	}
	w := r.words[0]
	r.words = r.words[1:]
	return w
}

func (r *reader) word(want ...string) {
	for _, w := range want {
		if got := r.next(); r.err == nil && got != w {
			r.fail(fmt.Sprintf("%q stands where %q belongs", got, w))
		}
	}
}

func (r *reader) skip(word string) bool {
	if len(r.words) == 0 || r.words[0] != word {
		return false
	}
	r.words = r.words[1:]
	return true
}

func (r *reader) account() keys.Address {
	text := r.next()
	if r.err != nil {
		return keys.Address{}
	}
	a, err := keys.ParseAddress(r.network, text)
	if err != nil {
		r.fail(err.Error())
	}
	return a
}

func (r *reader) key() keys.Fingerprint {
	text := r.next()
	if r.err != nil {
		return keys.Fingerprint{}
	}
	f, err := keys.ParseFingerprint(text)
	if err != nil {
		r.fail(err.Error())
	}
	if err == nil && f == (keys.Fingerprint{}) {
		r.fail("the fingerprint is all zero")
	}
	return f
}

func (r *reader) voucher() (v Voucher) {
	text := r.next()
	if r.err == nil && (!exactly(v[:], text) || v == Voucher{}) {
		r.fail(fmt.Sprintf("%q is not a voucher of 22 characters", text))
	}
	return v
}

func (r *reader) time() time.Time {
	text := r.next()
	if r.err != nil {
		return time.Time{}
	}
	t, err := time.Parse(timeForm, text)
	if err != nil || t.Format(timeForm) != text {
		r.fail(fmt.Sprintf("%q is not a time such as 2026-01-02T15:04:05Z", text))
	}
	return t
}
