package sshd

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// login is the authentication of one connection. x/crypto calls it from one goroutine.
type login struct {
	server     *Server
	conn       *guardedConn
	log        *slog.Logger
	client     ssh.ServerPreAuthConn // to tell it something; set when keys are exchanged
	challenges int                   // shown so far
	told       map[string]bool       // the banners so far; OpenSSH tries three times, and once is enough to read
	granted    *ssh.Permissions      // what the last way that succeeded recorded
	guest      *guest                // once logged in; set before any session begins
}

// config gives x/crypto what it needs to authenticate the connection. Success comes from prove alone: publicKey lets a
// key go on to show that it is held, and no more.
func (l *login) config() *ssh.ServerConfig {
	c := &ssh.ServerConfig{
		MaxAuthTries:                maxAuthTries,
		PreAuthConnCallback:         l.keyed,
		BannerCallback:              l.greet,
		PublicKeyCallback:           l.publicKey,
		VerifiedPublicKeyCallback:   l.heldKey,
		KeyboardInteractiveCallback: l.keyless,
		AuthLogCallback: func(_ ssh.ConnMetadata, _ string, err error) {
			if err == nil {
				l.server.welcome(l)
			}
		},
	}
	if certified := l.server.host.signer(); certified != nil {
		c.AddHostKey(certified) // beside the plain key, which follows
	}
	if l.server.cfg.flaws.config != nil {
		l.server.cfg.flaws.config(l, c)
	}
	return c
}

// keyed is called when keys are exchanged.
func (l *login) keyed(client ssh.ServerPreAuthConn) {
	l.client = client
	l.server.gate.advance(l.conn)
	l.conn.expect(l.server.cfg.Limits.Handshake)
}

// account is the user name as an account.
func (l *login) account(meta ssh.ConnMetadata) (keys.Address, error) {
	return keys.ParseAddress(l.server.cfg.Network, meta.User())
}

// noAccountText is told where it is none.
func noAccountText(err error) string {
	return fmt.Sprintf("The user name must be your account, a Bitcoin address.\n%v\n", err)
}

// greet gives the banner at the first attempt, whichever it is: OpenSSH would say no more than "Permission denied".
func (l *login) greet(meta ssh.ConnMetadata) string {
	if _, err := l.account(meta); err != nil {
		text := noAccountText(err)
		l.first(text)
		return text
	}
	return ""
}

// publicKey answers the offer of an SSH key, which its client has not yet shown to hold.
func (l *login) publicKey(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	_, err := l.certified(meta, key)
	return nil, err
}

// certificate answers the offer of a further SSH key, after a plain one was shown to be held.
func (l *login) certificate(meta ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	if _, ok := key.(*ssh.Certificate); !ok {
		return nil, errors.New("one SSH key is enough")
	}
	return l.publicKey(meta, key)
}

// certified gives the proof that a certificate carries; none, and no error, with a plain key.
func (l *login) certified(meta ssh.ConnMetadata, key ssh.PublicKey) (api.Proof, error) {
	account, err := l.account(meta)
	if err != nil {
		return api.Proof{}, l.advise(noAccountText(err), err)
	}
	cert, ok := key.(*ssh.Certificate)
	if !ok {
		return api.Proof{}, nil
	}
	proof, err := readCertificate(cert, account, l.server.fingerprint, l.server.cfg.Now(), l.server.cfg.flaws)
	if err != nil {
		return proof, l.refuse(account, keyText(fingerprint(cert.Key)), capital(err.Error()), err)
	}
	return proof, nil
}

// heldKey goes on with a key that the client has shown to hold: x/crypto verified its signature of the session. A
// certificate may be enough. Any plain key will do, so it never succeeds: it leads to the challenge, which names the key.
func (l *login) heldKey(meta ssh.ConnMetadata, key ssh.PublicKey, _ *ssh.Permissions, _ string) (*ssh.Permissions, error) {
	proof, err := l.certified(meta, key)
	if err != nil {
		return nil, err
	}
	account, err := l.account(meta)
	if err != nil {
		return nil, err
	}
	if proof != (api.Proof{}) {
		return l.prove(account, proof)
	}
	print := fingerprint(key)
	return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{
		// OpenSSH offers a key before the certificate that lies beside it.
		PublicKeyCallback: l.certificate,
		KeyboardInteractiveCallback: func(meta ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			if meta.User() != account.String() { // x/crypto sees to it, too
				return nil, l.refuse(account, keyText(print), "The user name changed after the SSH key.", errors.New("user name changed"))
			}
			return l.challenge(account, print, ask)
		},
	}}
}

