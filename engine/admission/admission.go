package admission

import (
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"decenter/engine/api"
	"decenter/engine/identity"
	"decenter/engine/keyring"
	"decenter/engine/radar"
	"decenter/keys"
	"decenter/keys/statement"
)

// Trust is the set of statements that a satellite holds; *trust.Store is one. Its methods do not wait for others.
type Trust interface {
	// Merge takes in statements that prove themselves, and tells how many changed anything.
	Merge([]statement.Signed) (changed int, refused []error)
	// Spread lists what others should know. The list is not to be changed.
	Spread() []statement.Signed
	// Digest is equal where Spread is.
	Digest() [32]byte
	// Watch gives a channel with a token after each change; call stop when done.
	Watch() (changed <-chan struct{}, stop func())
}

// Radar is who is live; *radar.Radar is one. Its methods do not wait.
type Radar interface {
	Members() []radar.Member
	Watch() (changed <-chan struct{}, stop func())
	// Recheck tells that Admitted may say something else than before.
	Recheck()
	SetKeys(primary []byte, others [][]byte) error
}

// Config is what an Admission is made of. All of it is needed.
type Config struct {
	Identity *identity.Identity
	Network  keys.Network // of accounts
	Trust    Trust
	// Admitted and Ejected judge by Trust and the configuration, as of now.
	Admitted func(keys.Fingerprint) bool
	Ejected  func(keys.Fingerprint) bool
	Radar    Radar
	// Ring is the satellite's, in which Advance was called once, so that the radar had a key to begin with. It is
	// the Admission's alone from now on. It is kept in the file RingPath.
	Ring     *keyring.Ring
	RingPath string
	Port     int    // TCP, of satellites' requests: where Introduce finds the exchange
	Zone     string // of link-local addresses that come without one
	Dice     io.Reader
	Now      func() time.Time
	Log      *slog.Logger
}

// mismatchFor is how long keys may not pass before that is logged: ejections spread in less.
const mismatchFor = 5 * time.Minute

// Admission is one satellite's part in the exchange.
type Admission struct {
	cfg  Config
	self keys.Fingerprint

	// mu guards the ring, and orders: a look at the ejections, then what is given or taken by it.
	mu       sync.Mutex
	ring     *keyring.Ring
	seen     [32]byte // digest of the statements as of the last look
	looked   bool
	unsaved  bool // the ring is another than its file and the radar's keys
	heard    map[[32]byte]bool
	outcast  bool                           // this satellite was ejected
	forward  bool                           // a key was learned, of which a few others are to be told
	mismatch map[keys.Fingerprint]time.Time // since when keys do not pass

	minted chan struct{} // a token: a key was minted that Run is to hand out
	talk   *talk
	guest  *guests
	intro  introduced
}

// New checks the configuration. Nothing is sent before Run or Introduce.
func New(cfg Config) (*Admission, error) {
	if cfg.Identity == nil || cfg.Trust == nil || cfg.Radar == nil || cfg.Ring == nil || cfg.Admitted == nil || cfg.Ejected == nil ||
		cfg.RingPath == "" || cfg.Port == 0 || cfg.Dice == nil || cfg.Now == nil || cfg.Log == nil {
		return nil, errors.New("admission: the configuration is not whole")
	}
	self, err := keys.ParseFingerprint(cfg.Identity.Fingerprint())
	if err != nil {
		return nil, err
	}
	a := &Admission{cfg: cfg, self: self, ring: cfg.Ring, unsaved: true, heard: map[[32]byte]bool{}, mismatch: map[keys.Fingerprint]time.Time{},
		minted: make(chan struct{}, 1), intro: introduced{at: map[netip.Addr]visit{}}}
	a.guest = newGuests(cfg.Now)
	a.talk = newTalk(a)
	return a, nil
}

// look takes notice of the ejections as of now. mu is held: what follows under it is judged by them.
func (a *Admission) look(now time.Time) {
	d := a.cfg.Trust.Digest()
	if a.looked && d == a.seen {
		return
	}
	a.seen, a.looked = d, true
	var ejected []keys.Fingerprint
	for _, s := range a.cfg.Trust.Spread() {
		if !strings.HasPrefix(s.Line, "decenter eject ") {
			continue // parsing thousands takes its time
		}
		parsed, err := statement.Parse(a.cfg.Network, s.Line)
		if err != nil {
			continue
		}
		if m, is := parsed.(statement.Membership); is && !m.Admit && a.cfg.Ejected(m.Satellite) {
			ejected = append(ejected, m.Satellite)
		}
	}
	if a.ring.Observe(now, ejected) {
		a.unsaved = true
	}
	if out := slices.Contains(ejected, a.self); out != a.outcast {
		a.outcast = out
		if out {
			a.cfg.Log.Warn("an owner ejected this satellite: its gossip keys are erased, and it is alone from now on; its VMs go on")
		} else {
			a.cfg.Log.Info("an owner admitted this satellite again")
		}
	}
}

