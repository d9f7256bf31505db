package libvirt

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"decenter/virt"
)

// host is a machine of its own as far as libvirt can see: a libvirtd in private mount, process and network
// namespaces. Its paths are compiled in, so private directories are bound over them. When the first process of the
// process namespace ends, so does everything in it.
type host struct {
	t    *testing.T
	dir  string
	init string // process id of the namespace's first process
}

const hostScript = `set -e
mount --bind $H/run /run; mkdir -p /run/libvirt
for d in lib cache log; do
  mount -t tmpfs -o mode=755 tmpfs /var/$d; mkdir /var/$d/libvirt; mount --bind $H/$d /var/$d/libvirt
done
mount --bind $H/etc /etc/libvirt; mount --bind $H/passwd /etc/passwd; mount --bind $H/group /etc/group
mount -t sysfs sysfs /sys
ip link set lo up; ip tuntap add dev dc0 mode tap; ip link set dc0 up
trap '' HUP INT TERM
: > $H/up
while :; do sleep 1000 & wait $!; done`

const libvirtdConf = `host_uuid = "00000000-0000-4000-8000-0000000000d1"
unix_sock_rw_perms = "0700"
auth_unix_rw = "none"
listen_tls = 0
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
`

func newHost(t *testing.T) *host {
	t.Helper()
	for _, tool := range []string{"libvirtd", "qemu-system-x86_64", "qemu-img", "unshare", "nsenter", "ip"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIP: this test runs a real libvirtd and needs %s: %v", tool, err)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("SKIP: this test makes namespaces and must run as root")
	}
	dir, err := os.MkdirTemp("", "dcv")
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, dir: dir}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, d := range []string{"run", "lib", "cache", "log", "etc/qemu", "guests"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	h.write("etc/libvirtd.conf", libvirtdConf)
	h.write("etc/qemu.conf", qemuConf)
	for _, f := range []string{"passwd", "group"} { // the driver looks its default user up before it reads its configuration
		b, err := os.ReadFile("/etc/" + f)
		if err != nil {
			t.Fatal(err)
		}
		line := map[string]string{"passwd": "libvirt-qemu:x:64055:64055::/:/bin/false\n", "group": "libvirt-qemu:x:64055:\n"}[f]
		if strings.Contains(string(b), "\nlibvirt-qemu:") {
			line = ""
		}
		h.write(f, strings.TrimRight(string(b), "\n")+"\n"+line)
	}
	h.powerOn()
	h.startLibvirtd()
	return h
}

func (h *host) write(name, content string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.dir, name), []byte(content), 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) powerOn() {
	h.t.Helper()
	cmd := exec.Command("unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
		"--propagation", "private", "/bin/sh", "-c", hostScript)
	cmd.Env = append(os.Environ(), "H="+h.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		for end := time.Now().Add(10 * time.Second); h.init != "" && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat("/proc/" + h.init); err != nil {
				break
			}
		}
	})
	h.eventually("the private machine is up", func() bool { _, err := os.Stat(filepath.Join(h.dir, "up")); return err == nil })
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
	if err != nil {
		h.t.Fatal(err)
	}
	h.init = strings.Fields(string(b))[0]
}

// in runs a command on the private machine.
func (h *host) in(args ...string) (string, error) {
	out, err := exec.Command("nsenter", append([]string{"-t", h.init, "-m", "-u", "-i", "-n", "-p", "--"}, args...)...).CombinedOutput()
	return string(out), err
}

func (h *host) startLibvirtd() {
	h.t.Helper()
	if out, err := h.in("libvirtd", "--daemon", "--pid-file", "/run/libvirt/libvirtd.pid", "--config", "/etc/libvirt/libvirtd.conf"); err != nil {
		h.t.Fatalf("libvirtd: %v\n%s", err, out)
	}
}

// signalLibvirtd sends it a signal: KILL, STOP, CONT.
func (h *host) signalLibvirtd(sig string) {
	h.t.Helper()
	if out, err := h.in("sh", "-c", "kill -"+sig+" $(cat /run/libvirt/libvirtd.pid)"); err != nil {
		h.t.Fatalf("kill -%s libvirtd: %v\n%s", sig, err, out)
	}
}

// qemu finds the processes that run guests, as seen on the private machine.
func (h *host) qemu() []string {
	out, _ := h.in("pidof", "qemu-system-x86_64")
	return strings.Fields(out)
}

func (h *host) eventually(what string, ok func() bool) {
	h.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(h.dir, "log/libvirtd.log"))
			h.t.Fatalf("not in 30 s: %s\n%s", what, log)
		}
	}
}

// driver opens a Driver on the host that runs until the returned function is called, or the test ends.
func (h *host) driver() (*Driver, context.CancelFunc) { return h.driverWith(20 * time.Second) }

func (h *host) driverWith(timeout time.Duration) (*Driver, context.CancelFunc) {
	h.t.Helper()
	d, err := Open(Config{
		URI: "qemu+unix:///system?socket=" + filepath.Join(h.dir, "run/libvirt/libvirt-sock"),
		Dir: filepath.Join(h.dir, "guests"), CallTimeout: timeout,
		Log: slog.New(slog.NewTextHandler(h.t.Output(), nil)),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); d.Run(ctx) }()
	stop := func() { cancel(); <-done }
	h.t.Cleanup(stop)
	return d, stop
}

// sector is a boot sector that says DECENTER-GUEST-UP on the serial port, then answers every byte typed with its
// 0x20 bit turned (a becomes A), and powers off on q or on the ACPI power button, saying bye. As 16-bit x86:
//
//	cli; ax = ds = ss = 0; sp = 0x7c00; jump to 0:$
//	outw 0x602, 0x100             PM1 enable: the power button (q35: SeaBIOS puts the PM block at 0x600)
//	print "DECENTER-GUEST-UP sector\r\n"
//	loop: inw 0x600; bit 8 set (pressed): goto off
//	      inb 0x3fd; bit 0 clear (no byte): goto loop
//	      inb 0x3f8; if q goto off; xor 0x20; print; goto loop
//	off:  print "bye\r\n"; outw 0x604, 0x2000 (soft off); hlt
const sector = "" +
	"fa31c08ed88ed0bc007cea0f7c0000ba0206b80001efbe6d7cac84c07405e83d00" +
	"ebf6ba0006edf6c401751bbafd03eca8017504f390ebebbaf803ec3c7174073420" +
	"e81900ebdcbe887cac84c07405e80c00ebf6ba0406b80020eff4ebfd50bafd03ec" +
	"a82074f858baf803eec3"

// sectorDisk writes a disk that boots it.
func sectorDisk(t *testing.T, path string) {
	t.Helper()
	code, err := hex.DecodeString(sector)
	if err != nil {
		t.Fatal(err)
	}
	code = append(code, "DECENTER-GUEST-UP sector\r\n\x00bye\r\n\x00"...)
	image := make([]byte, 1<<20)
	copy(image, code)
	image[510], image[511] = 0x55, 0xaa
	if err := os.WriteFile(path, image, 0o600); err != nil {
		t.Fatal(err)
	}
}

// guest gives the Spec of a guest with that disk.
func (h *host) guest(n byte) virt.Spec {
	h.t.Helper()
	s := spec()
	s.ID[15], s.Name = n, fmt.Sprintf("web-%d", n)
	s.CPU, s.Memory, s.RAM, s.NICs = 1, 64<<20, virt.RAMPrivate, nil
	path := filepath.Join(h.dir, s.Name+".img")
	sectorDisk(h.t, path)
	s.Disks = []virt.Disk{{Name: "vda", Path: path, Format: virt.Raw}}
	return s
}
