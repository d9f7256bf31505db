package sshd

import (
	"encoding/base64"
	"errors"
	"net"
	"strings"
	"testing"
	"time"
	"unsafe"

	charm "charm.land/ssh"
	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// The attack: a client speaks as one account first and as another later, so that a server which remembers the
// one name for its challenge and the other for its session lets it in as its victim.

// changeling is a client whose user name changes under way. x/crypto's client has one name for a connection,
// but does not own its bytes.
type changeling struct {
	t    *testing.T
	addr string
	self holder
	name []byte // p2wpkh accounts all have 42 characters
}

func newChangeling(t *testing.T, addr string, self holder, first string) *changeling {
	c := &changeling{t: t, addr: addr, self: self, name: make([]byte, len(first))}
	c.become(first)
	return c
}

func (c *changeling) become(user string) {
	if len(user) != len(c.name) {
		c.t.Fatalf("%q and %q differ in length", user, c.name)
	}
	copy(c.name, user)
}

// step is one authentication attempt, and what is done before it.
type step struct {
	as   string
	auth ssh.AuthMethod
}

// attempt goes through the steps and gives what `whoami` says, or why it did not get in.
func (c *changeling) attempt(steps ...step) (string, error) {
	conn, err := net.Dial("tcp", c.addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	next := 0
	clientConn, chans, reqs, err := ssh.NewClientConn(conn, c.addr, &ssh.ClientConfig{
		User:            unsafe.String(unsafe.SliceData(c.name), len(c.name)),
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		AuthCallback: func(*ssh.ClientAuthContext) (ssh.AuthMethod, error) {
			if next == len(steps) {
				return nil, errors.New("out of steps")
			}
			s := steps[next]
			next++
			c.become(s.as)
			return s.auth, nil
		},
	})
	if err != nil {
		return "", err
	}
	client := ssh.NewClient(clientConn, chans, reqs)
	defer client.Close()
	out, _, _ := output(c.t, client, "whoami")
	return strings.TrimSpace(out), nil
}

// attacks are the orders of names, as (attacker, victim) and the way the attacker signs.
func attacks(t *testing.T, self holder, victim string) map[string][]step {
	me := self.account.String()
	key := ssh.PublicKeys(self.signer)
	sign := ssh.KeyboardInteractive(self.answer(t))
	return map[string][]step{
		"itself first, then the victim throughout":   {{me, sign}, {victim, key}, {victim, sign}},
		"itself with a key, the victim's challenge":  {{me, key}, {victim, sign}},
		"key twice, first as itself":                 {{me, key}, {victim, key}, {victim, sign}},
		"the victim's key step, its own challenge":   {{victim, key}, {me, sign}},
		"failing as itself at the end, then victim":  {{me, key}, {me, ssh.KeyboardInteractive(nonsense)}, {victim, sign}},
		"the victim first and last, itself between":  {{victim, sign}, {me, sign}, {victim, key}, {victim, sign}},
		"never proving itself: no method as victim":  {{me, sign}, {victim, ssh.Password("")}, {victim, key}},
		"its own signature under the victim's name":  {{victim, key}, {victim, sign}},
		"two keys, the second name with the second":  {{me, key}, {victim, ssh.PublicKeys(newSigner(t))}, {victim, sign}},
		"challenged as the victim, answered anew":    {{victim, key}, {victim, ssh.KeyboardInteractive(nonsense)}, {victim, sign}},
		"a password as itself before all as victim":  {{me, ssh.Password("")}, {victim, key}, {victim, sign}},
		"keyless as the victim, then itself halfway": {{victim, sign}, {me, key}, {victim, sign}},
	}
}

func nonsense(string, string, []string, []bool) ([]string, error) { return []string{"nonsense"}, nil }

func TestNobodyLogsInAsAnotherBySwitchingNames(t *testing.T) {
	w := newWorld(t)
	attacker, victim := newHolder(t, keys.P2WPKH), newHolder(t, keys.P2WPKH)
	w.allow(attacker.account)
	w.allow(victim.account)
	for name, steps := range attacks(t, attacker, victim.account.String()) {
		who, err := newChangeling(t, w.addr, attacker, steps[0].as).attempt(steps...)
		if err == nil && who != attacker.account.String()+" ssh" { // without an SSH key it may look, as itself
			t.Errorf("%s: gets in, as %q", name, who)
		}
	}
}

// Speaking as the victim first must not make of one's own login the victim's.
func TestOnesOwnLoginStaysOnesOwn(t *testing.T) {
	w := newWorld(t)
	attacker, victim := newHolder(t, keys.P2WPKH), newHolder(t, keys.P2WPKH)
	w.allow(attacker.account)
	w.allow(victim.account)
	me, other := attacker.account.String(), victim.account.String()
	key, sign := ssh.PublicKeys(attacker.signer), ssh.KeyboardInteractive(attacker.answer(t))
	for name, steps := range map[string][]step{
		"at once":                      {{me, key}, {me, sign}},
		"after a try as the victim":    {{other, sign}, {me, key}, {me, sign}},
		"after a password as the same": {{other, ssh.Password("x")}, {me, key}, {me, sign}},
	} {
		who, err := newChangeling(t, w.addr, attacker, steps[0].as).attempt(steps...)
		if err != nil || who != me+" ssh" {
			t.Errorf("%s: got %q, %v; want %s", name, who, err, me)
		}
	}
}

// Negative control: a server with the flaw of old, which remembers the first name of a connection for its
// challenge and takes the last for its session, falls to the same client. So the client above does attack.
func TestTheAttackWorksOnAFlawedServer(t *testing.T) {
	attacker, victim := newHolder(t, keys.P2WPKH), newHolder(t, keys.P2WPKH)
	host := newSigner(t)
	type firstUser struct{}
	remember := func(ctx charm.Context, user string) string {
		if ctx.Value(firstUser{}) == nil {
			ctx.SetValue(firstUser{}, user)
		}
		return ctx.Value(firstUser{}).(string)
	}
	flawed := &charm.Server{
		HostSigners: []charm.Signer{host},
		Handler: func(s charm.Session) {
			_, _ = s.Write([]byte(s.User() + " ssh\n")) // the name at hand
		},
		ServerConfigCallback: func(ctx charm.Context) *ssh.ServerConfig {
			prove := func(meta ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
				account, err := keys.ParseAddress(keys.Mainnet, remember(ctx, meta.User())) // the stale name
				if err != nil {
					return nil, err
				}
				c := keys.Challenge{Account: account}
				answers, err := ask("", "", []string{prompt(c, 2*time.Minute)}, []bool{true})
				if err != nil {
					return nil, err
				}
				return nil, keys.Verify(account, c.String(), answers[0])
			}
			return &ssh.ServerConfig{
				PublicKeyCallback: func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) {
					return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{KeyboardInteractiveCallback: prove}}
				},
				KeyboardInteractiveCallback: func(meta ssh.ConnMetadata, _ ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
					remember(ctx, meta.User())
					return nil, errors.New("an SSH key first")
				},
			}
		},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = flawed.Serve(listener) }() // its end is Close
	defer flawed.Close()
	steps := attacks(t, attacker, victim.account.String())["itself first, then the victim throughout"]
	who, err := newChangeling(t, listener.Addr().String(), attacker, steps[0].as).attempt(steps...)
	if err != nil || who != victim.account.String()+" ssh" {
		t.Errorf("the flawed server holds: %q, %v", who, err)
	}
}

