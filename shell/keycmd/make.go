package keycmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/keyfile"
	"decenter/keys/words"
)

// keyView is what --json tells of a key. Fields are added, never renamed.
type keyView struct {
	Account   string `json:"account"`
	Network   string `json:"network"`
	Kind      string `json:"kind"`
	Path      string `json:"path"`
	Encrypted bool   `json:"encrypted,omitempty"` // by new alone
}

func viewOf(k keyfile.Key, path string) keyView {
	return keyView{Account: k.Account.String(), Network: k.Account.Network().String(), Kind: k.Account.Kind().String(), Path: path}
}

// recipe is what the flags of `new` say.
type recipe struct {
	network keys.Network
	kind    keys.Kind
	path    words.Path // of the words; zero where the kind's own is meant
	count   int        // of words to draw
	read    bool       // the secret or the words come from stdin
}

func runNew(_ context.Context, env Env, args []string) error {
	f := newFlags(env, "new")
	f.withJSON()
	f.withNetwork()
	out := f.String("out", "", "new key `FILE`")
	kind := f.String("kind", "", "p2wpkh (the default), p2tr, p2sh-p2wpkh or p2pkh")
	count := f.Int("words", words.DefaultCount, "how `MANY` words to make: 12 to 24")
	passphrase := f.Bool("passphrase", false, "seal the file with a passphrase")
	read := f.Bool("import", false, "read BIP-39 words, or a key as WIF, from stdin")
	path := f.String("path", "", "the words' `PATH`, where not the kind's own")
	if err := f.parse(args, 0, 0); err != nil {
		return err
	}
	r, err := newRecipe(f.network, *kind, *path)
	if err != nil {
		return err
	}
	r.count, r.read = *count, *read
	file, err := keyPath(env, *out)
	if err != nil {
		return err
	}
	key, err := r.make(env)
	if err != nil {
		return err
	}
	text := key.Append(nil)
	if *passphrase {
		if text, err = encrypt(env, key); err != nil {
			return err
		}
	}
	if err := keyfile.WriteFile(file, text); err != nil {
		return keyError(file, err)
	}
	view := viewOf(key, file)
	view.Encrypted = *passphrase
	tellMade(env, key, view, r.read, *out)
	if f.json {
		return writeJSON(env.Stdout, view)
	}
	fmt.Fprintln(env.Stdout, view.Account)
	return nil
}

// newRecipe reads what kind of account it is to be. Where only a path is given, its first step tells.
func newRecipe(network, kind, path string) (recipe, error) {
	r := recipe{kind: keys.P2WPKH}
	var err error
	if r.network, err = keys.ParseNetwork(network); err != nil {
		return recipe{}, typed(err)
	}
	if path != "" {
		if r.path, err = words.ParsePath(path); err != nil {
			return recipe{}, typed(err)
		}
		if known := r.path.Kind(); known != 0 {
			r.kind = known
		}
	}
	if kind != "" {
		if r.kind, err = keys.ParseKind(kind); err != nil {
			return recipe{}, typed(err)
		}
	}
	return r, nil
}

// make draws the words, or reads what there is already.
func (r recipe) make(env Env) (keyfile.Key, error) {
	if !r.read {
		phrase, err := words.New(env.Dice, r.count)
		if err != nil {
			return keyfile.Key{}, typed(err)
		}
		return r.derive(phrase)
	}
	text, err := readInput(env)
	if err != nil {
		return keyfile.Key{}, err
	}
	if len(strings.Fields(text)) > 1 {
		phrase, err := words.Parse(text)
		if err != nil {
			return keyfile.Key{}, typed(err)
		}
		return r.derive(phrase)
	}
	secret, err := keys.ParseWIF(r.network, strings.TrimSpace(text))
	if err != nil {
		e := typed(err).(*api.Error)
		e.Hint += "; or give 12 to 24 BIP-39 words"
		return keyfile.Key{}, e
	}
	if r.path != (words.Path{}) {
		return keyfile.Key{}, invalid("a key in Wallet Import Format has no path", "leave out --path, or import words")
	}
	return keyfile.Key{Account: secret.Address(r.network, r.kind), Secret: secret}, nil
}

func (r recipe) derive(phrase words.Phrase) (keyfile.Key, error) {
	if r.path == (words.Path{}) {
		r.path = words.DefaultPath(r.network, r.kind)
	}
	k, err := keyfile.FromWords(r.network, r.kind, phrase, r.path)
	if err != nil {
		return keyfile.Key{}, typed(err)
	}
	return k, nil
}

