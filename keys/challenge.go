package keys

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"
)

// MaxChallenge bounds a challenge's line, in bytes: what hardware wallets show and sign as one text.
const MaxChallenge = 240

// MaxBlanks bounds a run of blanks in it; some wallets refuse to show more, lest text hide behind them.
const MaxBlanks = 2

// loginPurpose begins every login challenge, and nothing else that we ask anyone to sign.
const loginPurpose = "decenter login 1"

// challengeTime is RFC 3339 in UTC with whole seconds.
const challengeTime = "2006-01-02T15:04:05Z"

// Challenge is what a satellite asks an account's holder to sign at login. Its line says, so that a person can
// read it on the screen of a wallet:
//
//	decenter login 1 at SHA256:<43> as bc1q… with SHA256:<43> <22> 2026-01-02T15:04:05Z
//	^purpose, version   ^satellite     ^account   ^SSH key    ^nonce ^expiry
//
// or, where the client proved no SSH key, "no-key" in its place. The longest has 238 characters: a p2tr account of
// regtest.
//
// The satellite keeps another from using the signature elsewhere. The SSH key is the one that the client has
// just proved to hold: whoever relays the challenge to its victim holds another one, so the victim's signer can
// tell. Where no key was proved, the line says no-key, and nothing stops a relay: such a login must be worth little.
// The nonce, minted by the satellite, makes each line unique.
type Challenge struct {
	Satellite Fingerprint // of the satellite's SSH host key
	Account   Address
	Key       Fingerprint // of the client's SSH key; zero: it proved to hold none
	Nonce     Nonce
	Expires   time.Time // UTC, whole seconds, years 0 to 9999
}

// Nonce is a number used once.
type Nonce [16]byte

// NewNonce draws a nonce from dice, which must be crypto/rand's reader in production.
func NewNonce(dice io.Reader) (Nonce, error) {
	var n Nonce
	if _, err := io.ReadFull(dice, n[:]); err != nil {
		return Nonce{}, fmt.Errorf("draw a nonce: %w", err)
	}
	return n, nil
}

// String gives 22 characters of base64url.
func (n Nonce) String() string { return base64.RawURLEncoding.EncodeToString(n[:]) }

// Fingerprint is the SHA-256 of a public key in SSH's wire form, as `ssh-keygen -l` prints it.
type Fingerprint [32]byte

// FingerprintOf is that of an ed25519 key: a satellite's id. The key in SSH's wire form (RFC 8709 section 4) is its name
// and its bytes, each after its length in 4 bytes, big-endian. A key of another length is refused.
func FingerprintOf(key ed25519.PublicKey) (Fingerprint, error) {
	if len(key) != ed25519.PublicKeySize {
		return Fingerprint{}, &Error{ErrKey, fmt.Sprintf("an ed25519 key has %d bytes, not %d", ed25519.PublicKeySize, len(key)), ""}
	}
	wire := []byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20")
	return sha256.Sum256(append(wire, key...)), nil
}

const fingerprintPrefix = "SHA256:"

// String gives "SHA256:" and 43 characters of base64.
func (f Fingerprint) String() string {
	return fingerprintPrefix + base64.RawStdEncoding.EncodeToString(f[:])
}

// ParseFingerprint reads what String gives, and nothing else.
func ParseFingerprint(text string) (Fingerprint, error) {
	var f Fingerprint
	body, found := strings.CutPrefix(text, fingerprintPrefix)
	if !found || !fill(f[:], base64.RawStdEncoding, body) {
		return Fingerprint{}, &Error{ErrChallenge, fmt.Sprintf("%q is not a fingerprint", text), "use the form SHA256:…, as of ssh-keygen -l"}
	}
	return f, nil
}

// fill decodes text into all of b, and tells whether it was the one spelling of just that.
func fill(b []byte, form *base64.Encoding, text string) bool {
	if len(text) != form.EncodedLen(len(b)) {
		return false
	}
	n, err := form.Strict().Decode(b, []byte(text))
	return err == nil && n == len(b)
}

// noKey stands for the zero Fingerprint, which no key has.
const noKey = "no-key"

// Append appends the challenge's line, without a line end.
func (c Challenge) Append(b []byte) []byte {
	key := noKey
	if c.Key != (Fingerprint{}) {
		key = c.Key.String()
	}
	return fmt.Appendf(b, "%s at %s as %s with %s %s %s", loginPurpose, c.Satellite, c.Account, key, c.Nonce,
		c.Expires.UTC().Format(challengeTime))
}

// String gives the challenge's line.
func (c Challenge) String() string { return string(c.Append(nil)) }

// ParseChallenge reads one line, without a line end, in the one spelling that Append gives.
func ParseChallenge(network Network, line string) (Challenge, error) {
	if len(line) > MaxChallenge {
		return Challenge{}, notChallenge("it has %d characters, more than %d", len(line), MaxChallenge)
	}
	rest, found := strings.CutPrefix(line, loginPurpose+" ")
	if !found {
		return Challenge{}, notChallenge("it does not begin with %q", loginPurpose)
	}
	words := strings.Split(rest, " ")
	if len(words) != 8 || words[0] != "at" || words[2] != "as" || words[4] != "with" {
		return Challenge{}, notChallenge("it is not of the form %q", "at SATELLITE as ACCOUNT with KEY NONCE EXPIRY")
	}
	var c Challenge
	var err error
	if c.Satellite, err = ParseFingerprint(words[1]); err != nil {
		return Challenge{}, err
	}
	if c.Account, err = ParseAddress(network, words[3]); err != nil {
		return Challenge{}, notChallenge("%v", err)
	}
	if words[5] != noKey {
		if c.Key, err = ParseFingerprint(words[5]); err != nil {
			return Challenge{}, err
		}
		if c.Key == (Fingerprint{}) {
			return Challenge{}, notChallenge("the SSH key's fingerprint is all zero, which is written %s", noKey)
		}
	}
	if !fill(c.Nonce[:], base64.RawURLEncoding, words[6]) {
		return Challenge{}, notChallenge("%q is not a nonce", words[6])
	}
	if c.Expires, err = time.Parse(challengeTime, words[7]); err != nil || c.Expires.Format(challengeTime) != words[7] {
		return Challenge{}, notChallenge("%q is not a time", words[7])
	}
	return c, nil
}

// MentionsChallenge tells whether any part of text could pass for a login challenge, of whatever version. A
// signer of free text refuses such, and a signer of challenges looks for one in it.
func MentionsChallenge(text string) bool {
	return strings.Contains(strings.ToLower(text), "decenter login")
}

// FindChallenge finds the one challenge among the lines of a prompt, such as OpenSSH hands to an askpass
// program. Two of them are refused, for the person would see only one.
func FindChallenge(network Network, prompt string) (Challenge, error) {
	var found []string
	for line := range strings.Lines(prompt) {
		line = strings.TrimRight(line, "\r\n")
		if strings.HasPrefix(line, loginPurpose+" ") {
			found = append(found, line)
		}
	}
	switch len(found) {
	case 1:
		return ParseChallenge(network, found[0])
	case 0:
		return Challenge{}, &Error{ErrChallenge, "there is no login challenge in this prompt",
			fmt.Sprintf("its line would begin with %q", loginPurpose)}
	}
	return Challenge{}, &Error{ErrChallenge, fmt.Sprintf("there are %d login challenges in one prompt", len(found)), ""}
}

func notChallenge(format string, args ...any) error {
	return &Error{ErrChallenge, "this is not a login challenge", fmt.Sprintf(format, args...)}
}
