package radar

import (
	"fmt"
	"log"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// transport is memberlist's own, but for link-local addresses, which it cannot name a zone for.
type transport struct {
	*memberlist.NetTransport
	advertise netip.Addr
	port      int
	zone      string
	starting  func() // called before memberlist's goroutines start, and never after
	started   sync.Once
}

func newTransport(cfg Config, logger *log.Logger) (*transport, error) {
	bind := cfg.Advertise.WithZone("").String()
	if cfg.Advertise.IsLinkLocalUnicast() {
		bind = "::" // memberlist cannot bind to an address with a zone
	}
	t, err := memberlist.NewNetTransport(&memberlist.NetTransportConfig{BindAddrs: []string{bind}, BindPort: cfg.Port, Logger: logger})
	if err != nil {
		return nil, fmt.Errorf("listen for gossip: %w", err)
	}
	return &transport{NetTransport: t, advertise: cfg.Advertise.WithZone(""), port: cfg.Port, zone: cfg.Zone}, nil
}

// FinalAdvertiseAddr is what memberlist asks first of all, and again later.
func (t *transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	t.started.Do(t.starting)
	return net.IP(t.advertise.AsSlice()), t.port, nil
}

func (t *transport) WriteTo(b []byte, addr string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: addr})
}

func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	a.Addr = t.withZone(a.Addr)
	return t.NetTransport.WriteToAddress(b, a)
}

func (t *transport) DialTimeout(addr string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: addr}, timeout)
}

func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	a.Addr = t.withZone(a.Addr)
	return t.NetTransport.DialAddressTimeout(a, timeout)
}

// withZone is the address with the zone where it needs one; what is no literal address is left to the resolver.
func (t *transport) withZone(addr string) string {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return addr
	}
	return netip.AddrPortFrom(zoned(ap.Addr(), t.zone), ap.Port()).String()
}
