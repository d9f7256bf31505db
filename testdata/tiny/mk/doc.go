// Command mk makes the guest image `tiny` from Debian's packages: a disk of the guest's own that starts by itself on
// a PC with a BIOS (QEMU's q35 with SeaBIOS), without a kernel file of the host and without any file system.
//
//	go run ./testdata/tiny/mk [-src testdata/tiny/guest] [-work .build/tiny] [-out .build/tiny.qcow2]
//
// The parts come from `apt-get download` and are unpacked, never installed: the cloud kernel, busybox-static,
// qemu-guest-agent and the libraries it needs. Nobody needs to be root for it.
//
// # The disk
//
//	sector 0        boot sector with an MBR partition table; 0 to 9 are the image that boot.s describes
//	sector 2048     partition 1, type 0xda: the kernel's segments and the initrd, as runs of whole sectors
//	behind it       partition 2, type 0xda, to the end of the disk (512 MiB): free for tests, see blocks.c
//
// Whatever is not kernel is the initrd, and it stays the root file system. So nothing on the disk changes while a guest
// runs but what it writes to partition 2 on purpose: two disks of one guest can be compared byte by byte.
//
// # The kernel
//
// Debian's vmlinuz is a compressed ELF file behind a decompressor. It is decompressed here, once, on the host
// (xz, zstd, gzip and the old LZ4 frame, as the distributions choose), and entered by its PVH note (see boot.s).
package main
