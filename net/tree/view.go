package tree

import (
	"slices"

	"decenter/net/frame"
	"decenter/net/rstp"
)

// View is the tree as this satellite knows it.
type View struct {
	Self   frame.MAC
	Root   frame.MAC
	Vector frame.Vector // where we stand
	Nodes  []NodeView   // by id, ourselves included
	Links  []LinkView   // by lower end, each cable once
	Ports  []PortView   // our own, by id

	// With Config.Edges.
	Bridge        frame.BridgeID // what all satellites together are to the legacy
	OutsideRoot   frame.BridgeID // the root bridge, if it is none of us; else 0
	OutsideCost   uint32         // of the way there
	OutsideRootAt frame.MAC      // the satellite whose port leads there
}

// NodeView is a satellite that can be reached.
type NodeView struct {
	ID       frame.MAC
	Name     string
	Priority uint16
	Parent   frame.MAC // whom it says it is the child of; zero: nobody
	Distance uint64    // to the root, in cost
	MACs     int       // it is home to, besides its own
}

// LinkView is a cable between two satellites. A is the lower id.
type LinkView struct {
	A, B         frame.MAC
	APort, BPort PortID
	Cost         uint32
	Tree         bool // one end says it leads to its parent
}

// Role is what a port does.
type Role string

// The roles.
const (
	RoleRoot    Role = "root"    // open toward our parent
	RoleChild   Role = "child"   // open toward a child
	RoleBlocked Role = "blocked" // a neighbour is there, the gate is shut
	RoleWaiting Role = "waiting" // no satellite answers, or not yet
	RoleDown    Role = "down"    // no carrier
	RoleEdge    Role = "edge"    // no satellite is there; see PortView.Edge
)

// PortView is one of our ports.
type PortView struct {
	ID            PortID
	Name          string
	Role          Role
	Neighbour     frame.MAC // zero: none
	NeighbourName string
	NeighbourPort PortID
	Silent        bool   // the neighbour's engine says nothing
	Note          string // why the port is shut, where there is something to say
	Edge          *EdgeView
}

// EdgeView is what a port of RoleEdge is in the legacy's spanning tree.
type EdgeView struct {
	Role   rstp.Role
	State  rstp.State     // what the data path lets through
	Host   bool           // no bridge is there
	STP    bool           // the bridge there speaks no RSTP
	Bridge frame.BridgeID // the designated one behind the port; our own where we are
	Root   frame.BridgeID // as told there
	Cost   uint32         // of the way to it, as told there
}

// Satellite is one that can be reached, and its name.
type Satellite struct {
	ID   frame.MAC
	Name string
}

// MACs lists the satellites that can be reached, ourselves included, by id. An id's LinkLocal is its address.
func (c *Core) MACs() []Satellite {
	out := make([]Satellite, 0, len(c.topo.order))
	for _, id := range c.topo.order {
		out = append(out, Satellite{id, c.topo.nodes[id].name})
	}
	return out
}

// Homes gives the MACs that a satellite says it is home to, ascending.
func (c *Core) Homes(id frame.MAC) []frame.MAC {
	var out []frame.MAC
	for i := uint16(firstMACs); i <= maxIndex; i++ {
		if o := c.store.objects[frame.Key{Origin: id, Index: i}]; o != nil {
			for m := range frame.Claims(o.body) {
				out = append(out, m.MAC)
			}
		}
	}
	slices.SortFunc(out, frame.MAC.Compare)
	return slices.Compact(out)
}

// View tells the tree.
func (c *Core) View() View {
	v := View{Self: c.cfg.ID, Root: c.topo.root, Vector: c.vec}
	for _, id := range c.topo.order {
		n := c.topo.nodes[id]
		node := NodeView{ID: id, Name: n.name, Priority: n.priority, Distance: n.distance, MACs: c.index.claims(id)}
		node.Parent = c.main(id).Parent
		v.Nodes = append(v.Nodes, node)
		for _, l := range c.topo.links(n) {
			if id.Compare(l.Neighbour) < 0 {
				v.Links = append(v.Links, LinkView{A: id, B: l.Neighbour, APort: PortID(l.Port), BPort: PortID(l.NeighbourPort),
					Cost: l.Cost, Tree: c.leads(id, l.Neighbour, l.Port) || c.leads(l.Neighbour, id, l.NeighbourPort)})
			}
		}
	}
	for _, id := range c.order {
		if p := c.ports[id]; !p.absent {
			v.Ports = append(v.Ports, c.portView(p))
		}
	}
	c.viewEdges(&v)
	return v
}

// viewEdges adds what the legacy's spanning tree is here.
func (c *Core) viewEdges(v *View) {
	e := &c.edges
	if e.engine == nil {
		return
	}
	v.Bridge = c.bridgeID()
	if root, cost, at := e.engine.RootPath(); !at.IsZero() {
		v.OutsideRoot, v.OutsideCost, v.OutsideRootAt = root, cost, at
	}
	status := map[PortID]rstp.PortStatus{}
	for _, s := range e.engine.Ports() {
		status[PortID(s.Port)] = s
	}
	for i := range v.Ports {
		p := &v.Ports[i]
		s, ok := status[p.ID]
		if !ok || p.Role != RoleWaiting || !c.isEdge(c.ports[p.ID]) {
			continue
		}
		p.Role = RoleEdge
		p.Edge = &EdgeView{Role: s.Role, State: e.told[p.ID], Host: s.Host, STP: s.STP, Bridge: s.Neighbour, Root: s.Root, Cost: s.RootCost}
		if s.Looped {
			p.Note = "the cable leads back to this satellite"
		}
	}
}

func (c *Core) main(id frame.MAC) frame.Node {
	if o := c.store.objects[frame.Key{Origin: id}]; o != nil {
		return o.node
	}
	return frame.Node{}
}

// leads tells whether a says that its port leads to its parent b.
func (c *Core) leads(a, b frame.MAC, port uint32) bool {
	n := c.main(a)
	return n.Parent == b && n.ParentPort == port
}

// NoteStranger is the note of a port whose neighbour says hello and is not admitted.
const NoteStranger = "not admitted"

// NoteMet is the note of a port that is no edge, though nobody answers there.
const NoteMet = "a satellite was here; unplug the cable to use the port for something else"

// strange tells whether a satellite that is not admitted says hello on the port.
func (c *Core) strange(p *port) bool {
	return !p.others.refused.IsZero() && c.now-p.others.refusedAt < 7*c.cfg.Hello/2
}

func (c *Core) portView(p *port) PortView {
	v := PortView{ID: p.id, Name: p.link.Name, Role: RoleBlocked, Neighbour: p.peer.ID, NeighbourName: p.peer.Name,
		NeighbourPort: PortID(p.peer.Port), Silent: p.silent}
	switch {
	case !p.link.Up:
		v.Role = RoleDown
	case c.now < p.others.looped:
		v.Note = "the cable leads back to this satellite"
	case c.now < p.others.until:
		v.Note = "more than one satellite on this port"
	case p.gate == gateUp:
		v.Role = RoleRoot
	case p.gate == gateDown:
		v.Role = RoleChild
	case !p.twoWay:
		v.Role = RoleWaiting
		if c.strange(p) {
			v.Neighbour, v.Note = p.others.refused, NoteStranger
		} else if c.edges.engine != nil && p.edge.met && p.peer.Peer == (frame.Peer{}) {
			v.Note = NoteMet
		}
	case !p.echo.alive:
		v.Role, v.Note = RoleWaiting, "the neighbour's data path does not answer"
	}
	return v
}
