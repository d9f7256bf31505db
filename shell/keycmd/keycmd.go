package keycmd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/keys"
)

// Env is what the command takes from its surroundings.
type Env struct {
	Stdin          io.Reader
	Typed          bool // Stdin is a terminal: a person types, and is to be told what
	Stdout, Stderr io.Writer
	// Getenv reads the environment: HOME, DECENTER_KEY, DECENTER_SSH_KEY, DECENTER_ASKPASS, SSH_AUTH_SOCK,
	// SSH_ASKPASS_PROMPT.
	Getenv func(string) string
	// Dice is crypto/rand's reader, but for tests.
	Dice io.Reader
	// Now is the wall clock, but for tests. It dates statements.
	Now func() time.Time
	// Password asks the person at the terminal for a secret, without echo; nil where there is no terminal.
	Password func(prompt string) (string, error)
	// Terminal is the person's terminal, for what no file may catch; nil where there is none.
	Terminal io.Writer
	// Self is the path of this program, for the script that `askpass` writes and for ssh_config.
	Self string
	// Work is scrypt's cost for new passphrases, base-2 logarithm; 0 is age's default.
	Work int
}

// maxInput bounds what is read from stdin, in bytes.
const maxInput = keys.MaxMessage

// command is one word after `decenter key`.
type command struct {
	name, args, what string
	run              func(ctx context.Context, env Env, args []string) error
}

func commands() []command {
	return []command{
		{"new", "", "make a key, its words and its account", runNew},
		{"address", "", "show the key's account", runAddress},
		{"words", "", "show the words that restore the key", runWords},
		{"export", "", "show the secret, for a wallet to import", runExport},
		{"sign", "[CHALLENGE]", "sign a login challenge", runSign},
		{"verify", "ACCOUNT SIGNATURE [MESSAGE]", "check a signature", runVerify},
		{"delegate", "[--ssh-key FILE]", "let ssh log in by itself, for a while", runDelegate},
		{"revoke", "--every | --ssh-key KEY", "end delegations and logins", runRevoke},
		{"admit", "SATELLITE --constellation NAME", "take a satellite in", runAdmit},
		{"eject", "SATELLITE --constellation NAME", "put a satellite out", runEject},
		{"grant", "ROLE ACCOUNT --on OBJECT …", "give an account a role", runGrant},
		{"askpass", "PATH", "write the program for SSH_ASKPASS", runAskpass},
		{"known-hosts", "%I %H %t %K", "tell ssh which satellites to trust", runKnownHosts},
		{"ssh-config", "--satellite HOST[:PORT]", "print a block for ~/.ssh/config", runSSHConfig},
	}
}

// Run carries out `decenter key ARGS…` and gives the exit code.
func Run(ctx context.Context, args []string, env Env) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		out, code := env.Stdout, api.ExitDone
		if len(args) == 0 {
			out, code = env.Stderr, api.ExitUsage
		}
		usage(out)
		return code
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return report(env, c.run(ctx, env, args[1:]))
		}
	}
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return report(env, invalid(fmt.Sprintf("%q is not a key command", printable(args[0])), "use one of "+strings.Join(names, ", ")))
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "decenter key COMMAND: the key of your account, and what it signs")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-38s %s\n", strings.TrimRight(c.name+" "+c.args, " "), c.what)
	}
	fmt.Fprintln(w, "The key file is --key FILE, else $DECENTER_KEY, else ~/.config/decenter/key.")
	fmt.Fprintln(w, "With a wallet instead: --account ADDRESS, then sign the line that is shown.")
	fmt.Fprintln(w, "Flags of a command: decenter key COMMAND -h")
}

// report tells an error and gives the exit code: 0, 1 or 2.
func report(env Env, err error) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return api.ExitDone
	case err == errTold:
		return api.ExitFailed
	}
	fmt.Fprintf(env.Stderr, "decenter key: %v\n", err)
	if code := api.CodeOf(err); code == api.CodeInvalid || code == api.CodeCancelled {
		return api.ExitUsage
	}
	return api.ExitFailed
}

// errTold is a failure whose reason was already shown.
var errTold = errors.New("already told")

func invalid(problem, hint string) error {
	return &api.Error{Code: api.CodeInvalid, Message: problem, Hint: hint}
}

// typed makes an error about what the person typed out of one of the keys package.
func typed(err error) error { return withCode(api.CodeInvalid, err) }

func withCode(code api.Code, err error) error {
	var e *keys.Error
	if errors.As(err, &e) {
		return &api.Error{Code: code, Message: e.Problem, Hint: e.Hint}
	}
	return &api.Error{Code: code, Message: err.Error()}
}
