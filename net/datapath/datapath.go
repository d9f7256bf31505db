package datapath

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"decenter/net/frame"
)

//go:generate ./bpf/build.sh

//go:embed bpf/fabric.bpfel.o
var object []byte

// Limits, as in fabric.c.
const (
	MaxPorts   = 256
	MaxLearned = 32768
)

// layout names the maps' form; it changes with any map's key, value or size.
const layout = "v1"

// Sentinels of what can be wrong.
var (
	// ErrNotBPFFS: the folder to pin in is not on a bpffs.
	ErrNotBPFFS = errors.New("not on a bpffs: mount one, such as `mount -t bpf bpf /sys/fs/bpf`")
	// ErrUnknownPort: no such port is attached.
	ErrUnknownPort = errors.New("port is not attached")
	// ErrFull: MaxPorts are attached.
	ErrFull = errors.New("all ports are taken")
)

// Kind says what a port leads to.
type Kind uint8

// The kinds, as in fabric.c.
const (
	Fabric Kind = 1 // a cable
	VM     Kind = 2 // a tap
	Host   Kind = 3 // the inner end of the satellite's own port
)

// String gives the kind's name.
func (k Kind) String() string {
	switch k {
	case Fabric:
		return "fabric"
	case VM:
		return "vm"
	case Host:
		return "host"
	}
	return "kind " + strconv.Itoa(int(k))
}

// Port is one port of the switch.
type Port struct {
	Ifindex uint32
	Kind    Kind
	// MAC is the fabric port's own, or the one address that the VM or the host sends from and is reached at.
	MAC  frame.MAC
	Open bool
}

// port, place, sighting and counts are the maps' values, as in fabric.c.
type port struct {
	Ifindex    uint32
	Kind       uint8
	Open       uint8
	Generation uint16
}

type place struct {
	Slot uint32
	MAC  [6]byte
	_    [2]byte
}

type counts [16]uint64

// Datapath is the switch of one folder. It is not safe for concurrent use, and one process owns a folder at a time (Lock).
type Datapath struct {
	dir   string
	log   *slog.Logger
	maps  map[string]*ebpf.Map
	progs map[Kind]*ebpf.Program
	hook  hook             // by which ports are attached from now on
	hooks []hook           // by which they may have been
	ports map[uint32]entry // by ifindex: what the maps say
	next  []uint32         // free slots, the lowest last
	fresh bool
}

type entry struct {
	slot uint32
	port Port
	gen  uint16
}

// Open takes over the switch pinned in the folder, or makes a new one there. Ports attached before go on forwarding;
// where their program is another than this one's, it is replaced in one step.
func Open(dir string, log *slog.Logger) (*Datapath, error) {
	spec, err := ebpf.LoadCollectionSpecFromReader(bytes.NewReader(object))
	if err != nil {
		return nil, fmt.Errorf("read data path's object: %w", err)
	}
	return open(dir, log, spec, probeTCX)
}

func open(dir string, log *slog.Logger, spec *ebpf.CollectionSpec, hasTCX probe) (*Datapath, error) {
	d := &Datapath{dir: filepath.Join(dir, layout), log: log, progs: map[Kind]*ebpf.Program{}, ports: map[uint32]entry{}}
	if err := d.prepare(dir); err != nil {
		return nil, fmt.Errorf("open data path in %s: %w", dir, err)
	}
	if err := d.load(spec); err != nil {
		d.Close()
		return nil, fmt.Errorf("load data path: %w", explain(err))
	}
	if err := d.choose(hasTCX); err != nil {
		d.Close()
		return nil, err
	}
	if err := d.takeOver(); err != nil {
		d.Close()
		return nil, fmt.Errorf("take over data path: %w", err)
	}
	return d, nil
}

// prepare makes the folders and sweeps out other layouts, whose ports then are not forwarded until attached again.
func (d *Datapath) prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return err
	}
	if fs.Type != unix.BPF_FS_MAGIC {
		return ErrNotBPFFS
	}
	old, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, o := range old {
		if o.Name() != layout {
			d.log.Warn("data path of another layout is replaced; frames are lost until its ports are attached again", "layout", o.Name())
			if err := removeLayout(filepath.Join(dir, o.Name())); err != nil {
				return err
			}
		}
	}
	_, err = os.Stat(filepath.Join(d.dir, "maps", "ports"))
	d.fresh = errors.Is(err, os.ErrNotExist)
	for _, sub := range []string{"maps", "links", "filters"} {
		if err := os.MkdirAll(filepath.Join(d.dir, sub), 0o700); err != nil {
			return err
		}
	}
	return nil
}

