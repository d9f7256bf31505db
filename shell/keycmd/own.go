package keycmd

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"strings"
	"time"

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
			if key, err := readPublic(path); err == nil {
				own[fingerprint(key)] = true
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
			word = "SHA256:" + rest
		}
		f, err := namedKey(word)
		if err != nil {
			return fmt.Errorf("DECENTER_SSH_KEY: %w", err)
		}
		own[f] = true
	}
	return nil
}

// addAgents adds the keys that the person's SSH agent holds. An agent that is not there or does not answer in
// time adds none.
func addAgents(ctx context.Context, own map[keys.Fingerprint]bool, socket string) {
	conn := dialAgent(ctx, socket, agentPatience)
	if conn == nil {
		return
	}
	defer conn.Close()
	list, err := agent.NewClient(conn).List()
	if err != nil {
		return
	}
	for _, key := range list[:min(len(list), maxOwnKeys)] {
		own[sha256.Sum256(key.Marshal())] = true
	}
}
