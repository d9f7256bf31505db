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
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/crypto/ssh"
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
	return fromKey(*key)
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
	if err := os.WriteFile(filepath.Join(dir, "satellite.pub"), ssh.MarshalAuthorizedKey(id.signer.PublicKey()), 0o644); err != nil {
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
	return id, nil
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

// Fingerprint is the satellite's id.
func (i *Identity) Fingerprint() string { return ssh.FingerprintSHA256(i.signer.PublicKey()) }

// MAC is the satellite's address on the fabric: 46 bits of the key's SHA-256 under the prefix bits of a locally
// administered unicast address (IEEE 802 clause 8.4), with low nibble 0110 in the first octet, so that it never has the form of
// an interstellar MAC (0010).
func (i *Identity) MAC() net.HardwareAddr {
	sum := sha256.Sum256(i.signer.PublicKey().Marshal())
	mac := net.HardwareAddr(sum[:6])
	mac[0] = mac[0]&0xf0 | 0x06
	return mac
}

// LinkLocal is the IPv6 link-local address (RFC 4291 appendix A, modified EUI-64) that belongs to a MAC.
func LinkLocal(mac net.HardwareAddr) net.IP {
	return net.IP{0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]}
}

// ErrNotAdmitted is a peer whose key is not one of the constellation's.
var ErrNotAdmitted = errors.New("the satellite's key is not admitted")

// TLS gives the configuration of both ends of a connection between satellites: TLS 1.3 (RFC 8446) with both
// keys pinned. Names and dates in certificates mean nothing here; the key is all.
func (i *Identity) TLS(admitted func(fingerprint string) bool) (*tls.Config, error) {
	cert, err := i.certificate()
	if err != nil {
		return nil, err
	}
	verify := func(state tls.ConnectionState) error {
		id, err := PeerID(state)
		if err != nil {
			return err
		}
		if !admitted(id) {
			return fmt.Errorf("%s: %w", id, ErrNotAdmitted)
		}
		return nil
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		Certificates:       []tls.Certificate{cert},
		ClientAuth:         tls.RequireAnyClientCert,
		InsecureSkipVerify: true, // replaced by VerifyConnection: the key itself is pinned
		VerifyConnection:   verify,
		// A resumed session would skip nothing here (VerifyConnection runs either way), but tickets outlive an ejection.
		SessionTicketsDisabled: true,
	}, nil
}

// PeerID gives the fingerprint of the key that the other end of a connection proved to hold.
func PeerID(state tls.ConnectionState) (string, error) {
	if len(state.PeerCertificates) != 1 {
		return "", fmt.Errorf("the peer sent %d certificates: one is right", len(state.PeerCertificates))
	}
	key, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return "", fmt.Errorf("the peer's key is a %T: a satellite's is ed25519", state.PeerCertificates[0].PublicKey)
	}
	pub, err := ssh.NewPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("the peer's key: %w", err)
	}
	return ssh.FingerprintSHA256(pub), nil
}

func (i *Identity) certificate() (tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: i.Fingerprint()},
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // RFC 5280 4.1.2.5: no expiry
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, i.key.Public(), crypto.Signer(i.key))
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("make the satellite's certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: i.key}, nil
}