// tellMade says where the key is, and shows new words once: at the terminal, and never where a log may catch them. named
// is the file that the person named.
func tellMade(env Env, key keyfile.Key, view keyView, known bool, named string) {
	if named != "" {
		named = " --key " + word(named)
	}
	fmt.Fprintf(env.Stderr, "The key is in %s. Who has it has the account; who loses it has lost the account.\n", view.Path)
	if !view.Encrypted {
		fmt.Fprintln(env.Stderr, "No passphrase guards it (--passphrase).")
	}
	switch {
	case known:
	case env.Terminal == nil:
		fmt.Fprintf(env.Stderr, "Write down the words that restore it: decenter key words%s\n", named)
	default:
		fmt.Fprintf(env.Terminal, "\nWrite these words down. They restore the account in any wallet, at %s:\n\n%s\n", key.Path, numbered(key.Phrase))
	}
}

// numbered lays words out to be written down, four in a row.
func numbered(p words.Phrase) string {
	var b strings.Builder
	for i, word := range strings.Fields(p.Words()) {
		switch {
		case i == 0:
		case i%4 == 0:
			b.WriteByte('\n')
		default:
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "  %2d %-8s", i+1, word) // no word is longer
	}
	return b.String() + "\n"
}

// wordsView is what --json tells of words.
type wordsView struct {
	Account string `json:"account"`
	Path    string `json:"path"`
	Words   string `json:"words"`
}

func runWords(_ context.Context, env Env, args []string) error {
	f := newFlags(env, "words")
	f.withKey()
	f.withJSON()
	if err := f.parse(args, 0, 0); err != nil {
		return err
	}
	k, path, err := openKey(env, f.key)
	if err != nil {
		return err
	}
	if k.Phrase == (words.Phrase{}) {
		return &api.Error{Code: api.CodeFailed, Message: path + " holds a key that came without words", Hint: "move it to a wallet with decenter key export"}
	}
	if f.json {
		return writeJSON(env.Stdout, wordsView{k.Account.String(), k.Path.String(), k.Phrase.Words()})
	}
	fmt.Fprintf(env.Stderr, "These words restore %s, at %s:\n", k.Account, k.Path)
	fmt.Fprintln(env.Stdout, k.Phrase.Words())
	return nil
}

func encrypt(env Env, key keyfile.Key) ([]byte, error) {
	if env.Password == nil {
		return nil, invalid("there is no terminal to ask for a passphrase at", "leave out --passphrase, or run it in a terminal")
	}
	first, err := env.Password("New passphrase: ")
	if err != nil {
		return nil, err
	}
	if first == "" {
		return nil, invalid("an empty passphrase guards nothing", "leave out --passphrase for none")
	}
	again, err := env.Password("The same again: ")
	if err != nil {
		return nil, err
	}
	if first != again {
		return nil, &api.Error{Code: api.CodeFailed, Message: "the two passphrases differ", Hint: "nothing was written"}
	}
	return key.Encrypt(first, env.Work)
}

func runAddress(_ context.Context, env Env, args []string) error {
	f := newFlags(env, "address")
	f.withKey()
	f.withJSON()
	if err := f.parse(args, 0, 0); err != nil {
		return err
	}
	k, path, err := openKey(env, f.key)
	if err != nil {
		return err
	}
	if f.json {
		return writeJSON(env.Stdout, viewOf(k, path))
	}
	fmt.Fprintln(env.Stdout, k.Account)
	return nil
}

func runExport(_ context.Context, env Env, args []string) error {
	f := newFlags(env, "export")
	f.withKey()
	if err := f.parse(args, 0, 0); err != nil {
		return err
	}
	k, _, err := openKey(env, f.key)
	if err != nil {
		return err
	}
	fmt.Fprintln(env.Stderr, "This is the secret of", k.Account)
	fmt.Fprintln(env.Stdout, k.Secret.WIF(k.Account.Network()))
	return nil
}

// keyError tells what is wrong with a key file, and what to do.
func keyError(path string, err error) error {
	var e *keys.Error
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &api.Error{Code: api.CodeNotFound, Message: "there is no key file " + path, Hint: "make one: decenter key new"}
	case errors.Is(err, fs.ErrExist):
		return &api.Error{Code: api.CodeExists, Message: path + " exists, and a key is never replaced", Hint: "name another with --out FILE"}
	case errors.Is(err, keyfile.ErrPassphrase):
		return &api.Error{Code: api.CodeFailed, Message: path + " is under a passphrase", Hint: "none was given, or a wrong one"}
	case errors.As(err, &e):
		return &api.Error{Code: api.CodeFailed, Message: err.Error()}
	}
	return fmt.Errorf("key file: %w", err)
}
