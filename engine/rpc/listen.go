package rpc

import (
	"container/list"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Limits bounds the connections of a listener for satellites.
type Limits struct {
	All       int           // whose handshake is under way
	PerSource int           // of them, from one address
	Handshake time.Duration // for one handshake
	PerKey    int           // whose handshake is done, of one key
}

// PeerLimits are those of the port between satellites. An honest handshake takes some milliseconds on a quiet machine; a
// connection under way takes some 20 KB.
func PeerLimits() Limits {
	return Limits{All: 512, PerSource: 64, Handshake: 5 * time.Second, PerKey: 64}
}

// NewTLSListener gives the connections of l whose TLS handshake was done, each a *tls.Conn, for a server of NewServer.
// Where too many are under way, one gives way to each new one: of the address that has the most, the oldest that has not said
// anything yet, or else the oldest. So nobody is kept out by connections that are opened and left, and an address alone
// cannot crowd out another. Close ends it and every handshake; connections that were given out go on.
func NewTLSListener(l net.Listener, config *tls.Config, limits Limits) net.Listener {
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	t := &tlsListener{Listener: l, config: config, limits: limits, ready: make(chan *tls.Conn), failed: make(chan struct{}),
		sources: map[netip.Addr]*list.List{}, keys: map[[32]byte]int{}}
	t.life, t.end = context.WithCancel(context.Background())
	go t.run()
	return t
}

type tlsListener struct {
	net.Listener
	config *tls.Config
	limits Limits
	ready  chan *tls.Conn // a handshake's end waits here for Accept
	failed chan struct{}  // closed once err is set
	err    error
	life   context.Context // ends with Close
	end    context.CancelFunc

	mu      sync.Mutex // guards all below
	under   int        // handshakes under way
	sources map[netip.Addr]*list.List
	keys    map[[32]byte]int // connections that were given out, by key
}

// young is a connection whose handshake is under way.
type young struct {
	net.Conn
	source netip.Addr
	place  *list.Element // in its source's list, oldest first; nil once it is out of it
	spoke  atomic.Bool   // something came from the other end

	release func() // once the handshake is done: what its end gives back
	once    sync.Once
}

// Read is of net.Conn.
func (y *young) Read(b []byte) (int, error) {
	n, err := y.Conn.Read(b)
	if n > 0 && !y.spoke.Load() {
		y.spoke.Store(true)
	}
	return n, err
}

// silent tells whether nothing came from the other end, not even what waits in the kernel to be read: under a flood that
// may be for long.
func (y *young) silent() bool {
	if y.spoke.Load() {
		return false
	}
	c, ok := y.Conn.(syscall.Conn)
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

// Close is of net.Conn.
func (y *young) Close() error {
	err := y.Conn.Close()
	y.once.Do(func() {
		if y.release != nil {
			y.release()
		}
	})
	return err
}

// Accept is of net.Listener.
func (t *tlsListener) Accept() (net.Conn, error) {
	select {
	case c := <-t.ready:
		return c, nil
	case <-t.life.Done():
		return nil, net.ErrClosed
	case <-t.failed:
		return nil, t.err
	}
}

// Close is of net.Listener.
func (t *tlsListener) Close() error {
	t.end()
	return t.Listener.Close()
}

// The pauses after an error that passes, such as of too many open files.
const (
	shortestPause = 5 * time.Millisecond
	longestPause  = time.Second
)

func (t *tlsListener) run() {
	pause := shortestPause
	for {
		c, err := t.Listener.Accept()
		switch {
		case err == nil:
			pause = shortestPause
			go t.handshake(t.take(c))
		case t.life.Err() != nil:
			return
		case passing(err):
			select {
			case <-time.After(pause):
				pause = min(2*pause, longestPause)
			case <-t.life.Done():
				return
			}
		default:
			t.err = err
			close(t.failed)
			return
		}
	}
}

func passing(err error) bool {
	for _, e := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// take makes room for a connection.
func (t *tlsListener) take(c net.Conn) *young {
	y := &young{Conn: c}
	if from, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		y.source = from.Addr().Unmap()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if own := t.sources[y.source]; own != nil && own.Len() >= t.limits.PerSource {
		t.drop(own)
	} else if t.under >= t.limits.All {
		var most *list.List
		for _, s := range t.sources {
			if most == nil || s.Len() > most.Len() {
				most = s
			}
		}
		t.drop(most)
	}
	own := t.sources[y.source]
	if own == nil {
		own = list.New()
		t.sources[y.source] = own
	}
	y.place = own.PushBack(y)
	t.under++
	return y
}

// drop ends one of a source's handshakes.
func (t *tlsListener) drop(of *list.List) {
	victim := of.Front().Value.(*young)
	for e := of.Front(); e != nil; e = e.Next() {
		if y := e.Value.(*young); y.silent() {
			victim = y
			break
		}
	}
	t.remove(victim)
	_ = victim.Conn.Close() // its handshake sees that, and does the rest
}

// remove takes one that is no longer under way out of the books; again is fine.
func (t *tlsListener) remove(y *young) (was bool) {
	if y.place == nil {
		return false
	}
	own := t.sources[y.source]
	own.Remove(y.place)
	y.place = nil
	t.under--
	if own.Len() == 0 {
		delete(t.sources, y.source)
	}
	return true
}

func (t *tlsListener) handshake(y *young) {
	ctx, cancel := context.WithTimeout(t.life, t.limits.Handshake)
	defer cancel()
	c := tls.Server(y, t.config)
	if err := c.HandshakeContext(ctx); err != nil || !t.grown(y, c.ConnectionState()) {
		t.mu.Lock()
		t.remove(y)
		t.mu.Unlock()
		_ = y.Close()
		return
	}
	select {
	case t.ready <- c:
	case <-ctx.Done():
		_ = y.Close()
	}
}

// grown moves a connection from those under way to those of its key, if there is room.
func (t *tlsListener) grown(y *young, state tls.ConnectionState) bool {
	var key [32]byte
	if len(state.PeerCertificates) > 0 {
		key = sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.remove(y) || t.keys[key] >= t.limits.PerKey {
		return false
	}
	t.keys[key]++
	y.release = func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.keys[key]--; t.keys[key] == 0 {
			delete(t.keys, key)
		}
	}
	return true
}
