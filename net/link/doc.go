// Package link is how a satellite handles its machine's network devices: listing and watching them (rtnetlink), setting
// them up as ports of the fabric and putting them back, taps for VMs, the host port's veth pair, and packet sockets for
// control frames (packet(7)). It knows nothing of trees or gates.
//
// Everything happens in the network namespace of the calling thread, which is the process's unless a test says otherwise.
// Nothing is read from /sys, which may show another namespace's devices.
//
// # Carrier
//
// The kernel tells of lost carrier at most once a second over all devices (net/core/link_watch.c), and the flag
// IFF_RUNNING waits for that too; IFF_LOWER_UP is computed when asked. So Watch only says "something changed", and the
// caller lists all devices, whose Carrier is what it is now.
package link
