// Package directory asks an LDAP directory (RFC 4511; OpenLDAP, Active Directory) for an account's role: an optional second gate
// behind the account's signature. The directory never sees a credential of the account, and gives nobody a right without
// that signature: it can only narrow who of those that signed may act, and how much.
//
//	account ──► (AccountAttribute=account) below Base ──► exactly one entry ──► its groups ──► Groups ──► the highest role
//
//	no entry, two entries, no mapped group      api.CodeDenied
//	no answer that can be believed              api.CodeUnavailable; WhenDown cached: the last role, if not older than MaxStale
//
// # The account's entry
//
// The account is escaped as RFC 4515 section 3 says, so none of its characters is a filter's. Attributes of directories mostly
// compare without regard to case, and Base58 addresses differ by case: the entry's value must be the account to the letter.
//
// # Its groups
//
// GroupAttribute is an attribute of the entry that holds the names (DN, RFC 4514) of its groups, such as memberOf; or, in
// parentheses, a filter by which each group in Groups is asked for, from the highest role down, with {dn} and {account} in place of
// the entry's name and the account:
//
//	memberOf                                               OpenLDAP with the overlay, Active Directory; direct groups
//	(member={dn})                                          directories without memberOf
//	(member:1.2.840.113556.1.4.1941:={dn})                 Active Directory, groups in groups too: NestedAD
//	                                                       (LDAP_MATCHING_RULE_IN_CHAIN, [MS-ADTS] 3.1.1.3.4.4.3)
//
// A filter asks one question for each configured group, each answered by one entry at most, however many groups there are.
// Names are compared without regard to case and to repeated blanks (caseIgnoreMatch, RFC 4517).
//
// # What is trusted
//
// The directory is authenticated by its certificate, TLS 1.2 or newer, against CAFile or the system's authorities: ldaps, or
// ldap with StartTLS (RFC 4513 section 3), in which nothing is asked before TLS stands. An empty password would be an anonymous bind
// that succeeds (RFC 4513 section 5.1.2) and is refused. Referrals are not followed. One answer has at most maxAnswer bytes.
//
// # Bounds
//
// One connection is kept and asked one question at a time; calls about one account share an answer. A call takes at most
// Timeout, its wait for its turn included, and no more than maxCalls accounts wait. Answers are kept for PositiveLife and
// NegativeLife, of MaxCached accounts, those asked last. A connection that turns out to be dead is replaced once within the
// call. After a failure the directory is left alone for minBackoff, doubled with each further one up to maxBackoff; in
// between calls fail at once:
//
//	        dial, TLS, bind                error
//	idle ────────────────────► connected ────────► resting ──── time over, next call ────► idle
//	  └───────────── error ──────────────────────────▲
package directory