// advance lets the ring's time pass, keeps it, and gives the radar its keys. It tells whether all live members are to be
// given a key at once.
func (a *Admission) advance() (minted bool) {
	live := a.liveMembers()
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.cfg.Now()
	a.look(now)
	e, err := a.ring.Advance(now, live, a.cfg.Dice)
	if err != nil {
		a.cfg.Log.Error("mint a gossip key", "err", err)
	}
	if !e.Changed && !a.unsaved {
		return e.Minted
	}
	primary, others := a.ring.Secrets()
	// On disk before in use: a satellite that restarts can read what it made others send.
	if err = a.ring.Save(a.cfg.RingPath); err == nil {
		err = a.cfg.Radar.SetKeys(primary, others)
	}
	a.unsaved = err != nil
	if err != nil {
		a.cfg.Log.Error("change the gossip keys", "err", err)
	}
	return e.Minted
}

// liveMembers lists the live and admitted satellites but for this one.
func (a *Admission) liveMembers() []keys.Fingerprint {
	var live []keys.Fingerprint
	for _, m := range a.cfg.Radar.Members() {
		if m.State != api.SatelliteLive {
			continue
		}
		if id, err := keys.ParseFingerprint(m.ID); err == nil && id != a.self && a.cfg.Admitted(id) {
			live = append(live, id)
		}
	}
	return live
}

// take merges what the other end presents, and tells how many statements were new. mu is not held: checking signatures takes time.
func (a *Admission) take(peer keys.Fingerprint, presented []statement.Signed) int {
	if len(presented) == 0 {
		return 0
	}
	if !a.cfg.Admitted(peer) {
		presented = between(a.cfg.Network, presented, [2]keys.Fingerprint{a.self, peer}, false)
	}
	changed, refused := a.cfg.Trust.Merge(presented)
	for _, err := range refused[:min(len(refused), 4)] {
		a.cfg.Log.Debug("a statement was refused", "from", peer, "refused", len(refused), "err", err)
	}
	if changed > 0 {
		a.mu.Lock()
		if len(a.heard) >= 64 {
			clear(a.heard)
		}
		a.heard[a.cfg.Trust.Digest()] = true
		a.mu.Unlock()
	}
	return changed
}

// speak makes the message to a peer that proved its key, after what it said last (nil: nothing yet), whose statements
// have been taken by then. news are statements to send even so.
func (a *Admission) speak(peer keys.Fingerprint, theirs *message, news []statement.Signed) message {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.cfg.Now()
	a.look(now)
	member := a.cfg.Admitted(peer)
	m := message{Version: version, Digest: a.cfg.Trust.Digest(), Basis: a.ring.Basis(), Statements: news}
	if theirs != nil && theirs.Digest != m.Digest {
		m.Statements = without(a.cfg.Trust.Spread(), theirs.Statements)
	}
	if !member {
		m.Statements = between(a.cfg.Network, m.Statements, [2]keys.Fingerprint{a.self, peer}, true)
		return m
	}
	if a.outcast {
		return m
	}
	lone := a.ring.Lone()
	var give []keyring.Key
	if theirs != nil && theirs.Ring != nil {
		if theirs.Basis == m.Basis {
			if a.ring.Heard(now, peer, theirs.Ring.telling()) {
				a.unsaved, a.forward = true, true
			}
			give = a.ring.Give(theirs.Ring.Have)
			delete(a.mismatch, peer)
		} else {
			a.differ(now, peer)
		}
	}
	m.Ring = &ringPart{Lone: lone, Have: a.ring.Have(), Retired: a.ring.Retired(), Keys: give}
	return m
}

// without leaves out of all what the other end has just sent itself.
func without(all, sent []statement.Signed) []statement.Signed {
	known := make(map[string]bool, len(sent))
	for _, s := range sent {
		known[s.Line] = true
	}
	var out []statement.Signed
	for _, s := range all {
		if !known[s.Line] {
			out = append(out, s)
		}
	}
	return out
}

// differ logs, now and then, that keys have not passed for long.
func (a *Admission) differ(now time.Time, peer keys.Fingerprint) {
	since, known := a.mismatch[peer]
	switch {
	case !known && len(a.mismatch) < maxTurns:
		a.mismatch[peer] = now
	case known && now.Sub(since) > mismatchFor:
		a.mismatch[peer] = now.Add(time.Hour) // and then again
		a.cfg.Log.Warn("gossip keys do not pass between this satellite and another, for they know of different ejections: compare trust in their configurations", "peer", peer)
	}
}
