package main

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// initrdOf makes the guest's root file system: src/root, busybox with its names, the agent with its libraries, the
// modules, and the program blocks.
func initrdOf(ctx context.Context, src, root, blocks string) ([]byte, error) {
	var a archive
	for _, dir := range []string{"bin", "dev", "lib/modules", "lib64", "proc", "root", "run", "sbin", "sys", "tmp", "var"} {
		a.dir(dir)
	}
	a.link("var/run", "/run")
	a.link("init", "/bin/busybox")
	if err := addTree(&a, filepath.Join(src, "root")); err != nil {
		return nil, err
	}
	busybox := path.Join(root, "bin/busybox")
	if _, err := os.Stat(busybox); err != nil {
		busybox = path.Join(root, "usr/bin/busybox") // since Debian 13
	}
	names, err := output(ctx, "", nil, busybox, "--list")
	if err != nil {
		return nil, err
	}
	for name := range strings.FieldsSeq(string(names)) {
		if name != "busybox" && !a.has("sbin/"+name) {
			a.link("bin/"+name, "busybox")
		}
	}
	if err := a.file("bin/busybox", busybox); err != nil {
		return nil, err
	}
	if err := a.file("bin/blocks", blocks); err != nil {
		return nil, err
	}
	if err := addProgram(&a, root, path.Join(root, "usr/sbin/qemu-ga"), "bin/qemu-ga"); err != nil {
		return nil, err
	}
	if err := addModules(ctx, &a, root); err != nil {
		return nil, err
	}
	return a.append(nil), nil
}

// addTree adds the files below dir under their own names.
func addTree(a *archive, dir string) error {
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, p)
		switch {
		case err != nil || name == ".":
			return err
		case d.IsDir():
			a.dir(name)
			return nil
		}
		return a.file(name, p)
	})
}

// addProgram adds a dynamically linked program, its interpreter, and the libraries both need, each found below root.
func addProgram(a *archive, root, from, name string) error {
	if err := a.file(name, from); err != nil {
		return err
	}
	queue := []string{from}
	for len(queue) > 0 {
		p := queue[0]
		queue = queue[1:]
		f, err := elf.Open(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		needed, err := f.ImportedLibraries()
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		for _, prog := range f.Progs {
			if prog.Type == elf.PT_INTERP {
				interp := make([]byte, prog.Filesz)
				if _, err := prog.ReadAt(interp, 0); err != nil {
					return err
				}
				needed = append(needed, string(bytes.TrimRight(interp, "\x00")))
			}
		}
		f.Close()
		for _, lib := range needed {
			to := "lib/" + path.Base(lib)
			if path.IsAbs(lib) {
				to = strings.TrimPrefix(lib, "/")
			}
			if a.has(to) {
				continue
			}
			found, err := findLibrary(root, path.Base(lib))
			if err != nil {
				return err
			}
			if err := a.file(to, found); err != nil {
				return err
			}
			queue = append(queue, found)
		}
	}
	return nil
}

// findLibrary looks where Debian's packages put libraries, merged /usr or not.
func findLibrary(root, name string) (string, error) {
	for _, dir := range []string{"usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib64", "lib64", "usr/lib", "lib"} {
		p := filepath.Join(root, dir, name)
		for range 4 { // a link may be absolute, and means root then
			to, err := os.Readlink(p)
			if err != nil {
				break
			}
			if path.IsAbs(to) {
				p = filepath.Join(root, to)
			} else {
				p = filepath.Join(filepath.Dir(p), to)
			}
		}
		if s, err := os.Stat(p); err == nil && s.Mode().IsRegular() {
			return p, nil
		}
	}
	return "", fmt.Errorf("no package brought %s", name)
}
