package tree

import (
	"slices"
	"time"

	"decenter/net/frame"
)

// This file decides which MACs we claim. Where two satellites claim one, all others judge by class and epoch (see index), as
// EVPN does by the sticky flag and the sequence of MAC mobility (RFC 7432 section 15): a guest's claim goes before learned ones;
// who begins to claim a MAC that another one claims does so under the next epoch of the class; and who sees that another one's
// claim beats his drops his own, if he learned it from frames.
//
//	              Learned                         beaten by another's claim, Forget,
//	not ours  ----------------->  learned (port)  edge port flushed  ------------------>  not ours
//	              Local                                 Local
//	          ----------------->  local  <--------------------------  learned
//
// A local MAC is claimed until Local leaves it out, also while another claim beats it. A MAC that is another's guest is not
// learned: a device that sends under its address is counted and told (mac-spoofed), and nobody else hears of it.

// own is what we claim.
type own struct {
	macs      map[frame.MAC]ownMAC
	local     []frame.MAC // those told by Local, ascending
	fragments fragments
	moving    map[frame.MAC]*moving
	told      time.Duration // no event about a moving MAC before
	spoofed   time.Duration // nor about a spoofed one
	full      time.Duration // nor about too many
	born      time.Duration // this life of ours
	ages      time.Duration // when the learned ones' ages are looked at next
}

type ownMAC struct {
	port     PortID // where it was learned; 0: it is local
	epoch    uint32
	seen     uint32 // learned: when it was told of last, in seconds
	fragment uint16 // its number
	learned  bool   // its class; a guest's that is not local is of an earlier life
}

// anyPort is where MACs of an earlier life of ours are, as long as nobody has told.
const anyPort = PortID(1<<32 - 1)

// moving counts how often we took a MAC over from others.
type moving struct {
	count int
	since time.Duration // the first of count
	until time.Duration // we do not claim it before
}

// Local tells all the MACs that are at home on the satellite itself, besides its own: its virtual machines'. They go before
// learned ones. Beyond MaxMACs they are counted as Full and left out, as are those that can be nobody's address, or are a
// satellite's.
func (c *Core) Local(macs []frame.MAC, now time.Duration) {
	c.pass(now)
	list := slices.Clone(macs)
	slices.SortFunc(list, frame.MAC.Compare)
	list = slices.DeleteFunc(slices.Compact(list), func(m frame.MAC) bool { return !c.claimable(m) })
	if len(list) > MaxMACs {
		c.tooMany(uint64(len(list) - MaxMACs))
		list = list[:MaxMACs]
	}
	was := c.own.local
	c.own.local = list
	for _, mac := range was {
		if _, stays := slices.BinarySearchFunc(list, mac, frame.MAC.Compare); !stays {
			c.disown(mac, true)
		}
	}
	c.makeRoom(list)
	for _, mac := range list {
		o, ours := c.own.macs[mac]
		if ours && !o.learned {
			o.port = 0
			c.own.macs[mac] = o
			continue
		}
		if ours {
			c.disown(mac, true)
		}
		c.claim(mac, ownMAC{epoch: c.nextEpoch(mac, false)})
	}
}

// makeRoom drops learned MACs if there is no room for local ones.
func (c *Core) makeRoom(local []frame.MAC) {
	excess := len(c.own.macs) - MaxMACs
	for _, mac := range local {
		if _, ours := c.own.macs[mac]; !ours {
			excess++
		}
	}
	for i := len(c.own.fragments.all) - 1; i >= 0 && excess > 0; i-- {
		for _, m := range slices.Clone(c.own.fragments.all[i].claims) {
			_, stays := slices.BinarySearchFunc(local, m.MAC, frame.MAC.Compare)
			if excess > 0 && c.own.macs[m.MAC].port != 0 && !stays {
				c.disown(m.MAC, false)
				c.tooMany(1)
				excess--
			}
		}
	}
}

