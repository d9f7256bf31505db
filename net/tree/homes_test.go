package tree

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"decenter/net/frame"
)

// settle applies homes as a data path does.
func (n *node) settle(homes []Home) {
	for _, h := range homes {
		if h.Satellite.IsZero() {
			delete(n.homes, h.MAC)
		} else {
			n.homes[h.MAC] = h.Satellite
		}
	}
}

func device(i int) frame.MAC {
	return frame.MAC{0x52, 0x54, 0, byte(i >> 16), byte(i >> 8), byte(i)}
}

func devices(from, to int) (macs []frame.MAC) {
	for i := from; i < to; i++ {
		macs = append(macs, device(i))
	}
	return macs
}

func (n *node) local(macs ...frame.MAC) { n.step(func() { n.core.Local(macs, n.w.now) }) }
func (n *node) learned(port PortID, macs ...frame.MAC) {
	n.step(func() { n.core.Learned(port, macs, n.w.now) })
}

// line is satellites in a row, with ids in that order.
func line(seed uint64, n int) *world {
	w := newWorld(seed, n)
	for i := range n {
		w.nodes[i].id = frame.MAC{2, 0xde, 0xce, 0, 0, byte(i + 1)}
	}
	for i := range n - 1 {
		w.connect(i, i+1, 10000)
	}
	return w
}

// at tells where all satellites think that a MAC lives, or fails.
func (w *world) at(t *testing.T, mac frame.MAC, want frame.MAC) {
	t.Helper()
	for i, n := range w.nodes {
		if n.homes[mac] != want {
			t.Errorf("satellite %d: %v lives at %v, want %v", i+1, mac, n.homes[mac], want)
		}
	}
}

// A satellite with thousands of MACs gets ten more and loses ten: two fragments are said anew, the others not.
func TestFewChangesTouchFewFragments(t *testing.T) {
	w := settled(t, line(1, 2))
	n := w.nodes[0]
	n.local(devices(0, 5000)...)
	w.run(time.Second)
	before := map[frame.Key][]byte{}
	for k, o := range n.core.store.objects {
		before[k] = o.body
	}
	n.local(append(devices(10, 5000), devices(6000, 6010)...)...)
	w.run(time.Second)
	changed := 0
	for k, o := range w.nodes[1].core.store.objects {
		if !bytes.Equal(before[k], o.body) {
			changed++
		}
	}
	if got := w.nodes[1].core.Homes(n.id); changed == 0 || changed > 2 || len(got) != 5000 {
		t.Errorf("%d objects changed, want 1 or 2; %d MACs", changed, len(got))
	}
	if v := w.nodes[1].core.View().Nodes[0]; v.MACs != 5000 {
		t.Errorf("the view tells %d MACs", v.MACs)
	}
}

// MACs come and go, and no path is computed for it, no learned address forgotten.
func TestMACsMoveNoPath(t *testing.T) {
	w := settled(t, line(2, 3))
	flushes, computed := w.nodes[2].flushes, w.nodes[2].core.computeNext
	for i := range 20 {
		w.nodes[0].local(devices(i*100, i*100+300)...)
		w.nodes[1].learned(9, devices(i*50, i*50+100)...)
		w.run(100 * time.Millisecond)
	}
	if n := w.nodes[2]; n.flushes != flushes || n.core.computeNext != computed {
		t.Errorf("%d flushes, computed %v", n.flushes-flushes, n.core.computeNext != computed)
	}
}

// A laptop walks from the second satellite's edge to the third's, and back.
func TestADeviceMoves(t *testing.T) {
	w := settled(t, line(3, 4))
	laptop := device(1)
	for i, at := range []int{1, 2, 1, 3} {
		w.nodes[at].learned(77, laptop)
		w.run(200 * time.Millisecond)
		w.at(t, laptop, w.nodes[at].id)
		for j, n := range w.nodes {
			if _, claims := n.core.own.macs[laptop]; claims != (j == at) {
				t.Errorf("move %d: satellite %d claims it: %v", i, j+1, claims)
			}
		}
	}
	n := w.nodes[3]
	n.step(func() { n.core.Forget([]frame.MAC{laptop}, w.now) })
	w.run(200 * time.Millisecond)
	w.at(t, laptop, frame.MAC{})
}

// A device that says nothing any more is forgotten after five minutes; one that is told of again is not.
func TestLearnedAddressesAge(t *testing.T) {
	w := settled(t, line(3, 2))
	n := w.nodes[0]
	n.local(device(3))
	n.learned(77, device(1), device(2))
	for range 8 {
		w.run(50 * time.Second)
		n.learned(77, device(2))
	}
	w.at(t, device(1), frame.MAC{})
	w.at(t, device(2), n.id)
	w.at(t, device(3), n.id)
}

