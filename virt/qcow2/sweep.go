package qcow2

import (
	"context"
	"errors"
	"os"
	"regexp"
	"strings"

	"decenter/virt"
)

// leftover is a name that only half-done work has.
var leftover = regexp.MustCompile(`^\.(new|old)-[0-9a-f]{8}$`)

// imageForm is a name we give to a spacesuit's image.
var imageForm = regexp.MustCompile(`^[a-z0-9-]+-[0-9a-f]{8}\.qcow2$`)

// Sweep removes what half-done work left and disks without a VM. Files whose names are not of our making stay.
func (s *Store) Sweep(ctx context.Context, live func(virt.ID) bool) ([]virt.ID, error) {
	const op = "sweep volume store"
	if err := s.sweepSuits(); err != nil {
		return nil, fail(op, s.dir, err)
	}
	entries, err := os.ReadDir(s.volumes())
	if err != nil {
		return nil, fail(op, s.dir, err)
	}
	var gone []virt.ID
	for _, e := range entries {
		if ctx.Err() != nil {
			return gone, ctx.Err()
		}
		if leftover.MatchString(e.Name()) {
			err = errors.Join(err, os.RemoveAll(s.volumes(e.Name())))
			continue
		}
		id, bad := virt.ParseID(e.Name())
		if bad != nil || id.String() != e.Name() || live(id) {
			continue
		}
		if e := s.Delete(ctx, id); e != nil {
			err = errors.Join(err, e)
			continue
		}
		gone = append(gone, id)
	}
	return gone, fail(op, s.dir, err)
}

// sweepSuits removes images that no sidecar names. With one sidecar unreadable it cannot know, and removes none.
func (s *Store) sweepSuits() error {
	names, err := s.suitNames()
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for _, name := range names {
		c, err := s.readSidecar(name)
		if err != nil {
			return err
		}
		named[c.Image] = true
	}
	entries, err := os.ReadDir(s.suits())
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if leftover.MatchString(name) || (imageForm.MatchString(name) && !named[name] && !strings.HasPrefix(name, ".")) {
			err = errors.Join(err, os.RemoveAll(s.suits(name)))
		}
	}
	return err
}
