package sim

import (
	"fmt"
	"strings"
	"time"
)

// Do says what an Action does.
type Do string

// The actions. Cable, Satellite, Host and Switch are indices into the Schedule; Side is an index into a cable's ends.
const (
	Cut     Do = "cut"     // cable: both ends lose carrier
	Mend    Do = "mend"    // cable: what Cut, Dark, Mute and Lossy did is over
	Dark    Do = "dark"    // cable, side: this end alone loses carrier, and hears nothing
	Mute    Do = "mute"    // cable, side: what this end sends is lost; carrier stays
	Silence Do = "silence" // cable: all is lost both ways; carrier stays
	Lossy   Do = "lossy"   // cable, value: this many of a thousand frames are lost, and doubled
	Speed   Do = "speed"   // cable, value: Mbit/s

	Kill     Do = "kill"     // satellite, value: 1: the snapshot is lost too
	Start    Do = "start"    // satellite: its engine
	Freeze   Do = "freeze"   // satellite: its engine
	Thaw     Do = "thaw"     // satellite: its engine
	Half     Do = "half"     // satellite, value: its next Effects are applied up to this step; wait: then stopped so long; 0: killed
	PowerOff Do = "off"      // satellite: kernel and all; its cables go dark at the other ends
	PowerOn  Do = "on"       // satellite
	Jump     Do = "jump"     // satellite, wait: its clock jumps ahead
	Priority Do = "priority" // satellite, value

	Move Do = "move" // host, satellite: a VM goes on elsewhere
	Send Do = "send" // host, to: a host; or -1: broadcast, -2: an address that nobody has; value: how many tags, and eight times which flow
)

// Action is one thing that is done to the world.
type Action struct {
	At        time.Duration
	Do        Do
	Cable     int           `json:",omitempty"`
	Side      int           `json:",omitempty"`
	Satellite int           `json:",omitempty"`
	Host      int           `json:",omitempty"`
	To        int           `json:",omitempty"`
	Value     int           `json:",omitempty"`
	Wait      time.Duration `json:",omitempty"`
}

// Targets of Send that are no host.
const (
	ToAll    = -1
	ToNobody = -2
)

// String tells the action in one line.
func (a Action) String() string {
	s := fmt.Sprintf("%12v  %-8s", a.At, a.Do)
	switch a.Do {
	case Cut, Mend, Silence:
		return s + fmt.Sprintf(" cable %d", a.Cable)
	case Dark, Mute:
		return s + fmt.Sprintf(" cable %d, end %d", a.Cable, a.Side)
	case Lossy, Speed:
		return s + fmt.Sprintf(" cable %d: %d", a.Cable, a.Value)
	case Move:
		return s + fmt.Sprintf(" host %d to satellite %d", a.Host, a.Satellite)
	case Send:
		to := fmt.Sprint("host ", a.To)
		if a.To < 0 {
			to = [...]string{"an unknown address", "all"}[a.To+2]
		}
		return s + fmt.Sprintf(" host %d to %s, %d tags, flow %d", a.Host, to, a.Value%8, a.Value/8)
	}
	return s + fmt.Sprintf(" satellite %d, value %d, wait %v", a.Satellite, a.Value, a.Wait)
}

// NodeKind says what a cable's end is at.
type NodeKind string

// The kinds.
const (
	AtSatellite NodeKind = "satellite"
	AtSwitch    NodeKind = "switch"
	AtHost      NodeKind = "host"
)

// EndSpec is one end of a cable.
type EndSpec struct {
	Kind NodeKind
	Node int
}

// CableSpec is a cable, or, with more than two ends, a hub.
type CableSpec struct {
	Ends []EndSpec
	Mbps uint64
}

// SwitchSpec is a switch of others.
type SwitchSpec struct {
	Plain    bool // speaks STP; else RSTP
	Priority uint16
}

// HostSpec is a host: at a satellite, as a VM, or at a cable's end.
type HostSpec struct {
	Satellite int // -1: at a cable
}

// Schedule is one world and what becomes of it. Satellite i has the host i besides those of Hosts: its own.
type Schedule struct {
	Seed       uint64
	Shape      string
	Satellites int
	Order      []int // the satellites' ids, ascending ones for ascending values
	Cables     []CableSpec
	Switches   []SwitchSpec
	Hosts      []HostSpec
	Absent     []int `json:",omitempty"` // satellites that are not there; Shrink's

	Colours   int
	Auth      bool          // neighbours prove themselves
	Echo      time.Duration // tree.Config.Echo
	Slow      time.Duration // how much longer than the cable needs a frame of an engine may take
	Eager     bool          // snapshots are stored when Effects say so; else, as if they were, when one is needed
	HoldShort bool          // engines are given up after 400 ms of silence

	Warm    time.Duration
	Actions []Action // by time, from the end of Warm on
	Peace   time.Duration
}

// Faults counts the actions that are no frames.
func (s *Schedule) Faults() (n int) {
	for _, a := range s.Actions {
		if a.Do != Send {
			n++
		}
	}
	return n
}

// String tells the schedule for people.
func (s *Schedule) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %s, %d satellites, %d cables, %d switches, %d hosts, %d colours, auth %v, frames up to %v late\n", s.Seed, s.Shape,
		s.Satellites-len(s.Absent), len(s.Cables), len(s.Switches), len(s.Hosts), s.Colours, s.Auth, s.Slow)
	gone := map[int]bool{}
	for _, i := range s.Absent {
		gone[i] = true
	}
	for i, c := range s.Cables {
		var ends []string
		for _, e := range c.Ends {
			if e.Kind == AtSatellite && gone[e.Node] {
				ends = nil
				break
			}
			ends = append(ends, fmt.Sprintf("%s %d", e.Kind, e.Node))
		}
		if ends != nil {
			fmt.Fprintf(&b, "  cable %d: %s, %d Mbit/s\n", i, strings.Join(ends, " - "), c.Mbps)
		}
	}
	for _, a := range s.Actions {
		fmt.Fprintf(&b, "%v\n", a)
	}
	return b.String()
}
