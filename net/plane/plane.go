package plane

import (
	"slices"
	"time"

	"decenter/net/flow"
	"decenter/net/frame"
	"decenter/net/path"
	"decenter/net/rstp"
)

// Port is the number of one of the satellite's ports, as in the core's effects and in package path; never path.Local.
type Port uint32

// Kind says what a port is.
type Kind uint8

// The kinds.
const (
	Fabric Kind = iota // a cable: to a satellite, to the legacy, or to nobody yet
	Local              // a guest's tap, or the host port
	gone               // detached a moment ago: what went over it may still be deflected
)

// Our limits.
const (
	MaxPorts   = 512       // with those detached less than Config.Detour ago
	MaxHomes   = 1_100_000 // addresses: a million of other satellites, their own, and those that are at home here
	MaxLocal   = 65536     // addresses behind local ports: as many as a satellite may be home to, see tree.MaxMACs
	MaxLearned = 65536     // addresses behind edge ports: likewise
	maxNews    = 4096      // sightings between two calls of Learned
)

// Config is what a plane is born with. All have defaults.
type Config struct {
	// EdgeLease and HoldEngine are how long edge ports, and everything between satellites, work without Renew; 0: 3 s and 120 s.
	EdgeLease, HoldEngine time.Duration
	// Detour is how long after a port's death frames are deflected that would have gone over it (F5); 0: 200 ms.
	Detour time.Duration
	// Settle is how long after an address has changed its home frames to and from it take no detour (F7); 0: 1 s. Half of it is for
	// the news to reach everybody, half for engines that have just stopped.
	Settle time.Duration
	// Refresh is how often an address that goes on sending is reported anew; 0: 10 s.
	Refresh time.Duration
	// Share is the reciprocal of the part of a port's speed that detours may take; 0: 2, one half.
	Share int
	// StormRate and StormBurst bound what one edge or local port may have flooded, in frames a second and frames; 0: 8192 and 4096.
	StormRate, StormBurst int
	// Flow steers the choice between two paths.
	Flow flow.Config
	// Broken names rules to break, so that a test can see that its checkers notice. Nobody else sets it.
	Broken Broken
}

// Broken are rules that are left out. The zero value breaks none.
type Broken struct {
	NoU1     bool // next hops need not be legal
	NoDetour bool // no detours are taken: with NoF1 it is U1 that stands alone
	NoF1     bool // every frame counts as on its path
	NoF4     bool // a frame off its path may be deflected again
	NoF5     bool // deflection lasts for ever and is not policed
	NoF6a    bool // detours need no agreement
	NoF6b    bool // marks of before do not count
	NoF7     bool // detours are taken also where homes may differ
	NoHome   bool // what was learned counts whatever homes tell
	NoB2     bool // a gate is judged when frames go out only
	NoB3     bool // no lease ends
	NoB4     bool // storms are not capped
	NoNarrow bool // Narrow does nothing
	NoSource bool // what comes from the fabric may have any source
}

func (c *Config) fill() {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&c.EdgeLease, 3*time.Second)
	set(&c.HoldEngine, 120*time.Second)
	set(&c.Detour, 200*time.Millisecond)
	set(&c.Settle, time.Second)
	set(&c.Refresh, 10*time.Second)
	if c.Share <= 0 {
		c.Share = 2
	}
	if c.StormRate <= 0 {
		c.StormRate = 8192
	}
	if c.StormBurst <= 0 {
		c.StormBurst = 4096
	}
}

// Plane is one satellite's data path. It is not safe for concurrent use. The zero value is not ready: see New.
type Plane struct {
	cfg     Config
	self    frame.MAC
	ports   map[Port]*port
	order   []*port // the same, ascending by id
	tables  *path.Tables
	next    *path.Tables // between Narrow and Follow; else nil
	homes   map[frame.MAC]home
	local   map[frame.MAC]Port
	learned map[frame.MAC]sighting
	news    []Sighting
	choices *flow.Choices
	up      func(path.Port) bool // bound once, as a method value allocates
	renewed time.Duration        // of the last Renew
	alive   bool                 // Renew was ever called
	counts  [fates]uint64
}

type port struct {
	id      Port
	kind    Kind
	mac     frame.MAC // zero: not told
	carrier bool
	gate    bool
	live    bool
	edge    rstp.State
	diedAt  time.Duration // when it could last be used for unicast
	died    bool          // it ever could, and cannot now
	load    flow.Load
	detours bucket // bytes
	storms  bucket // frames
}

// satellite and legacy tell what is behind a fabric port. A port that is told to be both is neither.
func (p *port) satellite() bool {
	return p.kind == Fabric && (p.gate || p.live) && p.edge == rstp.Discarding
}
func (p *port) legacy() bool {
	return p.kind == Fabric && !p.gate && !p.live && p.edge != rstp.Discarding
}

// routes tells whether unicast may come and go here.
func (p *port) routes() bool { return p.carrier && p.live && p.satellite() }

// floods tells whether broadcast may come and go here.
func (p *port) floods() bool { return p.carrier && p.gate && p.satellite() }

// home is where another satellite's address lives.
type home struct {
	satellite frame.MAC
	since     time.Duration // of the last change from one satellite to another
	moved     bool          // since counts
}

// New makes a plane without ports that forwards nothing yet.
func New(self frame.MAC, cfg Config) *Plane {
	cfg.fill()
	p := &Plane{cfg: cfg, self: self, ports: map[Port]*port{}, homes: map[frame.MAC]home{}, local: map[frame.MAC]Port{},
		learned: map[frame.MAC]sighting{}, choices: flow.NewChoices(cfg.Flow)}
	p.up = func(id path.Port) bool {
		at := p.ports[Port(id)]
		return at != nil && at.routes()
	}
	return p
}

