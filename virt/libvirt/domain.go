package libvirt

import (
	"encoding/xml"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"libvirt.org/go/libvirtxml"

	"decenter/virt"
)

// Namespace is that of our metadata element. A change of the element's meaning gets a new number.
const Namespace = "urn:decenter:vm:1"

const agentChannel = "org.qemu.guest_agent.0" // the name the guest agent looks for

// hostnameKey is where a guest that looks finds its VM's name (QEMU's fw_cfg; /sys/firmware/qemu_fw_cfg in Linux).
const hostnameKey = "opt/decenter/hostname"

// metadata is our element. Its prefix is written by hand, since encoding/xml makes none.
type metadata struct {
	XMLName xml.Name `xml:"urn:decenter:vm:1 vm"`
	Owner   string   `xml:"owner,attr"`
	From    string   `xml:"from,attr"`
	Group   string   `xml:"group,attr"`
	Epoch   uint64   `xml:"epoch,attr"`
	Created string   `xml:"created,attr"` // RFC 3339 with nanoseconds
}

// errForeign is a domain without our metadata.
var errForeign = errors.New("not a domain of ours")

// layout is where a guest's files lie, and which QEMU runs it.
type layout struct {
	dir      string
	emulator string // empty: libvirt's choice
}

func (l layout) log(id virt.ID) string { return filepath.Join(l.dir, id.String()+".log") }
func (l layout) tty(id virt.ID) string { return filepath.Join(l.dir, id.String()+".tty") }

// encode makes the domain of a Spec that Check has passed.
func encode(s virt.Spec, l layout) (string, error) {
	d := libvirtxml.Domain{
		Type: "qemu", Name: s.Name, UUID: s.ID.String(),
		Metadata:   &libvirtxml.DomainMetadata{XML: encodeMetadata(s)},
		Memory:     &libvirtxml.DomainMemory{Value: uint(s.Memory >> 10), Unit: "KiB"},
		VCPU:       &libvirtxml.DomainVCPU{Placement: "static", Value: uint(s.CPU)},
		OS:         &libvirtxml.DomainOS{Type: &libvirtxml.DomainOSType{Arch: "x86_64", Machine: "q35", Type: "hvm"}},
		Features:   &libvirtxml.DomainFeatureList{ACPI: &libvirtxml.DomainFeature{}, APIC: &libvirtxml.DomainFeatureAPIC{}},
		CPU:        cpuModel(s.Accel),
		Clock:      &libvirtxml.DomainClock{Offset: "utc"},
		OnPoweroff: "destroy", OnReboot: "restart", OnCrash: "destroy",
		// A guest asleep is neither running nor stopped; it is not offered the choice.
		PM: &libvirtxml.DomainPM{
			SuspendToMem:  &libvirtxml.DomainPMPolicy{Enabled: "no"},
			SuspendToDisk: &libvirtxml.DomainPMPolicy{Enabled: "no"},
		},
		SysInfo: []libvirtxml.DomainSysInfo{{FWCfg: &libvirtxml.DomainSysInfoFWCfg{
			Entry: []libvirtxml.DomainSysInfoEntry{{Name: hostnameKey, Value: s.Name}},
		}}},
		Devices: devices(s, l),
	}
	if s.Accel == virt.KVM {
		d.Type = "kvm"
	}
	if s.RAM == virt.RAMShared {
		d.MemoryBacking = &libvirtxml.DomainMemoryBacking{
			MemorySource: &libvirtxml.DomainMemorySource{Type: "memfd"},
			MemoryAccess: &libvirtxml.DomainMemoryAccess{Mode: "shared"},
		}
	}
	return d.Marshal()
}

// cpuModel picks the processor a guest sees: the machine's own kind under KVM, the plainest under TCG, where every
// feature more is more to translate.
func cpuModel(a virt.Accel) *libvirtxml.DomainCPU {
	if a == virt.KVM {
		return &libvirtxml.DomainCPU{Mode: "host-model"}
	}
	return &libvirtxml.DomainCPU{Mode: "custom", Match: "exact", Model: &libvirtxml.DomainCPUModel{Fallback: "forbid", Value: "qemu64"}}
}

