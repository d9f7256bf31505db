package rstp

import (
	"time"

	"decenter/net/frame"
)

// Role is a port's part in the tree (17.7).
type Role uint8

// The roles.
const (
	Disabled   Role = iota // no carrier
	Root                   // the constellation's way to the root outside: at most one of all satellites' ports
	Designated             // the way to the root for what is behind the port
	Alternate              // another way to the root
	Backup                 // another port of ours serves what is behind the port
)

// String names the role as the standard does.
func (r Role) String() string {
	return [...]string{"disabled", "root", "designated", "alternate", "backup"}[r]
}

// State is what a port lets through (7.4).
type State uint8

// The states, in ascending order of what they let through. BPDUs pass in all.
const (
	Discarding State = iota
	Learning         // addresses are learned, nothing is forwarded
	Forwarding
)

// String names the state as the standard does.
func (s State) String() string { return [...]string{"discarding", "learning", "forwarding"}[s] }

// infoIs says where a port's priority vector is from (17.19.10).
type infoIs uint8

const (
	infoDisabled infoIs = iota
	infoAged
	infoMine
	infoReceived
)

type tcState uint8

const (
	tcInactive tcState = iota
	tcLearning
	tcActive
)

// port is an edge port; the names are those of 17.19. A timer is the time at which it expires.
type port struct {
	id   PortID
	num  uint16 // port id
	cfg  Port
	cost uint32

	info                          infoIs
	priority, designated, message vector
	times, desTimes, messageTimes times
	role, selectedRole            Role
	reselect, selected, updtInfo  bool
	rcvdMsg                       bool
	bpdu                          frame.BPDU // with rcvdMsg
	agree, agreed                 bool
	proposed, proposing, disputed bool
	sync, synced, reRoot          bool
	learn, forward                bool
	operEdge                      bool
	newInfo                       bool
	stp                           bool // not sendRSTP
	tc                            tcState
	tcProp, tcAck                 bool
	rcvdTc, rcvdTcn, rcvdTcAck    bool
	fdWhile, rrWhile, rbWhile     time.Duration
	drainWhile                    time.Duration // ours: see Config.Drain
	rcvdInfoWhile, tcWhile        time.Duration
	edgeDelayWhile, mdelayWhile   time.Duration
	helloWhen                     time.Duration
	txCount                       int
	txDecay                       time.Duration // when txCount falls next

	// Ours.
	since       time.Duration // priority is as it is
	loopWhile   time.Duration // our own BPDU came back: the cable leads to itself
	sharedWhile time.Duration // more than one sender was heard
	sender      frame.MAC
	senderAt    time.Duration
	rate        int // BPDUs heard since rateAt
	rateAt      time.Duration
}

// PortStatus is a port as a person wants to see it.
type PortStatus struct {
	Port   PortID
	Number uint16 // port id
	Role   Role
	State  State
	Host   bool // counts as a host's (operEdge)
	STP    bool // the neighbour speaks STP only
	Looped bool // what we send there comes back
	Cost   uint32
	// Root to Neighbour are of the vector that rules behind the port.
	Root      frame.BridgeID
	RootCost  uint32
	Neighbour frame.BridgeID // the designated bridge
}

// Ports tells all ports, in the order of their ids.
func (e *Engine) Ports() []PortStatus {
	var all []PortStatus
	for _, p := range e.each() {
		all = append(all, PortStatus{Port: p.id, Number: p.num, Role: p.role, State: p.state(), Host: p.operEdge, STP: p.stp,
			Looped: e.on(p.loopWhile), Cost: p.cost, Root: p.priority.root, RootCost: p.priority.cost, Neighbour: p.priority.bridge})
	}
	return all
}

// RootPath tells the root, the cost of the way there, and the satellite whose port is root port; zero if we are
// the root.
func (e *Engine) RootPath() (root frame.BridgeID, cost uint32, satellite frame.MAC) {
	return e.root.vector.root, e.root.vector.cost, e.root.owner
}

func (p *port) state() State {
	switch {
	case p.forward:
		return Forwarding
	case p.learn:
		return Learning
	}
	return Discarding
}

// on tells whether a timer runs.
func (e *Engine) on(t time.Duration) bool { return t > e.now }

func (e *Engine) begin(p *port) {
	p.newInfo, p.synced, p.reselect = true, true, true
	p.mdelayWhile, p.txDecay = e.now+migrateTime, e.now
	p.helloWhen = e.now + e.cfg.Hello
}

// pointToPoint tells whether exactly one bridge is at the other end, so that a handshake with it means something.
func (e *Engine) pointToPoint(p *port) bool { return !p.cfg.Shared && !e.on(p.sharedWhile) }

// expire does what a timer's end means by itself; most are looked at where they count.
func (e *Engine) expire(p *port) {
	for p.txCount > 0 && p.txDecay <= e.now {
		p.txCount--
		p.txDecay += time.Second
	}
	if p.helloWhen <= e.now {
		p.helloWhen = e.now + e.cfg.Hello
		p.newInfo = p.newInfo || p.role == Designated || p.role == Root && e.on(p.tcWhile)
	}
}

// deadline is the first timer to expire; 0: none runs.
func (e *Engine) deadline() time.Duration {
	var first time.Duration
	see := func(t time.Duration) {
		if t > e.now && (first == 0 || t < first) {
			first = t
		}
	}
	for _, p := range e.ports {
		if !p.cfg.Up {
			continue
		}
		for _, t := range [...]time.Duration{p.fdWhile, p.rrWhile, p.rbWhile, p.drainWhile, p.rcvdInfoWhile, p.tcWhile,
			p.edgeDelayWhile, p.mdelayWhile, p.helloWhen, p.loopWhile, p.sharedWhile, p.since + confirmTime} {
			see(t)
		}
		if p.txCount > 0 {
			see(p.txDecay)
		}
	}
	if e.changeDue {
		see(e.changeAt)
	}
	see(e.consentBy)
	see(e.again)
	return first
}
