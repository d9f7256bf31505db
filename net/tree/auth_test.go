package tree

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"time"

	"decenter/net/frame"
)

// The window against what it stands for: each number once, and none 64 or more below the highest.
func TestTheWindowTakesEachNumberOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		var w window
		met, top := map[uint64]bool{}, uint64(0)
		at := r.Uint64N(5)
		for range 300 {
			at += r.Uint64N(4)
			n := at - min(at, r.Uint64N(90))
			if r.IntN(40) == 0 {
				n = at + r.Uint64N(200)
			}
			want := n > 0 && !met[n] && (n > top || top-n < 64)
			if got := w.take(n); got != want {
				t.Fatalf("number %d after %d: %v", n, top, got)
			}
			if want {
				met[n], top = true, max(top, n)
			}
		}
	}
}

// What is signed, byte by byte; a change here is a change of the protocol.
func TestStatementBytes(t *testing.T) {
	by, to := frame.Peer{ID: frame.MAC{2, 1}, Port: 3, Session: 4}, frame.Peer{ID: frame.MAC{2, 5}, Port: 6, Session: 7}
	got := statement(by, frame.Keys{Public: [32]byte{0xa}, Ephemeral: [32]byte{0xb}, Nonce: 99}, to, frame.Keys{Public: [32]byte{0xc}, Ephemeral: [32]byte{0xd}, Nonce: 8})
	key := func(b byte) string { return hex.EncodeToString(append([]byte{b}, make([]byte, 31)...)) }
	want := hex.EncodeToString([]byte("decenter satellite tree 1: proof\x00")) +
		"020100000000" + "00000003" + "0000000000000004" + key(0xa) + key(0xb) +
		"020500000000" + "00000006" + "0000000000000007" + key(0xc) + key(0xd) + "0000000000000008"
	if hex.EncodeToString(got) != want {
		t.Errorf("got  %x\nwant %s", got, want)
	}
}

// A core that is to take everybody's word has to be told so.
func TestNoAuthenticationIsNoDefault(t *testing.T) {
	for name, cfg := range map[string]Config{"neither": {ID: frame.MAC{2, 1}}, "both": {ID: frame.MAC{2, 1}, Auth: &Auth{}, Unauthenticated: true}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s is fine with it", name)
				}
			}()
			New(cfg, 0)
		}()
	}
}

// One that proves himself and one that does not never are neighbours, whichever of them asks.
func TestOneThatTakesEverybodysWordIsNoNeighbour(t *testing.T) {
	for first := range 2 {
		w, c := pair(8, false)
		w.nodes[first].start()
		w.cfg.Unauthenticated = true
		w.nodes[1-first].start()
		w.run(3 * time.Second)
		authentic, port := w.nodes[first], c.port
		if first == 1 {
			port = c.bport
		}
		if authentic.core.ports[port].twoWay || len(authentic.core.MACs()) != 1 {
			t.Error("it is taken for a neighbour")
		}
	}
}

