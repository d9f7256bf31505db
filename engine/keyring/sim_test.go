package keyring

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"decenter/keys"
)

// sim is a constellation in virtual time: nodes exchange over links that lose and part, each by a clock of its own.
type sim struct {
	t     *testing.T
	dice  *rand.Rand
	bytes *rand.ChaCha8
	now   time.Time
	nodes []*node
	parts []int // of each node: who is in the same part can talk
	loss  float64
	lossy time.Time // when messages were last lost

	// blind is the control: keys pass without a look at who knows of which ejection.
	blind  bool
	broken bool // a check of the control failed, as it should

	// ejections as of now, and who knows of which
	ejected map[keys.Fingerprint]bool
	trace   []string
}

type node struct {
	ring   *Ring
	offset time.Duration
	knows  map[keys.Fingerprint]bool // ejections
	down   bool
	disk   []byte
	// met is when the node's part last changed, or it came up: peers are live to each other only after an exchange since.
	met map[int]time.Time
	had map[ID]bool // every key that it ever had
}

func newSim(t *testing.T, seed uint64, n int) *sim {
	s := &sim{t: t, dice: rand.New(rand.NewPCG(seed, 7)), bytes: dice(seed), now: start, ejected: map[keys.Fingerprint]bool{}, parts: make([]int, n)}
	for i := range n {
		s.nodes = append(s.nodes, &node{ring: New(fp(byte(i + 1))), knows: map[keys.Fingerprint]bool{}, met: map[int]time.Time{}, had: map[ID]bool{},
			offset: time.Duration(s.dice.IntN(2000)-1000) * time.Hour})
	}
	return s
}

func (s *sim) clock(n *node) time.Time { return s.now.Add(n.offset) }

func (s *sim) linked(i, j int) bool {
	return i != j && s.parts[i] == s.parts[j] && !s.nodes[i].down && !s.nodes[j].down
}

// live lists whom a node takes for live: those it can talk to and has talked to since that became so.
func (s *sim) live(i int) []keys.Fingerprint {
	var out []keys.Fingerprint
	for j, o := range s.nodes {
		if _, met := s.nodes[i].met[j]; met && s.linked(i, j) && !s.nodes[i].knows[o.ring.self] && !s.nodes[i].knows[s.nodes[i].ring.self] {
			out = append(out, o.ring.self)
		}
	}
	return out
}

// step lets a node look at its ejections and its time; a key that it mints goes to all it can reach.
func (s *sim) step(i int) {
	n := s.nodes[i]
	if n.down {
		return
	}
	n.ring.Observe(s.clock(n), slices.Collect(maps.Keys(n.knows)))
	e, err := n.ring.Advance(s.clock(n), s.live(i), s.bytes)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, k := range n.ring.known {
		n.had[k.id] = true
	}
	if e.Changed {
		text, err := json.Marshal(n.ring.file())
		if err != nil {
			s.t.Fatal(err)
		}
		n.disk = text
	}
	if e.Minted {
		for j := range s.nodes {
			s.exchange(i, j)
		}
		s.step(i)
	}
}

