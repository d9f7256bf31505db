// Package keyfile keeps an account's private key in a file, for `decenter key` and for scripts that log in.
//
// # The file
//
// Lines of text, each a word, one blank and a value, each ended by a line feed:
//
//	decenter-key 1                 decenter-key 2
//	network mainnet                network mainnet
//	account bc1q…                  account bc1q…
//	secret K…                      path m/84'/0'/0'/0/0
//	                               words legal winner thank …
//
// Version 1 holds a key: secret is it in Wallet Import Format, which every wallet imports. Version 2 holds the words that
// the key is derived from (package keys/words). account fixes which of the key's addresses the holder goes by, and is
// checked against the secret. A file is written in the lowest version that can say what it holds.
//
// With a passphrase, the same text lies inside an age file (age-encryption.org/v1, scrypt recipient) in its
// ASCII armor, which begins with "-----BEGIN AGE ENCRYPTED FILE-----". `age -d` opens it too.
//
// A file that others than its owner can read or write is refused, encrypted or not.
package keyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"decenter/keys"
	"decenter/keys/words"
)

// maxFile bounds a key file, in bytes; an encrypted one has about 800.
const maxFile = 16 << 10

// The first lines of key files.
const (
	firstWord   = "decenter-key " // of every version
	firstSecret = "decenter-key 1"
	firstWords  = "decenter-key 2"
)

// ErrPassphrase says that a key file needs a passphrase, or another one than was given.
var ErrPassphrase = errors.New("the key file's passphrase is missing or wrong")

// Key is what a key file holds. The account is always one of the secret's. It prints as its account alone.
type Key struct {
	Account keys.Address
	Secret  keys.PrivateKey
	// Phrase and Path are what the secret is derived from; both zero where it came without words.
	Phrase words.Phrase
	Path   words.Path
}

// FromWords derives the key of the kind of account at path.
func FromWords(network keys.Network, kind keys.Kind, phrase words.Phrase, path words.Path) (Key, error) {
	secret, err := phrase.Derive(path)
	if err != nil {
		return Key{}, err
	}
	return Key{Account: secret.Address(network, kind), Secret: secret, Phrase: phrase, Path: path}, nil
}

// Parse reads a plain key file's text, in the one spelling that Append gives.
func Parse(text []byte) (Key, error) {
	first, rest, _ := strings.Cut(string(text), "\n")
	read := parseSecret
	switch {
	case first == firstWords:
		read = parseWords
	case first == firstSecret:
	case strings.HasPrefix(first, firstWord):
		return Key{}, bad("it is of a version that this program does not know")
	default:
		return Key{}, bad("it is no key file: it does not begin with %q", firstSecret)
	}
	k, err := read(rest)
	if err != nil {
		return Key{}, err
	}
	if !bytes.Equal(k.Append(nil), text) {
		return Key{}, bad("it is not written as key files are")
	}
	return k, nil
}

// parseSecret reads version 1 after its first line.
func parseSecret(text string) (Key, error) {
	account, values, err := parseAccount(text, "secret")
	if err != nil {
		return Key{}, err
	}
	secret, err := keys.ParseWIF(account.Network(), values[0])
	if err != nil {
		return Key{}, bad("%v", err)
	}
	if secret.Address(account.Network(), account.Kind()) != account {
		return Key{}, bad("its secret is not the one of account %s", account)
	}
	return Key{Account: account, Secret: secret}, nil
}

// parseWords reads version 2 after its first line.
func parseWords(text string) (Key, error) {
	account, values, err := parseAccount(text, "path", "words")
	if err != nil {
		return Key{}, err
	}
	path, err := words.ParsePath(values[0])
	if err != nil {
		return Key{}, bad("%v", err)
	}
	phrase, err := words.Parse(values[1])
	if err != nil {
		return Key{}, bad("%v", err)
	}
	k, err := FromWords(account.Network(), account.Kind(), phrase, path)
	if err != nil {
		return Key{}, bad("%v", err)
	}
	if k.Account != account {
		return Key{}, bad("its words are not the ones of account %s", account)
	}
	return k, nil
}

// parseAccount reads the network, the account, and the values of the lines named more, up to the end.
func parseAccount(text string, more ...string) (keys.Address, []string, error) {
	names := append([]string{"network", "account"}, more...)
	lines := strings.Split(text, "\n")
	if len(lines) != len(names)+1 || lines[len(names)] != "" {
		return keys.Address{}, nil, bad("it does not have %d lines", len(names)+1)
	}
	values := make([]string, len(names))
	for i, name := range names {
		value, found := strings.CutPrefix(lines[i], name+" ")
		if !found {
			return keys.Address{}, nil, bad("line %d does not begin with %q", i+2, name)
		}
		values[i] = value
	}
	network, err := keys.ParseNetwork(values[0])
	if err != nil {
		return keys.Address{}, nil, bad("%v", err)
	}
	account, err := keys.ParseAddress(network, values[1])
	if err != nil {
		return keys.Address{}, nil, bad("%v", err)
	}
	return account, values[2:], nil
}

// Append appends the key file's plain text.
func (k Key) Append(b []byte) []byte {
	network := k.Account.Network()
	if k.Phrase == (words.Phrase{}) {
		return fmt.Appendf(b, "%s\nnetwork %s\naccount %s\nsecret %s\n", firstSecret, network, k.Account, k.Secret.WIF(network))
	}
	return fmt.Appendf(b, "%s\nnetwork %s\naccount %s\npath %s\nwords %s\n", firstWords, network, k.Account, k.Path, k.Phrase.Words())
}

// String gives the account.
func (k Key) String() string { return k.Account.String() }

// Format gives the account, whatever the verb of fmt.
func (k Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue gives the account.
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// Encrypted tells whether text is a key file under a passphrase.
func Encrypted(text []byte) bool { return bytes.HasPrefix(text, []byte(armor.Header)) }

// Encrypt puts the key under a passphrase. work is the base-2 logarithm of scrypt's cost; 0 is age's default,
// about a second.
func (k Key) Encrypt(passphrase string, work int) ([]byte, error) {
	recipient, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, fmt.Errorf("use the passphrase: %w", err)
	}
	if work != 0 {
		recipient.SetWorkFactor(work)
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	plain, err := age.Encrypt(armored, recipient)
	if err != nil {
		return nil, fmt.Errorf("encrypt the key: %w", err)
	}
	if _, err := plain.Write(k.Append(nil)); err != nil {
		return nil, fmt.Errorf("encrypt the key: %w", err)
	}
	if err := errors.Join(plain.Close(), armored.Close()); err != nil {
		return nil, fmt.Errorf("encrypt the key: %w", err)
	}
	return out.Bytes(), nil
}

// Decrypt opens what Encrypt gives. The error wraps ErrPassphrase where the passphrase does not fit.
func Decrypt(text []byte, passphrase string) (Key, error) {
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return Key{}, fmt.Errorf("%w: %v", ErrPassphrase, err)
	}
	plain, err := age.Decrypt(armor.NewReader(bytes.NewReader(text)), identity)
	var misfit *age.NoIdentityMatchError
	switch {
	case errors.As(err, &misfit):
		return Key{}, ErrPassphrase
	case err != nil:
		return Key{}, bad("%v", err)
	}
	b, err := io.ReadAll(io.LimitReader(plain, maxFile))
	if err != nil {
		return Key{}, bad("%v", err)
	}
	return Parse(b)
}

func bad(format string, args ...any) error {
	return &keys.Error{Kind: keys.ErrKey, Problem: "this is not a key file", Hint: fmt.Sprintf(format, args...)}
}
