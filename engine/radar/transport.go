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
	streams   chan net.Conn
	shutdown  sync.Once
	ending    chan struct{} // closed when Shutdown begins
	ended     chan struct{} // and when it is done

	mu   sync.Mutex
	open map[netip.Addr]int // streams by where they come from; no zeros
	all  int
}

// The bounds of streams that others opened. Each may be told to be long before it is known whether its sender has a key.
const (
	maxStreams    = 64
	maxFromSource = 8
)

// stream is one of the counted.
type stream struct {
	net.Conn
	once sync.Once
	end  func()
}

func (s *stream) Close() error {
	s.once.Do(s.end)
	return s.Conn.Close()
}

// StreamCh is of memberlist.Transport: NetTransport's streams, as far as there is room for more.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// pump counts streams in. From the beginning of Shutdown on it sends them away, until its end: NetTransport waits there for
// whoever takes its streams.
func (t *transport) pump() {
	for {
		select {
		case <-t.ended:
			return
		case c := <-t.NetTransport.StreamCh():
			s, ok := t.count(c)
			if !ok {
				c.Close()
				continue
			}
			select {
			case t.streams <- s:
			case <-t.ending:
				s.Close()
			}
		}
	}
}

func (t *transport) count(c net.Conn) (*stream, bool) {
	var from netip.Addr
	if ap, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		from = ap.Addr().Unmap()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all >= maxStreams || t.open[from] >= maxFromSource {
		return nil, false
	}
	t.all++
	t.open[from]++
	return &stream{Conn: c, end: func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.all--
		if t.open[from]--; t.open[from] == 0 {
			delete(t.open, from)
		}
	}}, true
}

// Shutdown is of memberlist.Transport. It may be called twice.
func (t *transport) Shutdown() error {
	var err error
	t.shutdown.Do(func() {
		close(t.ending)
		err = t.NetTransport.Shutdown()
		close(t.ended)
	})
	return err
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
	out := &transport{NetTransport: t, advertise: cfg.Advertise.WithZone(""), port: cfg.Port, zone: cfg.Zone,
		streams: make(chan net.Conn), ending: make(chan struct{}), ended: make(chan struct{}), open: map[netip.Addr]int{}}
	go out.pump()
	return out, nil
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