// An engine starts anew: what it learned stays at home there, if it is told of again soon, and nobody else notices.
func TestLearnedAddressesOutliveARestart(t *testing.T) {
	w := settled(t, line(3, 3))
	n := w.nodes[0]
	n.learned(77, devices(0, 500)...)
	w.run(time.Second)
	n.kill(true)
	w.run(5 * time.Second)
	n.start()
	for range 100 { // ten seconds
		w.run(100 * time.Millisecond)
		for _, other := range w.nodes[1:] {
			if other.homes[device(7)] != n.id || other.homes[device(300)] != n.id {
				t.Fatal("homes are lost")
			}
		}
	}
	n.learned(78, devices(0, 100)...)
	w.run(50 * time.Second)
	w.at(t, device(7), n.id)
	w.at(t, device(300), frame.MAC{})
}

// A satellite dies and its guest is started elsewhere, by one that does not know yet who had it. The engine that comes back remembers
// the guest, has the lower id, and yields all the same.
func TestAnEarlierLifeYieldsToWhoHasTheGuest(t *testing.T) {
	w := settled(t, line(3, 3))
	vm := device(1)
	w.nodes[0].local(vm)
	w.run(time.Second)
	w.nodes[0].kill(true)
	w.nodes[2].kill(false)
	w.nodes[2].start()
	w.nodes[2].local(vm)
	w.run(time.Second)
	w.nodes[0].start()
	w.nodes[0].local()
	w.run(time.Second)
	w.at(t, vm, w.nodes[2].id)
}

// Two satellites see an address for the first time at once: the lower id has it, the other lets go.
func TestOfEqualClaimsTheLowerIDWins(t *testing.T) {
	w := settled(t, line(4, 3))
	w.nodes[2].learned(5, device(1))
	w.nodes[0].learned(5, device(1))
	w.run(300 * time.Millisecond)
	w.at(t, device(1), w.nodes[0].id)
	if len(w.nodes[2].core.own.macs) != 0 {
		t.Error("the other still claims it")
	}
}

// A machine migrates: it is claimed at its new place before the old one lets go of it, and its address is never nobody's.
func TestAMachineMigrates(t *testing.T) {
	w := settled(t, line(5, 3))
	vm := device(1)
	w.nodes[0].local(vm)
	w.run(300 * time.Millisecond)
	w.nodes[2].local(vm)
	w.run(300 * time.Millisecond)
	w.at(t, vm, w.nodes[2].id)
	w.nodes[0].local()
	w.run(300 * time.Millisecond)
	w.at(t, vm, w.nodes[2].id)
	// The engine there starts anew: it still has the machine, and others may still hold an older claim of it.
	w.nodes[0].local(vm)
	w.run(300 * time.Millisecond)
	w.at(t, vm, w.nodes[0].id)
	w.nodes[0].kill(true)
	w.run(time.Second)
	w.nodes[0].start()
	w.nodes[0].local(vm)
	w.run(15 * time.Second)
	w.at(t, vm, w.nodes[0].id)
	w.nodes[2].local()
	w.run(300 * time.Millisecond)
	w.at(t, vm, w.nodes[0].id)
}

// What a satellite that died claimed goes to who claims it and can be reached, and comes back with it.
func TestTheDeadLoseTheirMACs(t *testing.T) {
	w := settled(t, line(6, 3))
	c := w.cables[1]
	vm, own := device(1), w.nodes[2].id
	w.nodes[0].local(vm)
	w.run(300 * time.Millisecond)
	w.nodes[2].local(vm) // under the higher epoch
	w.run(300 * time.Millisecond)
	w.at(t, vm, w.nodes[2].id)
	w.at(t, own, own)
	c.set(w, false)
	w.run(300 * time.Millisecond)
	for _, n := range w.nodes[:2] {
		if n.homes[vm] != w.nodes[0].id || n.homes[own] != (frame.MAC{}) {
			t.Errorf("%v: the machine lives at %v, the dead satellite at %v", n.id, n.homes[vm], n.homes[own])
		}
	}
	c.set(w, true)
	w.run(time.Second)
	w.at(t, vm, w.nodes[2].id)
	w.at(t, own, own)
}

