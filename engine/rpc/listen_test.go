package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"decenter/engine/identity"
)

// door is a listener for satellites, and what knocks at it.
type door struct {
	net.Listener
	addr   string
	owner  *identity.Identity
	friend *identity.Identity // admitted
}

// newDoor opens one, on an address of this machine's own, where of decides what guards it.
func newDoor(t *testing.T, of func(net.Listener, *tls.Config) net.Listener) *door {
	t.Helper()
	d := &door{owner: newID(t), friend: newID(t)}
	config, err := d.owner.TLS(func(id string) bool { return id == d.friend.Fingerprint() })
	if err != nil {
		t.Fatal(err)
	}
	d.open(t, config, of)
	return d
}

// newPublicDoor opens one that strangers may come to; all but the friend are that.
func newPublicDoor(t *testing.T, of func(net.Listener, *tls.Config, func(tls.ConnectionState) bool) net.Listener) *door {
	t.Helper()
	d := &door{owner: newID(t), friend: newID(t)}
	config, err := d.owner.ListenTLS()
	if err != nil {
		t.Fatal(err)
	}
	d.open(t, config, func(l net.Listener, c *tls.Config) net.Listener {
		return of(l, c, func(state tls.ConnectionState) bool {
			id, err := identity.PeerID(state)
			return err == nil && id == d.friend.Fingerprint()
		})
	})
	return d
}

func (d *door) open(t *testing.T, config *tls.Config, of func(net.Listener, *tls.Config) net.Listener) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.addr = l.Addr().String()
	d.Listener = of(l, config)
	t.Cleanup(func() { _ = d.Close() })
	go func() { // what a server does: it keeps what it was given
		for {
			c, err := d.Accept()
			if err != nil {
				return
			}
			go func() { // and without a guard, its handshake is the server's
				_ = c.(*tls.Conn).HandshakeContext(context.Background())
				buf := make([]byte, 1)
				for {
					if _, err := c.Read(buf); err != nil {
						c.Close()
						return
					}
					if _, err := c.Write(buf); err != nil {
						return
					}
				}
			}()
		}
	}()
}

func guarded(limits Limits) func(net.Listener, *tls.Config) net.Listener {
	return func(l net.Listener, c *tls.Config) net.Listener { return NewTLSListener(l, c, limits, nil) }
}

// visit is one TLS connection of a satellite from a source address, which is answered; it is left open.
func (d *door) visit(t *testing.T, who *identity.Identity, source netip.Addr) (net.Conn, error) {
	config, err := who.TLS(func(id string) bool { return id == d.owner.Fingerprint() })
	if err != nil {
		return nil, err
	}
	config.NextProtos = []string{"h2"}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	raw, err := (&net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))}).DialContext(ctx, "tcp", d.addr)
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { raw.Close() })
	c := tls.Client(raw, config)
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if err := c.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	buf := []byte{7}
	if _, err := c.Write(buf); err != nil {
		return nil, err
	}
	_, err = c.Read(buf)
	return c, err
}

// knock opens n connections from an address, and leaves them.
func (d *door) knock(t *testing.T, n int, source netip.Addr) []net.Conn {
	t.Helper()
	var open []net.Conn
	dial := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0)), Timeout: 5 * time.Second}
	for range n {
		c, err := dial.DialContext(t.Context(), "tcp", d.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		open = append(open, c)
	}
	return open
}