func encodeMetadata(s virt.Spec) string {
	attr := func(name, value string) string {
		var b strings.Builder
		xml.EscapeText(&b, []byte(value))
		return " " + name + `="` + b.String() + `"`
	}
	return `<decenter:vm xmlns:decenter="` + Namespace + `"` + attr("owner", s.Owner) + attr("from", s.From) + attr("group", s.Group) +
		attr("epoch", strconv.FormatUint(s.Epoch, 10)) + attr("created", s.Created.Format(time.RFC3339Nano)) + `/>`
}

func devices(s virt.Spec, l layout) *libvirtxml.DomainDeviceList {
	port := uint(0)
	list := &libvirtxml.DomainDeviceList{
		Emulator:    l.emulator,
		Controllers: []libvirtxml.DomainController{{Type: "usb", Model: "none"}},
		Serials: []libvirtxml.DomainSerial{{
			Source: &libvirtxml.DomainChardevSource{UNIX: &libvirtxml.DomainChardevSourceUNIX{Mode: "bind", Path: l.tty(s.ID)}},
			Log:    &libvirtxml.DomainChardevLog{File: l.log(s.ID), Append: "on"},
			Target: &libvirtxml.DomainSerialTarget{Port: &port},
		}},
		Channels: []libvirtxml.DomainChannel{{ // libvirt picks the path
			Source: &libvirtxml.DomainChardevSource{UNIX: &libvirtxml.DomainChardevSourceUNIX{Mode: "bind"}},
			Target: &libvirtxml.DomainChannelTarget{VirtIO: &libvirtxml.DomainChannelTargetVirtIO{Name: agentChannel}},
		}},
		Graphics: []libvirtxml.DomainGraphic{{VNC: &libvirtxml.DomainGraphicVNC{ // libvirt picks the path
			Listeners: []libvirtxml.DomainGraphicListener{{Socket: &libvirtxml.DomainGraphicListenerSocket{}}},
		}}},
		Videos:     []libvirtxml.DomainVideo{{Model: libvirtxml.DomainVideoModel{Type: "vga", VRam: 16384, Heads: 1}}},
		RNGs:       []libvirtxml.DomainRNG{{Model: "virtio", Backend: &libvirtxml.DomainRNGBackend{Random: &libvirtxml.DomainRNGBackendRandom{Device: "/dev/urandom"}}}},
		MemBalloon: &libvirtxml.DomainMemBalloon{Model: "none"},
		Panics:     []libvirtxml.DomainPanic{{Model: "isa"}}, // tells a panic from a power-off
	}
	for i, d := range s.Disks {
		list.Disks = append(list.Disks, disk(d, uint(i+1)))
	}
	for _, n := range s.NICs {
		list.Interfaces = append(list.Interfaces, libvirtxml.DomainInterface{
			MAC:    &libvirtxml.DomainInterfaceMAC{Address: n.MAC},
			Source: &libvirtxml.DomainInterfaceSource{Ethernet: &libvirtxml.DomainInterfaceSourceEthernet{}},
			Target: &libvirtxml.DomainInterfaceTarget{Dev: n.Tap, Managed: "no"},
			Model:  &libvirtxml.DomainInterfaceModel{Type: "virtio"},
			ROM:    &libvirtxml.DomainROM{Enabled: "no"}, // no network boot: it costs seconds
		})
	}
	return list
}

func disk(d virt.Disk, order uint) libvirtxml.DomainDisk {
	return libvirtxml.DomainDisk{
		Device: "disk",
		Driver: &libvirtxml.DomainDiskDriver{Name: "qemu", Type: string(d.Format), Cache: "none", IO: "threads", Discard: "unmap", DetectZeros: "unmap"},
		Source: &libvirtxml.DomainDiskSource{File: &libvirtxml.DomainDiskSourceFile{File: d.Path}},
		Target: &libvirtxml.DomainDiskTarget{Dev: d.Name, Bus: "virtio"},
		Boot:   &libvirtxml.DomainDeviceBoot{Order: order},
	}
}

