// Package authz decides whether an account may do an action to an object: one function, Decide, and nowhere else. It is
// pure. Who has which role comes from a Policy (package trust's View); how much this login may use of it, from the
// request's scope; and both must suffice.
//
// # The rules, the first that fits
//
//  1. An unknown action is denied, to root as well.
//  2. Root on the satellite's own socket may do everything there.
//  3. Who is not a known account may do nothing.
//  4. The login's scope must reach the action's (table below).
//  5. An owner of the constellation may do everything.
//  6. Any known account may log in, ask for a statement's line and declare one (the statement's own signature and
//     authority are judged by package trust), and read the audit entries about itself.
//  7. A tenant may read satellites, spacesuits, the tree and trust, may create VMs, which it then owns, and may do
//     everything with what it owns.
//  8. Who began a job may read and cancel it.
//  9. A role on an object gives what the table says. A role on all reaches every object and, from reader on, the
//     satellites, spacesuits, tree and trust; from operator on, creating VMs and setting what a satellite is set to.
//  10. Everything else is denied.
//
// The table: each action, the least scope and, for those without a better title, the least role on the object.
//
//	action    scope    role
//	login     read     -
//	read      read     reader
//	trust     read     reader, on all
//	audit     read     -              own entries; operate and owner of the constellation: all entries
//	create    operate  operator, on all
//	control   operate  operator       start, stop, pause, resume, reset
//	console   operate  operator       reading a console shows secrets, so readers have none
//	cancel    operate  operator       of a job: as on its VM
//	set       operate  operator, on all   a satellite's root priority
//	propose   read     -              a line does nothing until it is signed
//	declare   read     -              the statement proves itself, whoever brings it: a key can be revoked by any login
//	delete    all      owner          it cannot be undone
//
// Scope operate is thus all but what cannot be undone. A VM whose owner is "local" or unknown
// belongs to root and the owners of the constellation alone; roles on all, or on that VM, reach it like any other. Reader,
// operator and owner on a VM need no tenancy: such an account logs in and sees that VM alone.
package authz
