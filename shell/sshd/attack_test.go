package sshd

import (
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// attack is one way to get in as somebody else, or to what one should not. It is tried three times: on a server whose
// judge believes everything, so that the login's own checks stand alone; on one with the engine's own judge behind them;
// and, as the negative control, on one with a flaw, on which it must work. So it is the check that stops it, and not a
// mistake in the attack.
type attack struct {
	name string
	// set prepares any server; may be nil.
	set func(*scene, *Config)
	// try gives the account that it got in as; "" where it did not.
	try func(*scene) string
	// flaw makes the server weaker in one place.
	flaw func(*scene, *Config)
	// control is instead of flaw, where the check is one of x/crypto's own: the same deed without what is wrong in it.
	control func(*scene) string
	judged  bool // the engine's judge is what stops it: it is not tried without
	strict  bool // the control has the engine's judge
}

// scene is one try.
type scene struct {
	*testing.T
	w                *world
	victim, attacker holder
	signed           func(keys.Challenge) keys.Challenge // what a flawed server takes for signed
}

// stage starts a server for the attack. The attacker has an account there as good as the victim's.
func (a attack) stage(t *testing.T, options ...func(*scene, *Config)) *scene {
	s := &scene{T: t, victim: newHolder(t, keys.P2WPKH), attacker: newHolder(t, keys.P2WPKH)}
	if a.set != nil {
		options = append(options, a.set)
	}
	s.w = newWorld(t, func(c *Config) {
		for _, o := range options {
			o(s, c)
		}
	})
	s.w.allow(s.victim.account)
	s.w.allow(s.attacker.account)
	return s
}

// believing is a judge that takes anything for a proof of the victim.
func believing(s *scene, c *Config) {
	c.Judge = func(p api.Proof) (string, api.Scope, error) {
		if p.Key == "" {
			return s.victim.account.String(), api.ScopeRead, nil
		}
		return s.victim.account.String(), api.ScopeAll, nil
	}
}

func without(what check) func(*scene, *Config) {
	return func(_ *scene, c *Config) { c.flaws.without = what }
}

// as gives who a login got in as; "" where it did not.
func (s *scene) as(user string, auth ...ssh.AuthMethod) string {
	client, _, err := s.w.dial(user, auth...)
	if err != nil {
		return ""
	}
	defer client.Close()
	return s.who(client)
}

func (s *scene) who(client *ssh.Client) string {
	session, err := client.NewSession()
	if err != nil {
		return ""
	}
	defer session.Close()
	out, _ := session.Output("whoami")
	who, _, _ := strings.Cut(string(out), " ")
	return who
}

// signs answers a challenge with the signature that h makes of what lie makes of it.
func (s *scene) signs(h holder, lie func(keys.Challenge) keys.Challenge) ssh.KeyboardInteractiveChallenge {
	return func(_, _ string, questions []string, _ []bool) ([]string, error) {
		c, err := keys.ParseChallenge(keys.Mainnet, challengeLine(questions[0]))
		if err != nil {
			return nil, err
		}
		signature, err := h.secret.Sign(h.account, lie(c).String())
		return []string{signature}, err
	}
}

func truth(c keys.Challenge) keys.Challenge { return c }

// TestAttacks tries them all. Accepted must be 0.
func TestAttacks(t *testing.T) {
	var all []attack
	all = append(all, challengeAttacks()...)
	all = append(all, certificateAttacks()...)
	all = append(all, switchAttacks()...)
	all = append(all, wireAttacks()...)
	all = append(all, revokedAttacks()...)
	all = append(all, relayAttacks()...)
	all = append(all, floodAttacks()...)
	tried, accepted, worked := 0, 0, 0
	for _, a := range all {
		t.Run(strings.ReplaceAll(a.name, " ", "-"), func(t *testing.T) {
			judges := map[string][]func(*scene, *Config){"the login alone": {believing}, "the engine's judge": nil}
			if a.judged {
				delete(judges, "the login alone")
			}
			for who, judge := range judges {
				tried++
				s := a.stage(t, judge...)
				if got := a.try(s); got == s.victim.account.String() {
					accepted++
					t.Errorf("it works against %s", who)
				}
			}
			try, flaws := a.try, []func(*scene, *Config){believing, a.flaw}
			switch {
			case a.control != nil:
				try, flaws = a.control, nil
			case a.strict:
				flaws = flaws[1:]
			}
			s := a.stage(t, flaws...)
			if got := try(s); got != s.victim.account.String() {
				t.Errorf("control: it does not work on a flawed server either (got in as %q), so it shows nothing", got)
			} else {
				worked++
			}
		})
	}
	t.Logf("attacks: %d of %d kinds tried, %d accepted; %d of %d controls accepted", tried, len(all), accepted, worked, len(all))
}
