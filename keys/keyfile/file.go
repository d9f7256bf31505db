package keyfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"decenter/keys"
)

// Mode is the file mode that a key file has, and the most that it may have.
const Mode fs.FileMode = 0o600

// ReadFile reads the key at path. ask is called for the passphrase where the file is under one; nil means that
// nobody can be asked, and then the error is ErrPassphrase.
func ReadFile(path string, ask func() (string, error)) (Key, error) {
	text, err := readPrivate(path)
	if err != nil {
		return Key{}, err
	}
	if !Encrypted(text) {
		k, err := Parse(text)
		if err != nil {
			return Key{}, fmt.Errorf("%s: %w", path, err)
		}
		return k, nil
	}
	if ask == nil {
		return Key{}, fmt.Errorf("%s: %w", path, ErrPassphrase)
	}
	passphrase, err := ask()
	if err != nil {
		return Key{}, fmt.Errorf("ask for the passphrase of %s: %w", path, err)
	}
	k, err := Decrypt(text, passphrase)
	if err != nil {
		return Key{}, fmt.Errorf("%s: %w", path, err)
	}
	return k, nil
}

// readPrivate reads a file that nobody but its owner may touch. The mode is that of the opened file, so it
// cannot be exchanged in between.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &keys.Error{Kind: keys.ErrKey, Problem: path + " is not a file"}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(text) > maxFile {
		return nil, &keys.Error{Kind: keys.ErrKey, Problem: fmt.Sprintf("%s has more than %d bytes", path, maxFile), Hint: "it is no key file"}
	}
	// Only of a key file is it said that it is too open: to change another's mode could lock people out of their machine.
	if perm := info.Mode().Perm(); perm&^Mode != 0 && looksLikeKey(text) {
		return nil, &keys.Error{Kind: keys.ErrKey, Problem: fmt.Sprintf("%s has mode %04o: others could read the key", path, perm),
			Hint: fmt.Sprintf("chmod %04o %s", Mode, path)}
	}
	return text, nil
}

// looksLikeKey tells a key file, of whatever version and however broken, from other files. None else is ever parsed as one.
func looksLikeKey(text []byte) bool {
	return Encrypted(text) || bytes.HasPrefix(text, []byte(firstWord))
}

// WriteFile writes a new key file and the folders on its way. It never replaces a file: a lost key is an
// account lost. After a crash there is either the whole file or none.
func WriteFile(path string, text []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	if _, err := f.Write(text); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	// A hard link, unlike a rename, fails where the name is taken.
	return os.Link(f.Name(), path)
}
