// Package virt is what a virtual machine is to a satellite: its specification, its states with the moves between
// them, and the two interfaces behind which a hypervisor (Guests) and a store of disks (Volumes) do the work.
//
// It is pure: no file, process, socket or clock. Packages virt/libvirt and virt/qcow2 satisfy the interfaces.
//
// # States
//
//	            Define                  Start
//	(absent) ───────────▶ stopped ─────────────────▶ running ──────┐
//	    ▲                  │ ▲ ▲                      │ │ ▲ ▲      │ Reset
//	    │     Undefine     │ │ │  Stop, Kill, or the  │ │ │ └──────┘
//	    ├──────────────────┘ │ └──guest powers off────┘ │ │
//	    │                    │                    Pause │ │ Resume
//	    │                    │   Stop, Kill             ▼ │
//	    │                    └──────────────────────── paused
//	    │     Undefine               Start
//	    └────────────────── crashed ───────▶ running
//	                           ▲
//	                           └── from running or paused: the guest panicked or its process died
//
// A verb that has no arrow from the present state is refused with ErrConflict and changes nothing (State.After).
// The two moves without a verb, powering off and crashing, are the guest's own and arrive as events.
//
// # Truth
//
// The hypervisor's own definition of a guest, with our metadata in it, is the whole truth about it: Get gives back
// the Spec that Define was given. Nothing else is stored anywhere, so nothing else can disagree.
package virt
