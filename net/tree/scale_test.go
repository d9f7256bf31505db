package tree

import (
	"testing"
	"time"

	"decenter/net/frame"
)

// A torus of 100 satellites started at once.
func TestAHundredSatellites(t *testing.T) {
	const a, b = 10, 10
	w := newWorld(1, a*b)
	for i := range a {
		for j := range b {
			w.connect(i*b+j, i*b+(j+1)%b, 10000)
			w.connect(i*b+j, (i+1)%a*b+j, 10000)
		}
	}
	frames := 0
	w.drop = func(b []byte) bool {
		if typ := frame.Type(b[frame.OffType]); typ == frame.TypeHello || typ == frame.TypeFlood {
			frames++
		}
		return false
	}
	begin := time.Now()
	w.startAll()
	if !w.runUntil(10*time.Second, func() bool { return w.now%time.Millisecond < 50*time.Microsecond && w.spans() == nil && w.agree() }) {
		t.Fatal(w.spans())
	}
	t.Logf("whole after %v of virtual time, %v of ours for all, %d Hellos and Floods", w.now, time.Since(begin), frames)
}

func BenchmarkComputeHundred(b *testing.B) {
	w := newWorld(1, 100)
	for i := range 100 {
		w.connect(i, (i+1)%100, 10000)
		w.connect(i, (i+10)%100, 10000)
	}
	w.startAll()
	w.run(time.Second)
	for b.Loop() {
		w.nodes[0].core.compute()
	}
}
