package tree

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"decenter/net/frame"
)

// crowd gives the objects of many satellites with many MACs each, as a neighbour would send them. Without distinct the MACs
// of a fragment are one only, said again and again: the bytes are as many, and a test has less to do.
func crowd(satellites, each int, distinct bool) (objects []frame.Object) {
	next := 0
	for i := range satellites {
		origin := frame.MAC{4, 0, 0, 0, byte(i >> 8), byte(i)}
		main := frame.Node{Main: true, Name: origin.String()}
		objects = append(objects, frame.Object{Key: frame.Key{Origin: origin}, Seq: 1, Body: main.Append(nil)})
		for left, index := each, uint16(firstMACs); left > 0; index++ {
			n := min(left, frame.MaxMACsBody)
			macs := slices.Repeat(devices(next, next+1), n)
			if distinct {
				macs = devices(next, next+n)
			}
			body := (&frame.Node{MACs: macs}).Append(nil)
			objects = append(objects, frame.Object{Key: frame.Key{Origin: origin, Index: index}, Seq: 1, Body: body})
			next, left = next+n, left-n
		}
	}
	return objects
}

// feed has a core take objects as if they had come in on a port.
func feed(c *Core, objects []frame.Object) {
	p := &port{id: 99}
	for _, o := range objects {
		c.take(p, o)
		p.acks = nil
	}
}

func inUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A million MACs of a thousand satellites, in one core.
func TestAMillionMACs(t *testing.T) {
	const satellites, each = 1000, 1000
	objects := crowd(satellites, each, true)
	before, begin := inUse(), time.Now()
	c := New(Config{ID: frame.MAC{2, 1}, Unauthenticated: true}, 0)
	feed(c, objects)
	took, undrained := time.Since(begin), inUse()-before
	told := 0
	for e := c.Ready(); len(e.Homes) > 0; e = c.Ready() {
		told += len(e.Homes)
		if len(e.Homes) > homesBurst || told < satellites*each && e.Deadline > c.now {
			t.Fatalf("%d homes at once, the next at %v", len(e.Homes), e.Deadline)
		}
	}
	held := inUse() - before
	runtime.KeepAlive(objects)
	if told != satellites*each+1 || len(c.index.homes) != satellites*each {
		t.Errorf("%d homes told, %d MACs held", told, len(c.index.homes))
	}
	if held > 200e6 || undrained > 200e6 {
		t.Errorf("%d MB, and %d MB before the homes were told", held>>20, undrained>>20)
	}
	t.Logf("%d MB, %d bytes for each MAC (%d MB before the homes were told); taken in %v", held>>20, held/satellites/each, undrained>>20, took)

	// One more MAC costs its fragment, whatever else is held.
	k := frame.Key{Origin: frame.MAC{4}, Index: firstMACs}
	old := c.store.objects[k]
	n, _ := frame.ParseNode(old.body)
	n.MACs[7] = device(1 << 23)
	begin = time.Now()
	feed(c, []frame.Object{{Key: k, Seq: 2, Body: n.Append(nil)}})
	e := c.Ready()
	if len(e.Homes) != 2 {
		t.Errorf("%d homes changed, want 2", len(e.Homes))
	}
	t.Logf("a change of one took %v", time.Since(begin))
	if n := testing.AllocsPerRun(5, func() { c.Tick(c.now) }); n > 100 {
		t.Errorf("a Tick makes %v allocations", n)
	}
}

// load has a satellite hold the objects of a crowd that is not there.
func (n *node) load(objects []frame.Object) {
	feed(n.core, objects)
	n.step(func() {})
}

// traffic counts the bytes that go over cables.
func (w *world) traffic() *int {
	sent := new(int)
	w.drop = func(b []byte) bool { *sent += len(b) + 24; return false } // preamble, checksum and gap
	return sent
}

func (w *world) alike() bool {
	for _, n := range w.nodes {
		if n.core.store.digest != w.nodes[0].core.store.digest {
			return false
		}
	}
	return true
}

