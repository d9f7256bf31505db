// Package flow says which of the equal paths between two satellites a frame takes. It has two halves: Hash and Colour, a
// function of the frame alone that every satellite on the way computes alike; and Choices, by which the first satellite
// lets each flow use the less loaded of two paths without ever reordering it.
//
// # Colours and the choice bit
//
// Between each two satellites there are K paths, the colours of package path. A frame belongs to two of them:
//
//	colour = (hash(frame) + choice · (K/2)) mod K        K/2 rounded down
//
// choice is 0 or 1. The first satellite sets it, in the I/G bit of the source address (the lowest bit of byte 6), which is 0
// in every lawful frame (IEEE 802-2014 8.2.2); the last one clears it. So no header is added and a frame arrives as it left.
//
// # Hash, byte by byte
//
// The mixer is the finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014):
//
//	mix(x): x += 9e3779b97f4a7c15; x = (x ^ x>>30) · bf58476d1ce4e5b9; x = (x ^ x>>27) · 94d049bb133111eb; x ^ x>>31
//
// All arithmetic is modulo 2^64, all fields are big-endian. Each end of the flow has a number:
//
//	end    = mix(mac)                        the 48-bit address; the source's with its I/G bit cleared
//	IPv4     mix(end ^ address)              32 bits
//	IPv6     mix(mix(end ^ first half) ^ second half)
//	TCP/UDP  mix(end ^ port)                 after that of the address
//
//	hash   = mix(end(source) + end(destination) + kind)
//	kind   = 0 without IP; 100 + protocol for IPv4, 200 + protocol for IPv6 (hexadecimal)
//
// Addition makes it symmetric: both directions of a flow have one hash. What is read:
//
//   - up to three tags (8100, 88a8, 9100) are skipped; their content does not count;
//   - IPv4 (0800) with version 4, header length of 5 to 15 words, all within the frame, else it is no IP. Of a fragment (more
//     fragments, or an offset) the ports are not read, so all fragments of a packet have one hash;
//   - IPv6 (86dd) with version 6. Up to MaxExtensions extension headers are passed: hop-by-hop 0, routing 43, destination 60
//     (8 + 8·length bytes), authentication 51 (8 + 4·length), fragment 44 (8 bytes). Protocol is the next header that is none
//     of these, or the one at which the frame or the patience ends. With a fragment header, other than an atomic
//     one (RFC 6946), the ports are not read;
//   - ports, the first four bytes of TCP (6) and UDP (17), if they are within the frame.
//
// testdata/vectors.txt has frames with their hashes and colours, for programs in other languages.
//
// # Choices
//
// A flowlet is a run of frames of one flow with no pause longer than Gap. If Gap exceeds what two paths can differ in delay,
// a flow that changes its path between two flowlets only is not reordered (Sinha, Kandula, Katabi: Harnessing TCP's
// burstiness with flowlet switching, HotNets 2004). At a new flowlet the less loaded of two first hops is taken; two random choices are
// nearly as good as all (Mitzenmacher: The power of two choices in randomized load balancing, 2001).
//
// The table is direct-mapped by the hash and has no tags, as in CONGA (Alizadeh et al., SIGCOMM 2014): flows that
// share a slot share its choice, and its pauses. So a collision costs freedom, never order.
//
//	empty, or silent for Forget ----------------------> the less loaded port
//	pause > Gap, not moved within Dwell -------------> the other port, if (its load + own) < load · (1 - 1/Better)
//	the port of the choice is down or not legal -----> the other, at once
//	else                                               as before
//
// own is what the slot itself has sent lately: without it a lone elephant would walk to and fro between two idle ports, always away
// from itself. With it each move lowers the larger of two loads, so moves come to an end when the traffic is steady.
//
// What it gains, in the tests, with flows of Pareto-distributed rates: with two ports the fuller one has 4 % more than the mean, where
// hashing alone has 40 % (20 runs); on a 4x4 torus the fullest first hop has 3.1 times the mean by choice, 3.6 by hashing, and 2.9 by one
// who knows all rates (12 runs).
//
// A load is the bytes that a port sent, halved each 16 ticks of 2^20 ns (16.8 ms); it is brought up to date when it is
// touched, in integers. Loads of ports of different speed are compared by their share of it.
package flow
