package admission

import (
	"crypto/tls"
	"net/netip"
	"sync"
	"time"

	"decenter/engine/identity"
)

// The bounds of strangers' requests, of ends that proved no admitted key. Those of their connections are the listener's.
const (
	askPerSecond  = 20 // of all strangers together
	askBurst      = 40
	askFromSource = 4 // of one source, per second; its burst is twice that
	maxSources    = 256
)

// guests counts what strangers ask.
type guests struct {
	now func() time.Time

	mu      sync.Mutex
	all     bucket
	sources map[netip.Addr]bucket
}

// bucket is a token bucket: left tokens at a time.
type bucket struct {
	left float64
	at   time.Time
}

func (b *bucket) take(now time.Time, perSecond, burst float64) bool {
	if b.at.IsZero() || now.Before(b.at) {
		b.left = burst
	} else {
		b.left = min(burst, b.left+now.Sub(b.at).Seconds()*perSecond)
	}
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

func newGuests(now func() time.Time) *guests {
	return &guests{now: now, sources: map[netip.Addr]bucket{}}
}

// mayAsk tells whether a stranger's request is to be looked at.
func (g *guests) mayAsk(from netip.Addr) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if _, known := g.sources[from]; !known && len(g.sources) >= maxSources {
		clear(g.sources) // the bound on all together holds on
	}
	b := g.sources[from]
	ok := b.take(now, askFromSource, 2*askFromSource)
	g.sources[from] = b
	return ok && g.all.take(now, askPerSecond, askBurst)
}

// Member tells whether the other end of a connection that was made with identity.ListenTLS is an admitted satellite, as of
// now; others are strangers, of whom a listener has few connections, for a short time. It does not wait.
func (a *Admission) Member(state tls.ConnectionState) bool {
	_, peer, err := identity.PeerKey(state)
	return err == nil && a.cfg.Admitted(peer)
}
