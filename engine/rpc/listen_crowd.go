package rpc

import (
	"container/list"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// visitor is a connection below TLS, from its being taken to its close:
//
//	handshake under way ── done ──▶ member's, or stranger's (for Stay, or until it gives way) ──▶ closed
//	         └─ failed, too late, or gave way ─────────────────────────────────────────────────────▶ closed
type visitor struct {
	net.Conn
	of     *tlsListener
	source netip.Addr
	key    [32]byte    // of the other end, once the handshake is done
	spoke  atomic.Bool // something came from the other end

	// The listener's mu guards these.
	in      *crowd        // nil: in none
	place   *list.Element // in its source's list there
	number  uint64        // by which it came there
	counted bool          // under its key
	stay    *time.Timer   // a stranger's

	once sync.Once
}

// Read is of net.Conn.
func (v *visitor) Read(b []byte) (int, error) {
	n, err := v.Conn.Read(b)
	if n > 0 && !v.spoke.Load() {
		v.spoke.Store(true)
	}
	return n, err
}

// Close is of net.Conn.
func (v *visitor) Close() error {
	err := v.Conn.Close()
	v.once.Do(func() { v.of.forget(v) })
	return err
}

// end closes a visitor, if there is one.
func (v *visitor) end() {
	if v != nil {
		_ = v.Close()
	}
}

// silent tells whether nothing came from the other end, not even what waits in the kernel to be read: under a flood that
// may be for long.
func (v *visitor) silent() bool {
	if v.spoke.Load() {
		return false
	}
	c, ok := v.Conn.(syscall.Conn)
	if !ok {
		return true
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return true
	}
	waiting := 0
	err = raw.Control(func(fd uintptr) { waiting, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	return err != nil || waiting == 0
}

// crowd is a bounded number of visitors, of whom one gives way where there is no room for a new one. Its user locks it.
type crowd struct {
	all, perSource int
	inside         int
	came           uint64                    // ever
	sources        map[netip.Addr]*list.List // the oldest first; none empty
}

func newCrowd(all, perSource int) *crowd {
	return &crowd{all: all, perSource: perSource, sources: map[netip.Addr]*list.List{}}
}

// add takes one in, and gives the one that is out for that, to be closed; nil: there was room.
func (c *crowd) add(v *visitor) (gone *visitor) {
	if own := c.sources[v.source]; own != nil && own.Len() >= c.perSource {
		gone = worst(own)
	} else if c.inside >= c.all {
		gone = worst(c.most())
	}
	if gone != nil {
		c.remove(gone)
	}
	own := c.sources[v.source]
	if own == nil {
		own = list.New()
		c.sources[v.source] = own
	}
	v.in, v.place, v.number = c, own.PushBack(v), c.came
	c.inside++
	c.came++
	return gone
}

// remove takes one out that is in; of one that is not, it tells so.
func (c *crowd) remove(v *visitor) (was bool) {
	if v.in != c {
		return false
	}
	own := c.sources[v.source]
	own.Remove(v.place)
	v.in, v.place = nil, nil
	c.inside--
	if own.Len() == 0 {
		delete(c.sources, v.source)
	}
	return true
}

// most is the source that has the most inside; of equal ones that whose oldest came first.
func (c *crowd) most() *list.List {
	var most *list.List
	for _, s := range c.sources {
		if most == nil || s.Len() > most.Len() || s.Len() == most.Len() && first(s).number < first(most).number {
			most = s
		}
	}
	return most
}

func first(of *list.List) *visitor { return of.Front().Value.(*visitor) }

// worst is the one of a source that gives way: the oldest that said nothing yet, or else the oldest.
func worst(of *list.List) *visitor {
	for e := of.Front(); e != nil; e = e.Next() {
		if v := e.Value.(*visitor); v.silent() {
			return v
		}
	}
	return first(of)
}
