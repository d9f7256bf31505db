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
	"sync"
	"time"

	"decenter/engine/api"
)

// DefaultDir is where a lab lives when nothing else is said.
const DefaultDir = "/var/tmp/decenter-lab"

// readyWait is how long a satellite may take from its holder's start to its engine's answer.
const readyWait = 30 * time.Second

// Lab is a constellation on this machine. Its exported fields are lab.json.
type Lab struct {
	Dir      string   `json:"dir"`
	Topology Topology `json:"topology"`
	Accounts []string `json:"accounts,omitempty"`
	// Strangers are satellites that nobody admitted when the lab began, and that know of nobody.
	Strangers []string          `json:"strangers,omitempty"`
	LogLevel  string            `json:"log_level"`
	Accel     string            `json:"accel"`
	Holders   map[string]Holder `json:"holders"` // by satellite; of satellites that are off, what was
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
	Accounts   []string          // owners besides the lab's own
	Strangers  []string          // satellites that are not admitted, for you to do it
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
var errUnreadable = errors.New("is no lab of this program")

// Load reads the lab of a folder; CodeNotFound where there is none.
func Load(dir string) (*Lab, error) {
	if err := rootOnly(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noLab(dir, "status")
	}
	if err != nil {
		return nil, err
	}
	l := &Lab{Holders: map[string]Holder{}, Cables: map[string]CableState{}}
	if err := json.Unmarshal(text, l); err != nil {
		return nil, unreadable(dir, err)
	}
	for _, name := range l.Topology.Satellites { // they become paths
		if !fileLine.MatchString(name) {
			return nil, unreadable(dir, fmt.Errorf("satellite %q", name))
		}
	}
	l.Dir = dir
	return l, nil
}

func unreadable(dir string, why error) error {
	return fmt.Errorf("%s %w (%w): %s removes what can be found without it", filepath.Join(dir, "lab.json"), errUnreadable, why, say(dir, "down"))
}

// needRoot says so in time.
func needRoot() error {
	if os.Geteuid() != 0 {
		return &api.Error{Code: api.CodeDenied, Message: "a lab needs root: it makes network namespaces and mounts", Hint: "use sudo"}
	}
	return nil
}

// Up makes a lab and waits until every engine answers. On any failure, and when ctx ends, it takes away what it made.
// A lab that is a leftover (its satellites are dead, or its owner is) is cleaned up first.
func Up(ctx context.Context, o Options) (_ *Lab, err error) {
	if err := errors.Join(needRoot(), checkDir(o.Dir)); err != nil {
		return nil, err
	}
	// Before anything is made, the lock's folder included; and again below, where nobody can come between.
	if err := errors.Join(vacant(o.Dir), free(o.Dir)); err != nil {
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
		return nil, errors.Join(err, dropDir(o.Dir))
	}
	l := &Lab{Dir: o.Dir, Topology: o.Topology, Accounts: o.Accounts, Strangers: o.Strangers, LogLevel: o.LogLevel, Accel: o.Accel, Binary: o.Binary,
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
		derr := l.down()
		if derr == nil {
			derr = dropDir(o.Dir)
		}
		if derr == nil && ctx.Err() != nil {
			// What broke off says nothing to who interrupted it.
			err = &api.Error{Code: api.CodeCancelled, Message: "interrupted; nothing is left"}
		}
		err = errors.Join(err, derr)
	}()
	if err := l.build(ctx, o); err != nil {
		return nil, err
	}
	l.Starting = false
	return l, l.save()
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
			o.Tell("%s is up after %.1f s; ssh port %d; %s%s", name, time.Since(began).Seconds(), l.Holders[name].SSH,
				l.paths(name).fingerprint(), map[bool]string{true: ", a stranger"}[slices.Contains(l.Strangers, name)])
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
			return &api.Error{Code: api.CodeConflict, Message: "a lab is in " + other + "; a machine has room for one", Hint: sayIn(other, "down")}
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
		return &api.Error{Code: api.CodeExists, Message: "a lab is up in " + dir, Hint: say(dir, "down") + " takes it down, " + say(dir, "console s1") + " opens it"}
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

// Down takes the lab away: processes, namespaces, mounts, files. It also finds what lab.json does not know.
func Down(dir string) error {
	if err := errors.Join(needRoot(), checkDir(dir)); err != nil {
		return err
	}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) { // the lock would make it
		if l := (&Lab{Dir: dir}); len(l.unlisted()) == 0 && len(l.owned()) == 0 {
			return noLab(dir, "down")
		}
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
	if err := errors.Join(append(errs, l.dropOwner())...); err != nil {
		return err
	}
	for _, f := range []string{l.file() + ".new", l.file()} {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