// Two devices have one address and both speak all the time: the address stops moving, somebody is told, and the others
// hear little of it.
func TestTwoDevicesWithOneAddress(t *testing.T) {
	w := settled(t, line(7, 3))
	floods, events := 0, 0
	w.drop = func(b []byte) bool {
		if b[frame.OffType] == byte(frame.TypeFlood) {
			floods++
		}
		return false
	}
	for range 1000 {
		for _, i := range []int{0, 2} {
			n := w.nodes[i]
			if n.homes[device(1)] != n.id { // the data path tells of it again
				n.core.Learned(7, devices(1, 2), w.now)
				for _, e := range n.core.events {
					if e.Kind == MACMoving && e.MAC == device(1) {
						events++
					}
				}
				n.step(func() {})
			}
			w.run(20 * time.Millisecond)
		}
	}
	if events == 0 || events > 2 {
		t.Errorf("%d events, want one or two", events)
	}
	if floods > 200 {
		t.Errorf("%d Floods in 40 s", floods)
	}
	w.at(t, device(1), w.nodes[0].homes[device(1)])
}

// A device makes up a new source address with every frame, as fast as it can.
func TestAFloodOfAddressesIsPaced(t *testing.T) {
	w := settled(t, line(8, 2))
	n, sent := w.nodes[0], 0
	w.drop = func(b []byte) bool {
		if source(b) == portMAC(w.cables[0].port) && b[frame.OffType] == byte(frame.TypeFlood) {
			sent += len(b)
		}
		return false
	}
	for i := range 1000 {
		n.learned(7, devices(i*200, i*200+200)...)
		if old := i*200 - 70000; old >= 0 { // these have aged
			n.core.Forget(devices(old, old+200), w.now)
		}
		w.run(10 * time.Millisecond)
	}
	if c := n.core.Counters(); len(n.core.own.macs) > MaxMACs || c.Full == 0 {
		t.Errorf("%d MACs, %d refused", len(n.core.own.macs), c.Full)
	}
	rate := float64(sent-fragmentBurst*1400) * 8 / 10 / 1e6
	t.Logf("200,000 addresses in 10 s: %.1f Mbit/s after the first %d fragments", rate, fragmentBurst)
	if rate > 1 {
		t.Errorf("%.1f Mbit/s", rate)
	}
	// A machine that starts meanwhile has an address at once.
	n.learned(7, devices(1<<22, 1<<22+70000)...)
	n.local(device(1 << 23))
	w.run(100 * time.Millisecond)
	w.at(t, device(1<<23), n.id)
}

// A neighbour says one fragment anew as fast as it can: what is taken from it, and so passed on, is bounded.
func TestANeighbourIsPaced(t *testing.T) {
	c := New(Config{ID: frame.MAC{2}, Unauthenticated: true}, 0)
	p, key, seq := &port{id: 9}, frame.Key{Origin: frame.MAC{4}, Index: firstMACs}, uint64(0)
	say := func(times int) (taken int) {
		for range times {
			seq++
			body := (&frame.Node{MACs: devices(int(seq), int(seq)+1)}).Append(nil)
			c.take(p, frame.Object{Key: key, Seq: seq, Body: body})
			if len(p.acks) > 0 {
				taken++
			}
			p.acks = nil
		}
		return taken
	}
	if got := say(2 * takeBurst); got != takeBurst+1 {
		t.Errorf("%d taken at once, want %d", got, takeBurst+1)
	}
	c.Tick(time.Second)
	if got := say(5000); got != int(time.Second/takePace) {
		t.Errorf("%d taken after a second", got)
	}
}

func TestWhatMayNotBeClaimedIsRefused(t *testing.T) {
	w := settled(t, line(9, 2))
	n, other := w.nodes[0], w.nodes[1].id
	bad := []frame.MAC{{}, {1, 0, 0x5e, 0, 0, 1}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, n.id, other}
	n.local(bad...)
	n.learned(3, bad...)
	n.learned(0, device(1))
	w.run(100 * time.Millisecond)
	if len(n.core.own.macs) != 0 {
		t.Errorf("claims %v", n.core.own.macs)
	}
	// Somebody who claims them nevertheless gets none.
	body := (&frame.Node{MACs: append(slices.Clone(bad), device(1), device(1)), Moved: []frame.Moved{{MAC: n.id, Epoch: 9}, {MAC: device(1), Epoch: 3}}}).Append(nil)
	w.nodes[1].step(func() { w.nodes[1].core.tellObject(firstMACs+7, body) })
	w.run(100 * time.Millisecond)
	w.at(t, n.id, n.id)
	w.at(t, other, other)
	w.at(t, device(1), other)
	if len(n.homes) != 3 {
		t.Errorf("homes %v", n.homes)
	}
}

