package admission

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"decenter/engine/keyring"
)

// join is what the engine does with an address that the fabric tells of.
func (s *sat) join(t *testing.T, to *sat) {
	t.Helper()
	may := s.adm.Introduce(t.Context(), []netip.Addr{s.w.addr(to.n)})
	if len(may) != 1 {
		t.Fatalf("satellite %d may not join %d", s.n, to.n)
	}
	if n, err := s.radar.Join(may); n != 1 || err != nil {
		t.Fatalf("satellite %d joins %d: %d, %v", s.n, to.n, n, err)
	}
}

func (s *sat) peers() int { return len(s.radar.Peers()) }

func (s *sat) uses() keyring.ID {
	s.adm.mu.Lock()
	defer s.adm.mu.Unlock()
	k, _, _ := s.ring.Primary()
	return k.ID()
}

// TestRealGossipGoesOnWhileKeysChange is the whole of it: three satellites with radars of their own, which begin with a
// key each, meet, gossip, and lose one of them to an ejection.
func TestRealGossipGoesOnWhileKeysChange(t *testing.T) {
	w := newWorld(t, 41)
	w.real = true
	all := []*sat{w.add(false), w.add(false), w.add(false)}
	for _, s := range all {
		w.declare(all[0], w.says(true, s, time.Hour))
	}
	// Without an introduction they cannot even gossip: each has a key of its own.
	if n, err := all[1].radar.Join([]netip.Addr{w.addr(1)}); n != 0 || err == nil {
		t.Fatalf("a satellite without the key joined: %d, %v", n, err)
	}
	for _, s := range all[1:] {
		w.declare(s, w.says(true, s, time.Hour))
		s.join(t, all[0])
	}
	took := w.eventually(10*time.Second, "each sees two others", func() bool {
		return !slices.ContainsFunc(all, func(s *sat) bool { return s.peers() != 2 })
	})
	t.Logf("three satellites found each other %v after they were introduced", took.Round(time.Millisecond))
	w.eventually(10*time.Second, "they encrypt with one key", func() bool {
		return all[0].uses() == all[1].uses() && all[0].uses() == all[2].uses()
	})
	old, out, rest := all[0].uses(), all[2], all[:2]
	w.declare(all[0], w.says(false, out, 0))
	took = w.eventually(10*time.Second, "the two encrypt with another key", func() bool {
		return rest[0].uses() != old && rest[1].uses() != old && rest[0].uses() == rest[1].uses()
	})
	t.Logf("a new key was in use %v after the ejection", took.Round(time.Millisecond))
	for end := time.Now().Add(8 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if rest[0].peers() != 1 || rest[1].peers() != 1 {
			t.Fatalf("the change of keys cost a satellite: %d and %d peers", rest[0].peers(), rest[1].peers())
		}
	}
	if n, err := out.radar.Join([]netip.Addr{w.addr(1)}); n != 0 || err == nil {
		t.Errorf("the ejected one gossips on: %d, %v", n, err)
	}
}
