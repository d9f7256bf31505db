package trust

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// Config is what a Store is made from. All of it but Log is needed; Owners, Tenants, Satellites and Constellation may be
// empty, and then nobody has the authority that hangs on them.
type Config struct {
	Path          string // of the file, in a folder that is there; beside it come Path.new and Path.damaged
	Network       keys.Network
	Constellation string
	Owners        []keys.Address     // of the configuration
	Tenants       []keys.Address     // of the configuration
	Satellites    []keys.Fingerprint // admitted by the configuration
	Self          keys.Fingerprint   // this satellite's own key
	Now           func() time.Time
	Log           *slog.Logger // nil: nothing is logged
}

// Store is a satellite's set of statements. All methods are safe for concurrent use; View alone never waits.
type Store struct {
	charter charter
	keep    func(*set) error // makes a set durable
	now     func() time.Time
	log     *slog.Logger
	view    atomic.Pointer[View]

	// mu orders changes: file first, then set, then view.
	mu       sync.Mutex
	set      *set
	expires  time.Time // when prune has something to do; zero: never
	watchers map[chan struct{}]struct{}
	closed   bool
}

// Open reads the file, or begins with none. What is damaged in it is logged and left out; a file that is not one of ours
// is an error.
func Open(cfg Config) (*Store, error) {
	if cfg.Path == "" || cfg.Now == nil || cfg.Self == (keys.Fingerprint{}) {
		return nil, errors.New("trust: Path, Self and Now are needed")
	}
	if cfg.Constellation != "" {
		if err := statement.CheckConstellation(cfg.Constellation); err != nil {
			return nil, fmt.Errorf("trust: %w", err)
		}
	}
	s := &Store{keep: func(next *set) error { return save(cfg.Path, next) }, now: cfg.Now, log: cmp.Or(cfg.Log, slog.New(slog.DiscardHandler)), watchers: map[chan struct{}]struct{}{},
		charter: charter{network: cfg.Network, constellation: cfg.Constellation, owners: cfg.Owners, tenants: cfg.Tenants,
			satellites: cfg.Satellites, self: cfg.Self}}
	held, damaged, err := load(cfg.Path, s.charter)
	if err != nil {
		return nil, fmt.Errorf("trust: %w", err)
	}
	for _, d := range damaged {
		s.log.Error("a statement on disk does not hold and is left out", "file", cfg.Path, "kept", cfg.Path+".damaged", "err", d)
	}
	s.expires = held.prune(cfg.Now())
	s.publish(held)
	return s, nil
}

// View gives what is in force now. It does not wait.
func (s *Store) View() *View { return s.view.Load() }

// Declare takes in one statement, and gives what now holds on its subject: the statement itself, or a later one, and
// then nothing changed. It is on the disk before Declare returns. The error is an *api.Error: CodeInvalid (no statement, or
// not of this time), CodeDenied (signature or authority), CodeExhausted (no room), CodeFailed (the disk).
func (s *Store) Declare(signed statement.Signed) (held statement.Statement, changed bool, err error) {
	e, err := read(s.charter.network, signed)
	if err != nil {
		return nil, false, err
	}
	if err := verify(e); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	next := s.set.clone()
	next.prune(now)
	if err := next.offer(s.charter, standings(s.charter, next), e, now); err != nil {
		return nil, false, err
	}
	if next.news(e) {
		next.put(e)
		if err := s.commit(next, now); err != nil {
			return nil, false, err
		}
		changed = true
	}
	return s.holds(e), changed, nil
}

// holds gives what is in force on the subject of a statement that counts.
func (s *Store) holds(e entry) statement.Statement {
	if m, is := e.Statement.(statement.Membership); is {
		return s.View().members[m.Satellite].Statement
	}
	return s.set.entries[placeOf(e)].Statement
}

// maxRounds bounds how often Merge goes over its batch: once more for each link of a chain of grants that the batch
// holds. A longer chain is taken by the next exchanges.
const maxRounds = 32

// Merge takes in what another satellite holds, by the same rules as Declare, and tells how many were new. One that is
// refused does not spoil the others, and whose signer becomes known by another of the batch is taken whatever their order.
// Delegations are refused: who acts for whom here, another satellite does not decide. At most api.MaxStatements are looked
// at. All that was taken is on the disk when Merge returns; if that fails, none is, and only what takes rights away holds.
func (s *Store) Merge(batch []statement.Signed) (changed int, refused []error) {
	if over := len(batch) - api.MaxStatements; over > 0 {
		refused = append(refused, api.Errorf(api.CodeExhausted, "%d statements at once are %d too many", len(batch), over))
		batch = batch[:api.MaxStatements]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	m := merge{charter: s.charter, now: now, set: s.set.clone(), refused: refused}
	m.set.prune(now)
	m.read(batch)
	for range maxRounds {
		if !m.round() {
			break
		}
	}
	for _, w := range m.waiting {
		m.refuse(w.entry, w.why)
	}
	if m.changed > 0 {
		if err := s.commit(m.set, now); err != nil {
			return 0, append(m.refused, err)
		}
	}
	return m.changed, m.refused
}

// Spread gives what other satellites should have too: all that counts but delegations, sorted by line. The caller must
// not change it.
func (s *Store) Spread() []statement.Signed { return s.fresh().spread }

// Digest gives a hash of Spread's lines: equal where the Spreads are.
func (s *Store) Digest() [sha256.Size]byte { return s.fresh().digest }

// fresh gives a view without what expired since the last change.
func (s *Store) fresh() *View {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.now(); !s.expires.IsZero() && !now.Before(s.expires) {
		next := s.set.clone()
		s.expires = next.prune(now)
		s.publish(next) // the file may keep it: Open prunes too
	}
	return s.View()
}

// Watch tells of changes: after each, one value is to be had from the channel, one for several that come fast. stop ends
// it. The channel is never closed.
func (s *Store) Watch() (changed <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[c] = struct{}{}
	return c, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, c)
	}
}

// Close waits for a change under way. After it nothing changes; views can still be had.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// commit makes a set durable, then visible. mu is held.
func (s *Store) commit(next *set, now time.Time) error {
	if s.closed {
		return api.Errorf(api.CodeUnavailable, "this satellite is stopping")
	}
	if err := s.keep(next); err != nil {
		s.log.Error("statements could not be written; what takes rights away holds as long as this engine runs", "err", err)
		if less, some := s.set.less(next); some {
			s.publish(less) // the next one that is written has them, and others do
		}
		return api.Errorf(api.CodeFailed, "the statement could not be kept: %v", err)
	}
	s.expires = next.prune(now)
	s.publish(next)
	return nil
}

// publish shows a set. mu is held, or nobody else has the Store yet.
func (s *Store) publish(next *set) {
	s.set = next
	s.view.Store(newView(s.charter, next))
	for c := range s.watchers {
		select {
		case c <- struct{}{}:
		default: // it has one to come already
		}
	}
}
