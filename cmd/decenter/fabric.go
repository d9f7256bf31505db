package main

import (
	"crypto"
	"crypto/ed25519"
	"log/slog"
	"path/filepath"

	"decenter/engine/config"
	"decenter/engine/fabric"
	"decenter/engine/identity"
	"decenter/net/frame"
	"decenter/net/link"
	"decenter/net/tree"
)

// fabricConfig is the file's part of the fabric. What the tree promised is kept in the run folder, which lives as long as
// the data path: until the next boot.
func fabricConfig(cfg config.Config, id *identity.Identity, log *slog.Logger) fabric.Config {
	return fabric.Config{Name: cfg.Name, MAC: frame.MAC(id.MAC()), Priority: uint16(cfg.Net.Priority),
		Ports: link.Filter{Include: cfg.Net.Include, Exclude: cfg.Net.Exclude},
		Host:  cfg.Net.Host, BPF: cfg.Net.BPF, State: filepath.Join(cfg.Run, "fabric"), Data: cfg.Data, Log: log}
}

// fabricConfig is that of a satellite that runs.
func (s *satellite) fabricConfig() fabric.Config {
	c := fabricConfig(s.cfg, s.id, s.log)
	c.Auth = &tree.Auth{Public: [ed25519.PublicKeySize]byte(s.id.Public()), Dice: fabric.Dice, Identify: s.neighbour,
		Sign: func(message []byte) []byte {
			signature, err := s.id.Key().Sign(nil, message, crypto.Hash(0))
			if err != nil {
				s.log.Error("the satellite's key does not sign; no neighbour will take it", "err", err)
			}
			return signature
		}}
	return c
}

func uninstallFabric(cfg config.Config) error {
	id, err := identity.LoadOrCreate(cfg.Data)
	if err != nil {
		return err
	}
	return fabric.Uninstall(fabricConfig(cfg, id, slog.New(slog.DiscardHandler)))
}
