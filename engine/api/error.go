package api

import (
	"context"
	"errors"
	"fmt"
)

// Code says what kind of failure an Error is; callers branch on it.
type Code string

// The codes.
const (
	CodeInvalid     Code = "invalid"     // the request cannot be meant as it stands
	CodeNotFound    Code = "not-found"   // nothing answers to that name
	CodeAmbiguous   Code = "ambiguous"   // more than one does
	CodeExists      Code = "exists"      // the name is taken
	CodeConflict    Code = "conflict"    // the thing is not in a state for that
	CodeDenied      Code = "denied"      // the account may not
	CodeUnavailable Code = "unavailable" // a satellite or its hypervisor does not answer
	CodeCancelled   Code = "cancelled"   // the caller or another ended it
	CodeExhausted   Code = "exhausted"   // a bound is reached: too many jobs, no space
	CodeFailed      Code = "failed"      // it was tried and did not work
)

// Error is what goes wrong: what was wrong and, where known, what would be right.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	// Column is where in the typed line the trouble begins, counted in characters from 1; 0 is nowhere.
	Column int `json:"column,omitempty"`
}

// Error gives one line.
func (e *Error) Error() string {
	s := e.Message
	if e.Column > 0 {
		s = fmt.Sprintf("column %d: %s", e.Column, s)
	}
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

// Errorf makes an Error without a hint.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf finds the code of any error; CodeFailed where it has none of ours.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled):
		return CodeCancelled
	case errors.Is(err, context.DeadlineExceeded):
		return CodeUnavailable
	}
	return CodeFailed
}

// The exit codes of every command, local or over ssh. 255 is ssh's own and never used.
const (
	ExitDone    = 0
	ExitFailed  = 1
	ExitUsage   = 2
	ExitDenied  = 4
	ExitRunning = 8
)

// ExitCode gives the exit code of a command that ended with err.
func ExitCode(err error) int {
	if err == nil {
		return ExitDone
	}
	switch CodeOf(err) {
	case CodeInvalid, CodeCancelled:
		return ExitUsage
	case CodeDenied:
		return ExitDenied
	}
	return ExitFailed
}
