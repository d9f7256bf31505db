// Package libvirt runs guests on libvirt's QEMU driver. It satisfies virt.Guests and is the sole importer of the
// libvirt binding, which (built with -tags libvirt_dlopen) opens libvirt.so.0 only at run time: without it Open says so.
//
// # The domain is the truth
//
// A guest is one persistent domain. Name, id, processors, memory, disks and cards are libvirt's own elements; the rest
// of virt.Spec is our metadata element, and a domain without it is not ours and is never touched:
//
//	<metadata>
//	  <decenter:vm xmlns:decenter="urn:decenter:vm:1" owner="bc1q…" from="debian12" group="" epoch="0"
//	    created="2026-01-02T03:04:05.000000006Z"/>
//	</metadata>
//
// # A connection that may hang
//
// libvirt's calls cannot be cancelled, and one guest whose monitor hangs holds its call for ever. So every call runs in
// a goroutine and on a connection of its own (link) and its caller waits a bounded time; acts on one guest queue behind
// each other (lane), so a hung guest costs one of each, while looking at it and killing it wait for nothing; and the sum
// of calls is bounded. One more connection carries events and
// pings, one every 2 s, and is given up after 3 lost ones; then, and when libvirtd restarts, Run connects anew, at first
// after 0.1 s and at most 2 s apart. Guests do not notice. The binding allows one event callback of a kind per
// connection: hub fans out.
//
//	         dial ok: register events, read all domains
//	(down) ─────────────────────────────────────────────▶ (up) EventSync
//	  ▲  └─ dial failed: wait 0.1 s … 2 s ─┐               │
//	  └────────────────────────────────────┘               │
//	  ▲   closed by peer, pings lost, too many hung calls   │
//	  └──────────────────── EventDown ◀────────────────────┘
//
// # The serial line
//
//	DIR/UUID.log   all that the guest wrote; QEMU appends to it itself, whether or not anyone is connected
//	DIR/UUID.tty   unix socket of the serial port, QEMU listens
//
// The log is what every reader reads, each at its own place, so output survives our kill -9 and readers do not depend
// on each other. The socket carries input, and its output tells when to look into the log. A janitor gives the log's
// pages before the last 64 KiB back to the file system (fallocate, punch hole), so places in it stay valid and the
// file takes about 1 MiB at most while this process lives. Holes read as nothing.
package libvirt
