package sim

import (
	"time"

	"decenter/net/plane"
)

// Options says how a Schedule is run.
type Options struct {
	Broken  plane.Broken  // rules of the data path that are left out, to see that a checker notices
	Drain   time.Duration // tree.Config.Drain; 0: what that takes by itself
	Journal bool          // keep what happened; slow
}

// Totals counts what happened in one schedule, or in many.
type Totals struct {
	Schedules, Faults, Frames, Delivered, Hops uint64
	Fates                                      [plane.Fates]uint64
	Halves                                     uint64 // Effects that broke off
	Events, Steps                              uint64
	Control, ControlBytes                      uint64 // engines' and switches' frames on cables, padded as Ethernet's are
	Echoes                                     uint64 // of Control
	Rapid                                      uint64 // frames that came twice because a switch of others opened a port while they were under way
	Foreign                                    uint64 // frames that circled among switches of others alone
	Symmetric                                  uint64 // pairs of ways compared
	Virtual                                    time.Duration
	Healed                                     time.Duration // after the last fault, when all was looked at and well; of many: the longest
}

// detoured counts frames that a data path sent off their path, hop by hop.
func (t *Totals) detoured() uint64 { return t.Fates[plane.Deflected] + t.Fates[plane.Followed] }

// Add adds up.
func (t *Totals) Add(o *Totals) {
	t.Schedules += o.Schedules
	t.Faults += o.Faults
	t.Frames += o.Frames
	t.Delivered += o.Delivered
	t.Hops += o.Hops
	for i := range t.Fates {
		t.Fates[i] += o.Fates[i]
	}
	t.Halves += o.Halves
	t.Events += o.Events
	t.Steps += o.Steps
	t.Control += o.Control
	t.ControlBytes += o.ControlBytes
	t.Echoes += o.Echoes
	t.Rapid += o.Rapid
	t.Foreign += o.Foreign
	t.Symmetric += o.Symmetric
	t.Virtual += o.Virtual
	t.Healed = max(t.Healed, o.Healed)
}

// Result is what became of a Schedule.
type Result struct {
	Totals  Totals
	Failure *Failure // nil: none
}

// Run lets a Schedule happen.
func Run(s *Schedule, o Options) *Result {
	w := newWorld(s, o)
	w.start()
	w.run(s.Peace)
	for _, c := range w.cables {
		c.lossy = 0 // probes are not to be lost by chance
	}
	w.heal()
	w.Totals.Schedules, w.Totals.Virtual = 1, w.now
	return &Result{w.Totals, w.checks.failure}
}
