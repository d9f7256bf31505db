package main

import (
	"fmt"
	"os"
	"path"
)

// archive gathers files and writes them as a cpio archive in "newc" form (Linux's
// Documentation/driver-api/early-userspace/buffer-format.rst), owned by root and without times, so that equal files
// make an equal archive.
type archive struct {
	entries []entry
	names   map[string]bool
}

type entry struct {
	name string
	mode uint32 // as in stat(2), with the file's type
	data []byte
}

const (
	typeDir  = 0o040000
	typeFile = 0o100000
	typeLink = 0o120000
)

func (a *archive) has(name string) bool { return a.names[name] }

func (a *archive) add(e entry) {
	if a.names == nil {
		a.names = map[string]bool{}
	}
	if a.names[e.name] {
		return
	}
	a.names[e.name] = true
	a.entries = append(a.entries, e)
}

// dir adds a folder and those above it.
func (a *archive) dir(name string) {
	if up := path.Dir(name); up != "." {
		a.dir(up)
	}
	a.add(entry{name, typeDir | 0o755, nil})
}

func (a *archive) link(name, to string) { a.add(entry{name, typeLink | 0o777, []byte(to)}) }

// file adds a copy of the file from, executable as it is, with the folders above it.
func (a *archive) file(name, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	s, err := os.Stat(from)
	if err != nil {
		return err
	}
	mode := uint32(typeFile | 0o644)
	if s.Mode()&0o111 != 0 {
		mode = typeFile | 0o755
	}
	a.dir(path.Dir(name))
	a.add(entry{name, mode, data})
	return nil
}

func (a *archive) append(b []byte) []byte {
	for i, e := range a.entries {
		b = appendEntry(b, i+1, e)
	}
	return appendEntry(b, 0, entry{name: "TRAILER!!!"})
}

// appendEntry writes a header of thirteen 8-digit hexadecimal numbers, the name and the data, each padded to 4 bytes.
func appendEntry(b []byte, inode int, e entry) []byte {
	b = fmt.Appendf(b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
		inode, e.mode, 0, 0, 1, 0, len(e.data), 0, 0, 0, 0, len(e.name)+1, 0)
	b = append(append(b, e.name...), 0)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	b = append(b, e.data...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
