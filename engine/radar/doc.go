// Package radar knows which satellites are alive and asks all of them a question right now. Nothing is stored:
// an answer is what the satellites said a moment ago.
//
// Membership and failure detection are Serf's (SWIM gossip, with its suspicion and refutation). A member's
// Serf name is its key's fingerprint, so that two satellites with one name stay two; tags carry the rest:
//
//	n   the satellite's name
//	v   version of the program
//	p   TCP port of requests (package engine/rpc)
//
// Questions go to each live member directly, over its request port, where both ends prove their keys. Serf's
// own queries would gossip them unauthenticated, within 1 KiB, and take a gossip interval per hop. A question ends when
// all live members answered or the time is over; who did not answer is named.
//
//	            join, gossip             probe missed, suspected
//	(unknown) ───────────────▶ live ──────────────────────────▶ failed ──▶ forgotten (24 h)
//	                            │  ◀──────────────────────────    │
//	                            │          heard again            │
//	                            └───────── leaves ──▶ left ───────┘
//
// # Keys
//
// Gossip is encrypted with AES-256-GCM, always: what comes in the clear, or under a key that is not in the ring, is
// dropped before it is looked at. The ring changes while gossip goes on (SetKeys; package keyring has the rules). Serf's own
// ways to change keys by gossip are shut, as are its votes on names, for any member could misuse them.
//
// The key is shared by all members. So a member can gossip in another's name: claim its Serf name for an address of its
// own, or say that it left. Nothing that matters rests on that: each request goes over TLS to a pinned key, so that whoever
// claims a name gets none of its requests answered; the one whose name is claimed is harder to find until the
// liar is ejected. What is said of satellites that are not admitted is not believed.
//
// On the fabric the addresses are IPv6 link-local ones, which carry no zone in gossip: the transport adds the
// satellite's own host port as the zone (RFC 4007 section 11).
package radar
