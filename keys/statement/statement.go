package statement

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"decenter/keys"
)

// ErrStatement is a text that is no statement.
var ErrStatement = errors.New("not a statement")

// The bounds of a statement's words, in characters.
const (
	MaxLine          = keys.MaxChallenge
	MaxConstellation = 11
	maxObject        = 35
)

// MaxDelegation is the longest life of a delegation. Revocations need to be kept for as long.
const MaxDelegation = 366 * 24 * time.Hour

const timeForm = "2006-01-02T15:04:05Z"

// Scope is how much a delegation allows.
type Scope string

// The scopes, from the least to the most.
const (
	Read    Scope = "read"
	Operate Scope = "operate"
	All     Scope = "all"
)

// Role is what a grant gives.
type Role string

// The roles, from the least to the most.
const (
	None     Role = "none"
	Tenant   Role = "tenant"
	Reader   Role = "reader"
	Operator Role = "operator"
	Owner    Role = "owner"
)

var (
	scopes = []Scope{Read, Operate, All}
	roles  = []Role{None, Tenant, Reader, Operator, Owner} // by what they give
)

// Statement is one of Delegation, Revocation, Membership and Grant.
type Statement interface {
	// Signer is the account that says so.
	Signer() keys.Address
	// When is its time: UTC, whole seconds.
	When() time.Time
	// Slot is its subject: of two statements with one slot, only one holds.
	Slot() string
	// Append appends its line, without a line end.
	Append(b []byte) []byte
	// gives ranks what it gives, for two of one time in one slot.
	gives() int
	check() error
}

// Delegation lets a key act for an account.
type Delegation struct {
	Account     keys.Address
	Key         keys.Fingerprint
	Scope       Scope
	From, Until time.Time
	Via         Voucher // who says where the key is in use; zero: nobody, and then it must be a satellite's own key
}

// Revocation ends what a key, or every key, may do for an account.
type Revocation struct {
	Account keys.Address
	Key     keys.Fingerprint // zero: every key
	At      time.Time
}

// Membership admits a satellite to a constellation, or ejects it.
type Membership struct {
	Account       keys.Address
	Constellation string
	Satellite     keys.Fingerprint
	Admit         bool // else eject
	At            time.Time
}

// Grant gives an account a role with an object. None takes it back.
type Grant struct {
	Account       keys.Address
	Constellation string
	Role          Role
	To            keys.Address
	Object        Object
	At            time.Time
}

// Object is what a grant is about. Its text is one of
//
//	all               everything in the constellation: only an owner of it can grant that
//	array             what the signer has, on every satellite
//	array@SATELLITE   what the signer has on one satellite, by name
//	vm:<32 hex>       one VM, by id
type Object string

// The objects without an argument.
const (
	ObjectAll   Object = "all"
	ObjectArray Object = "array"
)

const arrayAt = "array@"

var objectForm = regexp.MustCompile(`^(all|array|array@[a-z0-9]([a-z0-9-]*[a-z0-9])?|vm:[0-9a-f]{32})$`)

// ObjectVM is the object that is one VM. id is a UUID in any of its usual spellings.
func ObjectVM(id string) Object {
	return Object("vm:" + strings.ToLower(strings.ReplaceAll(id, "-", "")))
}

// ObjectArrayAt is the signer's array on one satellite.
func ObjectArrayAt(satellite string) Object { return Object(arrayAt + satellite) }

// Signer is of Statement, as are the methods below.
func (d Delegation) Signer() keys.Address { return d.Account }
func (r Revocation) Signer() keys.Address { return r.Account }
func (m Membership) Signer() keys.Address { return m.Account }
func (g Grant) Signer() keys.Address      { return g.Account }

// When is of Statement.
func (d Delegation) When() time.Time { return d.From }
func (r Revocation) When() time.Time { return r.At }
func (m Membership) When() time.Time { return m.At }
func (g Grant) When() time.Time      { return g.At }

// Slot is of Statement. Memberships of one satellite share a slot whichever owner signed.
func (d Delegation) Slot() string { return "delegate " + d.Account.String() + " " + d.Key.String() }
func (r Revocation) Slot() string { return "revoke " + r.Account.String() + " " + keyText(r.Key) }
func (m Membership) Slot() string { return "member " + m.Constellation + " " + m.Satellite.String() }
func (g Grant) Slot() string {
	return "grant " + g.Constellation + " " + g.Account.String() + " " + g.To.String() + " " + string(g.Object)
}

func (d Delegation) gives() int { return slices.Index(scopes, d.Scope) }
func (r Revocation) gives() int { return 0 }
func (m Membership) gives() int {
	if m.Admit {
		return 1
	}
	return 0
}
func (g Grant) gives() int { return slices.Index(roles, g.Role) }

// Replaces tells whether a holds rather than b, of two statements with one slot. It is a strict total order but for
// statements with the same line, so that every satellite ends with the same one.
func Replaces(a, b Statement) bool {
	if c := a.When().Compare(b.When()); c != 0 {
		return c > 0
	}
	if a.gives() != b.gives() {
		return a.gives() < b.gives()
	}
	return Line(a) < Line(b)
}

