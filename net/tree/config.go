package tree

import (
	"strings"
	"time"

	"decenter/net/frame"
	"decenter/net/path"
)

// Config is what a core is born with.
type Config struct {
	ID       frame.MAC // the host port's address
	Name     string    // at most frame.MaxName bytes; the rest is cut
	Priority uint16    // to be root; the lowest (priority, id) is
	Instance uint64    // random per start of the engine
	// Auth is what neighbours prove themselves with. There is no default: either this, or Unauthenticated.
	Auth *Auth
	// Unauthenticated takes everybody's word, as simulations and tests may.
	Unauthenticated bool
	// Admit says, with Unauthenticated, whether a satellite may be a neighbour; nil admits all. It is asked at every
	// Hello, so that an ejected neighbour goes at once; it must not wait.
	Admit func(frame.MAC) bool

	// Colours is how many shortest paths there are for each pair of satellites, 1 to path.MaxColours; 0: 4. It has to be the
	// same at all satellites: those that differ forward no unicast for one another.
	Colours int
	// Edges makes ports without a satellite behind them part of one 802.1w bridge; see package rstp. Without it they stay shut.
	Edges bool
	// EdgeLease is how long the data path keeps edge ports open for an engine that does not call Ready; 0: 3 s.
	EdgeLease time.Duration
	// Drain is how long a satellite whose gates moved waits before it opens toward a parent, so that no broadcast that is
	// still on its way comes twice: more than a frame needs through the whole fabric; 0: 5 ms.
	Drain time.Duration

	// Hello is how often an idle adjacency says so; 0: 1 s. After three and a half the engine counts as silent.
	Hello time.Duration
	// Echo is how often the neighbour's data path is asked, and how long one answer may take; 0: 100 ms.
	Echo time.Duration
	// EchoLost is after how many unanswered echoes a cable is dead; 0: 3.
	EchoLost int
	// HoldEngine is how long an adjacency outlives its silent engine, at least five Hellos; 0: 120 s.
	HoldEngine time.Duration
	// Retry is the first repetition of what was not acknowledged, doubling up to Hello; 0: 20 ms.
	Retry time.Duration
	// Grace is how long a satellite that needs a new parent waits for its children to make way before it
	// closes their gates; 0: 50 ms.
	Grace time.Duration
	// Resume is how long a restored core waits for its neighbours' link state at most; 0: 10 s.
	Resume time.Duration
}

func (c *Config) fill() {
	set := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	set(&c.Hello, time.Second)
	set(&c.Echo, 100*time.Millisecond)
	set(&c.HoldEngine, 120*time.Second)
	set(&c.Retry, 20*time.Millisecond)
	set(&c.Grace, 50*time.Millisecond)
	set(&c.Resume, 10*time.Second)
	set(&c.EdgeLease, 3*time.Second)
	set(&c.Drain, 5*time.Millisecond)
	if c.Colours <= 0 {
		c.Colours = 4
	}
	c.Colours = min(c.Colours, path.MaxColours)
	c.HoldEngine = max(c.HoldEngine, 5*c.Hello)
	if c.EchoLost <= 0 {
		c.EchoLost = 3
	}
	c.Name = strings.ToValidUTF8(c.Name[:min(len(c.Name), frame.MaxName)], "")
}

// Our limits.
const (
	MaxSatellites = 4096
	MaxPorts      = 256
	MaxMACs       = 65536 // of one satellite
	MaxEvents     = 1024  // between two calls of Ready
	maxObjects    = 8 * MaxSatellites
	maxIndex      = 2047
	firstMACs     = 16 // object index of the first MACs; those below hold links, and whatever else bears on paths

	housekeeping = 5 * time.Second
	refresh      = 5 * time.Minute       // an origin sends its objects anew
	maxAge       = 15 * time.Minute      // an object that was not is dropped
	bulkyLife    = 4                     // times refresh and maxAge: fragments of MACs
	nearDeath    = time.Minute           // before that: not sent and not taken any more
	computePause = 10 * time.Microsecond // per satellite, between two computations: one takes about a third of that
	reflood      = 100 * time.Millisecond
	crowdHold    = 5 * time.Second // a port stays shut so long after two neighbours were heard on it
	provenAgain  = 3               // echoes in a row before a cable that died silently counts again

	fragmentBurst = 1024                  // fragments of MACs that one satellite says at once
	fragmentPace  = 20 * time.Millisecond // and in the long run, one in this time: at most 0.6 Mbit/s
	gatherTime    = 20 * time.Millisecond // so long learned MACs are gathered before they are said

	newsAge     = 2 * time.Second      // a fragment that is older when it comes is only offered
	inFlight    = 64                   // fragments on their way over one cable: what a socket's queue takes
	takeBurst   = maxObjects           // fragments taken from one port at once
	takePace    = 2 * time.Millisecond // and in the long run, one in this time
	maxAcks     = 4096                 // waiting to be sent
	resync      = 250 * time.Millisecond
	maxResync   = 30 * time.Second      // between two comparisons that change nothing
	patience    = 2 * time.Second       // before stores are compared though something is under way
	askAgain    = 2 * time.Second       // for an object that somebody was asked for
	digestPause = 20 * time.Millisecond // between two Hellos sent for their digest

	learnedAge = 300 * time.Second // IEEE 802.1D-2004 table 7-5
	inherited  = 30 * time.Second  // an engine that starts keeps so long what its earlier life learned
	maxMoves   = 5                 // takings of one MAC from others in moveTime (RFC 7432 section 15.1)
	moveTime   = 180 * time.Second
	frozenTime = 180 * time.Second // after that it is left to the others
	maxMoving  = 4096              // MACs that are counted so
	tellTime   = time.Second       // between two events about MACs of one kind
	homesBurst = 1 << 14           // of Effects.Homes
)

// Derived limits: all links of MaxPorts ports fit the indexes below firstMACs, and those above all MACs, however each kind of
// fragment was filled before it was left nearly empty.
const (
	_ = uint(firstMACs - (MaxPorts+frame.MaxLinksBody-1)/frame.MaxLinksBody)
	_ = uint(maxIndex + 1 - firstMACs - 2*((MaxMACs+frame.MaxMACsBody-1)/frame.MaxMACsBody+(MaxMACs+frame.MaxMovedBody-1)/frame.MaxMovedBody))
)

// Cost of a cable by its speed: 20 Tbit/s over the speed, as IEEE 802.1D-2004 table 17-3, from 1 (20 Tbit/s and
// faster) to 200,000,000 (100 kbit/s and slower). An unknown speed counts as 1 Gbit/s.
func Cost(mbps uint64) uint32 {
	if mbps == 0 {
		mbps = 1000
	}
	return uint32(min(max(20_000_000/mbps, 1), 200_000_000))
}
