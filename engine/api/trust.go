package api

import "time"

// Scope is how much a login or a delegation may do, whatever its account's roles allow: the lesser of both holds.
type Scope string

// The scopes, from the least to the most. operate is all but what cannot be undone.
const (
	ScopeRead    Scope = "read"
	ScopeOperate Scope = "operate"
	ScopeAll     Scope = "all"
)

// Role is what an account may do with an object.
type Role string

// The roles, from the least to the most. A tenant may log in, see the satellites and spacesuits, and have VMs of its own.
const (
	RoleNone     Role = "none"
	RoleTenant   Role = "tenant"
	RoleReader   Role = "reader"
	RoleOperator Role = "operator"
	RoleOwner    Role = "owner"
)

// Proof is what shows that an account meant its caller to act: a line that the account signed. It is carried from the
// satellite that was logged in to, to each satellite that acts, which verifies it itself (package engine/proof).
type Proof struct {
	Line      string `json:"line"`          // a login challenge, or a delegation
	Signature string `json:"signature"`     // the account's, of the line
	Key       string `json:"key,omitempty"` // the SSH key that was proved at the login; empty: none was
	// Vouched says, with a delegation to an SSH key, that it is in use at the satellite that was logged in to
	// (statement.Vouched).
	Vouched string `json:"vouched,omitempty"`
}

// Signed is a statement and its account's signature (package keys/statement).
type Signed struct {
	Line      string `json:"line"`
	Signature string `json:"signature"`
}

// StatementKind is what a statement does.
type StatementKind string

// The kinds.
const (
	StatementDelegate StatementKind = "delegate" // a key may act for the account
	StatementRevoke   StatementKind = "revoke"   // a key, or every key, may no longer act for the account
	StatementAdmit    StatementKind = "admit"    // a satellite belongs to the constellation
	StatementEject    StatementKind = "eject"    // it does no longer
	StatementGrant    StatementKind = "grant"    // an account has a role
)

// Statement is a statement in force, as a person reads it.
type Statement struct {
	Kind    StatementKind `json:"kind"`
	Account string        `json:"account"`           // who signed it
	Key     string        `json:"key,omitempty"`     // the key or satellite it is about; empty with revoke: every key
	Scope   Scope         `json:"scope,omitempty"`   // of a delegation
	Role    Role          `json:"role,omitempty"`    // of a grant
	Grantee string        `json:"grantee,omitempty"` // of a grant: an account
	Object  string        `json:"object,omitempty"`  // of a grant: all, array, array@SATELLITE or vm:ID
	Time    time.Time     `json:"time"`              // from when on
	Until   *time.Time    `json:"until,omitempty"`   // of a delegation
	Signed  Signed        `json:"signed"`
}

// TrustReply is whom a satellite trusts.
type TrustReply struct {
	Constellation string      `json:"constellation"`
	Owners        []string    `json:"owners"`     // accounts that may do everything, from the configuration
	Statements    []Statement `json:"statements"` // in force, newest first
}

// ProposeRequest asks for the line of a statement, to sign it. Time, account and constellation are filled in.
type ProposeRequest struct {
	Kind    StatementKind `json:"kind"`              // revoke, admit, eject or grant
	Key     string        `json:"key,omitempty"`     // of revoke, admit and eject: a fingerprint; of revoke, empty is every key
	Role    Role          `json:"role,omitempty"`    // of grant
	Grantee string        `json:"grantee,omitempty"` // of grant
	Object  string        `json:"object,omitempty"`  // of grant: all, array, array@SATELLITE, or a VM's name or id
	Account string        `json:"account,omitempty"` // who will sign; empty: the caller
}

// Proposal is a line that waits for its account's signature.
type Proposal struct {
	Line    string `json:"line"`
	Account string `json:"account"` // whose signature it needs
}

// KindAudit is the kind of an audit entry in a search's words; entries are found by Audit alone.
const KindAudit Kind = "audit"

// Verdict is how a decision ended.
type Verdict string

// The verdicts.
const (
	VerdictAllow Verdict = "allow"
	VerdictDeny  Verdict = "deny"
)

// AuditEntry is one decision of one satellite.
type AuditEntry struct {
	Satellite string    `json:"satellite"` // who decided
	Seq       uint64    `json:"seq"`       // counts the satellite's entries from 1
	Time      time.Time `json:"time"`
	Account   string    `json:"account"` // who asked
	Key       string    `json:"key,omitempty"`
	Via       string    `json:"via"`            // socket, ssh or peer, as in Caller
	From      string    `json:"from,omitempty"` // with peer: the satellite that brought the request, by name where it is known
	Action    string    `json:"action"`         // what was asked for: login, read, create, …
	Object    string    `json:"object,omitempty"`
	Verdict   Verdict   `json:"verdict"`
	Reason    string    `json:"reason"`
	Count     int       `json:"count,omitempty"` // of equal reads that this entry stands for; 0 is 1
}

// AuditRequest asks for entries.
type AuditRequest struct {
	Query  Query `json:"query"`            // its filters: account, action, object, verdict, reason, satellite, key, via, since
	Verify bool  `json:"verify,omitempty"` // walk the whole chain and tell whether it is unbroken
}

// AuditReply is what was found, newest first.
type AuditReply struct {
	Entries []AuditEntry `json:"entries"`
	Silent  []string     `json:"silent,omitempty"`
	Refused []Refusal    `json:"refused,omitempty"`
	// Chains is each answering satellite's log, where Verify was asked.
	Chains []AuditChain `json:"chains,omitempty"`
}

// AuditChain is the state of one satellite's log.
type AuditChain struct {
	Satellite string `json:"satellite"`
	Entries   uint64 `json:"entries"`          // that are kept
	First     uint64 `json:"first"`            // the oldest kept one's Seq
	Head      string `json:"head"`             // hash of the newest, in hex: note it elsewhere, and nothing before it can be changed unseen
	Broken    string `json:"broken,omitempty"` // what is wrong, and where; empty: nothing
}

// Keys of filters of audit entries, beside those of searches.
const (
	KeyAccount = "account"
	KeyAction  = "action"
	KeyObject  = "object"
	KeyVerdict = "verdict"
	KeyReason  = "reason"
	KeyKey     = "key"
	KeyVia     = "via"
	KeySince   = "since" // not older than a time: RFC 3339 in UTC, such as 2026-01-02T15:04:05Z
)

// Limits of audit and of trust.
const (
	MaxAudit      = 1000 // entries in one satellite's answer
	MaxStatements = 10_000
)
