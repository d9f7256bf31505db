package path

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"decenter/net/frame"
)

// Memory is all that an Agreement must not forget when its engine dies: what was promised, and what was heard. Whoever
// recalls it goes on as one that was merely slow. It has at most 8 topologies of 8 + 6 bytes a satellite + 16 a cable, 14 bytes
// a satellite of what was folded, and a record for each port.
type Memory struct {
	Serial  uint64       `json:"serial"`
	Colours int          `json:"colours"`
	Held    []HeldMemory `json:"held"`
	Floored uint64       `json:"floored,omitempty"`
	Floor   []byte       `json:"floor,omitempty"` // id 6, distance 8 each, by id; empty: none
	Peers   []PeerMemory `json:"peers"`
}

// HeldMemory is one topology that was adopted.
type HeldMemory struct {
	Serial   uint64 `json:"serial"`
	Ready    bool   `json:"ready"`
	Topology []byte `json:"topology"` // Topology.Append
}

// PeerMemory is one neighbour that is up.
type PeerMemory struct {
	Own   Port      `json:"own"`
	ID    frame.MAC `json:"id"`
	Port  Port      `json:"port"`
	Seen  Version   `json:"seen"`
	Ready bool      `json:"ready"`
	Known bool      `json:"known"`
	Acked uint64    `json:"acked"`
	Echo  bool      `json:"echo"`
}

// Memory gives what Recall takes.
func (a *Agreement) Memory() Memory {
	m := Memory{Serial: a.serial, Floored: a.floored}
	for _, h := range a.past {
		m.Colours = h.colours
		m.Held = append(m.Held, HeldMemory{h.serial, h.ready, h.topo.Append(nil)})
	}
	for _, id := range slices.SortedFunc(maps.Keys(a.floor), frame.MAC.Compare) {
		m.Floor = binary.BigEndian.AppendUint64(append(m.Floor, id[:]...), a.floor[id])
	}
	for _, port := range slices.Sorted(maps.Keys(a.peers)) {
		p := a.peers[port]
		m.Peers = append(m.Peers, PeerMemory{port, p.id, p.port, p.seen, p.ready, p.known, p.acked, p.echo})
	}
	return m
}

// Recall makes the Agreement that had this memory. Its Repairs are owed: see Recalling. An error tells what no Agreement of
// this satellite can have written.
func Recall(self frame.MAC, m Memory) (*Agreement, error) {
	a := NewAgreement()
	a.serial, a.floored = m.Serial, m.Floored
	for _, h := range m.Held {
		if len(a.past) == keep || h.Serial == 0 || len(a.past) > 0 && a.now().serial >= h.Serial {
			return nil, fmt.Errorf("%d topologies, or out of order", len(m.Held))
		}
		t, err := ParseTopology(h.Topology)
		if err != nil {
			return nil, err
		}
		r, err := NewRoutes(t, self, m.Colours)
		if err != nil {
			return nil, err
		}
		a.past = append(a.past, held{Routes: r, serial: h.Serial, ready: h.Ready})
	}
	if a.serial > 0 && (len(a.past) == 0 || a.now().serial != a.serial) || a.serial == 0 && len(a.past) > 0 {
		return nil, errors.New("the current topology is missing")
	}
	if err := a.recallFloor(m.Floor); err != nil {
		return nil, err
	}
	for _, p := range m.Peers {
		if a.peers[p.Own] != nil || p.Acked > a.serial {
			return nil, fmt.Errorf("port %d twice, or it acknowledges what was not said", p.Own)
		}
		a.peers[p.Own] = &peer{id: p.ID, port: p.Port, seen: p.Seen, ready: p.Ready, known: p.Known, acked: p.Acked, echo: p.Echo}
	}
	return a, nil
}

func (a *Agreement) recallFloor(b []byte) error {
	const each = 6 + 8
	if len(b)%each != 0 || len(b) > each*keep*MaxSatellites {
		return fmt.Errorf("floor of %d bytes", len(b))
	}
	for ; len(b) > 0; b = b[each:] {
		if a.floor == nil {
			a.floor = map[frame.MAC]uint64{}
		}
		a.floor[frame.MAC(b[:6])] = binary.BigEndian.Uint64(b[6:])
	}
	return nil
}

// Append writes the topology: the number of satellites 4 and their ids 6 each, ascending; the number of cables 4, and for each
// the index 2 of its lower end, of its higher, their ports 4 each, and the cost 4.
func (t *Topology) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(t.ids)))
	for _, id := range t.ids {
		b = append(b, id[:]...)
	}
	b = binary.BigEndian.AppendUint32(b, uint32(len(t.arcs)/2))
	for v := range t.ids {
		for a, hi := t.out(v); a < hi; a++ {
			if x := t.arcs[a]; int(x.to) > v {
				b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, uint16(v)), uint16(x.to))
				b = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, x.port), t.arcs[x.back].port)
				b = binary.BigEndian.AppendUint32(b, x.cost)
			}
		}
	}
	return b
}

const cableLen = 2 + 2 + 4 + 4 + 4

// ParseTopology reads what Append wrote. It refuses what NewTopology could not have made.
func ParseTopology(b []byte) (*Topology, error) {
	bad := func(why string) (*Topology, error) { return nil, errors.New("not a topology: " + why) }
	n, b, ok := counted(b, 6)
	if !ok || n == 0 || n > MaxSatellites {
		return bad("satellites cut short, or too many")
	}
	t := &Topology{ids: make([]frame.MAC, n)}
	for i := range t.ids {
		t.ids[i] = frame.MAC(b[6*i:])
		if i > 0 && t.ids[i-1].Compare(t.ids[i]) >= 0 {
			return bad("satellites out of order")
		}
	}
	m, b, ok := counted(b[6*n:], cableLen)
	if !ok || len(b) != m*cableLen {
		return bad("cables cut short, or something after them")
	}
	cables := make([]claim, 0, 2*m)
	for ; len(b) > 0; b = b[cableLen:] {
		c := claim{int32(binary.BigEndian.Uint16(b)), int32(binary.BigEndian.Uint16(b[2:])), binary.BigEndian.Uint32(b[4:]),
			binary.BigEndian.Uint32(b[8:]), binary.BigEndian.Uint32(b[12:])}
		if c.a >= c.b || int(c.b) >= n || c.price == 0 {
			return bad("a cable of nobody's, or that costs nothing")
		}
		back := c.back()
		back.price = c.price
		cables = append(cables, c, back)
	}
	slices.SortFunc(cables, claim.compare)
	if err := proper(cables, n); err != nil {
		return nil, err
	}
	index := make([]int32, n)
	for i := range index {
		index[i] = int32(i)
	}
	t.fill(cables, index)
	return t, nil
}

// proper tells whether each port has one cable, and all satellites are connected.
func proper(cables []claim, n int) error {
	type socket struct {
		at   int32
		port Port
	}
	taken := make(map[socket]bool, len(cables))
	count := make([]int, n)
	for _, c := range cables {
		count[c.a]++
		if s := (socket{c.a, c.portA}); taken[s] || count[c.a] > MaxPorts {
			return errors.New("not a topology: two cables in a port, or too many")
		} else {
			taken[s] = true
		}
	}
	if slices.Contains(reached(0, n, cables), none) {
		return errors.New("not a topology: it falls apart")
	}
	return nil
}

// counted reads a count of what has so many bytes each, and checks that they follow.
func counted(b []byte, each int) (n int, rest []byte, ok bool) {
	if len(b) < 4 {
		return 0, nil, false
	}
	n = int(binary.BigEndian.Uint32(b))
	return n, b[4:], n <= (len(b)-4)/each
}