// held counts the connections that the other end has not closed.
func held(open []net.Conn) (n int) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for _, c := range open {
		wg.Go(func() {
			_ = c.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
			_, err := c.Read(make([]byte, 1))
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return n
}

// allGone waits until the other end has closed them all.
func allGone(t *testing.T, open []net.Conn) {
	t.Helper()
	n := held(open)
	for end := time.Now().Add(20 * time.Second); n > 0 && time.Now().Before(end); n = held(open) {
	}
	if n > 0 {
		t.Errorf("%d are still open", n)
	}
}

var home = netip.MustParseAddr("127.0.0.1")

func nth(n int) netip.Addr { return netip.AddrFrom4([4]byte{127, 1, byte(n >> 8), byte(n)}) }

// TestAThousandHalfOpenHandshakesKeepNobodyOut: from one address, which the admitted satellite even shares.
func TestAThousandHalfOpenHandshakesKeepNobodyOut(t *testing.T) {
	d := newDoor(t, guarded(PeerLimits()))
	open := d.knock(t, 1000, home)
	for _, source := range []netip.Addr{home, nth(1)} {
		began := time.Now()
		if _, err := d.visit(t, d.friend, source); err != nil {
			t.Errorf("the admitted satellite, from %s: %v", source, err)
		}
		t.Logf("the admitted satellite got in from %s within %v", source, time.Since(began).Round(time.Millisecond))
	}
	if n := held(open); n > PeerLimits().PerSource {
		t.Errorf("%d are held open, more than %d", n, PeerLimits().PerSource)
	} else {
		t.Logf("%d of 1000 are held open", n)
	}
	// The negative control: a listener without the guard holds them all.
	free := newDoor(t, func(l net.Listener, c *tls.Config) net.Listener { return tls.NewListener(l, c) })
	if n := held(free.knock(t, 1000, home)); n != 1000 {
		t.Errorf("without the guard %d are held open", n)
	}
}

// TestManyAddressesCrowdNobodyOut: the address that has the most gives way.
func TestManyAddressesCrowdNobodyOut(t *testing.T) {
	limits := PeerLimits()
	d := newDoor(t, guarded(limits))
	var open []net.Conn
	for n := range 100 {
		open = append(open, d.knock(t, 10, nth(n))...)
	}
	if _, err := d.visit(t, d.friend, home); err != nil {
		t.Error(err)
	}
	if n := held(open); n > limits.All || n < limits.All-100 {
		t.Errorf("%d of 1000 are held open, at most %d are right", n, limits.All)
	}
}

// TestWhileTheFloodGoesOnSatellitesGetIn: silent connections come as fast as one client makes them, from the same address.
func TestWhileTheFloodGoesOnSatellitesGetIn(t *testing.T) {
	d := newDoor(t, guarded(PeerLimits()))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	flooded := 0
	wg.Go(func() {
		var open []net.Conn
		for ; ctx.Err() == nil; flooded++ {
			if c, err := (&net.Dialer{}).DialContext(ctx, "tcp", d.addr); err == nil {
				open = append(open, c)
			}
			if len(open) > 200 {
				open[0].Close()
				open = open[1:]
			}
		}
		for _, c := range open {
			c.Close()
		}
	})
	const visits = 50
	in := 0
	for range visits {
		if c, err := d.visit(t, d.friend, home); err == nil {
			in++
			c.Close()
		} else {
			t.Log(err)
		}
	}
	stop()
	wg.Wait()
	t.Logf("%d of %d got in on their first try, during %d connections of the flood", in, visits, flooded)
	if in < visits*9/10 {
		t.Errorf("only %d of %d got in", in, visits)
	}
}

func TestASilentHandshakeEnds(t *testing.T) {
	limits := PeerLimits()
	limits.Handshake = 100 * time.Millisecond
	d := newDoor(t, guarded(limits))
	open := d.knock(t, 10, home)
	allGone(t, open)
}

func TestStrangersAreNotGivenOut(t *testing.T) {
	d := newDoor(t, guarded(PeerLimits()))
	if _, err := d.visit(t, newID(t), home); err == nil {
		t.Error("a stranger was answered")
	}
	nobodyIn(t, d)
}

func TestOneSatelliteHasAsManyConnectionsAsItNeeds(t *testing.T) {
	limits := PeerLimits()
	limits.PerKey = 3
	d := newDoor(t, guarded(limits))
	var open []net.Conn
	for n := range 3 {
		c, err := d.visit(t, d.friend, nth(n))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, c)
	}
	if _, err := d.visit(t, d.friend, home); err == nil {
		t.Error("one more was taken")
	}
	open[0].Close()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := d.visit(t, d.friend, home); err == nil {
			return
		} else if time.Now().After(end) {
			t.Fatal(fmt.Errorf("after one was closed: %w", err))
		}
	}
}

func TestAClosedDoorLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	d := newDoor(t, guarded(PeerLimits()))
	open := d.knock(t, 50, home)
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := d.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
	if n := held(open); n != 0 {
		t.Errorf("%d are still open", n)
	}
	for end := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, there were %d", runtime.NumGoroutine(), before)
		}
	}
}
