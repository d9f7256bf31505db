package sshd

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// Config is what a server is made of. Fields without "may be" have no default.
type Config struct {
	// Listen are the addresses to listen on, host:port.
	Listen []string
	// HostKey is the satellite's key; its fingerprint is in every challenge.
	HostKey ssh.Signer
	// Network is the Bitcoin network of the accounts; the zero value is mainnet.
	Network keys.Network
	// Allow tells whether an account may log in. It is asked after the account was proved, must not block, and
	// may be called at any time from any goroutine.
	Allow func(account string) bool
	// Open gives the constellation as the caller sees it, for one session.
	Open func(api.Caller) api.Service
	// Exec carries out one command and gives its exit code. It returns soon after ctx ended.
	Exec func(ctx context.Context, call Call) int
	// TUI makes the console's model for one session. What it does ends with ctx.
	TUI func(ctx context.Context, svc api.Service, screen Screen) tea.Model
	// Log may be nil: then nothing is logged.
	Log *slog.Logger
	// Version is the program's, for the protocol's greeting; may be empty.
	Version string
	// Now may be nil: then it is time.Now. It dates challenges; deadlines of sockets are the kernel's.
	Now func() time.Time
	// Dice may be nil: then it is crypto/rand's reader.
	Dice io.Reader
	// Limits' zero fields are the defaults of DefaultLimits.
	Limits Limits
}

// Limits bound what strangers and users can hold of the server.
type Limits struct {
	Handshakes    int           // under way at once
	FromOneSource int           // of those, from one IPv4 address or IPv6 /64
	Connections   int           // at once, handshakes included
	Sessions      int           // at once on one connection
	Handshake     time.Duration // from accepting to the end of each step of the login, but for the challenge
	Challenge     time.Duration // from showing a challenge to its signature
	Write         time.Duration // for the peer to take a packet
	Leave         time.Duration // for sessions to end when the server does
}

// DefaultLimits suit a satellite with some hundreds of users. Challenges live longer than other steps: people
// carry them to a wallet and back.
func DefaultLimits() Limits {
	return Limits{
		Handshakes: 100, FromOneSource: 32, Connections: 1000, Sessions: 10,
		Handshake: 30 * time.Second, Challenge: 120 * time.Second, Write: 60 * time.Second, Leave: 3 * time.Second,
	}
}

// The limits that are not for configuration.
const (
	// maxChallenges is how often one connection may try; OpenSSH itself tries three times.
	maxChallenges = 3
	// maxAuthTries counts failures of any kind, as OpenSSH's own default does.
	maxAuthTries = 6
	// grace is what a challenge's answer may take on the wire beyond the challenge's life.
	grace = 5 * time.Second
)

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ have, want *int }{
		{&l.Handshakes, &d.Handshakes}, {&l.FromOneSource, &d.FromOneSource}, {&l.Connections, &d.Connections}, {&l.Sessions, &d.Sessions},
	} {
		if *f.have <= 0 {
			*f.have = *f.want
		}
	}
	for _, f := range []struct{ have, want *time.Duration }{
		{&l.Handshake, &d.Handshake}, {&l.Challenge, &d.Challenge}, {&l.Write, &d.Write}, {&l.Leave, &d.Leave},
	} {
		if *f.have <= 0 {
			*f.have = *f.want
		}
	}
	return l
}

// check tells what is missing, and fills in what may be.
func (c *Config) check() error {
	for name, missing := range map[string]bool{
		"HostKey": c.HostKey == nil, "Allow": c.Allow == nil, "Open": c.Open == nil, "Exec": c.Exec == nil, "TUI": c.TUI == nil,
	} {
		if missing {
			return api.Errorf(api.CodeInvalid, "the SSH server's configuration has no %s", name)
		}
	}
	if c.HostKey.PublicKey().Type() != ssh.KeyAlgoED25519 {
		return &api.Error{Code: api.CodeInvalid, Message: "the SSH host key is of type " + c.HostKey.PublicKey().Type(), Hint: "use ed25519"}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Dice == nil {
		c.Dice = rand.Reader
	}
	c.Limits = c.Limits.withDefaults()
	return nil
}

// Call is one command of a session.
type Call struct {
	Service api.Service
	// Raw is the command as it came, never empty. ssh joins arguments with blanks.
	Raw string
	// In is the client's input. Its first Read takes Ctrl-C from the server: from then on it is a byte (0x03).
	In io.Reader
	// Out and Err are the client's stdout and stderr; with a Terminal, line ends become CR LF.
	Out, Err io.Writer
	// Terminal is nil where the client has none.
	Terminal *Terminal
	// Env are the client's variables that were let through, name=value, TERM among them.
	Env []string
}

// Screen is what a console's model is drawn on.
type Screen struct {
	Width, Height int // in cells; changes follow as tea.WindowSizeMsg
	Env           []string
}
