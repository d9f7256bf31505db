package sshd

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// guardedConn is a connection whose deadlines are ours alone: one for each step of the login, then one for each write.
type guardedConn struct {
	net.Conn
	gate  *gate
	from  netip.Prefix
	known bool   // somebody logged in from there before
	seq   uint64 // grows with each that enters a stage; guarded by gate.mu
	stage stage  // guarded by gate.mu

	mu      sync.Mutex
	shaking bool // the login is not over
}

// expect gives the login's present step so long.
func (c *guardedConn) expect(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shaking {
		_ = c.Conn.SetDeadline(time.Now().Add(d)) // a closed connection needs none
	}
}

// authenticated ends the login's deadline and its place among the handshakes.
func (c *guardedConn) authenticated() {
	c.mu.Lock()
	was := c.shaking
	c.shaking = false
	if was {
		_ = c.Conn.SetDeadline(time.Time{})
	}
	c.mu.Unlock()
	if was {
		c.gate.mu.Lock()
		defer c.gate.mu.Unlock()
		c.gate.drop(c)
	}
}

// Close ends the connection and its count.
func (c *guardedConn) Close() error {
	c.authenticated()
	c.gate.mu.Lock()
	delete(c.gate.connections, c)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}

// Write gives a peer that takes nothing only so long. During the login its deadline is the login's.
func (c *guardedConn) Write(b []byte) (int, error) {
	c.mu.Lock()
	if !c.shaking {
		_ = c.Conn.SetWriteDeadline(time.Now().Add(c.gate.limits.Write))
	}
	c.mu.Unlock()
	return c.Conn.Write(b)
}

// SetDeadline and its kin do nothing: the library below has no timeouts of its own to set, and clears ours.
func (c *guardedConn) SetDeadline(time.Time) error      { return nil }
func (c *guardedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *guardedConn) SetWriteDeadline(time.Time) error { return nil }
