// Package identity is a satellite's own key: one ed25519 key (RFC 8032) that names the satellite everywhere.
// Its OpenSSH fingerprint ("SHA256:…", RFC 4716's successor form) is the satellite's id; the same key is the
// SSH host key, the key of its TLS 1.3 certificate towards other satellites, and what its MAC on the fabric comes from.
//
// On disk, in the engine's data folder:
//
//	satellite.key   OpenSSH private key, mode 0600; who can read it is this satellite
//	satellite.pub   OpenSSH public key, for `ssh-keygen -lf` and for known_hosts
package identity

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/crypto/ssh"

	"decenter/keys"
)

// Identity is a satellite's key. It does not change while the program runs.
type Identity struct {
	key    ed25519.PrivateKey
	signer ssh.Signer
}

// LoadOrCreate reads the key from the folder, or makes one there when there is none. A key file that others
// may read is refused: it may have leaked.
func LoadOrCreate(dir string) (*Identity, error) {
	path := filepath.Join(dir, "satellite.key")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(dir, path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the satellite's key: %w", err)
	}
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the satellite's key: %w", err)
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %04o): make a new key, or chmod 0600 if you are sure", path, st.Mode().Perm())
	}
	raw, err := ssh.ParseRawPrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	key, ok := raw.(*ed25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s holds a %T: a satellite's key is ed25519", path, raw)
	}
	id, err := fromKey(*key)
	if err != nil {
		return nil, err
	}
	// The key is what counts; a folder that is full or read-only keeps no satellite from starting.
	_ = id.publish(dir)
	return id, nil
}

func create(dir, path string) (*Identity, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the satellite's key: %w", err)
	}
	id, err := fromKey(key)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(key, "decenter satellite")
	if err != nil {
		return nil, fmt.Errorf("make the satellite's key: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// The private key is linked into place last and only if nobody else did: two engines started at once on
	// one folder end with one key.
	tmp, err := os.CreateTemp(dir, "satellite.key.*")
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(pem.EncodeToMemory(block)); err != nil {
		tmp.Close()
		return nil, err
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return LoadOrCreate(dir)
		}
		return nil, err
	}
	_ = id.publish(dir) // is tried again at the next start
	return id, nil
}

// publish writes satellite.pub where it is missing or tells of another key. It is written from the key that is in
// place, never before it, so that whoever loses the race of two first starts leaves no key of its own behind.
func (i *Identity) publish(dir string) error {
	path, want := filepath.Join(dir, "satellite.pub"), ssh.MarshalAuthorizedKey(i.signer.PublicKey())
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, want) {
		return nil
	}
	tmp, err := os.CreateTemp(dir, "satellite.pub.*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(want)
	if err := errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

func fromKey(key ed25519.PrivateKey) (*Identity, error) {
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, fmt.Errorf("use the satellite's key: %w", err)
	}
	return &Identity{key: key, signer: signer}, nil
}

// Signer is the key as an SSH host key.
func (i *Identity) Signer() ssh.Signer { return i.signer }

// Key is the key as a crypto.Signer, for what a satellite signs apart from SSH and TLS.
func (i *Identity) Key() crypto.Signer { return i.key }

// Public is the key's public half, 32 bytes.
func (i *Identity) Public() ed25519.PublicKey { return i.key.Public().(ed25519.PublicKey) }

// Fingerprint is the satellite's id.
func (i *Identity) Fingerprint() string { return ssh.FingerprintSHA256(i.signer.PublicKey()) }

// MAC is the satellite's address on the fabric: MACOf its key.
func (i *Identity) MAC() net.HardwareAddr {
	return MACOf(keys.Fingerprint(sha256.Sum256(i.signer.PublicKey().Marshal())))
}

// MACOf is the address on the fabric of the satellite with a key: the first 48 bits of the key's SHA-256, which is its
// fingerprint, with low nibble 0110 in the first octet: locally administered and unicast (IEEE 802 clause 8.4), and
// never of the form of an interstellar MAC (0010). 44 bits of the key are left:
// enough to find an admitted satellite by, and no proof of anything.
func MACOf(fingerprint keys.Fingerprint) net.HardwareAddr {
	mac := net.HardwareAddr(bytes.Clone(fingerprint[:6]))
	mac[0] = mac[0]&0xf0 | 0x06
	return mac
}

// LinkLocal is the IPv6 link-local address (RFC 4291 appendix A, modified EUI-64) that belongs to a MAC.
func LinkLocal(mac net.HardwareAddr) net.IP {
	return net.IP{0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}
}