// Were the account taken from the name and not from the record, a connection without one would be let pass.
func TestNoRecordNoSession(t *testing.T) {
	account := newHolder(t, keys.P2WPKH).account
	whole := func(account string) *ssh.Permissions {
		return &ssh.Permissions{Extensions: map[string]string{extAccount: account, extKey: "k", extLine: "l", extSignature: "s"}}
	}
	less := func(name string) *ssh.Permissions {
		p := whole(account.String())
		delete(p.Extensions, name)
		return p
	}
	for name, p := range map[string]*ssh.Permissions{
		"none":         nil,
		"empty":        {},
		"other":        {Extensions: map[string]string{"user": account.String()}},
		"no address":   whole("root"),
		"an SSH key":   {Extensions: map[string]string{extKey: base64.StdEncoding.EncodeToString([]byte("k"))}},
		"local":        whole("local"),
		"other's net":  whole(newRegtest(t)),
		"no account":   less(extAccount),
		"no line":      less(extLine),
		"no signature": less(extSignature),
	} {
		if is, err := recordOf(p, keys.Mainnet); err == nil {
			t.Errorf("%s: is %s", name, is.account)
		}
	}
	if is, err := recordOf(whole(account.String()), keys.Mainnet); err != nil || is.account != account || is.proof != (api.Proof{Line: "l", Signature: "s", Key: "k"}) {
		t.Errorf("control: %v, %v", is, err)
	}
}

func newRegtest(t *testing.T) string {
	return newHolder(t, keys.P2WPKH).secret.Address(keys.Regtest, keys.P2WPKH).String()
}
