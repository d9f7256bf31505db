// Package keyfile keeps an account's private key in a file, for `decenter key` and for scripts that log in.
//
// # The file
//
// Four lines of text, each a word, one blank and a value, each ended by a line feed:
//
//	decenter-key 1
//	network mainnet
//	account bc1q…
//	secret K…
//
// secret is the key in Wallet Import Format, which every wallet imports. account fixes which of the key's
// addresses the holder goes by, and is checked against the secret.
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
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"decenter/keys"
)

// maxFile bounds a key file, in bytes; an encrypted one has about 600.
const maxFile = 16 << 10

// first is a key file's first line.
const first = "decenter-key 1"

// ErrPassphrase says that a key file needs a passphrase, or another one than was given.
var ErrPassphrase = errors.New("the key file's passphrase is missing or wrong")

// Key is what a key file holds. The account is always one of the secret's.
type Key struct {
	Account keys.Address
	Secret  keys.PrivateKey
}

// Parse reads a plain key file's text, in the one spelling that Append gives.
func Parse(text []byte) (Key, error) {
	lines := strings.Split(string(text), "\n")
	if lines[0] != first {
		return Key{}, bad("it does not begin with %q", first)
	}
	if len(lines) != 5 || lines[4] != "" {
		return Key{}, bad("it does not have four lines")
	}
	values := make([]string, 3)
	for i, word := range []string{"network", "account", "secret"} {
		value, found := strings.CutPrefix(lines[i+1], word+" ")
		if !found {
			return Key{}, bad("line %d does not begin with %q", i+2, word)
		}
		values[i] = value
	}
	network, err := keys.ParseNetwork(values[0])
	if err != nil {
		return Key{}, bad("%v", err)
	}
	account, err := keys.ParseAddress(network, values[1])
	if err != nil {
		return Key{}, bad("%v", err)
	}
	secret, err := keys.ParseWIF(network, values[2])
	if err != nil {
		return Key{}, bad("%v", err)
	}
	if secret.Address(network, account.Kind()) != account {
		return Key{}, bad("its secret is not the one of account %s", account)
	}
	return Key{Account: account, Secret: secret}, nil
}

// Append appends the key file's plain text.
func (k Key) Append(b []byte) []byte {
	network := k.Account.Network()
	return fmt.Appendf(b, "%s\nnetwork %s\naccount %s\nsecret %s\n", first, network, k.Account, k.Secret.WIF(network))
}

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
