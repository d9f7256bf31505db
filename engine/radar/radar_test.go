package radar

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"time"

	"decenter/engine/api"
)

// start runs a satellite of the loopback constellation 127.0.9.0/24.
func start(t *testing.T, ctx context.Context, name string, host byte, admitted func(string) bool) *Radar {
	t.Helper()
	r, err := New(Config{ID: "SHA256:" + name, Name: name, Version: "test", Port: 17717, RPCPort: 17718,
		Advertise: netip.AddrFrom4([4]byte{127, 0, 9, host}), Admitted: admitted, Primary: testKey('k'), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	t.Cleanup(func() { <-done })
	return r
}

// testKey is a gossip key of one letter.
func testKey(letter byte) []byte { return bytes.Repeat([]byte{letter}, KeySize) }

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("not within 20 s: %s", what)
}

func states(r *Radar) map[string]api.SatelliteState {
	out := map[string]api.SatelliteState{}
	for _, m := range r.Members() {
		out[m.Name] = m.State
	}
	return out
}

func TestThreeSatellitesFindEachOtherAndMissOneThatLeaves(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	leaving, leave := context.WithCancel(ctx)
	a, b := start(t, ctx, "s1", 1, nil), start(t, ctx, "s2", 2, nil)
	c := start(t, leaving, "s3", 3, nil)
	changed, stop := a.Watch()
	defer stop()
	for _, r := range []*Radar{b, c} {
		if n, err := r.Join([]netip.Addr{a.cfg.Advertise, r.cfg.Advertise}); n != 1 || err != nil {
			t.Fatalf("join: %d satellites, %v", n, err)
		}
	}
	for _, r := range []*Radar{a, b, c} {
		waitFor(t, "all see three", func() bool { return len(r.Peers()) == 2 })
	}
	select {
	case <-changed:
	case <-time.After(20 * time.Second):
		t.Error("the watcher was not told")
	}
	if m := b.Peers()[0]; m.Name != "s1" || m.Addr.String() != "127.0.9.1:17718" || m.Version != "test" {
		t.Errorf("s2 sees s1 as %+v", m)
	}
	leave()
	waitFor(t, "s3 left", func() bool { return states(a)["s3"] == api.SatelliteLeft })
	cancel()
}

func TestSatellitesThatAreNotAdmittedAreNotListed(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	a := start(t, ctx, "s4", 4, func(id string) bool { return id != "SHA256:stranger" })
	b, stranger := start(t, ctx, "s5", 5, nil), start(t, ctx, "stranger", 6, nil)
	for _, r := range []*Radar{a, stranger} {
		if _, err := r.Join([]netip.Addr{b.cfg.Advertise}); err != nil {
			t.Fatal(err)
		}
	}
	// The control: b, who admits all, sees the stranger; so it is the check that hides it from a.
	waitFor(t, "s5 sees all three", func() bool { return len(b.Members()) == 3 })
	if s := states(a); len(s) != 2 || s["s5"] != api.SatelliteLive {
		t.Errorf("s4 lists %v", s)
	}
	cancel()
}

func TestAskStopsWhenAllHaveAnswered(t *testing.T) {
	members := []Member{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	began := time.Now()
	answers, silent := Ask(t.Context(), members, time.Minute, func(_ context.Context, m Member) (string, error) {
		if m.Name == "b" {
			return "", errors.New("no")
		}
		return "I am " + m.Name, nil
	})
	if time.Since(began) > 10*time.Second || len(silent) != 0 {
		t.Errorf("took %v, silent %v", time.Since(began), silent)
	}
	if len(answers) != 3 || answers[0].Value != "I am a" || answers[1].Err == nil || answers[2].Value != "I am c" {
		t.Errorf("answers %+v", answers)
	}
}

func TestAskNamesWhoDidNotAnswer(t *testing.T) {
	members := make([]Member, 200)
	for n := range members {
		members[n].Name = string(rune('a' + n))
	}
	frozen := []string{members[7].Name, members[150].Name}
	answers, silent := Ask(t.Context(), members, 300*time.Millisecond, func(ctx context.Context, m Member) (int, error) {
		if slices.Contains(frozen, m.Name) {
			<-ctx.Done()
			return 0, ctx.Err()
		}
		return 1, nil
	})
	if len(answers) != 198 || len(silent) != 2 || silent[0].Name != frozen[0] || silent[1].Name != frozen[1] {
		t.Errorf("%d answers, silent %v", len(answers), silent)
	}
}