// A killed engine goes on under the keys of its snapshot, and is not fooled by what was said to it before; a snapshot
// without them, or of another key of ours, is none.
func TestASnapshotKeepsTheKeys(t *testing.T) {
	w, c := pair(9, false)
	var tape [][]byte
	w.drop = func(b []byte) bool {
		if source(b) == portMAC(c.bport) && b[frame.OffType] <= byte(frame.TypeFlood) {
			tape = append(tape, bytes.Clone(b))
		}
		return false
	}
	settled(t, w)
	n := w.nodes[0]
	good := n.core.Snapshot()
	before := n.core.ports[c.port].sec
	n.kill(true)
	n.start()
	w.run(time.Second)
	p := n.core.ports[c.port]
	if p.sec.out != before.out || p.sec.in != before.in || p.sec.number < numberLeap || p.acked == 0 {
		t.Errorf("not the same keys, or they do not work: acknowledged %d", p.acked)
	}
	stale := n.core.counters.Stale
	for _, b := range tape {
		n.step(func() { n.core.Input(c.port, b, w.now) })
	}
	if got := n.core.counters.Stale - stale + n.core.counters.Unsealed; got < uint64(len(tape)) {
		t.Errorf("of %d replayed frames %d were used", len(tape), uint64(len(tape))-got)
	}
	if bytes.Contains(good, []byte("private")) || p.sec.private != nil {
		t.Error("the ephemeral key outlives the handshake")
	}
	for name, tamper := range map[string]func(*Config){
		"without keys":   func(cfg *Config) { cfg.Auth, cfg.Unauthenticated = nil, true },
		"of another key": func(cfg *Config) { cfg.Auth.Public[0]++ },
	} {
		cfg := n.config()
		tamper(&cfg)
		if err := New(cfg, 0).Restore(good, 0); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	cut := bytes.Replace(good, []byte(`"secrets"`), []byte(`"other"`), 1)
	if err := New(n.config(), 0).Restore(cut, 0); err == nil {
		t.Error("a snapshot without keys: taken")
	}
}

// hub has every satellite's frames heard by all the others, each on its first port.
func hub(w *world) {
	w.drop = func(b []byte) bool {
		if frame.Type(b[frame.OffType]) > frame.TypeFlood { // to one address
			return false
		}
		for i, n := range w.nodes {
			port := PortID(2*(i/2) + 1 + i%2)
			if portMAC(port) != source(b) {
				w.after(w.delay+w.chance(w.slow), func() { n.arrive(port, b) })
			}
		}
		return true
	}
}

// Four admitted satellites whose two cables turn out to be one: every port shuts, for two open pairs would be a loop. One pair may
// find itself alone for a moment, when all have been held shut for as long as one another.
func TestTwoPairsOnOneHub(t *testing.T) {
	for seed := range uint64(10) {
		w := newWorld(seed, 4)
		a, b := w.connect(0, 1, 1000), w.connect(2, 3, 1000)
		w.startAll()
		w.run(3 * time.Second)
		if !a.a.gates[a.port] || !b.b.gates[b.bport] {
			t.Fatal("no pairs")
		}
		hub(w)
		w.run(5 * time.Second)
		shut := func() bool {
			return (!a.a.gates[a.port] || !a.b.gates[a.bport]) && (!b.a.gates[b.port] || !b.b.gates[b.bport])
		}
		if !shut() {
			t.Errorf("seed %d: open on a hub: %v %v %v %v", seed, a.a.gates, a.b.gates, b.a.gates, b.b.gates)
		}
		again := 0
		for range 100 {
			if w.run(100 * time.Millisecond); !shut() {
				again++
			}
			if a.a.gates[a.port] && a.b.gates[a.bport] && b.a.gates[b.port] && b.b.gates[b.bport] {
				t.Fatalf("seed %d: at %v both pairs are open", seed, w.now)
			}
		}
		if again > 25 {
			t.Errorf("seed %d: open at %d of 100 moments", seed, again)
		}
	}
}

// How long it takes until a satellite that lost everything is a neighbour again, though the other end waits for the one
// that it was.
func TestANewLifeIsSoonBelieved(t *testing.T) {
	worst := time.Duration(0)
	for seed := range uint64(20) {
		w, c := pair(seed, false)
		settled(t, w)
		w.nodes[1].kill(false)
		w.run(time.Second + w.chance(time.Second))
		w.nodes[1].start()
		begin := w.now
		if !w.runUntil(5*time.Second, func() bool {
			return w.spans() == nil && c.b.gates[c.bport] && w.nodes[1].core.vec == w.nodes[1].core.want.vec
		}) {
			t.Fatal(w.spans())
		}
		worst = max(worst, w.now-begin)
	}
	t.Logf("whole again after at most %v", worst)
	if worst > 200*time.Millisecond {
		t.Errorf("only after %v", worst)
	}
}

// What strangers make us compute is bounded, and the neighbour is heard all the same.
func TestAFloodOfHellosCostsLittle(t *testing.T) {
	w, c := pair(10, false)
	settled(t, w)
	victim := w.nodes[0]
	p := victim.core.ports[c.port]
	signed, sign := 0, victim.core.cfg.Auth.Sign
	victim.core.cfg.Auth.Sign = func(m []byte) []byte { signed++; return sign(m) }
	session, sent := p.session, 0
	for i := range 20_000 {
		h := frame.Hello{Self: frame.Self{ID: p.peer.ID, Port: 5, Session: uint64(i) + 1}, Peer: victim.core.me(p), Seq: 1, Answer: true, Keys: p.sec.theirs}
		h.Proof.To = h.Peer
		victim.step(func() { victim.core.Input(c.port, h.Append(nil, portMAC(9)), w.now) })
		w.run(100 * time.Microsecond)
		sent++
	}
	if signed > 60 || p.session != session || victim.core.ports[c.port].silent {
		t.Errorf("%d signatures for %d Hellos in 2 s", signed, sent)
	}
	if c := victim.core.Counters(); c.Full < 19_000 {
		t.Errorf("counted %+v", c)
	}
}

func BenchmarkHandshake(b *testing.B) {
	w, c := pair(11, false)
	w.startAll()
	w.run(time.Second)
	a, p := w.nodes[0].core, w.nodes[0].core.ports[c.port]
	q := w.nodes[1].core.ports[c.bport]
	to, keys := w.nodes[1].core.me(q), q.sec.mine
	for b.Loop() { // all that one end does
		a.fresh(p)
		p.peer.Peer = to
		a.key(p, keys)
		proof := a.prove(p, to, keys)
		h := frame.Hello{Self: frame.Self{ID: to.ID, Port: to.Port, Session: to.Session}, Keys: keys, Proof: proof}
		h.Proof.To = a.me(p)
		a.proven(p, &h)
	}
}

func BenchmarkSealedHello(b *testing.B) {
	w, c := pair(12, false)
	w.startAll()
	w.run(time.Second)
	p, q := w.nodes[0].core.ports[c.port], w.nodes[1].core.ports[c.bport]
	said := (&frame.Hello{Self: w.nodes[0].core.self(p), Name: "s1", Keys: p.sec.mine}).Append(nil, portMAC(c.port))
	for b.Loop() {
		f := p.seal(said[:len(said):len(said)])
		covered, _ := frame.Covered(f)
		_ = tag(&q.sec.in, covered)
	}
}

func BenchmarkSealedFullFlood(b *testing.B) {
	w, c := pair(13, false)
	w.startAll()
	w.run(time.Second)
	p := w.nodes[0].core.ports[c.port]
	said := (&frame.Flood{Self: w.nodes[0].core.self(p), Objects: []frame.Object{{Body: make([]byte, frame.MaxBody)}}}).Append(nil, portMAC(c.port))
	for b.Loop() {
		p.seal(said[:len(said):len(said)])
	}
}
