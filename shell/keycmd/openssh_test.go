package keycmd

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/keys"
)

// TestMain makes of the test binary also `decenter key`, for OpenSSH to run as its KnownHostsCommand.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "key" {
		os.Exit(Run(context.Background(), os.Args[2:], OSEnv()))
	}
	os.Exit(m.Run())
}

// needs skips where a program of OpenSSH is not installed.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("without %s (Debian: openssh-client): %v", p, err)
		}
	}
}

func newHostKey(t testing.TB) ssh.Signer {
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

// satellite is a small SSH server: it lets in whom check lets in, and answers every command with "hello".
type satellite struct {
	host, port string
	came       chan *ssh.Certificate // with what visitors came; nil: with something else
}

// newSatellite starts a server that shows the host keys.
func newSatellite(t *testing.T, hostKeys ...ssh.Signer) *satellite {
	t.Helper()
	s := &satellite{came: make(chan *ssh.Certificate, 16)}
	cfg := &ssh.ServerConfig{PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		cert, is := key.(*ssh.Certificate)
		if !is {
			return nil, errors.New("certificates only")
		}
		if !bytes.Equal(cert.Key.Marshal(), cert.SignatureKey.Marshal()) {
			return nil, errors.New("not self-signed")
		}
		return &ssh.Permissions{ExtraData: map[any]any{"cert": cert}}, (&ssh.CertChecker{}).CheckCert(c.User(), cert)
	}}
	for _, k := range hostKeys {
		cfg.AddHostKey(k)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s.host, s.port, _ = net.SplitHostPort(l.Addr().String())
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn, cfg)
		}
	}()
	return s
}

func (s *satellite) serve(conn net.Conn, cfg *ssh.ServerConfig) {
	defer conn.Close()
	c, channels, requests, err := ssh.NewServerConn(conn, cfg)
	if err != nil {
		return
	}
	cert, _ := c.Permissions.ExtraData["cert"].(*ssh.Certificate)
	s.came <- cert
	go ssh.DiscardRequests(requests)
	for n := range channels {
		ch, requests, err := n.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range requests {
				_ = r.Reply(r.Type == "exec", nil)
				if r.Type == "exec" {
					_, _ = ch.Write([]byte("hello\n"))
					_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ N uint32 }{}))
					ch.Close()
				}
			}
		}()
	}
}

// ssh runs OpenSSH in batch mode, as the person, without any file of the machine's.
func (p *person) ssh(s *satellite, user string, flags ...string) (string, string, error) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second)
	defer cancel()
	args := append([]string{"-F", "none", "-o", "BatchMode=yes", "-o", "IdentityFile=" + filepath.Join(p.home, ".ssh/id_ed25519"),
		"-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null", "-p", s.port}, flags...)
	c := exec.CommandContext(ctx, "ssh", append(args, user+"@"+s.host, "whoami")...)
	c.Env = []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "SSH_AUTH_SOCK=" + p.vars["SSH_AUTH_SOCK"]}
	var out, errOut bytes.Buffer
	c.Stdout, c.Stderr = &out, &errOut
	err := c.Run()
	return out.String(), errOut.String(), err
}

// keygen makes the person's SSH key, as people do.
func (p *person) keygen(passphrase string, flags ...string) keys.Fingerprint {
	p.t.Helper()
	dir := filepath.Join(p.home, ".ssh")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	args := append([]string{"-q", "-N", passphrase, "-C", "me", "-f", filepath.Join(dir, "id_ed25519")}, flags...)
	if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
		p.t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
	key, err := readPublic(filepath.Join(dir, "id_ed25519.pub"))
	if err != nil {
		p.t.Fatal(err)
	}
	return fingerprint(key)
}

// describe is what ssh-keygen says of a certificate.
func describe(t *testing.T, path string) string {
	t.Helper()
	c := exec.Command("ssh-keygen", "-L", "-f", path)
	c.Env = append(os.Environ(), "TZ=UTC")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen -L: %v: %s", err, out)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}
