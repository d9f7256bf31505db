package keycmd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"decenter/engine/api"
	"decenter/keys"
)

// agentSigning is how long an agent may take to sign: it may ask its holder to touch a token.
const agentSigning = time.Minute

func fingerprint(key ssh.PublicKey) keys.Fingerprint { return sha256.Sum256(key.Marshal()) }

// publicKey reads the public key file that path names, or the one beside the private key that it names. It gives the
// path that ends in ".pub" too.
func publicKey(path string) (ssh.PublicKey, string, error) {
	key, err := readPublic(path)
	if err != nil && !strings.HasSuffix(path, ".pub") {
		path += ".pub"
		key, err = readPublic(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", invalid("there is no SSH key "+path, "make one: ssh-keygen -t ed25519")
	case err != nil:
		return nil, "", invalid(fmt.Sprintf("%s is not a public SSH key: %v", path, err), "name the file that ends in .pub")
	}
	if _, is := key.(*ssh.Certificate); is {
		return nil, "", invalid(path+" is a certificate", "name the key's own file, without -cert")
	}
	return key, path, nil
}

// readPublic reads a public key file, as of ssh-keygen.
func readPublic(path string) (ssh.PublicKey, error) {
	text, err := readSmall(path, maxPublicKey)
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	return key, err
}

// readSmall reads a regular file of at most max bytes.
func readSmall(path string, max int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > max {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("not a file of at most %d bytes", max)}
	}
	return os.ReadFile(path)
}

// defaultPublic finds the one SSH key that the person has.
func defaultPublic(env Env) (string, error) {
	var found []string
	if home := env.Getenv("HOME"); home != "" {
		// Glob's only error is a bad pattern, which a folder's name could make: then nothing is found there.
		paths, _ := filepath.Glob(filepath.Join(home, ".ssh", "id_*.pub"))
		for _, path := range paths {
			if !strings.HasSuffix(path, "-cert.pub") {
				found = append(found, path)
			}
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", invalid("there is no SSH key in ~/.ssh", "make one: ssh-keygen -t ed25519, or name one with --ssh-key FILE")
	}
	return "", invalid("there are several SSH keys in ~/.ssh", "name one with --ssh-key: "+strings.Join(found, ", "))
}

// withSSHSigner has use sign with the private part of key: the SSH agent's where it holds the key, else that of the file
// beside the public one.
func withSSHSigner(ctx context.Context, env Env, key ssh.PublicKey, path string, use func(ssh.Signer) error) error {
	conn := dialAgent(ctx, env.Getenv("SSH_AUTH_SOCK"), agentSigning)
	if conn != nil {
		defer conn.Close()
		// An agent that does not answer has no keys.
		signers, _ := agent.NewClient(conn).Signers()
		for _, s := range signers[:min(len(signers), maxOwnKeys)] {
			if bytes.Equal(s.PublicKey().Marshal(), key.Marshal()) {
				return use(s)
			}
		}
	}
	s, err := fileSigner(env, strings.TrimSuffix(path, ".pub"))
	if err != nil {
		return err
	}
	if !bytes.Equal(s.PublicKey().Marshal(), key.Marshal()) {
		return &api.Error{Code: api.CodeFailed, Message: path + " is not the public part of the key beside it", Hint: "make it again: ssh-keygen -y"}
	}
	return use(s)
}

// fileSigner opens a private SSH key, and asks for its passphrase where it has one.
func fileSigner(env Env, path string) (ssh.Signer, error) {
	text, err := readSmall(path, maxPublicKey)
	if err != nil {
		return nil, &api.Error{Code: api.CodeNotFound, Message: "the private part of the SSH key cannot be read: " + err.Error(),
			Hint: "add the key to your SSH agent (ssh-add), or keep it beside its .pub file"}
	}
	defer clear(text)
	s, err := ssh.ParsePrivateKey(text)
	var sealed *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return s, nil
	case !errors.As(err, &sealed):
		return nil, &api.Error{Code: api.CodeFailed, Message: path + " is not a private SSH key that this program reads",
			Hint: "add it to your SSH agent (ssh-add), and try again"}
	case env.Password == nil:
		return nil, &api.Error{Code: api.CodeFailed, Message: path + " is under a passphrase, and there is no terminal to ask for it at",
			Hint: "add it to your SSH agent (ssh-add)"}
	}
	passphrase, err := env.Password("Passphrase of " + path + ": ")
	if err != nil {
		return nil, err
	}
	s, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(passphrase))
	if err != nil {
		return nil, &api.Error{Code: api.CodeFailed, Message: path + " does not open with this passphrase"}
	}
	return s, nil
}

// dialAgent connects to the person's SSH agent; nil where there is none. All with it is over after patience.
func dialAgent(ctx context.Context, socket string, patience time.Duration) net.Conn {
	if socket == "" {
		return nil
	}
	dialing, cancel := context.WithTimeout(ctx, agentPatience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(dialing, "unix", socket)
	if err != nil {
		return nil
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		conn.Close()
		return nil
	}
	return conn
}
