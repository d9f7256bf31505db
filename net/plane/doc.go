// Package plane is the rule of the data path: one satellite's tables, and what becomes of each frame. It has the role of IEEE
// 802.1Q-2018 clause 8.6, the forwarding process, for unicast by shortest paths and broadcast by a tree. It is the
// data path of simulations, and the oracle to which a program in the kernel is held.
//
// It is sans-IO: what the core's effects say goes in by Gate, Live, Edge, Narrow, Follow, Home; frames go in by Input, which
// says where they leave. Time comes in. Nothing is allocated for a frame that passes.
//
// # Ports
//
//	kind    told by the engine         is a port to
//	Local   -                          a guest or the satellite's own stack; addresses are told, see LocalMAC
//	Fabric  gate or live               a satellite: gate carries broadcast, live carries unicast
//	        edge learning, forwarding  the legacy: addresses are learned
//	        nothing, or both           nobody: only control frames pass
//
// Carrier is what the kernel sees, and counts without the engine.
//
// # Between satellites: two bits of the addresses
//
// No lawful frame has the I/G bit (the lowest bit of the first byte) set in its source. So between satellites, and there
// only, the I/G bits of the two addresses tell how a frame travels:
//
//	destination  source
//	0            c        unicast on its path; c is the choice bit, see package flow
//	1            0        broadcast or multicast, along the gates
//	1            1        unicast, along the gates, as its first satellite did not know the destination's home; the destination
//	                      is that without the I/G bit
//
// The first satellite sets them and the last one clears them, so a frame arrives byte by byte as it was sent. Without
// the fourth row a flooded unicast frame could not be told from one on its path: a satellite that knows more than the first
// would send it on along the path, another one along the tree, and it would come twice. A unicast frame to a home that
// is not known where it comes is dropped (DropUnknown). This costs what is sent in the few milliseconds in which a new address
// has reached the first satellite, but not all those on the way. What is lost so cannot loop and cannot come twice.
//
// # Input
//
//	control frame (EtherType 88B5), BPDU    echo request: answered at the port; else to the engine. Never forwarded
//	Local                                   source: one told for this port, else dropped
//	legacy                                  source: no group, none of a local port's; learned. Dropped unless forwarding
//	satellite                               source: not behind a port of ours; for unicast: of a known home, and of ours
//	                                        only if the frame is off its path, as it may come back on its way around a failure
//	then, by destination
//	  01-80-C2-00-00-0x                     dropped
//	  group                                 flood
//	  behind a port of ours                 there, if it lets out what leaves; never back
//	  home known                            path.Tables.Decide
//	  home known as this satellite          to all edges that forward: it was forgotten here a moment ago
//	  else                                  at the first satellite: flood
//
// An address is behind a port of ours if it was told for a local port, or learned at an edge and not at home at another
// satellite. What is at home elsewhere is reported nevertheless (Learned), as a device may have moved; until the core has
// made this satellite its home nothing goes to the edge for it, lest a device get a guest's frames by sending under its address.
//
// A flood leaves by all gates that are open, by edges that forward, and by local ports; not by the one it came in, and by none
// if it came from a satellite over a shut gate (B2). A unicast frame is flooded to no local port but its owner's,
// as all addresses of local ports are known.
//
// # Bounds
//
// F5. A frame is deflected only within Config.Detour (200 ms) after the port on its path died here. All that leaves by a port off its
// path, deflected here or elsewhere, shares a token bucket of 1/Config.Share of the port's speed (one half): what has its
// path there keeps the other half, whatever dies. The burst is 10 ms at that rate, and 64 KiB at least.
//
// B3. Renew is called whenever the engine shows life. Edge ports are shut once it did not for EdgeLease, as the island behind one
// may have changed; gates and unicast after HoldEngine. Echoes are answered for ever, for they tell of the data path.
//
// B4. What one local or edge port may have flooded is a token bucket of frames: 8,192 a second, with a burst of 4,096. That is a
// multicast stream of 95 Mbit/s in full frames, and lets 4,000 devices ask at once after a power cut. A loop in an island
// at 10 Gbit/s has 15 million short frames a second; 1/1,800 of it comes through, which a core per satellite bears easily.
//
// F7. The proofs of package path take it that all satellites on the way hold the same homes. On its path a frame comes by the
// port toward its source, so it gets ever further from that. A detour has no such check: if a guest has moved, and some
// know and some do not, a frame to it can go around a failure toward the one place and the other in turn, for ever. So frames to
// and from an address whose home has changed here in the last Config.Settle (1 s) take no detour; and no frame takes one
// where the engine was not alive in the last half of that. Let the news of a move begin at time t and reach every engine that is alive
// within Settle/2. Until t + Settle those who have heard it take no detours, so detours are among those who have not; after t + Settle/2
// those who have not heard it take none, as their engines have stopped. It costs what needs a detour around a
// satellite whose engine has stopped: 200 ms of it, as F5 says.
//
// # What is lost on purpose
//
//   - frames to an address while its new home is known to some on the way only (DropUnknown, DropStray);
//   - the first unicast frames of an address just learned at an edge, until its home is known to others (DropStranger);
//   - while tables change, frames for which old and new differ (DropNarrow).
package plane
