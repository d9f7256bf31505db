package radar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"

	"decenter/engine/api"
)

// Limits and times of our own; Serf's are its LAN defaults but for these.
const (
	maxMembers   = 4096                   // more are gossiped, but not listed
	eventBacklog = 256                    // Serf's events that wait to be read
	gossipEvery  = 100 * time.Millisecond // a new member is known everywhere within some of these
	probeEvery   = time.Second
	probeWait    = 500 * time.Millisecond
	suspicion    = 3 // times log10 of the number of members, in probe intervals
	reapAfter    = 24 * time.Hour
	leaveWait    = 500 * time.Millisecond
	streamWait   = 2 * time.Second // for a satellite to answer a join; a frozen one takes connections and says nothing
)

// Config is what a radar needs to know.
type Config struct {
	ID      string // this satellite's fingerprint
	Name    string
	Version string
	// Advertise is the address that others reach this satellite at; Zone is the device of link-local ones.
	Advertise netip.Addr
	Zone      string
	Port      int    // of gossip, UDP and TCP
	RPCPort   int    // of requests, TCP
	Snapshot  string // file of known members, read at the next start; empty: none
	// Admitted tells whether a fingerprint is one of the constellation's; others are not heard, nor listed. It must not wait.
	Admitted func(id string) bool
	// Primary is the key that gossip is encrypted with, and Others are further ones that are understood (SetKeys).
	// There is no gossip without encryption.
	Primary []byte
	Others  [][]byte
	Log     *slog.Logger
}

// Member is another satellite, or this one.
type Member struct {
	ID      string
	Name    string
	Version string
	State   api.SatelliteState // live, failed or left
	Addr    netip.AddrPort     // of its request port, with zone where it needs one
}

// Radar is a satellite's membership in its constellation.
type Radar struct {
	cfg     Config
	serf    *serf.Serf
	events  chan serf.Event
	recheck chan struct{} // a token: Admitted may say something else than before

	wire   *transport
	ring   *memberlist.Keyring
	ringMu sync.Mutex // held while the ring is changed; memberlist reads it under its own lock

	mu      sync.Mutex
	watcher map[chan struct{}]struct{} // told, without waiting, that members changed
}

// New joins nobody yet: the satellite is a constellation of one.
func New(cfg Config) (*Radar, error) {
	ring, err := newRing(cfg.Primary, cfg.Others)
	if err != nil {
		return nil, err
	}
	r := &Radar{cfg: cfg, events: make(chan serf.Event, eventBacklog), recheck: make(chan struct{}, 1), ring: ring,
		watcher: map[chan struct{}]struct{}{}}
	logger := slog.NewLogLogger(quiet{cfg.Log.Handler()}, slog.LevelDebug)
	transport, err := newTransport(cfg, logger)
	if err != nil {
		return nil, err
	}
	ml := memberlist.DefaultLANConfig()
	ml.Transport = transport
	ml.Keyring, ml.GossipVerifyIncoming, ml.GossipVerifyOutgoing = ring, true, true
	ml.Alive = doorkeeper{r}
	ml.BindPort, ml.AdvertisePort = cfg.Port, cfg.Port
	ml.AdvertiseAddr = cfg.Advertise.WithZone("").String()
	ml.GossipInterval, ml.ProbeInterval, ml.ProbeTimeout = gossipEvery, probeEvery, probeWait
	ml.SuspicionMult, ml.TCPTimeout = suspicion, streamWait
	ml.Logger = logger

	sc := serf.DefaultConfig()
	sc.Init()
	sc.NodeName = cfg.ID
	sc.Tags = map[string]string{"n": cfg.Name, "v": cfg.Version, "p": strconv.Itoa(cfg.RPCPort)}
	sc.MemberlistConfig = ml
	sc.EventCh = r.events
	sc.Logger = logger
	sc.SnapshotPath = cfg.Snapshot
	sc.RejoinAfterLeave = true
	sc.ReconnectTimeout, sc.TombstoneTimeout = reapAfter, reapAfter
	sc.ReconnectInterval = 5 * time.Second
	sc.LeavePropagateDelay, sc.BroadcastTimeout = leaveWait, leaveWait
	// The vote on who keeps a name that two claim would let members shut this satellite's radar down.
	sc.EnableNameConflictResolution = false
	sc.ValidateNodeNames = false // a fingerprint has characters that Serf's own names have not
	transport.starting = func() { sc.MemberlistConfig = withoutKeys(ml) }
	s, err := serf.Create(sc)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the radar: %w", err), transport.Shutdown())
	}
	r.serf, r.wire = s, transport
	return r, nil
}

