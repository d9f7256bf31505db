package sshd

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// Config is what a server is made of. Fields without "may be" have no default.
type Config struct {
	// Listen are the addresses to listen on, host:port.
	Listen []string
	// HostKey is the satellite's key; its fingerprint is in every challenge.
	HostKey ssh.Signer
	// Network is the Bitcoin network of the accounts; the zero value is mainnet.
	Network keys.Network
	// Judge is the engine's own judgement of a proof: who it is of, how much it may do, and why not. It is asked after
	// the login's own checks, again for each session, and again for each open connection when trust changed; from several
	// goroutines at once. Its error is shown to the client.
	Judge func(api.Proof) (account string, scope api.Scope, err error)
	// Watch tells when trust changed: by a value, or by closing the channel, after which it is called anew. stop ends it.
	// It may be nil: then open connections are judged every JudgeEvery alone.
	Watch func() (changed <-chan struct{}, stop func())
	// Decided is told of each verdict on a login, "allow" or "deny"; account and key are as claimed where they are denied,
	// key is empty where there was none. Of denials from one source it is told at a bounded rate. It must not block. It may
	// be nil.
	Decided func(account, key, verdict, reason string)
	// Pasted is what a login by a signature alone, without an SSH key, may do; the zero value is PastedRead.
	Pasted Pasted
	// Admission gives the owner's signed admission of this satellite, if there is one: it goes into the host certificate.
	// It is asked for each connection and must not block. It may be nil.
	Admission func() (statement.Signed, bool)
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

	flaws flaws // of tests
}

// Pasted is what a login may do that was made without an SSH key. It could have been relayed by a false satellite.
type Pasted string

// What it may do.
const (
	PastedNo   Pasted = "no"
	PastedRead Pasted = "read"
)

// Limits bound what strangers and users can hold of the server.
type Limits struct {
	Handshakes    int           // under way at once before keys are exchanged, and as many after
	FromOneSource int           // of those, from one IPv4 address or IPv6 /64
	Rate          float64       // connections per second from one source, in the long run; a login that succeeds does not count
	Burst         int           // of those, at once
	Connections   int           // at once, handshakes included
	Sessions      int           // at once on one connection
	Exchange      time.Duration // from accepting to exchanged keys; at most Handshake
	Handshake     time.Duration // for each further step of the login, but for the challenge
	Challenge     time.Duration // from showing a challenge to its signature
	Write         time.Duration // for the peer to take a packet
	Leave         time.Duration // for sessions to end when the server does
	JudgeEvery    time.Duration // open connections are judged again, for what ends by the clock
}

// DefaultLimits suit a satellite with some hundreds of users. Challenges live longer than other steps: people
// carry them to a wallet and back.
func DefaultLimits() Limits {
	return Limits{
		Handshakes: 512, FromOneSource: 32, Rate: 10, Burst: 100, Connections: 2000, Sessions: 10,
		Exchange: 10 * time.Second, Handshake: 30 * time.Second, Challenge: 120 * time.Second, Write: 60 * time.Second,
		Leave: 3 * time.Second, JudgeEvery: 30 * time.Second,
	}
}

// The limits that are not for configuration.
const (
	// maxChallenges is how often one connection may try; OpenSSH itself tries three times.
	maxChallenges = 3
	// maxAuthTries counts failures of any kind. OpenSSH offers all keys of its agent again once one of them was held; that is
	// no guessing, for any key will do.
	maxAuthTries = 20
	// grace is what a challenge's answer may take on the wire beyond the challenge's life.
	grace = 5 * time.Second
	// maxSkew is by how much a client's clock may be ahead, when it makes a delegation and a certificate.
	maxSkew = 30 * time.Second
	// maxSources bounds the tables of sources' rates.
	maxSources = 4096
	// maxKnown bounds the sources that are remembered for a login.
	maxKnown = 1024
	// deniedRate and deniedBurst are how many denials per second and at once of one source are told to Decided.
	deniedRate, deniedBurst = 1, 20
	// judgePause is the least time between two judgements of all connections, judgeAtOnce how many are judged at once.
	judgePause, judgeAtOnce = 100 * time.Millisecond, 4
	// settle is what a command has to end by itself on a connection that must end.
	settle = 200 * time.Millisecond
	// farewell is what the sessions of a connection that must end have, to tell their terminals why.
	farewell = 500 * time.Millisecond
)

func (l Limits) withDefaults() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ have, want *int }{
		{&l.Handshakes, &d.Handshakes}, {&l.FromOneSource, &d.FromOneSource}, {&l.Burst, &d.Burst},
		{&l.Connections, &d.Connections}, {&l.Sessions, &d.Sessions},
	} {
		if *f.have <= 0 {
			*f.have = *f.want
		}
	}
	for _, f := range []struct{ have, want *time.Duration }{
		{&l.Exchange, &d.Exchange}, {&l.Handshake, &d.Handshake}, {&l.Challenge, &d.Challenge}, {&l.Write, &d.Write},
		{&l.Leave, &d.Leave}, {&l.JudgeEvery, &d.JudgeEvery},
	} {
		if *f.have <= 0 {
			*f.have = *f.want
		}
	}
	if l.Rate <= 0 {
		l.Rate = d.Rate
	}
	return l
}

// check tells what is missing, and fills in what may be.
func (c *Config) check() error {
	for name, missing := range map[string]bool{
		"HostKey": c.HostKey == nil, "Judge": c.Judge == nil, "Open": c.Open == nil, "Exec": c.Exec == nil, "TUI": c.TUI == nil,
	} {
		if missing {
			return api.Errorf(api.CodeInvalid, "the SSH server's configuration has no %s", name)
		}
	}
	if c.HostKey.PublicKey().Type() != ssh.KeyAlgoED25519 {
		return &api.Error{Code: api.CodeInvalid, Message: "the SSH host key is of type " + c.HostKey.PublicKey().Type(), Hint: "use ed25519"}
	}
	switch c.Pasted {
	case "":
		c.Pasted = PastedRead
	case PastedNo, PastedRead:
	default:
		return &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("%q is not what a login without an SSH key may do", c.Pasted), Hint: "use no or read"}
	}
	if c.Decided == nil {
		c.Decided = func(string, string, string, string) {}
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
