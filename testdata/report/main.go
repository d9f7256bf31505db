package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	tags := flag.String("tags", "", "build tags")
	machine := flag.String("machine", "", "folders whose packages run one after the other, as root")
	names := flag.String("run", "", "only tests that match, as go test -run")
	verbose := flag.Bool("v", false, "show what tests print")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	good, err := report(ctx, os.Stdout, *tags, *names, strings.Split(*machine, ","), *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
	}
	if err != nil || !good {
		os.Exit(1)
	}
}

func report(ctx context.Context, out io.Writer, tags, names string, machine []string, verbose bool) (bool, error) {
	all, err := packages(ctx, tags)
	if err != nil {
		return false, err
	}
	takesMachine := func(p string) bool {
		return slices.ContainsFunc(machine, func(a string) bool { return a != "" && (p == "./"+a || strings.HasPrefix(p, "./"+a+"/")) })
	}
	var side, single []string
	for _, p := range all {
		if takesMachine(p) {
			single = append(single, p)
		} else {
			side = append(side, p)
		}
	}
	t := newTally(out, verbose)
	args := []string{"test", "-json", "-timeout", "30m", "-tags", tags}
	if names != "" {
		args = append(args, "-run", names)
	}
	if err := test(ctx, t, append(slices.Clone(args), side...)); err != nil {
		return false, err
	}
	if len(single) > 0 {
		args = append(args, "-p", "1")
		if os.Geteuid() != 0 {
			args = append(args, "-exec", "sudo -E")
		}
		if err := test(ctx, t, append(args, single...)); err != nil {
			return false, err
		}
	}
	return t.summary(), nil
}

// packages gives every package as ./FOLDER: those that the go command lists, and those below testdata, which it leaves out.
func packages(ctx context.Context, tags string) ([]string, error) {
	c := exec.CommandContext(ctx, "go", "list", "-e", "-tags", tags, "-f", "{{.Dir}}", "./...")
	c.Stderr = os.Stderr
	listed, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	var found []string
	for dir := range strings.FieldsSeq(string(listed)) {
		rel, err := filepath.Rel(here, dir)
		if err != nil {
			return nil, err
		}
		found = append(found, "./"+rel)
	}
	err = filepath.WalkDir("testdata", func(p string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err == nil && strings.HasSuffix(p, ".go"):
			found = append(found, "./"+filepath.Dir(p))
		}
		return err
	})
	slices.Sort(found)
	return slices.Compact(found), err
}

// test runs the go command and takes its events. That tests fail is no error.
func test(ctx context.Context, t *tally, args []string) error {
	if len(args) > 0 && !slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "./") }) {
		return nil
	}
	c := exec.CommandContext(ctx, "go", args...)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.Stderr = os.Stderr
	events, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	if err := t.read(events); err != nil {
		return err
	}
	err = c.Wait()
	var failed *exec.ExitError
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.As(err, &failed) && failed.ExitCode() == 1 && t.anyFailed() {
		return nil
	}
	return err
}

func (t *tally) anyFailed() bool {
	_, failed, _ := t.counts()
	return failed > 0
}
