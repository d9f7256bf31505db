package admission

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"decenter/engine/keyring"
	"decenter/keys"
)

func TestANewcomerIsAdmittedByOneStatementToOneSatellite(t *testing.T) {
	w := newWorld(t, 21)
	three := w.constellation(3)
	// The newcomer knows the owner and nobody else. Its own word to itself is nothing to the others.
	fresh := w.add(false)
	if got := fresh.adm.Introduce(t.Context(), []netip.Addr{w.addr(three[1].n)}); len(got) != 0 {
		t.Fatalf("before its admission it may join %v", got)
	}
	if fresh.reads(three[1].encrypts()) || three[1].store.View().Admitted(fresh.fp) {
		t.Fatal("a stranger got a key, or was admitted")
	}
	first := three[0].encrypts()
	w.declare(three[0], w.says(true, fresh, 0))
	w.eventually(5*time.Second, "the newcomer may join through the third", func() bool {
		fresh.adm.intro.forget()
		return len(fresh.adm.Introduce(t.Context(), []netip.Addr{w.addr(three[2].n)})) == 1
	})
	w.setLive(fresh, true)
	w.agree(append(three, fresh))
	if three[0].encrypts() != first {
		t.Error("a newcomer made the constellation change its key")
	}
	w.eventually(5*time.Second, "the newcomer encrypts with the constellation's key", func() bool { return fresh.encrypts() == first })
}

func TestANewcomerBringsItsAdmissionItself(t *testing.T) {
	w := newWorld(t, 22)
	two := w.constellation(2)
	fresh := w.add(false)
	w.declare(fresh, w.says(true, fresh, 0))
	if got := fresh.adm.Introduce(t.Context(), []netip.Addr{w.addr(two[0].n)}); len(got) != 1 {
		t.Fatalf("introduced with %v", got)
	}
	w.setLive(fresh, true)
	w.agree(append(two, fresh))
}

func TestAnEjectedSatelliteGetsNothingNew(t *testing.T) {
	w := newWorld(t, 23)
	four := w.constellation(4)
	out, rest := four[3], four[:3]
	w.eventually(10*time.Second, "all encrypt with one key", func() bool {
		return four[0].encrypts() == four[1].encrypts() && four[0].encrypts() == four[2].encrypts() && four[0].encrypts() == out.encrypts()
	})
	old := four[0].encrypts()
	w.declare(rest[1], w.says(false, out, 0))
	took := w.eventually(8*time.Second, "the others encrypt with a key that the ejected one does not have", func() bool {
		for _, s := range rest {
			if s.encrypts() == old || out.reads(s.encrypts()) {
				return false
			}
		}
		return w.agreed(rest)
	})
	t.Logf("three satellites changed their key %v after the ejection", took.Round(time.Millisecond))
	w.eventually(5*time.Second, "the ejected one knows, and erased its keys", func() bool {
		return out.store.View().Ejected(out.fp) && !out.reads(old)
	})
	// It asks again, and again gets nothing.
	out.adm.intro.forget()
	if got := out.adm.Introduce(t.Context(), []netip.Addr{w.addr(1), w.addr(2), w.addr(3)}); len(got) != 0 {
		t.Errorf("it may join %v", got)
	}
	for _, s := range rest {
		if out.reads(s.encrypts()) {
			t.Error("the ejected one has a new key")
		}
	}
	w.eventually(20*time.Second, "the old key is forgotten", func() bool {
		return !rest[0].reads(old) && !rest[1].reads(old) && !rest[2].reads(old)
	})
}

func TestAnEjectionReachesEightSatellitesWithOneFrozen(t *testing.T) {
	w := newWorld(t, 24)
	all := w.constellation(9)
	thaw := all[5].freeze()
	defer thaw()
	out := all[8]
	w.declare(all[0], w.says(false, out, 0))
	took := w.eventually(2*time.Second, "seven of eight know", func() bool {
		for n, s := range all[:8] {
			if n != 5 && s.store.View().Admitted(out.fp) {
				return false
			}
		}
		return true
	})
	t.Logf("an ejection was in force at 7 satellites, with one frozen, after %v", took.Round(100*time.Microsecond))
	thaw()
	w.eventually(10*time.Second, "the frozen one knows too", func() bool { return !all[5].store.View().Admitted(out.fp) })
	w.agree(all[:8])
}

func TestARestartedSatelliteHasItsKeysFromDisk(t *testing.T) {
	w := newWorld(t, 25)
	two := w.constellation(2)
	primary := two[0].encrypts()
	again, err := keyring.Load(two[0].adm.cfg.RingPath, two[0].fp)
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := again.Secrets(); string(p) != primary {
		t.Error("on disk is another key than in use")
	}
	if again.Lone() {
		t.Error("it would take itself for alone")
	}
}

// TestAWordPassesThroughAnyOfMany measures how long one satellite's news takes to all of 24.
func TestAWordPassesThroughAnyOfMany(t *testing.T) {
	if testing.Short() {
		t.Skip("24 satellites take a while to set up")
	}
	w := newWorld(t, 26)
	all := w.constellation(24)
	thaw := all[3].freeze()
	defer thaw()
	var took []time.Duration
	for n := range 5 {
		fresh := stranger(t)
		fp, err := keys.ParseFingerprint(fresh.Fingerprint())
		if err != nil {
			t.Fatal(err)
		}
		w.declare(all[n*4], w.says(true, &sat{fp: fp}, 0))
		took = append(took, w.eventually(20*time.Second, "all but the frozen one know", func() bool {
			for n, s := range all {
				if n != 3 && !s.store.View().Admitted(fp) {
					return false
				}
			}
			return true
		}).Round(time.Millisecond))
	}
	slices.Sort(took)
	t.Logf("a statement reached 23 of 24 satellites, one frozen, in %v (median of five; all: %v)", took[2], took)
}
