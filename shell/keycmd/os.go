package keycmd

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// IsAskpass tells whether the program was started as SSH_ASKPASS: by a name that ends in "-askpass", or with
// DECENTER_ASKPASS=1 and one argument.
func IsAskpass(args []string, getenv func(string) string) bool {
	if len(args) == 0 {
		return false
	}
	return strings.HasSuffix(filepath.Base(args[0]), "-askpass") || getenv("DECENTER_ASKPASS") == "1" && len(args) == 2
}

// Askpass answers OpenSSH's prompt, which is its only argument (args is without the program's name), and gives
// the exit code.
func Askpass(ctx context.Context, args []string, env Env) int {
	if len(args) != 1 {
		return report(env, invalid(fmt.Sprintf("an askpass program gets the prompt alone, not %d arguments", len(args)), "name this program in SSH_ASKPASS"))
	}
	return report(env, signChallenge(ctx, env, "", args[0], manner{askpass: true}))
}

// OSEnv is the Env of a real process.
func OSEnv() Env {
	env := Env{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Dice: rand.Reader, Now: time.Now}
	_, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS)
	env.Typed = err == nil
	if self, err := os.Executable(); err == nil {
		env.Self = self
	}
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		env.Terminal = tty
		env.Password = func(prompt string) (string, error) { return readPassword(tty, prompt) }
	}
	return env
}
