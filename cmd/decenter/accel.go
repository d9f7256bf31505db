package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"decenter/engine/config"
	"decenter/virt"
	"decenter/virt/kvmprobe"
)

// accelWait is how long a stock guest may take to come up with KVM before it is called hung; it takes one or two.
const accelWait = 10 * time.Second

// accel gives what to run guests with. Where that has to be found out it is TCG until it is.
func (s *satellite) accel(ctx context.Context) func() virt.Accel {
	if s.cfg.Virt.Accel != "auto" {
		return func() virt.Accel { return virt.Accel(s.cfg.Virt.Accel) }
	}
	later := kvmprobe.Begin(ctx, probeConfig(s.cfg))
	go logVerdict(ctx, later, s.log)
	return later.Accel
}

func logVerdict(ctx context.Context, later *kvmprobe.Later, log *slog.Logger) {
	v, err := later.Wait(ctx)
	if err != nil {
		log.Warn("whether KVM runs guests could not be found out; they run with TCG, slowly", "err", err)
		return
	}
	log.Info("guests run with "+string(v.Accel), "because", v.Reason)
}

// probeConfig chooses the guest to try: the spacesuit tiny where it is, else this machine's own kernel.
func probeConfig(cfg config.Config) kvmprobe.Config {
	c := kvmprobe.Config{File: filepath.Join(cfg.Data, "kvm.json"), Timeout: accelWait}
	return tryGuest(c, filepath.Join(cfg.Data, "spacesuits", "tiny.qcow2"))
}

// tryGuest completes the configuration with a guest and the line that tells that it runs.
func tryGuest(c kvmprobe.Config, image string) kvmprobe.Config {
	if _, err := os.Stat(image); err == nil {
		c.Disk, c.Line = image, "DECENTER-GUEST-UP"
		return c
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return c
	}
	v := strings.TrimSpace(string(release))
	// What the kernel says when it has come up and hands over to user space.
	c.Kernel, c.Initrd, c.Line = "/boot/vmlinuz-"+v, "/boot/initrd.img-"+v, "Run /init as init process"
	return c
}

// labAccel finds out, once for a whole lab, what to run guests with; the verdict is kept in the cache folder.
func labAccel(ctx context.Context, image, cache string) string {
	c := kvmprobe.Config{Timeout: accelWait}
	if cache != "" && os.MkdirAll(cache, 0o755) == nil {
		c.File = filepath.Join(cache, "kvm.json")
	}
	v, err := kvmprobe.Probe(ctx, tryGuest(c, image))
	if err != nil {
		return string(virt.TCG)
	}
	return string(v.Accel)
}
