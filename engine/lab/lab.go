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
	// Cables holds those that are not whole, by Cable.key.
	Cables map[string]CableState `json:"cables"`
	// Starting is set until every engine has answered once: found so by another command, the lab is a leftover.
	Starting bool `json:"starting,omitempty"`
	// Owner is set in a demo: without it the lab is a leftover.
	Owner *Process `json:"owner,omitempty"`

	// Binary is the program to run engines and holders with.
	Binary string `json:"binary"`
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

// errUnreadable is a lab.json that this program cannot have written, or not lately.
var errUnreadable = errors.New("is no lab of this program; `decenter lab down` removes what can be found without it")

// Load reads the lab of a folder; CodeNotFound where there is none.
func Load(dir string) (*Lab, error) {
	if err := trust(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &api.Error{Code: api.CodeNotFound, Message: "no lab is in " + dir, Hint: "`decenter lab up` makes one"}
	}
	if err != nil {
		return nil, err
	}
	l := &Lab{Holders: map[string]Holder{}, Cables: map[string]CableState{}}
	if err := json.Unmarshal(text, l); err != nil {
		return nil, fmt.Errorf("%s %w (%w)", filepath.Join(dir, "lab.json"), errUnreadable, err)
	}
	for _, name := range l.Topology.Satellites { // they become paths
		if !fileLine.MatchString(name) {
			return nil, fmt.Errorf("%s %w (satellite %q)", filepath.Join(dir, "lab.json"), errUnreadable, name)
		}
	}
	l.Dir = dir
	return l, nil
}