// Learned tells of addresses that frames from an edge port showed: at once of new ones, of those of another port, and of those
// that another satellite is home to, also if that has not changed; and of all again once in a minute or so for as long as frames show them. What it does
// not tell of for the ageing time of IEEE 802.1D-2004 (table 7-5), 300 s, is forgotten.
func (c *Core) Learned(port PortID, macs []frame.MAC, now time.Duration) {
	c.pass(now)
	if port == 0 {
		return
	}
	for _, mac := range macs {
		switch o, ours := c.own.macs[mac]; {
		case ours && o.learned:
			o.port, o.seen = port, seconds(c.now)
			c.own.macs[mac] = o
		case ours, !c.learnable(mac), c.spoofs(port, mac):
		case len(c.own.macs) >= MaxMACs:
			c.tooMany(1)
		case c.mayMove(mac):
			c.claim(mac, ownMAC{port: port, learned: true, epoch: c.nextEpoch(mac, true)})
		}
	}
}

// Forget tells of learned addresses that are known to be gone.
func (c *Core) Forget(macs []frame.MAC, now time.Duration) {
	c.pass(now)
	for _, mac := range macs {
		if c.own.macs[mac].learned {
			c.disown(mac, false)
		}
	}
}

// forgetPort forgets all that was learned on a port: it was flushed, or is no edge any more.
func (c *Core) forgetPort(port PortID) {
	c.forgetThose(func(o ownMAC) bool { return o.port == port })
}

// forgetThose forgets learned addresses, in a fixed order.
func (c *Core) forgetThose(of func(ownMAC) bool) {
	for i := range c.own.fragments.all {
		for _, m := range slices.Clone(c.own.fragments.all[i].claims) {
			if o := c.own.macs[m.MAC]; o.port != 0 && of(o) {
				c.disown(m.MAC, false)
			}
		}
	}
}

// Home tells which satellite is home to a MAC, as Effects.Homes does. It may be out of reach.
func (c *Core) Home(mac frame.MAC) (satellite frame.MAC, found bool) { return c.index.home(mac) }

// claimable tells whether we may claim a MAC at all.
func (c *Core) claimable(mac frame.MAC) bool {
	return c.learnable(mac) && c.store.objects[frame.Key{Origin: mac}] == nil
}

// learnable tells whether a MAC may be behind an edge. So may a satellite that cannot be reached in another way: a part of the
// constellation that an island joins to ours.
func (c *Core) learnable(mac frame.MAC) bool {
	return !mac.IsZero() && !mac.IsGroup() && mac != c.cfg.ID && !c.index.satellite(mac)
}

// nextEpoch is that of a claim which begins. Those of the other class do not matter: nobody can drive a guest's up from an edge.
func (c *Core) nextEpoch(mac frame.MAC, learned bool) uint32 {
	highest, found := c.index.highest(mac, learned)
	if !found || highest == 1<<32-1 { // somebody lies; the lowest id has it
		return highest
	}
	return highest + 1
}

// claim begins a claim; o tells its port, class and epoch.
func (c *Core) claim(mac frame.MAC, o ownMAC) {
	number, found := c.own.fragments.put(frame.Moved{MAC: mac, Epoch: o.epoch}, o.learned, o.port == 0)
	if !found {
		c.tooMany(1)
		return
	}
	o.seen, o.fragment = seconds(c.now), number
	c.own.macs[mac] = o
}

// disown ends a claim, if there is one.
func (c *Core) disown(mac frame.MAC, urgent bool) {
	if o, ours := c.own.macs[mac]; ours {
		c.own.fragments.remove(mac, o.fragment, urgent)
		delete(c.own.macs, mac)
	}
}

// contend looks at our claim of a MAC that others claim too: a learned one that is beaten ends; and one of our earlier life, which
// nothing has shown in this one, ends wherever somebody else has a claim of its class.
func (c *Core) contend(mac frame.MAC) {
	o, ours := c.own.macs[mac]
	if !ours || o.port == 0 {
		return
	}
	best, found := c.index.rival(mac)
	if !found {
		return
	}
	yields := o.port == anyPort && c.index.claimants[best.slot].reachable && (o.learned || !best.learned)
	if yields || c.index.beats(best, claim{rank: rank{o.epoch, o.learned}}) {
		c.disown(mac, false)
	}
}

