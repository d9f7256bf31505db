package tree

import "decenter/net/frame"

// EventKind says what happened.
type EventKind string

// The kinds. Port and Neighbour are set in those of a neighbour, Neighbour alone in those of a satellite.
const (
	NeighbourUp     EventKind = "neighbour-up"      // the cable and both ends work
	NeighbourDown   EventKind = "neighbour-down"    // Why tells the reason
	EngineSilent    EventKind = "engine-silent"     // its data path lives, its engine says nothing
	EngineBack      EventKind = "engine-back"       // it speaks again; Why is "restarted" if it is a new start
	PortLooped      EventKind = "port-looped"       // a cable leads back to us
	PortCrowded     EventKind = "port-crowded"      // more than one satellite on one port
	PortRefused     EventKind = "port-refused"      // the satellite there is not admitted
	ParentChanged   EventKind = "parent-changed"    // Neighbour is the new one, zero: none
	RootChanged     EventKind = "root-changed"      // Neighbour is the new one
	SatelliteUp     EventKind = "satellite-up"      // can be reached now
	SatelliteDown   EventKind = "satellite-down"    // cannot any more
	EdgeChanged     EventKind = "edge-changed"      // a port without a satellite; Why is its role in the spanning tree, or what it found
	EdgeEnded       EventKind = "edge-ended"        // a satellite speaks on it: it shuts
	EdgeRootChanged EventKind = "edge-root-changed" // Why is the legacy's root bridge, Neighbour whose port leads there; zero: we are it
	Resumed         EventKind = "resumed"           // a restored core acts for itself again
)

// The kinds about MACs.
const (
	MACMoving  EventKind = "mac-moving"  // MAC is seen here and at Neighbour in turn; it stays there for a while
	MACSpoofed EventKind = "mac-spoofed" // a device behind Port sends under MAC, which is a guest's at Neighbour; it stays there
	MACsFull   EventKind = "macs-full"   // there are more MACs here than a satellite may be home to
)

// Event is something to log or to tell a person.
type Event struct {
	Kind      EventKind
	Port      PortID
	Neighbour frame.MAC
	MAC       frame.MAC
	Name      string
	Why       string
}
