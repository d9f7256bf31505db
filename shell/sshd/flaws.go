package sshd

import (
	"golang.org/x/crypto/ssh"

	"decenter/keys"
)

// flaws make a server weaker, in one place each, so that a test can show that it is this place which stops an attack.
// Only tests of this package can set them.
type flaws struct {
	// without are checks that are left out.
	without check
	// signed gives the challenge that an answer is taken to sign, from the one that was shown; nil: that very one.
	signed func(shown keys.Challenge) keys.Challenge
	// config changes what x/crypto is told; may be nil.
	config func(*login, *ssh.ServerConfig)
}

// check is one reason of the login's own to refuse.
type check uint32

// The checks.
const (
	checkChallengeLife     check = 1 << iota // the challenge still lives
	checkAnswerSize                          // the answer is no longer than a signature
	checkTries                               // a connection has few tries
	checkVoucher                             // the certificate holds the voucher key of its delegation
	checkPasted                              // a signature alone is allowed
	checkCertType                            // it is a user's certificate
	checkCertSelf                            // its key signed it
	checkCertForm                            // that signature is right
	checkCertTime                            // it holds now
	checkCertOptions                         // it has no critical options
	checkCertTouch                           // it does not waive the touch of a security key
	checkCertPrincipal                       // it is for the account alone
	checkDelegationSigned                    // the delegation's signature is the account's
	checkDelegationAccount                   // the delegation is of the account
	checkDelegationKey                       // the delegation is to the certificate's key
	checkDelegationTime                      // the delegation holds now
	checkEviction                            // handshakes make room for newcomers
)

// wants tells whether a check is to be made.
func (f flaws) wants(c check) bool { return f.without&c == 0 }
