package virt

import (
	"errors"
	"fmt"
)

// The kinds of failure. Every error of a Guests or a Volumes is one of these by errors.Is, except where the
// caller's context ended first: then it is the context's error.
var (
	ErrNotFound    = errors.New("not found")
	ErrExists      = errors.New("exists already")
	ErrConflict    = errors.New("not in a state for that")
	ErrInvalid     = errors.New("not valid")
	ErrUnavailable = errors.New("does not answer") // later may work; whether the act took place is not known
	ErrExhausted   = errors.New("no room")         // disk, memory or a bound of ours
	ErrFailed      = errors.New("failed")          // tried, did not work, and nothing of the above
)

// Error is a failed act: what was being done to what, its kind, and what the doer below had to say.
type Error struct {
	Op     string // "start", "import spacesuit"
	Object string // a VM's id or name, a spacesuit's name, a path
	Kind   error  // one of the sentinels above
	Err    error  // the cause below; may be nil
}

// Error gives one line: "start 6f1c…: not in a state for that: domain is already running".
func (e *Error) Error() string {
	s := e.Op
	if e.Object != "" {
		s += " " + e.Object
	}
	s += ": " + e.Kind.Error()
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives both the kind and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Kind}
	}
	return []error{e.Kind, e.Err}
}

// FieldError says which part of a Spec, id or name cannot be meant. It is ErrInvalid.
type FieldError struct {
	Field string // "disks[0].path"
	Value string
	Hint  string // what would be right
}

// Error gives one line.
func (e *FieldError) Error() string { return fmt.Sprintf("%s %q: %s", e.Field, e.Value, e.Hint) }

// Unwrap makes it ErrInvalid.
func (e *FieldError) Unwrap() error { return ErrInvalid }

// MoveError is a verb that the present state does not allow. It is ErrConflict.
type MoveError struct {
	State State
	Verb  Verb
}

// Error gives one line.
func (e *MoveError) Error() string {
	return fmt.Sprintf("cannot %s a guest that is %s", e.Verb, e.State)
}

// Unwrap makes it ErrConflict.
func (e *MoveError) Unwrap() error { return ErrConflict }
