// Package proof judges who asks: an account's own proof (a signed login challenge or a delegation), and the requests that
// satellites bring to each other for accounts. The satellite that carries a request out verifies all of it itself. The
// package is sans-IO: it is told the time, and keeps nothing on disk.
//
// # The chain
//
//	account ──signs──▶ login challenge or delegation ──names──▶ session key ──signs──▶ request
//
// The session key is a satellite's own ed25519 key. A challenge names the satellite that was logged in to; a delegation names
// that satellite's key, or an SSH key, of which the satellite says that it logged in there.
//
//	line        good                                          at most    ended by a revocation
//	challenge   from Expires-2 min to Expires+12 h            all        of its SSH key, or every
//	 no-key     the same                                      read       of every
//	delegation  from From to Until                            its scope  of the key, or every
//
// Both begin MaxSkew early, for the clocks of satellites differ. When a login took place only its satellite knows; it counts
// from the moment the challenge was made, two minutes before it expires.
//
// # The header
//
// A request carries one header field, Decenter-Proof: unpadded base64url (RFC 4648 section 5) of
//
//	offset
//	0     1    version, 1
//	1    16    nonce, from crypto/rand
//	17    8    time, nanoseconds since 1970 UTC, big-endian
//	25   64    ed25519 signature (RFC 8032) by the asking satellite's key
//	89    1    bit 0: an SSH key was proved at the login; bit 1: its use there is vouched for; else 0
//	90  0|32   that key's fingerprint
//	    0|96   the voucher key and its signature (statement.Vouched)
//	     2+n   line: length, big-endian, and printable ASCII; at most 240
//	     2+n   the account's signature of the line, likewise; at most 1022
//
// and nothing behind it. The ed25519 signature is over
//
//	"decenter request 1\n" then, each after its length in 4 bytes big-endian:
//	executing satellite's fingerprint, asking satellite's fingerprint, method, SHA-256 of the body,
//	line, account's signature, SSH key's fingerprint or nothing, 96 bytes of what was vouched or zero, nonce, time
//
// No other use of a satellite's key (SSH host key, OpenSSH certificates, TLS 1.3) signs a text that begins so.
//
// # Replay and clocks
//
// A request whose time differs from the executing satellite's clock by more than MaxSkew is refused, with the difference in
// words. Within that window each nonce is taken once. Nonces are remembered for as long as their requests could be fresh, per
// asking satellite; where there is no room left requests are refused, never nonces forgotten. A request older than the
// verifier itself is refused, for an engine that was restarted does not know what it took before; so is one from before
// what was forgotten already, should the clock be set back.
//
// Accounts' signatures play no part in that: BIP-137's are malleable, and a malleated one is the same account and line.
//
// # Delegations to an SSH key
//
// They are shown to every satellite that carries out a request. The delegation therefore names a voucher key, whose secret
// is in the certificate that ssh shows at a login and nowhere else: it signs the fingerprint of the satellite that was logged in
// to (package statement, Voucher). One that was merely shown a delegation cannot say that the key logged in there.
//
// # What it does not stop
//
// A satellite that was logged in to can act for who logged in, as far as the proof goes, for as long as it is good. Of a
// delegation in a certificate that is until the delegation ends or is revoked, for the satellite has seen the voucher's secret. A
// satellite that has a challenge signed whose expiry is far ahead has a login for then: whoever signs has to look, as `decenter
// key sign` does. What was made for one satellite is of no use to any other.
package proof
