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

func runNew(_ context.Context, env Env, args []string) error {
	f := newFlags(env, "new")
	f.withJSON()
	f.withNetwork()
	out := f.String("out", "", "new key `FILE`")
	kind := f.String("kind", "p2wpkh", "p2wpkh or p2pkh")
	passphrase := f.Bool("passphrase", false, "put the file under a passphrase")
	wif := f.Bool("import", false, "read the secret from stdin, in Wallet Import Format")
	if err := f.parse(args, 0, 0); err != nil {
		return err
	}
	network, err := keys.ParseNetwork(f.network)
	if err != nil {
		return typed(err)
	}
	k, err := keys.ParseKind(*kind)
	if err != nil {
		return typed(err)
	}
	path, err := keyPath(env, *out)
	if err != nil {
		return err
	}
	secret, err := newSecret(env, network, *wif)
	if err != nil {
		return err
	}
	key := keyfile.Key{Account: secret.Address(network, k), Secret: secret}
	text := key.Append(nil)
	if *passphrase {
		if text, err = encrypt(env, key); err != nil {
			return err
		}
	}
	if err := keyfile.WriteFile(path, text); err != nil {
		return keyError(path, err)
	}
	view := viewOf(key, path)
	view.Encrypted = *passphrase
	if f.json {
		return writeJSON(env.Stdout, view)
	}
	fmt.Fprintln(env.Stdout, view.Account)
	fmt.Fprintf(env.Stderr, "The key is in %s. Who has it has the account; who loses it has lost the account.\n", path)
	return nil
}

func newSecret(env Env, network keys.Network, wif bool) (keys.PrivateKey, error) {
	if !wif {
		return keys.NewPrivateKey(env.Dice)
	}
	text, err := readInput(env)
	if err != nil {
		return keys.PrivateKey{}, err
	}
	secret, err := keys.ParseWIF(network, strings.TrimSpace(text))
	if err != nil {
		return keys.PrivateKey{}, typed(err)
	}
	return secret, nil
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
