// Package tree is the satellite tree: the protocol by which satellites that are cabled to one another in any way
// agree on a tree of open cables that reaches all of them, and never, not for an instant, opens a loop. It is
// the role of IEEE 802.1D-2004 clause 17, with link state in place of distance vectors and with promises in
// place of timers.
//
// The package is a sans-IO core: frames, link events and the time go in, frames to send and gates to move come
// out (Core, Effects). The bytes are in package frame. The data path is elsewhere: it forwards ordinary frames
// over a port only while that port's gate is open, judged when a frame comes in and again when it goes out. So a
// cable carries traffic only while the gates at both its ends are open, and nothing but gates is decided here.
//
// # Assumptions
//
// A cable has two ends. A cable that is moved to another port loses carrier, and the kernel tells so, before
// it has a new end. (Where that does not hold, say behind a hub, more than one satellite is heard on a port,
// and the port shuts for as long as that is so.) Frames may be lost, doubled, delayed without bound and overtaken.
// Engines may stop for any time, die, and start again. The caller applies Effects in the order they tell.
//
// # Adjacency
//
//	        Hello heard              Hello names our session,       echo answered
//	                                 is proven and sealed
//	waiting ------------> bound(peer) ---------------------> two-way ------------> usable
//	   ^                     |                                  |                    |
//	   +---------------------+----------------------------------+--------------------+
//	     carrier lost · 3 echoes unanswered · peer in a new session · peer hears us no more
//	     · engine silent for HoldEngine · a second neighbour, or ourselves, on the port
//
// A Hello says: I am (id, port, session), I hear you as (id, port, session). It is sent every second, at once
// when its content changes, and then again after 20, 40, 80 ms … until a Hello acknowledges it by sequence.
//
// A session is a number that no port of ours ever had before. It ends, and another begins, whenever a
// two-way adjacency ends. All that two ends promise one another counts within one pair of sessions only, so an old
// frame is worth nothing in a new adjacency.
//
// Two things are watched, each for itself. An Echo every 100 ms is answered by the neighbour's data path:
// three in a row unanswered mean that cable or data path is dead, at most 400 ms after it died. A request
// counts only if our own Tick was there in time to judge it. Hellos show the engine: when they cease while echoes are
// answered, the engine is down or stopped and its data path goes on forwarding; then nothing changes at all for
// HoldEngine (120 s).
//
// # Who the neighbour is
//
// A satellite is an ed25519 key, and its id follows from that key (Auth.Identify). A session has an X25519 key of its own.
// Two ends prove themselves by the signed Diffie-Hellman exchange of ISO/IEC 9798-3, as Canetti and Krawczyk analysed it
// (SIG-DH; Eurocrypt 2001, section 5.1): each signs both ephemeral keys and the other's identity. Key confirmation by a MAC,
// as in SIGMA (Krawczyk, Crypto 2003), comes with it, for a Hello that ends a handshake is sealed already. No identity is
// hidden: names go over the cable in the clear anyway.
//
//	A                                                                       B
//	  Hello: self, keys(A, a, n)                              ------------>
//	  <------------  Hello: self, peer A, keys(B, b, m), proof B to A, seal      B has bound A
//	  Hello: self, peer B, keys(A, a, n), proof A to B, seal  ------------>      A is two-way, then B
//
//	end(X)   = id 6, port 4, session 8, public key 32, ephemeral key 32
//	proof    = ed25519 signature over label, end(signer), end(whom it is for), the latter's nonce 8
//	key(X,Y) = HKDF-SHA256(X25519(x, y), no salt, label, end(X), end(Y)), 32 bytes, for what X says to Y
//	seal     = number 8, then the first 16 bytes of HMAC-SHA256(key(X,Y), the frame up to there)
//
// The labels are "decenter satellite tree 1: proof" and "... seal", each with a zero byte after it.
//
// Every Hello shows keys, and proves nothing by that. It becomes more in two ways. It is PROVEN if it carries a proof for
// our end as it is now: our session, our ephemeral key and our nonce, by the key it shows, which belongs to the id it
// claims and is admitted. It is SEALED if the neighbour of a two-way adjacency sealed it. vet.go lets through nothing else;
// what is neither is answered at most:
//
//	unproven, the port has no neighbour     bound, so that our Hello can carry the proof and the seal it needs
//	unproven, the port has a neighbour      the sender gets our proof for him with our next Hello; else nothing moves
//	proven and sealed, names our session    two-way; the ephemeral private key is forgotten, the nonce thrown anew
//	proven, neighbour's id and port         the neighbour's new life: our session ends, a handshake begins
//	proven, another id or port              more than one satellite on the port: it shuts
//
// A nonce is thrown when an end becomes two-way, so a proof for it was made since; which is why a recorded proof ends no
// adjacency, and why a new life is one that is later than the neighbour's old one. It is thrown again when a proof was taken
// and half of Config.Hello is over, so what was once said of a crowd cannot be said again and again.
//
// Before an end is two-way it takes from a Hello nothing but who wants to be heard, tells nothing but its name and keys, and
// acknowledges nothing: no digest, no claim, no grant, no Flood. Once it is, a Flood or Hello without the neighbour's seal is
// counted and dropped, also if it carries a good proof: that covers keys and sessions, not the rest. It ends nothing, so one who merely speaks on a hub cannot end an adjacency. Identify is asked again at
// every Hello: who is ejected loses the adjacency with his next one.
//
// Replay. Keys are those of one pair of sessions, so a frame counts in that pair only. There each number counts once, within
// a window of 64 (RFC 4303); frames that come twice or late are what everything here bears anyway (Assumptions). After a
// restart the window is that of the snapshot: what was recorded since could be said once more, until the neighbour's next
// frame moves the window on. The sequence of Hellos and objects, and the numbers of claims, make that harmless: it
// is a frame that came late.
//
// Restart. The snapshot holds the keys of two-way adjacencies, so a killed engine goes on with the next number, and no gate
// moves. To negotiate anew instead would need a second session beside the one that the promises are bound to, and
// would protect nothing: who can read the snapshot can read the satellite's key beside it. What is lost is that an
// adjacency's keys can be had from its snapshot until its session ends; no private key of an exchange is in it. An end that was not two-way
// begins a new session.
//
// What somebody on the cable can still do: read; drop, delay or cut, as with any cable; keep an adjacency from beginning
// by Hellos without number (a port looks into 64 in a Config.Hello); have a waiting port take itself for looped by saying
// its own Hellos back; carry Hellos between two cables, which makes one hub of them, whose ports shut. An Echo is not sealed, for the neighbour's data path answers it and has no keys; its session number is
// no secret to who reads the cable. He can answer in the data path's place: then a data path that is dead counts as
// alive for as long as the engine's Hellos come, or HoldEngine. He cannot open a gate: that takes a sealed claim or grant. Guests'
// frames are neither sealed nor hidden here.
//
// # Link state
//
// Every satellite tells everybody, in sequence-numbered objects, its priority, its usable cables with their
// cost, its parent, and the MACs it is home to. Objects go over every two-way cable until acknowledged. A
// satellite that hears an object of its own from an earlier life says its own anew under a higher sequence.
// An object not refreshed (every 5 min) for 15 min is dropped; those of MACs live four times as long.
//
// Hellos carry a digest of the whole store. When two ends' digests differ though nothing is under way, they exchange
// sums of their stores' 128 buckets, and of the buckets that differ what bears on paths is sent, and of fragments of
// MACs, which may be many, the stamps are. An acknowledgement is just that, a stamp one holds, and 0 for none:
//
//	A  sums  ---------------->  B            B's fragments in a bucket that differs:
//	A  <-----  acknowledged: (k, 7) (m, 3)   A has k as of 5, and of m nothing
//	A  acknowledged: (k, 5) (m, 0)  ----->  B
//	A  <----------------  k as of 7, m       until A acknowledges these
//
// A asks one neighbour at a time for an object, and offers in the same way what it got thus, if it is older than 2 s: so a
// satellite that starts gets everything once, and its other neighbours do not get it back. Link state goes ahead of
// fragments, of which at most 64 are on their way over a cable unacknowledged. From one neighbour no more than 500 a second
// are taken in the long run. The pause between two exchanges that change nothing doubles, up to 30 s.
//
// # Homes
//
// The home of a MAC is the satellite it lives at: a virtual machine's, or a device's behind an edge port. Claims are in
// fragments, objects of up to 200 MACs; a MAC stays in its fragment, so few of these change with few MACs. Claims have a
// class and an epoch, as EVPN's have (RFC 7432 sections 15 and 15.2, sticky MACs). The class is the fragment's: of guests, or
// learned at edges. A satellite that begins to claim what another one claims does it under that class's epoch + 1. The
// home of a MAC is told by, in this order:
//
//	1  a satellite that can be reached is home to its own id, whoever claims it
//	2  claims of satellites that can be reached
//	3  claims of guests: no frame that somebody sends takes a virtual machine's address
//	4  the highest epoch
//	5  the lowest id
//
// All have the same claims, so all find the same home. A satellite drops its claim of a device when another one's
// beats it; the device's next frame begins a new one, unless the address is a guest's at a satellite that can be reached: that
// is counted and told (mac-spoofed), and nothing is said to others. Once the guest is gone the next frame counts again. Who took
// a MAC from others five times in 180 s leaves it to them for as long, and tells (mac-moving).
//
// Homes are kept up from the old and new content of the object that changed (index). No path depends on them. A home that
// cannot be reached stays the home as long as nobody else claims the MAC: data paths know who can be reached, and a topology
// change touches contested MACs alone. A restarted satellite takes the epochs of its earlier life from what others have kept.
//
// A satellite's own address is learned at an edge only while it cannot be reached: where an island of switches alone joins two parts
// of a constellation, each is a crowd of devices to the other. The claim ends as soon as cables reach it; rule 1 holds from that instant.
//
// A virtual machine's claim is beaten by a higher epoch of another guest's, but never dropped: it counts again once that ends.
// An engine that starts claims for 30 s what its earlier life did, as the data path that outlived it tells of devices anew;
// but nothing that somebody else has a claim of by now.
//
// A satellite says 1024 fragments at once and 50 a second in the long run, whatever devices behind its edges do.
//
// From this everyone computes the root, the lowest (priority, id) within reach, the distances from it over
// cables that both ends tell, and so what it WANTS to be: a vector (root priority, root id, distance, own id), and
// a parent, the lowest id on a shortest path. What it IS follows only as promises allow. Wrong or old link state
// can make a tree worse, or late; it cannot make it a loop.
//
// # Promises
//
// vec is a satellite's actual vector. Vectors are ordered lexicographically and no two satellites' are equal.
// Each end of a cable is shut, up (open toward a parent) or down (open toward a child); see gateState.
// Each end has one claim: numbered, and either none or "I want to be your child, with vector B".
//
//	child c                                     parent p
//	  claim (k, B)  --------------------------->  p.vec < B, p claims nothing here and c has seen so:
//	                                              down, bound := B
//	  up, floor := B  <-------------------------  granted k
//	  ...
//	  up shuts, then claim (k+1, none)  ------->  down shuts
//
// The rules, by which gates.go is written:
//
//	R1  Claim numbers grow within a session. An end that is down claims nothing.
//	R2  An end becomes down, or its bound changes, only for the newest claim heard, only if vec < B, and only if
//	    its own claim is none and the neighbour has said that it heard so (or of no claim at all).
//	    While it is down, vec < bound.
//	R3  An end becomes up only when the neighbour grants the newest claim of this end, and only if vec >= B then;
//	    the other end that was up shuts first. At most one end of a satellite is up. While it is up,
//	    vec >= floor, and floor >= B of every claim made since the one last known as granted, that included.
//	R4  Gates whose promise a new vec would break shut before vec changes, and before anything is said of it.
//	R5  When a session ends the gate shuts and all promises end.
//
// # Proof that open cables form a forest at every instant
//
// Let both ends of a cable, x and y, be open: x in sessions (X, Y), and y in sessions (X', Y').
//
// (0) Both are in the same sessions. An end opens only upon a claim or grant, which the other end says only while it is
// two-way, naming both sessions; and a two-way end that loses its peer's session gives up its own (R5). So x, now in
// X, was two-way in (X', Y') when it said what y opened upon; if X = X' then it still is, and Y = Y'. Likewise
// for y. Else both differ. Then x began X before y named X, which y did in Y, before it began Y', before x named
// Y', which x did in X'. So x was in X' after it had begun X, though it is in X now and takes up no session twice.
//
// (a) Not both are down. Let x be down. By R2 x claims nothing and y heard that under a number above all that
// x ever claimed; x claims nothing as long as it is down (R1). y takes only newer claims, so y has held the claim
// "none" of x since before x became down, and is not down.
//
// (b) Not both are up. Let each have been claiming without a break since s(x) and s(y), up to now. x became up upon
// a grant of its newest claim, so y was down at some t(y) after s(x); y, being down, claimed nothing (R1), so
// t(y) < s(y). Likewise s(y) < t(x) < s(x). So s(x) < t(y) < s(y) < t(x) < s(x), which cannot be.
//
// (c) So one end is up, say c's, and the other is down, p's, for a claim k' of c. p's grants only go to newer
// claims, so k' is not older than the claim k that c last knew as granted; by R3 floor >= B(k'), and so
//
//	vec(p) < bound = B(k') <= floor <= vec(c)
//
// (d) Point every cable that is open at both ends from child to parent. Each satellite has at most one such arrow out
// (R3), and along an arrow vec falls. A loop of n satellites has n cables, each the one arrow out of one of
// them, so following the arrows leads around it, with vec falling all the way back to where it began. That
// cannot be; also not with two cables between the same two satellites. The open cables are a forest. QED.
//
// Nowhere is a time in this. A stopped engine keeps its vec and its gates, and with them its promises. Between the
// moment a core decides and the moment its caller has applied the closings nobody else knows of the decision, so the
// decision may be thought to happen at the latter; openings come last. A killed engine that restores its snapshot
// is one that was stopped: the snapshot is stored after the closings and before anything is said or opened. One that
// has no snapshot shuts every gate before it says anything, and speaks in new sessions.
//
// # Unicast
//
// A frame for one satellite takes a path of package path, which has the rules (U1 to U3, F1 to F6) and the proof
// that no way leads around. The proof asks three things of who carries announcements between satellites: that each
// is true of the data path from the moment it is sent; that they are heard in order; and that nothing counts beyond
// the conversation it was made in. This is how the core does that (unicast.go).
//
// There is one graph, that of the link state; the tree and the paths are both computed from it, and anew only if
// cables changed.
//
//	graph changes           adopted                  followed                    agreed
//	----------------> serial n, told, not ready --> neighbours echo n:      --> all neighbours hold the same, and say ready,
//	                  longer ways are shut (U2),    longer ways open            and echo n: detours may be taken (F6a)
//	                  detours too (F6a)                 |                                ^
//	                                                    +-- own detours worked out: told, ready
//
// Each Hello of a two-way adjacency has one frame.Agree: the version, serial and readiness of our tables, and the
// serial of the neighbour's announcement that they follow (its echo). One Ready, in this order: works a slice at the
// detours, which are a second of work for a thousand satellites, so a millisecond at a time; adopts the graph if its
// version is another; hears what neighbours announced; makes the tables that follow from all this; and only then
// writes Hellos. With the order of Effects this gives:
//
//	S1  While the caller is between steps 1 and 4, the data path does only what both the tables of before and of
//	    now would. So what was announced before is true until step 3, and what is announced in step 3 is true from
//	    then on.
//	S2  The echo of a serial goes out only when tables that follow it were given (accord.follows); the neighbour
//	    then lets go of what we may have acted upon. Likewise a serial goes out only when what it forbids is
//	    narrowed away.
//	S3  Announcements of one session are heard in the order of Hello.Seq; one that comes late is not heard. A
//	    serial that runs back, or the echo of a serial that was never told, is not taken.
//	S4  A conversation is that of the two ends of one cable, within one pair of sessions, as the promises of
//	    gates are. The agreement hears of a neighbour (Up) when the end is two-way, before anything is told it in
//	    that session, and loses it (Down) with the session. A port is Live only while usable, and a frame counts
//	    only if the port by which it comes is Live too. So by (0) above a frame crosses a cable only between ends in
//	    the same pair of sessions, and of a new session the tables allow nothing before the neighbour has announced
//	    something in it.
//	S5  The snapshot has all that the agreement holds. A restored core says what was last said and gives no
//	    tables until it can give the same ones again; till then it hears nothing, adopts nothing, and no port that
//	    began anew is Live.
//
// S4 is why two cables to one neighbour are two conversations. Were they one, an end might go on by what it heard
// over a cable that is dead only for the other end, which has let go of it.
//
// A port that dies closes Live in the Ready that notices, and the data path acts upon carrier by itself. That is all
// that the local repair needs. What a new graph costs then is the time of one exchange with the neighbours, during
// which frames that need a detour, or a longer way, wait for nobody and are lost.
//
// A neighbour that is silent, or speaks and follows nothing, keeps longer ways shut and detours untaken around it,
// for HoldEngine at most; then its adjacency ends. If no echo of it came yet, three and a half Hellos are enough.
//
// A member that lies. It can say that it is near to a satellite, and get frames for it: so it can by its link state.
// It can send frames anywhere, and turn them round: no rule binds it. It can echo what it does not follow, so that
// frames between it and its neighbour run to and fro for as long as it sends them back. It can echo nothing, which
// costs its neighbours the longer ways and the detours for HoldEngine, again in each new session. It cannot make a
// frame go round among honest satellites alone: of what one honest satellite tells another nobody else's word is
// part, and each judges a next hop by what that one told. What it says takes a few dozen bytes of memory; a version
// that we do not hold is that of a neighbour by which nothing goes.
//
// # Why it heals, and what it disturbs
//
// Once the link state is the same everywhere, the root stands at its vector, and a satellite whose wanted
// parent stands is granted what it claims, by induction over the distance. Falling is free (it waits for the
// parent); rising is free where the children rise first, which they do by themselves from the leaves on.
// Only a satellite that needs a new parent, and whose children did not make way within Grace (50 ms), shuts
// their gates. A child keeps its old parent until the new one has granted. So a change of speeds, of the root,
// or of a cable outside the tree moves just the gates that must move.
//
// # Legacy edges
//
// With Config.Edges a port without a satellite behind it is an edge: package rstp speaks on it as one port of the one bridge
// that all satellites are to the switches of others. Its id is (priority, id) of the root of the tree; all 16 bits of the
// priority count.
//
//	carrier ---- a probe each Hello; a Hello, or any frame of ours, heard; or a probe answered ----> no edge, until carrier changes
//	   |                                                                                               ^
//	   +-------- three Hellos' time of neither, while we were there to hear it --------> edge ---------+
//
// A probe is an EchoRequest to the nearest-bridge group. A data path answers it by itself: where an engine is dead, gates may be
// open still. A satellite that is not admitted says Hello, so its port is open to nobody. BPDUs are spoken meanwhile, so a host
// works three seconds after it is plugged in; but of what is heard in the first Hello's time only the last BPDU is used, and only
// if no satellite was heard, so that two satellites never take one another for bridges. A host's port goes on at once after a
// restart, if the kernel's count of carrier changes says that nobody touched it; a bridge that was put there all the same is
// borne as 802.1D bears one at an edge port, for a hello time. Should more than one satellite and a host share a hub, none of
// them gets anything.
//
// Silence makes no edge of a port where a satellite was heard since its carrier came, admitted or not, however long it lasts and also
// over a restart: a cable that loses everything for a minute, as behind a media converter, would be two hosts' ports when it works
// again, and a loop until the first Hello. So who replaces such a satellite by a laptop, behind a converter or hub that keeps carrier up, must
// unplug the cable at our end once; PortView.Note says so. What stays is two ports, of satellites that never heard one another, between
// which a cable begins to work without carrier. There an edge that forwards probes four times each Hello (4 frames, 2 kbit a second): the
// first answer shuts it, and one shut end is enough, so the loop lasts a quarter of a Hello at most, and half of that on average.
//
// What a satellite's edges have to tell is in an object of its own, and its main object says that there is one; so who knows
// that a satellite is there knows whether to wait for its word. Those without edges tell nothing, and nobody waits for them. A
// satellite counts among the others' edges (rstp.Engine.Remote) for as long as it can be reached, and for EdgeLease after that,
// which is when its data path has shut them by itself. So it has if its engine is stopped: neighbours tell that it is silent,
// and once all of them have said so for EdgeLease nobody waits for it any more. When it wakes up, its edges wait three Hellos
// before they open, and in that time it hears what it missed.
//
// Parts join as one bridge. Let an island of switches connect two parts of a constellation, each with its own bridge id, and let
// a cable be put between them. Island and cable are a loop, until the part that gives up its id has shut its edges and begun
// anew. So an end of a cable is JOINED before its gate opens or unicast passes (Live):
//
//	confirmed   all satellites with edges in our topology, ourselves included, told the same id, ours; or there are none;
//	            and nobody is named in the link state of whom it says nothing
//	joined      our id is confirmed, and the neighbour's last Hello says that it confirmed the same, or has none with edges;
//	            and his link state tells the cable, so that our topology is his too
//
// The cable is in the link state, and so in the tree's topology, as soon as it is usable: else the root could not be learnt. Once
// joined it stays so until the adjacency ends: from then on both ends are one part, and a new root is a matter for rstp alone: there
// no edge but a host's opens under the new id before all that have edges told it, and so shut theirs.
// An end whose id changes takes it back if the other has not said yet that it joined. All this only delays openings, so the
// proof above knows nothing of it. Where nobody has edges nothing is waited for but the link state that a claim needs anyway. It
// is never waited for ever: not for a silent satellite (above), nor longer than EdgeLease for one that is merely named.
//
// # What is delivered twice
//
// A tree that is right at every instant can still deliver a broadcast twice, because the frame takes time: it has passed a
// satellite that then goes elsewhere, where another copy arrives later. Two rules, that are no part of the proof, see to it:
//
//	D1  An end becomes up no sooner than Drain after any end of the satellite shut, or after it granted a child a higher bound.
//	D2  A root takes a lower vector no sooner than Drain after its end that was up shut.
//
// So two trees that are joined by an opening have been apart for Drain. For let n become the child of d, both connected less
// than Drain ago. Just before it opens, n is the top of its tree, and d is in another. If n was not the top when they came
// apart, it shut its end that was up since (D1). If it was, d was below it, at a higher vector than all that are between them,
// and either those between rose above d, and n granted the last of them a higher bound after that (D1); or d's tree fell, which
// it does only by entering elsewhere (D1) or by standing as root (D2), at least Drain after it left. What is
// under way for longer than Drain may come twice, and so may what is overtaken, on one cable, by a frame of the engine's that
// was sent after it. A satellite whose new parent is its own child still leaves its old parent at once, so
// that a whole branch that turns around waits only once.
//
// # Restart
//
// A restored core opens and claims nothing until its neighbours' digests equal its own and nobody named in the
// link state is missing, or ten seconds have passed (Restore). Then it wants what it wanted before, so nothing moves. The paths
// that it was forwarding by it works out anew from the snapshot, and then gives the same tables.
//
// # Limits
//
// While an engine is silent, its neighbours cannot get its grant: a cable that breaks in that time is healed only
// by ways that need no new consent of the silent engine, until it is back or HoldEngine is over. Of unicast the same is
// true: while it echoes nothing, its neighbours take no way that became longer. A crowded port stays shut. What somebody on
// the cable itself can do is told above.
//
// BPDUs are not authenticated: whoever is behind an edge can become the legacy's root, and so draw traffic between islands, or
// cause changes, at the rate that rstp allows. There is no way yet to tell a port to believe in no root. Three probes lost in a
// row after carrier make an edge of a cable to a satellite whose engine is dead; the next answer shuts it.
package tree
