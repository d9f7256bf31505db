package virt

import (
	"fmt"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"time"
)

// Spec is a VM at rest: everything needed to make it, and nothing about how it fares.
type Spec struct {
	ID      ID
	Name    string    // DNS label in lower case, unique on its satellite
	Owner   string    // account: a Bitcoin address, or "local"
	From    string    // what it was made from; may be empty
	Group   string    // VMs that belong together (later: placement, pods); may be empty
	Created time.Time // UTC, kept to the nanosecond
	Epoch   uint64    // raised by recovery and relocation; the higher one is the VM; begins at 0

	CPU    int    // virtual processors, 1 to MaxCPU
	Memory uint64 // bytes, a multiple of MemoryStep
	RAM    RAM
	Accel  Accel

	Disks []Disk // in the guest's order; the first one boots; 1 to MaxDisks
	NICs  []NIC  // in the guest's order; at most MaxNICs
}

// Disk is one volume as the guest sees it. Size and use are the store's to tell.
type Disk struct {
	Name   string // device name in the guest: "vda", "vdb", …, each once
	Path   string // absolute path of a file or block device
	Format Format
}

// Format is how a disk's bytes are laid out. It is always told, never guessed from the content: a guest writes the
// content, and one that writes itself a qcow2 header into a raw disk must not get a host file for it.
type Format string

// The formats a guest can run from.
const (
	QCOW2 Format = "qcow2"
	Raw   Format = "raw"
)

// NIC is one network card on a tap that exists before the guest starts and is not the hypervisor's to make, name or
// remove. The tap has one queue.
type NIC struct {
	MAC string // six octets, unicast: "02:00:00:0a:1b:2c"
	Tap string // interface name, at most 15 bytes
}

// Accel is what executes the guest's instructions.
type Accel string

// The accelerators.
const (
	KVM Accel = "kvm" // the processor
	TCG Accel = "tcg" // QEMU's translator, anywhere
)

// RAM is what a guest's memory is made of.
type RAM string

// The kinds of memory.
const (
	RAMPrivate RAM = ""      // anonymous pages of the guest's process
	RAMShared  RAM = "memfd" // a memory file that other processes can be given
)

// Limits of a Spec.
const (
	MemoryStep = 1 << 20 // QEMU's x86 machines round up to this, so nothing between is ever true
	MinMemory  = 16 << 20
	MaxMemory  = 16 << 40
	MaxCPU     = 1024
	MaxDisks   = 16
	MaxNICs    = 16
	MaxText    = 128 // bytes of Owner, From, Group
	maxTap     = 15  // IFNAMSIZ of linux/if.h without its zero byte
)

var (
	nameForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`) // RFC 1123 section 2.1
	diskForm = regexp.MustCompile(`^vd[a-z]$`)
	tapForm  = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	textForm = regexp.MustCompile(`^[\x20-\x7e]*$`)
)

// CheckName tells what is wrong with the name of a VM or spacesuit; it is used as a file's name too.
func CheckName(field, name string) error {
	if !nameForm.MatchString(name) {
		return &FieldError{Field: field, Value: name, Hint: "use lower-case letters, digits and inner hyphens, at most 63 in all"}
	}
	return nil
}

// AlignMemory rounds up to the next MemoryStep.
func AlignMemory(n uint64) uint64 { return (n + MemoryStep - 1) / MemoryStep * MemoryStep }

// Check tells the first thing that is wrong with the Spec as a *FieldError.
func (s Spec) Check() error {
	if s.ID.IsZero() {
		return &FieldError{Field: "id", Value: s.ID.String(), Hint: "mint one with NewID"}
	}
	if err := CheckName("name", s.Name); err != nil {
		return err
	}
	for _, t := range []struct{ field, value string }{{"owner", s.Owner}, {"from", s.From}, {"group", s.Group}} {
		if len(t.value) > MaxText || !textForm.MatchString(t.value) {
			return &FieldError{Field: t.field, Value: t.value, Hint: fmt.Sprintf("at most %d printable ASCII characters", MaxText)}
		}
	}
	if s.Owner == "" {
		return &FieldError{Field: "owner", Hint: "a VM has an account"}
	}
	if s.Created.IsZero() || s.Created.Location() != time.UTC {
		return &FieldError{Field: "created", Value: s.Created.String(), Hint: "a time in UTC"}
	}
	if s.CPU < 1 || s.CPU > MaxCPU {
		return &FieldError{Field: "cpu", Value: strconv.Itoa(s.CPU), Hint: fmt.Sprintf("1 to %d", MaxCPU)}
	}
	if s.Memory < MinMemory || s.Memory > MaxMemory || s.Memory%MemoryStep != 0 {
		return &FieldError{Field: "memory", Value: strconv.FormatUint(s.Memory, 10), Hint: "16 MiB to 16 TiB in steps of 1 MiB, in bytes"}
	}
	if s.RAM != RAMPrivate && s.RAM != RAMShared {
		return &FieldError{Field: "ram", Value: string(s.RAM), Hint: `"" or "memfd"`}
	}
	if s.Accel != KVM && s.Accel != TCG {
		return &FieldError{Field: "accel", Value: string(s.Accel), Hint: `"kvm" or "tcg"`}
	}
	if err := checkDisks(s.Disks); err != nil {
		return err
	}
	return checkNICs(s.NICs)
}

func checkDisks(disks []Disk) error {
	if len(disks) < 1 || len(disks) > MaxDisks {
		return &FieldError{Field: "disks", Value: strconv.Itoa(len(disks)), Hint: fmt.Sprintf("1 to %d", MaxDisks)}
	}
	names, paths := map[string]bool{}, map[string]bool{}
	for i, d := range disks {
		field := fmt.Sprintf("disks[%d].", i)
		if !diskForm.MatchString(d.Name) || names[d.Name] {
			return &FieldError{Field: field + "name", Value: d.Name, Hint: "vda to vdz, each once"}
		}
		if !filepath.IsAbs(d.Path) || filepath.Clean(d.Path) != d.Path || paths[d.Path] {
			return &FieldError{Field: field + "path", Value: d.Path, Hint: "a clean absolute path, each once"}
		}
		if d.Format != QCOW2 && d.Format != Raw {
			return &FieldError{Field: field + "format", Value: string(d.Format), Hint: `"qcow2" or "raw"`}
		}
		names[d.Name], paths[d.Path] = true, true
	}
	return nil
}

func checkNICs(nics []NIC) error {
	if len(nics) > MaxNICs {
		return &FieldError{Field: "nics", Value: strconv.Itoa(len(nics)), Hint: fmt.Sprintf("at most %d", MaxNICs)}
	}
	macs, taps := map[string]bool{}, map[string]bool{}
	for i, n := range nics {
		field := fmt.Sprintf("nics[%d].", i)
		mac, err := net.ParseMAC(n.MAC)
		if err != nil || len(mac) != 6 || mac[0]&1 != 0 || mac.String() != n.MAC || macs[n.MAC] {
			return &FieldError{Field: field + "mac", Value: n.MAC, Hint: "a unicast address in lower case with colons, each once"}
		}
		if n.Tap == "" || len(n.Tap) > maxTap || !tapForm.MatchString(n.Tap) || taps[n.Tap] {
			return &FieldError{Field: field + "tap", Value: n.Tap, Hint: "an interface's name, 1 to 15 bytes, each once"}
		}
		macs[n.MAC], taps[n.Tap] = true, true
	}
	return nil
}
