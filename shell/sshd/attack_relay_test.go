package sshd

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/keys"
	"decenter/keys/keyfile"
)

// relay is a false satellite. To a visitor it shows the challenge that a true one gave it, for the relay's own SSH key, and
// it logs in with the visitor's answer.
type relay struct {
	s    *scene
	host ssh.Signer
	// show changes the challenge before the visitor sees it; may be nil.
	show func(keys.Challenge, ssh.PublicKey) keys.Challenge

	mu  sync.Mutex
	got string // who the relay got in as
}

// serve takes visitors until the listener ends.
func (r *relay) serve(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		c := &ssh.ServerConfig{PublicKeyCallback: func(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{
				KeyboardInteractiveCallback: func(meta ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
					r.logIn(meta.User(), key, ask)
					return nil, fmt.Errorf("thank you")
				},
			}}
		}}
		c.AddHostKey(r.host)
		_, _, _, _ = ssh.NewServerConn(conn, c) // it never succeeds
		conn.Close()
	}
}

func (r *relay) logIn(user string, visitor ssh.PublicKey, ask ssh.KeyboardInteractiveChallenge) {
	got := r.s.as(user, ssh.PublicKeys(r.s.attacker.signer), ssh.KeyboardInteractive(
		func(name, instruction string, questions []string, echos []bool) ([]string, error) {
			if r.show != nil {
				c, err := keys.ParseChallenge(keys.Mainnet, challengeLine(questions[0]))
				if err != nil {
					return nil, err
				}
				questions = []string{prompt(r.show(c, visitor), 2*time.Minute)}
			}
			return ask(name, instruction, questions, echos)
		}))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = got
}

// visited lets the victim's own OpenSSH, with `decenter key` as its askpass or with another, visit a relay, and gives who
// the relay got in as. The victim has accepted the relay's host key.
func (s *scene) visited(askpass string, show func(keys.Challenge, ssh.PublicKey) keys.Challenge) string {
	u := newUser(s.T, s.w)
	secret := keyfile.Key{Account: s.victim.account, Secret: s.victim.secret}
	u.write(".config/decenter/key", secret.Append(nil))
	u.account = s.victim.account.String()
	if askpass != "" {
		u.write("blind", []byte(askpass))
		u.askpass = filepath.Join(u.home, "blind")
		if err := os.Chmod(u.askpass, 0o700); err != nil {
			s.Fatal(err)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.Fatal(err)
	}
	defer l.Close()
	r := &relay{s: s, host: newSigner(s.T), show: show}
	go r.serve(l)
	u.world = &world{t: s.T, addr: l.Addr().String(), host: r.host}
	_, errOut, _ := run1(u.ssh(u.account, "id_ed25519", "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null", "whoami"))
	if askpass == "" && show == nil && !strings.Contains(errOut, "relaying") {
		s.Errorf("the victim is not warned: %q", errOut)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got
}

// blind is an askpass that signs whatever line it is shown: the test binary, which TestMain makes one.
func blind() string {
	return fmt.Sprintf("#!/bin/sh\nSSHD_TEST_SIGN_BLINDLY=1 exec %s \"$1\"\n", os.Args[0])
}

// signBlindly is the process of such an askpass.
func signBlindly(question string) int {
	k, err := keyfile.ReadFile(filepath.Join(os.Getenv("HOME"), ".config/decenter/key"), nil)
	if err != nil {
		return 1
	}
	signature, err := k.Secret.Sign(k.Account, challengeLine(question))
	if err != nil {
		return 1
	}
	fmt.Println(signature)
	return 0
}

func relayAttacks() []attack {
	return []attack{
		{
			name:    "a relay that shows the visitor its own challenge",
			try:     func(s *scene) string { return s.visited("", nil) },
			control: func(s *scene) string { return s.visited(blind(), nil) },
		},
		{
			name: "a relay that puts the visitor's SSH key into the challenge",
			try: func(s *scene) string {
				return s.visited("", func(c keys.Challenge, visitor ssh.PublicKey) keys.Challenge {
					key := fingerprint(visitor)
					s.signed = func(shown keys.Challenge) keys.Challenge { shown.Key = key; return shown }
					return s.signed(c)
				})
			},
			flaw: notedLie,
		},
	}
}
