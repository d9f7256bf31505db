// Package statement is what accounts declare about trust: one line of printable ASCII each, signed by a Bitcoin
// address, so that a hardware wallet can show and sign it. A statement proves itself; it does not matter who
// brought it. It is pure: no files, no clock, no network.
//
//	decenter delegate 1 as ACCOUNT to KEY scope SCOPE from TIME until TIME [via VOUCHER]
//	decenter revoke 1 as ACCOUNT key KEY at TIME            KEY is a fingerprint, or "every"
//	decenter admit 1 in NAME as ACCOUNT satellite KEY at TIME
//	decenter eject 1 in NAME as ACCOUNT satellite KEY at TIME
//	decenter grant 1 in NAME as ACCOUNT ROLE to ACCOUNT on OBJECT at TIME
//
//	ACCOUNT  a Bitcoin address                            at most 64 characters
//	KEY      SHA256: and 43 characters of base64          an SSH key's or a satellite's
//	TIME     2026-01-02T15:04:05Z                         UTC, whole seconds
//	NAME     the constellation's name                     [a-z0-9-], at most 11
//	SCOPE    read, operate or all
//	VOUCHER  22 characters of base64url                   see Voucher; with an SSH key, not with a satellite's
//	ROLE     owner, operator, reader, tenant or none
//	OBJECT   all | array | array@SATELLITE | vm:<32 hex>  at most 35
//
// The longest is a grant between two taproot accounts of regtest, of 239 characters; keys.MaxChallenge is 240. The digit after the verb is the version.
//
// # What they mean
//
// A delegation lets the holder of a key act for the account, up to a scope: a person's SSH key (then it travels in a
// certificate, see CertificateExtension) or a satellite's own key (then root of that satellite acts for the account). A
// revocation ends every delegation of the account to the key, and every login with it, that is as old as the revocation
// or older. An admission makes a satellite one of the constellation, an ejection ends that. A grant gives an account a
// role with the signer's own things or, from an owner of the constellation, with all.
//
// # Which of two holds
//
// Statements form a set that satellites merge in any order and always end with the same result: of those that say
// different things about one subject (Slot) the one with the later time holds, and of two of one time the one that
// gives less, so that an ejection beats an admission. No clock but that of the signer is in it. A later statement thus
// takes an earlier one back, and replaying the earlier one changes nothing.
package statement
