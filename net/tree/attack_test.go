package tree

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"decenter/net/frame"
)

// attack is a story that tells whether the attacker got what he wanted. With authentication he must not; without it, which
// is the control, he must, or else the story proves nothing.
func attack(t *testing.T, story func(t *testing.T, open bool) (succeeds bool)) {
	t.Helper()
	if story(t, false) {
		t.Error("the attack succeeds")
	}
	if !story(t, true) {
		t.Error("the attack fails without authentication too: the story proves nothing")
	}
}

func pair(seed uint64, open bool) (w *world, c *wire) {
	w = newWorld(seed, 2)
	w.cfg.Unauthenticated = open
	return w, w.connect(0, 1, 10000)
}

// isHello gives a frame's Hello, if it is one.
func isHello(b []byte) (h frame.Hello, ok bool) {
	if frame.Type(b[frame.OffType]) != frame.TypeHello {
		return h, false
	}
	h, err := frame.ParseHello(b[frame.OffBody:])
	return h, err == nil
}

// source is the port that sent a frame.
func source(b []byte) frame.MAC { return frame.MAC(b[6:12]) }

// Somebody plugs in, claims an admitted satellite's MAC, and speaks the protocol as well as we do. He has a key, but not
// that one; or he shows that one, but cannot sign with it.
func TestAStrangerClaimsAnAdmittedMAC(t *testing.T) {
	own := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{66}, 32))
	sign := func(m []byte) []byte { return ed25519.Sign(own, m) }
	for name, tamper := range map[string]func(*Auth){
		"with a key of his own":        func(a *Auth) { a.Public, a.Sign = [32]byte(own.Public().(ed25519.PublicKey)), sign },
		"with the key of that one":     func(a *Auth) { a.Sign = sign },
		"with a signature of no bytes": func(a *Auth) { a.Sign = func([]byte) []byte { return nil } },
	} {
		t.Run(name, func(t *testing.T) {
			attack(t, func(t *testing.T, open bool) bool {
				w, c := pair(1, open)
				stranger := w.nodes[1]
				stranger.tamper = tamper
				floods, told := 0, false
				w.drop = func(b []byte) bool {
					if source(b) == portMAC(c.port) {
						h, is := isHello(b)
						told = told || is && (!h.Untold || h.Claim.Number > 0 || h.Grant > 0)
						if frame.Type(b[frame.OffType]) == frame.TypeFlood {
							floods++
						}
					}
					return false
				}
				w.startAll()
				w.run(5 * time.Second)
				a := w.nodes[0].core
				return a.ports[c.port].twoWay || len(a.MACs()) > 1 || floods > 0 || told || w.nodes[0].gates[c.port]
			})
		})
	}
}

// A satellite that is admitted, with its own good key, takes another one's id.
func TestAForgedIDIsRefused(t *testing.T) {
	attack(t, func(t *testing.T, open bool) bool {
		w := newWorld(1, 3)
		w.cfg.Unauthenticated = open
		c := w.connect(0, 1, 1000)
		liar := w.nodes[2]
		w.nodes[1].tamper = func(a *Auth) {
			a.Public = w.auth.public(liar)
			a.Sign = func(m []byte) []byte { return ed25519.Sign(w.auth.key(liar), m) }
		}
		w.nodes[0].start()
		w.nodes[1].start()
		w.run(3 * time.Second)
		p := w.nodes[0].core.View().Ports[0]
		if !open && (p.Role != RoleWaiting || p.Note != NoteStranger) {
			t.Errorf("nobody is told of him: %+v", p)
		}
		return w.nodes[0].core.ports[c.port].twoWay
	})
}

