package shell

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/engine/api/apitest"
	"decenter/keys"
	"decenter/shell/sshd"
)

// overSSH lets a new account into a constellation by a real server on the loopback.
func overSSH(t *testing.T, ctx context.Context, c *apitest.Constellation) *ssh.Client {
	t.Helper()
	secret, err := keys.NewPrivateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	account := secret.Address(keys.Mainnet, keys.P2WPKH)
	host, own := sshKey(t), sshKey(t)
	server, err := sshd.New(sshd.Config{
		Listen: []string{"127.0.0.1:0"}, HostKey: host, Exec: SSH,
		Judge: func(api.Proof) (string, api.Scope, error) { return account.String(), api.ScopeAll, nil },
		TUI:   func(context.Context, api.Service, sshd.Screen) tea.Model { return nil }, // no test here opens it
		Open:  func(who api.Caller) api.Service { return c.As(who.Account, "s1") },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	sign := func(_, _ string, questions []string, _ []bool) ([]string, error) {
		for line := range strings.Lines(strings.Join(questions, "\n")) {
			if strings.HasPrefix(line, "decenter login") {
				signature, err := secret.Sign(account, strings.TrimRight(line, "\r\n"))
				return []string{signature}, err
			}
		}
		return make([]string, len(questions)), nil
	}
	client, err := ssh.Dial("tcp", server.Addrs()[0].String(), &ssh.ClientConfig{
		User: account.String(), Auth: []ssh.AuthMethod{ssh.PublicKeys(own), ssh.KeyboardInteractive(sign)},
		HostKeyCallback: ssh.FixedHostKey(host.PublicKey()), Timeout: 10 * time.Second,
	})
	t.Cleanup(func() {
		if client != nil {
			_ = client.Close()
		}
		cancel()
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func sshKey(t *testing.T) ssh.Signer {
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

// beginSSH starts a command, or with none line mode, on a terminal of the given kind; none without.
func beginSSH(t *testing.T, client *ssh.Client, term, command string) (*ssh.Session, io.WriteCloser, *screen) {
	t.Helper()
	session, err := client.NewSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	shown := &screen{}
	session.Stdout, session.Stderr = shown, shown
	keyboard, err := session.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if term != "" {
		if err := session.RequestPty(term, 24, 80, ssh.TerminalModes{}); err != nil {
			t.Fatal(err)
		}
	}
	if command == "" {
		err = session.Shell()
	} else {
		err = session.Start(command)
	}
	if err != nil {
		t.Fatal(err)
	}
	return session, keyboard, shown
}

func exitsSSH(t *testing.T, session *ssh.Session, want int) {
	t.Helper()
	code := run(t.Context(), func() int {
		err := session.Wait()
		if exit, ok := err.(*ssh.ExitError); ok {
			return exit.ExitStatus()
		}
		if err != nil {
			return -1
		}
		return 0
	})
	exits(t, code, want)
}

func types(t *testing.T, keyboard io.Writer, s string) {
	t.Helper()
	if _, err := io.WriteString(keyboard, s); err != nil {
		t.Fatal(err)
	}
}

func TestOverRealSSH(t *testing.T) {
	ctx, c := world(t)
	c.AddVM(api.VM{Name: "web-1"})
	client := overSSH(t, ctx, c)

	t.Run("a serial console on a terminal", func(t *testing.T) {
		session, keyboard, shown := beginSSH(t, client, "xterm", "console web-1")
		shown.await(t, "leaves it")
		types(t, keyboard, "hostname\r")
		shown.await(t, "web-1\r\n"+apitest.Prompt)
		types(t, keyboard, "nonsense\x03\x1dq") // Ctrl-C is the guest's
		exitsSSH(t, session, 0)
		shown.await(t, "nonsense^C\r\n")
	})
	t.Run("a serial console of a script", func(t *testing.T) {
		session, keyboard, shown := beginSSH(t, client, "", "console web-1 idle:200ms")
		types(t, keyboard, "hostname\n")
		_ = keyboard.Close()
		exitsSSH(t, session, 0)
		shown.await(t, "hostname\r\nweb-1\r\n"+apitest.Prompt)
	})
	t.Run("Ctrl-C detaches", func(t *testing.T) {
		c.Hold()
		defer c.Release()
		session, keyboard, shown := beginSSH(t, client, "xterm", "create web-2 from:tiny")
		shown.await(t, "starting")
		types(t, keyboard, "\x03")
		exitsSSH(t, session, api.ExitRunning)
		shown.await(t, "goes on; watch")
	})
	t.Run("hanging up detaches", func(t *testing.T) {
		settle(t, c, "")
		c.Hold()
		session, _, shown := beginSSH(t, client, "", "create web-3 from:tiny")
		shown.await(t, "job ")
		_ = session.Close()
		c.Release()
		settle(t, c, "")
		if vm, err := c.VM(ctx, "web-3"); err != nil || vm.State != api.StateRunning {
			t.Errorf("the job did not go on: %+v, %v", vm, err)
		}
	})
	t.Run("a deletion asks", func(t *testing.T) {
		session, keyboard, shown := beginSSH(t, client, "xterm", "delete web-3")
		shown.await(t, "Type its name")
		types(t, keyboard, "web-3\r")
		exitsSSH(t, session, 0)
	})
	t.Run("line mode on a dumb terminal", func(t *testing.T) {
		session, keyboard, shown := beginSSH(t, client, "dumb", "")
		types(t, keyboard, "console web-1\r")
		shown.await(t, "leaves it")
		types(t, keyboard, "echo in\r")
		shown.await(t, "\r\nin\r\n")
		types(t, keyboard, "\x1dq")
		shown.await(t, "left the serial console")
		types(t, keyboard, "vm name:web-1\r")
		shown.await(t, "vm    web-1")
		types(t, keyboard, "exit\r")
		exitsSSH(t, session, 0)
	})
}
