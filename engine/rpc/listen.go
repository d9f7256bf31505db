package rpc

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Limits bounds the connections of a listener for satellites.
type Limits struct {
	All       int           // whose handshake is under way
	PerSource int           // of them, from one address
	Handshake time.Duration // for one handshake
	PerKey    int           // whose handshake is done, of one key

	Strangers          int           // whose handshake is done, with a key of no member
	StrangersPerSource int           // of them, from one address
	Stay               time.Duration // for one of them, from its handshake's end
}

// PeerLimits are those of the port between satellites. An honest handshake takes some milliseconds on a quiet machine; a
// connection under way takes some 20 KB. A stranger has itself introduced, which takes few requests.
func PeerLimits() Limits {
	return Limits{All: 512, PerSource: 64, Handshake: 5 * time.Second, PerKey: 64,
		Strangers: 16, StrangersPerSource: 4, Stay: 5 * time.Second}
}

// NewTLSListener gives the connections of l whose TLS handshake was done, each a *tls.Conn, for a server of NewServer.
// member is asked at each handshake's end whether the other end proved a member's key, for else it is a stranger; nil:
// all that config lets in are members. It must not wait.
//
// Where too many handshakes are under way, one gives way to each new one: of the address that has the most, the oldest that
// has not said anything yet, or else the oldest. So nobody is kept out by connections that are opened and left, and an
// address alone cannot crowd out another. Among strangers it is the same, after their handshakes; members are bounded by
// their key alone. Close ends the listener and every handshake; connections that were given out go on.
func NewTLSListener(l net.Listener, config *tls.Config, limits Limits, member func(tls.ConnectionState) bool) net.Listener {
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	t := &tlsListener{Listener: l, config: config, limits: limits, member: member,
		ready: make(chan *tls.Conn), failed: make(chan struct{}),
		shaking:   newCrowd(limits.All, limits.PerSource),
		strangers: newCrowd(limits.Strangers, limits.StrangersPerSource),
		keys:      map[[32]byte]int{}}
	t.life, t.end = context.WithCancel(context.Background())
	go t.run()
	return t
}

type tlsListener struct {
	net.Listener
	config *tls.Config
	limits Limits
	member func(tls.ConnectionState) bool
	ready  chan *tls.Conn // a handshake's end waits here for Accept
	failed chan struct{}  // closed once err is set
	err    error
	life   context.Context // ends with Close
	end    context.CancelFunc

	mu        sync.Mutex       // guards all below, and what visitors say it does
	shaking   *crowd           // handshakes under way
	strangers *crowd           // handshakes done, keys of no member
	keys      map[[32]byte]int // handshakes done, by key; no zeros
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

// take makes room for a connection's handshake.
func (t *tlsListener) take(c net.Conn) *visitor {
	v := &visitor{Conn: c, of: t}
	if from, err := netip.ParseAddrPort(c.RemoteAddr().String()); err == nil {
		v.source = from.Addr().Unmap()
	}
	t.mu.Lock()
	gone := t.shaking.add(v)
	t.mu.Unlock()
	gone.end() // its handshake sees that
	return v
}

func (t *tlsListener) handshake(v *visitor) {
	ctx, cancel := context.WithTimeout(t.life, t.limits.Handshake)
	defer cancel()
	c := tls.Server(v, t.config)
	if err := c.HandshakeContext(ctx); err != nil || !t.enter(v, c.ConnectionState()) {
		v.end()
		return
	}
	select {
	case t.ready <- c:
	case <-ctx.Done():
		v.end()
	}
}

// enter moves a connection from those under way to those that are given out, if its key has room. A stranger is always
// let in: for another's place, if there is none.
func (t *tlsListener) enter(v *visitor, state tls.ConnectionState) bool {
	if len(state.PeerCertificates) > 0 {
		v.key = sha256.Sum256(state.PeerCertificates[0].RawSubjectPublicKeyInfo)
	}
	member := t.member == nil || t.member(state)
	t.mu.Lock()
	if !t.shaking.remove(v) || t.keys[v.key] >= t.limits.PerKey {
		t.mu.Unlock()
		return false
	}
	t.keys[v.key]++
	v.counted = true
	var gone *visitor
	if !member {
		gone = t.strangers.add(v)
		v.stay = time.AfterFunc(t.limits.Stay, v.end)
	}
	t.mu.Unlock()
	gone.end()
	return true
}

// forget takes a connection that is closed out of the books.
func (t *tlsListener) forget(v *visitor) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v.in != nil {
		v.in.remove(v)
	}
	if v.stay != nil {
		v.stay.Stop()
	}
	if v.counted {
		if t.keys[v.key]--; t.keys[v.key] == 0 {
			delete(t.keys, v.key)
		}
	}
}