// remember takes what an earlier life of ours claimed. What we claim still, we claim under its epoch. The rest, if we have
// only just begun, we go on claiming for a while: the data path lived on, and devices are told of again as they speak.
func (c *Core) remember(number uint16, body []byte) {
	learned := frame.Learned(body)
	for m := range frame.Claims(body) {
		switch o, ours := c.own.macs[m.MAC]; {
		case ours && o.learned == learned && o.epoch < m.Epoch:
			c.disown(m.MAC, o.port == 0)
			o.epoch = m.Epoch
			c.claim(m.MAC, o)
		case !ours && c.now-c.own.born < inherited && len(c.own.macs) < MaxMACs && c.claimable(m.MAC):
			if at, found := c.own.fragments.putBack(m, learned, number); found {
				c.own.macs[m.MAC] = ownMAC{port: anyPort, learned: learned, epoch: m.Epoch, seen: seconds(c.now), fragment: at}
				c.contend(m.MAC)
			}
		}
	}
}

// spoofs tells whether a device sends under the address of another satellite's guest.
func (c *Core) spoofs(port PortID, mac frame.MAC) bool {
	best, found := c.index.rival(mac)
	if !found || best.learned || !c.index.claimants[best.slot].reachable || c.broken&ruleClass != 0 {
		return false
	}
	c.counters.Spoofed++
	if c.now >= c.own.spoofed {
		c.own.spoofed = c.now + tellTime
		c.event(Event{Kind: MACSpoofed, Port: port, MAC: mac, Neighbour: c.index.claimants[best.slot].id, Why: "a device sends under a guest's address"})
	}
	return true
}

// mayMove bounds how often we take a MAC over from others (RFC 7432 section 15.1): two devices have the same
// address, or a network is cabled to us twice. He who has it then keeps it for a while.
func (c *Core) mayMove(mac frame.MAC) bool {
	best, found := c.index.rival(mac)
	if !found || !c.index.claimants[best.slot].reachable {
		return true
	}
	m := c.own.moving[mac]
	switch {
	case m == nil && len(c.own.moving) >= maxMoving:
		c.counters.Full++
		return false
	case m == nil:
		m = &moving{since: c.now}
		c.own.moving[mac] = m
	case c.now < m.until:
		return false
	case c.now-m.since >= moveTime:
		*m = moving{since: c.now}
	}
	if m.count++; m.count <= maxMoves {
		return true
	}
	*m = moving{since: c.now, until: c.now + frozenTime}
	if c.now >= c.own.told {
		c.own.told = c.now + tellTime
		c.event(Event{Kind: MACMoving, MAC: mac, Neighbour: c.index.claimants[best.slot].id, Why: "two satellites have seen it in turn, too often"})
	}
	return false
}

// tooMany counts MACs that we have no room for.
func (c *Core) tooMany(n uint64) {
	c.counters.Full += n
	if c.now >= c.own.full {
		c.own.full = c.now + tellTime
		c.event(Event{Kind: MACsFull, Why: "there are more MACs here than a satellite may be home to"})
	}
}

// ageHomes forgets learned addresses that no frame has shown for long, and moves that nobody will ask for.
func (c *Core) ageHomes() {
	for mac, m := range c.own.moving {
		if c.now >= m.until && c.now-m.since >= moveTime {
			delete(c.own.moving, mac)
		}
	}
	if c.now >= c.own.ages {
		c.own.ages = c.now + inherited/2
		c.forgetThose(func(o ownMAC) bool {
			return seconds(c.now)-o.seen >= seconds(learnedAge) || o.port == anyPort && c.now-c.own.born >= inherited
		})
	}
}

func seconds(t time.Duration) uint32 { return uint32(t / time.Second) }
