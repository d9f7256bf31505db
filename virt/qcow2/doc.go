// Package qcow2 keeps the disks of VMs as qcow2 files in one directory: the store of volumes for a satellite
// without ZFS. It satisfies virt.Volumes.
//
//	DIR/lock                             held (flock) while a Store is open: one process per directory
//	DIR/spacesuits/NAME.json             the spacesuit is there when this is (see sidecar)
//	DIR/spacesuits/NAME-XXXXXXXX.qcow2   its image, read-only, never written again
//	DIR/volumes/UUID/vda.qcow2           a VM's disk, an overlay over a spacesuit's image
//	DIR/…/.new-XXXXXXXX                  being made
//	DIR/…/.old-XXXXXXXX                  being deleted
//
// An overlay names its spacesuit's image by a relative path (../../spacesuits/…), so the directory can be moved.
//
// # Half-done work
//
// Everything is made under a name that begins with a dot, brought to the disk with fsync, and given its real name by
// one link(2) or renameat2(2) that refuses to replace; deletion is one rename to a dot name and then the removal. So a
// kill leaves the state before or the state after. Sweep removes dot names, and images without a sidecar.
//
// # Images that lie
//
// A qcow2 header (QEMU docs/interop/qcow2) can make its reader open other files: a backing file and an external data
// file. An image to import is first copied to where nobody else writes, then its header is read here (header.go), then
// `qemu-img info` is asked with the format pinned; any reference, encryption or absurd size is refused. Only then is
// it converted, which also leaves no table of the stranger's for a guest's QEMU to walk. qemu-img never guesses a
// format, runs with limits on memory and time, and is killed when we are.
package qcow2