// load brings the programs into the kernel, over pinned maps where there are some.
func (d *Datapath) load(spec *ebpf.CollectionSpec) error {
	if err := rlimit.RemoveMemlock(); err != nil {
		return fmt.Errorf("lift the limit on locked memory: %w", err)
	}
	for _, m := range spec.Maps {
		m.Pinning = ebpf.PinByName
	}
	c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{
		Maps: ebpf.MapOptions{PinPath: filepath.Join(d.dir, "maps")},
	})
	if err != nil {
		return err
	}
	d.maps = c.Maps
	for kind, name := range map[Kind]string{Fabric: "fabric_in", VM: "vm_in", Host: "host_in"} {
		d.progs[kind] = c.Programs[name]
	}
	return nil
}

// takeOver reads the ports back, mends what a kill in the middle of a change left, and brings links up to date.
func (d *Datapath) takeOver() error {
	slots := map[uint32]bool{}
	var ifindex uint32
	var at place
	for it := d.maps["places"].Iterate(); it.Next(&ifindex, &at); {
		var p port
		if err := d.maps["ports"].Lookup(at.Slot, &p); err != nil {
			return err
		}
		slots[at.Slot] = true
		d.ports[ifindex] = entry{slot: at.Slot, gen: p.Generation,
			port: Port{Ifindex: ifindex, Kind: Kind(p.Kind), MAC: at.MAC, Open: p.Open != 0 && p.Ifindex == ifindex}}
	}
	for slot := uint32(MaxPorts); slot > 0; slot-- {
		if !slots[slot-1] {
			d.next = append(d.next, slot-1)
		}
	}
	for _, e := range d.ports {
		if err := d.renew(e.port); err != nil {
			d.log.Warn("a port of the earlier life is gone", "ifindex", e.port.Ifindex, "err", err)
			if err := d.Detach(e.port.Ifindex); err != nil {
				return err
			}
		}
	}
	return nil
}

// renew makes an attached port run this object's program.
func (d *Datapath) renew(p Port) error {
	h, id, err := d.held(p.Ifindex)
	if err != nil {
		return err
	}
	want, ok := d.progs[p.Kind]
	if !ok {
		return fmt.Errorf("unknown kind %d", p.Kind)
	}
	old, err := ebpf.NewProgramFromID(id)
	if err != nil {
		return err
	}
	defer old.Close()
	if same, err := sameTag(old, want); err != nil || same {
		return err
	}
	d.log.Info("data path's program replaced", "ifindex", p.Ifindex, "kind", p.Kind)
	return h.replace(p.Ifindex, want)
}

// Hooked tells whether a port's program still hangs on its device. It does not once the device was removed or went to
// another namespace, also if one of the same index is there by now.
func (d *Datapath) Hooked(ifindex uint32) bool {
	if _, there := d.ports[ifindex]; !there {
		return false
	}
	_, _, err := d.held(ifindex)
	return err == nil
}

// sameTag compares programs by the kernel's digest of their instructions.
func sameTag(a, b *ebpf.Program) (bool, error) {
	ai, err := a.Info()
	if err != nil {
		return false, err
	}
	bi, err := b.Info()
	if err != nil {
		return false, err
	}
	return ai.Tag == bi.Tag, nil
}

// Fresh tells whether Open found nothing to take over: no gate is open, and no snapshot of promises holds.
func (d *Datapath) Fresh() bool { return d.fresh }

// Close lets go of the switch, which goes on forwarding.
func (d *Datapath) Close() {
	for _, m := range d.maps {
		m.Close()
	}
	for _, p := range d.progs {
		p.Close()
	}
	d.maps, d.progs = nil, nil
}

// Uninstall ends the switch of a folder: its programs leave their devices, its maps go. Nothing there is no error. The
// caller is in the network namespace of the ports.
func Uninstall(dir string) error {
	layouts, err := os.ReadDir(dir)
	errs := []error{gone(err)}
	for _, l := range layouts {
		errs = append(errs, removeLayout(filepath.Join(dir, l.Name())))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("uninstall data path: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("uninstall data path: %w", err)
	}
	return nil
}
