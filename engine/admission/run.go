package admission

import (
	"context"
	"encoding/binary"
	"io"
	"slices"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/engine/radar"
	"decenter/keys"
	"decenter/keys/statement"
)

const (
	tickEvery    = time.Second
	compareEvery = 30 * time.Second
	freshFor     = 10 * time.Second // an exchange is not done again for a member's change
	fewMembers   = 3                // who are told of what was heard from another
)

// Run exchanges with the other satellites until the context ends. It is to be called once.
func (a *Admission) Run(ctx context.Context) error {
	trust, stopTrust := a.cfg.Trust.Watch()
	defer stopTrust()
	members, stopMembers := a.cfg.Radar.Watch()
	defer stopMembers()
	ctx, cancel := context.WithCancel(ctx)
	defer a.talk.end()
	defer cancel()
	known := a.lines()
	lately := map[string]radar.Member{} // that were members at the last look
	tick, compare := time.NewTicker(tickEvery), time.NewTicker(compareEvery)
	defer tick.Stop()
	defer compare.Stop()
	a.settle()
	a.meet(ctx, lately)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-trust:
			known = a.spread(ctx, known, lately)
			a.meet(ctx, lately)
		case <-members:
			a.meet(ctx, lately)
		case <-a.minted:
			a.wakeAll(ctx, nil)
		case <-tick.C:
			a.settle()
			a.pass(ctx)
		case <-compare.C:
			a.talk.sweep(a.cfg.Now())
			a.meet(ctx, lately)
			a.wakeSome(ctx, 1, api.SatelliteLive, nil)
			a.wakeSome(ctx, 1, api.SatelliteFailed, nil)
		}
	}
}

// settle lets the ring's time pass; a minted key is handed out by Run.
func (a *Admission) settle() {
	if a.advance() {
		select {
		case a.minted <- struct{}{}:
		default: // Run will do it for both
		}
	}
}

// pass tells a few of keys that were learned from another.
func (a *Admission) pass(ctx context.Context) {
	a.mu.Lock()
	forward := a.forward
	a.forward = false
	a.mu.Unlock()
	if forward {
		a.wakeSome(ctx, fewMembers, api.SatelliteLive, nil)
	}
}

// lines is the set of statements that others should know.
func (a *Admission) lines() map[string]bool {
	set := map[string]bool{}
	for _, s := range a.cfg.Trust.Spread() {
		set[s.Line] = true
	}
	return set
}

// spread acts on a change of trust: keys first, then all whom it concerns are told.
func (a *Admission) spread(ctx context.Context, known map[string]bool, lately map[string]radar.Member) map[string]bool {
	var news []statement.Signed
	now := map[string]bool{}
	for _, s := range a.cfg.Trust.Spread() {
		now[s.Line] = true
		if !known[s.Line] {
			news = append(news, s)
		}
	}
	// A revocation alone makes nobody more or less of a member.
	recheck := len(news) == 0 || slices.ContainsFunc(news, func(s statement.Signed) bool { return !strings.HasPrefix(s.Line, "decenter revoke ") })
	if len(news) > maxNews {
		news = nil // the digests differ, which fetches them
	}
	a.intro.forget()
	digest := a.cfg.Trust.Digest()
	a.mu.Lock()
	heard := a.heard[digest]
	a.mu.Unlock()
	// Statements before keys: a key that is minted for an ejection passes only to those who know of it.
	if heard {
		a.wakeSome(ctx, fewMembers, api.SatelliteLive, news)
	} else {
		a.wakeAll(ctx, news)
		for id, m := range lately {
			if f, err := keys.ParseFingerprint(id); err == nil && !a.cfg.Admitted(f) {
				a.talk.wake(ctx, m, news) // its ejection, so that it knows
			}
		}
	}
	a.settle()
	if recheck {
		a.cfg.Radar.Recheck()
	}
	return now
}

// meet begins exchanges with members that became live, and notes who is a member.
func (a *Admission) meet(ctx context.Context, lately map[string]radar.Member) {
	clear(lately)
	now := a.cfg.Now()
	for _, m := range a.cfg.Radar.Members() {
		f, err := keys.ParseFingerprint(m.ID)
		if err != nil || f == a.self {
			continue
		}
		lately[m.ID] = m
		if m.State == api.SatelliteLive && now.Sub(a.talk.since(f)) > freshFor {
			a.talk.wake(ctx, m, nil)
		}
	}
}

func (a *Admission) wakeAll(ctx context.Context, news []statement.Signed) {
	for _, m := range a.cfg.Radar.Members() {
		if m.State == api.SatelliteLive {
			a.talk.wake(ctx, m, news)
		}
	}
}

// wakeSome picks members of one state by dice.
func (a *Admission) wakeSome(ctx context.Context, n int, state api.SatelliteState, news []statement.Signed) {
	var of []radar.Member
	for _, m := range a.cfg.Radar.Members() {
		if m.State == state && m.ID != a.self.String() {
			of = append(of, m)
		}
	}
	for ; n > 0 && len(of) > 0; n-- {
		var b [8]byte
		if _, err := io.ReadFull(a.cfg.Dice, b[:]); err != nil {
			a.cfg.Log.Error("dice", "err", err)
			return
		}
		k := binary.BigEndian.Uint64(b[:]) % uint64(len(of))
		a.talk.wake(ctx, of[k], news)
		of[k] = of[len(of)-1]
		of = of[:len(of)-1]
	}
}