// A port is flushed, or turns out to lead to a satellite: what was learned there is forgotten. A machine's address is
// never lost to a learned one here, and machines go first where room is short.
func TestLearnedAddressesGiveWay(t *testing.T) {
	w := settled(t, line(10, 2))
	n := w.nodes[0]
	n.learned(3, devices(0, 10)...)
	n.learned(4, devices(5, 15)...) // five of them moved to another port
	n.local(device(2))
	n.learned(3, device(2))
	n.step(func() { n.core.forgetPort(3) })
	n.step(func() { n.core.Forget(devices(2, 6), w.now) })
	w.run(300 * time.Millisecond)
	want := append(devices(2, 3), devices(6, 15)...)
	if got := w.nodes[1].core.Homes(n.id); !slices.Equal(got, want) {
		t.Errorf("homes %v\nwant %v", got, want)
	}
	n.learned(4, devices(100, 100+MaxMACs)...)
	n.local(devices(1<<20, 1<<20+1000)...)
	if got := len(n.core.own.macs); got != MaxMACs || len(n.core.own.local) != 1000 || n.core.counters.Full == 0 {
		t.Errorf("%d MACs, %d of them local, %d refused", got, len(n.core.own.local), n.core.counters.Full)
	}
	w.run(10 * time.Second)
	if got := w.nodes[1].core.View().Nodes[0].MACs; got != MaxMACs {
		t.Errorf("%d MACs there", got)
	}
}

// Somebody tells of an earlier life of ours that we never had, one MAC in each fragment there may be: it is not believed for
// long, and costs nobody else's MACs for longer.
func TestAnEarlierLifeThatWasMadeUp(t *testing.T) {
	c := New(Config{ID: frame.MAC{2}, Unauthenticated: true}, 0)
	for i := firstMACs; i <= maxIndex; i++ {
		body := (&frame.Node{MACs: devices(i, i+1)}).Append(nil)
		feed(c, []frame.Object{{Key: frame.Key{Origin: c.cfg.ID, Index: uint16(i)}, Seq: 9, Body: body}})
	}
	c.claim(device(5000), ownMAC{port: 7, learned: true, epoch: 4})
	if _, claimed := c.own.macs[device(5000)]; claimed || c.counters.Full == 0 {
		t.Error("there is room for a moved MAC")
	}
	for now := time.Duration(0); now < 2*time.Minute; now += time.Second {
		c.Tick(now)
		c.Ready()
	}
	c.claim(device(5000), ownMAC{port: 7, learned: true, epoch: 4})
	c.Tick(3 * time.Minute)
	c.Ready()
	if at, found := c.Home(device(5000)); len(c.own.macs) != 1 || !found || at != c.cfg.ID || len(c.index.homes) != 1 {
		t.Errorf("claims %d MACs, and %d are known", len(c.own.macs), len(c.index.homes))
	}
}

// Whatever is put and removed, fragments fit their objects and hold each MAC once.
func TestFragmentsNeverExceedTheirObjects(t *testing.T) {
	c := New(Config{ID: frame.MAC{2}, Unauthenticated: true}, 0)
	next := 0
	for i, of := range []ownMAC{{epoch: 1}, {epoch: 1, port: 7, learned: true}, {}, {port: 7, learned: true}} {
		if i > 0 { // each kind is filled, and then one MAC left in each of its fragments
			for i := range c.own.fragments.all {
				for _, m := range slices.Clone(c.own.fragments.all[i].claims)[min(1, len(c.own.fragments.all[i].claims)):] {
					c.disown(m.MAC, false)
				}
			}
		}
		for len(c.own.macs) < MaxMACs {
			c.claim(device(next), of)
			next++
		}
	}
	held := map[frame.MAC]bool{}
	for i := range c.own.fragments.all {
		body := c.own.fragments.body(uint16(i))
		if len(body) > frame.MaxBody {
			t.Fatalf("fragment %d has %d bytes", i, len(body))
		}
		for m := range frame.Claims(body) {
			if o := c.own.macs[m.MAC]; o.epoch != m.Epoch || o.learned != frame.Learned(body) {
				t.Fatalf("%v is said to be %+v, but is %+v", m.MAC, m, o)
			}
			if held[m.MAC] || int(c.own.macs[m.MAC].fragment) != i {
				t.Fatalf("%v is in fragment %d, and in another", m.MAC, i)
			}
			held[m.MAC] = true
		}
	}
	if n := len(c.own.fragments.all); firstMACs+n-1 > maxIndex || len(held) != MaxMACs || len(c.own.macs) != MaxMACs {
		t.Errorf("%d fragments of %d MACs", n, len(held))
	} else {
		t.Logf("%d fragments at worst, of %d", n, maxIndex+1-firstMACs)
	}
}
