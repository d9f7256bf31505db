package admission

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"decenter/engine/api"
	"decenter/engine/identity"
	"decenter/engine/keyring"
	"decenter/engine/radar"
	"decenter/engine/rpc"
	"decenter/engine/trust"
	"decenter/keys"
	"decenter/keys/statement"
)

// world is a constellation in one process: real keys, real statements, real TLS on loopback; only who is live is told
// by the test.
type world struct {
	t     *testing.T
	owner keys.PrivateKey
	port  int
	net   byte // 127.0.net.n
	real  bool // radars are real ones, and nobody is told who is live

	mu   sync.Mutex
	all  []*sat
	live map[string]bool // by id; admitted ones of these are each other's members
}

type sat struct {
	w       *world
	n       byte
	id      *identity.Identity
	fp      keys.Fingerprint
	store   *trust.Store
	ring    *keyring.Ring
	adm     *Admission
	server  *http.Server
	stop    context.CancelFunc
	watch   chan struct{}
	mu      sync.Mutex
	primary []byte
	others  [][]byte
	radar   *radar.Radar  // of a real world
	frozen  chan struct{} // while it is open, the handler waits
}

const constellationName = "here"

func newWorld(t *testing.T, subnet byte) *world {
	t.Helper()
	owner, err := keys.NewPrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// Each world has a subnet of loopback of its own, so one port does.
	return &world{t: t, owner: owner, port: 17810, net: subnet, live: map[string]bool{}}
}

func (w *world) account() keys.Address { return w.owner.Address(keys.Mainnet, keys.P2WPKH) }

func (w *world) addr(n byte) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, w.net, n}) }

// add starts a satellite that knows the owner, and nobody else.
func (w *world) add(alive bool) *sat {
	w.t.Helper()
	w.mu.Lock()
	s := &sat{w: w, n: byte(len(w.all) + 1), watch: make(chan struct{}, 1)}
	w.mu.Unlock()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	dir := w.t.TempDir()
	var err error
	s.id, err = identity.LoadOrCreate(dir)
	must(err)
	s.fp, err = keys.ParseFingerprint(s.id.Fingerprint())
	must(err)
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("ADMISSION_LOG") != "" {
		log = slog.New(slog.NewTextHandler(w.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})).With("sat", s.n)
	}
	s.store, err = trust.Open(trust.Config{Path: filepath.Join(dir, "trust"), Network: keys.Mainnet, Constellation: constellationName,
		Owners: []keys.Address{w.account()}, Self: s.fp, Now: time.Now, Log: log})
	must(err)
	s.ring = keyring.New(s.fp)
	_, err = s.ring.Advance(time.Now(), nil, rand.Reader)
	must(err)
	var who Radar = s
	if w.real {
		primary, others := s.ring.Secrets()
		s.radar, err = radar.New(radar.Config{ID: s.fp.String(), Name: fmt.Sprint("s", s.n), Version: "test", Advertise: w.addr(s.n),
			Port: w.port - 1, RPCPort: w.port, Primary: primary, Others: others, Log: log,
			Admitted: func(id string) bool {
				f, err := keys.ParseFingerprint(id)
				return err == nil && s.store.View().Admitted(f)
			}})
		must(err)
		who = s.radar
	}
	s.adm, err = New(Config{Identity: s.id, Network: keys.Mainnet, Trust: s.store,
		Admitted: func(f keys.Fingerprint) bool { return s.store.View().Admitted(f) },
		Ejected:  func(f keys.Fingerprint) bool { return s.store.View().Ejected(f) },
		Radar:    who, Ring: s.ring, RingPath: filepath.Join(dir, "gossip.keys"), Port: w.port,
		Dice: rand.Reader, Now: time.Now, Log: log})
	must(err)
	l, err := net.Listen("tcp", netip.AddrPortFrom(w.addr(s.n), uint16(w.port)).String())
	must(err)
	config, err := s.id.ListenTLS()
	must(err)
	l = rpc.NewTLSListener(l, config, rpc.PeerLimits(), s.adm.Member)
	p := new(http.Protocols)
	p.SetHTTP2(true)
	mux := http.NewServeMux()
	mux.Handle(Path, s.adm.Handler())
	s.server = &http.Server{Protocols: p, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), ReadTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		frozen := s.frozen
		s.mu.Unlock()
		if frozen != nil {
			<-frozen
		}
		mux.ServeHTTP(w, r)
	})}
	w.mu.Lock()
	w.all = append(w.all, s)
	w.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.server.Serve(l) })
	wg.Go(func() { _ = s.adm.Run(ctx) })
	if w.real {
		wg.Go(func() { _ = s.radar.Run(ctx) })
	}
	w.t.Cleanup(func() { cancel(); s.server.Close(); l.Close(); wg.Wait() })
	if alive {
		w.setLive(s, true)
	}
	return s
}

