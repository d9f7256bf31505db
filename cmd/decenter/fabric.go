package main

import (
	"context"
	"log/slog"
	"path/filepath"

	"decenter/engine/config"
	"decenter/engine/fabric"
	"decenter/engine/identity"
)

// fabricConfig is the file's part of the fabric. What the tree promised is kept in the run folder, which lives as long as
// the data path: until the next boot.
func fabricConfig(cfg config.Config, id *identity.Identity, log *slog.Logger) fabric.Config {
	return fabric.Config{Name: cfg.Name, MAC: id.MAC(), Priority: uint16(cfg.Net.Priority),
		Include: cfg.Net.Include, Exclude: cfg.Net.Exclude, Host: cfg.Net.Host, BPFDir: cfg.Net.BPF,
		StateFile: filepath.Join(cfg.Run, "tree"), Log: log}
}

func uninstallFabric(_ context.Context, cfg config.Config) error {
	id, err := identity.LoadOrCreate(cfg.Data)
	if err != nil {
		return err
	}
	return fabric.Uninstall(fabricConfig(cfg, id, slog.New(slog.DiscardHandler)))
}
