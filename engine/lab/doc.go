// Package lab runs a constellation on one machine: each satellite is a network namespace with its own mount, UTS,
// IPC and process namespaces, its own libvirt and its own engine; cables are veth pairs. It is for people who try
// Decenter, for tests, and for nothing that matters: everything goes away with `lab down`.
//
// # What is where
//
//	/run/netns/decenter-s1      the namespace; outlives a satellite that is off, as its cables do
//	DIR/lab.json                the constellation: satellites, cables, holders
//	DIR/s1/engine.toml          written anew at each start
//	DIR/s1/data                 the satellite's disk: key, journal, volumes
//	DIR/s1/run                  its /run/decenter: the engine's socket, the holder's
//	DIR/s1/libvirt              its /etc/libvirt, /var/lib/libvirt, …
//	DIR/s1/log                  engine.log, libvirtd.log
//
// # The holder
//
// Process 1 of a satellite is this program as `decenter lab hold`. It makes the satellite's view of the file system,
// starts libvirtd and the engine, starts an ended engine again as systemd would, and reaps orphans. Its end is the
// satellite's power cut: the kernel kills the whole process namespace with it. A demo's holders end when the demo
// does, even by kill -9: they see the other end of a pipe close.
//
//	          Start              engine ends: 1 s, start again
//	(off) ────────────▶ on ◀──────────────────────────────────┐
//	  ▲                 │ │ ──────────────────────────────────┘
//	  │     Kill        │ │ Freeze (SIGSTOP to all but the holder)
//	  └─────────────────┘ ▼ ▲ Thaw
//	                    frozen
//
// # What proves a process ours
//
// A process is signalled only if its number, start time and process namespace are those that were written down when it
// was started, or if it lives in such a namespace.
package lab
