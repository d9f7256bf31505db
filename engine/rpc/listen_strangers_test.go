package rpc

import (
	"crypto/tls"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func bounded(limits Limits) func(net.Listener, *tls.Config, func(tls.ConnectionState) bool) net.Listener {
	return func(l net.Listener, c *tls.Config, member func(tls.ConnectionState) bool) net.Listener {
		return NewTLSListener(l, c, limits, member)
	}
}

// sitting opens n connections of one stranger from an address, each of which was answered once, and leaves them.
func (d *door) sitting(t *testing.T, n int, source netip.Addr) (open []net.Conn) {
	t.Helper()
	who := newID(t)
	for range n {
		c, err := d.visit(t, who, source)
		if err != nil {
			t.Fatalf("the stranger from %s: %v", source, err)
		}
		open = append(open, c)
	}
	return open
}

// refusing is a guard that strangers could block: who comes when all places are taken is sent away.
type refusing struct {
	net.Listener
	member func(tls.ConnectionState) bool
	inside atomic.Int32
}

func (r *refusing) Accept() (net.Conn, error) {
	for {
		c, err := r.Listener.Accept()
		if err != nil || r.member(c.(*tls.Conn).ConnectionState()) || int(r.inside.Add(1)) <= PeerLimits().Strangers {
			return c, err
		}
		c.Close()
	}
}

// TestStrangersInEveryPlaceKeepNoNewcomerOut: each source has no more than it may, and all together have every place.
func TestStrangersInEveryPlaceKeepNoNewcomerOut(t *testing.T) {
	limits := PeerLimits()
	limits.Stay = time.Minute // nobody is away because of the time
	fill := func(d *door, perSource int) (open []net.Conn) {
		for n := range limits.Strangers / perSource {
			open = append(open, d.sitting(t, perSource, nth(n))...)
		}
		return open
	}
	for _, perSource := range []int{limits.StrangersPerSource, 1} {
		d := newPublicDoor(t, bounded(limits))
		open := fill(d, perSource)
		newcomer := d.sitting(t, 1, home)
		if _, err := d.visit(t, d.friend, nth(0)); err != nil {
			t.Errorf("the admitted satellite: %v", err)
		}
		if n := held(newcomer); n != 1 {
			t.Error("the newcomer was let in, and cut off")
		}
		if n := held(open); n != limits.Strangers-1 {
			t.Errorf("%d of %d others are held", n, limits.Strangers)
		}
		if held(open[:1]) != 0 {
			t.Error("not the oldest of those with most gave way")
		}
	}
	// The negative control: a guard that refuses is one that strangers can shut.
	d := newPublicDoor(t, func(l net.Listener, c *tls.Config, member func(tls.ConnectionState) bool) net.Listener {
		wide := limits
		wide.Strangers, wide.StrangersPerSource = 1000, 1000
		return &refusing{Listener: NewTLSListener(l, c, wide, member), member: member}
	})
	fill(d, limits.StrangersPerSource)
	if _, err := d.visit(t, newID(t), home); err == nil {
		t.Error("the control shows nothing: the newcomer got in")
	}
}

// TestWhileStrangersFloodANewcomerIsAnswered: as fast as clients make whole handshakes, from more addresses than places.
func TestWhileStrangersFloodANewcomerIsAnswered(t *testing.T) {
	d := newPublicDoor(t, bounded(PeerLimits()))
	config, err := newID(t).ListenTLS()
	if err != nil {
		t.Fatal(err)
	}
	config.NextProtos = []string{"h2"}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	var flooded atomic.Int32
	for k := range 4 {
		wg.Go(func() {
			var open []net.Conn
			for n := 0; ; n++ {
				select {
				case <-stop:
					for _, c := range open {
						c.Close()
					}
					return
				default:
				}
				from := net.TCPAddrFromAddrPort(netip.AddrPortFrom(nth(1000*k+n%250), 0))
				c, err := tls.DialWithDialer(&net.Dialer{LocalAddr: from, Timeout: 5 * time.Second}, "tcp", d.addr, config)
				if err != nil {
					continue
				}
				flooded.Add(1)
				if open = append(open, c); len(open) > 50 {
					open[0].Close()
					open = open[1:]
				}
			}
		})
	}
	for flooded.Load() < 2*int32(PeerLimits().Strangers) {
		time.Sleep(time.Millisecond)
	}
	const visits = 100
	who, in := newID(t), 0
	began := time.Now()
	for range visits {
		if c, err := d.visit(t, who, home); err == nil {
			in++
			c.Close()
		}
	}
	took := time.Since(began)
	close(stop)
	wg.Wait()
	t.Logf("%d of %d newcomers were answered on their first try, during %d strangers' handshakes in %v", in, visits, flooded.Load(), took.Round(time.Millisecond))
	if in < visits/2 {
		t.Errorf("only %d of %d were answered", in, visits)
	}
}

func TestAStrangerIsSentAwayAndAMemberStays(t *testing.T) {
	limits := PeerLimits()
	limits.Stay = 200 * time.Millisecond
	d := newPublicDoor(t, bounded(limits))
	strangers := d.sitting(t, 2, home)
	members := make([]net.Conn, 0, 2*limits.Strangers)
	for range cap(members) { // of one address, more than strangers could have at all
		c, err := d.visit(t, d.friend, home)
		if err != nil {
			t.Fatal(err)
		}
		members = append(members, c)
	}
	time.Sleep(limits.Stay)
	allGone(t, strangers)
	if n := held(members); n != len(members) {
		t.Errorf("%d of %d connections of the member are held", n, len(members))
	}
	for _, c := range members {
		c.Close()
	}
	nobodyIn(t, d)
}

// nobodyIn waits until the listener's books are empty.
func nobodyIn(t *testing.T, d *door) {
	t.Helper()
	l := d.Listener.(*tlsListener)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		l.mu.Lock()
		inside := l.shaking.inside + len(l.shaking.sources) + l.strangers.inside + len(l.strangers.sources) + len(l.keys)
		l.mu.Unlock()
		if inside == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("something is left of those who were here")
		}
	}
}
