package qcow2

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"decenter/virt"
)

const firstDisk = "vda"

// Create makes a VM's disks: an overlay over the spacesuit's image, in a directory that appears as a whole.
func (s *Store) Create(ctx context.Context, vm virt.ID, spacesuit string, size uint64) ([]virt.Disk, error) {
	const op = "create disks of"
	if err := virt.CheckName("spacesuit", spacesuit); err != nil {
		return nil, fail(op, vm.String(), err)
	}
	release, err := s.claim(vm.String())
	if err != nil {
		return nil, fail(op, vm.String(), err)
	}
	defer release()
	if _, err := os.Stat(s.volumes(vm.String())); err == nil {
		return nil, fail(op, vm.String(), virt.ErrExists)
	}
	c, err := s.readSidecar(spacesuit)
	if err != nil {
		return nil, fail(op, vm.String(), err)
	}
	switch {
	case size == 0:
		size = c.Size
	case size < c.Size || size > maxSize || size%512 != 0:
		return nil, failf(op, vm.String(), virt.ErrInvalid, "a disk of %d bytes; spacesuit %s needs at least %d, in whole sectors of 512", size, c.Name, c.Size)
	}
	stage := s.volumes(".new-" + suffix())
	if err := os.Mkdir(stage, 0o755); err != nil {
		return nil, fail(op, vm.String(), err)
	}
	defer os.RemoveAll(stage) // gone by then, if all went well
	disk := filepath.Join(stage, firstDisk+".qcow2")
	// -u: the backing image is not opened, since we know its size and format.
	err = s.tool.run(ctx, quickTime, nil, nil, "create", "-q", "-u", "-f", "qcow2", "-F", "qcow2",
		"-b", "../../spacesuits/"+c.Image, "-o", "compat=1.1", disk, strconv.FormatUint(size, 10))
	if err == nil {
		err = errors.Join(syncPath(disk), syncPath(stage))
	}
	if err == nil {
		err = renameNew(stage, s.volumes(vm.String()))
	}
	if err != nil {
		return nil, fail(op, vm.String(), err)
	}
	return s.disks(vm)
}

// disks lists a VM's disks by name; os.ErrNotExist where it has none.
func (s *Store) disks(vm virt.ID) ([]virt.Disk, error) {
	entries, err := os.ReadDir(s.volumes(vm.String()))
	if err != nil {
		return nil, err
	}
	var list []virt.Disk
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".qcow2"); ok {
			list = append(list, virt.Disk{Name: name, Path: s.volumes(vm.String(), e.Name()), Format: virt.QCOW2})
		}
	}
	slices.SortFunc(list, func(a, b virt.Disk) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Grow makes a disk larger in place. The tables are on the disk before the header that names them, so a kill leaves
// the old size or the new one.
func (s *Store) Grow(ctx context.Context, vm virt.ID, disk string, size uint64) error {
	const op = "grow disk of"
	release, err := s.claim(vm.String())
	if err != nil {
		return fail(op, vm.String(), err)
	}
	defer release()
	list, err := s.disks(vm)
	if err != nil {
		return fail(op, vm.String(), err)
	}
	i := slices.IndexFunc(list, func(d virt.Disk) bool { return d.Name == disk })
	if i < 0 {
		return failf(op, vm.String(), virt.ErrNotFound, "no disk %q", disk)
	}
	h, err := readHeader(list[i].Path)
	if err != nil {
		return fail(op, vm.String(), err)
	}
	if size == h.size {
		return nil
	}
	if size < h.size || size > maxSize || size%512 != 0 {
		return failf(op, vm.String(), virt.ErrInvalid, "from %d to %d bytes: a disk only grows, in whole sectors of 512", h.size, size)
	}
	if err := s.tool.run(ctx, quickTime, nil, nil, "resize", "-q", "-f", "qcow2", list[i].Path, strconv.FormatUint(size, 10)); err != nil {
		return fail(op, vm.String(), err)
	}
	return fail(op, vm.String(), syncPath(list[i].Path))
}

// Delete takes the VM's directory out of sight in one step, then removes it.
func (s *Store) Delete(ctx context.Context, vm virt.ID) error {
	const op = "delete disks of"
	release, err := s.claim(vm.String())
	if err != nil {
		return fail(op, vm.String(), err)
	}
	defer release()
	old := s.volumes(".old-" + suffix())
	if err := renameNew(s.volumes(vm.String()), old); err != nil {
		return fail(op, vm.String(), err)
	}
	return fail(op, vm.String(), os.RemoveAll(old))
}

// Usage reads the headers and asks the file system; a running guest is not disturbed.
func (s *Store) Usage(ctx context.Context, vm virt.ID) ([]virt.Usage, error) {
	const op = "measure disks of"
	list, err := s.disks(vm)
	if err != nil {
		return nil, fail(op, vm.String(), err)
	}
	var all []virt.Usage
	for _, d := range list {
		h, err := readHeader(d.Path)
		if err != nil {
			return nil, fail(op, vm.String(), err)
		}
		fi, err := os.Stat(d.Path)
		if err != nil {
			return nil, fail(op, vm.String(), err)
		}
		all = append(all, virt.Usage{Disk: d, Size: h.size, Allocated: allocated(fi)})
	}
	return all, nil
}
