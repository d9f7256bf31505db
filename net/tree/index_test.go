package tree

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"decenter/net/frame"
)

// oracle tells every MAC's home from all that is stored, the slow way: it knows nothing of what was there before.
func oracle(c *Core) map[frame.MAC]frame.MAC {
	type claim struct {
		reachable bool
		guest     int // 1: it is
		epoch     uint32
		id        frame.MAC
	}
	reachable := map[frame.MAC]bool{c.cfg.ID: true}
	for _, id := range c.topo.order {
		reachable[id] = true
	}
	best := map[frame.MAC]claim{}
	for k, o := range c.store.objects {
		n, err := frame.ParseNode(o.body)
		if err != nil {
			panic(err)
		}
		if k.Index < firstMACs {
			continue
		}
		guest := 1
		if n.Learned {
			guest = 0
		}
		for _, m := range n.MACs {
			n.Moved = append(n.Moved, frame.Moved{MAC: m})
		}
		for _, m := range n.Moved {
			a, is := best[m.MAC]
			b := claim{reachable[k.Origin], guest, m.Epoch, k.Origin}
			if !is || b.reachable && !a.reachable || b.reachable == a.reachable &&
				cmp.Or(cmp.Compare(b.guest, a.guest), cmp.Compare(b.epoch, a.epoch), a.id.Compare(b.id)) > 0 {
				best[m.MAC] = b
			}
		}
	}
	homes := map[frame.MAC]frame.MAC{}
	for m, a := range best {
		homes[m] = a.id
	}
	for id := range reachable {
		homes[id] = id
	}
	return homes
}

// indexed compares a satellite's index, and what it told of it, with the oracle.
func (n *node) indexed() error {
	want := oracle(n.core)
	if !maps.Equal(n.homes, want) {
		for m, at := range want {
			if n.homes[m] != at {
				return fmt.Errorf("%v: %v lives at %v, want %v", n.id, m, n.homes[m], at)
			}
		}
		for m, at := range n.homes {
			if want[m] != at {
				return fmt.Errorf("%v: %v lives at %v, want nowhere", n.id, m, at)
			}
		}
	}
	x := &n.core.index
	claims := 0
	for _, w := range x.claimants {
		claims += w.claims
	}
	several := 0
	for m, all := range x.contests {
		several += len(all) - 1
		if len(all) < 2 || x.homes[m]&seatKind != seatContest {
			return fmt.Errorf("%v: a contest of %d", m, len(all))
		}
	}
	if claims != len(x.homes)+several {
		return fmt.Errorf("%d claims of %d MACs, %d more in contests", claims, len(x.homes), several)
	}
	return nil
}

// wander does something to the MACs of a random satellite.
func (w *world) wander() {
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	if n.core == nil || n.frozen {
		return
	}
	some := func() (macs []frame.MAC) {
		for range w.rng.IntN(6) {
			macs = append(macs, device(w.rng.IntN(25)))
		}
		return macs
	}
	switch w.rng.IntN(8) {
	case 0:
		n.local(some()...)
	case 1, 2, 3:
		n.learned(PortID(900+w.rng.IntN(3)), some()...)
	case 4:
		n.step(func() { n.core.Forget(some(), w.now) })
	case 5:
		n.step(func() { n.core.forgetPort(PortID(900 + w.rng.IntN(3))) })
	case 6: // many, so that fragments fill and empty
		from := 1000 + 50*w.rng.IntN(20)
		n.learned(900, devices(from, from+w.rng.IntN(500))...)
	case 7:
		from := 1000 + 50*w.rng.IntN(20)
		n.step(func() { n.core.Forget(devices(from, from+w.rng.IntN(500)), w.now) })
	}
}