// Of every session there was somebody recorded all that was said, and says it again: to a neighbour that is in another one.
func TestReplayedHandshakesMoveNothing(t *testing.T) {
	attack(t, func(t *testing.T, open bool) bool {
		w, c := pair(2, open)
		var tape [][]byte
		w.drop = func(b []byte) bool {
			if source(b) == portMAC(c.bport) && b[frame.OffType] <= byte(frame.TypeFlood) {
				tape = append(tape, bytes.Clone(b))
			}
			return false
		}
		settled(t, w)
		for range 3 {
			c.set(w, false)
			w.run(100 * time.Millisecond)
			c.set(w, true)
			w.run(2 * time.Second)
		}
		victim := w.nodes[0]
		if !victim.gates[c.port] || len(tape) < 20 {
			t.Fatalf("gate %v, %d frames on tape", victim.gates[c.port], len(tape))
		}
		session, heard := victim.core.ports[c.port].session, victim.core.ports[c.port].seqHeard
		for _, b := range slices.Clone(tape) {
			victim.step(func() { victim.core.Input(c.port, b, w.now) })
			w.run(10 * time.Millisecond)
		}
		w.run(2 * time.Second)
		if !open && victim.core.ports[c.port].seqHeard > heard+100 {
			t.Error("a replayed Hello counted")
		}
		return victim.core.ports[c.port].session != session
	})
}

// The tape is played to a satellite that is alone, in a session that no tape can tell of, and so with that number written
// over the old one. The control is a proof that is not looked at.
func TestReplayedHandshakesMakeNoNeighbour(t *testing.T) {
	run := func(broken rule) bool {
		w, c := pair(3, false)
		var tape [][]byte
		w.drop = func(b []byte) bool {
			if source(b) == portMAC(c.bport) && b[frame.OffType] <= byte(frame.TypeFlood) {
				tape = append(tape, bytes.Clone(b))
			}
			return false
		}
		settled(t, w)
		w.nodes[1].kill(false)
		c.set(w, false)
		c.set(w, true)
		victim := w.nodes[0]
		victim.core.broken = broken
		for _, b := range slices.Clone(tape) {
			if h, ok := isHello(b); ok {
				h.Peer = victim.core.me(victim.core.ports[c.port])
				h.Proof.To = h.Peer
				b = h.Append(nil, source(b))
			}
			victim.step(func() { victim.core.Input(c.port, b, w.now) })
			w.run(20 * time.Millisecond)
		}
		p := victim.core.ports[c.port]
		return p.twoWay || p.others.id != (frame.Peer{}) && w.now-p.others.at < time.Second
	}
	if run(0) {
		t.Error("a tape was taken for a satellite")
	}
	if !run(ruleProof) {
		t.Error("it is not, without signatures too: the story proves nothing")
	}
}

// A man in the middle of the cable gives each end an ephemeral key of his own and seals anew what he passes on. All he lacks
// are the two signing keys. The control: cores that do not look at signatures.
func TestAManInTheMiddle(t *testing.T) {
	run := func(broken rule) (through bool) {
		w, c := pair(4, false)
		w.broken = broken
		mine, _ := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{7}, 32))
		swapped := [32]byte(mine.PublicKey().Bytes())
		real := map[frame.Peer]frame.Keys{} // of each end, as it showed them
		w.drop = func(b []byte) bool {
			h, ok := isHello(b)
			if !ok {
				return false
			}
			real[end(&h)] = h.Keys
			h.Keys.Ephemeral, h.Seal = swapped, frame.Seal{}
			forged := h.Append(nil, source(b))
			if to, known := real[h.Peer]; known {
				public, err := ecdh.X25519().NewPublicKey(to.Ephemeral[:])
				if err != nil {
					t.Fatal(err)
				}
				secret, err := mine.ECDH(public)
				if err != nil {
					t.Fatal(err)
				}
				key := sealKey(secret, appendEnd(nil, end(&h), h.Keys), appendEnd(nil, h.Peer, to))
				forged = frame.AppendSeal(forged, h.Seq, func(covered []byte) [frame.SealTagLen]byte { return tag(&key, covered) })
			}
			n, port := w.nodes[0], c.port
			if source(b) == portMAC(c.port) {
				n, port = w.nodes[1], c.bport
			}
			w.after(w.delay, func() { n.arrive(port, forged) })
			return true
		}
		w.startAll()
		w.run(3 * time.Second)
		return w.nodes[0].core.ports[c.port].twoWay || w.nodes[1].core.ports[c.bport].twoWay
	}
	if run(0) {
		t.Error("he is believed to be the neighbour")
	}
	if !run(ruleProof) {
		t.Error("he fails without signatures too: the story proves nothing")
	}
}

