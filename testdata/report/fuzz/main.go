// Command fuzz runs every fuzz test of the module for a while, one after the other.
//
//	go run ./testdata/report/fuzz [-tags TAGS] [-for TIME]
//
// The exit code is 1 if an input was found that breaks one; the go command keeps that input beside the test.
package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	tags := flag.String("tags", "", "build tags")
	each := flag.Duration("for", 20*time.Second, "time for each test")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	found, broken, err := run(ctx, *tags, *each)
	fmt.Printf("%d fuzz tests, %d broken\n", found, broken)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
	}
	if err != nil || broken > 0 || found == 0 {
		os.Exit(1)
	}
}

var fuzzTest = regexp.MustCompile(`(?m)^func (Fuzz\w+)\(`)

func run(ctx context.Context, tags string, each time.Duration) (found, broken int, err error) {
	err = filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != "." && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case !strings.HasSuffix(p, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, m := range fuzzTest.FindAllSubmatch(text, -1) {
			found++
			c := exec.CommandContext(ctx, "go", "test", "-tags", tags, "-run", "^$", "-fuzz", "^"+string(m[1])+"$", "-fuzztime", each.String(), "./"+filepath.Dir(p))
			c.Stdout, c.Stderr = os.Stdout, os.Stderr
			fmt.Printf("%s %s\n", filepath.Dir(p), m[1])
			if c.Run() != nil {
				broken++
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
		return nil
	})
	return found, broken, err
}
