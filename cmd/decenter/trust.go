package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"time"

	"decenter/engine"
	"decenter/engine/admission"
	"decenter/engine/api"
	"decenter/engine/audit"
	"decenter/engine/directory"
	"decenter/engine/identity"
	"decenter/engine/keyring"
	"decenter/engine/proof"
	"decenter/engine/radar"
	"decenter/engine/trust"
	"decenter/keys"
	"decenter/keys/statement"
	"decenter/net/frame"
	"decenter/shell"
	"decenter/shell/sshd"
)

// openTrust makes what judges callers and other satellites, from the configuration and from what was declared.
func (s *satellite) openTrust() error {
	network, owners, tenants, err := s.cfg.Trust.Addresses()
	if err != nil {
		return err
	}
	satellites, err := s.cfg.Trust.Fingerprints()
	if err != nil {
		return err
	}
	signer, err := proof.NewSigner(s.id.Key(), rand.Reader)
	if err != nil {
		return err
	}
	s.statements, err = trust.Open(trust.Config{Path: filepath.Join(s.cfg.Data, trustFile), Network: network, Constellation: s.cfg.Trust.Constellation,
		Owners: owners, Tenants: tenants, Satellites: satellites, Self: signer.Self(), Now: time.Now, Log: s.log})
	if err != nil {
		return err
	}
	s.closers = append(s.closers, s.statements.Close)
	decisions, err := audit.Open(audit.Config{Dir: filepath.Join(s.cfg.Data, "audit"), Satellite: s.cfg.Name, Now: time.Now, Log: s.log})
	if err != nil {
		return fmt.Errorf("open the audit log: %w", err)
	}
	s.closers = append(s.closers, decisions.Close)
	judge := proof.NewJudge(network)
	if err := s.openDirectory(); err != nil {
		return err
	}
	s.trust = engine.Trust{Constellation: s.cfg.Trust.Constellation, Network: network, Owners: s.cfg.Trust.Owners, Statements: s.statements,
		Judge: judge, Verifier: proof.NewVerifier(signer.Self(), judge, time.Now()), Signer: signer, Audit: decisions}
	if s.directory != nil { // a nil *Gate would be a gate
		s.trust.Directory = s.directory
	}
	return nil
}

// openRadar makes the radar with the keys that this satellite knows, and what exchanges keys and statements with others.
func (s *satellite) openRadar() error {
	self, path := s.trust.Signer.Self(), filepath.Join(s.cfg.Data, "gossip")
	ring, err := keyring.Load(path, self)
	if err != nil {
		return err
	}
	if _, err := ring.Advance(time.Now(), nil, rand.Reader); err != nil {
		return err
	}
	c := s.radarConfig()
	c.Primary, c.Others = ring.Secrets()
	if s.radar, err = radar.New(c); err != nil {
		return err
	}
	s.exchange, err = admission.New(admission.Config{Identity: s.id, Network: s.trust.Network, Trust: s.statements, Radar: s.radar,
		Admitted: func(f keys.Fingerprint) bool { return s.statements.View().Admitted(f) },
		Ejected:  func(f keys.Fingerprint) bool { return s.statements.View().Ejected(f) },
		Ring:     ring, RingPath: path, Port: s.cfg.Peer.Port + 1, Zone: s.cfg.Net.Host, Dice: rand.Reader, Now: time.Now, Log: s.log})
	s.trust.Exchange = s.exchange
	return err
}

// openDirectory makes the second gate, where the configuration has one. Nothing is asked yet.
func (s *satellite) openDirectory() error {
	c := s.cfg.Directory
	if c.URL == "" {
		return nil
	}
	groups := map[string]api.Role{}
	for group, role := range c.Groups {
		groups[group] = api.Role(role)
	}
	gate, err := directory.New(directory.Config{URL: c.URL, StartTLS: c.StartTLS, CAFile: c.CA, BindDN: c.BindDN, PasswordFile: c.Password,
		Base: c.Base, AccountAttribute: c.Account, GroupAttribute: c.Member, Groups: groups, WhenDown: directory.WhenDown(c.WhenDown),
		Now: time.Now, Log: s.log})
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	s.directory = gate
	s.closers = append(s.closers, gate.Close)
	return nil
}

// trustFile holds the statements, in the data folder.
const trustFile = "trust"

// admitted tells, at any time, whether a satellite is one of the constellation.
func (s *satellite) admitted(id string) bool {
	f, err := keys.ParseFingerprint(id)
	return err == nil && s.statements.View().Admitted(f)
}

// neighbour gives the address of the satellite with a key, and whether that may be a neighbour on a cable. A satellite that
// belongs to nobody yet keeps nobody out: it has nothing to lose, and who admitted it must be able to reach it.
func (s *satellite) neighbour(public [32]byte) (frame.MAC, bool) {
	id, err := keys.FingerprintOf(public[:])
	if err != nil {
		return frame.MAC{}, false
	}
	view := s.statements.View()
	b := s.belongs.Load()
	if b == nil || b.as != view { // asked of every Hello, and it looks at every satellite
		b = &belongs{as: view, member: view.Member()}
		s.belongs.Store(b)
	}
	return frame.MAC(identity.MACOf(id)), !b.member || view.Admitted(id)
}

// belongs tells whether this satellite is a member, as of one view.
type belongs struct {
	as     *trust.View
	member bool
}

func (s *satellite) sshServer() (*sshd.Server, error) {
	self := s.trust.Signer.Self()
	return sshd.New(sshd.Config{
		Listen: s.cfg.SSH.Listen, HostKey: s.id.Signer(), Version: buildVersion(), Log: s.log, Network: s.trust.Network,
		Pasted: sshd.Pasted(s.cfg.SSH.Pasted),
		Judge: func(p api.Proof) (string, api.Scope, error) {
			ctx, cancel := context.WithTimeout(context.Background(), judgeWait)
			defer cancel()
			return s.engine.Login(ctx, p)
		},
		Watch: s.statements.Watch,
		Decided: func(account, key, verdict, reason string) {
			s.engine.LoggedIn(account, key, api.Verdict(verdict), reason)
		},
		Admission: func() (statement.Signed, bool) { return s.statements.View().Admission(self) },
		Open:      s.engine.Open,
		Exec:      shell.SSH,
		TUI:       sshConsole,
	})
}

// judgeWait bounds the judgement of a login: a directory may have to be asked.
const judgeWait = 10 * time.Second
