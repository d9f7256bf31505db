package kvmprobe

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"decenter/virt"
)

const line = "DECENTER-GUEST-UP"

// fake writes a program that stands for QEMU; it counts its starts in a file beside it.
func fake(t *testing.T, does string) Config {
	t.Helper()
	if _, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0); err != nil {
		t.Skipf("SKIP: without /dev/kvm nothing is ever tried: %v", err)
	}
	dir := t.TempDir()
	script := "#!/bin/sh\n[ \"$1\" = --version ] && { echo fake 1.0; exit; }\necho x >> " + dir + "/starts\n" + does + "\n"
	for name, content := range map[string]string{"qemu": script, "disk": "disk"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return Config{QEMU: filepath.Join(dir, "qemu"), Disk: filepath.Join(dir, "disk"), Line: line, Timeout: time.Second, File: filepath.Join(dir, "state", "kvm.json")}
}

func starts(c Config) int {
	b, _ := os.ReadFile(filepath.Join(filepath.Dir(c.QEMU), "starts"))
	return strings.Count(string(b), "x")
}

func TestAGuestThatSpeaksProvesKVM(t *testing.T) {
	for name, does := range map[string]string{
		"and goes on":      "echo booting; echo " + line + " tiny; exec sleep 60",
		"and ends at once": "printf 'booting\n" + line + "'",
		"in pieces":        "printf DECENTER-; sleep 0.1; printf GUEST-UP; exec sleep 60",
	} {
		c := fake(t, does)
		c.Timeout = 10 * time.Second
		v, err := Probe(t.Context(), c)
		if err != nil || v.Accel != virt.KVM {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
		if v.Took > 5*time.Second {
			t.Errorf("%s: waited %v for a guest that had spoken", name, v.Took)
		}
	}
}

func TestAGuestThatHangsOrDiesMeansTCG(t *testing.T) {
	for does, why := range map[string]string{
		"echo booting; exec sleep 60":                   "did not come up in 1s",
		"echo 'KVM: entry failed' >&2; exit 1":          "KVM: entry failed",
		"echo " + strings.ToLower(line) + "; exit 0":    "ended",
		"yes no; exit 0":                                "did not come up in 1s",
		"trap '' TERM; while :; do sleep 0.05; done":    "did not come up in 1s",
		"sleep 6 & echo the child keeps the pipe; wait": "did not come up in 1s",
	} {
		c := fake(t, does)
		begun := time.Now()
		v, err := Probe(t.Context(), c)
		if err != nil || v.Accel != virt.TCG || !strings.Contains(v.Reason, why) {
			t.Errorf("%s: %+v, %v", does, v, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: took %v", does, took)
		}
	}
}

func TestTheVerdictIsRememberedForThisMachineOnly(t *testing.T) {
	c := fake(t, "echo "+line)
	for range 3 {
		if v, err := Probe(t.Context(), c); err != nil || v.Accel != virt.KVM {
			t.Fatalf("%+v, %v", v, err)
		}
	}
	if n := starts(c); n != 1 {
		t.Errorf("%d guests were started for one verdict", n)
	}
	b, err := os.ReadFile(c.File)
	if err != nil {
		t.Fatal(err)
	}
	boot := oneLine("/proc/sys/kernel/random/boot_id")
	for name, content := range map[string]string{
		"another boot":       strings.ReplaceAll(string(b), boot, "00000000"),
		"torn":               string(b[:len(b)/2]),
		"an unknown verdict": strings.ReplaceAll(string(b), `"accel": "kvm"`, `"accel": "xen"`),
	} {
		if content == string(b) {
			t.Fatalf("%s: the test changes nothing", name)
		}
		before := starts(c)
		if err := os.WriteFile(c.File, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Probe(t.Context(), c); err != nil || starts(c) != before+1 {
			t.Errorf("%s: believed (%v)", name, err)
		}
	}
}

func TestBeingStoppedIsNoVerdict(t *testing.T) {
	c := fake(t, "exec sleep 60")
	c.Timeout = time.Minute
	ctx, cancel := context.WithCancel(t.Context())
	l := Begin(ctx, c)
	if l.Accel() != virt.TCG {
		t.Error("an engine gets KVM before the verdict")
	}
	short, stop := context.WithTimeout(ctx, 50*time.Millisecond)
	defer stop()
	if v, err := l.Wait(short); v.Accel != virt.TCG || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v, %v", v, err)
	}
	cancel()
	if v, err := l.Wait(context.Background()); v.Accel != virt.TCG || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := os.Stat(c.File); err == nil {
		t.Error("remembered")
	}
}

func TestNoGuestIsAnError(t *testing.T) {
	c := fake(t, "")
	c.Disk += ".none"
	if v, err := Probe(t.Context(), c); !errors.Is(err, virt.ErrNotFound) || v.Accel != virt.TCG {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestThisMachine starts the real guest: with TCG it must come up, else the verdict on KVM would say nothing about KVM.
func TestThisMachine(t *testing.T) {
	disk := os.Getenv("DECENTER_TINY")
	if disk == "" {
		disk = "../../.build/tiny.qcow2"
	}
	if _, err := os.Stat(disk); err != nil {
		t.Skipf("SKIP: the guest image is not built: %v", err)
	}
	c := Config{Disk: disk, Line: line, Timeout: 90 * time.Second, QEMU: "qemu-system-x86_64", File: filepath.Join(t.TempDir(), "kvm.json")}
	v, err := c.try(t.Context(), virt.TCG)
	if err != nil || v.Reason != "a guest ran" {
		t.Fatalf("with TCG: %+v, %v", v, err)
	}
	t.Logf("with TCG: %+v", v)
	c.Timeout = 0
	begun := time.Now()
	if v, err = Probe(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	t.Logf("verdict in %v: %+v", time.Since(begun), v)
	begun = time.Now()
	if again, err := Probe(t.Context(), c); v.Took > 0 && (err != nil || again != v || time.Since(begun) > time.Second) {
		t.Errorf("not remembered: %+v, %v in %v", again, err, time.Since(begun))
	}
}