// entry is what a domain's description tells.
type entry struct {
	spec  virt.Spec
	agent bool   // connected
	vnc   string // path of the socket, of a live domain
}

// decode reads back what encode wrote and libvirt completed; errForeign where our metadata is missing.
func decode(text string) (entry, error) {
	var d libvirtxml.Domain
	if err := d.Unmarshal(text); err != nil {
		return entry{}, fmt.Errorf("read a domain's XML: %w", err)
	}
	if d.Metadata == nil {
		return entry{}, errForeign
	}
	m, err := decodeMetadata(d.Metadata.XML)
	if err != nil {
		return entry{}, err
	}
	s := virt.Spec{Name: d.Name, Owner: m.Owner, From: m.From, Group: m.Group, Epoch: m.Epoch, Accel: virt.TCG}
	if s.ID, err = virt.ParseID(d.UUID); err != nil {
		return entry{}, err
	}
	if s.Created, err = time.Parse(time.RFC3339Nano, m.Created); err != nil {
		return entry{}, fmt.Errorf("metadata of %s: %w", d.Name, err)
	}
	s.Created = s.Created.UTC()
	if d.Type == "kvm" {
		s.Accel = virt.KVM
	}
	if d.VCPU != nil {
		s.CPU = int(d.VCPU.Value)
	}
	if s.Memory, err = memory(d.Memory); err != nil {
		return entry{}, err
	}
	if b := d.MemoryBacking; b != nil && b.MemorySource != nil && b.MemorySource.Type == "memfd" {
		s.RAM = virt.RAMShared
	}
	e := entry{spec: s}
	if d.Devices != nil {
		e.read(d.Devices)
	}
	return e, nil
}

// decodeMetadata finds our element among those of others in <metadata>.
func decodeMetadata(inner string) (metadata, error) {
	var all struct {
		VM []metadata `xml:"urn:decenter:vm:1 vm"`
	}
	if err := xml.Unmarshal([]byte("<metadata>"+inner+"</metadata>"), &all); err != nil {
		return metadata{}, fmt.Errorf("read a domain's metadata: %w", err)
	}
	if len(all.VM) != 1 {
		return metadata{}, errForeign
	}
	return all.VM[0], nil
}

// memory reads a size in libvirt's units; libvirt itself writes KiB.
func memory(m *libvirtxml.DomainMemory) (uint64, error) {
	if m == nil {
		return 0, errors.New("a domain without memory")
	}
	switch m.Unit {
	case "KiB", "":
		return uint64(m.Value) << 10, nil
	case "b", "bytes":
		return uint64(m.Value), nil
	}
	return 0, fmt.Errorf("memory in %q", m.Unit)
}

func (e *entry) read(list *libvirtxml.DomainDeviceList) {
	for _, d := range list.Disks {
		if d.Target == nil || d.Source == nil || d.Driver == nil {
			continue
		}
		path := ""
		switch {
		case d.Source.File != nil:
			path = d.Source.File.File
		case d.Source.Block != nil:
			path = d.Source.Block.Dev
		}
		e.spec.Disks = append(e.spec.Disks, virt.Disk{Name: d.Target.Dev, Path: path, Format: virt.Format(d.Driver.Type)})
	}
	for _, n := range list.Interfaces {
		if n.MAC != nil && n.Target != nil {
			e.spec.NICs = append(e.spec.NICs, virt.NIC{MAC: n.MAC.Address, Tap: n.Target.Dev})
		}
	}
	for _, c := range list.Channels {
		if c.Target != nil && c.Target.VirtIO != nil && c.Target.VirtIO.Name == agentChannel {
			e.agent = c.Target.VirtIO.State == "connected"
		}
	}
	for _, g := range list.Graphics {
		if g.VNC == nil {
			continue
		}
		e.vnc = g.VNC.Socket
		for _, l := range g.VNC.Listeners {
			if l.Socket != nil && l.Socket.Socket != "" {
				e.vnc = l.Socket.Socket
			}
		}
	}
}
