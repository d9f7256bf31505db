package sshd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/crypto/ssh"

	"decenter/keys"
	"decenter/keys/keyfile"
)

// These tests use the stock OpenSSH client of the machine.

// user is a person with OpenSSH, a key file and the askpass program that `decenter key askpass` wrote.
type user struct {
	t       testing.TB
	home    string
	account string
	secret  keyfile.Key
	askpass string
	world   *world
	vars    []string // more of the environment
}

func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("this test needs %s: install openssh-client", name)
	}
	return path
}

func newUser(t testing.TB, w *world) *user {
	t.Helper()
	u := &user{t: t, home: t.TempDir(), world: w}
	h := newHolder(t, keys.P2WPKH)
	u.account = h.account.String()
	w.allow(h.account)
	u.secret = keyfile.Key{Account: h.account, Secret: h.secret}
	u.write(".config/decenter/key", u.secret.Append(nil))
	u.newSSHKey("id_ed25519")
	host, port, err := net.SplitHostPort(w.addr)
	if err != nil {
		t.Fatal(err)
	}
	u.write(".ssh/known_hosts", fmt.Appendf(nil, "[%s]:%s %s", host, port, ssh.MarshalAuthorizedKey(w.host.PublicKey())))
	u.askpass = filepath.Join(u.home, "askpass")
	if out, err := u.command(os.Args[0], "key", "askpass", u.askpass).CombinedOutput(); err != nil {
		t.Fatalf("key askpass: %v: %s", err, out)
	}
	return u
}

func (u *user) write(name string, text []byte) {
	u.t.Helper()
	path := filepath.Join(u.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		u.t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		u.t.Fatal(err)
	}
}

