package virt

import (
	"context"
	"time"
)

// Volumes is a store of disks on one satellite: spacesuits, which VMs are made from and which never change, and the
// disks of VMs, which begin as a spacesuit's content and take only the room of what was written since.
//
// All methods are safe for concurrent use. A kill at any moment leaves every spacesuit and every VM's set of disks
// either wholly there or not there at all; what is left over of the half-done is not listed, and Sweep removes it.
// ErrUnavailable means the store's tool did not end in time, ErrExhausted that there is no room.
type Volumes interface {
	// Import makes a spacesuit of an image file, which it copies and leaves alone. The image is not trusted: what
	// refers to any other file is ErrInvalid. ErrExists where the name is taken. progress, if not nil, is called
	// from time to time with bytes done and in all.
	Import(ctx context.Context, name string, src Image, progress func(done, total uint64)) (Spacesuit, error)

	// Spacesuits lists them by name; Spacesuit finds one, else ErrNotFound.
	Spacesuits(ctx context.Context) ([]Spacesuit, error)
	Spacesuit(ctx context.Context, name string) (Spacesuit, error)

	// Create makes a VM's disks from a spacesuit. size is what the guest sees of the first disk, in bytes; 0 is the
	// spacesuit's own; less than that is ErrInvalid. ErrExists where the VM has disks already.
	Create(ctx context.Context, vm ID, spacesuit string, size uint64) ([]Disk, error)

	// Grow makes one disk of a VM larger. A smaller size is ErrInvalid, the present one does nothing; a disk that a
	// running guest holds is ErrConflict (growing it is the hypervisor's).
	Grow(ctx context.Context, vm ID, disk string, size uint64) error

	// Delete removes a VM's disks; ErrNotFound where there are none. The guest must be stopped.
	Delete(ctx context.Context, vm ID) error

	// Usage tells the size and use of a VM's disks, running or not, in the guest's order.
	Usage(ctx context.Context, vm ID) ([]Usage, error)

	// Sweep, called at start before any other method, removes what earlier half-done work left, and the disks of
	// every VM that live says no to. It gives back the ids of those.
	Sweep(ctx context.Context, live func(ID) bool) ([]ID, error)
}

// Image is an image file to import.
type Image struct {
	Path   string
	Format Format // told by the one who brings it, never guessed
}

// Spacesuit is a template.
type Spacesuit struct {
	Name      string
	Size      uint64    // bytes a guest will see
	Allocated uint64    // bytes it takes in the store
	Created   time.Time // UTC
}

// Usage is one disk of a VM.
type Usage struct {
	Disk      Disk
	Size      uint64 // bytes the guest sees
	Allocated uint64 // bytes it takes in the store beyond its spacesuit
}
