// Package lab runs a constellation on one machine: each satellite is a network namespace with its own mount, UTS,
// IPC and process namespaces, its own libvirt and its own engine; cables are veth pairs. It is for people who try
// Decenter, for tests, and for nothing that matters: everything goes away with `lab down`.
//
// # What is where
//
//	/run/netns/decenter-s1      the satellite's network namespace, anew at each start
//	/run/netns/decenter-cables  the patch panel, in which all cables end
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
// satellite's power cut: the kernel kills the whole process namespace with it, and with the mount namespace goes the
// bpffs that holds the data path. A demo's holders end when the demo does, even by kill -9: each has a pidfd of it. A
// holder does nothing before it stands in lab.json: it waits for a word on a pipe, and ends when the pipe does.
//
//	          Start              engine ends: 1 s, start again
//	(off) ────────────▶ on ◀──────────────────────────────────┐
//	  ▲                 │ │ ──────────────────────────────────┘
//	  │     Kill        │ │ Freeze (SIGSTOP to all but the holder)
//	  └─────────────────┘ ▼ ▲ Thaw
//	                    frozen
//
// # Commands inside
//
// `lab exec` runs a command in the namespaces of the holder, with DECENTER_CONFIG naming the satellite's engine.toml, and
// with this program as `decenter` where none is installed: `decenter engine --fingerprint` tells the satellite's own.
//
// # Cables
//
//	s1: to-s2 ════ c0a ─┐ decenter-cables
//	                    │ what comes in at one goes out at the other (tc u32, mirred)
//	s2: to-s1 ════ c0b ─┘
//
// ════ is a veth pair. So a port stays where it is, with its number, when the cable is cut or the other end loses its
// power; it sees its carrier go, as the panel's half is set down, and an engine that sets its ports up mends nothing.
// A silent cable has its carrier, and nothing that leads from c0a to c0b.
//
// # Whose is it?
//
// A machine has room for one lab: its namespaces' names are its claim. Each carries the lab's folder as the alias of
// its lo, and one that does not is left alone. A process is ended, through a pidfd, only if it is the one that was
// written down (number, start time, boot), or, should lab.json be lost, if it is root's, process 1 of a process
// namespace, and was started as the holder of this very folder. lab.json is believed only where nobody but root could
// have written it.
package lab
