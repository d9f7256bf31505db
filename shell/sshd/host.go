package sshd

import (
	"io"
	"log/slog"
	"sync"

	"golang.org/x/crypto/ssh"

	"decenter/keys/statement"
)

// hostCertificate makes the satellite's SSH host certificate (OpenSSH PROTOCOL.certkeys), by which a client that knows
// no more than the owner's address can tell the satellite:
//
//	type         ssh-ed25519-cert-v01@openssh.com, host
//	key, signer  the host key, both
//	principals   none, which is any: it is the key that is admitted, and not a name. OpenSSH from 10.3 on takes none for
//	             none, and then goes by the plain key; before, it knows no pattern for any
//	validity     for ever: the admission ends with an ejection
//	extension    statement.HostExtension: the owner's signed admission of the key
//
// It is offered beside the plain key. OpenSSH that knows the plain key alone falls back to it by itself.
type hostCertificate struct {
	key       ssh.Signer
	dice      io.Reader
	log       *slog.Logger
	admission func() (statement.Signed, bool) // nil: there is none

	mu    sync.Mutex
	of    statement.Signed // what made is of
	made  ssh.Signer       // nil: nothing yet, or it failed
	tried bool
}

// signer gives the host key with its certificate, or nil where there is no admission.
func (h *hostCertificate) signer() ssh.Signer {
	if h.admission == nil {
		return nil
	}
	signed, found := h.admission()
	if !found {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.tried || h.of != signed {
		made, err := certifyHost(h.key, signed, h.dice)
		if err != nil {
			h.log.Error("no host certificate", "error", err)
		}
		h.of, h.made, h.tried = signed, made, true
	}
	return h.made
}

// certifyHost makes the certificate.
func certifyHost(key ssh.Signer, admission statement.Signed, dice io.Reader) (ssh.Signer, error) {
	cert := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.HostCert, KeyId: "decenter satellite",
		ValidBefore: ssh.CertTimeInfinity,
		Permissions: ssh.Permissions{Extensions: map[string]string{statement.HostExtension: admission.Text()}},
	}
	if err := cert.SignCert(dice, key); err != nil {
		return nil, err
	}
	return ssh.NewCertSigner(cert, key)
}
