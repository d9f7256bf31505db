package plane

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"decenter/net/frame"
	"decenter/net/path"
)

// Ports of every satellite in these tests. A cable has a port number at each end that is unique in the whole net, from 100 on.
const (
	guest  = Port(1)  // a guest's tap
	other  = Port(2)  // another guest's tap
	island = Port(50) // an edge port
)

func id(i int) frame.MAC      { return frame.MAC{2, 0, 0, 0, 0, byte(i)} }
func guestOf(i int) frame.MAC { return frame.MAC{2, 1, 0, 0, 0, byte(i)} }
func otherOf(i int) frame.MAC { return frame.MAC{2, 2, 0, 0, 0, byte(i)} }

var everybody = frame.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// cable joins two satellites.
type cable struct {
	a, b         int
	portA, portB Port
}

type end struct {
	at   int
	port Port
}

// web is satellites with cables: planes that follow the tables of one topology.
type web struct {
	t      testing.TB
	planes []*Plane
	cables []cable
	far    map[Port]end
	now    time.Duration
}

// weave makes n satellites that hold one topology and know each other's guests. Gates are open on the cables of a tree.
func weave(t testing.TB, n int, cfg Config, pairs ...[2]int) *web {
	w := &web{t: t, far: map[Port]end{}, now: time.Second}
	for k, c := range pairs {
		a, b := Port(100+2*k), Port(101+2*k)
		w.cables = append(w.cables, cable{c[0], c[1], a, b})
		w.far[a], w.far[b] = end{c[1], b}, end{c[0], a}
	}
	for i := range n {
		w.planes = append(w.planes, New(id(i), cfg))
	}
	for i, p := range w.planes {
		p.Attach(guest, Local, frame.MAC{})
		p.Attach(other, Local, frame.MAC{})
		p.Attach(island, Fabric, frame.MAC{})
		p.LocalMAC(guestOf(i), guest)
		p.LocalMAC(otherOf(i), other)
		for j := range n {
			p.Home(guestOf(j), id(j), 0)
			p.Home(otherOf(j), id(j), 0)
		}
		p.Follow(w.tables(i))
		p.Renew(w.now)
	}
	root := make([]int, n)
	for i := range root {
		root[i] = i
	}
	for _, c := range w.cables {
		tree := root[c.a] != root[c.b]
		for i, old := 0, root[c.b]; i < n; i++ {
			if root[i] == old {
				root[i] = root[c.a]
			}
		}
		w.join(c.a, c.portA, tree)
		w.join(c.b, c.portB, tree)
	}
	return w
}

func (w *web) join(i int, port Port, gate bool) {
	p := w.planes[i]
	p.Attach(port, Fabric, frame.MAC{})
	p.Carrier(port, true, w.now)
	p.Live(port, true, w.now)
	p.Gate(port, gate, w.now)
}

// tables are those of satellite i, of all cables but those left out.
func (w *web) tables(i int, without ...int) *path.Tables {
	told := make([]path.Told, len(w.planes))
	for k := range told {
		told[k].ID = id(k)
	}
	for k, c := range w.cables {
		out := false
		for _, x := range without {
			out = out || x == k
		}
		if !out {
			told[c.a].Links = append(told[c.a].Links, frame.Link{Neighbour: id(c.b), Port: uint32(c.portA), NeighbourPort: uint32(c.portB), Cost: 10})
			told[c.b].Links = append(told[c.b].Links, frame.Link{Neighbour: id(c.a), Port: uint32(c.portB), NeighbourPort: uint32(c.portA), Cost: 10})
		}
	}
	topo, err := path.NewTopology(id(i), told)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := path.NewRoutes(topo, id(i), 4)
	if err != nil {
		w.t.Fatal(err)
	}
	rep := path.NewRepair(r)
	for !rep.Step(8) {
	}
	return &path.Tables{Routes: r, Repair: rep, Agreed: true}
}

// later lets time pass, with all engines alive.
func (w *web) later(d time.Duration) {
	w.now += d
	for _, p := range w.planes {
		p.Renew(w.now)
	}
}

// cut takes a cable's carrier.
func (w *web) cut(k int) {
	w.planes[w.cables[k].a].Carrier(w.cables[k].portA, false, w.now)
	w.planes[w.cables[k].b].Carrier(w.cables[k].portB, false, w.now)
}

func ring(n int) (out [][2]int) {
	for i := range n {
		out = append(out, [2]int{i, (i + 1) % n})
	}
	return out
}

// plain is an untagged UDP frame of a flow.
func plain(destination, source frame.MAC, flow uint16) []byte {
	b := append(append([]byte{}, destination[:]...), source[:]...)
	b = append(b, 0x08, 0x00, 0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2)
	b = binary.BigEndian.AppendUint16(b, flow)
	return append(b, 0, 9, 0, 8, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
}

// trip is what became of a frame and of all its copies.
type trip struct {
	arrived []end  // at local and edge ports
	fates   []Fate // at each place, in order
	places  []end  // where it came in
	loop    error
}

// send puts a frame into a port and follows all its copies. Each that arrives must be the frame that was sent.
func (w *web) send(i int, in Port, b []byte) (tr trip) {
	w.t.Helper()
	type copied struct {
		end
		b []byte
	}
	been := map[end]bool{}
	var outs []Out
	for line := []copied{{end{i, in}, b}}; len(line) > 0; line = line[1:] {
		at := line[0]
		if been[at.end] {
			tr.loop = fmt.Errorf("twice at %v: %v", at.end, tr.places)
			return tr
		}
		been[at.end] = true
		was := bytes.Clone(at.b)
		var fate Fate
		outs, fate = w.planes[at.at].Input(at.port, at.b, w.now, outs[:0])
		if !bytes.Equal(was, at.b) {
			w.t.Fatal("Input wrote to the frame")
		}
		tr.fates, tr.places = append(tr.fates, fate), append(tr.places, at.end)
		for _, o := range outs {
			far, fabric := w.far[o.Port]
			if !fabric {
				if !bytes.Equal(o.Append(nil, at.b), b) {
					w.t.Fatalf("sent %x, arrived %x", b, o.Append(nil, at.b))
				}
				tr.arrived = append(tr.arrived, end{at.at, o.Port})
				continue
			}
			line = append(line, copied{far, o.Append(nil, at.b)})
		}
	}
	return tr
}

func (tr trip) last() Fate { return tr.fates[len(tr.fates)-1] }

func (tr trip) has(f Fate) bool {
	for _, x := range tr.fates {
		if x == f {
			return true
		}
	}
	return false
}
