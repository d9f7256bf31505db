package rstp

import "decenter/net/frame"

// EventKind says what happened.
type EventKind string

// The kinds.
const (
	RootChanged EventKind = "root-changed" // Bridge is the new root, Satellite whose port leads there; zero: we are the root
	RoleChanged EventKind = "role-changed" // Port now is Role
	PortLooped  EventKind = "port-looped"  // what we send on Port comes back on it
	OwnHeard    EventKind = "own-heard"    // Port is cabled to another port of the constellation, over no satellite
	Migrated    EventKind = "migrated"     // the neighbour on Port speaks STP only
	NotBridge   EventKind = "host"         // Port counts as a host's
)

// Event is something to log or to tell a person.
type Event struct {
	Kind      EventKind
	Port      PortID
	Role      Role
	Bridge    frame.BridgeID
	Satellite frame.MAC
}

func (e *Engine) event(v Event) {
	if len(e.events) < MaxEvents {
		e.events = append(e.events, v)
	}
}