// What clients are told that come without an SSH key.
const (
	keylessRefused = `This satellite asks for an SSH key first, and then for your account's signature.
`
	keylessReads = `Without an SSH key you may look, and change nothing. To do more:
`
	keylessAdvice = `make a key with: ssh-keygen -t ed25519
and log in again, or let your account delegate to it with: decenter key delegate
`
)

// keyless answers a client that has not shown an SSH key: nothing stops its signature from being relayed.
func (l *login) keyless(meta ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	account, err := l.account(meta)
	if err != nil {
		return nil, l.advise(noAccountText(err), err)
	}
	switch pasted := l.server.cfg.Pasted; {
	case pasted == PastedNo && l.server.cfg.flaws.wants(checkPasted):
		return nil, l.refuse(account, "", keylessRefused+capital(keylessAdvice), errors.New("no SSH key was proved"))
	case pasted == PastedRead:
		if err := l.tell(keylessReads + keylessAdvice); err != nil {
			return nil, err
		}
	}
	return l.challenge(account, keys.Fingerprint{}, ask)
}

// challenge shows a challenge and judges the answer. A zero key is none.
func (l *login) challenge(account keys.Address, key keys.Fingerprint, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	s, flaws := l.server, l.server.cfg.flaws
	if l.challenges++; l.challenges > maxChallenges && flaws.wants(checkTries) {
		return nil, errors.New("too many challenges on one connection")
	}
	refuse := func(text string, err error) error { return l.refuse(account, keyText(key), text, err) }
	shown, err := s.pending.show(s.cfg.Now(), s.fingerprint, key, account)
	if err != nil {
		return nil, refuse("This satellite cannot take your login now: "+err.Error(), err)
	}
	answer := l.expires(shown)
	// OpenSSH shows name and instruction in ways that bury the line, so both stay empty.
	answers, err := ask("", "", []string{prompt(shown, s.cfg.Limits.Challenge)}, []bool{true})
	challenge, alive, expired := answer()
	if expired != nil {
		return nil, expired
	}
	if err != nil {
		return nil, err
	}
	if !alive && flaws.wants(checkChallengeLife) {
		return nil, refuse(expiredText(s.cfg.Limits.Challenge), errExpired)
	}
	signature, err := readAnswer(answers, flaws)
	if err != nil {
		return nil, refuse(capital(err.Error())+".", err)
	}
	signed := challenge
	if flaws.signed != nil {
		signed = flaws.signed(challenge)
	}
	if err := keys.Verify(signed.Account, signed.String(), signature); err != nil {
		return nil, refuse(capital(err.Error())+".", err)
	}
	return l.prove(account, api.Proof{Line: challenge.String(), Signature: signature, Key: keyText(key)})
}

// errExpired is why a challenge that was not answered is refused.
var errExpired = errors.New("the challenge expired")

func expiredText(life time.Duration) string {
	within := "them"
	if strings.HasPrefix(spell(life), "1 ") {
		within = "it"
	}
	return fmt.Sprintf("The challenge expired after %s: log in again, and sign within %s.", spell(life), within)
}

// expires ends the connection of a challenge that is not answered in time, and says so first: a client that waits for
// its user would find a closed connection, and no reason. The caller calls answer once its wait is over, which gives
// the challenge, whether it still lived, and the error where it was the expiry that ended the wait.
func (l *login) expires(shown keys.Challenge) (answer func() (keys.Challenge, bool, error)) {
	s := l.server
	l.conn.expect(s.cfg.Limits.Challenge + grace) // bounds what is said, too, where a client takes nothing
	var expired error
	done := make(chan struct{})
	timer := time.AfterFunc(s.cfg.Limits.Challenge, func() {
		defer close(done)
		expired = errExpired
		s.pending.take(s.cfg.Now(), shown.Nonce)
		text := expiredText(s.cfg.Limits.Challenge)
		_ = l.refuse(shown.Account, keyText(shown.Key), text, errExpired)
		if l.client != nil {
			_ = l.client.SendAuthBanner(text + "\n") // whom it does not reach is gone
		}
		_ = l.conn.Close()
	})
	return func() (keys.Challenge, bool, error) {
		if !timer.Stop() {
			<-done
			return keys.Challenge{}, false, expired
		}
		l.conn.expect(s.cfg.Limits.Handshake)
		challenge, alive := s.pending.take(s.cfg.Now(), shown.Nonce)
		return challenge, alive, nil
	}
}