// history runs one seed. The index of every satellite is right at all times; in peace all have the same.
func history(seed uint64, broken rule) (w *world, err error) {
	r := rand.New(rand.NewPCG(seed, 5))
	w = shapes[r.IntN(len(shapes))].build(seed, r)
	w.broken = broken
	w.loss, w.dup = float64(r.IntN(4))*0.07, float64(r.IntN(3))*0.1
	w.slow = time.Duration(1+r.IntN(20)) * time.Millisecond
	w.cfg.Unauthenticated = true
	w.startAll()
	right := func() error {
		for _, n := range w.nodes {
			if n.core != nil && n.rest == nil {
				if err := n.indexed(); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for range 60 {
		if w.rng.IntN(3) == 0 {
			w.chaos()
		}
		w.wander()
		w.run(w.chance(time.Duration(1+r.IntN(200)) * time.Millisecond))
		if err := right(); err != nil {
			return w, err
		}
	}
	w.loss, w.dup, w.slow = 0, 0, 300*time.Microsecond
	for _, c := range w.cables {
		c.mute = [2]bool{}
		if !c.carrier {
			c.set(w, true)
		}
	}
	for _, n := range w.nodes {
		n.start()
		n.thaw()
	}
	alike := func() error {
		for _, n := range w.nodes {
			if first := w.nodes[0]; n.core.store.digest != first.core.store.digest && w.connected(first, n) {
				return fmt.Errorf("%v and %v have different stores", first.id, n.id)
			}
		}
		return nil
	}
	if !w.runUntil(60*time.Second, func() bool { return w.inCharge() && w.spans() == nil && alike() == nil }) {
		return w, fmt.Errorf("no peace: %v, %v", w.spans(), alike())
	}
	w.run(2 * time.Second)
	for _, n := range w.nodes {
		if err := n.indexed(); err != nil {
			return w, fmt.Errorf("in peace: %w", err)
		}
		if first := w.nodes[0]; w.connected(first, n) && !maps.Equal(n.homes, first.homes) {
			return w, fmt.Errorf("%v and %v disagree about homes", first.id, n.id)
		}
		for mac, o := range n.core.own.macs { // what is learned and beaten is given up
			if at, _ := n.core.Home(mac); at != n.id && o.port != 0 {
				return w, fmt.Errorf("%v learned %v, which lives at %v", n.id, mac, at)
			}
		}
	}
	return w, nil
}

// connected tells whether one satellite sees another.
func (w *world) connected(a, b *node) bool { return a.core.topo.nodes[b.id] != nil }

var historiesFlag = flag.Uint64("histories", 20, "random histories of MACs to run, from seed 0")

// Through loss, reordering, moves, and restarts with and without snapshot, the index kept up by differences is what a look
// at everything would tell, and in peace all satellites tell the same home of every MAC.
func TestTheIndexIsWhatIsStored(t *testing.T) {
	for seed := range *historiesFlag {
		if w, err := history(seed, 0); err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, strings.Join(w.log, "\n"))
		}
	}
	for what, broken := range map[string]rule{"claims that are not withdrawn": ruleWithdraw, "guests' claims that do not go first": ruleClass} {
		found := 0
		for seed := range uint64(3) {
			if _, err := history(seed, broken); err != nil {
				found++
			}
		}
		if found == 0 {
			t.Errorf("%s are not noticed: the test proves nothing", what)
		}
	}
}

// The order of changes, too, depends on nothing but the inputs.
func TestHomesAreToldInOneOrder(t *testing.T) {
	run := func() (told []Home) {
		x := newIndex(frame.MAC{2})
		r := rand.New(rand.NewPCG(1, 1))
		old := map[frame.Key][]byte{}
		for range 300 {
			k := frame.Key{Origin: frame.MAC{4, byte(r.IntN(4))}, Index: firstMACs + uint16(r.IntN(3))}
			n := frame.Node{Learned: r.IntN(2) == 0}
			for range r.IntN(20) {
				n.Moved = append(n.Moved, frame.Moved{MAC: device(r.IntN(30)), Epoch: uint32(r.IntN(3))})
			}
			body := n.Append(nil)
			x.take(k, old[k], body)
			old[k] = body
			x.reach(frame.MAC{4, byte(r.IntN(4))}, r.IntN(2) == 0)
			told = append(told, x.drain(7)...)
		}
		return told
	}
	if a, b := run(), run(); !slices.Equal(a, b) || len(a) < 100 {
		t.Errorf("%d and %d homes told", len(a), len(b))
	}
}