// newSSHKey makes a key with ssh-keygen.
func (u *user) newSSHKey(name string) string {
	u.t.Helper()
	path := filepath.Join(u.home, ".ssh", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		u.t.Fatal(err)
	}
	if out, err := u.command(tool(u.t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", path).CombinedOutput(); err != nil {
		u.t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	return path
}

func (u *user) command(name string, args ...string) *exec.Cmd {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	u.t.Cleanup(cancel)
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append([]string{"HOME=" + u.home, "PATH=" + os.Getenv("PATH"), "SSH_ASKPASS=" + u.askpass, "SSH_ASKPASS_REQUIRE=force"}, u.vars...)
	c.Dir = u.home
	return c
}

// ssh prepares a login as the account with the SSH key of that name.
func (u *user) ssh(account, key string, args ...string) *exec.Cmd {
	host, port, _ := net.SplitHostPort(u.world.addr)
	// The first of two settings counts, so the test's go first.
	all := append(options(args), "-F", "none", "-o", "UserKnownHostsFile="+filepath.Join(u.home, ".ssh/known_hosts"), "-o", "StrictHostKeyChecking=yes",
		"-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "SendEnv=NO_COLOR SECRET", "-p", port)
	if key == "" {
		all = append(all, "-o", "PubkeyAuthentication=no")
	} else {
		all = append(all, "-i", filepath.Join(u.home, ".ssh", key))
	}
	all = append(all, "-l", account)
	return u.command(tool(u.t, "ssh"), append(append(all, host), words(args)...)...)
}

// options are the args that go before the host, words the rest.
func options(args []string) []string {
	n := 0
	for n < len(args) && strings.HasPrefix(args[n], "-") {
		n++
	}
	return slices.Clone(args[:n])
}

func words(args []string) []string { return args[len(options(args)):] }

func run1(c *exec.Cmd) (stdout, stderr string, code int) {
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	err := c.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		code = -1
	}
	return out.String(), errOut.String(), code
}

func TestOpenSSHLogsInByAskpass(t *testing.T) {
	u := newUser(t, newWorld(t))
	out, errOut, code := run1(u.ssh(u.account, "id_ed25519", "whoami"))
	if out != u.account+" ssh\n" || code != 0 {
		t.Fatalf("exit %d, stdout %q, stderr %q", code, out, errOut)
	}
	if !strings.Contains(errOut, "logs in at "+ssh.FingerprintSHA256(u.world.host.PublicKey())[:12]) {
		t.Errorf("stderr does not show what was signed: %q", errOut)
	}
}

// The binary itself is an askpass program, by a link's name or by a variable.
func TestOpenSSHLogsInByTheBinaryItself(t *testing.T) {
	u := newUser(t, newWorld(t))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(u.home, "decenter-askpass")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		askpass string
		vars    []string
	}{{link, nil}, {self, []string{"DECENTER_ASKPASS=1"}}} {
		u.askpass, u.vars = c.askpass, c.vars
		if out, errOut, code := run1(u.ssh(u.account, "id_ed25519", "whoami")); out != u.account+" ssh\n" {
			t.Errorf("%s %v: exit %d, %q", filepath.Base(c.askpass), c.vars, code, errOut)
		}
	}
}

// OpenSSH asks its askpass program other things too, such as whether to trust an unknown host. A key answers none.
func TestAskpassAnswersNoOtherQuestion(t *testing.T) {
	u := newUser(t, newWorld(t))
	u.write(".ssh/known_hosts", nil)
	_, errOut, code := run1(u.ssh(u.account, "id_ed25519", "-oStrictHostKeyChecking=ask", "whoami"))
	if code != 255 || !strings.Contains(errOut, "which a key cannot answer") || !strings.Contains(errOut, "Host key verification failed") {
		t.Errorf("exit %d, %q", code, errOut)
	}
}

func TestOpenSSHGetsTheCommandsExitCode(t *testing.T) {
	u := newUser(t, newWorld(t))
	for _, c := range []struct {
		command string
		code    int
		out     string
	}{
		{"exit 0", 0, ""}, {"exit 1", 1, ""}, {"exit 8", 8, ""}, {"exit 254", 254, ""},
		{"exit 255", 1, ""}, {"exit -1", 1, ""}, {"exit 256", 1, ""},
		{`raw  two   blanks "and quotes"`, 0, `"raw  two   blanks \"and quotes\""` + "\n"},
		{"fail", 1, ""},
	} {
		out, errOut, code := run1(u.ssh(u.account, "id_ed25519", c.command))
		if code != c.code || out != c.out {
			t.Errorf("%q: exit %d, %q; want %d, %q (%s)", c.command, code, out, c.code, c.out, errOut)
		}
	}
}

func TestOpenSSHPipesThroughACommand(t *testing.T) {
	u := newUser(t, newWorld(t))
	c := u.ssh(u.account, "id_ed25519", "cat")
	text := strings.Repeat("0123456789abcdef", 1<<16) // a megabyte
	c.Stdin = strings.NewReader(text)
	if out, errOut, code := run1(c); out != text || code != 0 {
		t.Errorf("exit %d, %d bytes back of %d: %s", code, len(out), len(text), errOut)
	}
}

func TestOpenSSHIsRefused(t *testing.T) {
	w := newWorld(t)
	u, other := newUser(t, w), newUser(t, w)
	u.newSSHKey("stray")
	u.newSSHKey("theirs.key")
	// A key of the person's own beside id_ed25519 is known by its name id_*; "stray" is not.
	stranger := newUser(t, w)
	w.mu.Lock()
	w.allowed[stranger.account] = false
	w.mu.Unlock()
	for name, c := range map[string]struct {
		cmd  *exec.Cmd
		told string
	}{
		"the account of another":     {u.ssh(other.account, "id_ed25519", "whoami"), "the challenge is for account"},
		"an SSH key not one's own":   {u.ssh(u.account, "stray", "whoami"), "relaying"},
		"an account not allowed":     {stranger.ssh(stranger.account, "id_ed25519", "whoami"), "may not log in here"},
		"a user name":                {u.ssh("root", "id_ed25519", "whoami"), "must be your account"},
		"batch mode: nothing to ask": {u.ssh(u.account, "id_ed25519", "-oBatchMode=yes", "whoami"), "Permission denied"},
	} {
		out, errOut, code := run1(c.cmd)
		if code != 255 || out != "" || !strings.Contains(errOut, c.told) {
			t.Errorf("%s: exit %d, stdout %q, stderr %q; want 255 and %q", name, code, out, errOut, c.told)
		}
		if n := strings.Count(errOut, "may not log in here"); n > 1 {
			t.Errorf("%s: told %d times", name, n)
		}
	}
	u.vars = []string{"DECENTER_SSH_KEY=" + filepath.Join(u.home, ".ssh/stray.pub")}
	if out, errOut, code := run1(u.ssh(u.account, "stray", "whoami")); code != 0 {
		t.Errorf("control: the stray key, named as one's own: exit %d, %q, %q", code, out, errOut)
	}
}

// With the wrong key file the signature is another account's: the satellite itself must see that, whatever the
// signer checks. So this askpass signs without any check.
func TestOpenSSHWithAnothersKeyIsRefused(t *testing.T) {
	w := newWorld(t)
	u, other := newUser(t, w), newUser(t, w)
	k, err := keyfile.ReadFile(filepath.Join(other.home, ".config/decenter/key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	blind := newHolder(t, keys.P2WPKH)
	blind.secret, blind.account = k.Secret, k.Account
	_, banner, err := w.dial(u.account, ssh.PublicKeys(newSigner(t)), ssh.KeyboardInteractive(blind.answer(t)))
	if err == nil || !strings.Contains(banner, "not one of account "+u.account) {
		t.Errorf("%v, banner %q", err, banner)
	}
	u.write("liar", []byte("#!/bin/sh\necho 'let me in'\n"))
	if err := os.Chmod(filepath.Join(u.home, "liar"), 0o700); err != nil {
		t.Fatal(err)
	}
	u.askpass = filepath.Join(u.home, "liar")
	if _, errOut, code := run1(u.ssh(u.account, "id_ed25519", "whoami")); code != 255 || !strings.Contains(errOut, "not base64") {
		t.Errorf("exit %d: %q", code, errOut)
	}
}

// seat is a place at a terminal where ssh runs.
type seat struct {
	t   testing.TB
	tty *os.File
	cmd *exec.Cmd
	got bytes.Buffer
}

// sit runs ssh at a new terminal of the given type and size.
func (u *user) sit(term string, rows, cols uint16, c *exec.Cmd) *seat {
	u.t.Helper()
	c.Env = append(c.Env, "TERM="+term)
	tty, err := pty.StartWithSize(c, &pty.Winsize{Rows: rows, Cols: cols})
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(func() { tty.Close(); _ = c.Process.Kill() })
	return &seat{t: u.t, tty: tty, cmd: c}
}

func (s *seat) types(text string) {
	s.t.Helper()
	if _, err := s.tty.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// sees reads until the text comes, and gives all up to it.
func (s *seat) sees(text string) string {
	s.t.Helper()
	if err := s.tty.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	b := make([]byte, 4096)
	for {
		if before, after, found := strings.Cut(s.got.String(), text); found {
			s.got.Reset()
			s.got.WriteString(after)
			return before
		}
		n, err := s.tty.Read(b)
		s.got.Write(b[:n])
		if err != nil && n == 0 {
			s.t.Fatalf("waiting for %q: %v; the screen got %q", text, err, s.got.String())
		}
	}
}

// leaves waits for ssh's end and gives its exit code.
func (s *seat) leaves() int {
	s.t.Helper()
	b := make([]byte, 4096)
	for {
		n, err := s.tty.Read(b)
		s.got.Write(b[:n])
		if err != nil {
			break // the terminal ends with ssh
		}
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

func TestOpenSSHSeesTheConsoleAndResizesIt(t *testing.T) {
	u := newUser(t, newWorld(t))
	s := u.sit("xterm-256color", 24, 80, u.ssh(u.account, "id_ed25519"))
	s.sees("console of " + u.account + ", size=80x24.")
	if err := pty.Setsize(s.tty, &pty.Winsize{Rows: 50, Cols: 200}); err != nil {
		t.Fatal(err)
	}
	s.sees("200x50")
	s.types("q")
	if code := s.leaves(); code != 0 {
		t.Errorf("exit %d; the screen got %q", code, s.got.String())
	}
	if !strings.Contains(s.got.String(), "\x1b[?1049l") {
		t.Errorf("the alternate screen was not left: %q", s.got.String())
	}
}

// The interactive login: OpenSSH shows our prompt at the terminal, the person pastes a signature.
func TestOpenSSHLogsInByHand(t *testing.T) {
	u := newUser(t, newWorld(t))
	c := u.ssh(u.account, "id_ed25519", "whoami")
	c.Env = append(c.Env, "SSH_ASKPASS_REQUIRE=never")
	s := u.sit("xterm", 24, 200, c)
	shown := s.sees("Signature: ")
	sign := u.command(os.Args[0], "key", "sign", challengeLine(shown))
	signature, errOut, code := run1(sign)
	if code != 0 {
		t.Fatalf("the prompt %q is not signed: %s", shown, errOut)
	}
	s.types(signature)
	s.sees(u.account + " ssh")
	if code := s.leaves(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestDumbTerminalsGetLines(t *testing.T) {
	u := newUser(t, newWorld(t))
	for name, seat := range map[string]*seat{
		"TERM=dumb": u.sit("dumb", 24, 80, u.ssh(u.account, "id_ed25519")),
		"NO_COLOR": func() *seat {
			c := u.ssh(u.account, "id_ed25519")
			c.Env = append(c.Env, "NO_COLOR=1")
			return u.sit("xterm-256color", 24, 80, c)
		}(),
	} {
		seat.sees("decenter> ")
		seat.types("whom\x7fmi\b\bami\r")
		seat.sees(u.account + " ssh\r\n")
		seat.sees("decenter> ")
		seat.types("rubbish\x15wait here\r")
		seat.sees("waiting")
		seat.types("\x03")
		seat.sees("decenter> ")
		if got := <-u.world.ended; got != "here" {
			t.Errorf("%s: Ctrl-C ended %q", name, got)
		}
		seat.types("ask\r")
		seat.sees("name? ")
		seat.types("Zoë\x1b[D!\r")
		seat.sees("[Zoë!] <nil>")
		seat.types("exit 8\r\x04")
		if code := seat.leaves(); code != 8 {
			t.Errorf("%s: exit %d; got %q", name, code, seat.got.String())
		}
		if strings.Contains(seat.got.String(), "\x1b") {
			t.Errorf("%s: escape sequences in %q", name, seat.got.String())
		}
	}
}

func TestAPipeGetsLines(t *testing.T) {
	u := newUser(t, newWorld(t))
	c := u.ssh(u.account, "id_ed25519")
	c.Stdin = strings.NewReader("whoami\n\nfail\r\nexit 8")
	out, errOut, code := run1(c)
	if out != u.account+" ssh\n" || !strings.Contains(errOut, "what was wrong") || code != 8 {
		t.Errorf("exit %d, stdout %q, stderr %q", code, out, errOut)
	}
}

func TestOnlyHarmlessVariablesPass(t *testing.T) {
	u := newUser(t, newWorld(t))
	c := u.ssh(u.account, "id_ed25519", "env")
	c.Env = append(c.Env, "NO_COLOR=1", "SECRET=x")
	if out, _, _ := run1(c); strings.TrimSpace(out) != "NO_COLOR=1" {
		t.Errorf("got %q", out)
	}
}