// readAnswer gives the signature among the answers of a client to our one prompt.
func readAnswer(answers []string, f flaws) (string, error) {
	if len(answers) != 1 {
		return "", errors.New("there is not one answer to one prompt")
	}
	// An answer with blanks to the end of a packet would be cut down to a signature.
	if n := len(answers[0]); n > keys.MaxSignature && f.wants(checkAnswerSize) {
		return "", fmt.Errorf("the answer has %d characters, more than the %d of any signature", n, keys.MaxSignature)
	}
	return strings.TrimSpace(answers[0]), nil
}

// prove asks for the engine's judgement of a proof that the login's own checks let pass, and records whose it is.
func (l *login) prove(account keys.Address, proof api.Proof) (*ssh.Permissions, error) {
	scope, err := l.server.judge(account, proof)
	if err != nil {
		return nil, l.refuse(account, proof.Key, fmt.Sprintf("You proved to be %s, but may not log in here: %s", account, whyNot(account, err)), err)
	}
	l.log.Info("login", "account", account.String(), "key", proof.Key, "scope", string(scope))
	l.server.cfg.Decided(account.String(), proof.Key, string(api.VerdictAllow), "scope "+string(scope))
	l.granted = record{account, proof}.permissions()
	return l.granted, nil
}

// whyNot is the reason within an error that begins with what the banner says already.
func whyNot(account keys.Address, err error) string {
	if e, ok := errors.AsType[*api.Error](err); ok && e.Hint != "" && strings.HasPrefix(e.Message, account.String()+" may not log in") {
		return e.Hint
	}
	return err.Error()
}

// refuse tells those who watch, and the client's user, why a login failed.
func (l *login) refuse(account keys.Address, key, text string, err error) error {
	reason := err.Error()
	l.log.Warn("login refused", "account", account.String(), "key", key, "reason", reason)
	l.server.denied(l.conn, account, key, reason)
	return l.advise(text+"\n", err)
}

// advise makes an authentication error that the client's user gets to read, unless it was told the same before.
func (l *login) advise(text string, err error) error {
	if !l.first(text) {
		return err
	}
	return &ssh.BannerError{Err: err, Message: text}
}

// tell shows a text to the client's user at once, unless it was told the same before.
func (l *login) tell(text string) error {
	if l.client == nil || !l.first(text) {
		return nil
	}
	return l.client.SendAuthBanner(text)
}

// first notes a text, and tells whether it is new on this connection. There are no more than attempts (maxAuthTries, and
// those that are no failures, as maxChallenges).
func (l *login) first(text string) bool {
	if l.told[text] {
		return false
	}
	if l.told == nil {
		l.told = map[string]bool{}
	}
	l.told[text] = true
	return true
}

// prompt is what the person reads. It begins with a line end, since OpenSSH puts "(user@host) " before it, so
// that the challenge has a line of its own.
func prompt(c keys.Challenge, life time.Duration) string {
	return fmt.Sprintf("\n%s\n\nSign the line above as %s within %s\nand paste the signature.\nSignature: ", c, c.Account, spell(life))
}

// spell writes a challenge's life in words.
func spell(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return plural(int(d/time.Minute), "minute")
	}
	return plural(int(d/time.Second), "second")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func fingerprint(key ssh.PublicKey) keys.Fingerprint { return sha256.Sum256(key.Marshal()) }

// keyText is empty where there is no key.
func keyText(f keys.Fingerprint) string {
	if f == (keys.Fingerprint{}) {
		return ""
	}
	return f.String()
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
