package datapath

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Our filter's place in a device's ingress: before all others, by a handle that tells it apart in tc(8)'s listing.
const (
	filterPriority = 1
	filterHandle   = 0xdece
	filterName     = "decenter"
)

// qdiscMark is the folder in a device's record that says that its qdisc is ours to remove.
const qdiscMark = "qdisc"

// clsactHook attaches by a filter in direct action (cls_bpf) to the ingress of a clsact qdisc. Both hang on the device
// and go with it; nothing need be pinned. RECORDS/INDEX is a folder, made before and removed after them.
//
// A filter is ours if it is at our place and its program works on our maps: so another switch's on a device that has the
// same index, in this namespace or another, is never taken for ours. It is looked for in the namespace of the caller.
type clsactHook struct{ maps, records string }

func (h clsactHook) add(ifindex uint32, p *ebpf.Program) error {
	record := at(h.records, ifindex)
	if err := os.MkdirAll(record, 0o700); err != nil {
		return err
	}
	qdisc, err := ingressQdisc(ifindex)
	if err != nil {
		return err
	}
	if qdisc == nil {
		if err := os.MkdirAll(filepath.Join(record, qdiscMark), 0o700); err != nil {
			return err
		}
		if err := netlink.QdiscAdd(clsactOf(ifindex)); err != nil {
			return fmt.Errorf("add clsact qdisc: %w", missing(err))
		}
	}
	err = netlink.FilterAdd(filterOf(ifindex, p))
	if errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("another's filter has handle %#x at ingress, priority %d: %w", filterHandle, filterPriority, err)
	}
	if err != nil {
		return fmt.Errorf("add filter at ingress, priority %d: %w", filterPriority, missing(err))
	}
	return nil
}

func (h clsactHook) program(ifindex uint32) (ebpf.ProgramID, error) {
	if _, err := os.Stat(at(h.records, ifindex)); errors.Is(err, os.ErrNotExist) {
		return 0, errUnhooked
	}
	filters, err := filtersAt(ifindex, netlink.HANDLE_MIN_INGRESS)
	if err != nil {
		return 0, err
	}
	for _, f := range filters {
		b, ok := f.(*netlink.BpfFilter)
		if !ok || b.Priority != filterPriority || b.Handle != filterHandle || b.Chain != nil && *b.Chain != 0 {
			continue
		}
		id := ebpf.ProgramID(b.Id)
		if ours, err := h.worksOnOurMaps(id); err != nil || ours {
			return id, err
		}
	}
	return 0, errUnhooked
}

// replace adds at the same place and handle, which exchanges the program under the kernel's own lock.
func (h clsactHook) replace(ifindex uint32, p *ebpf.Program) error {
	return netlink.FilterReplace(filterOf(ifindex, p))
}

func (h clsactHook) remove(ifindex uint32) error {
	record := at(h.records, ifindex)
	if _, err := os.Stat(record); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	switch _, err := h.program(ifindex); {
	case err == nil:
		if err := vanished(netlink.FilterDel(filterOf(ifindex, nil))); err != nil {
			return fmt.Errorf("remove filter: %w", err)
		}
	case !errors.Is(err, errUnhooked):
		return err
	}
	if _, err := os.Stat(filepath.Join(record, qdiscMark)); err == nil {
		if err := removeIdle(ifindex); err != nil {
			return fmt.Errorf("remove clsact qdisc: %w", err)
		}
	}
	return gone(os.RemoveAll(record))
}

func (h clsactHook) recorded() ([]uint32, error) { return indexed(h.records) }

// worksOnOurMaps tells whether a program uses the map that each of this switch's uses. One that ended meanwhile does not.
func (h clsactHook) worksOnOurMaps(id ebpf.ProgramID) (bool, error) {
	m, err := ebpf.LoadPinnedMap(filepath.Join(h.maps, "places"), nil)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer m.Close()
	p, err := ebpf.NewProgramFromID(id)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer p.Close()
	mi, err := m.Info()
	if err != nil {
		return false, err
	}
	pi, err := p.Info()
	if err != nil {
		return false, err
	}
	want, _ := mi.ID()
	used, ok := pi.MapIDs()
	if !ok {
		return false, errors.New("kernel does not tell a program's maps")
	}
	return slices.Contains(used, want), nil
}

// removeIdle removes the clsact qdisc of a device unless others have filters in it by now.
func removeIdle(ifindex uint32) error {
	qdisc, err := ingressQdisc(ifindex)
	if err != nil || qdisc == nil || qdisc.Type() != "clsact" {
		return err
	}
	for _, side := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
		if others, err := filtersAt(ifindex, side); err != nil || len(others) > 0 {
			return err
		}
	}
	return vanished(netlink.QdiscDel(qdisc))
}

// ingressQdisc gives the qdisc that a device's ingress filters hang in, of kind clsact or ingress; or nil.
func ingressQdisc(ifindex uint32) (netlink.Qdisc, error) {
	all, err := netlink.QdiscList(device(ifindex))
	if err != nil {
		return nil, fmt.Errorf("list qdiscs: %w", missing(err))
	}
	for _, q := range all {
		if q.Attrs().Parent == netlink.HANDLE_CLSACT {
			return q, nil
		}
	}
	return nil, nil
}

func filtersAt(ifindex uint32, side uint32) ([]netlink.Filter, error) {
	filters, err := netlink.FilterList(device(ifindex), side)
	if errors.Is(err, unix.EOPNOTSUPP) { // no filters in this kernel
		return nil, nil
	}
	if err := vanished(err); err != nil {
		return nil, fmt.Errorf("list filters: %w", err)
	}
	return filters, nil
}

// device names a device by its index alone.
func device(ifindex uint32) netlink.Link {
	return &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: int(ifindex)}}
}

func clsactOf(ifindex uint32) netlink.Qdisc {
	return &netlink.GenericQdisc{QdiscType: "clsact", QdiscAttrs: netlink.QdiscAttrs{LinkIndex: int(ifindex),
		Parent: netlink.HANDLE_CLSACT, Handle: netlink.MakeHandle(0xffff, 0)}}
}

// filterOf is our filter on a device, with that program or, to remove it, none.
func filterOf(ifindex uint32, p *ebpf.Program) *netlink.BpfFilter {
	f := &netlink.BpfFilter{Fd: -1, Name: filterName, DirectAction: true, FilterAttrs: netlink.FilterAttrs{
		LinkIndex: int(ifindex), Parent: netlink.HANDLE_MIN_INGRESS, Priority: filterPriority, Handle: filterHandle,
		Protocol: unix.ETH_P_ALL}}
	if p != nil {
		f.Fd = p.FD()
	}
	return f
}

// missing tells by the kernel's answer that it has not the kind that was asked for.
func missing(err error) error {
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: %w", ErrKernel, err)
	}
	return err
}

// vanished leaves out that a device, or what hung on it, went away meanwhile.
func vanished(err error) error {
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}
