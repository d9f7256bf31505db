// Package datapath is the satellite's switch in the kernel: eBPF programs at the ingress of its ports, which forward
// Ethernet frames by the gates that the satellite tree sets. The C is in folder bpf; the object made from it is committed
// and embedded.
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
//	DIR/v1/maps/used      how many slots to look at   DIR/v1/links/INDEX    tcx: the program's hold on a device
//	DIR/v1/maps/local     address → slot              DIR/v1/filters/INDEX  clsact: note that there is such a hold
//
// Whoever opens the folder holds its lock (Lock, flock(2)), which ends with the process.
//
// v1 is the maps' layout. A program of other instructions with the same layout replaces the running one in one step
// (Open). A gate is part of one eight-byte map value: a frame sees it open or shut, nothing between.
//
// # How programs are attached
//
// By tcx where the kernel has it (Linux 6.6): a pinned link, ahead of all others on the device. Else by clsact: a filter of
// kind bpf in direct action at the ingress of a clsact qdisc, for all protocols, chain 0, priority 1, handle 0xdece:
//
//	device ── qdisc clsact ffff: ── filter protocol all pref 1 bpf handle 0xdece decenter direct-action
//	          ours: filters/INDEX/qdisc           ours: its program works on DIR/v1/maps/places
//
// Such a filter lives as long as its device; replacing it under its handle leaves no gap. Its qdisc goes with it if it was
// made for it and nobody else uses it by now. Either way a program sees the same frames, and its verdicts mean the same:
// TC_ACT_UNSPEC and TCX_NEXT are -1, TC_ACT_SHOT and TCX_DROP 2, TC_ACT_REDIRECT and TCX_REDIRECT 7. A port stays as it
// was attached until it is detached; both ways are known when ports are taken over and when the switch is uninstalled.
//
// The least kernel is Linux 5.17, for bpf_loop; ErrKernel says what lacks. Tried are 6.18, both ways, and Debian 12's 6.1.
// By clsact, the caller must be in the ports' network namespace: filters are named by their device's index alone.
//
// # Order of a port's life
//
// Attach writes the port's tables, gate shut, and only then attaches the program; Detach goes the other way round. So a
// program never runs on a port that it does not know; if it did, it would drop.
package datapath
