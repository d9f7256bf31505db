package lab

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"decenter/engine/api"
)

// Usage is `decenter lab help`.
const Usage = `decenter lab up        make a lab: satellites s1, s2, … joined by cables
  --topology T             line:N ring:N full:N torus:AxB torus:AxBxC, or a file
                           of cables, one a line, like: s1 s2 (default ring:3)
  --spacesuit NAME=FILE    give all of them a spacesuit (default: none)
  --account ADDRESS        an owner besides the lab's own (default: none)
  --stranger NAME          leave a satellite for you to admit (default: none)
decenter lab down          take it away, whatever state it is in
decenter lab status        satellites, engines, ssh ports, cables
decenter lab demo          up with the console of s1; gone when you leave it
decenter lab console s1    the console of a satellite
decenter lab exec s1 COMMAND …
                           a command inside a satellite; flags before s1;
                           DECENTER_CONFIG names its engine's configuration
decenter lab cable cut|mend s1 s2
  --silent                 pull a cable, plug it in; with --silent a cut loses
                           frames and leaves the carrier
decenter lab satellite kill|start s2
                           power off, power on; start also starts an engine that
                           is down
decenter lab satellite kill s2 --engine
  --no-restart             kill -9 its engine alone, which starts again after a
                           second, or with --no-restart by hand
decenter lab satellite freeze|thaw s2
                           SIGSTOP, SIGCONT to all of it

Flags of all:
  --dir FOLDER             where the lab is (default ` + DefaultDir + `)
  --json                   of up, status: one object a satellite, with its
                           fingerprint
Flags of up and demo:
  --log LEVEL              of the engines: debug info warn error (default info)
  --accel auto|kvm|tcg     what runs guests (default auto: one guest of the
                           spacesuit tiny is started to see; without it each
                           engine finds out)
  --cache FOLDER           remembers what auto found (default: nothing does)
`

// Env is what the command needs of the program around it.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Binary   string // of the program: for engines and holders
	// Ready returns when the engine behind a socket answers, or with ctx.
	Ready func(ctx context.Context, socket string) error
	// Console opens the console of the engine behind a socket.
	Console func(ctx context.Context, socket string) int
	// Accel finds out whether guests run with kvm or tcg, by the image of one, remembering it in a folder.
	Accel func(ctx context.Context, image, cache string) string
}

// command is `decenter lab` at work.
type command struct {
	Env
	dir, topology, log string
	accel, cache       string
	spacesuits         map[string]string
	accounts           []string
	strangers          []string
	json, engine, stay bool
	silent             bool
	rest               []string
}

// Main carries out `decenter lab ARGS…` and gives the exit code.
func Main(ctx context.Context, args []string, e Env) int {
	if len(args) >= 3 && args[0] == "hold" {
		err := hold(args[1], args[2], slices.Contains(args[3:], "--lifeline"), e.Binary)
		fmt.Fprintln(e.Err, "decenter lab hold:", err)
		return api.ExitFailed
	}
	// A reader of our words that went away must not end us half-way: writes fail, and that is all. Not ignored, because
	// that would be inherited.
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	defer signal.Stop(pipe)
	c := &command{Env: e, spacesuits: map[string]string{}}
	verb, err := c.parse(args)
	if errors.Is(err, flag.ErrHelp) || verb == "help" {
		fmt.Fprint(e.Out, Usage)
		return api.ExitDone
	}
	code := api.ExitDone
	if err == nil {
		code, err = c.do(ctx, verb)
	}
	if err != nil {
		fmt.Fprintln(e.Err, "decenter lab:", err)
		return api.ExitCode(err)
	}
	return code
}

// parse takes flags anywhere before --, which is where another command's begin; of exec, before the satellite.
func (c *command) parse(args []string) (verb string, err error) {
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" {
		return "help", nil
	}
	verb, args = args[0], args[1:]
	f := c.flags()
	if verb == "exec" {
		if err := flagError(f.Parse(args)); err != nil {
			return verb, err
		}
		c.rest = f.Args()
		if len(c.rest) > 1 && c.rest[1] == "--" {
			c.rest = slices.Delete(c.rest, 1, 2)
		} else if len(c.rest) > 1 && strings.HasPrefix(c.rest[1], "-") {
			return verb, &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("%s is no command to run in %s", c.rest[1], c.rest[0]),
				Hint: "write flags of `decenter lab exec` before the satellite"}
		}
		return verb, checkDir(c.dir)
	}
	var after []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, after = args[:i], args[i+1:]
	}
	for len(args) > 0 {
		if err := flagError(f.Parse(args)); err != nil {
			return verb, err
		}
		args = f.Args()
		if len(args) > 0 {
			c.rest, args = append(c.rest, args[0]), args[1:]
		}
	}
	c.rest = append(c.rest, after...)
	return verb, checkDir(c.dir)
}

