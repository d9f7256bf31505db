package sshd

import (
	"errors"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// switching is an attack under changing names. x/crypto itself ends a connection whose name changes after a partial
// success; so the flawed servers use none.
func switching(name string, flaw func(*scene, *Config), steps func(s *scene, me, victim string) []step) attack {
	return attack{
		name: "names: " + name,
		try: func(s *scene) string {
			all := steps(s, s.attacker.account.String(), s.victim.account.String())
			who, err := newChangeling(s.T, s.w.addr, s.attacker, all[0].as).attempt(all...)
			if err != nil {
				return ""
			}
			who, _, _ = strings.Cut(who, " ")
			return who
		},
		flaw: flaw,
	}
}

// forgetful makes a server that asks for any SSH key and then for a signature, and takes its two names from different
// attempts: the challenge's is of the first or the present one, the session's is the other.
func forgetful(challengeFirst bool) func(*scene, *Config) {
	return func(_ *scene, cfg *Config) {
		cfg.flaws.config = func(l *login, c *ssh.ServerConfig) {
			first, key := "", ""
			see := func(name string) {
				if first == "" {
					first = name
				}
			}
			c.VerifiedPublicKeyCallback = nil
			c.PublicKeyCallback = func(meta ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
				see(meta.User())
				key = fingerprint(k).String()
				return nil, errors.New("and now your signature")
			}
			c.PasswordCallback = func(meta ssh.ConnMetadata, _ []byte) (*ssh.Permissions, error) {
				see(meta.User())
				return nil, errors.New("no passwords")
			}
			c.KeyboardInteractiveCallback = func(meta ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
				see(meta.User())
				asked, session := first, meta.User()
				if !challengeFirst {
					asked, session = meta.User(), first
				}
				account, err := keys.ParseAddress(keys.Mainnet, asked)
				if err != nil || key == "" {
					return nil, errors.New("an SSH key first")
				}
				shown := keys.Challenge{Account: account}
				answers, err := ask("", "", []string{prompt(shown, 2*time.Minute)}, []bool{true})
				if err != nil {
					return nil, err
				}
				if err := keys.Verify(account, shown.String(), answers[0]); err != nil {
					return nil, err
				}
				return l.pretend(session, key)
			}
		}
	}
}

// pretend records an account without proof.
func (l *login) pretend(name, key string) (*ssh.Permissions, error) {
	account, err := keys.ParseAddress(keys.Mainnet, name)
	if err != nil {
		return nil, err
	}
	l.granted = record{account, api.Proof{Line: "none", Signature: "none", Key: key}}.permissions()
	return l.granted, nil
}

// unverifying records the name at hand after whatever answer.
func unverifying(_ *scene, cfg *Config) {
	cfg.flaws.config = func(l *login, c *ssh.ServerConfig) {
		c.VerifiedPublicKeyCallback = func(meta ssh.ConnMetadata, key ssh.PublicKey, _ *ssh.Permissions, _ string) (*ssh.Permissions, error) {
			return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{KeyboardInteractiveCallback: func(meta ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
				if _, err := ask("", "", []string{prompt(keys.Challenge{Account: l.server.mustAccount(meta)}, 2*time.Minute)}, []bool{true}); err != nil {
					return nil, err
				}
				return l.pretend(meta.User(), fingerprint(key).String())
			}}}
		}
	}
}

func (s *Server) mustAccount(meta ssh.ConnMetadata) keys.Address {
	a, err := keys.ParseAddress(s.cfg.Network, meta.User())
	if err != nil {
		panic(err)
	}
	return a
}

// granting lets one method in under the name at hand.
func granting(method string) func(*scene, *Config) {
	return func(_ *scene, cfg *Config) {
		cfg.flaws.config = func(l *login, c *ssh.ServerConfig) {
			switch method {
			case "none":
				c.NoClientAuth = true
				c.NoClientAuthCallback = func(meta ssh.ConnMetadata) (*ssh.Permissions, error) { return l.pretend(meta.User(), "k") }
			case "password":
				c.PasswordCallback = func(meta ssh.ConnMetadata, _ []byte) (*ssh.Permissions, error) { return l.pretend(meta.User(), "k") }
			case "publickey":
				c.VerifiedPublicKeyCallback = func(meta ssh.ConnMetadata, _ ssh.PublicKey, _ *ssh.Permissions, _ string) (*ssh.Permissions, error) {
					return l.pretend(meta.User(), "k")
				}
			}
		}
	}
}

