package sshd

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// What verification records in a connection's Permissions.
const (
	extAccount = "account@decenter" // the proved account
	extKey     = "key@decenter"     // the fingerprint of the proved SSH key
)

// keylessText is told to clients that come without an SSH key.
const keylessText = `This satellite asks for an SSH key first, and then for your account's signature.
Make a key with: ssh-keygen -t ed25519
and log in again.
`

// login is the authentication of one connection. x/crypto calls it from one goroutine.
type login struct {
	server     *Server
	conn       *guardedConn
	log        *slog.Logger
	challenges int    // shown so far
	told       string // the last banner; OpenSSH tries three times, and once is enough to read
}

// config gives x/crypto what it needs to authenticate the connection. No callback ever returns success but
// challenge, which cannot be reached without publicKey.
func (l *login) config() *ssh.ServerConfig {
	return &ssh.ServerConfig{
		MaxAuthTries:                maxAuthTries,
		PublicKeyCallback:           l.publicKey,
		KeyboardInteractiveCallback: l.keyless,
		AuthLogCallback: func(_ ssh.ConnMetadata, _ string, err error) {
			if err == nil {
				l.conn.authenticated()
			}
		},
	}
}

// keyless answers a client that has no SSH key to offer.
func (l *login) keyless(ssh.ConnMetadata, ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	return nil, l.advise(keylessText, errors.New("no SSH key was proved"))
}

// advise makes an authentication error that the client's user gets to read, unless it was just told the same.
func (l *login) advise(text string, err error) error {
	if text == l.told {
		return err
	}
	l.told = text
	return &ssh.BannerError{Err: err, Message: text}
}

// publicKey answers the offer of an SSH key. Any plain key will do, so it never succeeds: it leads to the
// challenge, which names the key. x/crypto takes the partial success only after the key's signature verified.
func (l *login) publicKey(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	account, err := keys.ParseAddress(l.server.cfg.Network, meta.User())
	if err != nil {
		return nil, l.advise(fmt.Sprintf("The user name must be your account, a Bitcoin address.\n%v\n", err), err)
	}
	if _, certificate := key.(*ssh.Certificate); certificate {
		return nil, errors.New("certificates are not accepted")
	}
	fingerprint := keys.Fingerprint(sha256.Sum256(key.Marshal()))
	return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{
		KeyboardInteractiveCallback: func(meta ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			return l.challenge(meta, account, fingerprint, ask)
		},
	}}
}

// challenge shows a challenge and judges the answer. Success records the account that was proved.
func (l *login) challenge(meta ssh.ConnMetadata, account keys.Address, key keys.Fingerprint, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	if meta.User() != account.String() {
		return nil, l.refuse(account, key, "the user name changed after the SSH key", errors.New("user name changed"))
	}
	if l.challenges++; l.challenges > maxChallenges {
		return nil, errors.New("too many challenges on one connection")
	}
	s := l.server
	shown, err := s.pending.show(s.cfg.Now(), s.fingerprint, key, account)
	if err != nil {
		return nil, l.refuse(account, key, "This satellite cannot take your login now: "+err.Error(), err)
	}
	l.conn.expect(s.cfg.Limits.Challenge + grace)
	// OpenSSH shows name and instruction in ways that bury the line, so both stay empty.
	answers, err := ask("", "", []string{prompt(shown)}, []bool{true})
	l.conn.expect(s.cfg.Limits.Handshake)
	challenge, alive := s.pending.take(s.cfg.Now(), shown.Nonce)
	switch {
	case err != nil:
		return nil, err
	case len(answers) != 1:
		return nil, errors.New("not one answer to one prompt")
	case !alive:
		return nil, l.refuse(account, key, fmt.Sprintf("The challenge expired: it lives %v.", s.cfg.Limits.Challenge), errors.New("expired"))
	}
	if err := keys.Verify(account, challenge.String(), strings.TrimSpace(answers[0])); err != nil {
		return nil, l.refuse(account, key, capital(err.Error())+".", err)
	}
	if !s.cfg.Allow(account.String()) {
		return nil, l.refuse(account, key, fmt.Sprintf("You proved to be %s, but this account may not log in here. Ask an owner of the constellation.", account),
			api.Errorf(api.CodeDenied, "account not allowed"))
	}
	l.log.Info("login", "account", account.String(), "key", key.String())
	return &ssh.Permissions{Extensions: map[string]string{extAccount: account.String(), extKey: key.String()}}, nil
}

// refuse logs why a login failed, and tells the client's user.
func (l *login) refuse(account keys.Address, key keys.Fingerprint, text string, err error) error {
	l.log.Warn("login refused", "account", account.String(), "key", key.String(), "reason", err.Error())
	return l.advise(text+"\n", err)
}

// prompt is what the person reads. It begins with a line end, since OpenSSH puts "(user@host) " before it, so
// that the challenge has a line of its own.
func prompt(c keys.Challenge) string {
	return fmt.Sprintf("\n%s\n\nSign the line above as %s and paste the signature.\nSignature: ", c, c.Account)
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// accountOf gives the account that verification recorded for the connection.
func accountOf(p *ssh.Permissions, network keys.Network) (keys.Address, error) {
	if p == nil || p.Extensions[extAccount] == "" {
		return keys.Address{}, errors.New("the connection has no proved account")
	}
	return keys.ParseAddress(network, p.Extensions[extAccount])
}
