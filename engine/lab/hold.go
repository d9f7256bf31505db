package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Times and bounds of a holder.
const (
	restartAfter = time.Second // as systemd's RestartSec would be set
	maxForwarded = 64          // ssh connections from outside at once
	orderWait    = 5 * time.Second
	acceptAgain  = 100 * time.Millisecond // out of file descriptors, say
)

// The files a holder inherits, by number.
const (
	fdSSH      = 3 // listener on the machine's loopback, made outside
	fdWord     = 4 // read end of a pipe: goOn, or end of file when whoever started us died before we were written down
	fdLifeline = 5 // pidfd of the process this lab ends with
)

const goOn = 'g'

// order is what the holder's socket takes, one JSON object a connection, and answers with an answer.
type order struct {
	Do string `json:"do"` // status, engine-kill (stays down), engine-restart (kill -9, starts again), engine-start, freeze, thaw
}

type answer struct {
	Engine int    `json:"engine,omitempty"` // process number inside; 0: not running
	Frozen bool   `json:"frozen,omitempty"`
	Error  string `json:"error,omitempty"`
}

// hold is process 1 of a satellite. It returns only where the satellite could not be made.
func hold(dir, name string, lifeline bool, binary string) error {
	if os.Getpid() != 1 {
		return errors.New("`lab hold` is for the lab's own use")
	}
	var word [1]byte
	if _, err := io.ReadFull(os.NewFile(fdWord, "word"), word[:]); err != nil || word[0] != goOn {
		return errors.New("not told to go on")
	}
	p := paths{filepath.Join(dir, name)}
	if err := p.view(name); err != nil {
		return fmt.Errorf("make the file system of %s: %w", name, err)
	}
	h := &holder{paths: p, binary: binary, keep: true, started: make(chan struct{}, 1)}
	go h.forward(os.NewFile(fdSSH, "ssh"))
	if lifeline {
		go func() {
			for !ended(fdLifeline, time.Hour) {
			}
			os.Exit(0) // and with process 1 all of them
		}()
	}
	l, err := net.Listen("unix", filepath.Join(insideRun, "holder.sock"))
	if err != nil {
		return err
	}
	go h.obey(l)
	return h.reap()
}

// view gives this process's mount namespace what a satellite sees: its own /run, libvirt folders, proc, sysfs and
// bpffs. Folders that the machine has not are covered by a tmpfs, so that none is left behind there.
func (p paths) view(name string) error {
	if err := unix.Sethostname([]byte(name)); err != nil {
		return err
	}
	// What is mounted here stays here; what is unmounted on the machine goes here too.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("part from the machine's mounts: %w", err)
	}
	_ = unix.Unmount(netnsDir, unix.MNT_DETACH) // or we would keep the other satellites' kernels alive
	type mount struct{ kind, from, to, data string }
	steps := []mount{
		{"proc", "proc", "/proc", ""},
		{"sysfs", "sysfs", "/sys", ""},
		{"bpf", "bpf", "/sys/fs/bpf", "mode=700"},
		{"tmpfs", "tmpfs", "/run", "mode=755"},
		{"", p.run(), insideRun, ""},
		{"", "", "/run/libvirt", ""},
	}
	for _, d := range []string{"lib", "cache", "log"} {
		steps = append(steps, mount{"tmpfs", "tmpfs", "/var/" + d, "mode=755"},
			mount{"", filepath.Join(p.virt(), d), "/var/" + d + "/libvirt", ""})
	}
	for _, f := range []string{"passwd", "group"} {
		steps = append(steps, mount{"", filepath.Join(p.virt(), f), "/etc/" + f, ""})
	}
	steps = append(steps, mount{"", filepath.Join(p.virt(), "etc"), "/etc/libvirt", ""})
	for _, m := range steps {
		// Only below a tmpfs of ours can a place be missing and be made.
		if strings.HasPrefix(m.to, "/run/") || strings.HasPrefix(m.to, "/var/") {
			if err := os.MkdirAll(m.to, 0o755); err != nil {
				return err
			}
		}
		flags := uintptr(0)
		if m.kind == "" {
			flags = unix.MS_BIND
		}
		if m.from == "" {
			continue
		}
		if err := unix.Mount(m.from, m.to, m.kind, flags, m.data); err != nil {
			return fmt.Errorf("mount %s on %s: %w", m.from, m.to, err)
		}
	}
	return nil
}

// holder keeps a satellite's daemons running.
type holder struct {
	paths   paths
	binary  string
	started chan struct{} // token: a daemon was started or may be

	mu     sync.Mutex
	keep   bool // start the engine when it ends
	frozen bool // start nothing
	engine int  // 0: not running
	virt   int
}

// daemons starts what should run and does not.
func (h *holder) daemons() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.frozen {
		return nil
	}
	if h.virt == 0 {
		path, args := hypervisor()
		pid, err := h.spawn("libvirtd.log", path, args...)
		if err != nil {
			return err
		}
		h.virt = pid
	}
	if h.engine == 0 && h.keep {
		program := h.binary
		if _, err := os.Stat(program); err != nil {
			program = "/proc/self/exe" // ours, which may be hidden in here, or replaced
		}
		pid, err := h.spawn("engine.log", program, "engine", "--config", h.paths.config())
		if err != nil {
			return err
		}
		h.engine = pid
	}
	return nil
}

