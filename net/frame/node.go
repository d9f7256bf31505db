package frame

import (
	"encoding/binary"
	"iter"
)

// Link is one cable as one of its ends tells it.
type Link struct {
	Neighbour     MAC
	Port          uint32 // own
	NeighbourPort uint32
	Cost          uint32
}

// Moved is a MAC that another satellite was home to before. Of several claims of one class the highest epoch wins.
type Moved struct {
	MAC   MAC
	Epoch uint32
}

// Node is the body of a link-state object. The object of index 0 has Main set and the first links; further
// indexes hold further links, an edge, or MACs.
type Node struct {
	Main       bool
	Priority   uint16 // to be root; lower wins
	Generation uint32 // grows when the satellite opens or closes a gate: learned addresses may be wrong
	Parent     MAC    // zero: none
	ParentPort uint32 // own port toward it
	Name       string
	Edges      bool    // Main: it has edge ports in use, and tells an Edge
	Links      []Link  // at most MaxLinksBody
	Edge       *Edge   // nil: none
	Silent     []MAC   // neighbours with Edges whose engine says nothing; at most MaxSilentBody
	MACs       []MAC   // at most MaxMACsBody
	Moved      []Moved // at most MaxMovedBody; those of MACs have epoch 0
	Learned    bool    // MACs and Moved were learned at edges; else they are guests'
}

// Append writes the body's elements.
func (n *Node) Append(b []byte) []byte {
	if n.Main {
		b = binary.BigEndian.AppendUint16(appendElem(b, elemNode, 16), n.Priority)
		b = binary.BigEndian.AppendUint32(b, n.Generation)
		b = append(b, n.Parent[:]...)
		b = binary.BigEndian.AppendUint32(b, n.ParentPort)
		b = append(appendElem(b, elemName, len(n.Name)), n.Name...)
	}
	if n.Main && n.Edges {
		b = append(appendElem(b, elemFlags, 1), flagEdges)
	}
	for _, l := range n.Links {
		b = append(appendElem(b, elemLink, 18), l.Neighbour[:]...)
		b = binary.BigEndian.AppendUint32(b, l.Port)
		b = binary.BigEndian.AppendUint32(b, l.NeighbourPort)
		b = binary.BigEndian.AppendUint32(b, l.Cost)
	}
	if len(n.MACs) > 0 {
		b = appendElem(b, elemMACs, 6*len(n.MACs))
		for _, m := range n.MACs {
			b = append(b, m[:]...)
		}
	}
	if n.Edge != nil {
		b = n.Edge.Append(appendElem(b, elemEdge, EdgeLen))
	}
	if len(n.Silent) > 0 {
		b = appendElem(b, elemSilent, 6*len(n.Silent))
		for _, m := range n.Silent {
			b = append(b, m[:]...)
		}
	}
	if len(n.Moved) > 0 {
		b = appendElem(b, elemMoved, movedLen*len(n.Moved))
		for _, m := range n.Moved {
			b = binary.BigEndian.AppendUint32(append(b, m.MAC[:]...), m.Epoch)
		}
	}
	if n.Learned {
		b = appendElem(b, elemLearned, 0)
	}
	return b
}

// ParseNode reads an object's body; nothing of it aliases body.
func ParseNode(body []byte) (Node, error) {
	var n Node
	err := elements(body, func(typ byte, v []byte) (err error) {
		switch typ {
		case elemNode:
			if err = want("node", v, 16); err == nil {
				n.Main, n.Priority, n.Generation = true, binary.BigEndian.Uint16(v), binary.BigEndian.Uint32(v[2:])
				n.Parent, n.ParentPort = MAC(v[6:12]), binary.BigEndian.Uint32(v[12:])
			}
		case elemName:
			n.Name, err = parseName(v)
		case elemLink:
			if err = want("link", v, 18); err == nil {
				n.Links = append(n.Links, Link{MAC(v[0:6]), binary.BigEndian.Uint32(v[6:]),
					binary.BigEndian.Uint32(v[10:]), binary.BigEndian.Uint32(v[14:])})
			}
			if len(n.Links) > MaxLinksBody {
				return malformed("more than %d links", MaxLinksBody)
			}
		case elemMACs:
			if err = checkMACs(v); err == nil && len(v) > 0 {
				n.MACs = make([]MAC, 0, len(v)/6)
				for ; len(v) > 0; v = v[6:] {
					n.MACs = append(n.MACs, MAC(v[0:6]))
				}
			}
		case elemEdge:
			var e Edge
			if e, err = ParseEdge(v); err == nil {
				n.Edge = &e
			}
		case elemFlags:
			if err = want("flags", v, 1); err == nil {
				n.Edges = v[0]&flagEdges != 0
			}
		case elemSilent:
			if len(v)%6 != 0 || len(v) > 6*MaxSilentBody {
				return malformed("silent of %d bytes", len(v))
			}
			for ; len(v) > 0; v = v[6:] {
				n.Silent = append(n.Silent, MAC(v[0:6]))
			}
		case elemMoved:
			if err = checkMoved(v); err == nil {
				n.Moved = make([]Moved, 0, len(v)/movedLen)
				for ; len(v) > 0; v = v[movedLen:] {
					n.Moved = append(n.Moved, parseMoved(v))
				}
			}
		case elemLearned:
			err = want("learned", v, 0)
			n.Learned = true
		}
		return err
	})
	if err == nil && !n.Main && (n.Name != "" || n.Edges) {
		err = malformed("name or flags without node")
	}
	if err != nil {
		return Node{}, err
	}
	return n, nil
}

const (
	movedLen  = 10
	flagEdges = 1 << 0
)

func checkMACs(v []byte) error {
	if len(v)%6 != 0 || len(v) > 6*MaxMACsBody {
		return malformed("macs of %d bytes", len(v))
	}
	return nil
}

func checkMoved(v []byte) error {
	if len(v)%movedLen != 0 || len(v) == 0 || len(v) > movedLen*MaxMovedBody {
		return malformed("moved of %d bytes", len(v))
	}
	return nil
}

func parseMoved(v []byte) Moved { return Moved{MAC(v[0:6]), binary.BigEndian.Uint32(v[6:])} }

// Claims gives each MAC that an object's body claims, with its epoch, in the body's order: what ParseNode would put into
// MACs and Moved, without making either. A malformed body's claims end where it is malformed.
func Claims(body []byte) iter.Seq[Moved] {
	return func(yield func(Moved) bool) {
		_ = elements(body, func(typ byte, v []byte) error {
			switch {
			case typ == elemMACs && checkMACs(v) == nil:
				for ; len(v) > 0; v = v[6:] {
					if !yield(Moved{MAC: MAC(v[0:6])}) {
						return ErrMalformed // to end the walk
					}
				}
			case typ == elemMoved && checkMoved(v) == nil:
				for ; len(v) > 0; v = v[movedLen:] {
					if !yield(parseMoved(v)) {
						return ErrMalformed
					}
				}
			}
			return nil
		})
	}
}

// Learned tells whether an object's body claims addresses that were learned at edges, wherever in the body it says so: what
// ParseNode would put into Learned. What Claims gives of it is guests' else.
func Learned(body []byte) (learned bool) {
	err := elements(body, func(typ byte, v []byte) error {
		if typ == elemLearned {
			learned = true
			return want("learned", v, 0)
		}
		return nil
	})
	return learned && err == nil
}
