package virt

import (
	"context"
	"io"
	"time"
)

// Guests is a hypervisor with the guests we defined on it. Guests that others defined on the same hypervisor are
// neither listed nor touched.
//
// All methods are safe for concurrent use. Acts on one guest happen one after another; guests do not wait for each
// other. Every call is bounded, by ctx and by the implementation's own limit, and ends with ErrUnavailable when the
// hypervisor is silent for too long: whether the act took place is then unknown, and the caller asks with Get. A verb
// that State.After refuses ends with ErrConflict, one on an unknown guest with ErrNotFound; neither changes anything.
//
// Guests outlive the process that started them, and are found again by List.
type Guests interface {
	// Define makes a guest known, stopped. ErrExists where its id or its name is taken, ErrInvalid where the Spec is
	// wrong. It creates neither disks nor taps and needs none of them to exist.
	Define(ctx context.Context, s Spec) error

	// Start gives the guest a process. Its disks and taps must exist and remain the caller's.
	Start(ctx context.Context, id ID) error

	// Pause stands the guest's processors still; Resume lets them go on.
	Pause(ctx context.Context, id ID) error
	Resume(ctx context.Context, id ID) error

	// Stop asks the guest to power off and returns when it is stopped; after grace it is ended as by Kill. A paused
	// guest is resumed first, so that it can hear. If ctx ends during the grace the guest is left to itself.
	Stop(ctx context.Context, id ID, grace time.Duration) error

	// Kill ends the guest's process now. Writes it had not flushed are lost, as by a power cut.
	Kill(ctx context.Context, id ID) error

	// Reset is the reset button: the guest boots anew in the same process.
	Reset(ctx context.Context, id ID) error

	// Undefine forgets the guest and what the hypervisor kept about it (console record, sockets), not its disks.
	Undefine(ctx context.Context, id ID) error

	// Get tells one guest; List tells all, ordered by name.
	Get(ctx context.Context, id ID) (Guest, error)
	List(ctx context.Context) ([]Guest, error)

	// Addresses asks the guest's agent for the addresses of its cards, by MAC in lower case, without prefix lengths
	// and without loopback and link-local IPv6. ErrUnavailable where no agent answers in time.
	Addresses(ctx context.Context, id ID) (map[string][]string, error)

	// Watch sends every change until ctx ends, then closes the channel. A reader that falls behind gets one
	// EventSync in place of what was dropped.
	Watch(ctx context.Context) <-chan Event

	// Console opens the guest's serial line: it begins with the record (the last 64 KiB the guest wrote, also
	// before now and before this process began), then goes on live. Any number of readers see all output; what is
	// written goes to the guest, and is ErrConflict while it does not run. It stays open over stops and starts of
	// the guest and ends (io.EOF) when it is undefined. A reader that falls behind by more than the record loses
	// the oldest of it. Close, or the end of ctx, detaches; the guest does not notice.
	Console(ctx context.Context, id ID) (io.ReadWriteCloser, error)
}

// Guest is one guest as the hypervisor tells it now.
type Guest struct {
	Spec
	State   State
	Reason  string        // why it is in that state, in a word or two; may be empty
	CPUTime time.Duration // processor time used since it was started; 0 while it has no process
	Agent   bool          // an agent in the guest answers
	VNC     string        // path of the screen's unix socket; empty while it has no process
}

// EventKind says what an Event tells.
type EventKind string

// The kinds.
const (
	EventDefined EventKind = "defined" // there is a guest, or its definition changed
	EventState   EventKind = "state"   // State and Reason are new, or it was reset
	EventAgent   EventKind = "agent"   // the agent came or went
	EventGone    EventKind = "gone"    // undefined
	EventDown    EventKind = "down"    // the hypervisor does not answer; no ID
	EventSync    EventKind = "sync"    // it does (again), or events were dropped: List anew; no ID
)

// Event is one change. It carries no time: the receiver has a clock, the rule that made it has none.
type Event struct {
	Kind   EventKind
	ID     ID
	Name   string
	State  State  // of EventState
	Reason string // of EventState
	Agent  bool   // of EventAgent
}
