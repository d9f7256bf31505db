package tree

import (
	"testing"
	"time"

	"decenter/net/frame"
)

// Whatever arrives, a core neither panics nor grows without bound, and still says what it wants.
func FuzzInput(f *testing.F) {
	var seen [][]byte
	w := ring(1, 3)
	w.drop = func(b []byte) bool { seen = append(seen, b); return false }
	w.startAll()
	w.run(300 * time.Millisecond)
	for i := 0; i < len(seen); i += 1 + len(seen)/40 {
		f.Add(seen[i], uint8(i))
	}
	f.Fuzz(func(t *testing.T, b []byte, port uint8) {
		w := ring(1, 3)
		w.startAll()
		w.run(100 * time.Millisecond)
		n := w.nodes[0]
		id := n.core.order[int(port)%2]
		// As it is, and again as if the real neighbour had said it in the current session.
		n.step(func() { n.core.Input(id, b, w.now) })
		if h, err := frame.ParseHeader(b); err == nil && n.core != nil {
			p := n.core.ports[id]
			if m, err := frame.ParseHello(b[frame.OffBody:]); err == nil {
				m.Self.ID, m.Self.Port, m.Self.Session, m.Peer = p.peer.ID, p.peer.Port, p.peer.Session, n.core.me(p)
				m.Seal, m.Seq = frame.Seal{}, max(m.Seq, p.seqHeard+1)
				n.step(func() { n.core.Input(id, p.forge(m.Append(nil, h.Source)), w.now) })
			}
			if m, err := frame.ParseFlood(b[frame.OffBody:]); err == nil {
				m.Self.ID, m.Self.Port, m.Self.Session, m.Peer = p.peer.ID, p.peer.Port, p.peer.Session, n.core.me(p)
				m.Seal = frame.Seal{}
				n.step(func() { n.core.Input(id, p.forge(m.Append(nil, h.Source)), w.now) })
			}
		}
		w.run(2 * time.Second)
		if len(n.core.store.objects) > 16+len(b)/20 {
			t.Errorf("%d objects", len(n.core.store.objects))
		}
		_ = n.core.View()
		if err := New(n.config(), 0).Restore(b, 0); err == nil {
			t.Error("a frame was taken for a snapshot")
		}
	})
}

// A snapshot that contradicts itself, or is another satellite's, is refused and changes nothing.
func TestBadSnapshotsAreRefused(t *testing.T) {
	w := settled(t, ring(1, 3))
	good := w.nodes[0].core.Snapshot()
	fresh := func(n *node) *Core { return New(n.config(), 0) }
	if err := fresh(w.nodes[0]).Restore(good, 0); err != nil {
		t.Fatal(err)
	}
	if err := fresh(w.nodes[1]).Restore(good, 0); err == nil {
		t.Error("another satellite's was taken")
	}
	for cut := range len(good) {
		c := fresh(w.nodes[0])
		if err := c.Restore(good[:cut], 0); err == nil {
			t.Fatalf("cut at %d it was taken", cut)
		}
		if len(c.ports) != 0 {
			t.Fatal("a refused snapshot left ports")
		}
	}
}

// A port whose number now is another interface's begins anew, shut.
func TestARestoredPortMustBeTheSameInterface(t *testing.T) {
	w := settled(t, ring(1, 3))
	var n *node
	var open PortID
	for _, n = range w.nodes {
		if n.core.up != nil {
			open = n.core.up.id
			break
		}
	}
	c := New(n.config(), w.now)
	if err := c.Restore(n.core.Snapshot(), w.now); err != nil {
		t.Fatal(err)
	}
	c.Link(open, Link{Name: "other", Up: true, MAC: portMAC(99)}, w.now)
	e := c.Ready()
	if len(e.Gates) != 1 || e.Gates[0] != (Gate{open, false}) {
		t.Errorf("gates %v, want port %d shut", e.Gates, open)
	}
}