func switchAttacks() []attack {
	key := func(s *scene) ssh.AuthMethod { return ssh.PublicKeys(s.attacker.signer) }
	sign := func(s *scene) ssh.AuthMethod { return ssh.KeyboardInteractive(s.attacker.answer(s.T)) }
	first, present := forgetful(true), forgetful(false)
	all := []attack{
		switching("a key as itself, the challenge as the victim", first, func(s *scene, me, victim string) []step {
			return []step{{me, key(s)}, {victim, sign(s)}}
		}),
		switching("a key as the victim, the challenge as itself", present, func(s *scene, me, victim string) []step {
			return []step{{victim, key(s)}, {me, sign(s)}}
		}),
		switching("a key as itself, then all as the victim", first, func(s *scene, me, victim string) []step {
			return []step{{me, key(s)}, {victim, key(s)}, {victim, sign(s)}}
		}),
		switching("a password as itself, then all as the victim", first, func(s *scene, me, victim string) []step {
			return []step{{me, ssh.Password("")}, {victim, key(s)}, {victim, sign(s)}}
		}),
		switching("a password as the victim, then all as itself", present, func(s *scene, me, victim string) []step {
			return []step{{victim, ssh.Password("")}, {me, key(s)}, {me, sign(s)}}
		}),
		switching("a signature as the victim, then all as itself", present, func(s *scene, me, victim string) []step {
			return []step{{victim, ssh.KeyboardInteractive(nonsense)}, {me, key(s)}, {me, sign(s)}}
		}),
		switching("nonsense as itself, then all as the victim", first, func(s *scene, me, victim string) []step {
			return []step{{me, ssh.KeyboardInteractive(nonsense)}, {victim, key(s)}, {victim, sign(s)}}
		}),
		switching("a failure as itself after the key, then the victim", first, func(s *scene, me, victim string) []step {
			return []step{{me, key(s)}, {me, ssh.KeyboardInteractive(nonsense)}, {victim, sign(s)}}
		}),
		switching("its own certificate first, then the victim's challenge", first, func(s *scene, me, victim string) []step {
			bad := papers(s.T, s.attacker, func(p *paper) { p.cert.CertType = ssh.HostCert })
			return []step{{me, ssh.PublicKeys(bad)}, {victim, key(s)}, {victim, sign(s)}}
		}),
		switching("its own signature under the victim's name", unverifying, func(s *scene, _, victim string) []step {
			return []step{{victim, key(s)}, {victim, sign(s)}}
		}),
	}
	all = append(all, manyTries())
	for method, auth := range map[string]func(*scene) []ssh.AuthMethod{
		"none":      func(*scene) []ssh.AuthMethod { return nil },
		"password":  func(*scene) []ssh.AuthMethod { return []ssh.AuthMethod{ssh.Password("")} },
		"publickey": func(s *scene) []ssh.AuthMethod { return []ssh.AuthMethod{ssh.PublicKeys(s.attacker.signer)} },
	} {
		all = append(all, attack{
			name: "the method " + method + " alone",
			try:  func(s *scene) string { return s.as(s.victim.account.String(), auth(s)...) },
			flaw: granting(method),
		})
	}
	return all
}

func manyTries() attack {
	return attack{
		name: "too many tries before the right one",
		try: func(s *scene) string {
			user := s.victim.account.String()
			var steps []step
			for range maxAuthTries {
				steps = append(steps, step{user, ssh.Password("x")})
			}
			steps = append(steps, step{user, ssh.PublicKeys(s.victim.signer)}, step{user, ssh.KeyboardInteractive(s.signs(s.victim, truth))})
			who, err := newChangeling(s.T, s.w.addr, s.victim, user).attempt(steps...)
			if err != nil {
				return ""
			}
			who, _, _ = strings.Cut(who, " ")
			return who
		},
		flaw: func(_ *scene, cfg *Config) {
			cfg.flaws.config = func(_ *login, c *ssh.ServerConfig) { c.MaxAuthTries = -1 }
		},
	}
}
