package keycmd

import (
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

	"decenter/keys"
)

// The bounds on looking for the person's SSH keys.
const (
	maxOwnKeys    = 64
	maxPublicKey  = 64 << 10
	agentPatience = time.Second
)

// ownKeys gives the fingerprints of the SSH keys that are the person's own. Empty means that none is known.
func ownKeys(ctx context.Context, env Env) (map[keys.Fingerprint]bool, error) {
	own := map[keys.Fingerprint]bool{}
	if named := env.Getenv("DECENTER_SSH_KEY"); named != "" {
		return own, addNamed(own, named)
	}
	if home := env.Getenv("HOME"); home != "" {
		// Glob's only error is a bad pattern, which a folder's name could make: then nothing is found there.
		paths, _ := filepath.Glob(filepath.Join(home, ".ssh", "id_*.pub"))
		for _, path := range paths[:min(len(paths), maxOwnKeys)] {
			// A file that is no key tells nothing.
			if f, err := readPublic(path); err == nil {
				own[f] = true
			}
		}
	}
	addAgents(ctx, own, env.Getenv("SSH_AUTH_SOCK"))
	return own, nil
}

// addNamed adds the keys that DECENTER_SSH_KEY names. One that cannot be read is an error: the person meant it.
func addNamed(own map[keys.Fingerprint]bool, named string) error {
	// A fingerprint has a colon itself.
	named = strings.ReplaceAll(named, "SHA256:", "SHA256=")
	for _, word := range strings.FieldsFunc(named, func(r rune) bool { return r == ':' || r == ' ' }) {
		if rest, found := strings.CutPrefix(word, "SHA256="); found {
			f, err := keys.ParseFingerprint("SHA256:" + rest)
			if err != nil {
				return typed(err)
			}
			own[f] = true
			continue
		}
		f, err := readPublic(word)
		if err != nil && !strings.HasSuffix(word, ".pub") {
			f, err = readPublic(word + ".pub")
		}
		if err != nil {
			return invalid(fmt.Sprintf("DECENTER_SSH_KEY names %s, which is not a public SSH key: %v", word, err), "name the file that ends in .pub")
		}
		own[f] = true
	}
	return nil
}

// readPublic reads a public key file, as of ssh-keygen.
func readPublic(path string) (keys.Fingerprint, error) {
	info, err := os.Stat(path)
	if err != nil {
		return keys.Fingerprint{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxPublicKey {
		return keys.Fingerprint{}, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a key file")}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return keys.Fingerprint{}, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return keys.Fingerprint{}, err
	}
	return sha256.Sum256(key.Marshal()), nil
}

// addAgents adds the keys that the person's SSH agent holds. An agent that is not there or does not answer in
// time adds none.
func addAgents(ctx context.Context, own map[keys.Fingerprint]bool, socket string) {
	if socket == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, agentPatience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return
	}
	defer conn.Close()
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return
		}
	}
	list, err := agent.NewClient(conn).List()
	if err != nil {
		return
	}
	for _, key := range list[:min(len(list), maxOwnKeys)] {
		own[sha256.Sum256(key.Marshal())] = true
	}
}
