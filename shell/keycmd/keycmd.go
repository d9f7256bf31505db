package keycmd

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/keyfile"
)

// Env is what the command takes from its surroundings.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Getenv reads the environment: HOME, DECENTER_KEY, DECENTER_SSH_KEY, DECENTER_ASKPASS, SSH_AUTH_SOCK.
	Getenv func(string) string
	// Dice is crypto/rand's reader, but for tests.
	Dice io.Reader
	// Now is the wall clock, but for tests; nothing but a warning hangs on it.
	Now func() time.Time
	// Password asks the person at the terminal for a secret, without echo; nil where there is no terminal.
	Password func(prompt string) (string, error)
	// Self is the path of this program, for the script that `askpass` writes.
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
		{"new", "", "make a key and its account", runNew},
		{"address", "", "show the key's account", runAddress},
		{"sign", "[CHALLENGE]", "sign a login challenge, or --message TEXT", runSign},
		{"verify", "ACCOUNT SIGNATURE [MESSAGE]", "check a signature", runVerify},
		{"export", "", "show the secret, for a wallet to import", runExport},
		{"askpass", "PATH", "write the program for SSH_ASKPASS", runAskpass},
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
	return report(env, invalid(fmt.Sprintf("%q is not a key command", args[0]), "use new, address, sign, verify, export or askpass"))
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "decenter key: the key of your account")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-42s %s\n", strings.TrimRight("decenter key "+c.name+" "+c.args, " "), c.what)
	}
	fmt.Fprintln(w, "The key file is --key FILE, else $DECENTER_KEY, else ~/.config/decenter/key.")
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
	if api.CodeOf(err) == api.CodeInvalid {
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

// flags is the flag set of one command, with what every command shares.
type flags struct {
	*flag.FlagSet
	key, network string
	json         bool
}

func newFlags(env Env, name string) *flags {
	f := &flags{FlagSet: flag.NewFlagSet("decenter key "+name, flag.ContinueOnError)}
	f.SetOutput(io.Discard) // report tells it, once
	f.Usage = func() {
		fmt.Fprintf(env.Stdout, "Flags of `%s`:\n", f.Name())
		f.SetOutput(env.Stdout)
		f.PrintDefaults()
		f.SetOutput(io.Discard)
	}
	return f
}

func (f *flags) withKey()  { f.StringVar(&f.key, "key", "", "key `FILE`") }
func (f *flags) withJSON() { f.BoolVar(&f.json, "json", false, "one JSON object on stdout") }
func (f *flags) withNetwork() {
	f.StringVar(&f.network, "network", "mainnet", "mainnet, testnet or regtest")
}

// parse reads args, of which at least min and at most max are left over.
func (f *flags) parse(args []string, min, max int) error {
	usage := f.Usage
	f.Usage = func() {} // the library would show it on errors too
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			usage()
			return err
		}
		return invalid(err.Error(), "see `"+f.Name()+" -h`")
	}
	if n := f.NArg(); n < min || n > max {
		return invalid(fmt.Sprintf("`%s` takes %s arguments, not %d", f.Name(), span(min, max), n), "quote an argument that has blanks")
	}
	return nil
}

func span(min, max int) string {
	if min == max {
		return fmt.Sprint(min)
	}
	return fmt.Sprintf("%d to %d", min, max)
}

// keyPath finds the key file's path.
func keyPath(env Env, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	if path := env.Getenv("DECENTER_KEY"); path != "" {
		return path, nil
	}
	home := env.Getenv("HOME")
	if home == "" {
		return "", invalid("there is no home folder to look for a key in", "add --key FILE, or set DECENTER_KEY")
	}
	return filepath.Join(home, ".config", "decenter", "key"), nil
}

// openKey reads the key file, and asks for its passphrase where it has one.
func openKey(env Env, given string) (keyfile.Key, string, error) {
	path, err := keyPath(env, given)
	if err != nil {
		return keyfile.Key{}, "", err
	}
	var ask func() (string, error)
	if env.Password != nil {
		ask = func() (string, error) { return env.Password("Passphrase of " + path + ": ") }
	}
	k, err := keyfile.ReadFile(path, ask)
	if err != nil {
		return keyfile.Key{}, path, keyError(path, err)
	}
	return k, path, nil
}

// readInput reads a bounded input and cuts one line end off its end.
func readInput(env Env) (string, error) {
	b, err := io.ReadAll(io.LimitReader(env.Stdin, maxInput+1))
	if err != nil {
		return "", fmt.Errorf("read the standard input: %w", err)
	}
	if len(b) > maxInput {
		return "", invalid(fmt.Sprintf("the input has more than %d bytes", maxInput), "")
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r"), nil
}

func writeJSON(w io.Writer, v any) error {
	if err := json.NewEncoder(w).Encode(v); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
