// Package sshd lets people in by SSH (RFC 4251 to 4254) with a signature of their Bitcoin address, and hands them
// the console, one command, or plain lines.
//
// # Logging in
//
// The user name is the account. There are three ways:
//
//	way                                    proof (api.Proof)            good for
//	SSH key, then a signature              challenge that names it      all
//	certificate with a delegation inside   delegation to its key        the delegation's scope; asks nothing
//	a signature alone                      challenge that says no-key   read, if Config.Pasted allows it
//
// The first takes two proofs, in this order, on one connection:
//
//	client                                            satellite
//	  │ publickey (RFC 4252, 7): signs with an SSH key      │
//	  ├────────────────────────────────────────────────────▶│ any key: it names the client, it opens nothing
//	  │◀────────────────────────────────── partial success ─┤
//	  │ keyboard-interactive (RFC 4256)                     │
//	  │◀── a line to sign: keys.Challenge, naming that key ─┤ nonce minted, 120 s
//	  ├── the account's signature of the line ─────────────▶│ nonce taken, signature verified, Config.Judge asked
//	  │◀──────────────────────────────────────────── success┤ account and proof recorded in the connection's Permissions
//
// A pasted signature alone could be relayed: a false satellite shows its visitor the challenge of a true one,
// and logs in with the answer. The SSH key in the challenge stops that: the relay holds another key than its
// victim, and the victim's signer can see so (package keycmd refuses). So a login without a key may look, and is told how to
// get more.
//
// The certificate is OpenSSH's (PROTOCOL.certkeys), signed by its own key; what counts is the delegation in its extension
// statement.CertificateExtension, which the account signed, and that the client signs the session with the certificate's
// key. Stock ssh offers a plain key before the certificate that lies beside it: so a certificate may also follow the plain
// key. See readCertificate for all that is checked.
//
// # Who is logged in
//
// Only what verification itself recorded: the account in the Permissions of the connection that x/crypto
// returns. Never the user name at hand: a client may change it between attempts, and servers that looked at
// the first name or at the last logged attackers in as their victims. Here the name in the attempt makes the
// challenge, the challenge's account makes the verification, and the verified account makes the session. The proof goes with
// every call of the session, so that a satellite that acts elsewhere can verify it, too.
//
// # States of a connection
//
//	accepted ──▶ keys exchanged ──▶ challenged ──▶ logged in ──▶ sessions (at most 10)
//	   │   (10 s)     │     (30 s)     │ (120 s,         │ trust changed, or the proof's time is over:
//	   │              │                │  at most 3)     ▼ judged again, and refused
//	   │ turned away  │ sent away      │ wrong, late   ending: its sessions say why (0.5 s)
//	   └──────────────┴────────────────┴────▶ closed ◀───┘
//
// Config.Judge is asked at the login, for each session, for every open connection when Config.Watch tells of a change, and
// every 30 s. So a revoked key's sessions end within a second.
//
// # Strangers
//
// Each source (an IPv4 address, an IPv6 /64) has a bucket of connections, of which those that end in a login are free.
// Handshakes are bounded; where the bound is reached a newcomer is let in and another handshake sent away: first one of the
// busiest sources, then one of an address from which nobody logged in before, then the oldest (gate). What a crowd with very
// many addresses can still do, if it exchanges keys all the time, is to send away the handshakes of people who are at their
// wallets and whose address never logged in before.
//
// # Host key
//
// The satellite's key, and once an owner admitted it, the same key with a certificate that carries the admission
// (hostCertificate). `decenter key known-hosts` accepts it by the owner's address alone.
//
// # Sessions
//
//	command   pty   TERM, NO_COLOR        what the client gets
//	yes       any   any                   Config.Exec of the raw command; its exit code
//	no        yes   a terminal            Config.TUI, full screen
//	no        yes   dumb, none, NO_COLOR  plain lines with a prompt and a simple editor
//	no        no    any                   plain lines from stdin; the last one's exit code
//
// Ctrl-C (with a pty) ends a command that does not read its input; one that does gets it as a byte. Exit code
// 255 is never sent: it is ssh's own. A session whose login is taken back ends with 4, not allowed.
//
// # Attacks
//
// attack_*_test.go try to get in, or to keep others out. Each attack has its negative control: a server with one flaw,
// which only tests can set (flaws), falls to it.
package sshd
