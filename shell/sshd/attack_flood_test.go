package sshd

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// crowd holds handshakes open, and opens each anew, two seconds after it was sent away.
type crowd struct {
	open atomic.Int64
	stop context.CancelFunc
	all  sync.WaitGroup
}

// gather opens n handshakes with addr, from as many sources. say goes on with one as far as it is to go; nil: silent.
func gather(addr string, n, sources int, say func(net.Conn)) *crowd {
	ctx, cancel := context.WithCancel(context.Background())
	c := &crowd{stop: cancel}
	for i := range n {
		c.all.Go(func() {
			own := &net.TCPAddr{IP: net.IPv4(127, 77, byte(i%sources>>8), byte(i%sources))}
			dialer := net.Dialer{LocalAddr: own, Timeout: 5 * time.Second}
			for ctx.Err() == nil {
				if conn, err := dialer.DialContext(ctx, "tcp", addr); err == nil {
					c.open.Add(1)
					c.hold(ctx, conn, say)
					c.open.Add(-1)
				}
				select {
				case <-ctx.Done():
				case <-time.After(2 * time.Second):
				}
			}
		})
	}
	return c
}

func (*crowd) hold(ctx context.Context, conn net.Conn, say func(net.Conn)) {
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer conn.Close()
	if say != nil {
		say(conn)
	}
	_, _ = io.Copy(io.Discard, conn)
}

func (c *crowd) disperse() {
	c.stop()
	c.all.Wait()
}

// greeting is what any client says first, up to the lists of its algorithms.
func greeting(conn net.Conn) {
	w := &wire{conn: conn}
	_, _ = io.WriteString(conn, "SSH-2.0-crowd\r\n")
	lists := str("curve25519-sha256", "ssh-ed25519", "aes128-ctr", "aes128-ctr", "hmac-sha2-256", "hmac-sha2-256", "none", "none", "", "")
	_ = w.write(append(append(append([]byte{msgKexInit}, make([]byte, 16)...), lists...), 0, 0, 0, 0, 0))
}

// flooding keeps a person out, whose own OpenSSH logs in while the crowd holds handshakes: that is what it would be to
// work. The flaw is a server that turns newcomers away where it is full.
func flooding(name string, n, sources, room int, stage stage, say func(net.Conn)) attack {
	return attack{
		name: fmt.Sprintf("%d half-open handshakes from %d sources, %s, where %d have room", n, sources, name, room), judged: true,
		set: func(_ *scene, c *Config) {
			c.Limits.Handshakes, c.Limits.Connections = room, 4*room
			c.Limits.FromOneSource = room // the fair share alone is to do it
			if usual := DefaultLimits().Burst; room <= sources*usual {
				c.Limits.Burst = usual // else the sources' rates alone would keep them from filling it
			}
		},
		try: func(s *scene) string {
			u := newUser(s.T, s.w)
			c := gather(s.w.addr, n, sources, say)
			defer c.disperse()
			g := s.w.server.gate
			eventually(s.T, "the server is full", func() bool {
				g.mu.Lock()
				defer g.mu.Unlock()
				return g.at[stage] >= g.limits.Handshakes
			})
			if !g.hold {
				time.Sleep(2500 * time.Millisecond) // and all of them came back at least once
			}
			began := time.Now()
			out, errOut, code := run1(u.ssh(u.account, "id_ed25519", "-oConnectTimeout=5", "whoami"))
			s.Logf("with %d connections of the crowd open, ssh ends after %v with %d %q", c.open.Load(), time.Since(began).Round(time.Millisecond), code, lastLine(errOut))
			if out == u.account+" ssh\n" {
				return ""
			}
			return s.victim.account.String()
		},
		flaw: without(checkEviction), strict: true,
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// exchanging goes as far as exchanged keys.
func exchanging(conn net.Conn) {
	w := &wire{conn: conn, in: bufio.NewReader(conn)}
	if w.exchange() == nil {
		_ = w.begin()
	}
}

func floodAttacks() []attack {
	return []attack{
		flooding("after their greeting", 1000, 1000, 256, fresh, greeting),
		flooding("after their greeting", 1000, 4, 256, fresh, greeting),
		flooding("silent", 1000, 1000, 1000, fresh, nil),
		flooding("silent", 1000, 4, 1000, fresh, nil),
		flooding("with keys exchanged", 1000, 1000, 256, keyed, exchanging),
		flooding("with keys exchanged", 1000, 4, 256, keyed, exchanging),
	}
}
