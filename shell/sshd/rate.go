package sshd

import (
	"net/netip"
	"sync"
	"time"
)

// meter gives each source a bucket of tokens, which fills at a steady rate.
type meter struct {
	rate  float64 // tokens per second
	burst float64 // what a bucket holds
	max   int     // buckets

	mu      sync.Mutex
	buckets map[netip.Prefix]bucket // at most max; one that is not there is full
}

type bucket struct {
	tokens  float64 // at time at
	at      time.Time
	refused int // since the last that was taken
}

func newMeter(rate float64, burst, max int) *meter {
	return &meter{rate: rate, burst: float64(burst), max: max, buckets: make(map[netip.Prefix]bucket)}
}

// take takes a token, and tells whether there was one, and how often there was none since the last time.
func (m *meter) take(now time.Time, from netip.Prefix) (ok bool, refused int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.at(now, from)
	if b.tokens < 1 {
		b.refused++
		m.buckets[from] = b
		return false, b.refused
	}
	refused = b.refused
	b.tokens, b.refused = b.tokens-1, 0
	m.put(now, from, b)
	return true, refused
}

// give gives a token back.
func (m *meter) give(now time.Time, from netip.Prefix) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.at(now, from)
	if b.tokens = b.tokens + 1; b.tokens >= m.burst {
		delete(m.buckets, from)
		return
	}
	m.put(now, from, b)
}

// at needs mu. A clock that was set back fills nothing.
func (m *meter) at(now time.Time, from netip.Prefix) bucket {
	b, found := m.buckets[from]
	if !found {
		return bucket{tokens: m.burst, at: now}
	}
	b.tokens = min(m.burst, b.tokens+m.rate*max(0, now.Sub(b.at).Seconds()))
	b.at = now
	return b
}

// looked is how many buckets are looked at to make room for one.
const looked = 8

// put needs mu. Where there is no room, the fullest of some buckets goes: it says least.
func (m *meter) put(now time.Time, from netip.Prefix, b bucket) {
	if _, found := m.buckets[from]; !found && len(m.buckets) >= m.max {
		var fullest netip.Prefix
		most, n := -1.0, 0
		for p := range m.buckets { // in no order
			if t := m.at(now, p).tokens; t > most {
				fullest, most = p, t
			}
			if n++; n == looked {
				break
			}
		}
		delete(m.buckets, fullest)
	}
	m.buckets[from] = b
}
