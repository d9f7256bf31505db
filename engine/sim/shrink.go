package sim

import "slices"

// Shrink makes a failing schedule smaller while a failure of the same kind stays: delta debugging (Zeller, Hildebrandt: Simplifying
// and isolating failure-inducing input, 2002) over the actions, then satellites and cables are left out one by one,
// then the actions once more. It runs at most so many schedules. What it gives still fails, unless s did not.
func Shrink(s *Schedule, o Options, runs int) *Schedule {
	first := Run(s, o).Failure
	if first == nil {
		return s
	}
	k := &shrinker{o: o, kind: first.Kind, runs: runs}
	s = k.actions(k.frames(s, first))
	for again := true; again; {
		again = false
		for i := range s.Satellites {
			if smaller := s.without(i); smaller != nil && k.fails(smaller) {
				s, again = smaller, true
			}
		}
	}
	for i := range s.Cables {
		if smaller := s.unplugged(i); k.fails(smaller) {
			s = smaller
		}
	}
	return k.actions(s)
}

type shrinker struct {
	o    Options
	kind string
	runs int // that are left
}

func (k *shrinker) fails(s *Schedule) bool {
	if k.runs <= 0 {
		return false
	}
	k.runs--
	f := Run(s, k.o).Failure
	return f != nil && f.Kind == k.kind
}

// frames tries at once without all frames but the one that failed.
func (k *shrinker) frames(s *Schedule, f *Failure) *Schedule {
	only := s.keep(func(a Action) bool { return a.Do != Send })
	if f.Action >= 0 {
		only.Actions = append(only.Actions, s.Actions[f.Action])
		slices.SortStableFunc(only.Actions, func(a, b Action) int { return int(a.At - b.At) })
	}
	none := s.keep(func(a Action) bool { return a.Do != Send })
	for _, smaller := range []*Schedule{none, only} {
		if k.fails(smaller) {
			return smaller
		}
	}
	return s
}

// actions removes chunks of actions, halving their size until single ones were tried.
func (k *shrinker) actions(s *Schedule) *Schedule {
	for size := max(len(s.Actions)/2, 1); ; size /= 2 {
		for from := 0; from < len(s.Actions); {
			smaller := *s
			smaller.Actions = slices.Delete(slices.Clone(s.Actions), from, min(from+size, len(s.Actions)))
			ends := slices.ContainsFunc(s.Actions[from:min(from+size, len(s.Actions))], func(a Action) bool {
				return a.At >= s.Peace && (a.Do == Thaw || a.Do == Start) // without these it is no peace, and other things fail
			})
			if !ends && k.fails(&smaller) {
				s = &smaller
			} else {
				from += size
			}
		}
		if size <= 1 {
			return s
		}
	}
}

func (s *Schedule) keep(which func(Action) bool) *Schedule {
	smaller := *s
	smaller.Actions = nil
	for _, a := range s.Actions {
		if which(a) {
			smaller.Actions = append(smaller.Actions, a)
		}
	}
	return &smaller
}

// without leaves a satellite out, with its cables and what is done to them; nil if it is out already.
func (s *Schedule) without(i int) *Schedule {
	if slices.Contains(s.Absent, i) {
		return nil
	}
	gone := map[int]bool{}
	for c, spec := range s.Cables {
		gone[c] = slices.ContainsFunc(spec.Ends, func(e EndSpec) bool { return e.Kind == AtSatellite && e.Node == i })
	}
	smaller := s.keep(func(a Action) bool {
		switch a.Do {
		case Cut, Mend, Dark, Mute, Silence, Lossy, Speed:
			return !gone[a.Cable]
		case Send:
			return a.Host != i && a.To != i
		}
		return a.Satellite != i
	})
	smaller.Absent = append(slices.Clone(s.Absent), i)
	return smaller
}

// unplugged takes a cable away.
func (s *Schedule) unplugged(i int) *Schedule {
	smaller := s.keep(func(a Action) bool {
		switch a.Do {
		case Cut, Mend, Dark, Mute, Silence, Lossy, Speed:
			return a.Cable != i
		}
		return true
	})
	smaller.Cables = slices.Clone(s.Cables)
	smaller.Cables[i].Ends = nil
	return smaller
}
