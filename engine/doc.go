// Package engine is one satellite: it joins a hypervisor, a store of disks, the fabric and the radar, and answers
// engine/api on top of them. It holds no inventory: what VMs there are, the hypervisor says; what satellites
// there are, the radar says; only the jobs under way are written down (engine/jobs), so that a killed engine's
// work is finished or undone by the next one.
//
// # Two views
//
// Local answers for this satellite alone; other engines ask it. Open gives the constellation as one account sees
// it: it asks every live engine's Local and passes an act on to the one that holds the VM.
//
//	shell, tui ──▶ Open ──┬──▶ Local (here)  ──▶ virt.Guests, virt.Volumes, Fabric, jobs
//	                      └──▶ Local (there, by engine/rpc over TLS)
//
// # Create and delete
//
// A VM begins to be with its definition, and everything before that can be undone:
//
//	journal → disks → tap → Define (the commit) → Start → journal end
//
// and it ends the other way round: journal → Kill → Undefine (the commit) → disks → tap → journal end. A restarted
// engine looks whether the definition is there: then a create is finished and a delete begun anew; if not, what is left
// is removed (recover.go). So a kill -9 at any moment leaves a whole VM or none.
package engine
