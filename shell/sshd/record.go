package sshd

import (
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
)

// What verification records in a connection's Permissions.
const (
	extAccount   = "account@decenter"   // the proved account
	extKey       = "key@decenter"       // the fingerprint of the proved SSH key; empty: none was
	extLine      = "line@decenter"      // what the account signed
	extSignature = "signature@decenter" // its signature
	extVouched   = "vouched@decenter"   // that a delegated key is in use here
)

// record is who was proved to be at the connection's other end, and by what.
type record struct {
	account keys.Address
	proof   api.Proof
}

func (r record) permissions() *ssh.Permissions {
	return &ssh.Permissions{Extensions: map[string]string{
		extAccount: r.account.String(), extKey: r.proof.Key, extLine: r.proof.Line, extSignature: r.proof.Signature,
		extVouched: r.proof.Vouched,
	}}
}

// recordOf gives what verification recorded for the connection.
func recordOf(p *ssh.Permissions, network keys.Network) (record, error) {
	if p == nil || p.Extensions[extAccount] == "" || p.Extensions[extLine] == "" || p.Extensions[extSignature] == "" {
		return record{}, errors.New("the connection has no proved account")
	}
	account, err := keys.ParseAddress(network, p.Extensions[extAccount])
	if err != nil {
		return record{}, err
	}
	return record{account, api.Proof{Line: p.Extensions[extLine], Signature: p.Extensions[extSignature], Key: p.Extensions[extKey],
		Vouched: p.Extensions[extVouched]}}, nil
}

// judge asks for the engine's judgement, and holds it to what was proved here.
func (s *Server) judge(account keys.Address, proof api.Proof) (api.Scope, error) {
	who, scope, err := s.cfg.Judge(proof)
	switch {
	case err != nil:
		return "", err
	case who != account.String():
		return "", fmt.Errorf("the satellite takes the proof for one of %q", who)
	case proof.Key == "" && scope != api.ScopeRead:
		return "", fmt.Errorf("the satellite would give scope %s without an SSH key, and its configuration forbids that", scope)
	}
	return scope, nil
}
