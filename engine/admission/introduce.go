package admission

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"time"

	"decenter/keys"
)

const (
	introduceAtOnce = 8
	introduceAgain  = 10 * time.Second // an address is not asked again before
	maxVisits       = 1024
)

// visit is what came of asking at an address.
type visit struct {
	when time.Time
	peer keys.Fingerprint // who took this satellite for a member; zero: nobody did
}

// introduced remembers the latest visits.
type introduced struct {
	mu sync.Mutex
	at map[netip.Addr]visit
}

func (i *introduced) recent(addr netip.Addr, now time.Time) (visit, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	v, ok := i.at[addr]
	return v, ok && now.Sub(v.when) < introduceAgain && !v.when.After(now)
}

func (i *introduced) note(addr netip.Addr, v visit) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.at) >= maxVisits {
		clear(i.at) // some are asked once more than needed
	}
	i.at[addr] = v
}

func (i *introduced) forget() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.at)
}

// Introduce exchanges with the satellites at these addresses, whoever they are, but for those it did so with a moment ago, and
// gives the addresses of those that are admitted now and take this one for admitted too: the radar can join them, for each end
// has the other's keys. A
// link-local address without a zone is one of the fabric. It returns when all answered or did not within five seconds
// each, or when the context ends.
func (a *Admission) Introduce(ctx context.Context, addrs []netip.Addr) (admitted []netip.Addr) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, introduceAtOnce)
	peers := make([]keys.Fingerprint, len(addrs))
	for n, addr := range addrs {
		if v, ok := a.intro.recent(addr, a.cfg.Now()); ok {
			peers[n] = v.peer
			continue
		}
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			peers[n] = a.visit(ctx, addr)
		})
	}
	wg.Wait()
	a.settle()
	for n, peer := range peers {
		if peer != (keys.Fingerprint{}) && peer != a.self && a.cfg.Admitted(peer) && !slices.Contains(admitted, addrs[n]) {
			admitted = append(admitted, addrs[n])
		}
	}
	return admitted
}

func (a *Admission) visit(ctx context.Context, addr netip.Addr) (peer keys.Fingerprint) {
	ctx, cancel := context.WithTimeout(ctx, exchangeWait)
	defer cancel()
	to := addr
	if to.Is6() && to.IsLinkLocalUnicast() && to.Zone() == "" {
		to = to.WithZone(a.cfg.Zone)
	}
	l, err := a.dial(ctx, netip.AddrPortFrom(to, uint16(a.cfg.Port)), keys.Fingerprint{})
	if err == nil {
		defer l.close()
		var member bool
		if member, err = a.exchange(ctx, l, nil); member {
			peer = l.peer
		}
	}
	if err != nil {
		a.cfg.Log.Debug("introduce", "address", addr, "err", err)
	}
	a.intro.note(addr, visit{a.cfg.Now(), peer})
	return peer
}
