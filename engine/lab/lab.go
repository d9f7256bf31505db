package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"decenter/engine/api"
)

// DefaultDir is where a lab lives when nothing else is said.
const DefaultDir = "/var/tmp/decenter-lab"

// readyWait is how long a satellite may take from its holder's start to its engine's answer.
const readyWait = 30 * time.Second

// Lab is a constellation on this machine. Its exported fields are lab.json.
type Lab struct {
	Dir      string            `json:"dir"`
	Topology Topology          `json:"topology"`
	Accounts []string          `json:"accounts,omitempty"`
	LogLevel string            `json:"log_level"`
	Accel    string            `json:"accel"`
	Holders  map[string]Holder `json:"holders"` // by satellite; of satellites that are off, what was
	Cut      map[string]bool   `json:"cut"`     // by port and satellite of the cable's first end
	// Names tells that the folder of namespaces' names was mounted by us.
	Names bool `json:"names"`
	// Owner is set in a demo: without it the lab is a leftover.
	Owner *Process `json:"owner,omitempty"`

	// Binary is the program to run engines and holders with.
	Binary string `json:"binary"`

	lifeline *os.File // read end, for holders to inherit; nil: they outlive us
}

// Holder is a satellite that was switched on.
type Holder struct {
	Process Process `json:"process"`
	SSH     int     `json:"ssh"` // port on the machine's loopback
}

// Options of a new lab.
type Options struct {
	Dir        string
	Topology   Topology
	Spacesuits map[string]string // name → image file
	Accounts   []string
	LogLevel   string
	Accel      string // auto, kvm or tcg
	Binary     string
	// Bound makes the satellites end with this process, however it ends.
	Bound bool
	// Ready waits until the engine behind a socket answers.
	Ready func(ctx context.Context, socket string) error
	// Tell is told what happens, a line at a time.
	Tell func(format string, args ...any)
}

func (l *Lab) file() string { return filepath.Join(l.Dir, "lab.json") }

// Load reads the lab of a folder; CodeNotFound where there is none.
func Load(dir string) (*Lab, error) {
	text, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &api.Error{Code: api.CodeNotFound, Message: "no lab is in " + dir, Hint: "`decenter lab up` makes one"}
	}
	if err != nil {
		return nil, err
	}
	l := &Lab{Holders: map[string]Holder{}, Cut: map[string]bool{}}
	if err := json.Unmarshal(text, l); err != nil {
		return nil, fmt.Errorf("%s: %w", l.file(), err)
	}
	l.Dir = dir
	return l, nil
}

// save writes lab.json so that a reader finds the old or the new one.
func (l *Lab) save() error {
	text, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	tmp := l.file() + ".new"
	if err := os.WriteFile(tmp, append(text, '\n'), 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, l.file())
}

// lock makes changes to one folder happen one after another; the kernel frees it with the process.
func lock(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, &api.Error{Code: api.CodeConflict, Message: "another `decenter lab` is at work in " + dir, Hint: "wait for it, or choose another --dir"}
	}
	return func() { f.Close() }, nil
}

// checkDir refuses folders that a satellite would not see, or whose sockets' paths would be too long.
func checkDir(dir string) error {
	if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || dir == "/" {
		return invalid("the lab's folder %q must be a clean absolute path", dir)
	}
	for _, hidden := range []string{"/run", "/var/run", "/var/lib", "/var/cache", "/var/log", "/proc", "/sys"} {
		if dir == hidden || strings.HasPrefix(dir, hidden+"/") {
			return invalid("the lab's folder cannot be in %s: satellites have their own there", hidden)
		}
	}
	if len(dir) > 80 {
		return invalid("the lab's folder has %d characters: 80 at most, for its sockets", len(dir))
	}
	return nil
}

