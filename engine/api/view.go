package api

import "time"

// Kind says what an Item is.
type Kind string

// The kinds that a search can find.
const (
	KindVM        Kind = "vm"
	KindSpacesuit Kind = "spacesuit"
	KindSatellite Kind = "satellite"
	KindJob       Kind = "job"
)

// VMState is a VM's life as a person sees it.
type VMState string

// The states. creating and deleting last as long as their job; crashed is a guest that ended by itself with
// an error; stopped has no process.
const (
	StateCreating VMState = "creating"
	StateRunning  VMState = "running"
	StatePaused   VMState = "paused"
	StateStopped  VMState = "stopped"
	StateCrashed  VMState = "crashed"
	StateDeleting VMState = "deleting"
)

// VM is one virtual machine as its satellite sees it now.
type VM struct {
	ID        string    `json:"id"` // UUID, minted where the VM was created
	Name      string    `json:"name"`
	State     VMState   `json:"state"`
	Satellite string    `json:"satellite"` // who runs it
	From      string    `json:"from"`      // what it was made from
	Owner     string    `json:"owner"`     // account
	CPU       int       `json:"cpu"`       // virtual processors
	Memory    uint64    `json:"memory"`    // bytes
	Disks     []Disk    `json:"disks,omitempty"`
	NICs      []NIC     `json:"nics,omitempty"`
	Accel     string    `json:"accel"` // "kvm" or "tcg"
	Created   time.Time `json:"created"`
	CPUTime   uint64    `json:"cpu_time,omitempty"` // nanoseconds of processor time used since it was started
	Agent     bool      `json:"agent"`              // the guest agent answers
}

// Disk is one volume of a VM.
type Disk struct {
	Name      string `json:"name"`      // as the guest sees it: vda
	Size      uint64 `json:"size"`      // bytes the guest sees
	Allocated uint64 `json:"allocated"` // bytes it takes on the satellite
}

// NIC is one network card of a VM.
type NIC struct {
	MAC       string   `json:"mac"`
	Addresses []string `json:"addresses,omitempty"` // as the guest agent tells, without prefix length
}

// Spacesuit is a template that VMs are made from, on one satellite.
type Spacesuit struct {
	Name      string    `json:"name"`
	Satellite string    `json:"satellite"`
	Size      uint64    `json:"size"`      // bytes a VM's disk will have
	Allocated uint64    `json:"allocated"` // bytes it takes
	Created   time.Time `json:"created"`
}

// SatelliteState is what the others think of a satellite.
type SatelliteState string

// The states. silent is alive by gossip, but did not answer this question.
const (
	SatelliteLive   SatelliteState = "live"
	SatelliteSilent SatelliteState = "silent"
	SatelliteFailed SatelliteState = "failed"
	SatelliteLeft   SatelliteState = "left"
	// SatelliteStranger is a neighbour on a cable that nobody admitted; nothing is known of it but its MAC and port.
	SatelliteStranger SatelliteState = "stranger"
)

// Satellite is one machine of the constellation.
type Satellite struct {
	Name       string         `json:"name"`
	ID         string         `json:"id"` // key fingerprint
	State      SatelliteState `json:"state"`
	Address    string         `json:"address"` // on the fabric
	Version    string         `json:"version,omitempty"`
	VMs        int            `json:"vms"`
	Running    int            `json:"running"`
	CPUs       int            `json:"cpus"`
	Memory     uint64         `json:"memory"`      // bytes
	MemoryFree uint64         `json:"memory_free"` // bytes
	Load       float64        `json:"load"`        // run queue, one-minute mean
	Accel      string         `json:"accel,omitempty"`
	Uptime     int64          `json:"uptime,omitempty"` // seconds the engine runs
	// ClockOff is the satellite's clock less the asked one's, in nanoseconds, as of its last request; 0: not known. Beyond 30 s
	// either refuses the other's requests.
	ClockOff int64 `json:"clock_off,omitempty"`
}

// JobState is how far a job is.
type JobState string

// The states. A job is over in done, failed and cancelled.
const (
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
)

// Over tells whether the job has ended.
func (s JobState) Over() bool { return s == JobDone || s == JobFailed || s == JobCancelled }

// Job is a piece of work on one satellite.
type Job struct {
	ID        string     `json:"id"` // 8 hex digits
	Verb      string     `json:"verb"`
	Object    string     `json:"object"` // the VM's name
	Satellite string     `json:"satellite"`
	Account   string     `json:"account"`         // who began it
	VM        string     `json:"vm,omitempty"`    // id of the VM it works on
	Owner     string     `json:"owner,omitempty"` // account that owns the VM
	State     JobState   `json:"state"`
	Step      string     `json:"step,omitempty"`  // what it does now, in a few words
	Done      uint64     `json:"done,omitempty"`  // bytes or steps done
	Total     uint64     `json:"total,omitempty"` // of so many; 0 is unknown
	Error     string     `json:"error,omitempty"`
	Started   time.Time  `json:"started"`
	Ended     *time.Time `json:"ended,omitempty"`
}

