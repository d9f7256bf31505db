package keycmd

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"decenter/keys/keyfile"
)

// flags is the flag set of one command, with what every command shares.
type flags struct {
	*flag.FlagSet
	key, network, account string
	json                  bool
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
	f.StringVar(&f.network, "network", "mainnet", "`NAME`: mainnet, testnet or regtest")
}

// withSigner takes who signs a statement: a key file, or the holder of a wallet.
func (f *flags) withSigner() {
	f.withKey()
	f.withNetwork()
	f.withJSON()
	f.StringVar(&f.account, "account", "", "no key file: a wallet signs as this `ADDRESS`")
}

// list is a flag that may be given more than once.
type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(s string) error { *l = append(*l, s); return nil }

// parseMixed is parse where flags may also stand after and between the arguments. It gives the arguments.
func (f *flags) parseMixed(args []string, min, max int) ([]string, error) {
	var words []string
	for {
		if err := f.parse(args, 0, len(args)); err != nil {
			return nil, err
		}
		if f.NArg() == 0 {
			break
		}
		words, args = append(words, f.Arg(0)), f.Args()[1:]
	}
	return words, f.count(len(words), min, max)
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
	return f.count(f.NArg(), min, max)
}

func (f *flags) count(n, min, max int) error {
	if n < min || n > max {
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
