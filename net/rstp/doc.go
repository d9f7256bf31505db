// Package rstp is the legacy edge: it speaks RSTP (IEEE 802.1D-2004 clause 17) on every port that has no satellite
// behind it, so that the whole constellation is ONE bridge to the switches of others. On every edge port of every
// satellite it has the same bridge id and the same cost to the root, and exactly one port of all satellites is
// root port, if the root is outside. An island of switches that is cabled twice, to whichever satellites, blocks a
// link of its own, or we block one.
//
// The package is a sans-IO core: BPDUs, port events, what the other satellites tell, and the time go in; port
// states, BPDUs, what to tell the others and addresses to forget come out (Engine, Effects). Numbers in
// parentheses are clauses of 802.1D-2004. The bytes are in package frame.
//
//	       another satellite                      this satellite
//	+---------------------------+  frame.Edge  +-------------------+   BPDUs    +----------------+
//	| Engine: its edge ports    | <==========> | Engine            | <--------> | an island of   |
//	+---------------------------+  link state  +-------------------+            | legacy bridges |
//	     ^            BPDUs                                                     |                |
//	     +----------------------------------------------------------------------+                |
//	                                                                            +----------------+
//
// # What a port does
//
// The state machines are the standard's: port information (receive.go), role selection (elect.go), role
// transitions (roles.go), topology change (topology.go), transmit (transmit.go), protocol migration and bridge
// detection (receive.go).
//
//	disabled    no carrier
//	designated  discarding, proposes --agreement, or 2 x 15 s--> forwarding     the way to the root for what is behind it
//	            no BPDU for EdgeDelay (3 s), or known to be a host's ----------> forwarding at once, until a BPDU is heard
//	root        discarding --all satellites made way--> forwarding               our way to the root
//	alternate   discarding: another bridge serves what is behind it, and leads to the root too
//	backup      discarding: another port of ours, of whichever satellite, serves what is behind it
//
// # One bridge of many satellites
//
// In one bridge, a new root port makes the old one shut (reRoot) and every other port come to terms with what is
// behind it (sync) in the same instant. Between satellites nothing happens in one instant. So each tells all
// others, in its link state, one frame.Edge: its claim, the best way to a root outside that its ports heard; and
// its consent, for which claim its ports made way.
//
//	satellite A, whose port heard best              every other satellite B
//	  claim (number k, vector, sync?) ----------->  elects by the same comparison, so A's claim wins here too;
//	                                                no port of B is root port; old root ports shut (reRoot); if asked, each
//	                                                port that is not in sync shuts until what is behind it agreed
//	  root port forwards, agrees  <---------------  consent (A, k, synced?), when that is done
//
// A claim gets a new number whenever a consent to the old one is worth nothing: its vector changed, its port
// became root port, or it wants sync. The election compares (root, cost, designated bridge, designated port,
// receiving port id, satellite, port), so any two satellites with the same knowledge elect the same port. What
// they tell is only what they HEARD on their edges, never what they were told, so nothing can count to infinity
// inside.
//
// # Why there is no loop through an island while the news is late
//
// A loop leads out of the constellation at one forwarding edge port and comes in at another. Let them be a and b;
// they may be at two satellites, which may know different roots.
//
// Both designated. Each began to forward upon its neighbour's agreement, or after 30 s. A bridge agrees to one
// vector at a time, and shuts its other ways before it does. Bridges a..b of the island that all forward would
// have one among them whose two neighbours on that way both lead nearer to the root: it has two root ports, or a
// cable has two designated ends that agreed to each other. The standard excludes both, whatever the vectors of a
// and b are: two vectors of different age are no worse than two bridges of different distance. That a's and b's
// inner connection is no LAN on which BPDUs are spoken is made up for by:
//
// (1) One designated (a), one root (b). b forwards only with the consent of a's satellite to b's claim. By its
// consent a was shut or a's neighbour had agreed to the claim's vector, made ours, so nothing that leads to b's
// neighbour by forwarding ports is behind a. If b had been forwarding before (as designated port) then its
// neighbour, now designated, waits for b's agreement, which waits for the same; and it does not wait for ever
// (RSTP: two hello times), so without consent b shuts after one second (consentGrace).
//
// (2) Old root port and new. Consent says that no root port, and no port that was one in the last 15 s, is open at
// the other satellite.
//
// (3) Old root port (b) and a port that becomes designated (a). The bridge behind a agrees to a's better vector
// and counts b's earlier agreement for it, because in one bridge b would be shut by then. So a waits until all
// satellites consented (united).
//
// That covers ports that open. A port that was open already when its vector got better has the same effect: an island turns to
// it at once, and to the old root port too, before the news has that shut. And an open port whose vector got worse may lead to a bridge
// with a better way, which another satellite uses by now. So when the root is another, or the way to it gets better by another
// port than before, all designated ports that are no hosts' shut, ask for agreement anew, and wait until all satellites consented.
//
// (4) Both lead to the same LAN. One hears the other's BPDUs, which carry its own bridge's id: it is a backup
// port. Equal port ids are told apart by the source address, so they need not be unique. A BPDU that comes back to
// the very port that sent it shuts that port (loopWhile).
//
// (5) Ghosts: see ghost.go.
//
// No step of this depends on how late the link state is: it can make a port open late, never early, with one
// exception, which is the standard's own: a bridge that speaks no RSTP, or does not agree, opens its ports by
// timers. Where link state is later than those (30 s for STP, 4 s for a designated RSTP port that nobody agreed
// to, of which (1) takes care), a loop can form.
//
// island_test.go tries all this on random islands with edges up to 5 s late, checks at every step, and shows that
// without any one of the rules loops are found. The same worlds with one plain RSTP switch in our place have more
// of them, and about as many where BPDUs get lost. This is an argument and a simulation, not a proof as package
// tree has one.
//
// # Identities
//
// The bridge id's address is to be the same at all satellites: that of the satellite that is root of the inner
// tree. If the constellation falls apart, the parts have different ids, and the islands join them as they join any
// two bridges. A port's id is a hash of satellite and port, in 12 bits. Nothing needs it to be unique: our own
// ports tell one another apart by (4); a neighbour that hears the same id on two of its ports decides by its own
// port's id (17.6, the last component); and no island has as many cables to us that it would be common. So 1,000
// satellites need no allocation, and ids survive restarts.
//
// A neighbour that believes in the id that we had before takes nothing worse from us until that has aged, and is silent on
// its root port meanwhile. So after a change of address a port counts as a host's no sooner than 8 s later.
//
// When the root of the inner tree changes, its priority or the satellite, the news of the new id takes time, and the constellation
// is two bridges with open gates between them. An island that is cabled to both would be a loop: the satellite that hears first has
// the new id agreed to by the island, through which it comes to the root port of one that has not heard. Therefore:
//
// (6) Under a new id no agreement counts, and no root port opens, before all other satellites told that id in their Edge. Who
// tells a new address has shut all ports but hosts' before. So there is an instant at which none is open: before it only ports under the
// old id were, after it only ports under the new one. What somebody told before he had another id in between is no proof: who
// takes an id back that he gave up a moment ago waits a second for the news to have come.
//
// (7) An agreement that names another root id of ours than that of now was to what we said then, and counts for nothing.
//
// (8) A vector whose root is any of our satellites, or the id that we had in the last eight seconds, is our own word, of before or after a change. It
// is read as if it had the id of now, so it wins nowhere, and as a dispute, so the port that hears it shuts. One whose
// designated bridge is such an id makes a backup port. This keeps the old id from going on as a ghost; (6) holds without it. The price: if a part of the
// constellation keeps the id that the other had, they join through an island eight seconds later than any two bridges.
//
// # What the caller has to do
//
// Apply Effects in their order. Give each edge port's forwarding a lease in the data path and renew it: an engine
// that is stopped must not leave ports open that its constellation counts as shut (Config.Lease; an engine that
// slept longer begins anew by itself, and Close is to be applied before the lease is renewed); name in Remote
// every satellite whose leases may still run. Begin with all ports shut after a start. Call SetBridge at all
// satellites of a part that gives up its id, and wait until each tells the new id in its Edge, before a cable that
// joins it to the other part opens: in the other order the island between them is a loop for as long as the news
// takes. Flush tells which ports' addresses to forget: the satellite withdraws them from its link state, so the
// others forget them too. Give every frame to frame.BridgeGroup that comes in at an edge port to Input, and
// forward none of them.
//
// # Limits, and what differs from the standard
//
// Slower than the standard: a designated port to which nobody agrees waits 2 x 15 s, as in STP (the standard: 2
// hello times, if the neighbour speaks RSTP). Root port and fast designated transitions wait for link state; a
// satellite that is named but says nothing stops the former and slows the latter to 30 s. A new id shuts all ports but hosts' until all satellites have it, and, if it is worse than the one before,
// until the neighbours have forgotten that (6 s). A sync lets no earlier
// agreement count, so every designated port to a bridge shuts for one handshake when another bridge proposes to
// our root port. A way that may be a ghost stands 2.5 s first. A port where BPDUs of two senders are heard counts
// as a shared LAN for 6 s and shakes no hands.
//
// As weak as the standard: a host's port that forwards without BPDUs loops for up to a hello time if someone
// connects two of them by a switch that speaks no spanning tree; the storm cap is what bounds that. Three BPDUs
// lost in a row age what is known. BPDUs are not authenticated: whoever can send them can become root, or cause
// changes at MaxRate a second. When a root dies in an island of many rings, ghosts can still, rarely, close a loop
// for a second (in none of 1,750 random worlds of the last run, in one of 600 of the one before; with a plain RSTP
// switch in our place: in three of 250; in one of 50 where engines stop besides). A stopped engine's ports forward for its lease as they did before,
// whatever happens in the island.
//
// All VLANs share one tree; an MST region sees an RSTP bridge. There is no snapshot: after a restart edges begin
// anew, hosts' ports (Port.Host) at once.
package rstp
