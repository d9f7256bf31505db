// Package fabric runs a satellite's part of the layer-2 fabric: it joins the tree's core (net/tree), the switch in the
// kernel (net/datapath) and the machine's devices (net/link).
//
//	packet sockets ──frames──┐                       ┌──gates, flushes──▶ datapath (pinned)
//	rtnetlink ──"changed"────┼──▶ Run: one goroutine ┼──control frames──▶ packet sockets
//	clock ──────deadline─────┤     owns the core     ├──snapshot────────▶ STATE/promises
//	Attach, Tree, … ─────────┘                       └──events──────────▶ log, Changed
//
// The effects of each step are applied in the order that the tree's proof asks for: closings, snapshot, sends, openings,
// flush (tree.Effects).
//
// # Restart
//
// What is pinned forwards without us. New takes it over as it is; Run shows the core every port that was attached before,
// sweeps those that are none any more, and lets the core go on from its snapshot. No gate moves for a restart. Snapshot and
// pinned maps live together: where one is missing the other is not believed.
//
// # Whose what is
//
// New holds the data path's lock until Close or the process's end; Uninstall takes it too. A device that has, or once had in
// this engine's life, the default route is left alone: as a port it would be cut off for good. A device that is no port any
// more becomes what it was. One that is exchanged unseen, by index or by way of another namespace, begins anew.
//
// # Files
//
//	STATE/promises    the core's snapshot and the keys of its adjacencies, mode 0600, on a file system that a reboot
//	                  empties, as it does the bpffs
//	STATE/ports.json  how each port's device was before, for Uninstall
//	DATA/tree.json    {"priority": N}, where SetPriority set it: on disk before it holds, since it goes before the
//	                  configuration at every start
package fabric