// Run passes membership changes on until the context ends, then leaves the constellation.
func (r *Radar) Run(ctx context.Context) error {
	var rechecks sync.WaitGroup
	rechecks.Go(func() { r.rechecks(ctx) })
	defer rechecks.Wait()
	defer r.stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-r.events:
			if m, ok := e.(serf.MemberEvent); ok {
				for _, x := range m.Members {
					r.cfg.Log.Info("radar: "+e.EventType().String(), "satellite", x.Tags["n"], "id", x.Name)
				}
				r.notify()
			}
		}
	}
}

func (r *Radar) stop() {
	// Leaving tells the others that this is no failure; it waits for them, within leaveWait.
	if err := r.serf.Leave(); err != nil {
		r.cfg.Log.Debug("radar: leave", "err", err)
	}
	if err := r.serf.Shutdown(); err != nil {
		r.cfg.Log.Debug("radar: shutdown", "err", err)
	}
}

// Join tells satellites at these addresses of this one, and learns all they know. It returns how many answered.
func (r *Radar) Join(addrs []netip.Addr) (int, error) {
	var hosts []string
	for _, a := range addrs {
		if a.WithZone("") == r.cfg.Advertise.WithZone("") {
			continue
		}
		hosts = append(hosts, netip.AddrPortFrom(a.WithZone(""), uint16(r.cfg.Port)).String())
	}
	if len(hosts) == 0 {
		return 0, nil
	}
	return r.serf.Join(hosts, true)
}

// Self is this satellite.
func (r *Radar) Self() Member { return r.member(r.serf.LocalMember()) }

// Members lists every admitted satellite that is known, this one included, by name and then id.
func (r *Radar) Members() []Member {
	var all []Member
	for _, m := range r.serf.Members() {
		if m.Name != r.cfg.ID && r.cfg.Admitted != nil && !r.cfg.Admitted(m.Name) {
			continue
		}
		if len(all) == maxMembers {
			break
		}
		all = append(all, r.member(m))
	}
	slices.SortFunc(all, func(a, b Member) int {
		return strings.Compare(a.Name+"\x00"+a.ID, b.Name+"\x00"+b.ID)
	})
	return all
}

// Peers lists the live members other than this one.
func (r *Radar) Peers() []Member {
	return slices.DeleteFunc(r.Members(), func(m Member) bool {
		return m.ID == r.cfg.ID || m.State != api.SatelliteLive
	})
}

func (r *Radar) member(m serf.Member) Member {
	out := Member{ID: m.Name, Name: m.Tags["n"], Version: m.Tags["v"], State: api.SatelliteFailed}
	switch m.Status {
	case serf.StatusAlive:
		out.State = api.SatelliteLive
	case serf.StatusLeft, serf.StatusLeaving:
		out.State = api.SatelliteLeft
	}
	// A name is shown on screens and typed in commands: one that is not a name is not believed.
	if api.CheckName(out.Name) != nil {
		out.Name = "unnamed"
	}
	port, err := strconv.ParseUint(m.Tags["p"], 10, 16)
	if ip, ok := netip.AddrFromSlice(m.Addr); ok && err == nil {
		out.Addr = netip.AddrPortFrom(zoned(ip.Unmap(), r.cfg.Zone), uint16(port))
	}
	return out
}

// Watch gives a channel that gets a token whenever members changed; call stop when done.
func (r *Radar) Watch() (changed <-chan struct{}, stop func()) {
	ch := make(chan struct{}, 1)
	r.mu.Lock()
	r.watcher[ch] = struct{}{}
	r.mu.Unlock()
	return ch, func() {
		r.mu.Lock()
		delete(r.watcher, ch)
		r.mu.Unlock()
	}
}

func (r *Radar) notify() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ch := range r.watcher {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// zoned adds the zone to a link-local address; others have none.
func zoned(a netip.Addr, zone string) netip.Addr {
	if a.IsLinkLocalUnicast() && a.Is6() {
		return a.WithZone(zone)
	}
	return a
}