// Item is one line of a search's answer: what everything has, and the thing itself.
type Item struct {
	Kind      Kind       `json:"kind"`
	Name      string     `json:"name"`
	State     string     `json:"state,omitempty"`
	Satellite string     `json:"satellite"`
	VM        *VM        `json:"vm,omitempty"`
	Spacesuit *Spacesuit `json:"spacesuit,omitempty"`
	Node      *Satellite `json:"node,omitempty"`
	Job       *Job       `json:"job,omitempty"`
}

// SearchReply is what was found, and who did not answer.
type SearchReply struct {
	Items  []Item   `json:"items"`
	Silent []string `json:"silent,omitempty"` // names of live satellites without an answer in time
	// Refused are satellites that answered, but not this caller, and why.
	Refused []Refusal `json:"refused,omitempty"`
	// Took is how long the asked satellite gathered answers, in nanoseconds.
	Took int64 `json:"took"`
}

// Refusal is a satellite that did not do what was asked, and why.
type Refusal struct {
	Satellite string `json:"satellite"`
	Reason    string `json:"reason"`
}

// SatellitesReply lists the constellation.
type SatellitesReply struct {
	Satellites []Satellite `json:"satellites"`
	// Refused are live ones that answered, but not this caller; in Satellites they are as silent as those that do not answer.
	Refused []Refusal `json:"refused,omitempty"`
}

// JobsReply lists jobs.
type JobsReply struct {
	Jobs    []Job     `json:"jobs"`
	Silent  []string  `json:"silent,omitempty"`
	Refused []Refusal `json:"refused,omitempty"`
}

// Tree is the fabric as one satellite knows it.
type Tree struct {
	Satellite string     `json:"satellite"` // who tells
	Root      string     `json:"root"`      // name where known, else id
	Nodes     []TreeNode `json:"nodes"`
	Links     []TreeLink `json:"links"`
	Ports     []TreePort `json:"ports"` // of the telling satellite
}

// TreeNode is a satellite in the tree.
type TreeNode struct {
	ID       string `json:"id"`             // fabric id, the satellite's MAC
	Name     string `json:"name,omitempty"` // where known
	Priority int    `json:"priority"`       // root priority; lower wins
	Set      bool   `json:"set,omitempty"`  // it was set by TreePriority; told of the telling satellite alone
	Parent   string `json:"parent,omitempty"`
	Distance uint64 `json:"distance"` // to the root, in cost
	MACs     int    `json:"macs"`     // it is home to
}

// TreeLink is one cable between two satellites.
type TreeLink struct {
	A     string `json:"a"` // node id
	APort string `json:"a_port"`
	B     string `json:"b"`
	BPort string `json:"b_port"`
	Cost  uint64 `json:"cost"`
	Tree  bool   `json:"tree"` // broadcast runs over it
}

// TreePort is one port of the telling satellite.
type TreePort struct {
	Name      string `json:"name"`
	Role      string `json:"role"` // root, child, blocked, down, waiting, vm, host
	Neighbour string `json:"neighbour,omitempty"`
	RX        uint64 `json:"rx"` // frames
	TX        uint64 `json:"tx"`
	Dropped   uint64 `json:"dropped"`
	Note      string `json:"note,omitempty"` // why it is shut, where there is something to say
}

// TreePriority is a satellite's wish to be root of the tree; the lowest (priority, id) is.
type TreePriority struct {
	Satellite  string `json:"satellite"`
	Priority   int    `json:"priority"`      // now
	Was        int    `json:"was"`           // before
	Configured int    `json:"configured"`    // what its configuration says
	Set        bool   `json:"set,omitempty"` // set by TreePriority, which goes before the configuration
}

// NoteStranger is the note of a port whose neighbour nobody admitted.
const NoteStranger = "not admitted"

// EventKind says what an event is about.
type EventKind string

// The kinds.
const (
	EventVM        EventKind = "vm"        // VM is its new view; Gone when it is no more
	EventJob       EventKind = "job"       // Job is its new view
	EventSatellite EventKind = "satellite" // Node is its new view
	EventTree      EventKind = "tree"      // the tree changed: ask for it
	EventLost      EventKind = "lost"      // the reader was too slow; events are missing
)

// Event is one change.
type Event struct {
	Kind EventKind  `json:"kind"`
	Time time.Time  `json:"time"`
	Gone bool       `json:"gone,omitempty"`
	VM   *VM        `json:"vm,omitempty"`
	Job  *Job       `json:"job,omitempty"`
	Node *Satellite `json:"node,omitempty"`
}
