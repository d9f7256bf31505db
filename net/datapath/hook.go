package datapath

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
)

// ErrKernel: the kernel has not what the switch needs. Linux 5.17 brought bpf_loop, 6.6 tcx.
var ErrKernel = errors.New("this kernel cannot carry the data path: it takes Linux 5.17 or later, and before 6.6 also its modules sch_ingress and cls_bpf")

// errUnhooked: the device has no program of this switch.
var errUnhooked = errors.New("its device went away, or its program was taken off")

// hook is a way to hold programs at the ingress of devices, which they do not leave when this process ends. It keeps a
// record of each device in the switch's folder, from before the program comes until after it went.
type hook interface {
	// add makes the program the first to see a device's frames. By this way, the device has none of this switch yet.
	add(ifindex uint32, p *ebpf.Program) error
	// program gives the one of this switch that a device has by this way, or errUnhooked.
	program(ifindex uint32) (ebpf.ProgramID, error)
	// replace exchanges the program of a device in one step: each frame sees the old one or the new one.
	replace(ifindex uint32, p *ebpf.Program) error
	// remove takes the program off at once, and then the record. Neither program nor device need be there.
	remove(ifindex uint32) error
	// recorded lists the devices, as far as they are known, that have a program by this way.
	recorded() ([]uint32, error)
}

// hooks are all ways, for the switch pinned in a layout's folder.
func hooks(dir string) (tcxHook, clsactHook) {
	return tcxHook{filepath.Join(dir, "links")}, clsactHook{maps: filepath.Join(dir, "maps"), records: filepath.Join(dir, "filters")}
}

// probe tells whether the kernel has tcx: nil, or ebpf.ErrNotSupported.
type probe func(*ebpf.Program) error

// probeTCX tries to attach a program to a device that is not there, which a kernel with tcx notices.
func probeTCX(p *ebpf.Program) error {
	l, err := link.AttachTCX(link.TCXOptions{Interface: math.MaxInt32, Program: p, Attach: ebpf.AttachTCXIngress})
	if err == nil {
		return l.Close()
	}
	if errors.Is(err, ebpf.ErrNotSupported) {
		return err
	}
	return nil
}

// choose decides by which way ports are attached from now on.
func (d *Datapath) choose(hasTCX probe) error {
	tcx, clsact := hooks(d.dir)
	d.hooks = []hook{tcx, clsact}
	err := hasTCX(d.progs[Fabric])
	switch {
	case err == nil:
		d.hook = tcx
	case errors.Is(err, ebpf.ErrNotSupported):
		d.hook = clsact
		if d.fresh {
			d.log.Info("this kernel has no tcx (Linux 6.6): programs are attached by clsact")
		}
	default:
		return fmt.Errorf("look for tcx: %w", err)
	}
	return nil
}

// held gives the way by which a device has a program of this switch, and which program; or errUnhooked.
func (d *Datapath) held(ifindex uint32) (hook, ebpf.ProgramID, error) {
	for _, h := range d.hooks {
		if id, err := h.program(ifindex); !errors.Is(err, errUnhooked) {
			return h, id, err
		}
	}
	return nil, 0, errUnhooked
}

// unhook takes the program off a device, whichever way it came.
func (d *Datapath) unhook(ifindex uint32) error {
	var errs []error
	for _, h := range d.hooks {
		errs = append(errs, h.remove(ifindex))
	}
	return errors.Join(errs...)
}

// removeLayout ends the switch of a layout's folder. Programs go first, so that none is left without its tables.
func removeLayout(dir string) error {
	tcx, clsact := hooks(dir)
	for _, h := range []hook{tcx, clsact} {
		devices, err := h.recorded()
		if err != nil {
			return err
		}
		for _, ifindex := range devices {
			if err := h.remove(ifindex); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(dir)
}

// explain says of an error of loading whether the kernel is too old.
func explain(err error) error {
	if errors.Is(features.HaveProgramHelper(ebpf.SchedCLS, asm.FnLoop), ebpf.ErrNotSupported) {
		return fmt.Errorf("%w: %w", ErrKernel, err)
	}
	return err
}

// indexed lists the entries of a folder that are numbers. No folder is an empty one.
func indexed(dir string) ([]uint32, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	var all []uint32
	for _, e := range entries {
		if n, err := strconv.ParseUint(e.Name(), 10, 32); err == nil {
			all = append(all, uint32(n))
		}
	}
	return all, err
}

// at is the path of a device's entry in a folder.
func at(dir string, ifindex uint32) string {
	return filepath.Join(dir, strconv.FormatUint(uint64(ifindex), 10))
}

// gone leaves out that a file is not there.
func gone(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}
