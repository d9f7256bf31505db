package kvmprobe

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"decenter/virt"
)

// key is all that the verdict depends on.
type key struct {
	Kernel string `json:"kernel"` // release
	CPU    string `json:"cpu"`    // model name
	QEMU   string `json:"qemu"`   // first line of --version
	Boot   string `json:"boot"`   // boot id
	Guest  string `json:"guest"`  // path, size and time
}

// memo is the file's content.
type memo struct {
	Key     key     `json:"key"`
	Verdict Verdict `json:"verdict"`
}

const versionTime = 5 * time.Second

func keyOf(ctx context.Context, c Config) (key, error) {
	fi, err := os.Stat(c.guestFile())
	if err != nil {
		return key{}, fmt.Errorf("%w: no guest to probe KVM with: %w", virt.ErrNotFound, err)
	}
	inner, cancel := context.WithTimeout(ctx, versionTime)
	defer cancel()
	version, err := exec.CommandContext(inner, c.QEMU, "--version").Output()
	if err != nil {
		return key{}, fmt.Errorf("%w: %s --version: %w", virt.ErrUnavailable, c.QEMU, err)
	}
	first, _, _ := strings.Cut(string(version), "\n")
	return key{
		Kernel: oneLine("/proc/sys/kernel/osrelease"), CPU: cpuModel(), QEMU: first, Boot: oneLine("/proc/sys/kernel/random/boot_id"),
		Guest: fmt.Sprintf("%s %d %d", c.guestFile(), fi.Size(), fi.ModTime().UnixNano()),
	}, nil
}

func oneLine(path string) string {
	b, _ := os.ReadFile(path) // missing is as good a key as any
	return strings.TrimSpace(string(b))
}

func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if name, value, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// recall reads the verdict; a file that is missing, broken or of another key is as none.
func recall(file string, k key) (Verdict, bool) {
	if file == "" {
		return Verdict{}, false
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return Verdict{}, false
	}
	var m memo
	if json.Unmarshal(b, &m) != nil || m.Key != k || m.Verdict.Accel != virt.KVM && m.Verdict.Accel != virt.TCG {
		return Verdict{}, false
	}
	return m.Verdict, true
}

// remember writes it whole or not at all.
func remember(file string, k key, v Verdict) error {
	if file == "" {
		return nil
	}
	b, err := json.MarshalIndent(memo{k, v}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".kvm-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone by then, if all went well
	_, err = f.Write(append(b, '\n'))
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), file)
}
