package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"decenter/engine"
	"decenter/engine/config"
	"decenter/engine/fabric"
	"decenter/engine/identity"
	"decenter/engine/jobs"
	"decenter/engine/radar"
	"decenter/shell"
	"decenter/shell/sshd"
	"decenter/virt/libvirt"
	"decenter/virt/qcow2"
)

// satellite is everything that runs in `decenter engine`, from its parts.
type satellite struct {
	cfg config.Config
	log *slog.Logger

	id      *identity.Identity
	fabric  *fabric.Fabric
	radar   *radar.Radar
	guests  *libvirt.Driver
	volumes *qcow2.Store
	journal *jobs.Journal
	engine  *engine.Engine
	closers []func() error // in the order of opening
}

// runSatellite runs the engine until ctx ends. The guests and the data path go on without it.
func runSatellite(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	if os.Geteuid() != 0 {
		return errors.New("the engine needs root: it makes network devices and loads eBPF")
	}
	s := &satellite{cfg: cfg, log: log}
	defer func() {
		for _, c := range slices.Backward(s.closers) {
			err = errors.Join(err, c())
		}
	}()
	if err := s.open(ctx); err != nil {
		return err
	}
	if err := s.run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("stopped; VMs and forwarding go on")
	return nil
}

// open makes the parts, from the bottom up. What fails here is a mistake in the set-up, not of the moment.
func (s *satellite) open(ctx context.Context) (err error) {
	if s.id, err = identity.LoadOrCreate(s.cfg.Data); err != nil {
		return err
	}
	s.log.Info("starting", "satellite", s.cfg.Name, "id", s.id.Fingerprint(), "version", buildVersion())
	if s.journal, err = jobs.OpenJournal(filepath.Join(s.cfg.Data, "journal")); err != nil {
		return err
	}
	s.closers = append(s.closers, s.journal.Close)
	if s.volumes, err = qcow2.Open(filepath.Join(s.cfg.Data, "volumes"), time.Now); err != nil {
		return err
	}
	s.closers = append(s.closers, s.volumes.Close)
	if s.guests, err = libvirt.Open(libvirt.Config{URI: s.cfg.Virt.URI, Dir: filepath.Join(s.cfg.Run, "guests"), Log: s.log}); err != nil {
		return err
	}
	if s.fabric, err = fabric.New(ctx, fabricConfig(s.cfg, s.id, s.log)); err != nil {
		return fmt.Errorf("bring up the fabric: %w", err)
	}
	s.closers = append(s.closers, s.fabric.Close)
	if s.radar, err = radar.New(s.radarConfig()); err != nil {
		return err
	}
	s.engine, err = engine.New(engine.Config{
		Name: s.cfg.Name, ID: s.id.Fingerprint(), Version: buildVersion(),
		Guests: s.guests, Volumes: s.volumes, Fabric: s.fabric, Radar: s.radar, Journal: s.journal,
		ImportDir: filepath.Join(s.cfg.Data, "spacesuits"),
		Accel:     s.accel(ctx),
		PeerTLS:   func(id string) (*tls.Config, error) { return s.id.TLS(func(have string) bool { return have == id }) },
		Now:       time.Now, Log: s.log,
	})
	return err
}

func (s *satellite) radarConfig() radar.Config {
	mac := s.id.MAC()
	addr, _ := netip.AddrFromSlice(identity.LinkLocal(mac))
	return radar.Config{ID: s.id.Fingerprint(), Name: s.cfg.Name, Version: buildVersion(),
		Advertise: addr, Zone: s.cfg.Net.Host, Port: s.cfg.Peer.Port, RPCPort: s.cfg.Peer.Port + 1,
		Snapshot: filepath.Join(s.cfg.Data, "radar"), Admitted: admitted(s.cfg, s.id.Fingerprint()), Log: s.log}
}

// run serves until ctx ends or a part fails.
func (s *satellite) run(ctx context.Context) error {
	local, err := engine.ListenUnix(filepath.Join(s.cfg.Run, "engine.sock"))
	if err != nil {
		return err
	}
	peers, err := net.Listen("tcp", ":"+strconv.Itoa(s.cfg.Peer.Port+1))
	if err != nil {
		return fmt.Errorf("listen for satellites: %w", err)
	}
	peerTLS, err := s.id.TLS(admitted(s.cfg, s.id.Fingerprint()))
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.guests.Run(ctx) })
	g.Go(func() error { return s.fabric.Run(ctx) })
	g.Go(func() error { return s.engine.Run(ctx) })
	g.Go(func() error { return s.engine.ServeLocal(ctx, local) })
	g.Go(func() error { return s.engine.ServePeers(ctx, peers, peerTLS) })
	if err := s.serveMetrics(ctx, g); err != nil {
		return err
	}
	if err := s.serveSSH(ctx, g); err != nil {
		return err
	}
	g.Go(func() error { return s.joinRouted(ctx) })
	return g.Wait()
}

func (s *satellite) serveMetrics(ctx context.Context, g *errgroup.Group) error {
	if s.cfg.Metrics.Listen == "" {
		return nil
	}
	l, err := net.Listen("tcp", s.cfg.Metrics.Listen)
	if err != nil {
		return fmt.Errorf("listen for Prometheus: %w", err)
	}
	g.Go(func() error { return s.engine.ServeMetrics(ctx, l) })
	return nil
}

func (s *satellite) serveSSH(ctx context.Context, g *errgroup.Group) error {
	if len(s.cfg.SSH.Listen) == 0 {
		return nil
	}
	accounts := slices.Clone(s.cfg.Trust.Accounts)
	server, err := sshd.New(sshd.Config{
		Listen: s.cfg.SSH.Listen, HostKey: s.id.Signer(), Version: buildVersion(), Log: s.log,
		Allow: func(account string) bool { return slices.Contains(accounts, account) },
		Open:  s.engine.Open,
		Exec:  shell.SSH,
		TUI:   sshConsole,
	})
	if err != nil {
		return err
	}
	g.Go(func() error { return server.Serve(ctx) })
	return nil
}

// routedEvery is how often the satellites of peer.join are tried.
const routedEvery = 10 * time.Second

// joinRouted joins satellites across routed networks, which the fabric does not tell of.
func (s *satellite) joinRouted(ctx context.Context) error {
	tick := time.NewTicker(routedEvery)
	defer tick.Stop()
	for len(s.cfg.Peer.Join) > 0 {
		for _, host := range s.cfg.Peer.Join {
			addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
			if err == nil {
				_, err = s.radar.Join(addrs)
			}
			if err != nil {
				s.log.Debug("join", "host", host, "err", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}