// A satellite that knows nobody is cabled to one that holds 10,000 full fragments.
func TestANewNeighbourIsToldTenThousandObjects(t *testing.T) {
	w := line(1, 2)
	w.cables[0].carrier = false
	w.startAll()
	objects := crowd(100, 20_000, false)
	bytes := 0
	for _, o := range objects {
		bytes += o.Len()
	}
	w.nodes[0].load(objects)
	w.run(time.Second)
	sent := w.traffic()
	begin, real := w.now, time.Now()
	w.cables[0].set(w, true)
	if !w.runUntil(20*time.Second, w.alike) {
		t.Fatal("the stores are not alike")
	}
	t.Logf("%d objects, %d MB: alike after %v, %d MB sent, %v of ours", len(objects), bytes>>20, w.now-begin, *sent>>20, time.Since(real))
	if w.now-begin > 2*time.Second {
		t.Errorf("alike after %v, want at most 2 s", w.now-begin)
	}
	if *sent > bytes*5/4 {
		t.Errorf("%d bytes were sent for %d", *sent, bytes)
	}
	if v := w.nodes[1].core.View(); len(v.Nodes) != 2 {
		t.Errorf("%d satellites", len(v.Nodes))
	}
}

// One that has six neighbours starts anew, and gets everything once.
func TestARestartedEngineIsToldEverythingOnce(t *testing.T) {
	w := newWorld(2, 7)
	for i := range 6 {
		w.connect(0, i+1, 10000)
		w.connect(i+1, (i+1)%6+1, 10000)
	}
	settled(t, w)
	objects := crowd(50, 10_000, false)
	bytes := 0
	for _, o := range objects {
		bytes += o.Len()
	}
	for _, n := range w.nodes {
		n.load(objects)
	}
	w.run(20 * time.Second)
	if !w.alike() {
		t.Fatal("the stores are not alike")
	}
	for _, keep := range []bool{true, false} {
		_, steps := w.gates()
		w.nodes[0].kill(keep)
		w.run(time.Second)
		sent := w.traffic()
		w.nodes[0].start()
		begin := w.now
		if !w.runUntil(20*time.Second, func() bool { return w.alike() && w.inCharge() }) {
			t.Fatal("the stores are not alike")
		}
		took := w.now - begin
		w.run(5 * time.Second)
		t.Logf("snapshot %v: %d objects, %d MB: in charge with all of it after %v, %d MB sent by all", keep, len(objects), bytes>>20, took, *sent>>20)
		if *sent > bytes*2 {
			t.Errorf("%d bytes were sent for %d", *sent, bytes)
		}
		if took > 3*time.Second {
			t.Errorf("in charge after %v", took)
		}
		if _, now := w.gates(); keep && now != steps {
			t.Errorf("%d gates moved", now-steps)
		}
	}
}

// While thousands of objects go over a cable, link state goes ahead of them.
func TestLinkStateGoesAheadOfMACs(t *testing.T) {
	w := line(3, 3)
	settled(t, w)
	n := w.nodes[0]
	for _, o := range crowd(100, 20_000, false) {
		feed(n.core, []frame.Object{o})
		n.core.enqueue(n.core.ports[w.cables[0].port], o.Key)
	}
	n.step(func() {})
	w.run(10 * time.Millisecond)
	n.step(func() { n.core.SetPriority(7, w.now) })
	begin := w.now
	if !w.runUntil(time.Second, func() bool { return w.nodes[2].core.View().Root == n.id }) {
		t.Fatal("the root does not move")
	}
	if took := w.now - begin; took > 10*time.Millisecond {
		t.Errorf("link state took %v over two cables", took)
	}
	if len(n.core.ports[w.cables[0].port].pending) < 1000 {
		t.Error("all was sent before: the test proves nothing")
	}
}

func BenchmarkAFragmentOfAMillion(b *testing.B) {
	c := New(Config{ID: frame.MAC{2, 1}, Unauthenticated: true}, 0)
	feed(c, crowd(1000, 1000, true))
	k := frame.Key{Origin: frame.MAC{4}, Index: firstMACs}
	old, _ := frame.ParseNode(c.store.objects[k].body)
	seq := uint64(1)
	for b.Loop() {
		seq++
		old.MACs[int(seq)%len(old.MACs)] = device(1<<22 + int(seq))
		feed(c, []frame.Object{{Key: k, Seq: seq, Body: old.Append(nil)}})
		c.index.drain(homesBurst)
	}
}
