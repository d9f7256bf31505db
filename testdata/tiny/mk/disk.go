package main

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
)

// The disk's measures, in sectors of 512 bytes.
const (
	sectorSize   = 512
	payloadStart = 2048 // 1 MiB, where partitions are used to begin
	diskSectors  = 512 << 20 / sectorSize
	align        = 2048
)

// Where boot.s wants the plan and the command line, in bytes from the disk's start.
const (
	planAt    = 0xc00
	runsAt    = planAt + 0x20
	cmdlineAt = 0x1000
	bootEnd   = 0x1400
	maxRuns   = (cmdlineAt - runsAt) / 16
)

// Memory that a guest needs beyond kernel and initrd: the root file system unpacked, page tables, processes.
const spareMemory = 24 << 20

// run is one of the loader's copies, from whole sectors of the disk to memory.
type run struct{ sector, sectors, at, zero uint32 }

// writeDisk writes the raw disk: loader with plan, partition table, kernel segments, initrd. The rest is holes.
func writeDisk(name string, boot, vmlinux, initrd []byte) (err error) {
	segs, entry, err := segments(vmlinux)
	if err != nil {
		return err
	}
	end := uint32(0)
	for _, s := range segs {
		end = max(end, s.at+s.size)
	}
	initrdAt := (end + 4095) &^ 4095
	need := initrdAt + 2*uint32(len(initrd)) + spareMemory
	segs = append(segs, segment{initrdAt, initrd, uint32(len(initrd))})

	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	if err := f.Truncate(diskSectors * sectorSize); err != nil {
		return err
	}
	next := uint32(payloadStart)
	var runs []run
	for _, s := range segs {
		if _, err := f.WriteAt(s.data, int64(next)*sectorSize); err != nil {
			return err
		}
		r := run{sector: next, sectors: (uint32(len(s.data)) + sectorSize - 1) / sectorSize, at: s.at}
		if full := r.sectors * sectorSize; full < s.size {
			r.zero = (s.size - full + 3) &^ 3
		}
		runs = append(runs, r)
		next += r.sectors
	}
	data := (next + align - 1) / align * align
	head, err := bootImage(boot, runs, entry, initrdAt, uint32(len(initrd)), need, data)
	if err != nil {
		return err
	}
	if _, err := f.WriteAt(head, 0); err != nil {
		return err
	}
	fmt.Printf("tiny: kernel and initrd take %d MiB of disk, a guest needs %d MiB of memory; tests may write from sector %d on\n",
		(next-payloadStart)/2048, need>>20, data)
	return nil
}

// bootImage puts plan, command line and partition table into the loader's image.
func bootImage(boot []byte, runs []run, entry, initrdAt, initrdSize, need, data uint32) ([]byte, error) {
	if len(boot) != planAt {
		return nil, fmt.Errorf("the boot loader has %d bytes instead of %d", len(boot), planAt)
	}
	if len(runs) > maxRuns || len(commandLine) >= bootEnd-cmdlineAt {
		return nil, fmt.Errorf("%d runs and a command line of %d bytes do not fit", len(runs), len(commandLine))
	}
	le := binary.LittleEndian
	b := append([]byte(nil), boot...)
	for _, v := range []uint32{uint32(len(runs)), entry, initrdAt, initrdSize, need, 0, 0, 0} {
		b = le.AppendUint32(b, v)
	}
	for _, r := range runs {
		for _, v := range []uint32{r.sector, r.sectors, r.at, r.zero} {
			b = le.AppendUint32(b, v)
		}
	}
	b = append(b, make([]byte, cmdlineAt-len(b))...)
	b = append(b, commandLine+strings.Repeat("\x00", bootEnd-cmdlineAt-len(commandLine))...)
	partition := func(i int, start, end uint32) {
		p := b[446+16*i:]
		copy(p, []byte{0, 0xfe, 0xff, 0xff, 0xda, 0xfe, 0xff, 0xff}) // beyond CHS, "non-FS data"
		le.PutUint32(p[8:], start)
		le.PutUint32(p[12:], end-start)
	}
	partition(0, payloadStart, data)
	partition(1, data, diskSectors)
	b[446] = 0x80 // active
	return b, nil
}
