// Package hostcert judges the SSH host certificate that a satellite offers (OpenSSH PROTOCOL.certkeys): whether an owner
// of the constellation has admitted the very key that the server is about to prove it holds. It is pure: no files, no
// clock but the time passed in, no network.
//
//	string  "ssh-ed25519-cert-v01@openssh.com"
//	string  nonce
//	string  public key                          the satellite's own
//	uint64  serial
//	uint32  2                                   a host's
//	string  key id
//	string  valid principals
//	uint64  valid after, uint64 valid before
//	string  critical options                    none
//	string  extensions                          "admission@decenter": line, LF, signature (statement.Signed.Text)
//	string  reserved
//	string  signature key                       the satellite's own again
//	string  signature                           by it
//
// The certificate proves nothing by itself: anyone can make one. What counts is the admission in it, which an owner's
// account signed and which names the satellite's key, and that ssh makes the server prove that it holds that key. So
// whoever copies a certificate gains nothing.
//
// # What it does not tell
//
// That a satellite was ejected later: an admission that was true once stays readable. And which satellite of the
// constellation one talks to: any that was admitted passes under any host's name. What it lets its visitors do there
// hangs on their own signatures, which name the satellite.
package hostcert

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/keys"
	"decenter/keys/statement"
)

// maxCertificate bounds a certificate's wire form, in bytes; one of ours has about 800.
const maxCertificate = 16 << 10

// ErrRefused is a certificate that shows no admission that counts.
var ErrRefused = errors.New("host certificate refused")

// Trust is whose word counts.
type Trust struct {
	Network keys.Network
	// Owners are the accounts whose admissions count.
	Owners []keys.Address
	// Constellation is the one that the admission must be to; empty: any.
	Constellation string
}

// Judge gives the satellite's own key and its admission, where the certificate (wire form, without base64) shows that an
// owner admitted it. now is the time for the certificate's validity.
func (t Trust) Judge(wire []byte, now time.Time) (ssh.PublicKey, statement.Membership, error) {
	c, err := parse(wire, now)
	if err != nil {
		return nil, statement.Membership{}, err
	}
	m, err := t.admission(c)
	if err != nil {
		return nil, statement.Membership{}, err
	}
	return c.Key, m, nil
}

// parse reads a host certificate that its own key signed.
func parse(wire []byte, now time.Time) (*ssh.Certificate, error) {
	if len(wire) > maxCertificate {
		return nil, refuse("it has %d bytes, more than %d", len(wire), maxCertificate)
	}
	key, err := ssh.ParsePublicKey(wire)
	if err != nil {
		return nil, refuse("it is not well-formed")
	}
	c, is := key.(*ssh.Certificate)
	switch {
	case !is:
		return nil, refuse("it is a bare key, without the owner's word")
	case c.CertType != ssh.HostCert:
		return nil, refuse("it is not one of a host")
	case c.Key.Type() != ssh.KeyAlgoED25519:
		return nil, refuse("its key is of type %s, and a satellite's is %s", c.Key.Type(), ssh.KeyAlgoED25519)
	case !bytes.Equal(c.Key.Marshal(), c.SignatureKey.Marshal()):
		return nil, refuse("it is not signed by its own key")
	case len(c.CriticalOptions) > 0:
		return nil, refuse("it has critical options, which none of ours has")
	}
	principal := ""
	if len(c.ValidPrincipals) > 0 {
		principal = c.ValidPrincipals[0] // that the host's name is among them is for ssh to check
	}
	checker := ssh.CertChecker{Clock: func() time.Time { return now }}
	if err := checker.CheckCert(principal, c); err != nil {
		return nil, refuse("%s", strings.TrimPrefix(err.Error(), "ssh: "))
	}
	return c, nil
}

// admission finds in c an owner's admission of its key.
func (t Trust) admission(c *ssh.Certificate) (statement.Membership, error) {
	text, found := c.Extensions[statement.HostExtension]
	if !found {
		return statement.Membership{}, refuse("it carries no admission by an owner")
	}
	signed, err := statement.ParseText(text)
	if err != nil {
		return statement.Membership{}, refuse("%v", err)
	}
	s, err := signed.Verify(t.Network)
	if err != nil {
		return statement.Membership{}, refuse("%v", err)
	}
	m, is := s.(statement.Membership)
	switch {
	case !is || !m.Admit:
		return statement.Membership{}, refuse("what it carries is not an admission")
	case m.Satellite != sha256.Sum256(c.Key.Marshal()):
		return statement.Membership{}, refuse("its admission is that of another satellite, %s", m.Satellite)
	case !slices.Contains(t.Owners, m.Account):
		return statement.Membership{}, refuse("its admission is signed by %s, which is not among the owners: add --owner %s if that is yours", m.Account, m.Account)
	case t.Constellation != "" && m.Constellation != t.Constellation:
		return statement.Membership{}, refuse("its admission is to constellation %s, not %s", m.Constellation, t.Constellation)
	}
	return m, nil
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}
