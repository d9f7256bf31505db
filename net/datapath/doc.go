// Package datapath is the satellite's switch in the kernel: eBPF programs at the ingress of its ports (tcx, kernel 6.6
// and later), which forward Ethernet frames by the gates that the satellite tree sets. The C is in folder bpf; the
// object made from it is committed and embedded.
//
//	  VM   VM                     the satellite's own stack
//	  tap  tap                    host port ═ inner end (a veth pair)
//	   │    │                                  │
//	vm_in vm_in                             host_in
//	   └────┴──────────── forward ─────────────┘
//	              ┌──────────┴─────────┐
//	          fabric_in            fabric_in
//	             NIC                  NIC          gates: net/tree decides, SetGate applies
//
// # What is pinned
//
// Everything is pinned in one folder of a bpffs, so that forwarding outlives the engine, and Open takes it over:
//
//	DIR/v1/maps/places    ifindex → slot, address     DIR/v1/maps/learned   address → slot, generation, time
//	DIR/v1/maps/ports     slot → ifindex, kind, gate  DIR/v1/maps/counters  slot → per CPU counts
//	DIR/v1/maps/used      how many slots to look at   DIR/v1/links/INDEX    the program's hold on a device
//	DIR/v1/maps/local     address → slot
//
// Whoever opens the folder holds its lock (Lock, flock(2)), which ends with the process.
//
// v1 is the maps' layout. A program of other instructions with the same layout replaces the running one in one step
// (Open). A gate is part of one eight-byte map value: a frame sees it open or shut, nothing between.
//
// # Order of a port's life
//
// Attach writes the port's tables, gate shut, and only then attaches the program; Detach goes the other way round. So a
// program never runs on a port that it does not know; if it did, it would drop.
package datapath
