package fabric

import (
	"context"
	"encoding/hex"
	"errors"
	"net"
	"strings"

	"decenter/engine/api"
	"decenter/net/datapath"
	"decenter/net/frame"
	"decenter/net/link"
)

// tapPrefix begins the name of every tap of ours: with the address's twelve digits it makes fourteen of the fifteen
// characters that a device's name may have.
const tapPrefix = "dt"

type tap struct {
	name    string
	ifindex uint32
}

// TapName is the name of a vNIC's tap.
func TapName(mac frame.MAC) string { return tapPrefix + hex.EncodeToString(mac[:]) }

// tapMAC is the vNIC that a tap's name names.
func tapMAC(name string) (frame.MAC, bool) {
	digits, ours := strings.CutPrefix(name, tapPrefix)
	b, err := hex.DecodeString(digits)
	if !ours || err != nil || len(b) != len(frame.MAC{}) || hex.EncodeToString(b) != digits {
		return frame.MAC{}, false
	}
	return frame.MAC(b), true
}

// isTap tells whether a device is a tap of ours.
func isTap(l link.Link) bool {
	_, named := tapMAC(l.Name)
	return named && (l.Kind == "tuntap" || l.Kind == "tun")
}

func checkMAC(mac net.HardwareAddr) (frame.MAC, error) {
	if len(mac) != len(frame.MAC{}) || mac[0]&1 != 0 {
		return frame.MAC{}, &api.Error{Code: api.CodeInvalid, Message: "a vNIC cannot have the address " + mac.String(), Hint: "use a unicast address of six octets"}
	}
	return frame.MAC(mac), nil
}

// takeOverTaps finds the taps of VMs that the data path kept.
func (f *Fabric) takeOverTaps() error {
	for _, p := range f.dp.Ports() {
		switch p.Kind {
		case datapath.VM:
			f.taps[p.MAC] = tap{name: TapName(p.MAC), ifindex: p.Ifindex}
		case datapath.Host:
			if p.Ifindex != f.inner.Index || p.MAC != f.cfg.MAC {
				if err := f.dp.Detach(p.Ifindex); err != nil {
					return err
				}
			}
		}
	}
	f.tellLocal()
	return nil
}

// tellLocal tells the core which vNICs are at home here.
func (f *Fabric) tellLocal() {
	macs := make([]frame.MAC, 0, len(f.taps))
	for mac := range f.taps {
		macs = append(macs, mac)
	}
	f.core.Local(macs, f.now())
}

// checkTaps looks after the taps whose devices somebody else removed: what is sent to their VMs would reach whatever
// device gets the index next.
func (f *Fabric) checkTaps(all []link.Link) error {
	names := map[uint32]string{}
	for _, l := range all {
		names[l.Index] = l.Name
	}
	var errs []error
	for mac, t := range f.taps {
		if names[t.ifindex] == t.name && f.dp.Hooked(t.ifindex) {
			continue
		}
		f.cfg.Log.Warn("a VM's tap was removed or exchanged; its card has no network until it is attached again", "tap", t.name, "mac", mac)
		errs = append(errs, f.dp.Detach(t.ifindex))
		delete(f.taps, mac)
		f.tellLocal()
	}
	return errors.Join(errs...)
}

// Attach makes the tap of a vNIC, whose name depends on the address alone, and lets its frames in and out; doing it
// again is fine. The tap persists until Detach, whoever opens it.
func (f *Fabric) Attach(ctx context.Context, addr net.HardwareAddr) (name string, err error) {
	mac, err := checkMAC(addr)
	if err != nil {
		return "", err
	}
	if mac == f.cfg.MAC {
		return "", api.Errorf(api.CodeConflict, "%v is the satellite's own address", mac)
	}
	err = f.ask(ctx, func() error { return f.attach(mac) })
	return TapName(mac), err
}

func (f *Fabric) attach(mac frame.MAC) error {
	l, err := link.CreateTap(TapName(mac))
	if err != nil {
		return err
	}
	if old, there := f.taps[mac]; there && old.ifindex != l.Index { // made anew behind our back
		if err := f.dp.Detach(old.ifindex); err != nil {
			return err
		}
	}
	if err := f.dp.Attach(datapath.Port{Ifindex: l.Index, Kind: datapath.VM, MAC: mac}); err != nil {
		if _, there := f.taps[mac]; !there {
			err = errors.Join(err, link.Delete(l.Name))
		}
		if errors.Is(err, datapath.ErrFull) {
			return &api.Error{Code: api.CodeExhausted, Message: err.Error(), Hint: "remove a VM's card or use another satellite"}
		}
		return err
	}
	f.taps[mac] = tap{name: l.Name, ifindex: l.Index}
	f.tellLocal()
	return nil
}

// Detach undoes Attach; no tap is no error.
func (f *Fabric) Detach(ctx context.Context, addr net.HardwareAddr) error {
	mac, err := checkMAC(addr)
	if err != nil {
		return err
	}
	return f.ask(ctx, func() error { return f.detach(mac) })
}

func (f *Fabric) detach(mac frame.MAC) error {
	err := link.Delete(TapName(mac)) // first, so that at no time the guest talks to the machine's own stack
	if t, there := f.taps[mac]; there {
		err = errors.Join(err, f.dp.Detach(t.ifindex))
		delete(f.taps, mac)
		f.tellLocal()
	}
	return err
}

// Keep detaches every tap of ours but those of these vNICs, and attaches those that are missing.
func (f *Fabric) Keep(ctx context.Context, addrs []net.HardwareAddr) error {
	keep := map[frame.MAC]bool{}
	for _, a := range addrs {
		mac, err := checkMAC(a)
		if err != nil {
			return err
		}
		keep[mac] = true
	}
	return f.ask(ctx, func() error {
		all, err := link.List()
		if err != nil {
			return err
		}
		var errs []error
		for _, l := range all {
			if mac, named := tapMAC(l.Name); named && isTap(l) && !keep[mac] {
				errs = append(errs, f.detach(mac))
			}
		}
		for mac := range f.taps { // those whose device somebody else removed
			if !keep[mac] {
				errs = append(errs, f.detach(mac))
			}
		}
		for mac := range keep {
			errs = append(errs, f.attach(mac))
		}
		return errors.Join(errs...)
	})
}
