package admission

import (
	"context"
	"sync"
	"time"

	"decenter/engine/radar"
	"decenter/keys"
	"decenter/keys/statement"
)

const (
	talksAtOnce = 64   // exchanges under way that this satellite began with members
	maxTurns    = 4096 // satellites that are kept in mind
	maxNews     = 64   // statements that wait for one satellite; more are found by the digests
	tries       = 3
	retryAfter  = 300 * time.Millisecond // then twice that
)

// talk keeps the exchanges with members going: one at a time with each, and none waits for another's.
type talk struct {
	a     *Admission
	slots chan struct{}
	wg    sync.WaitGroup

	mu    sync.Mutex
	turns map[keys.Fingerprint]*turn
}

// turn is what is going on with one satellite.
//
//	idle ──wake──▶ busy ──wake──▶ busy, again
//	  ◀──done────   ◀────────done────┘
type turn struct {
	busy, again bool
	member      radar.Member
	news        []statement.Signed
	link        *link     // busy's alone, or nobody's
	last        time.Time // of the last exchange that succeeded
	used        time.Time
}

func newTalk(a *Admission) *talk {
	return &talk{a: a, slots: make(chan struct{}, talksAtOnce), turns: map[keys.Fingerprint]*turn{}}
}

// wake begins an exchange with a satellite, or lets another follow the one under way. It does not wait.
func (t *talk) wake(ctx context.Context, m radar.Member, news []statement.Signed) {
	id, err := keys.ParseFingerprint(m.ID)
	if err != nil || id == t.a.self || !m.Addr.IsValid() {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.turns[id]
	if u == nil {
		if len(t.turns) >= maxTurns {
			return
		}
		u = &turn{}
		t.turns[id] = u
	}
	if u.member.Addr != m.Addr && u.link != nil && !u.busy {
		u.link.close()
		u.link = nil
	}
	u.member, u.used = m, t.a.cfg.Now()
	if len(u.news)+len(news) <= maxNews {
		u.news = append(u.news, news...)
	}
	if u.busy {
		u.again = true
		return
	}
	u.busy = true
	t.wg.Go(func() { t.run(ctx, id, u) })
}

// run does the exchanges with one satellite until none is wanted any more. One that fails is tried again, a few times:
// after that the regular comparison of digests makes up for it.
func (t *talk) run(ctx context.Context, id keys.Fingerprint, u *turn) {
	for failed := 0; ; {
		t.mu.Lock()
		news, member := u.news, u.member
		u.news = nil
		t.mu.Unlock()
		var err error
		select {
		case t.slots <- struct{}{}:
			err = t.once(ctx, id, u, member, news)
			<-t.slots
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			t.a.cfg.Log.Debug("exchange", "satellite", member.Name, "id", member.ID, "err", err)
		}
		t.a.settle()
		if err == nil {
			failed = 0
		} else if failed++; failed < tries && ctx.Err() == nil {
			select {
			case <-time.After(time.Duration(failed) * retryAfter):
			case <-ctx.Done():
			}
		}
		t.mu.Lock()
		if err == nil {
			u.last = t.a.cfg.Now()
		} else if failed < tries {
			u.again = true
			if len(u.news)+len(news) <= maxNews {
				u.news = append(news, u.news...)
			}
		}
		if !u.again || ctx.Err() != nil {
			u.busy = false
			t.mu.Unlock()
			return
		}
		u.again = false
		t.mu.Unlock()
	}
}

func (t *talk) once(ctx context.Context, id keys.Fingerprint, u *turn, m radar.Member, news []statement.Signed) error {
	ctx, cancel := context.WithTimeout(ctx, exchangeWait)
	defer cancel()
	if u.link != nil {
		_, err := t.a.exchange(ctx, u.link, news)
		if err == nil || ctx.Err() != nil {
			if err != nil {
				u.drop()
			}
			return err
		}
		u.drop() // it may have been idle for too long: a new one tells
	}
	l, err := t.a.dial(ctx, m.Addr, id)
	if err != nil {
		return err
	}
	u.link = l
	if _, err = t.a.exchange(ctx, l, news); err != nil {
		u.drop()
	}
	return err
}

func (u *turn) drop() {
	u.link.close()
	u.link = nil
}

// since is when the last exchange with a satellite was; zero: never.
func (t *talk) since(id keys.Fingerprint) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u := t.turns[id]; u != nil {
		return u.last
	}
	return time.Time{}
}

// sweep forgets satellites that nothing was said to for long.
func (t *talk) sweep(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, u := range t.turns {
		if !u.busy && now.Sub(u.used) > 2*idleWait {
			if u.link != nil {
				u.link.close()
			}
			delete(t.turns, id)
		}
	}
}

// end waits for all exchanges, whose context is over, and closes their connections.
func (t *talk) end() {
	t.wg.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, u := range t.turns {
		if u.link != nil {
			u.drop()
		}
	}
}