// Attach adds a port: without carrier if it is of the fabric, with it if local. mac is the port's own address, at which it answers echoes;
// zero: any. A port that is there already begins anew. It tells whether there was room.
func (p *Plane) Attach(id Port, kind Kind, mac frame.MAC) bool {
	at := p.ports[id]
	if at == nil {
		if len(p.order) >= MaxPorts || id == Port(path.Local) {
			return false
		}
		at = &port{id: id}
		p.ports[id] = at
		i, _ := slices.BinarySearchFunc(p.order, id, func(a *port, id Port) int { return int(int64(a.id) - int64(id)) })
		p.order = slices.Insert(p.order, i, at)
	}
	p.FlushPort(id)
	*at = port{id: id, kind: kind, mac: mac, carrier: kind == Local, died: at.died, diedAt: at.diedAt}
	at.storms.limit(uint64(p.cfg.StormRate), uint64(p.cfg.StormBurst))
	p.Speed(id, 0)
	return true
}

// Detach removes a port. What would have gone over it may be deflected for a while, as if it had lost carrier.
func (p *Plane) Detach(id Port, now time.Duration) {
	if at := p.ports[id]; at != nil {
		p.Carrier(id, false, now)
		at.kind = gone
		p.FlushPort(id)
		for mac, owner := range p.local {
			if owner == id {
				delete(p.local, mac)
			}
		}
	}
}

// sweep forgets ports that were detached long enough ago.
func (p *Plane) sweep(now time.Duration) {
	p.order = slices.DeleteFunc(p.order, func(at *port) bool {
		old := at.kind == gone && now-at.diedAt > p.cfg.Detour
		if old {
			delete(p.ports, at.id)
		}
		return old
	})
}

// Speed tells a port's speed in Mbit/s; 0: not known, taken for 1000.
func (p *Plane) Speed(id Port, mbps uint64) {
	if at := p.ports[id]; at != nil {
		if mbps == 0 {
			mbps = 1000
		}
		mbps = min(mbps, maxMbps)
		at.load.Speed(mbps)
		rate := mbps * 125_000 / uint64(p.cfg.Share)
		at.detours.limit(rate, max(rate/100, minBurst))
	}
}

// change does what may end or begin a port's use for unicast, and notes the time of its death.
func (p *Plane) change(id Port, now time.Duration, do func(*port)) {
	at := p.ports[id]
	if at == nil || at.kind == gone {
		return
	}
	before := at.routes()
	do(at)
	switch after := at.routes(); {
	case after:
		at.died = false
	case before:
		at.died, at.diedAt = true, now
	}
}

// Carrier tells what the kernel says of a port. It counts at once and needs no engine.
func (p *Plane) Carrier(id Port, up bool, now time.Duration) {
	p.change(id, now, func(at *port) { at.carrier = up })
}

// Live opens or shuts a port for unicast.
func (p *Plane) Live(id Port, up bool, now time.Duration) {
	p.change(id, now, func(at *port) { at.live = up })
}

// Gate opens or shuts a port for broadcast.
func (p *Plane) Gate(id Port, open bool, now time.Duration) {
	p.change(id, now, func(at *port) { at.gate = open })
}

// Edge tells what a port to the legacy lets through.
func (p *Plane) Edge(id Port, s rstp.State, now time.Duration) {
	p.change(id, now, func(at *port) { at.edge = s })
}

// Renew tells that the engine is alive.
func (p *Plane) Renew(now time.Duration) {
	p.renewed, p.alive = now, true
	p.sweep(now)
}

// leased tells whether the engine was alive less than so long ago.
func (p *Plane) leased(lease, now time.Duration) bool {
	return p.cfg.Broken.NoB3 || p.alive && now-p.renewed < lease
}

// Narrow begins the change to other tables: until Follow only what both let through, by the same port, goes on. nil: as before.
func (p *Plane) Narrow(t *path.Tables) {
	if t != nil && !p.cfg.Broken.NoNarrow {
		p.next = p.breach(t)
	}
}

// Follow ends it. The tables must not change any more. nil: as before.
func (p *Plane) Follow(t *path.Tables) {
	if t != nil {
		p.tables, p.next = p.breach(t), nil
	}
}

// breach gives the tables without the rules that are broken.
func (p *Plane) breach(t *path.Tables) *path.Tables {
	if b := p.cfg.Broken; b.NoF6a || b.NoF6b {
		c := *t
		if b.NoF6a {
			c.Agreed = true
		}
		if b.NoF6b {
			c.Before, c.Blind = nil, false
		}
		return &c
	}
	return t
}

// LocalMAC tells that an address lives behind a local port, which may send from its addresses only. Port 0: nowhere any more.
// It tells whether there was room.
func (p *Plane) LocalMAC(mac frame.MAC, id Port) bool {
	if id == 0 {
		delete(p.local, mac)
		return true
	}
	if _, in := p.local[mac]; !in && len(p.local) >= MaxLocal {
		return false
	}
	delete(p.learned, mac)
	p.local[mac] = id
	return true
}

// Home tells which satellite an address lives at: this one, if it is behind an edge; zero: nobody knows. What was learned of
// it at an edge is forgotten if it lives elsewhere. It tells whether there was room.
func (p *Plane) Home(mac, satellite frame.MAC, now time.Duration) bool {
	if satellite != p.self {
		delete(p.learned, mac)
	}
	if satellite.IsZero() {
		delete(p.homes, mac)
		return true
	}
	old, in := p.homes[mac]
	switch {
	case !in && len(p.homes) >= MaxHomes:
		return false
	case !in:
		p.homes[mac] = home{satellite: satellite}
	case old.satellite != satellite:
		p.homes[mac] = home{satellite, now, true}
	}
	return true
}