// Somebody on the cable speaks in the neighbour's name: he has read its session and everything else.
func TestInjectedFloodsAreNotTaken(t *testing.T) {
	attack(t, func(t *testing.T, open bool) bool {
		w, c := pair(5, open)
		settled(t, w)
		victim := w.nodes[0]
		p := victim.core.ports[c.port]
		ghost := frame.MAC{2, 0xbb, 0, 0, 0, 1}
		n := frame.Node{Main: true, Priority: 1, Links: []frame.Link{{Neighbour: victim.id, Port: 1, NeighbourPort: 9, Cost: 1}}}
		f := frame.Flood{Self: frame.Self{ID: p.peer.ID, Port: p.peer.Port, Session: p.peer.Session}, Peer: victim.core.me(p),
			Objects: []frame.Object{{Key: frame.Key{Origin: ghost}, Seq: 1, Body: n.Append(nil)}}}
		b := f.Append(nil, p.peer.MAC)
		for _, forged := range [][]byte{b, frame.AppendSeal(bytes.Clone(b), 1<<40, func([]byte) (t [frame.SealTagLen]byte) { return t })} {
			victim.step(func() { victim.core.Input(c.port, forged, w.now) })
		}
		w.run(time.Second)
		if got := victim.core.Counters().Forged; !open && got < 2 {
			t.Errorf("%d frames counted as forged, want 2", got)
		}
		return victim.core.store.objects[frame.Key{Origin: ghost}] != nil || w.nodes[1].core.store.objects[frame.Key{Origin: ghost}] != nil
	})
}

// On a cable that is blocked, a Hello is changed under way: so that it claims what would open the gate, or grants it.
func TestTamperedClaimsOpenNothing(t *testing.T) {
	attack(t, func(t *testing.T, open bool) bool {
		w := ring(6, 3)
		w.cfg.Unauthenticated = open
		settled(t, w)
		i := slices.IndexFunc(w.cables, func(c *wire) bool { return !c.a.gates[c.port] && !c.b.gates[c.bport] })
		c := w.cables[i]
		opened := false
		w.drop = func(b []byte) bool {
			h, ok := isHello(b)
			if !ok || source(b) != portMAC(c.bport) {
				return false
			}
			h.Claim = frame.Claim{Number: h.Claim.Number + 1, Join: true, Vector: frame.Vector{Priority: 0xffff, ID: h.Self.ID}}
			h.Grant = 1 // its old seal stays: it covered another claim
			w.after(w.delay, func() {
				c.a.arrive(c.port, h.Append(nil, source(b)))
				opened = opened || c.a.gates[c.port]
			})
			return true
		}
		w.run(3 * time.Second)
		return opened
	})
}

// On a hub there is a third who says Hello as the neighbour in a new session, as another satellite, and as ourselves: with
// every key he heard shown. Nothing of it ends the adjacency.
func TestAStrangerOnAHubTearsNothingDown(t *testing.T) {
	for name, says := range map[string]func(h *frame.Hello, us *Core, p *port){
		"the neighbour anew":     func(h *frame.Hello, _ *Core, _ *port) { h.Self.Session, h.Peer = 99, frame.Peer{} },
		"the neighbour, deaf":    func(h *frame.Hello, _ *Core, _ *port) { h.Peer, h.Seq = frame.Peer{}, 1<<50 },
		"another satellite":      func(h *frame.Hello, _ *Core, _ *port) { h.Self.ID, h.Self.Port = frame.MAC{2, 9, 9, 9, 9, 9}, 1 },
		"another's port":         func(h *frame.Hello, _ *Core, _ *port) { h.Self.Port, h.Peer = 77, frame.Peer{} },
		"ourselves, our session": func(h *frame.Hello, us *Core, p *port) { h.Self, h.Keys = us.self(p), p.sec.mine },
	} {
		t.Run(name, func(t *testing.T) {
			attack(t, func(t *testing.T, open bool) bool {
				w, c := pair(7, open)
				var last frame.Hello
				w.drop = func(b []byte) bool {
					if h, ok := isHello(b); ok && source(b) == portMAC(c.bport) {
						last = h
					}
					return false
				}
				settled(t, w)
				victim := w.nodes[0]
				p := victim.core.ports[c.port]
				session := p.session
				for range 200 {
					h := last
					says(&h, victim.core, p)
					victim.step(func() { victim.core.Input(c.port, h.Append(nil, portMAC(c.bport)), w.now) })
					w.run(3 * time.Millisecond)
				}
				w.run(2 * time.Second)
				return p.session != session
			})
		})
	}
}
