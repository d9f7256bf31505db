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
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"decenter/engine"
	"decenter/engine/admission"
	"decenter/engine/config"
	"decenter/engine/directory"
	"decenter/engine/fabric"
	"decenter/engine/identity"
	"decenter/engine/jobs"
	"decenter/engine/radar"
	"decenter/engine/trust"
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

	statements *trust.Store
	trust      engine.Trust
	exchange   *admission.Admission
	directory  *directory.Gate         // nil: there is none
	belongs    atomic.Pointer[belongs] // what neighbour knows of its view
	closers    []func() error          // in the order of opening
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
	if err = s.openTrust(); err != nil {
		return err
	}
	if s.volumes, err = qcow2.Open(filepath.Join(s.cfg.Data, "volumes"), time.Now); err != nil {
		return err
	}
	s.closers = append(s.closers, s.volumes.Close)
	if s.guests, err = libvirt.Open(libvirt.Config{URI: s.cfg.Virt.URI, Dir: filepath.Join(s.cfg.Run, "guests"), Log: s.log}); err != nil {
		return err
	}
	if s.fabric, err = fabric.New(ctx, s.fabricConfig()); err != nil {
		return fmt.Errorf("bring up the fabric: %w", err)
	}
	s.closers = append(s.closers, s.fabric.Close)
	if err = s.openRadar(); err != nil {
		return err
	}
	s.engine, err = engine.New(engine.Config{
		Name: s.cfg.Name, ID: s.id.Fingerprint(), Version: buildVersion(),
		Guests: s.guests, Volumes: s.volumes, Fabric: s.fabric, Radar: s.radar, Journal: s.journal,
		ImportDir: filepath.Join(s.cfg.Data, "spacesuits"),
		Accel:     s.accel(ctx),
		PeerTLS:   func(id string) (*tls.Config, error) { return s.id.TLS(func(have string) bool { return have == id }) },
		Trust:     s.trust,
		Now:       time.Now, Log: s.log,
	})
	return err
}

// radarConfig is the radar's, but for its keys.
func (s *satellite) radarConfig() radar.Config {
	mac := s.id.MAC()
	addr, _ := netip.AddrFromSlice(identity.LinkLocal(mac))
	return radar.Config{ID: s.id.Fingerprint(), Name: s.cfg.Name, Version: buildVersion(),
		Advertise: addr, Zone: s.cfg.Net.Host, Port: s.cfg.Peer.Port, RPCPort: s.cfg.Peer.Port + 1,
		Snapshot: filepath.Join(s.cfg.Data, "radar"), Admitted: s.admitted, Log: s.log}
}

// run serves until ctx ends or a part fails. All listeners are open before anything starts.
func (s *satellite) run(ctx context.Context) error {
	serve, err := s.listeners()
	if err != nil {
		return err
	}
	// What the engine works on goes on until the engine has undone the jobs under way.
	below, stopBelow := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBelow()
	base, below := errgroup.WithContext(below)
	base.Go(func() error { return s.guests.Run(below) })
	base.Go(func() error { return s.fabric.Run(below) })

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.engine.Run(ctx) })
	for _, f := range serve {
		g.Go(func() error { return f(ctx) })
	}
	g.Go(func() error { return s.joinRouted(ctx) })
	g.Go(func() error { // a part below that fails ends all
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-below.Done():
			return base.Wait()
		}
	})
	err = g.Wait()
	stopBelow()
	if berr := base.Wait(); err == nil || errors.Is(err, context.Canceled) {
		err = berr
	}
	return err
}

// listeners opens what the file says to listen on, and gives what to do with each.
func (s *satellite) listeners() (serve []func(context.Context) error, err error) {
	var open []net.Listener
	defer func() {
		if err != nil {
			for _, l := range open {
				l.Close()
			}
		}
	}()
	add := func(what string, l net.Listener, err error, f func(context.Context, net.Listener) error) error {
		if err != nil {
			return fmt.Errorf("listen for %s: %w", what, err)
		}
		open = append(open, l)
		serve = append(serve, func(ctx context.Context) error { return f(ctx, l) })
		return nil
	}
	l, err := engine.ListenUnix(filepath.Join(s.cfg.Run, "engine.sock"))
	if err = add("this machine's users", l, err, s.engine.ServeLocal); err != nil {
		return nil, err
	}
	peerTLS, err := s.id.ListenTLS()
	if err != nil {
		return nil, err
	}
	l, err = net.Listen("tcp", ":"+strconv.Itoa(s.cfg.Peer.Port+1))
	err = add("satellites", l, err, func(ctx context.Context, l net.Listener) error { return s.engine.ServePeers(ctx, l, peerTLS) })
	if err != nil {
		return nil, err
	}
	if s.cfg.Metrics.Listen != "" {
		l, err = net.Listen("tcp", s.cfg.Metrics.Listen)
		if err = add("Prometheus", l, err, s.engine.ServeMetrics); err != nil {
			return nil, err
		}
	}
	if len(s.cfg.SSH.Listen) > 0 {
		server, err := s.sshServer()
		if err != nil {
			return nil, err
		}
		serve = append(serve, server.Serve)
	}
	return serve, nil
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
				_, err = s.radar.Join(s.exchange.Introduce(ctx, addrs))
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