func (w *world) setLive(s *sat, live bool) {
	w.mu.Lock()
	w.live[s.fp.String()] = live
	all := slices.Clone(w.all)
	w.mu.Unlock()
	for _, o := range all {
		select {
		case o.watch <- struct{}{}:
		default:
		}
	}
}

// Members is of Radar: those that live and that this one admits.
func (s *sat) Members() []radar.Member {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	var out []radar.Member
	for _, o := range s.w.all {
		if s.w.live[o.fp.String()] && s.w.live[s.fp.String()] && s.store.View().Admitted(o.fp) {
			out = append(out, radar.Member{ID: o.fp.String(), Name: fmt.Sprint("s", o.n), State: api.SatelliteLive,
				Addr: netip.AddrPortFrom(s.w.addr(o.n), uint16(s.w.port))})
		}
	}
	return out
}

func (s *sat) Watch() (<-chan struct{}, func()) { return s.watch, func() {} }
func (s *sat) Recheck()                         {}
func (s *sat) SetKeys(primary []byte, others [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.primary, s.others = primary, others
	return nil
}

// encrypts is the key that the satellite's radar encrypts with now, and reads tells whether it can read another.
func (s *sat) encrypts() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.primary)
}

func (s *sat) reads(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.primary) == key || slices.ContainsFunc(s.others, func(k []byte) bool { return string(k) == key })
}

func (s *sat) freeze() (thaw func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frozen = make(chan struct{})
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		close(s.frozen)
		s.frozen = nil
	})
}

// says lets the owner admit or eject a satellite; the time is counted up so that the later word holds.
func (w *world) says(admit bool, who *sat, ago time.Duration) statement.Signed {
	w.t.Helper()
	line, err := statement.New(statement.Membership{Account: w.account(), Constellation: constellationName, Satellite: who.fp, Admit: admit,
		At: time.Now().UTC().Truncate(time.Second).Add(-ago)})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.sign(w.owner, line)
}

func (w *world) sign(k keys.PrivateKey, line string) statement.Signed {
	w.t.Helper()
	sig, err := k.Sign(k.Address(keys.Mainnet, keys.P2WPKH), line)
	if err != nil {
		w.t.Fatal(err)
	}
	return statement.Signed{Line: line, Signature: sig}
}

func (w *world) declare(at *sat, s statement.Signed) {
	w.t.Helper()
	if _, _, err := at.store.Declare(s); err != nil {
		w.t.Fatal(err)
	}
}

// constellation starts satellites that are each other's members.
func (w *world) constellation(n int) []*sat {
	w.t.Helper()
	var all []*sat
	for range n {
		all = append(all, w.add(false))
	}
	for _, s := range all {
		w.declare(all[0], w.says(true, s, time.Hour))
	}
	for _, s := range all[1:] {
		// Its owner admits it there and it meets the first.
		w.declare(s, w.says(true, s, time.Hour))
		if got := s.adm.Introduce(w.t.Context(), []netip.Addr{w.addr(all[0].n)}); len(got) != 1 {
			w.t.Fatalf("satellite %d: introduced with %v", s.n, got)
		}
	}
	for _, s := range all {
		w.setLive(s, true)
	}
	w.agree(all)
	return all
}

// agree waits until satellites trust each other and encrypt with one key that all of them read.
func (w *world) agree(all []*sat) {
	w.t.Helper()
	w.eventually(10*time.Second, "all trust each other and share their keys", func() bool { return w.agreed(all) })
}

func (w *world) agreed(all []*sat) bool {
	for _, s := range all {
		for _, o := range all {
			if !s.store.View().Admitted(o.fp) || !o.reads(s.encrypts()) {
				return false
			}
		}
	}
	return true
}

func (w *world) eventually(wait time.Duration, what string, ok func() bool) time.Duration {
	w.t.Helper()
	began := time.Now()
	for !ok() {
		if time.Since(began) > wait {
			w.t.Fatalf("not within %v: %s", wait, what)
		}
		time.Sleep(2 * time.Millisecond)
	}
	return time.Since(began)
}
