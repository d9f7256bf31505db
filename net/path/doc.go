// Package path derives from one topology all by which a satellite forwards unicast frames: the paths, the detours
// around what is dead, and which of them may be used while neighbours still hold another topology. It is the part of
// IEEE 802.1aq that is arithmetic: equal-cost trees, the reverse-path check, the agreement; and in place of its
// reconvergence an own kind of fast reroute. Frames carry no header of ours and no time to live.
//
//	Topology   the satellites and cables, and their Version          NewTopology
//	Routes     own and neighbours' distances, next hops by colour    NewRoutes: (1 + neighbours) runs of Dijkstra
//	Repair     marks (F1), backups (F2), entries off the path (F3)   NewRepair, Step: N runs, in slices
//	Agreement  what is legal now (U1 to U3, F6)                      Adopt, Step, Up, Down, Heard
//	Tables     all that the data path reads, and its rule            Agreement.Tables, Tables.Decide
//	Memory     what a killed engine must not forget                  Agreement.Memory, Recall
//
// # Colours
//
// For each source s, destination d and colour there is ONE path P(s,d). IEEE 802.1aq compares sorted lists of masked
// ids. Here each cable has, for each colour, a weight of 47 bits that is drawn from the ids and ports of its two ends, and
// of all shortest paths the one of least sum of weights is taken. This is the least path in the order (length, sum), so:
//
//   - it is symmetric, as a cable weighs the same both ways, and sums know no order;
//   - each part of it is the path between the part's ends; so next hops suffice, and the paths to d are a tree T(d);
//   - parallel cables are chosen between like any others;
//   - a cable elsewhere that comes or goes does not move it, unless it offers a better one.
//
// Two sums are equal by chance once in 10^14. Then ends could choose differently; F1 drops such frames, nothing loops.
// By symmetry a satellite reads its own next hops to all destinations off the one tree toward itself.
//
// # Detours
//
// Fix d and a colour. p(z) is z's parent in T, S(z) the subtree of z: who goes by z. A cable outside T from u to v
// (an arc u→v) meets at n, the nearest common ancestor of u and v. From a subtree S(x) an arc out of it is an exit if
// n is a proper ancestor of x. If n dies, its children's subtrees must help one another. The children are ranked: first, in
// any fixed order, those from whose subtree an exit meets above n; then, breadth first, those with a cable to a subtree
// already ranked. Who gets no rank is cut off from d when n dies. best(x) is the exit of S(x) whose meeting is nearest to
// d, then which enters the sibling's subtree of lowest rank, then (if no ranked one) n itself, then the shortest.
// The best exit of a subtree is the best of each smaller one that it begins in.
//
// A frame is deflected at z when p = p(z) is down, and goes by best(z): down in T, then over the exit. Off its path:
//
//	came by             goes on
//	y→x down in T       to best(x)
//	u→v outside T       if v is n: up. Else with i, j the children of n above u and v:
//	                    if best(v) meets above n: to best(v)
//	                    if rank(i) > rank(j), so that n may be dead, and best(v) enters a rank below rank(j): to best(v)
//	                    else up
//	x→y up in T         as a frame that came into S(x) by best(x) the other way
//
// (Where n is d, or j has no rank, always up.) All this is a function of (colour, in-port, d), computed in one pass
// over the cables. The third line is sound: let a frame go up x→y that came into the subtree from S(i), meeting at n. The arc
// back is an exit of S(x), so best(x) meets at n or above. If above, the frame would have taken it at x. So best(x) meets at
// n: the arc x→y knows n. If i ranks below j then best(x) enters a rank below j's, and any frame for which n may be dead
// would have taken it; so only frames for which n lives go up. Else best(x) enters a rank above j's; so there are no
// cables from S(x) to a lower one, and all frames here come from higher ranks. Either way the rule fits all who come.
//
// Theorem 1. If one satellite or one cable is down, and d can be reached from z, the detour from z reaches d.
// Call n1 the meeting of best(z); it is p or above, and p only if nothing passes above p from S(z) itself. Let p be dead
// and z ranked. If n1 = p the exit enters a lower rank; from there frames treat p as dead, and each child of p that is
// ranked has an exit above p or to a lower rank, so they are turned at that child at the latest, and pass above p. If n1 is
// above p, i is the child of n1 above p, and S(i) is left. Either j ranks below i: then ranks fall, and S(i) has the higher.
// Or the frame goes up to n1, or leaves S(n1) by an exit above, for which the same holds. At n1 it is on P(s,d) again, as
// s lies in S(z). So S(z) and p are never entered again. If p cannot be avoided, or is d, then the exit enters n1 = p or
// an unranked sibling and goes up to p, which then must be alive.
//
// Theorem 2. In one topology no frame comes twice to a satellite by the same port, whatever is down, and though that
// changes on the way. On P(s,d) it comes ever nearer to d, so let it be deflected at z. Off its path, meetings rise
// toward d from exit to exit, or stay while ranks fall, or n1 is gone up to; between two exits the way goes up in one
// subtree and then down in it, never up again. It never comes
// by an arc x→y of T inside S(z), as shown; so it cannot be taken for on-path upstream of z. It is on-path again
// only at a satellite nearer to d than z; let it be deflected there or further on, at z'. The first detour lies inside
// S(z'), with meetings at z' or below. The second goes down by best exits that meet above z', which the first would
// have taken too had it come by the same arc; and then it is outside S(z'). So no arc is used twice.
//
// F4 is needed for this: deflected anew, frames run to and fro between two failures on a ring. So are the marks of F1:
// that a frame comes by the port toward its source, and from a satellite whose next hop to d is this one, is true
// of some detours too. Tests leave out each, and find the loop.
//
// # Mixed versions: F6
//
// Take the moment at which satellites hold different topologies. D^v is a distance in topology v, FD as in U2. U1 and U2 make
// FD fall along each next hop in use: if k is x's, FD(k) <= D^seen(k) < FD(x), as seen is what k holds or what
// x has not acknowledged k to have left. F1 to F5 alone do loop. A deflected frame may come to a satellite that has left the
// topology by which it was deflected, and be sent back. F6 is the rule that was missing:
//
//	F6a A satellite deflects, and follows entries off the path, only while each neighbour that is up holds the same
//	    topology and its detours, has said so, and has acknowledged that it does (Agreement.Agreed).
//	F6b Until all have acknowledged, transit frames are on-path only if they are so in the present topology and in each
//	    one that a neighbour may still act upon (Tables.Before). It is U2 for marks: they go at once, and come when all know.
//
// Theorem 3. Under U1, U2 and F6 no way goes round at any moment, wherever it begins. Let it; it is no detour alone, since in one
// topology those end, and F6a keeps a detour among satellites of one: two neighbours that are both agreed hold the
// same, as each one's last acknowledgement names what the other had told. So it has on-path satellites. From one
// to the next by a next hop FD falls. Else z deflects, with topology v. z is agreed, so FD(z) = D^v(z). The
// detour runs among satellites with v up to one, x, which hands it to the first that takes it for on-path, y. If
// y holds v, then y lies on P^v(s,d) behind z: FD(y) <= D^v(y) < D^v(z). If y holds another, then
// x has acknowledged nothing since v, so by F6b the arc x→y is of P^v(s,d) as well, and again FD(y) <= D^v(y) < D^v(z)
// by U2. So FD falls all the way around, which cannot be. (Frames off the path that y does not take are dropped by F6a.)
//
// Without F6b: let the paths of topology v be s-q-r-z-d, w-z, x-w, y-d, with cables s-x (dear) and x-y. z-d dies; z's
// detour is z-w-x-y-d. y and q have just learnt of a topology without s-q and with a cable y-q, where s goes
// s-x-y-q-r-z-d. Nobody else has heard of it. y takes the frame that x sends for one on this path, and sends it to q, r, z: it
// goes round. Each is agreed but y and q. TestPathsOfBeforeAreNeeded plays it. TestDetoursWithoutAgreementLoop
// finds others without F6a. Shorter ones are found by package explore (engine/sim/explore), which tries all states of small worlds:
// without F6b a ring of 5 loops when one satellite alone has heard of a change; without F6a a ring of 4, five steps on.
//
// A neighbour, in all this, is one end of one cable: satellites with two cables between them agree over each, as one may begin anew
// while the other stands. A frame that comes by a port that is not up is dropped: whoever sent it acts upon promises that
// are over at this end. And a port that leads elsewhere than the topology tells, because the cable was moved, is legal for nothing and
// keeps all from being agreed.
//
// What F6 costs: from the first announcement of a new topology until all around have acknowledged it, frames that would
// need a detour are lost, and so are frames whose path moves to a satellite where not all have. Paths that are the
// same in both topologies lose nothing, provided that U1 has nothing against them.
//
// # Order of work (U3)
//
// Adopt new Routes; take out of the data path all that Tables no longer allows (next hops that are not Legal, marks, backups and
// entries, if not Agreed); announce (version, ready, serial) and echo neighbours' serials; work through Agreement.Step
// between other things, which makes it ready; announce that too; and at each Heard, Up and Down install what Tables allows then.
// Always in two steps: first the data path does only what both the old tables and the new ones would, and by the same port; then
// things are said; then it follows the new ones. Each step's tables do less than ones that the rules allow, so the theorems hold in each.
// Marks of before are intersected with the present, so that taking away comes first and adding when all have acknowledged.
// Package tree does this, and its comment tells what it owes: that a neighbour's serial is echoed only when the tables follow it.
//
// An engine that is killed and restarted is one that was slow, if it recalls all it promised before it says anything. Its
// tables stand in the data path; Recall gives the Agreement, and Step the Repairs that were in use, before anything new is heard.
// Until its Repair is Ready a satellite checks transit frames by F1's port, and by the marks of before. Nobody can be
// agreed with it, so it is sent no deflected frames.
//
// # Sizes, for N satellites, K colours, P ports at this one
//
//	next, backup   1 byte each for (colour, destination)              K·N, K·N
//	off            1 byte for (colour, in-port, destination)          K·P·N
//	marks          2 bytes for each pair whose path leads through     K·N·(mean number of hops), on the average satellite
//	distances      8 bytes for (self or neighbour, destination)       8·(1+P)·N
//	work           linear in cables
//
// A satellite in the middle of all has more marks, N² pairs at most; that is the one size that is not linear.
//
// Routes take about 1 ms for 1,000 satellites of degree 5 and four colours on one core at hand, the topology with its
// digest 4 ms, Tables with what is legal 0.05 ms, Repair 0.3 s in all, 0.3 ms a destination (300: 0.3, 1.6 and 35 ms;
// 100: 0.1, 0.6 and 4 ms). Of a destination's tree a satellite works through no more than the branch in which it is itself; half of the time is Dijkstra's.
//
// # Limits
//
// A satellite knows a frame's source and destination homes and its colour from the frame alone; so all must map the same flow to
// the same colour, also on the way. F5 (how long, and how much) is the caller's. What neighbours say is taken as true.
package path
