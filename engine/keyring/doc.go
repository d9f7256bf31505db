// Package keyring keeps the keys that a constellation's gossip is encrypted with (AES-256-GCM, by memberlist): a small
// set that every satellite merges, and the rules by which satellites that never vote come to encrypt with the same key.
// The rules are pure: time, dice and what others said are passed in. Package engine/admission carries the keys.
//
//	         Mint: none, or the newest is a day old          all live peers have it, or patience is over
//	(no key) ───────────────────────────────────────▶ known ─────────────────────────────────────────────▶ primary
//	         Heard: a peer gave it                      │                                                     │
//	                                   a satellite was  │      a newer one has been primary for an hour ▼     │
//	                                   ejected ▼        │                                        (forgotten) ◀┘
//	                                                 retired ──── grace, once another is primary ──▶ (forgotten)
//
// All known keys decrypt; the primary encrypts.
//
// # Order
//
// Keys are ordered by their time, then by id. A minter gives its key a time after that of each key it knows, so the
// newest key is the same for all who know the same keys, however their clocks are set. How old a key is, each satellite
// counts by its own clock from when it learned of it: no clock is compared with another's.
//
// # The primary
//
// It is the newest key that is not retired and that every live peer said to have. A peer that is live in gossip, but
// whose answer does not come (its port is shut), holds that up for Patience at most, PatienceRetired when the primary is
// retired; so does a satellite that never heard the others' answers because it did not mint the key. Live satellites get
// each new key at once from its minter, so none is encrypted with that a live satellite has not.
//
// # Rotation
//
// A satellite mints when it has known the newest key for RotateAfter, plus a part of RotateSpread that is drawn from its
// fingerprint and that key: one is the first, and its key resets the day of the others. Two that mint at once make two
// keys, of which the order picks one.
//
// # Ejection
//
// A satellite that learns that another was ejected (Observe) retires every key that it knows at that moment: the ejected
// one may have each. Retirement is of a key, spreads by its id, and is never taken back. Who is first in an order drawn
// from the fingerprints and the retired key mints the next one at once; each further one a little later, should the ones before
// it not have. Retired keys are never handed out, and are erased Grace after another became primary.
//
// That the new key does not reach the ejected satellite through a third, which has not learned of the ejection yet, is
// Basis's task: keys pass only between satellites that know of the same ejections. So whoever holds a key knows of all
// ejections that its minter knew of, gives it to none of those, and does not retire it for any of them. A key that was given to a
// satellite before its ejection was known to the giver is retired by the giver as it learns, before it can pass the key on
// again. Ejections known to this satellite are kept in its file with the keys.
//
// # Beginnings
//
// A fresh satellite mints its own first key. It is lone until another says that it has one of its keys. A lone satellite
// that meets one that is not takes that one's keys and drops its own, so that a newcomer does not rotate the whole
// constellation's key; two lone ones keep the keys of both, and the order picks.
//
// # Convergence
//
// Known keys, retired ids and known ejections only grow but for what is forgotten, merge by union, and are the whole
// input of order; so satellites that have exchanged everything agree on the newest key. What is forgotten by one and
// still known by another is remembered by its id (at most MaxGone) and not taken again. The simulation in sim_test.go
// shows it with partitions, losses, restarts, concurrent minting, ejections and clocks that are off.
//
// # What it does not do
//
// A gossip key is shared: each member can read what all others gossip, and can say things in another's name. What counts
// (requests, statements, keys) goes over TLS, where each satellite proves its own key. An admitted satellite that lies can
// mint keys and retire them, and so disturb gossip until it is ejected.
//
// # On disk
//
// One JSON file, mode 0600, replaced as a whole: see File.
package keyring
