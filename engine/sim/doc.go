// Package sim proves the satellite tree by trying to break it: many satellites with their data paths, cables, hubs, switches of
// others and hosts in one process and one virtual time, in which things fail while frames are under way, and checkers that
// share no code with what they check. It is a deterministic simulation as FoundationDB made it known: one seed gives
// one world, one list of faults and one outcome, to the last frame.
//
//	Generate(seed)  ->  Schedule  ->  Run  ->  Result: totals, or a Failure
//	                       ^                              |
//	                       +----------- Shrink <----------+
//
// # The world
//
// A satellite is an engine (tree.Core) and a kernel (plane.Plane, the rule that the eBPF program follows). The engine dies, stops
// and comes back, also in the middle of applying Effects; the kernel lives on with the tables it has, its leases run out,
// and it answers echoes. Only when a satellite loses power its kernel is gone too. Each satellite has a clock of its own.
//
//	      +--------- satellite ---------+
//	host -| kernel: plane.Plane  | port |====== cable ====== satellite
//	VM   -|    ^ Effects   | frames     |
//	      | engine: tree.Core    | port |------ cable ------ legacy switch --- host
//	      +-----------------------------+         \ hub
//
// A cable has two ends or, as a hub, more; or both its ends at one satellite. It takes time, loses, doubles and reorders what
// the engines say; it goes dark at both ends or one, is cut and mended, or loses all in one direction or both while its
// carrier stays. What hosts say is delayed little, so that a frame is through the fabric well within tree.Config.Drain; for
// engines' frames delays go up to tens of milliseconds, so that the next fault comes while the news of the last is under way.
//
// The legacy switches are those of package legacy: RSTP and STP after the standards. That they learn and forward is done here.
//
// # Schedules
//
// A Schedule is plain data: the satellites, cables, switches and hosts, and a list of Actions, each at its time: faults, and
// frames to send. First all starts and settles (warm); then the Actions run; then peace: engines start and thaw, a part of the
// faults is mended, and the world has to work. Nothing else is random, but what a cable does to a frame, which has a
// generator of its own per cable: so a Schedule that lost some Actions is alike in the rest, and Shrink can remove them one
// after the other while the failure stays.
//
// # What is checked
//
// The checkers see what was injected, which frame crossed which cable when, what was delivered where, and which states the
// engines gave to the ports (checks.go; the graph code is oracle.go's).
//
//	loop       no frame comes to a satellite, or through one to a switch, by the same port twice
//	duplicate  no frame is delivered twice to one host
//	blocked    no frame leaves by or is taken from a port that is shut for it
//	changed    what arrives is what was sent
//	reach      after quiescence each pair that is connected is delivered, unicast and broadcast, exactly once
//	symmetric  and d's frames to s go the way of s's to d backwards
//	shortest   and each hop comes nearer by what the cable costs (Floyd and Warshall)
//	deflected  no port sends more deflected frames than its policer grants, or any 200 ms after a port died
//	coverage   if one cable or satellite dies, all who are still connected reach one another before any engine has spoken
//
// A frame that a cable doubled is told from its copy, and the copy may arrive too. A loop among switches of others alone is not ours
// and is counted apart; so is a frame that is doubled because a switch of others opens an alternate port at once while the frame is
// under way by the old one, as rapid spanning trees do (802.1D-2004 clause 17.29.2).
//
// Quiescence is when no fault has come for Bound: 12 s without legacy ports (a restored engine waits 10 s for its neighbours), 70 s
// with RSTP and 150 s with STP in an island. Most worlds are looked at earlier and are right then; a schedule fails if it is not by
// then.
//
// # Negative controls
//
// Options.Break leaves out one rule of the data path. Each of them is found (TestBrokenRulesAreFound): else the checkers
// would be blind.
package sim
