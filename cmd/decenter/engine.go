package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"decenter/engine/api"
	"decenter/engine/config"
	"decenter/engine/identity"
	"decenter/shell"
)

const engineUsage = `decenter engine [--config FILE]     run the satellite's daemon
decenter engine --check             tell what is wrong with the configuration
decenter engine --print             print the configuration with every key, its meaning and its value
decenter engine --fingerprint       print this satellite's id, for an owner to admit
decenter engine --uninstall         take the data path out of the kernel: the ports are plain ones again

Without --config the configuration is DECENTER_CONFIG's, else ` + config.DefaultPath + `.

`

// configEnv names the configuration where --config does not.
const configEnv = "DECENTER_CONFIG"

// engineCommand is `decenter engine`.
func engineCommand(ctx context.Context, args []string, s shell.Streams) int {
	if len(args) == 1 && args[0] == "help" {
		args = []string{"-h"}
	}
	flags := flag.NewFlagSet("decenter engine", flag.ContinueOnError)
	flags.SetOutput(s.Err)
	path := flags.String("config", cmp.Or(os.Getenv(configEnv), config.DefaultPath), "the configuration `FILE`")
	check := flags.Bool("check", false, "check the configuration and do nothing")
	printIt := flags.Bool("print", false, "print the configuration and do nothing")
	fingerprint := flags.Bool("fingerprint", false, "print this satellite's id; its key is made if it has none")
	uninstall := flags.Bool("uninstall", false, "remove the data path; VMs of this satellite lose the network")
	flags.Usage = func() { fmt.Fprint(s.Err, engineUsage); flags.PrintDefaults() }
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return api.ExitDone
	} else if err != nil {
		return api.ExitUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(s.Err, "decenter engine: %q is too much\n\n", flags.Arg(0))
		flags.Usage()
		return api.ExitUsage
	}
	hostname, err := os.Hostname()
	if err != nil {
		fmt.Fprintln(s.Err, "decenter engine:", err)
		return api.ExitFailed
	}
	cfg, err := config.Load(*path, hostname)
	if err != nil {
		fmt.Fprintln(s.Err, "decenter engine:", err)
		return api.ExitUsage
	}
	switch {
	case *check:
		tellConfig(s.Out, *path, cfg)
	case *printIt:
		tellMissing(s.Err, *path, "these are the defaults")
		err = printConfig(s.Out, cfg)
	case *fingerprint:
		err = printFingerprint(s, *path, cfg)
	case *uninstall:
		err = uninstallFabric(cfg)
	default:
		err = runSatellite(ctx, cfg, logger(cfg.Log, s.Err))
	}
	if err != nil {
		fmt.Fprintln(s.Err, "decenter engine:", err)
		return api.ExitFailed
	}
	return api.ExitDone
}

// tellConfig says that the configuration is valid, and what a valid one may still lack.
func tellConfig(out io.Writer, path string, cfg config.Config) {
	fmt.Fprintln(out, "the configuration is fine")
	if _, err := os.Stat(path); err != nil {
		fmt.Fprintf(out, "note: %s is not there, so all of it is defaults\n", path)
	}
	if len(cfg.Trust.Owners) == 0 && len(cfg.SSH.Listen) > 0 {
		fmt.Fprintln(out, "note: trust.owners is empty: nobody can log in by ssh as an owner, admit a satellite or grant a role")
	}
	if len(cfg.Trust.Owners) == 0 && len(cfg.Trust.Satellites) == 0 {
		fmt.Fprintln(out, "note: trust.satellites is empty, and so is trust.owners: this satellite talks to no other")
	}
}

func printConfig(out io.Writer, cfg config.Config) error {
	text, err := cfg.Append()
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}

// tellMissing says that there is no configuration at path, so that nobody takes the defaults for what was written.
func tellMissing(out io.Writer, path, so string) {
	if _, err := os.Stat(path); err != nil {
		fmt.Fprintf(out, "decenter engine: there is no configuration at %s: %s\n", path, so)
	}
}

// printFingerprint tells the satellite's id on stdout, and on stderr what its reader may not expect: whose key it is
// where nothing is configured, and that it was made just now.
func printFingerprint(s shell.Streams, path string, cfg config.Config) error {
	_, before := os.Stat(filepath.Join(cfg.Data, "satellite.key"))
	id, err := identity.LoadOrCreate(cfg.Data)
	if err != nil {
		return err
	}
	tellMissing(s.Err, path, "this is the key in "+cfg.Data)
	if errors.Is(before, fs.ErrNotExist) {
		fmt.Fprintf(s.Err, "decenter engine: a new key was made in %s\n", cfg.Data)
	}
	_, err = fmt.Fprintln(s.Out, id.Fingerprint())
	return err
}

func logger(c config.Log, out io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // config.Check let only known ones pass
	}
	opt := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, opt))
	}
	return slog.New(slog.NewTextHandler(out, opt))
}
