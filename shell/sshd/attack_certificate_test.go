package sshd

import (
	"crypto/rand"
	"io"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"decenter/keys"
	"decenter/keys/statement"
)

// paper is a certificate as `decenter key delegate` makes it, before it is signed: attacks change it.
type paper struct {
	cert       *ssh.Certificate
	delegation statement.Delegation
	account    holder     // signs the delegation
	key        ssh.Signer // the certificate's
	ca         ssh.Signer // signs the certificate
	line       func(string) string
	bare       bool                   // it carries no delegation
	after      func(*ssh.Certificate) // after it was signed
	voucher    *statement.VoucherKey  // another than that of the delegation
}

// papers gives a good certificate of the holder's for its SSH key, with changes.
func papers(t testing.TB, h holder, changes ...func(*paper)) ssh.Signer {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	p := paper{
		cert: &ssh.Certificate{
			CertType: ssh.UserCert, KeyId: "decenter", ValidPrincipals: []string{h.account.String()},
			ValidAfter: uint64(now.Unix()), ValidBefore: uint64(now.Add(time.Hour).Unix()),
			Permissions: ssh.Permissions{Extensions: map[string]string{"permit-pty": ""}},
		},
		delegation: statement.Delegation{Account: h.account, Scope: statement.All, From: now, Until: now.Add(time.Hour)},
		account:    h, key: h.signer,
	}
	for _, change := range changes {
		change(&p)
	}
	if p.delegation.Key == (keys.Fingerprint{}) {
		p.delegation.Key = fingerprint(p.key.PublicKey())
	}
	if p.ca == nil {
		p.ca = p.key
	}
	voucher, err := statement.NewVoucherKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.delegation.Via = voucher.Voucher()
	if p.voucher != nil {
		voucher = *p.voucher
	}
	p.cert.Extensions[statement.VoucherExtension] = voucher.Text()
	line, err := statement.New(p.delegation)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := p.account.secret.Sign(p.account.account, line)
	if err != nil {
		t.Fatal(err)
	}
	if p.line != nil {
		line = p.line(line)
	}
	p.cert.Key = p.key.PublicKey()
	if _, given := p.cert.Extensions[statement.CertificateExtension]; !given && !p.bare {
		p.cert.Extensions[statement.CertificateExtension] = statement.Signed{Line: line, Signature: signature}.Text()
	}
	if err := p.cert.SignCert(rand.Reader, p.ca); err != nil {
		t.Fatal(err)
	}
	if p.after != nil {
		p.after(p.cert)
	}
	signer, err := ssh.NewCertSigner(p.cert, p.key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// papered is an attack with a certificate that is wrong in one thing.
func papered(name string, off check, change func(*scene, *paper)) attack {
	return attack{
		name: name,
		try: func(s *scene) string {
			return s.as(s.victim.account.String(), ssh.PublicKeys(papers(s.T, s.victim, func(p *paper) { change(s, p) })))
		},
		flaw: without(off),
	}
}

func certificateAttacks() []attack {
	day := 24 * time.Hour
	shift := func(p *paper, d time.Duration) {
		p.cert.ValidAfter += uint64(int64(d.Seconds()))
		p.cert.ValidBefore += uint64(int64(d.Seconds()))
	}
	theirs := func(s *scene, p *paper) { p.key = s.attacker.signer } // the attacker's SSH key
	return []attack{
		papered("a certificate signed by another key", checkCertSelf, func(s *scene, p *paper) { p.ca = s.attacker.signer }),
		papered("a certificate altered after it was signed", checkCertForm, func(_ *scene, p *paper) {
			p.after = func(c *ssh.Certificate) { c.ValidBefore++ }
		}),
		papered("a certificate with another voucher key", checkVoucher, func(s *scene, p *paper) {
			other, err := statement.NewVoucherKey(rand.Reader)
			if err != nil {
				s.T.Fatal(err)
			}
			p.voucher = &other
		}),
		papered("a certificate of a host", checkCertType, func(_ *scene, p *paper) { p.cert.CertType = ssh.HostCert }),
		papered("an expired certificate", checkCertTime, func(_ *scene, p *paper) { shift(p, -day) }),
		papered("a certificate of tomorrow", checkCertTime, func(_ *scene, p *paper) { shift(p, day) }),
		papered("a certificate for another principal", checkCertPrincipal, func(s *scene, p *paper) { p.cert.ValidPrincipals = []string{s.attacker.account.String()} }),
		papered("a certificate for every principal", checkCertPrincipal, func(_ *scene, p *paper) { p.cert.ValidPrincipals = nil }),
		papered("a certificate for two principals", checkCertPrincipal, func(s *scene, p *paper) {
			p.cert.ValidPrincipals = append(p.cert.ValidPrincipals, s.attacker.account.String())
		}),
		papered("a certificate with a critical option", checkCertOptions, func(_ *scene, p *paper) {
			p.cert.CriticalOptions = map[string]string{"force-command": "whoami"}
		}),
		papered("a certificate that waives touch", checkCertTouch, func(_ *scene, p *paper) { p.cert.Extensions[noTouch] = "" }),
		papered("a delegation by the attacker", checkDelegationAccount, func(s *scene, p *paper) {
			theirs(s, p)
			p.account, p.delegation.Account = s.attacker, s.attacker.account
		}),
		papered("a delegation to another key", checkDelegationKey, func(s *scene, p *paper) {
			theirs(s, p)
			p.delegation.Key = fingerprint(s.victim.signer.PublicKey())
		}),
		papered("a delegation to another key, altered to name the attacker's", checkDelegationSigned, func(s *scene, p *paper) {
			theirs(s, p)
			p.delegation.Key = fingerprint(s.victim.signer.PublicKey())
			p.line = func(line string) string {
				return strings.Replace(line, p.delegation.Key.String(), fingerprint(s.attacker.signer.PublicKey()).String(), 1)
			}
		}),
		papered("a delegation signed by the attacker in the victim's name", checkDelegationSigned, func(s *scene, p *paper) {
			theirs(s, p)
			p.account = holder{secret: s.attacker.secret, account: s.attacker.account}
		}),
		papered("a delegation that is over", checkDelegationTime, func(_ *scene, p *paper) {
			p.delegation.From, p.delegation.Until = p.delegation.From.Add(-day), p.delegation.Until.Add(-day)
		}),
		papered("a delegation that is over, its line altered", checkDelegationSigned, func(_ *scene, p *paper) {
			until := p.delegation.Until.Add(-day)
			p.line = func(line string) string {
				return strings.Replace(line, until.Format(time.RFC3339), until.Add(2*day).Format(time.RFC3339), 1)
			}
			p.delegation.From, p.delegation.Until = p.delegation.From.Add(-2*day), until
		}),
		papered("a delegation of tomorrow", checkDelegationTime, func(_ *scene, p *paper) {
			p.delegation.From, p.delegation.Until = p.delegation.From.Add(day), p.delegation.Until.Add(day)
		}),
		stolenAttack(),
	}
}

// thief shows a certificate and signs with a key that is not its.
type thief struct {
	ssh.Signer
	shows ssh.PublicKey
}

func (th thief) PublicKey() ssh.PublicKey { return th.shows }
func (th thief) Sign(dice io.Reader, data []byte) (*ssh.Signature, error) {
	return th.Signer.Sign(dice, data)
}

func stolenAttack() attack {
	return attack{
		name: "the victim's certificate without its key",
		try: func(s *scene) string {
			return s.as(s.victim.account.String(), ssh.PublicKeys(thief{s.attacker.signer, papers(s.T, s.victim).PublicKey()}))
		},
		control: func(s *scene) string {
			return s.as(s.victim.account.String(), ssh.PublicKeys(thief{s.victim.signer, papers(s.T, s.victim).PublicKey()}))
		},
	}
}
