// Package trust is whom one satellite trusts, and why: the set of statements (package keys/statement) that it holds, kept
// in a file, and what follows from them and from the configuration.
//
//	Declare, Merge ──▶ set (pure: the newest statement of each signer on each subject)
//	                    │ file: written whole, fsync, rename, before anybody is told
//	                    ▼
//	                   standing: owners ─▶ tenants ─▶ known accounts        (pure, from set and configuration)
//	                    ▼
//	                   View: what is in force; immutable, one atomic pointer ──▶ authz, proof, admission
//	                    └─ Spread, Digest: what other satellites should have too
//
// # Authority
//
//	statement                     its signer must be
//	admit, eject                  an owner of this constellation
//	grant on all                  an owner of this constellation
//	grant on array…, vm:…         a tenant; whether the VM is the grantor's is judged when the grant is used (View.Role)
//	revoke                        a known account; it is about the signer's own keys
//	delegate                      a known account; only to this satellite's own key, never spread, and taken by Declare alone:
//	                              whom root acts for is root's to say
//
// Owners are those of the configuration, and whom an owner granted the role owner on all. They are found from the
// configuration outward, so that two who made each other owners are none once nobody else did. Tenants (who may have
// VMs of their own) are owners, the configuration's tenants, and whom an owner granted tenant, operator or owner on all;
// a reader on all only reads. Known accounts (who may log in) are tenants and whom any grant that counts gives a role.
//
// Authority is judged anew whenever the set changes. What a person said counts while that person has the authority for
// it: who is an owner no more, of that person the grants, admissions and ejections count no more. They stay in the set, and
// count again should the authority come back. Only who granted takes a grant back; of several grants the highest role
// holds. Of several owners' words on one satellite the latest holds; at one time, the ejection.
//
// # Why every satellite ends with the same
//
// The set keeps, of each signer and subject (Slot), the one statement that statement.Replaces puts first. That is the
// maximum of a total order, so that it does not matter in which order, or how often, statements come.
//
// What is refused is another matter: a statement whose signer has no authority yet is not kept, lest strangers fill the
// set. It is not lost: Merge goes over its batch again as long as that makes anybody known, and whoever has the
// statement in force offers it again at each exchange until the digests are equal. Spread is only what counts. Where all
// satellites have exchanged their Spreads and nothing changes any more, they agree, step by step: the configuration's
// owners are the same everywhere. If X is an owner at two satellites, then what X said with an owner's authority
// counts at both, hence was offered by each to the other and taken, hence is the same maximum at both; so whom X made owner is
// the same, and by induction all owners are. In the same way then all tenants, all known accounts, and all they said. A statement's
// authority hangs on its signer, kind and subject alone, never on its contents, so that a newer statement cannot be
// refused where the older was taken. (Where the configurations name other owners, the views differ, as they should.)
//
// Two things are decided by a clock. A statement more than MaxSkew ahead of this satellite's is refused, with both times
// told, and is taken when it is offered again later. Revocations and delegations are dropped when nothing that they could
// bear on lives any more (statement.MaxDelegation); from the moment of an expiry, Digest leaves it out.
//
// # Bounds
//
// At most api.MaxStatements in all, MaxSigner of each signer, and the last reserved places only for owners, so that no
// crowd of accounts can keep an owner's ejection out. A full set first drops what does not count, the oldest first, and then
// refuses (CodeExhausted) what is new; what replaces an older statement always fits. Full sets may differ; they agree
// again when there is room.
//
// # The file
//
//	decenter trust 1
//	LINE
//	SIGNATURE
//	…
//
// Sorted by line, each text ending in a line end. Everything in it proves itself: it is verified when it is read, what
// does not hold is logged and left out, and the file as it was is kept beside it with the suffix .damaged. A kill -9 leaves
// the old or the new file, both whole; what Declare returned from is in it. On a disk that
// takes nothing, what takes rights away (a revocation, an ejection, a lesser grant) holds until the engine ends: guests may fill
// the disk, and must not keep their own revocation out by it. The error is told even so.
package trust
