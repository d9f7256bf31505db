package datapath

import (
	"errors"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// tcxHook attaches by tcx (Linux 6.6): a link whose pin, at LINKS/INDEX, is the record too.
type tcxHook struct{ links string }

func (h tcxHook) add(ifindex uint32, p *ebpf.Program) error {
	l, err := link.AttachTCX(link.TCXOptions{Interface: int(ifindex), Program: p,
		Attach: ebpf.AttachTCXIngress, Anchor: link.Head()})
	if err != nil {
		return err
	}
	defer l.Close() // the pin holds it
	return l.Pin(at(h.links, ifindex))
}

func (h tcxHook) program(ifindex uint32) (ebpf.ProgramID, error) {
	l, err := link.LoadPinnedLink(at(h.links, ifindex), nil)
	if errors.Is(err, os.ErrNotExist) {
		return 0, errUnhooked
	}
	if err != nil {
		return 0, err
	}
	defer l.Close()
	info, err := l.Info()
	if err != nil {
		return 0, err
	}
	if t := info.TCX(); t == nil || t.Ifindex != ifindex { // 0: the device is no more, or in another namespace
		return 0, errUnhooked
	}
	return info.Program, nil
}

func (h tcxHook) replace(ifindex uint32, p *ebpf.Program) error {
	l, err := link.LoadPinnedLink(at(h.links, ifindex), nil)
	if err != nil {
		return err
	}
	defer l.Close()
	return l.Update(p)
}

// remove detaches: a link that only loses its pin is taken off some time later.
func (h tcxHook) remove(ifindex uint32) error {
	path := at(h.links, ifindex)
	if l, err := link.LoadPinnedLink(path, nil); err == nil {
		l.Detach() // fails where the device is gone, and with it the attachment
		l.Close()
	}
	return gone(os.Remove(path))
}

func (h tcxHook) recorded() ([]uint32, error) { return indexed(h.links) }
