// Package sshd lets people in by SSH (RFC 4251 to 4254) with a signature of their Bitcoin address, and hands them
// the console, one command, or plain lines.
//
// # Logging in
//
// The user name is the account. Two proofs, in this order, on one connection:
//
//	client                                            satellite
//	  │ publickey (RFC 4252, 7): signs with an SSH key      │
//	  ├────────────────────────────────────────────────────▶│ any key: it names the client, it opens nothing
//	  │◀────────────────────────────────── partial success ─┤
//	  │ keyboard-interactive (RFC 4256)                     │
//	  │◀── a line to sign: keys.Challenge, naming that key ─┤ nonce minted, 120 s
//	  ├── the account's signature of the line ─────────────▶│ nonce taken, signature verified, account allowed?
//	  │◀──────────────────────────────────────────── success┤ account recorded in the connection's Permissions
//
// A pasted signature alone could be relayed: a false satellite shows its visitor the challenge of a true one,
// and logs in with the answer. The SSH key in the challenge stops that: the relay holds another key than its
// victim, and the victim's signer can see so (package keycmd refuses). A client without an SSH key is told to
// make one.
//
// # Who is logged in
//
// Only what verification itself recorded: the account in the Permissions of the connection that x/crypto
// returns. Never the user name at hand: a client may change it between attempts, and servers that looked at
// the first name or at the last logged attackers in as their victims. Here the name in the attempt makes the
// challenge, the challenge's account makes the verification, and the verified account makes the session.
//
// # States of a connection
//
//	accepted ──▶ handshake (30 s) ──▶ challenged (120 s, at most 3) ──▶ authenticated ──▶ sessions (at most 10)
//	   │ too many      │ time, wrong version …    │ wrong, late                │ server ends, peer gone
//	   └───────────────┴──────────────────────────┴──▶ closed ◀────────────────┘
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
// 255 is never sent: it is ssh's own.
package sshd
