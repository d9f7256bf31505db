package main

import (
	"bytes"
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// wanted are the drivers of a guest, in the order in which it wants them; what they depend on is found.
var wanted = []string{"virtio_pci", "virtio_net", "virtio_blk", "virtio_console", "button", "evdev", "qemu_fw_cfg"}

// addModules adds the wanted modules that the kernel has not built in, with all they depend on, and the file
// lib/modules/order that names them so that each comes behind those it depends on.
func addModules(ctx context.Context, a *archive, root string) error {
	files, builtin, err := findModules(root)
	if err != nil {
		return err
	}
	var order []string
	done := map[string]bool{}
	var visit func(name string, depth int) error
	visit = func(name string, depth int) error {
		name = strings.ReplaceAll(name, "-", "_")
		if done[name] || builtin[name] {
			return nil
		}
		if depth > 16 {
			return fmt.Errorf("modules depend on each other in a circle at %s", name)
		}
		file, ok := files[name]
		if !ok {
			return fmt.Errorf("the kernel's package has no module %s", name)
		}
		data, err := readModule(ctx, file)
		if err != nil {
			return err
		}
		depends, err := dependsOf(data)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		for _, d := range depends {
			if err := visit(d, depth+1); err != nil {
				return err
			}
		}
		done[name] = true
		order = append(order, name+".ko")
		a.add(entry{"lib/modules/" + name + ".ko", typeFile | 0o644, data})
		return nil
	}
	for _, name := range wanted {
		if err := visit(name, 0); err != nil {
			return err
		}
	}
	a.add(entry{"lib/modules/order", typeFile | 0o644, []byte(strings.Join(order, "\n") + "\n")})
	return nil
}

// findModules maps the names of modules to their files, and tells which are built in.
func findModules(root string) (files map[string]string, builtin map[string]bool, err error) {
	files, builtin = map[string]string{}, map[string]bool{}
	name := func(p string) string {
		base, _, _ := strings.Cut(filepath.Base(p), ".ko")
		return strings.ReplaceAll(base, "-", "_")
	}
	for _, dir := range []string{"lib/modules", "usr/lib/modules"} { // merged /usr since Debian 13
		err = filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
			switch {
			case os.IsNotExist(err):
				return nil
			case err != nil:
				return err
			case d.Name() == "modules.builtin":
				list, err := os.ReadFile(p)
				for line := range strings.Lines(string(list)) {
					builtin[name(strings.TrimSpace(line))] = true
				}
				return err
			case strings.Contains(d.Name(), ".ko"):
				files[name(p)] = p
			}
			return nil
		})
		if err != nil {
			return nil, nil, err
		}
	}
	return files, builtin, nil
}

// readModule reads a module, decompressed and without debugging sections.
func readModule(ctx context.Context, file string) (data []byte, err error) {
	switch filepath.Ext(file) {
	case ".xz":
		data, err = output(ctx, "", nil, "xz", "-dc", file)
	case ".zst":
		data, err = output(ctx, "", nil, "zstd", "-dcq", file)
	default:
		data, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, err
	}
	plain, err := os.CreateTemp("", "module-*.ko")
	if err != nil {
		return nil, err
	}
	defer os.Remove(plain.Name())
	_, err = plain.Write(data)
	if cerr := plain.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	if err := command(ctx, "", "strip", "--strip-debug", plain.Name()); err != nil {
		return nil, err
	}
	return os.ReadFile(plain.Name())
}

// dependsOf reads "depends=a,b" from a module's .modinfo section, a list of strings that each end in 0.
func dependsOf(module []byte) ([]string, error) {
	f, err := elf.NewFile(bytes.NewReader(module))
	if err != nil {
		return nil, err
	}
	section := f.Section(".modinfo")
	if section == nil {
		return nil, fmt.Errorf("no .modinfo section")
	}
	info, err := section.Data()
	if err != nil {
		return nil, err
	}
	for field := range bytes.SplitSeq(info, []byte{0}) {
		if list, ok := strings.CutPrefix(string(field), "depends="); ok && list != "" {
			return strings.Split(list, ","), nil
		}
	}
	return nil, nil
}