// exchange is one between two nodes, as package admission does it, with messages that get lost.
func (s *sim) exchange(i, j int) {
	if !s.linked(i, j) || s.dice.Float64() < s.loss {
		return
	}
	a, b := s.nodes[i], s.nodes[j]
	// Statements first: each learns of the other's ejections.
	statements := !s.blind || s.dice.IntN(4) == 0
	if statements {
		maps.Copy(b.knows, a.knows)
		if s.dice.Float64() < s.loss {
			return
		}
		maps.Copy(a.knows, b.knows)
	}
	a.ring.Observe(s.clock(a), slices.Collect(maps.Keys(a.knows)))
	b.ring.Observe(s.clock(b), slices.Collect(maps.Keys(b.knows)))
	if a.knows[b.ring.self] || b.knows[a.ring.self] || a.knows[a.ring.self] || b.knows[b.ring.self] {
		return
	}
	var fromB Telling
	for round := range 3 {
		fromA := Telling{Lone: a.ring.Lone(), Have: a.ring.Have(), Retired: a.ring.Retired()}
		if round > 0 {
			a.ring.Heard(s.clock(a), b.ring.self, fromB)
			fromA = Telling{Lone: fromA.Lone, Have: a.ring.Have(), Retired: a.ring.Retired(), Keys: a.ring.Give(fromB.Have)}
		}
		if s.dice.Float64() < s.loss {
			return
		}
		lone := b.ring.Lone()
		b.ring.Heard(s.clock(b), a.ring.self, fromA)
		fromB = Telling{Lone: lone, Have: b.ring.Have(), Retired: b.ring.Retired(), Keys: b.ring.Give(fromA.Have)}
		if s.dice.Float64() < s.loss {
			return
		}
	}
	a.ring.Heard(s.clock(a), b.ring.self, fromB)
	a.met[j], b.met[i] = s.now, s.now
}

// second lets a second pass: everyone steps, and some exchange by chance, as they do every 30 s.
func (s *sim) second() {
	s.now = s.now.Add(time.Second)
	for _, i := range s.dice.Perm(len(s.nodes)) {
		s.step(i)
		if s.dice.IntN(30) == 0 {
			s.exchange(i, s.dice.IntN(len(s.nodes)))
		}
	}
	s.check()
}

// check is what holds at every moment.
func (s *sim) check() {
	for i, n := range s.nodes {
		if len(n.ring.known) > 2*MaxKeys {
			s.t.Fatalf("node %d has %d keys", i, len(n.ring.known))
		}
		if n.down {
			continue
		}
		p := n.ring.find(n.ring.primary)
		if p == nil {
			continue
		}
		// No ejected satellite has a key that one who knows of its ejection encrypts with, but for the grace.
		for j, o := range s.nodes {
			if _, knows := n.ring.ejected[o.ring.self]; knows && o != n && o.had[p.id] && !n.knows[n.ring.self] {
				if !p.isRetired() || s.clock(n).Sub(p.retired) > Grace+time.Second {
					s.fail("node %d encrypts with %s, which the ejected %d had (retired %v)\n%v", i, p.id, j, p.isRetired(), s.trace)
				}
			}
		}
		// Whom it takes for live can read it, at the latest when its patience is over.
		for j, o := range s.nodes {
			since, met := n.met[j]
			if met && !p.isRetired() && s.linked(i, j) && s.loss == 0 && s.now.Sub(s.lossy) > Patience && s.now.Sub(since) < Patience && !n.knows[o.ring.self] && len(n.ring.ejected) == len(o.ring.ejected) &&
				s.clock(n).Sub(p.learned) < PatienceRetired && !s.blind && o.ring.find(p.id) == nil && !n.ring.Lone() && !slices.Contains(o.ring.gone, p.id) {
				s.t.Fatalf("node %d encrypts with %v since %v, which live %d has not: %v, of %v\n%v", i, p, s.clock(n).Sub(p.learned), j, o.ring.known, n.ring.known, s.trace)
			}
		}
	}
}

func (s *sim) fail(format string, args ...any) {
	s.t.Helper()
	if s.broken = true; !s.blind {
		s.t.Fatalf(format, args...)
	}
}

func (s *sim) note(format string, args ...any) {
	s.trace = append(s.trace, s.now.Sub(start).String()+" "+fmt.Sprintf(format, args...))
}

