package keys

import "errors"

// What an Error is about; errors.Is tells.
var (
	ErrAddress   = errors.New("not an account")
	ErrKey       = errors.New("not a private key")
	ErrSignature = errors.New("signature refused")
	ErrChallenge = errors.New("not a login challenge")
)

// Error is a piece of text that cannot be meant as it stands: what is wrong with it and, where known, what
// would be right. It never holds secret text.
type Error struct {
	Kind    error // one of the sentinels above
	Problem string
	Hint    string
}

// Error gives one line.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Problem
	}
	return e.Problem + ": " + e.Hint
}

// Unwrap gives the kind.
func (e *Error) Unwrap() error { return e.Kind }