// Up makes a lab and waits until every engine answers. On any failure, and when ctx ends, it takes away what it made.
// A lab that is a leftover (its satellites are dead, or its owner is) is cleaned up first.
func Up(ctx context.Context, o Options) (l *Lab, err error) {
	if os.Geteuid() != 0 {
		return nil, &api.Error{Code: api.CodeDenied, Message: "a lab needs root: it makes network namespaces and mounts", Hint: "use sudo"}
	}
	if err := checkDir(o.Dir); err != nil {
		return nil, err
	}
	unlock, err := lock(o.Dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := clean(o.Dir, o.Tell); err != nil {
		return nil, err
	}
	if err := free(o.Topology); err != nil {
		return nil, err
	}
	l = &Lab{Dir: o.Dir, Topology: o.Topology, Accounts: o.Accounts, LogLevel: o.LogLevel, Accel: o.Accel, Binary: o.Binary,
		Holders: map[string]Holder{}, Cut: map[string]bool{}}
	if o.Bound {
		me, err := identify(os.Getpid())
		if err != nil {
			return nil, err
		}
		l.Owner = &me
		read, _, err := os.Pipe() // the write end stays open as long as this process lives
		if err != nil {
			return nil, err
		}
		l.lifeline = read
	}
	if l.Names, err = shareNames(); err != nil {
		return nil, err
	}
	if err := l.save(); err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			return
		}
		if derr := l.down(); derr != nil {
			err = errors.Join(err, derr)
		} else {
			err = errors.Join(err, dropDir(o.Dir))
		}
	}()
	return l, l.build(ctx, o)
}

func (l *Lab) build(ctx context.Context, o Options) error {
	for n, name := range l.Topology.Satellites {
		if err := errors.Join(ctx.Err(), makeNS(name)); err != nil {
			return err
		}
		if err := l.paths(name).prepare(n+1, o.Spacesuits); err != nil {
			return err
		}
	}
	for _, c := range l.Topology.Cables {
		if err := errors.Join(ctx.Err(), c.run()); err != nil {
			return err
		}
	}
	if err := l.writeConfigs(); err != nil {
		return err
	}
	for _, name := range l.Topology.Satellites {
		if err := errors.Join(ctx.Err(), l.switchOn(name)); err != nil {
			return err
		}
	}
	return l.wait(ctx, o)
}

