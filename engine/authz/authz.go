package authz

import "decenter/engine/api"

// Action is what is asked for. Its text is that of audit entries.
type Action string

// The actions.
const (
	Login   Action = "login"
	Read    Action = "read"    // of a VM, job, satellite, spacesuit or the tree
	Create  Action = "create"  // of a VM
	Control Action = "control" // start, stop, pause, resume, reset
	Console Action = "console"
	Delete  Action = "delete"
	Cancel  Action = "cancel"  // of a job
	Declare Action = "declare" // a statement
	Propose Action = "propose" // the line of a statement
	Audit   Action = "audit"   // reading one entry of it
	Trust   Action = "trust"   // reading whom a satellite trusts
	Set     Action = "set"     // a setting of a satellite, such as its root priority
)

// Actions lists every action.
func Actions() []Action {
	return []Action{Login, Read, Create, Control, Console, Delete, Cancel, Declare, Propose, Audit, Trust, Set}
}

// KindTree is the kind of the object that is the satellite tree, beside those of package api.
const KindTree api.Kind = "tree"

// Object is what an action is done to. The zero Object is the constellation itself.
type Object struct {
	Kind api.Kind
	// ID is a VM's UUID, in any spelling; of a job, that of the VM it works on. Unused with other kinds.
	ID string
	// Owner is the account that owns the VM, or the VM that a job works on; of an audit entry, whom it is about. To
	// create, it is the account that will own the VM: empty or the asking one.
	Owner string
	// Satellite is the name of the satellite where it is.
	Satellite string
	// Began is the account that began a job. Unused with other kinds.
	Began string
}

// Request is a question to Decide.
type Request struct {
	// Account is the asking one, proved by its signature; api.AccountLocal for root.
	Account string
	// Root says that this satellite's own root asks through its own socket. Nothing that another satellite says makes it so.
	Root bool
	// Scope is that of the login or delegation. It does not bind Root.
	Scope  api.Scope
	Action Action
	Object Object
}

// Verdict is the answer.
type Verdict struct {
	Allow bool
	// Reason says in words which rule it was and, of a denial, what would be needed. It tells nothing of the object that
	// was not in the request.
	Reason string
}

// Policy tells what accounts are. *trust.View is one. Its answers all come from one moment.
type Policy interface {
	// Known tells whether the account may log in at all.
	Known(account string) bool
	// Owner tells whether it is an owner of the constellation.
	Owner(account string) bool
	// Tenant tells whether it may have VMs of its own.
	Tenant(account string) bool
	// Role is the highest role with the object that others granted to the account; RoleNone where none did.
	Role(account string, o Object) api.Role
}

// AtLeast tells whether a role is at least another. A role that is none gives nothing, and is not even none.
func AtLeast(have, want api.Role) bool { return atLeast(have, want) }
