package sshd

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/engine/proof"
	"decenter/keys"
	"decenter/keys/statement"
	"decenter/shell/keycmd"
)

// TestMain makes of the test binary also `decenter key`, for OpenSSH to run as its askpass program.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "key" {
		os.Exit(keycmd.Run(context.Background(), os.Args[2:], keycmd.OSEnv()))
	}
	if os.Getenv("SSHD_TEST_SIGN_BLINDLY") != "" {
		os.Exit(signBlindly(os.Args[1]))
	}
	if keycmd.IsAskpass(os.Args, os.Getenv) {
		os.Exit(keycmd.Askpass(context.Background(), os.Args[1:], keycmd.OSEnv()))
	}
	os.Exit(m.Run())
}

// service is the constellation as one caller sees it: it knows the caller.
type service struct {
	api.Service
	caller api.Caller
}

func (s service) Hello(context.Context) (api.Hello, error) {
	return api.Hello{Account: s.caller.Account}, nil
}

// world is a server and what it saw.
type world struct {
	t      testing.TB
	addr   string
	host   ssh.Signer
	server *Server
	stop   func()

	mu       sync.Mutex
	allowed  map[string]bool
	revoked  map[string]time.Time // by account and key
	changed  chan struct{}
	now      func() time.Time
	verdicts []string
	ended    chan string // commands that ctx ended
}

// Revoked is of proof.Revocations.
func (w *world) Revoked(account keys.Address, key keys.Fingerprint, at time.Time) (statement.Revocation, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	when, found := w.revoked[account.String()+" "+key.String()]
	return statement.Revocation{Account: account, Key: key, At: when}, found && !when.Before(at)
}

// revoke takes back what the account's holder let a key do, from now on.
func (w *world) revoke(account keys.Address, key ssh.PublicKey) {
	w.mu.Lock()
	w.revoked[account.String()+" "+fingerprint(key).String()] = w.now()
	w.mu.Unlock()
	w.changed <- struct{}{}
}

// judge is the engine's judgement: its own proof package, and the accounts that are allowed.
func (w *world) judge() func(api.Proof) (string, api.Scope, error) {
	judge := proof.NewJudge(keys.Mainnet)
	self := fingerprint(w.host.PublicKey())
	return func(p api.Proof) (string, api.Scope, error) {
		w.mu.Lock()
		now := w.now()
		w.mu.Unlock()
		s, err := judge.Check(p, self, w, now)
		if err != nil {
			return "", "", err
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.allowed[s.Account.String()] {
			return "", "", &api.Error{Code: api.CodeDenied, Message: "nobody let this account in", Hint: "ask an owner of the constellation"}
		}
		return s.Account.String(), s.Scope, nil
	}
}

// trusting is a judge that believes whatever the login let pass, so that a test sees the login's own checks alone.
func trusting(c *Config) {
	c.Judge = func(p api.Proof) (string, api.Scope, error) {
		scope := api.ScopeAll
		if p.Key == "" {
			scope = api.ScopeRead
		}
		if challenge, err := keys.ParseChallenge(keys.Mainnet, p.Line); err == nil {
			return challenge.Account.String(), scope, nil
		}
		s, err := statement.Parse(keys.Mainnet, p.Line)
		if err != nil {
			return "", "", err
		}
		return s.Signer().String(), scope, nil
	}
}

type option func(*Config)

// newWorld starts a server on the loopback that ends with the test.
func newWorld(t testing.TB, options ...option) *world {
	t.Helper()
	w := &world{t: t, host: newSigner(t), allowed: map[string]bool{}, revoked: map[string]time.Time{},
		changed: make(chan struct{}, 1), now: time.Now, ended: make(chan string, 8)}
	cfg := Config{
		Listen: []string{"127.0.0.1:0"}, HostKey: w.host,
		Judge: w.judge(),
		Watch: func() (<-chan struct{}, func()) { return w.changed, func() {} },
		Decided: func(account, key, verdict, reason string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.verdicts = append(w.verdicts, strings.Join([]string{account, key, verdict, reason}, " "))
		},
		Open: func(c api.Caller) api.Service { return service{caller: c} },
		Exec: w.exec,
		TUI: func(_ context.Context, svc api.Service, s Screen) tea.Model {
			return screen{svc.(service).caller.Account, s.Width, s.Height}
		},
		Now:    func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now() },
		Log:    slog.New(slog.NewTextHandler(testLog{t}, nil)),
		Limits: Limits{Burst: 100_000}, // all tests come from one address
	}
	for _, o := range options {
		o(&cfg)
	}
	var err error
	if w.server, err = New(cfg); err != nil {
		t.Fatal(err)
	}
	w.addr = w.server.Addrs()[0].String()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- w.server.Serve(ctx) }()
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	t.Cleanup(w.stop)
	return w
}

type testLog struct{ t testing.TB }

func (l testLog) Write(b []byte) (int, error) {
	l.t.Log(strings.TrimSuffix(string(b), "\n"))
	return len(b), nil
}

