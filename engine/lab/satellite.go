package lab

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/engine/config"
	"decenter/engine/identity"
	"decenter/keys"
)

// Inside a satellite everything is where a real one has it.
const (
	insideRun = "/run/decenter"
	insideBPF = "/sys/fs/bpf/decenter"
	sshPort   = 2222
	firstSSH  = 2201 // on the machine's loopback, for s1
)

// paths are a satellite's folders on this machine.
type paths struct{ dir string }

func (l *Lab) paths(satellite string) paths { return paths{filepath.Join(l.Dir, satellite)} }

func (p paths) data() string   { return filepath.Join(p.dir, "data") }
func (p paths) run() string    { return filepath.Join(p.dir, "run") }
func (p paths) virt() string   { return filepath.Join(p.dir, "libvirt") }
func (p paths) log() string    { return filepath.Join(p.dir, "log") }
func (p paths) config() string { return filepath.Join(p.dir, "engine.toml") }
func (p paths) socket() string { return filepath.Join(p.run(), "engine.sock") }
func (p paths) holder() string { return filepath.Join(p.run(), "holder.sock") }

// libvirtUser is looked up by libvirt before it reads that it shall not be used.
const (
	libvirtPasswd = "libvirt-qemu:x:64055:64055:Libvirt Qemu:/nonexistent:/usr/sbin/nologin\n"
	libvirtGroup  = "libvirt-qemu:x:64055:\n"
)

// prepare makes a satellite's folders and files, all but its configuration.
func (p paths) prepare(number int, spacesuits map[string]string) error {
	for _, d := range []string{p.data(), p.run(), p.log(), filepath.Join(p.data(), "spacesuits"),
		filepath.Join(p.virt(), "etc/qemu"), filepath.Join(p.virt(), "lib"), filepath.Join(p.virt(), "cache"), filepath.Join(p.virt(), "log")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return err
		}
	}
	passwd, err := withUser("/etc/passwd", libvirtPasswd)
	if err != nil {
		return err
	}
	group, err := withUser("/etc/group", libvirtGroup)
	if err != nil {
		return err
	}
	files := map[string]string{
		"libvirt/passwd":            passwd,
		"libvirt/group":             group,
		"libvirt/etc/libvirtd.conf": fmt.Sprintf(libvirtdConf, number),
		"libvirt/etc/qemu.conf":     qemuConf,
	}
	// Debian 13 may have the daemons apart; the QEMU one reads its own file.
	files["libvirt/etc/virtqemud.conf"] = strings.NewReplacer("listen_tls = 0\n", "", "listen_tcp = 0\n", "").Replace(files["libvirt/etc/libvirtd.conf"])
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	for name, path := range spacesuits {
		if err := share(path, filepath.Join(p.data(), "spacesuits", name+".qcow2")); err != nil {
			return fmt.Errorf("spacesuit %s: %w", name, err)
		}
	}
	return nil
}

func withUser(path, line string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if strings.Contains("\n"+string(text), "\nlibvirt-qemu:") {
		return string(text), nil
	}
	return string(text) + line, nil
}

// share puts a file into a satellite without copying it, where the file system can.
func share(from, to string) error {
	if err := os.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	// An engine waits while a file looks as if it were being written; this one is whole.
	return errors.Join(err, out.Close(), os.Chtimes(to, time.Time{}, st.ModTime()))
}

// powerUp empties what a real machine keeps in memory.
func (p paths) powerUp() error {
	if err := os.RemoveAll(p.run()); err != nil {
		return err
	}
	return os.Mkdir(p.run(), 0o700)
}

// fingerprint is the id of the satellite whose disk this is; empty where there is no key yet.
func (p paths) fingerprint() string {
	text, err := os.ReadFile(filepath.Join(p.data(), "satellite.pub"))
	if err != nil {
		return ""
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(key)
}

// writeConfigs gives every satellite its configuration, and its owner's word that all belong to one constellation.
func (l *Lab) writeConfigs() error {
	owner, err := l.owner()
	if err != nil {
		return err
	}
	var ids []keys.Fingerprint
	for _, name := range l.Topology.Satellites {
		id, err := identity.LoadOrCreate(l.paths(name).data())
		if err != nil {
			return err
		}
		f, err := keys.ParseFingerprint(id.Fingerprint())
		if err != nil {
			return err
		}
		ids = append(ids, f)
	}
	for _, name := range l.Strangers {
		if !slices.Contains(l.Topology.Satellites, name) {
			return &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no satellite %q in this lab", name), Hint: fmt.Sprintf("use s1 to s%d", len(ids))}
		}
	}
	for n, name := range l.Topology.Satellites {
		p := l.paths(name)
		c := config.Default(name)
		c.Data, c.Run, c.Net.BPF = p.data(), insideRun, insideBPF
		c.Trust.Constellation, c.Trust.Owners = Constellation, append([]string{owner.Account.String()}, l.Accounts...)
		c.Log.Level, c.Virt.Accel = l.LogLevel, l.Accel
		text, err := c.Append()
		if err != nil {
			return err
		}
		if err := c.Check(); err != nil {
			return fmt.Errorf("configuration of %s: %w", name, err)
		}
		if err := os.WriteFile(p.config(), text, 0o600); err != nil {
			return err
		}
		if err := p.declare(c, owner, ids[n], l.admittedBy(name, ids)); err != nil {
			return fmt.Errorf("trust of %s: %w", name, err)
		}
	}
	return nil
}

// libvirtdConf is for libvirt 7 and later; the number makes host_uuid differ, which migration asks for.
const libvirtdConf = `host_uuid = "dece0000-0000-4000-8000-%012d"
unix_sock_ro_perms = "0700"
unix_sock_rw_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
listen_tls = 0
listen_tcp = 0
max_client_requests = 32
keepalive_interval = 2
keepalive_count = 3
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
`

const qemuConf = `user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = [ ]
namespaces = [ ]
stdio_handler = "file"
set_process_name = 1
`
