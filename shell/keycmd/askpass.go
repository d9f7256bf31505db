package keycmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"decenter/engine/api"
)

// runAskpass writes the script for SSH_ASKPASS.
func runAskpass(_ context.Context, env Env, args []string) error {
	f := newFlags(env, "askpass")
	f.withKey()
	noKey := f.Bool("no-key", false, "also sign challenges that name no SSH key")
	if err := f.parse(args, 1, 1); err != nil {
		return err
	}
	if env.Self == "" {
		return &api.Error{Code: api.CodeFailed, Message: "this program does not know its own path", Hint: "name a link to it that ends in -askpass"}
	}
	script := "#!/bin/sh\nexec " + quote(env.Self) + " key sign --askpass"
	if *noKey {
		script += " --no-key"
	}
	if f.key != "" {
		path, err := filepath.Abs(f.key)
		if err != nil {
			return fmt.Errorf("find %s: %w", f.key, err)
		}
		script += " --key " + quote(path)
	}
	script += ` -- "$1"` + "\n"
	path := f.Arg(0)
	if old, err := os.ReadFile(path); err == nil && string(old) == script {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return &api.Error{Code: api.CodeExists, Message: path + " exists", Hint: "remove it, or name another path"}
	}
	if err != nil {
		return fmt.Errorf("write the program: %w", err)
	}
	_, err = file.WriteString(script)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	fmt.Fprintf(env.Stderr, "Use it so: SSH_ASKPASS=%s SSH_ASKPASS_REQUIRE=force ssh -p %d ACCOUNT@SATELLITE COMMAND\n", word(path), sshPort)
	return nil
}

// plainWord is what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// word is quote only where a shell needs it, for lines that a person reads and types.
func word(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return quote(s)
}

// quote makes one word of a POSIX shell out of s.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
