package path

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

var sizes = []int{100, 300, 1000}

// A satellite of a constellation of degree 5 and mixed costs computes what it needs to forward again.
func BenchmarkRoutes(b *testing.B) {
	for _, n := range sizes {
		topo := regular(rand.New(rand.NewPCG(uint64(n), 1)), n, 5).topology(b, 0)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var r *Routes
			b.ReportAllocs()
			for b.Loop() {
				r, _ = NewRoutes(topo, name(n/2), 4)
			}
			b.ReportMetric(float64(r.Bytes()), "bytes-kept")
		})
	}
}

// The same satellite works through its Repair: all destinations.
func BenchmarkRepair(b *testing.B) {
	for _, n := range sizes {
		topo := regular(rand.New(rand.NewPCG(uint64(n), 1)), n, 5).topology(b, 0)
		r, _ := NewRoutes(topo, name(n/2), 4)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var p *Repair
			for b.Loop() {
				p = NewRepair(r)
				p.Step(n)
			}
			backup, off, marks := p.Bytes()
			b.ReportMetric(float64(backup), "backup-bytes")
			b.ReportMetric(float64(off), "off-bytes")
			b.ReportMetric(float64(marks), "mark-bytes")
		})
	}
}

func BenchmarkTopology(b *testing.B) {
	for _, n := range sizes {
		told := regular(rand.New(rand.NewPCG(uint64(n), 1)), n, 5).told()
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := NewTopology(name(0), told); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// The tables are made after each announcement of a neighbour.
func BenchmarkLegal(b *testing.B) {
	for _, n := range sizes {
		g := regular(rand.New(rand.NewPCG(uint64(n), 1)), n, 5)
		topo := g.topology(b, 0)
		r, _ := NewRoutes(topo, name(0), 4)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			a := NewAgreement()
			a.Adopt(r)
			for k := range g.near(0) {
				meet(a, g, 0, k)
				hear(a, g, 0, k, topo.Version(4), true, 1)
			}
			a.Adopt(r)
			for b.Loop() {
				hear(a, g, 0, 1, topo.Version(4), true, 1)
				a.Tables()
			}
		})
	}
}
