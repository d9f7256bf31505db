package sshd

import (
	"fmt"
	"io"
	"sync"
	"time"

	"decenter/engine/api"
	"decenter/keys"
)

// pending holds the challenges that were shown and not yet answered, by nonce. Each is taken at most once, and
// not after its expiry, whatever signature comes: signatures can be altered and still verify, nonces cannot.
type pending struct {
	max  int
	life time.Duration
	dice io.Reader

	mu    sync.Mutex
	shown map[keys.Nonce]keys.Challenge // at most max, expired ones included
}

func newPending(max int, life time.Duration, dice io.Reader) *pending {
	return &pending{max: max, life: life, dice: dice, shown: make(map[keys.Nonce]keys.Challenge)}
}

// show mints a challenge of the account and key. CodeExhausted where too many are shown at once.
func (p *pending) show(now time.Time, satellite, key keys.Fingerprint, account keys.Address) (keys.Challenge, error) {
	nonce, err := keys.NewNonce(p.dice)
	if err != nil {
		return keys.Challenge{}, err
	}
	c := keys.Challenge{Satellite: satellite, Account: account, Key: key, Nonce: nonce, Expires: now.Add(p.life).UTC().Truncate(time.Second)}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.shown) >= p.max {
		p.dropExpired(now)
	}
	if len(p.shown) >= p.max {
		return keys.Challenge{}, api.Errorf(api.CodeExhausted, "%d logins are waiting for a signature", p.max)
	}
	if _, taken := p.shown[nonce]; taken {
		return keys.Challenge{}, fmt.Errorf("a nonce was drawn twice: the source of randomness is broken")
	}
	p.shown[nonce] = c
	return c, nil
}

// take ends a challenge's life, and tells whether it still lived.
func (p *pending) take(now time.Time, nonce keys.Nonce) (keys.Challenge, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, found := p.shown[nonce]
	delete(p.shown, nonce)
	return c, found && now.Before(c.Expires)
}

// dropExpired needs mu.
func (p *pending) dropExpired(now time.Time) {
	for nonce, c := range p.shown {
		if !now.Before(c.Expires) {
			delete(p.shown, nonce)
		}
	}
}