// Withdraws tells whether a statement gives nobody anything: a revocation, an ejection, or a grant of None.
func Withdraws(s Statement) bool {
	switch s := s.(type) {
	case Revocation:
		return true
	case Membership:
		return !s.Admit
	case Grant:
		return s.Role == None
	}
	return false
}

const everyKey = "every"

func keyText(f keys.Fingerprint) string {
	if f == (keys.Fingerprint{}) {
		return everyKey
	}
	return f.String()
}

func stamp(t time.Time) string { return t.UTC().Format(timeForm) }

// Append is of Statement.
func (d Delegation) Append(b []byte) []byte {
	b = fmt.Appendf(b, "decenter delegate 1 as %s to %s scope %s from %s until %s", d.Account, d.Key, d.Scope, stamp(d.From), stamp(d.Until))
	if d.Via != (Voucher{}) {
		b = fmt.Appendf(b, " via %s", d.Via)
	}
	return b
}

// Append is of Statement.
func (r Revocation) Append(b []byte) []byte {
	return fmt.Appendf(b, "decenter revoke 1 as %s key %s at %s", r.Account, keyText(r.Key), stamp(r.At))
}

// Append is of Statement.
func (m Membership) Append(b []byte) []byte {
	verb := "eject"
	if m.Admit {
		verb = "admit"
	}
	return fmt.Appendf(b, "decenter %s 1 in %s as %s satellite %s at %s", verb, m.Constellation, m.Account, m.Satellite, stamp(m.At))
}

// Append is of Statement.
func (g Grant) Append(b []byte) []byte {
	return fmt.Appendf(b, "decenter grant 1 in %s as %s %s to %s on %s at %s", g.Constellation, g.Account, g.Role, g.To, g.Object, stamp(g.At))
}

// Line gives a statement's line.
func Line(s Statement) string { return string(s.Append(nil)) }

// New checks a statement that was put together from its parts, and gives its line, to be signed.
func New(s Statement) (string, error) {
	if err := s.check(); err != nil {
		return "", err
	}
	line := Line(s)
	if len(line) > MaxLine {
		return "", wrong(fmt.Sprintf("the statement has %d characters, more than the %d that wallets sign", len(line), MaxLine), "use shorter names")
	}
	// What cannot be read back must not be signed.
	if back, err := Parse(s.Signer().Network(), line); err != nil {
		return "", err
	} else if Line(back) != line {
		return "", wrong("the statement does not read back as it was written", "")
	}
	return line, nil
}

var constellationForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

// CheckConstellation tells what is wrong with a constellation's name.
func CheckConstellation(name string) error {
	if len(name) > MaxConstellation || !constellationForm.MatchString(name) {
		return wrong(fmt.Sprintf("%q is not the name of a constellation", name), fmt.Sprintf("use lower-case letters, digits and inner hyphens, at most %d in all", MaxConstellation))
	}
	return nil
}

func (d Delegation) check() error {
	switch {
	case d.Key == (keys.Fingerprint{}):
		return wrong("a delegation names a key", "give its fingerprint, SHA256:…")
	case !slices.Contains(scopes, d.Scope):
		return wrong(fmt.Sprintf("%q is not a scope", d.Scope), "use read, operate or all")
	case !d.Until.After(d.From):
		return wrong("the delegation ends before it begins", "")
	case d.Until.Sub(d.From) > MaxDelegation:
		return wrong(fmt.Sprintf("the delegation lasts longer than %d days", MaxDelegation/(24*time.Hour)), "choose an earlier end")
	}
	return nil
}

func (Revocation) check() error { return nil }

func (m Membership) check() error {
	if m.Satellite == (keys.Fingerprint{}) {
		return wrong("no satellite is named", "give its fingerprint, SHA256:…")
	}
	return CheckConstellation(m.Constellation)
}

func (g Grant) check() error {
	switch {
	case !slices.Contains(roles, g.Role):
		return wrong(fmt.Sprintf("%q is not a role", g.Role), "use owner, operator, reader, tenant or none")
	case len(g.Object) > maxObject && strings.HasPrefix(string(g.Object), arrayAt):
		return wrong(fmt.Sprintf("%q is too long for a statement", g.Object), fmt.Sprintf("only a satellite whose name has at most %d characters can be named", maxObject-len(arrayAt)))
	case len(g.Object) > maxObject || !objectForm.MatchString(string(g.Object)):
		return wrong(fmt.Sprintf("%q is nothing that can be granted", g.Object), "use all, array, array@SATELLITE or vm: and an id of 32 hex digits")
	case g.Role == Tenant && g.Object != ObjectAll:
		return wrong("a tenant is one of the whole constellation", "use on all")
	case g.To == g.Account:
		return wrong("an account cannot grant itself anything", "name another account")
	}
	return CheckConstellation(g.Constellation)
}

func wrong(problem, hint string) error {
	return &keys.Error{Kind: ErrStatement, Problem: problem, Hint: hint}
}
