package api

import (
	"context"
	"io"
	"time"
)

// Service is a constellation as one caller sees it. All methods are safe for concurrent use, return when
// their context ends, and return errors of type *Error (or ones that wrap it).
type Service interface {
	// Hello tells which satellite answers, and as whom the caller is known.
	Hello(ctx context.Context) (Hello, error)

	// Search asks every live satellite now. It returns once all have answered, or after at most two seconds
	// with the names of those that did not in Reply.Silent. A partial answer is not an error.
	Search(ctx context.Context, q Query) (SearchReply, error)

	// VM finds one VM by name or id, anywhere. CodeNotFound where no live satellite has it, CodeAmbiguous
	// where two answer to the name.
	VM(ctx context.Context, ref string) (VM, error)

	// Create starts making a VM.
	Create(ctx context.Context, r CreateRequest) (Job, error)

	// Control starts, stops, pauses, resumes or resets a VM.
	Control(ctx context.Context, r ControlRequest) (Job, error)

	// Delete removes a VM and its disks. Confirm must be the VM's name.
	Delete(ctx context.Context, r DeleteRequest) (Job, error)

	// Jobs lists jobs of every satellite: those under way and the last finished ones, newest first. With ID
	// set (a whole id or a prefix of at least four digits) it lists that one alone, or CodeNotFound.
	Jobs(ctx context.Context, r JobsRequest) (JobsReply, error)

	// Cancel asks a job to stop and undo what it did; the job's end tells whether it did.
	Cancel(ctx context.Context, id string) (Job, error)

	// Events calls fn with each change of a VM, job or satellite of the whole constellation until ctx ends
	// or fn returns an error, which it returns. With r.Job set it reports that job alone, beginning with
	// its present state, and returns nil once the job is over. A reader that falls behind by more than 1,024 events
	// gets one EventLost in place of what was dropped and should ask anew.
	Events(ctx context.Context, r EventsRequest, fn func(Event) error) error

	// Console opens a VM's serial line: what is written goes to the guest, what is read came from it.
	// Close detaches; the guest goes on. Several may be open on one VM; all see its output.
	Console(ctx context.Context, ref string) (io.ReadWriteCloser, error)

	// Satellites lists the constellation as this satellite sees it, also those that do not answer.
	Satellites(ctx context.Context) (SatellitesReply, error)

	// Tree tells the satellite tree as the asked satellite's engine knows it.
	Tree(ctx context.Context) (Tree, error)

	// TreePriority changes a satellite's wish to be root of the tree, from now on and for its later engines too. CodeNotFound
	// where there is no such satellite, CodeAmbiguous where two have the name, CodeUnavailable where it does not answer.
	TreePriority(ctx context.Context, r TreePriorityRequest) (TreePriority, error)

	// Trust tells whom the asked satellite trusts, and by which statements.
	Trust(ctx context.Context) (TrustReply, error)

	// Propose gives the line of a statement, for its account to sign. Nothing is kept.
	Propose(ctx context.Context, r ProposeRequest) (Proposal, error)

	// Declare takes in a signed statement, from whoever brings it, and spreads it to all satellites. It returns once
	// the asked satellite has it on disk. CodeDenied where the signature or its account's authority is wanting.
	Declare(ctx context.Context, s Signed) (Statement, error)

	// Audit asks every live satellite for its decisions.
	Audit(ctx context.Context, r AuditRequest) (AuditReply, error)
}

// Caller is who asks. It is made where the caller was authenticated (the unix socket's peer credentials, the
// SSH server's signature check, a peer satellite's forwarded proof) and nowhere else.
type Caller struct {
	// Account is a Bitcoin address, or "local" for root on the satellite itself.
	Account string `json:"account"`
	// Via is "socket", "ssh" or "peer".
	Via string `json:"via"`
	// Proof shows that the account meant it. The zero Proof is root's on the satellite itself, and opens no other one.
	Proof Proof `json:"proof"`
}

// AccountLocal is the account of the satellite's own root user on the unix socket.
const AccountLocal = "local"

// Hello is the answer to the question "who are you, and who am I?".
type Hello struct {
	Satellite string `json:"satellite"` // name
	ID        string `json:"id"`        // fingerprint of the satellite's key, "SHA256:…"
	Version   string `json:"version"`   // of the program
	Account   string `json:"account"`   // the caller's
	// Via is how the caller came, as in Caller, and Scope how much that lets it do; empty is all.
	Via   string `json:"via,omitempty"`
	Scope Scope  `json:"scope,omitempty"`
	// Key is the SSH key that was proved at the login; empty: none was.
	Key string `json:"key,omitempty"`
	// Until is when the login or delegation ends; nil: it does not.
	Until *time.Time `json:"until,omitempty"`
	// Role is the account's with all: owner, operator, reader, tenant, or none where it has roles with single things alone.
	Role Role `json:"role,omitempty"`
	// Ejected tells that the asked satellite was put out of the constellation.
	Ejected bool `json:"ejected,omitempty"`
	Live    int  `json:"live"`  // live satellites, this one included
	Known   int  `json:"known"` // known satellites, live or not
}