// flagError is what the flag package says, as an error of a person's input.
func flagError(err error) error {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return err
	}
	return &api.Error{Code: api.CodeInvalid, Message: err.Error(), Hint: "see `decenter lab help`"}
}

func (c *command) flags() *flag.FlagSet {
	f := flag.NewFlagSet("lab", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&c.dir, "dir", DefaultDir, "")
	f.StringVar(&c.topology, "topology", "ring:3", "")
	f.StringVar(&c.log, "log", "info", "")
	f.StringVar(&c.accel, "accel", "auto", "")
	f.StringVar(&c.cache, "cache", "", "")
	f.BoolVar(&c.json, "json", false, "")
	f.BoolVar(&c.engine, "engine", false, "")
	f.BoolVar(&c.stay, "no-restart", false, "")
	f.BoolVar(&c.silent, "silent", false, "")
	f.Func("spacesuit", "", func(s string) error {
		name, path, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("write NAME=FILE")
		}
		if _, err := os.Stat(path); err != nil {
			return err
		}
		c.spacesuits[name] = path
		return api.CheckName(name)
	})
	f.Func("account", "", func(s string) error { c.accounts = append(c.accounts, s); return nil })
	f.Func("stranger", "", func(s string) error { c.strangers = append(c.strangers, s); return nil })
	return f
}

func (c *command) do(ctx context.Context, verb string) (int, error) {
	if err := c.checkWords(verb); err != nil {
		return 0, err
	}
	switch verb {
	case "up":
		return 0, c.up(ctx)
	case "down":
		err := Down(c.dir)
		if err != nil && api.CodeOf(err) == api.CodeNotFound {
			if elsewhere(c.dir) != "" { // and stays up: not what was wanted
				return 0, noLab(c.dir, "down")
			}
			c.tell("nothing to take down in %s", c.dir)
			return 0, nil
		}
		return 0, err
	case "demo":
		return c.demo(ctx)
	}
	if !slices.Contains([]string{"status", "console", "exec", "cable", "satellite"}, verb) {
		return 0, &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("no lab command %q", verb), Hint: "see `decenter lab help`"}
	}
	if err := needRoot(); err != nil {
		return 0, err
	}
	if verb == "cable" || verb == "satellite" {
		if _, err := c.load(verb); err != nil { // lock would make the folder
			return 0, err
		}
		unlock, err := lock(c.dir)
		if err != nil {
			return 0, err
		}
		defer unlock()
	}
	l, err := c.load(verb)
	if err != nil {
		return 0, err
	}
	switch verb {
	case "status":
		return 0, c.status(ctx, l)
	case "console":
		if _, err := l.find(c.rest[0]); err != nil {
			return 0, err
		}
		return c.Console(ctx, l.paths(c.rest[0]).socket()), nil
	case "exec":
		return c.exec(l)
	case "cable":
		return 0, c.cable(l)
	}
	return 0, c.satellite(ctx, l)
}

func (c *command) tell(format string, args ...any) { fmt.Fprintf(c.Err, format+"\n", args...) }

func (c *command) options(ctx context.Context) (Options, error) {
	t, err := ParseTopology(c.topology)
	if !slices.Contains([]string{"auto", "kvm", "tcg"}, c.accel) {
		err = errors.Join(err, invalid("--accel %s: use auto, kvm or tcg", c.accel))
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.log) {
		err = errors.Join(err, invalid("--log %s: use debug, info, warn or error", c.log))
	}
	// One guest tells for all satellites: they are one machine.
	if image, ok := c.spacesuits["tiny"]; err == nil && ok && c.accel == "auto" {
		// What is refused anyway need not wait for that.
		if err := errors.Join(needRoot(), free(c.dir)); err != nil {
			return Options{}, err
		}
		c.tellProbe()
		c.accel = c.Accel(ctx, image, c.cache)
	}
	return Options{Dir: c.dir, Accel: c.accel, Topology: t, Spacesuits: c.spacesuits, Accounts: c.accounts, Strangers: c.strangers, LogLevel: c.log,
		Binary: c.Binary, Ready: c.Ready, Tell: c.tell}, err
}