// trust refuses a folder that anybody but us could have filled: lab.json says what to run and to remove as root.
func trust(dir string) error {
	st, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !st.IsDir() || !ok || int(sys.Uid) != os.Geteuid() || st.Mode().Perm()&0o022 != 0 {
		return &api.Error{Code: api.CodeDenied, Message: dir + " is not a folder that only root can change", Hint: "choose another --dir"}
	}
	return nil
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

// lockWait is how long a command waits for another one at work on the same lab.
const lockWait = 20 * time.Second

// lock makes changes to one folder happen one after another; the kernel frees it with the process.
func lock(dir string) (unlock func(), err error) {
	for end := time.Now().Add(lockWait); ; time.Sleep(20 * time.Millisecond) {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		if err := trust(dir); err != nil {
			return nil, err
		}
		path := filepath.Join(dir, "lock")
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
		if errors.Is(err, fs.ErrNotExist) {
			continue // the folder went between two lines
		}
		if err != nil {
			return nil, err
		}
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == nil {
			// `down` removes the file; a lock on one that has no name any more is none.
			mine, err1 := f.Stat()
			named, err2 := os.Stat(path)
			if err1 == nil && err2 == nil && os.SameFile(mine, named) {
				return func() { f.Close() }, nil
			}
		}
		f.Close()
		if time.Now().After(end) {
			return nil, &api.Error{Code: api.CodeConflict, Message: "another `decenter lab` is at work in " + dir, Hint: "wait for it, or choose another --dir"}
		}
	}
}

// needRoot says so in time.
func needRoot() error {
	if os.Geteuid() != 0 {
		return &api.Error{Code: api.CodeDenied, Message: "a lab needs root: it makes network namespaces and mounts", Hint: "use sudo"}
	}
	return nil
}

// checkDir refuses folders that a satellite would not see, or whose sockets' paths would be too long.
func checkDir(dir string) error {
	if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || dir == "/" {
		return invalid("the lab's folder %q must be a clean absolute path", dir)
	}
	// A symbolic link on the way could lead to a place that is hidden inside.
	for up := dir; up != "/"; up = filepath.Dir(up) {
		if real, err := filepath.EvalSymlinks(up); err == nil {
			if real != up {
				return invalid("the lab's folder %s goes through a symbolic link: use %s", dir, real+strings.TrimPrefix(dir, up))
			}
			break
		}
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
	if err := errors.Join(needRoot(), checkDir(o.Dir)); err != nil {
		return nil, err
	}
	if err := vacant(o.Dir); err != nil {
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
	if err := free(o.Dir); err != nil {
		return nil, err
	}
	l = &Lab{Dir: o.Dir, Topology: o.Topology, Accounts: o.Accounts, LogLevel: o.LogLevel, Accel: o.Accel, Binary: o.Binary,
		Holders: map[string]Holder{}, Cables: map[string]CableState{}, Starting: true}
	if o.Bound {
		me, err := identify(os.Getpid())
		if err != nil {
			return nil, err
		}
		l.Owner = &me
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
	if err := l.build(ctx, o); err != nil {
		return nil, err
	}
	l.Starting = false
	return l, l.save()
}

// vacant refuses a folder that holds something else than a lab: `down` would remove it.
func vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == "lab.json" || e.Name() == "lock" {
			return nil
		}
	}
	return &api.Error{Code: api.CodeConflict, Message: dir + " holds something that is no lab", Hint: "choose an empty or a new --dir"}
}

func (l *Lab) build(ctx context.Context, o Options) error {
	if err := l.makeNS(panel); err != nil {
		return err
	}
	for n, name := range l.Topology.Satellites {
		if err := l.paths(name).prepare(n+1, o.Spacesuits); err != nil {
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
			if errs[n] = l.answers(ctx, name, o.Ready); errs[n] != nil {
				cancel() // the others need not be waited for
				return
			}
			o.Tell("%s is up after %.1f s; ssh port %d", name, time.Since(began).Seconds(), l.Holders[name].SSH)
		})
	}
	wg.Wait()
	for _, err := range errs { // the one that failed first, not those that were called off
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(errs...)
}

// answers returns when the engine of one satellite does, and sooner if the satellite is dead.
func (l *Lab) answers(ctx context.Context, name string, ready func(context.Context, string) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	over := make(chan struct{})
	defer close(over)
	go func() {
		for l.Holders[name].Process.Alive() {
			select {
			case <-over:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
		cancel(errors.New("its holder ended: " + lastLine(filepath.Join(l.paths(name).log(), "holder.log"))))
	}()
	err := ready(ctx, l.paths(name).socket())
	if err == nil {
		return nil
	}
	if context.Cause(ctx) == context.Canceled {
		return context.Canceled
	}
	return fmt.Errorf("%s: %w (its engine: %s)", name, errors.Join(context.Cause(ctx), err), lastLine(filepath.Join(l.paths(name).log(), "engine.log")))
}

// lastLine gives the end of a log.
func lastLine(path string) string {
	text, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return last
	}
	return "it said nothing"
}

// free refuses to begin where another lab is: there is one on a machine, as the names of its namespaces are fixed.
func free(dir string) error {
	names, err := filepath.Glob(nsPath("*"))
	for _, path := range names {
		name := filepath.Base(path)
		other := owner(strings.TrimPrefix(name, nsName("")))
		switch {
		case other == "":
			return &api.Error{Code: api.CodeConflict, Message: "there is a network namespace " + name + ", which is not of a lab", Hint: "`ip netns del " + name + "` if it is nobody's"}
		case other != dir:
			return &api.Error{Code: api.CodeConflict, Message: "a lab is in " + other + "; a machine has room for one", Hint: "`decenter lab down --dir " + other + "`"}
		}
	}
	return err
}

// clean removes a dead lab of this folder; a live one is an error.
func clean(dir string, tell func(string, ...any)) error {
	old, err := Load(dir)
	if api.CodeOf(err) == api.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if !old.leftover() {
		return &api.Error{Code: api.CodeExists, Message: "a lab is up in " + dir, Hint: "`decenter lab down` takes it down, `decenter lab console s1` opens it"}
	}
	tell("removing what an earlier lab left in %s", dir)
	return old.down()
}

// leftover tells whether nobody uses the lab: it never came up, its owner is dead, or it has none and no satellite is on.
func (l *Lab) leftover() bool {
	if l.Starting { // and yet its lock is ours: whoever started it died
		return true
	}
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

// switchOn gives a satellite a kernel that knows nothing (a new network namespace), plugs its cables in and starts its
// holder. The holder waits for a word on a pipe, which it gets when it stands in lab.json: if we die before, so does it.
func (l *Lab) switchOn(name string) error {
	if err := errors.Join(l.dropNS(name), l.paths(name).powerUp()); err != nil {
		return err
	}
	if err := errors.Join(l.makeNS(name), l.lay(name)); err != nil {
		return err
	}
	ssh, err := listenSSH(name)
	if err != nil {
		return err
	}
	defer ssh.Close()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer write.Close()
	p, err := l.spawn(name, ssh, read)
	if err != nil {
		return fmt.Errorf("switch on %s: %w", name, err)
	}
	l.Holders[name] = Holder{p, ssh.Addr().(*net.TCPAddr).Port}
	if err := l.save(); err != nil {
		return err
	}
	_, err = write.Write([]byte{goOn})
	return err
}

// spawn starts a holder in the satellite's network namespace. It takes word over.
func (l *Lab) spawn(name string, ssh *net.TCPListener, word *os.File) (Process, error) {
	defer word.Close()
	log, err := os.OpenFile(filepath.Join(l.paths(name).log(), "holder.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return Process{}, err
	}
	defer log.Close()
	sshFile, err := ssh.File()
	if err != nil {
		return Process{}, err
	}
	defer sshFile.Close()
	cmd := exec.Command(l.Binary, "lab", "hold", l.Dir, name)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	cmd.ExtraFiles = []*os.File{sshFile, word}
	if l.Owner != nil {
		fd, err := l.Owner.open()
		if err != nil {
			return Process{}, fmt.Errorf("the demo of this lab has ended: %w", err)
		}
		lifeline := os.NewFile(uintptr(fd), "owner")
		defer lifeline.Close()
		cmd.Args = append(cmd.Args, "--lifeline")
		cmd.ExtraFiles = append(cmd.ExtraFiles, lifeline)
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
		return Process{}, err
	}
	p, err := identify(cmd.Process.Pid)
	go func() { _ = cmd.Wait() }() // no zombie while we live
	return p, err
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

// Down takes the lab away: processes, namespaces, mounts, files. It also finds what lab.json does not know.
func Down(dir string) error {
	if err := errors.Join(needRoot(), checkDir(dir)); err != nil {
		return err
	}
	unlock, err := lock(dir)
	if err != nil {
		return err
	}
	defer unlock()
	l, err := Load(dir)
	lost := errors.Is(err, errUnreadable)
	if err != nil && !lost && api.CodeOf(err) != api.CodeNotFound {
		return err
	}
	if err != nil {
		l = &Lab{Dir: dir}
		lost = lost || len(l.unlisted()) > 0 || len(l.owned()) > 0
	}
	if err == nil || lost {
		err = l.down()
	}
	if err == nil || api.CodeOf(err) == api.CodeNotFound {
		err = errors.Join(err, dropDir(dir))
	}
	return err
}

func (l *Lab) down() error {
	var wg sync.WaitGroup
	holders := l.unlisted()
	for _, h := range l.Holders {
		holders = append(holders, h.Process)
	}
	errs := make([]error, len(holders))
	for i, p := range holders {
		wg.Go(func() { errs[i] = p.kill() })
	}
	wg.Wait()
	names := l.owned()
	for _, name := range names {
		errs = append(errs, l.dropNS(name))
	}
	tidyNetnsDir()
	if err := errors.Join(errs...); err != nil {
		return err // lab.json stays, for another try
	}
	entries, err := os.ReadDir(l.Dir)
	if err != nil {
		return err
	}
	// Only what we made; lab.json last: as long as anything is left, it says whose it is.
	for _, e := range entries {
		if fileLine.MatchString(e.Name()) {
			errs = append(errs, os.RemoveAll(filepath.Join(l.Dir, e.Name())))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for _, f := range []string{l.file() + ".new", l.file()} {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// dropDir removes the folder of a lab that is down. The lock's holder calls it last.
func dropDir(dir string) error {
	err := os.Remove(filepath.Join(dir, "lock"))
	if derr := os.Remove(dir); derr != nil && !errors.Is(derr, unix.ENOTEMPTY) {
		err = errors.Join(err, derr)
	}
	return err
}