// trouble does one thing that goes wrong, or right again.
func (s *sim) trouble() {
	i := s.dice.IntN(len(s.nodes))
	n := s.nodes[i]
	switch s.dice.IntN(8) {
	case 0: // the cable is cut somewhere
		for k := range s.parts {
			s.parts[k] = s.dice.IntN(3)
		}
		s.note("parts %v", s.parts)
		s.forget()
	case 1, 2: // and mended
		clear(s.parts)
		s.note("healed")
		s.forget()
	case 3: // kill -9, and the file as it was last written
		n.down = true
		s.note("node %d down", i)
	case 4, 5:
		s.restart()
	case 6: // its clock is set
		n.offset = time.Duration(s.dice.IntN(2000)-1000) * time.Hour
		s.note("node %d's clock is off by %v", i, n.offset)
	case 7: // an owner ejects one, and says so at another; most stay
		at := s.nodes[s.dice.IntN(len(s.nodes))]
		if len(s.ejected) < len(s.nodes)/3 && at != n && !at.down {
			s.ejected[n.ring.self] = true
			at.knows[n.ring.self] = true
			s.note("node %d ejected, known to %d", i, slices.Index(s.nodes, at))
		}
	}
}

func (s *sim) forget() {
	for i, n := range s.nodes {
		for j := range n.met {
			if !s.linked(i, j) {
				delete(n.met, j)
			}
		}
	}
}

// calm heals everything and waits until nothing more is to be expected.
func (s *sim) calm() {
	clear(s.parts)
	if s.loss > 0 {
		s.loss, s.lossy = 0, s.now
	}
	s.restart()
	s.note("calm")
	for range 600 {
		s.second()
	}
}

// restart starts all that are down, from their files.
func (s *sim) restart() {
	for k, n := range s.nodes {
		if n.down {
			n.down, n.met = false, map[int]time.Time{}
			if n.disk != nil {
				r, err := parse(n.disk, n.ring.self)
				if err != nil {
					s.t.Fatal(err)
				}
				n.ring = r
			}
			s.note("node %d up", k)
		}
	}
}

// agreed checks that all who were not ejected come to encrypt with one key, the newest, which no ejected one ever had. A
// key that was minted a moment ago gets its time.
func (s *sim) agreed() {
	s.t.Helper()
	why := s.disagree()
	for n := 0; why != "" && n < 180; n++ {
		s.second()
		why = s.disagree()
	}
	if why != "" {
		s.t.Fatalf("%s\n%v", why, s.trace)
	}
}

func (s *sim) disagree() string {
	var one ID
	for i, n := range s.nodes {
		if s.ejected[n.ring.self] {
			continue
		}
		if one == "" {
			one = n.ring.primary
		}
		if n.ring.primary != one || n.ring.newest() == nil || n.ring.newest().id != one {
			return fmt.Sprintf("node %d encrypts with %s of %v, others with %s", i, n.ring.primary, n.ring.known, one)
		}
		for j, o := range s.nodes {
			if s.ejected[o.ring.self] && o.had[one] {
				return fmt.Sprintf("the ejected node %d has the key of all", j)
			}
		}
	}
	return ""
}

func TestRingsConvergeWhateverHappens(t *testing.T) {
	seeds := uint64(150)
	if testing.Short() {
		seeds = 20
	}
	rotations := 0
	for seed := range seeds {
		s := newSim(t, seed, 4+int(seed%6))
		for range 5 {
			s.loss = float64(s.dice.IntN(4)) / 10
			for range 3 {
				s.trouble()
				for range 1 + s.dice.IntN(60) {
					s.second()
				}
			}
			s.calm()
			s.agreed()
			if s.dice.IntN(3) == 0 { // a quiet day, of which only the ends are played
				s.now = s.now.Add(RotateAfter)
				rotations++
				s.note("a day")
				for range 60 {
					s.second()
				}
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	t.Logf("%d seeds, %d days", seeds, rotations)
}

// TestTheSimulationFindsAKeyThatReachesTheEjected is the control of the rule about bases.
func TestTheSimulationFindsAKeyThatReachesTheEjected(t *testing.T) {
	for seed := range uint64(40) {
		s := newSim(t, seed, 6)
		s.blind = true
		for range 3 {
			for range 4 {
				s.trouble()
				for range 30 {
					s.second()
				}
			}
		}
		if s.broken {
			t.Logf("found with seed %d", seed)
			return
		}
	}
	t.Error("keys pass blindly, and the simulation finds nothing wrong")
}