// tellProbe announces the seconds that Accel takes where its verdict is not remembered.
func (c *command) tellProbe() {
	if c.cache == "" {
		c.tell("finding out whether KVM runs guests (each time: no --cache remembers it)…")
	} else if _, err := os.Stat(filepath.Join(c.cache, verdictFile)); err != nil {
		c.tell("finding out whether KVM runs guests (once)…")
	}
}

// verdictFile is what Accel keeps in its cache folder.
const verdictFile = "kvm.json"

func (c *command) up(ctx context.Context) error {
	began := time.Now()
	o, err := c.options(ctx)
	if err != nil {
		return err
	}
	l, err := Up(ctx, o)
	if err != nil {
		return err
	}
	c.tell("%s up after %.1f s", count(len(l.Topology.Satellites)), time.Since(began).Seconds())
	if c.json {
		return c.status(ctx, l)
	}
	return nil
}

// count is how many satellites are.
func count(n int) string {
	if n == 1 {
		return "1 satellite is"
	}
	return fmt.Sprintf("%d satellites are", n)
}

// demo is up, the console of s1, and down, also when the console ends by a signal.
func (c *command) demo(ctx context.Context) (code int, err error) {
	began := time.Now()
	o, err := c.options(ctx)
	if err != nil {
		return 0, err
	}
	o.Bound = true
	l, err := Up(ctx, o)
	if err != nil {
		return 0, err
	}
	c.tell("%s up after %.1f s", count(len(l.Topology.Satellites)), time.Since(began).Seconds())
	defer func() {
		if err = errors.Join(err, Down(c.dir)); err == nil {
			c.tell("taken down; nothing is left")
		}
	}()
	left := make(chan int, 1)
	go func() { left <- c.Console(ctx, l.paths("s1").socket()) }()
	select {
	case code = <-left:
		return code, nil
	case <-ctx.Done():
	}
	select { // a console that hangs must not keep us from taking the lab down
	case code = <-left:
		return code, nil
	case <-time.After(leaveWait):
		return 0, ctx.Err()
	}
}

// leaveWait is how long a console may take to restore its terminal.
const leaveWait = 3 * time.Second

func (c *command) status(ctx context.Context, l *Lab) error {
	all := l.Status(ctx)
	if c.json {
		for _, s := range all {
			if err := json.NewEncoder(c.Out).Encode(s); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SATELLITE\tSTATE\tENGINE\tSSH\tCABLES TO")
	for _, s := range all {
		engine, ssh := "down", "-"
		if s.Engine != 0 {
			engine = "up"
		}
		if s.SSH != 0 {
			ssh = fmt.Sprint("127.0.0.1:", s.SSH)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Satellite, s.State, engine, ssh, strings.NewReplacer("!", " (cut)", "?", " (silent)").Replace(strings.Join(s.Cables, " ")))
	}
	return w.Flush()
}

func (c *command) cable(l *Lab) error {
	switch c.rest[0] {
	case "cut":
		if c.silent {
			return l.SetCable(c.rest[1], c.rest[2], CableSilent)
		}
		return l.SetCable(c.rest[1], c.rest[2], CableCut)
	case "mend":
		return l.SetCable(c.rest[1], c.rest[2], CableWhole)
	}
	return &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("cable cannot %q", c.rest[0]), Hint: "use cut or mend"}
}

func (c *command) satellite(ctx context.Context, l *Lab) error {
	name := c.rest[1]
	switch act := c.rest[0]; act {
	case "kill":
		if c.engine {
			return l.KillEngine(ctx, name, !c.stay)
		}
		return l.Kill(name)
	case "start":
		return l.Start(ctx, name, c.Ready)
	case "freeze", "thaw":
		return l.Freeze(ctx, name, act == "freeze")
	}
	return &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("satellite cannot %q", c.rest[0]), Hint: "use kill, start, freeze or thaw"}
}

// DialReady is a Ready that waits until the socket takes connections.
func DialReady(ctx context.Context, socket string) error {
	for {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", socket)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
}