// wait returns when every engine answers.
func (l *Lab) wait(ctx context.Context, o Options) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyWait, errors.New("not ready within "+readyWait.String()))
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(l.Topology.Satellites))
	for n, name := range l.Topology.Satellites {
		wg.Go(func() {
			began := time.Now()
			if err := o.Ready(ctx, l.paths(name).socket()); err != nil {
				errs[n] = fmt.Errorf("%s: %w (see %s)", name, errors.Join(err, context.Cause(ctx)), filepath.Join(l.paths(name).log(), "engine.log"))
				return
			}
			o.Tell("%s is up after %.1f s; ssh port %d", name, time.Since(began).Seconds(), l.Holders[name].SSH)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// free refuses to begin where another lab's namespaces are.
func free(t Topology) error {
	for _, name := range t.Satellites {
		if _, err := os.Stat(nsPath(name)); err == nil {
			return &api.Error{Code: api.CodeConflict, Message: fmt.Sprintf("network namespace %s is there already: another lab is up", nsName(name)),
				Hint: "take it down first (`decenter lab down`, with its --dir), or `ip netns del` what is nobody's"}
		}
	}
	return nil
}

// clean removes a dead lab of this folder; a live one is an error.
func clean(dir string, tell func(string, ...any)) error {
	old, err := Load(dir)
	if api.CodeOf(err) == api.CodeNotFound {
		return nil
	}
	if err != nil {
		// Half a file cannot be: save renames. So it is not ours to remove.
		return err
	}
	if !old.leftover() {
		return &api.Error{Code: api.CodeExists, Message: "a lab is up in " + dir, Hint: "`decenter lab down` takes it down, `decenter lab console s1` opens it"}
	}
	tell("removing what an earlier lab left in %s", dir)
	return old.down()
}

// leftover tells whether nobody uses the lab: its owner is dead, or it has none and no satellite is on.
func (l *Lab) leftover() bool {
	if l.Owner != nil {
		return !l.Owner.Alive()
	}
	for _, h := range l.Holders {
		if h.Process.Alive() {
			return false
		}
	}
	return true
}

// switchOn starts a satellite's holder.
func (l *Lab) switchOn(name string) error {
	ssh, err := listenSSH(name)
	if err != nil {
		return err
	}
	defer ssh.Close()
	log, err := os.OpenFile(filepath.Join(l.paths(name).log(), "holder.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	sshFile, err := ssh.File()
	if err != nil {
		return err
	}
	defer sshFile.Close()
	cmd := exec.Command(l.Binary, "lab", "hold", l.Dir, name)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	cmd.ExtraFiles = []*os.File{sshFile}
	if l.lifeline != nil {
		cmd.Args = append(cmd.Args, "--lifeline")
		cmd.ExtraFiles = append(cmd.ExtraFiles, l.lifeline)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true,
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWPID}
	// A child begins in the network namespace of the thread that makes it.
	err = onThread(func() error {
		ns, err := netns.GetFromPath(nsPath(name))
		if err != nil {
			return err
		}
		defer ns.Close()
		if err := netns.Set(ns); err != nil {
			return err
		}
		return cmd.Start()
	})
	if err != nil {
		return fmt.Errorf("switch on %s: %w", name, err)
	}
	go func() { _ = cmd.Wait() }() // no zombie while we live
	p, err := identify(cmd.Process.Pid)
	if err != nil {
		return fmt.Errorf("switch on %s: it ended at once (see %s)", name, log.Name())
	}
	l.Holders[name] = Holder{p, ssh.Addr().(*net.TCPAddr).Port}
	return l.save()
}

// listenSSH takes 2201 for s1 and so on, or any port where that is taken.
func listenSSH(name string) (*net.TCPListener, error) {
	n, _ := strconv.Atoi(name[1:])
	for _, port := range []int{firstSSH - 1 + n, 0} {
		l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
		if err == nil {
			return l, nil
		}
		if port == 0 {
			return nil, err
		}
	}
	panic("unreachable")
}

// Down takes the lab away: processes, namespaces, mounts, files.
func Down(dir string) error {
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	l, err := Load(dir)
	if err == nil {
		err = l.down()
	}
	if err == nil || api.CodeOf(err) == api.CodeNotFound {
		err = errors.Join(err, dropDir(dir))
	}
	return err
}

func (l *Lab) down() error {
	var errs []error
	for _, h := range l.Holders {
		errs = append(errs, h.Process.kill(10*time.Second))
	}
	for _, name := range l.Topology.Satellites {
		if _, err := os.Stat(nsPath(name)); err == nil {
			errs = append(errs, dropLinks(name), dropNS(name))
		}
	}
	if l.Names {
		errs = append(errs, unshareNames())
	}
	if err := errors.Join(errs...); err != nil {
		return err // lab.json stays, for another try
	}
	entries, err := os.ReadDir(l.Dir)
	if err != nil {
		return err
	}
	// lab.json last: as long as anything is left, it says whose it is.
	for _, e := range entries {
		if e.Name() != "lab.json" && e.Name() != "lock" {
			errs = append(errs, os.RemoveAll(filepath.Join(l.Dir, e.Name())))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return os.Remove(l.file())
}

// dropDir removes the folder of a lab that is down. The lock's holder calls it last.
func dropDir(dir string) error {
	err := os.Remove(filepath.Join(dir, "lock"))
	if derr := os.Remove(dir); derr != nil && !errors.Is(derr, unix.ENOTEMPTY) {
		err = errors.Join(err, derr)
	}
	return err
}