// hypervisor is libvirt's daemon for QEMU: the one for everything, or the one apart.
func hypervisor() (path string, args []string) {
	for _, d := range []string{"libvirtd", "virtqemud"} {
		path = "/usr/sbin/" + d
		if _, err := os.Stat(path); err == nil {
			return path, []string{"--config", "/etc/libvirt/" + d + ".conf"}
		}
	}
	return path, nil
}

func (h *holder) spawn(log, path string, args ...string) (int, error) {
	out, err := os.OpenFile(filepath.Join(h.paths.log(), log), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer out.Close()
	in, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	p, err := os.StartProcess(path, append([]string{path}, args...), &os.ProcAttr{Dir: "/", Env: os.Environ(),
		Files: []*os.File{in, out, out}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", path, err)
	}
	pid := p.Pid
	return pid, p.Release() // reap waits for it
}

// reap starts daemons, waits for children, ours and orphans, and starts ended daemons again.
func (h *holder) reap() error {
	child := make(chan os.Signal, 16)
	signal.Notify(child, syscall.SIGCHLD)
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	if err := h.daemons(); err != nil {
		return err
	}
	for {
		select {
		case <-child:
			if h.collect() {
				h.later()
			}
		case <-h.started:
			if err := h.daemons(); err != nil {
				fmt.Fprintln(os.Stderr, "lab:", err)
				h.later()
			}
		}
	}
}

// later looks after the daemons after a while.
func (h *holder) later() {
	time.AfterFunc(restartAfter, func() {
		select {
		case h.started <- struct{}{}:
		default:
		}
	})
}

// collect reaps whoever ended, and tells whether a daemon was among them.
func (h *holder) collect() (daemon bool) {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || pid <= 0 {
			return daemon
		}
		h.mu.Lock()
		switch pid {
		case h.engine:
			h.engine, daemon = 0, true
		case h.virt:
			h.virt, daemon = 0, true
		}
		h.mu.Unlock()
	}
}

// obey carries out orders from outside.
func (h *holder) obey(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			time.Sleep(acceptAgain)
			continue
		}
		_ = c.SetDeadline(time.Now().Add(orderWait))
		var o order
		a := answer{Error: "the order cannot be read"}
		if json.NewDecoder(io.LimitReader(c, 4096)).Decode(&o) == nil {
			a = h.carryOut(o)
		}
		_ = json.NewEncoder(c).Encode(a)
		c.Close()
	}
}

func (h *holder) carryOut(o order) answer {
	h.mu.Lock()
	pid := h.engine
	switch o.Do {
	case "status":
	case "engine-kill", "engine-restart":
		h.keep = o.Do == "engine-restart"
		if pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL) // our own child, not yet reaped: the number is its
		}
	case "engine-start":
		h.keep = true
	case "freeze", "thaw":
		a := h.freeze(o.Do == "freeze")
		h.mu.Unlock()
		return a
	default:
		h.mu.Unlock()
		return answer{Error: "no order " + strconv.Quote(o.Do)}
	}
	h.mu.Unlock()
	switch o.Do {
	case "engine-kill":
		for end := time.Now().Add(orderWait / 2); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
			h.mu.Lock()
			gone := h.engine == 0
			h.mu.Unlock()
			if gone {
				return answer{}
			}
		}
		return answer{Error: "the engine does not end"}
	case "engine-start":
		if err := h.daemons(); err != nil {
			return answer{Error: err.Error()}
		}
		h.mu.Lock()
		pid = h.engine
		h.mu.Unlock()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return answer{Engine: pid, Frozen: h.frozen}
}

// freeze stops all of the satellite or lets it go on. h.mu is held.
func (h *holder) freeze(on bool) answer {
	sig := syscall.SIGCONT
	if h.frozen = on; on {
		sig = syscall.SIGSTOP
	}
	// From process 1, -1 is every other process of its namespace, and none can be made meanwhile (kill(2)).
	if err := syscall.Kill(-1, sig); err != nil && err != syscall.ESRCH {
		return answer{Error: err.Error()}
	}
	if !on {
		h.later() // what should have been started meanwhile
	}
	return answer{Frozen: on}
}

// tell gives an order to a satellite's holder.
func (p paths) tell(ctx context.Context, o order) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, orderWait)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", p.holder())
	if err != nil {
		return answer{}, err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	_ = c.SetDeadline(deadline)
	if err := json.NewEncoder(c).Encode(o); err != nil {
		return answer{}, err
	}
	var a answer
	if err := json.NewDecoder(c).Decode(&a); err != nil {
		return answer{}, err
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

// forward hands connections from the machine's loopback to the engine's ssh port inside.
func (h *holder) forward(f *os.File) {
	l, err := net.FileListener(f)
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab: ssh from outside:", err)
		return
	}
	slots := make(chan struct{}, maxForwarded)
	for {
		c, err := l.Accept()
		if err != nil {
			time.Sleep(acceptAgain)
			continue
		}
		select {
		case slots <- struct{}{}:
			go func() {
				defer func() { <-slots }()
				join(c, "[::1]:"+strconv.Itoa(sshPort))
			}()
		default:
			c.Close()
		}
	}
}

func join(c net.Conn, to string) {
	defer c.Close()
	s, err := net.DialTimeout("tcp", to, 2*time.Second)
	if err != nil {
		return
	}
	defer s.Close()
	done := make(chan struct{}, 2)
	one := func(dst, src net.Conn) {
		_, _ = io.Copy(dst, src)
		if t, ok := dst.(*net.TCPConn); ok {
			_ = t.CloseWrite()
		}
		done <- struct{}{}
	}
	go one(s, c)
	go one(c, s)
	<-done
	<-done
}
