package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// kernelOf finds the one vmlinuz below root and gives the ELF file in it.
func kernelOf(ctx context.Context, root string) ([]byte, error) {
	found, err := filepath.Glob(filepath.Join(root, "boot", "vmlinuz-*"))
	if err != nil || len(found) != 1 {
		return nil, fmt.Errorf("one vmlinuz was looked for, %d found: %w", len(found), errors.Join(err))
	}
	image, err := os.ReadFile(found[0])
	if err != nil {
		return nil, err
	}
	packed, err := payload(image)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", found[0], err)
	}
	return unpack(ctx, packed)
}

// payload cuts the compressed kernel out of a bzImage, by the setup header of
// Linux's Documentation/arch/x86/boot.rst (protocol 2.08 and later).
func payload(image []byte) ([]byte, error) {
	const header = 0x250
	if len(image) < header || string(image[0x202:0x206]) != "HdrS" {
		return nil, errors.New("not a bzImage")
	}
	if v := binary.LittleEndian.Uint16(image[0x206:]); v < 0x208 {
		return nil, fmt.Errorf("boot protocol %#x tells no payload", v)
	}
	setup := uint64(image[0x1f1]) // sectors behind the first
	if setup == 0 {
		setup = 4
	}
	at := (setup+1)*512 + uint64(binary.LittleEndian.Uint32(image[0x248:]))
	size := uint64(binary.LittleEndian.Uint32(image[0x24c:]))
	if size < 8 || at+size > uint64(len(image)) {
		return nil, fmt.Errorf("payload of %d bytes at %d lies outside of %d bytes", size, at, len(image))
	}
	return image[at : at+size], nil
}

// unpack decompresses a payload. All formats but gzip have the kernel's length appended in four bytes.
func unpack(ctx context.Context, packed []byte) ([]byte, error) {
	length := binary.LittleEndian.Uint32(packed[len(packed)-4:])
	bare := packed[:len(packed)-4]
	var got []byte
	var err error
	switch {
	case bytes.HasPrefix(packed, []byte("\x02\x21\x4c\x18")):
		got, err = unlz4(bare[4:], int(length))
	case bytes.HasPrefix(packed, []byte("\xfd7zXZ\x00")):
		got, err = output(ctx, "", bare, "xz", "-dc")
	case bytes.HasPrefix(packed, []byte("\x28\xb5\x2f\xfd")):
		got, err = output(ctx, "", bare, "zstd", "-dcq")
	case bytes.HasPrefix(packed, []byte("\x1f\x8b")):
		var z *gzip.Reader
		if z, err = gzip.NewReader(bytes.NewReader(packed)); err == nil {
			got, err = io.ReadAll(z)
		}
	default:
		return nil, fmt.Errorf("unknown compression, it begins with % x", packed[:8])
	}
	if err != nil {
		return nil, fmt.Errorf("decompress: %w", err)
	}
	if len(got) != int(length) {
		return nil, fmt.Errorf("%d bytes decompressed, %d promised", len(got), length)
	}
	return got, nil
}

// noteEntry is XEN_ELFNOTE_PHYS32_ENTRY: where a PVH loader enters (Xen's include/public/elfnote.h).
const noteEntry = 18

// segment is a piece of memory as the loader has to make it.
type segment struct {
	at   uint32 // physical address
	data []byte // without the zero bytes at its end
	size uint32 // with them
}

// segments gives what an ELF kernel asks for, and its PVH entry.
func segments(vmlinux []byte) (segs []segment, entry uint32, err error) {
	f, err := elf.NewFile(bytes.NewReader(vmlinux))
	if err != nil {
		return nil, 0, fmt.Errorf("kernel: %w", err)
	}
	for _, p := range f.Progs {
		data, err := io.ReadAll(p.Open())
		if err != nil {
			return nil, 0, err
		}
		switch p.Type {
		case elf.PT_LOAD:
			if p.Paddr+p.Memsz >= 1<<32 {
				return nil, 0, fmt.Errorf("kernel segment at %#x lies beyond 4 GiB", p.Paddr)
			}
			segs = append(segs, segment{uint32(p.Paddr), bytes.TrimRight(data, "\x00"), uint32(p.Memsz)})
		case elf.PT_NOTE:
			if e, ok := pvhEntry(data); ok {
				entry = e
			}
		}
	}
	if entry == 0 {
		return nil, 0, errors.New("this kernel has no PVH entry (CONFIG_PVH)")
	}
	return segs, entry, nil
}

// pvhEntry reads ELF notes (32-bit name length, descriptor length and type; both parts padded to 4 bytes).
func pvhEntry(notes []byte) (uint32, bool) {
	pad := func(n uint32) int { return int(n+3) &^ 3 }
	for len(notes) >= 12 {
		nameLen, descLen := binary.LittleEndian.Uint32(notes), binary.LittleEndian.Uint32(notes[4:])
		kind := binary.LittleEndian.Uint32(notes[8:])
		notes = notes[12:]
		if nameLen > 1<<16 || descLen > 1<<16 || pad(nameLen)+pad(descLen) > len(notes) {
			return 0, false
		}
		name, desc := notes[:nameLen], notes[pad(nameLen):pad(nameLen)+int(descLen)]
		if kind == noteEntry && string(name) == "Xen\x00" && descLen >= 4 {
			return binary.LittleEndian.Uint32(desc), true
		}
		notes = notes[pad(nameLen)+pad(descLen):]
	}
	return 0, false
}
