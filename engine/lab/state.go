package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"decenter/engine/api"
)

// phase is how far the lab is. A lab found in another phase than up, while nobody holds the lock, was left by a crash.
type phase string

const (
	phaseStarting phase = "starting"
	phaseUp       phase = "up"
	phaseStopping phase = "stopping"
)

const (
	stateFile    = "lab.json"
	stateVersion = 1
	lockPatience = 30 * time.Second
	maxDir       = 70 // characters: DIR/NAME/libvirt/run/libvirt-sock must fit a unix socket's address of 107
)

// state is DIR/lab.json.
type state struct {
	Version    int        `json:"version"`
	Phase      phase      `json:"phase"`
	Boot       string     `json:"boot"`            // kernel's boot id; processes of another boot are gone
	Owner      *proc      `json:"owner,omitempty"` // the lab ends with this process
	Engine     string     `json:"engine"`          // program; empty: the holder's own
	Satellites []satState `json:"satellites"`
	Cables     []cabState `json:"cables"`
}

// satState is one satellite as last told.
type satState struct {
	Name        string `json:"name"`
	On          bool   `json:"on"` // powered by command; its holder may have died since
	Holder      *proc  `json:"holder,omitempty"`
	NetNS       uint64 `json:"netns,omitempty"` // inode
	SSH         int    `json:"ssh,omitempty"`   // port on 127.0.0.1
	Fingerprint string `json:"fingerprint"`
}

// cabState is one cable; its index names the panel's ends.
type cabState struct {
	A     string     `json:"a"`
	B     string     `json:"b"`
	APort string     `json:"a_port"`
	BPort string     `json:"b_port"`
	Mbit  int        `json:"mbit,omitempty"`
	State CableState `json:"state"`
}

// CableState is what was done to a cable.
type CableState string

// The states of a cable.
const (
	CableWhole  CableState = "whole"
	CableCut    CableState = "cut"    // both ends lost their carrier
	CableSilent CableState = "silent" // the carrier is there, no frame passes
)

func (s *state) satellite(name string) (*satState, error) {
	i := slices.IndexFunc(s.Satellites, func(x satState) bool { return x.Name == name })
	if i >= 0 {
		return &s.Satellites[i], nil
	}
	var names []string
	for _, x := range s.Satellites {
		names = append(names, x.Name)
	}
	return nil, &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no satellite %q in this lab", name), Hint: "it has " + strings.Join(names, ", ")}
}

// path gives a place in the folder of a satellite.
func (l *Lab) path(name string, more ...string) string {
	return filepath.Join(append([]string{l.Dir, name}, more...)...)
}

// load reads lab.json; nil without an error when there is none.
func (l *Lab) load() (*state, error) {
	text, err := os.ReadFile(filepath.Join(l.Dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the lab's state: %w", err)
	}
	var s state
	if err := json.Unmarshal(text, &s); err != nil || s.Version != stateVersion {
		return nil, &api.Error{Code: api.CodeFailed, Message: fmt.Sprintf("%s cannot be read as this program's (%v)", filepath.Join(l.Dir, stateFile), err), Hint: "`decenter lab down` still cleans up"}
	}
	for _, x := range s.Satellites { // names become paths that down removes
		if err := api.CheckName(x.Name); err != nil {
			return nil, fmt.Errorf("%s: %w", stateFile, err)
		}
	}
	return &s, nil
}

// must is load where a lab has to be.
func (l *Lab) must() (*state, error) {
	s, err := l.load()
	if err == nil && s == nil {
		err = &api.Error{Code: api.CodeNotFound, Message: "no lab runs in " + l.Dir, Hint: "start one with `decenter lab up`"}
	}
	return s, err
}

// save writes lab.json as a whole or not at all.
func (l *Lab) save(s *state) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(l.Dir, stateFile)
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write the lab's state: %w", err)
	}
	return os.Rename(path+".new", path)
}

// lock takes the lab's folder for one command; the kernel gives it back when the process ends in any way. The folder
// is made where make is set; else a missing folder is fs.ErrNotExist.
func (l *Lab) lock(ctx context.Context, make bool) (unlock func(), err error) {
	patience := time.After(lockPatience)
	for {
		if make {
			if err := os.MkdirAll(l.Dir, 0o700); err != nil {
				return nil, err
			}
		}
		f, err := l.openDir()
		if err != nil {
			return nil, err
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == nil && sameFile(f, l.Dir) {
			return func() { f.Close() }, nil
		}
		f.Close()
		if err != nil && err != unix.EWOULDBLOCK {
			return nil, fmt.Errorf("lock %s: %w", l.Dir, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-patience:
			return nil, &api.Error{Code: api.CodeConflict, Message: "another lab command works on " + l.Dir, Hint: "wait for it"}
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// openDir opens the lab's folder and refuses one that others could change: everything below is trusted by root.
func (l *Lab) openDir() (*os.File, error) {
	fd, err := unix.Open(l.Dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open the lab's folder", Path: l.Dir, Err: err}
	}
	f := os.NewFile(uintptr(fd), l.Dir)
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	if sys := st.Sys().(*syscall.Stat_t); int(sys.Uid) != os.Geteuid() || st.Mode().Perm()&0o022 != 0 {
		f.Close()
		return nil, &api.Error{Code: api.CodeDenied, Message: l.Dir + " belongs to or can be changed by others", Hint: "name another folder with --dir"}
	}
	return f, nil
}

func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	b, err2 := os.Lstat(path)
	return err == nil && err2 == nil && os.SameFile(a, b)
}

func bootID() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
}
