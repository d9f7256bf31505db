package virt

// State is where a guest is in its life. The package's documentation draws the moves.
type State string

// The states. Absent has no definition; the others have one.
const (
	Absent  State = "absent"
	Stopped State = "stopped" // no process; ended by its own will or ours
	Running State = "running" // has a process, and its processors run (or it is on its way down)
	Paused  State = "paused"  // has a process, and its processors stand still
	Crashed State = "crashed" // no process; it panicked or its process died
)

// Live tells whether a process runs the guest.
func (s State) Live() bool { return s == Running || s == Paused }

// Verb is a move that can be asked for.
type Verb string

// The verbs.
const (
	Define   Verb = "define"
	Start    Verb = "start"
	Pause    Verb = "pause"
	Resume   Verb = "resume"
	Stop     Verb = "stop" // asks the guest to power off, and ends it when its time is over
	Kill     Verb = "kill" // ends it now
	Reset    Verb = "reset"
	Undefine Verb = "undefine"
)

// After gives the state that verb leads to from s, or a *MoveError where there is no such move.
func (s State) After(v Verb) (State, error) {
	switch {
	case v == Define && s == Absent:
		return Stopped, nil
	case v == Start && (s == Stopped || s == Crashed):
		return Running, nil
	case v == Pause && s == Running:
		return Paused, nil
	case v == Resume && s == Paused:
		return Running, nil
	case (v == Stop || v == Kill) && s.Live():
		return Stopped, nil
	case v == Reset && s == Running:
		return Running, nil
	case v == Undefine && (s == Stopped || s == Crashed):
		return Absent, nil
	}
	return s, &MoveError{State: s, Verb: v}
}
