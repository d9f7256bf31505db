package sshd

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A person without an SSH key pastes a signature, is told what that is worth, and how to get more.
func TestOpenSSHWithoutAKeyMayLook(t *testing.T) {
	u := newUser(t, newWorld(t))
	c := u.ssh(u.account, "", "proof")
	c.Env = append(c.Env, "SSH_ASKPASS_REQUIRE=never")
	s := u.sit("xterm", 24, 250, c)
	shown := s.sees("Signature: ")
	for _, want := range []string{"you may look, and change nothing", "ssh-keygen -t ed25519", "decenter key delegate", " with no-key "} {
		if !strings.Contains(shown, want) {
			t.Errorf("the person is not shown %q in %q", want, shown)
		}
	}
	signature, errOut, code := run1(u.command("sh", "-c", fmt.Sprintf("SSHD_TEST_SIGN_BLINDLY=1 exec %s '%s'", os.Args[0], challengeLine(shown))))
	if code != 0 {
		t.Fatalf("not signed: %s", errOut)
	}
	s.types(signature)
	s.sees("[decenter login 1 at ")
	if code := s.leaves(); code != 0 {
		t.Errorf("exit %d", code)
	}
}

// A user name that is no account gets a clear message, whatever ssh would try.
func TestOpenSSHIsToldThatTheNameIsNoAccount(t *testing.T) {
	u := newUser(t, newWorld(t))
	for name, c := range map[string]struct {
		key  string
		args []string
	}{"with a key": {"id_ed25519", nil}, "without a key": {"", nil}, "a script": {"", []string{"-oBatchMode=yes"}}} {
		_, errOut, code := run1(u.ssh("root", c.key, append(c.args, "whoami")...))
		if code != 255 || strings.Count(errOut, "The user name must be your account, a Bitcoin address.") != 1 {
			t.Errorf("%s: exit %d, %q", name, code, errOut)
		}
	}
}

// OpenSSH offers every key it has again after the first was held; many keys do not use up the tries.
func TestOpenSSHWithManyKeysGetsIn(t *testing.T) {
	u := newUser(t, newWorld(t))
	args := []string{}
	for i := range 10 {
		args = append(args, "-oIdentityFile="+u.newSSHKey(fmt.Sprintf("id_many%d", i)))
	}
	u.vars = []string{"DECENTER_SSH_KEY=" + filepath.Join(u.home, ".ssh/id_many0.pub")}
	if out, errOut, code := run1(u.ssh(u.account, "id_ed25519", append(args, "whoami")...)); out != u.account+" ssh\n" {
		t.Errorf("exit %d, %q", code, errOut)
	}
}

// Who sits at the console when the key is revoked finds the screen as it was before, and a line that says why.
func TestTheConsoleSaysWhyItEnds(t *testing.T) {
	w := newWorld(t)
	u := newUser(t, w)
	s := u.sit("xterm-256color", 24, 80, u.ssh(u.account, "id_ed25519"))
	s.sees("console of ")
	began := time.Now()
	w.mu.Lock()
	w.allowed[u.account] = false
	w.mu.Unlock()
	w.changed <- struct{}{}
	s.sees("\x1b[?1049l")
	s.sees("decenter: this connection ends: nobody let this account in")
	code := s.leaves()
	if took := time.Since(began); code != 4 || took > DefaultLimits().JudgeEvery/2 { // it is told, and not found out by and by
		t.Errorf("exit %d after %v", code, took)
	}
}

// A certificate's connection is shared by further sessions (ControlMaster), each judged anew.
func TestOpenSSHSharesAConnection(t *testing.T) {
	w := newWorld(t)
	u := newUser(t, w)
	u.delegate("id_ed25519")
	path := filepath.Join(u.home, "ctl")
	share := []string{"-oBatchMode=yes", "-oControlPath=" + path}
	master := u.ssh(u.account, "id_ed25519", append(share, "-oControlMaster=yes", "-N")...)
	if err := master.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = master.Process.Kill(); _ = master.Wait() }()
	eventually(t, "the connection is there", func() bool { _, _, code := run1(u.ssh(u.account, "", append(share, "-Ocheck")...)); return code == 0 })
	use := append(share, "-oControlMaster=no", "whoami")
	if out, errOut, _ := run1(u.ssh(u.account, "", use...)); out != u.account+" ssh\n" {
		t.Fatalf("shared: %q, %q", out, errOut)
	}
	w.mu.Lock()
	w.allowed[u.account] = false
	w.mu.Unlock()
	if out, errOut, code := run1(u.ssh(u.account, "", use...)); out != "" || code == 0 || !strings.Contains(errOut, "Session open refused by peer") {
		t.Errorf("after the account was taken off: exit %d, %q, %q", code, out, errOut)
	}
}

// Keys of other kinds name themselves in the challenge as well.
func TestAnyKindOfSSHKeyWillDo(t *testing.T) {
	w := newWorld(t)
	u := newUser(t, w)
	for _, kind := range []string{"ecdsa", "rsa"} {
		path := filepath.Join(u.home, ".ssh", "id_"+kind)
		if out, err := u.command(tool(t, "ssh-keygen"), "-q", "-t", kind, "-N", "", "-f", path).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
		if out, errOut, code := run1(u.ssh(u.account, "id_"+kind, "whoami")); out != u.account+" ssh\n" {
			t.Errorf("%s: exit %d, %q", kind, code, errOut)
		}
		u.delegate("id_" + kind)
		if out, errOut, code := run1(u.ssh(u.account, "id_"+kind, "-oBatchMode=yes", "whoami")); out != u.account+" ssh\n" {
			t.Errorf("%s certificate: exit %d, %q", kind, code, errOut)
		}
	}
}
