package sshd

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// noTouch is the extension by which a certificate would let a security key sign without a person's touch (OpenSSH
// PROTOCOL.certkeys). x/crypto obeys it, and a self-signed certificate could grant it to itself.
const noTouch = "no-touch-required"

// readCertificate judges an OpenSSH user certificate (PROTOCOL.certkeys) that carries a delegation, and gives the proof
// that it is. Whoever holds the certificate's key has yet to show so, by the login's signature. The certificate's own
// signature says no more than that its key's holder made it; the delegation's, of the account, is what counts.
//
// at is this satellite, for which the voucher in the certificate speaks.
func readCertificate(cert *ssh.Certificate, account keys.Address, at keys.Fingerprint, now time.Time, f flaws) (api.Proof, error) {
	refuse := func(format string, args ...any) (api.Proof, error) {
		return api.Proof{}, &api.Error{Code: api.CodeDenied, Message: "your certificate is refused: " + fmt.Sprintf(format, args...), Hint: "make one with: decenter key delegate"}
	}
	self := bytes.Equal(cert.SignatureKey.Marshal(), cert.Key.Marshal())
	_, untouched := cert.Extensions[noTouch]
	switch {
	case cert.CertType != ssh.UserCert && f.wants(checkCertType):
		return refuse("it is not one of a user")
	case !self && f.wants(checkCertSelf):
		return refuse("it is signed by another key than its own, %s", ssh.FingerprintSHA256(cert.SignatureKey))
	case len(cert.CriticalOptions) > 0 && f.wants(checkCertOptions):
		return refuse("it has critical options, which are not known here")
	case untouched && f.wants(checkCertTouch):
		return refuse("it waives the touch of a security key")
	case !slices.Equal(cert.ValidPrincipals, []string{account.String()}) && f.wants(checkCertPrincipal):
		return refuse("it must be for the principal %s and no other", account)
	}
	if why := certificateLife(cert, now); why != "" && f.wants(checkCertTime) {
		return refuse("%s", why)
	}
	if !certificateVerifies(cert) && f.wants(checkCertForm) {
		return refuse("its signature is wrong")
	}
	return readDelegation(cert, account, at, now, f, refuse)
}

// readDelegation judges what the certificate carries.
func readDelegation(cert *ssh.Certificate, account keys.Address, at keys.Fingerprint, now time.Time, f flaws, refuse func(string, ...any) (api.Proof, error)) (api.Proof, error) {
	text, found := cert.Extensions[statement.CertificateExtension]
	if !found {
		return refuse("it carries no delegation by an account")
	}
	signed, err := statement.ParseText(text)
	if err != nil {
		return refuse("%v", err)
	}
	parsed, err := statement.Parse(account.Network(), signed.Line)
	if err != nil {
		return refuse("%v", err)
	}
	d, ok := parsed.(statement.Delegation)
	key := keys.Fingerprint(sha256.Sum256(cert.Key.Marshal()))
	switch {
	case !ok:
		return refuse("the statement in it is no delegation")
	case d.Account != account && f.wants(checkDelegationAccount):
		return refuse("its delegation is by %s, not by %s", d.Account, account)
	case d.Key != key && f.wants(checkDelegationKey):
		return refuse("its delegation is to the key %s, not to its own, %s", d.Key, key)
	case now.Add(maxSkew).Before(d.From) && f.wants(checkDelegationTime):
		return refuse("its delegation begins at %s", d.From.Format(time.RFC3339))
	case !now.Before(d.Until) && f.wants(checkDelegationTime):
		return refuse("its delegation ended at %s", d.Until.Format(time.RFC3339))
	}
	if err := keys.Verify(d.Account, signed.Line, signed.Signature); err != nil && f.wants(checkDelegationSigned) {
		return refuse("its delegation: %v", err)
	}
	voucher, err := statement.ParseVoucherKey(cert.Extensions[statement.VoucherExtension])
	if (err != nil || voucher.Voucher() != d.Via) && f.wants(checkVoucher) {
		return refuse("it does not hold the voucher key that its delegation names")
	}
	return api.Proof{Line: signed.Line, Signature: signed.Signature, Key: key.String(), Vouched: voucher.Vouch(signed.Line, at).String()}, nil
}

// certificateLife tells why a certificate does not hold now; empty: it does.
func certificateLife(cert *ssh.Certificate, now time.Time) string {
	at := uint64(max(0, now.Unix()))
	switch {
	case uint64(max(0, now.Add(maxSkew).Unix())) < cert.ValidAfter:
		return "it is not valid yet"
	case at >= cert.ValidBefore:
		return "it expired"
	}
	return ""
}

// certificateVerifies tells whether the certificate is as its signer made it. What is signed is all that goes before the
// signature, which is a string (four bytes of length) at the end.
func certificateVerifies(cert *ssh.Certificate) bool {
	unsigned := *cert
	unsigned.Signature = nil
	b := unsigned.Marshal()
	return cert.Signature != nil && cert.SignatureKey.Verify(b[:len(b)-4], cert.Signature) == nil
}
