// Package explore is an exhaustive explorer of the rules by which satellites of different knowledge forward unicast frames
// without loops: U1 to U3 and F1 to F6 of net/path. It is a model of its own: it shares no code with net/path, whose real
// Agreements and Tables it can take along as a mirror, to compare what they allow in each state.
//
//	Scenario   a graph, the versions of it that satellites may learn of, sessions that may end; and Rules left out
//	Explore    all states that can be reached, breadth first: the way to the first loop is a shortest one
//	All        every moment that is consistent for each two neighbours: more than can be reached, in far less time
//	Compare    Explore with the mirror
//	Frames     the hops that a frame can make while all of that goes on
//
// # The state
//
//	satellite          the views adopted, by serial, and which of them have their detours ready; those are kept that a neighbour may act upon
//	its neighbours     up or not; view, serial and readiness last heard; the serial of its own that was acknowledged, echoed or presumed
//	cable              whether one end is still in a session that the other has left, and how often either has changed
//	direction of it    up to Queue announcements under way, in order
//
// All begin in agreement on the first version. Then, in any order: a satellite learns of a version that may follow the one it
// holds, its detours become ready, it sends its present announcement to a neighbour, the oldest one under way is heard, an end
// of a cable loses its neighbour or finds it. Announcements may take any time. One that is lost is as one that was not sent.
// U3 is the model's grain: what an adoption forbids is gone before anything is announced.
//
// # The check
//
// For a source, a destination and a colour, the satellite and the port by which a frame comes in decide where it may go: to the
// next hop, if U1 allows that, or to the backup, if F6a does; or over its entry. Whether a port has carrier is no
// part of the state: a frame may go by the first way or by the second at each hop, as if any cable died and came back at any moment. No
// cycle may be in that graph, which has all arcs as beginnings. This is stronger than to look at each set of dead cables. A
// loop that is found is then looked for among those sets, and told with one in which it is steady.
//
// Frames go only over ports at which a neighbour is up, at both ends: a rule that was found here to be needed, and which a satellite
// keeps by shutting the port before it forgets the neighbour.
//
// Frames take no time in this. In truth tables change while they travel, but each state lets a frame make fewer hops than there are
// arcs, and the number of changes that one fault brings is bounded: so is the frame's way. Frames gives the most it can make.
//
// # What is cut
//
// A satellite adopts at most Adopt times and sessions change at most Flaps times at each end. The floor of topologies
// remembered no more (eight back) is not reached. All takes announcements under way as up to Queue, as Explore does; more change nothing that was found. All
// forgets the order of events among three satellites; a loop that it finds is a hint, and to be found again by Explore.
package explore
