package identity

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"time"

	"decenter/keys"
)

// ErrNotAdmitted is a peer whose key is not one of the constellation's.
var ErrNotAdmitted = errors.New("the satellite's key is not admitted")

// TLS gives the configuration of both ends of a connection between satellites: TLS 1.3 (RFC 8446) with both
// keys pinned. Names and dates in certificates mean nothing here; the key is all.
func (i *Identity) TLS(admitted func(fingerprint string) bool) (*tls.Config, error) {
	return i.config(func(state tls.ConnectionState) error {
		id, err := PeerID(state)
		if err != nil {
			return err
		}
		if !admitted(id) {
			return fmt.Errorf("%s: %w", id, ErrNotAdmitted)
		}
		return nil
	})
}

// ListenTLS gives the configuration of a connection on which the other end proves that it holds an ed25519 key,
// whichever: strangers may connect, to be introduced. Who it is, PeerKey tells; what it may do is the handler's to
// decide, at each request. TLS 1.3 with a certificate from both ends, as TLS has it.
func (i *Identity) ListenTLS() (*tls.Config, error) {
	return i.config(func(state tls.ConnectionState) error {
		_, _, err := PeerKey(state)
		return err
	})
}

func (i *Identity) config(verify func(tls.ConnectionState) error) (*tls.Config, error) {
	cert, err := i.certificate()
	if err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		Certificates:       []tls.Certificate{cert},
		ClientAuth:         tls.RequireAnyClientCert,
		InsecureSkipVerify: true, // replaced by VerifyConnection: the key itself is what is looked at
		VerifyConnection:   verify,
		// A resumed session would skip nothing here (VerifyConnection runs either way), but tickets outlive an ejection.
		SessionTicketsDisabled: true,
	}, nil
}

// PeerID gives the fingerprint of the key that the other end of a connection proved to hold.
func PeerID(state tls.ConnectionState) (string, error) {
	_, fingerprint, err := PeerKey(state)
	if err != nil {
		return "", err
	}
	return fingerprint.String(), nil
}

// PeerKey gives the key that the other end of a connection proved to hold, and its fingerprint.
func PeerKey(state tls.ConnectionState) (ed25519.PublicKey, keys.Fingerprint, error) {
	if len(state.PeerCertificates) != 1 {
		return nil, keys.Fingerprint{}, fmt.Errorf("the peer sent %d certificates: one is right", len(state.PeerCertificates))
	}
	key, ok := state.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok {
		return nil, keys.Fingerprint{}, fmt.Errorf("the peer's key is a %T: a satellite's is ed25519", state.PeerCertificates[0].PublicKey)
	}
	fingerprint, err := keys.FingerprintOf(key)
	return key, fingerprint, err
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
