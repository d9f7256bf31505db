package tui

import (
	"context"

	"decenter/engine/api"
)

// Language is the grammar as the console needs it; the shell implements it, so that what a line means is the
// same in the box, over ssh and on the command line.
type Language interface {
	// Parse tells what Enter would do with the line. An unfinished line gives an *api.Error with a column.
	Parse(line string) (Intent, error)
	// Complete gives what Tab could put at the cursor (a byte offset), best first, at most 12.
	Complete(line string, cursor int) []Suggestion
	// Execute does what the line says and returns once it is done, or for long work once its job is made.
	Execute(ctx context.Context, svc api.Service, line string) (Outcome, error)
	// Declare hands in what a person signed: the line of an Outcome's Proposal, and a pasted signature.
	Declare(ctx context.Context, svc api.Service, s api.Signed) (Outcome, error)
}

// Intent is what a line means.
type Intent struct {
	Verb    string    // empty: a search
	Query   api.Query // of a search, and of the view "trust"
	Object  string    // the name the verb is about
	Confirm string    // the name a person must type again before the line is executed; empty: none
	// View is set where the verb opens a view of the console and is not executed: "console" (Object),
	// "jobs", "watch" (Object), "satellites", "tree", "trust", "audit", "help" (Object or empty), "quit".
	View  string
	Audit api.AuditRequest // of the view "audit"
	Hint  string           // one line of usage for the verb
}

// Suggestion is one completion: Text replaces line[From:cursor].
type Suggestion struct {
	From int
	Text string
	Hint string
}

// Outcome is what came of a line.
type Outcome struct {
	Text string   // lines for a person, plain
	Job  *api.Job // the job it began
	// Proposal is a line that an account must sign before anything is done.
	Proposal *api.Proposal
}
