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
// On the fabric the addresses are IPv6 link-local ones, which carry no zone in gossip: the transport adds the
// satellite's own host port as the zone (RFC 4007 section 11).
package radar
