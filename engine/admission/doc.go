// Package admission is how satellites come to trust each other: they exchange the accounts' statements (package
// engine/trust) and the keys of gossip (package engine/keyring), each in one question and its answer.
//
//	POST /decenter.v1.Satellite/Exchange        HTTP/2 on TLS 1.3, on the port of satellites' requests
//	Content-Type: application/json              no account: the satellites' own keys speak
//
//	{"version": 1,
//	 "digest": "<64 hex>",                      of all statements that the sender spreads (trust.Store.Digest)
//	 "basis": "<64 hex>",                       of the ejections that it knows of (keyring.Ring.Basis)
//	 "statements": [{"line": …, "signature": …}],   where the digests differ
//	 "ring": {"lone": false, "have": ["<16 hex>"], "retired": ["<16 hex>"], "keys": [KEY]}}
//
// The answer has the same form. An exchange is at most maxRounds of these on one connection:
//
//	asker                                     answerer
//	digest, basis, news, ring without keys ─▶ merges the news
//	                                       ◀─ digest, basis, its statements if the digests still differ,
//	merges those                              its ring and the keys the asker has not, if both know the same ejections
//	digest, basis, its statements, keys    ─▶ …until digests and keys agree, or nothing changes any more
//
// # Who gets what
//
//	the other end is            may present                 gets
//	admitted, by what this      all statements              all statements; if it knows of the same ejections
//	satellite knows by now                                  as this satellite, gossip keys too
//	anyone else (a stranger)    at most maxStranger: admissions and ejections of either end, and grants of owner
//	                            likewise of either end, and the grants of owner that they rest on
//
// "By now" is after what came with the very question: a newcomer that brings its owner's admission is answered as a
// member. A statement proves itself, so it does not matter who brings it; that a stranger may bring few, keeps it from
// filling the set. The same rules hold for what an asker takes from the answerer. A ring's part is only ever in a message
// to an end that proved an admitted key on that very connection, and its own is only believed then. All is decided anew
// for each message, under one lock with the look at the ejections, so that a connection that is older than an ejection
// gives nothing after it.
//
// # When
//
//	an account's statement is new here    at once with all live members, the statement in the first message; a satellite
//	                                      just ejected is told that too, and nothing else
//	one was heard from another            with a few more, picked by dice: who made it known tells all the others
//	a key was minted                      at once with all live members
//	a member became live                  with it
//	every 30 s                            with one live member, and with one that failed, picked by dice
//	Introduce                             with addresses that the fabric or the configuration tell of
//
// Exchanges with different satellites never wait for one another; with one satellite there is one at a time, and what
// became new meanwhile follows it.
//
// # Strangers
//
// Anyone on the cable may connect. The listener (package rpc) therefore does TLS handshakes within bounds, asks Member at the
// end of each, and lets strangers have few connections for a short time. What they may ask is bounded here. Their statements cost a signature's check only if their signer is an owner.
//
// # Ejection
//
// A satellite that learns of its own ejection says so in its log, erases its gossip keys (Observe, in package keyring) and goes on
// alone; its guests run on. The others retire all keys that it had.
package admission