// exec is a tiny language for commands.
func (w *world) exec(ctx context.Context, c Call) int {
	verb, rest, _ := strings.Cut(strings.TrimSpace(c.Raw), " ")
	switch verb {
	case "whoami":
		h, _ := c.Service.Hello(ctx)
		fmt.Fprintln(c.Out, h.Account, c.Service.(service).caller.Via)
	case "proof":
		p := c.Service.(service).caller.Proof
		fmt.Fprintf(c.Out, "[%s] [%s]\n", p.Line, p.Key)
	case "raw":
		fmt.Fprintf(c.Out, "%q\n", c.Raw)
	case "exit":
		code := 0
		fmt.Sscan(rest, &code)
		return code
	case "fail":
		fmt.Fprintln(c.Err, "what was wrong")
		return api.ExitFailed
	case "cat":
		_, _ = io.Copy(c.Out, c.In)
	case "env":
		fmt.Fprintln(c.Out, strings.Join(c.Env, " "))
	case "wait":
		fmt.Fprintln(c.Out, "waiting")
		<-ctx.Done()
		w.ended <- rest
		return api.ExitUsage
	case "ask":
		answer, err := c.Terminal.Ask("name? ")
		fmt.Fprintf(c.Out, "[%s] %v\n", answer, err)
	default:
		fmt.Fprintln(c.Err, "no such word:", verb)
		return api.ExitUsage
	}
	return api.ExitDone
}

func (w *world) allow(account keys.Address) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.allowed[account.String()] = true
}

func (w *world) shift(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = func() time.Time { return time.Now().Add(d) }
}

// screen is a console that shows who and how large, and leaves at q.
type screen struct {
	account       string
	width, height int
}

func (s screen) Init() tea.Cmd { return nil }
func (s screen) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		s.width, s.height = msg.Width, msg.Height
	case tea.KeyPressMsg:
		if msg.String() == "q" {
			return s, tea.Quit
		}
	}
	return s, nil
}
func (s screen) View() tea.View {
	v := tea.NewView(fmt.Sprintf("console of %s, size=%dx%d.", s.account, s.width, s.height))
	v.AltScreen = true
	return v
}

// holder is a person with an account and an SSH key.
type holder struct {
	secret  keys.PrivateKey
	account keys.Address
	signer  ssh.Signer
}

func newHolder(t testing.TB, kind keys.Kind) holder {
	t.Helper()
	secret, err := keys.NewPrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return holder{secret, secret.Address(keys.Mainnet, kind), newSigner(t)}
}

func newSigner(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// answer signs whatever challenge a prompt holds, as the holder, without any of the checks of a good signer.
func (h holder) answer(t testing.TB) ssh.KeyboardInteractiveChallenge {
	return func(name, instruction string, questions []string, echos []bool) ([]string, error) {
		if name != "" || instruction != "" || len(questions) != 1 || !strings.HasPrefix(questions[0], "\n") {
			t.Errorf("name %q, instruction %q, questions %q", name, instruction, questions)
		}
		line := challengeLine(questions[0])
		signature, err := h.secret.Sign(h.account, line)
		if err != nil {
			return nil, err
		}
		return []string{signature}, nil
	}
}

func challengeLine(prompt string) string {
	for line := range strings.Lines(prompt) {
		if strings.HasPrefix(line, "decenter login") {
			return strings.TrimRight(line, "\r\n")
		}
	}
	return ""
}

// dial logs in with x/crypto's client.
func (w *world) dial(user string, auth ...ssh.AuthMethod) (*ssh.Client, string, error) {
	var banners strings.Builder
	client, err := ssh.Dial("tcp", w.addr, &ssh.ClientConfig{
		User: user, Auth: auth, HostKeyCallback: ssh.FixedHostKey(w.host.PublicKey()), Timeout: 30 * time.Second,
		BannerCallback: func(message string) error { banners.WriteString(message); return nil },
	})
	if err == nil {
		w.t.Cleanup(func() { client.Close() })
	}
	return client, banners.String(), err
}

func (w *world) login(h holder) (*ssh.Client, string, error) {
	return w.dial(h.account.String(), ssh.PublicKeys(h.signer), ssh.KeyboardInteractive(h.answer(w.t)))
}

func (w *world) mustLogin(h holder) *ssh.Client {
	w.t.Helper()
	client, banner, err := w.login(h)
	if err != nil {
		w.t.Fatalf("%v; banner %q", err, banner)
	}
	return client
}

// output runs a command and gives stdout, stderr and the exit code.
func output(t testing.TB, client *ssh.Client, command string) (string, string, int) {
	t.Helper()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	var out, errOut strings.Builder
	session.Stdout, session.Stderr = &out, &errOut
	return out2(session.Run(command), &out, &errOut)
}

func out2(err error, out, errOut *strings.Builder) (string, string, int) {
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return out.String(), errOut.String(), 0
	case errors.As(err, &exit):
		return out.String(), errOut.String(), exit.ExitStatus()
	}
	return out.String(), errOut.String() + err.Error(), -1
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatalf("not in time: %s", what)
}

func dialRaw(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func (*world) noTUI(context.Context, api.Service, Screen) tea.Model { return screen{} }
