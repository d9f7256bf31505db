package statement

import (
	"strings"

	"decenter/keys"
)

// Signed is a line and the signature of the account that it names.
type Signed struct {
	Line      string `json:"line"`
	Signature string `json:"signature"`
}

// Verify gives the statement, which its account really made. Whether the account has the authority for it, and whether
// it is in force, is the caller's to judge.
func (s Signed) Verify(network keys.Network) (Statement, error) {
	statement, err := Parse(network, s.Line)
	if err != nil {
		return nil, err
	}
	if err := keys.Verify(statement.Signer(), s.Line, s.Signature); err != nil {
		return nil, err
	}
	return statement, nil
}

// Mentions tells whether any part of text could pass for a statement, of whatever version. A signer of free text refuses
// such.
func Mentions(text string) bool {
	low := strings.ToLower(text)
	for _, verb := range []string{"delegate", "revoke", "admit", "eject", "grant"} {
		if strings.Contains(low, "decenter "+verb) {
			return true
		}
	}
	return false
}

// CertificateExtension is the extension of an SSH certificate (OpenSSH PROTOCOL.certkeys) whose data is a signed delegation
// as Text gives it. The certificate is signed by its own key: the account's signature inside is what counts, and the
// certificate is only how stock ssh carries it.
const CertificateExtension = "delegation@decenter"

// Text is the line, a line end, and the signature.
func (s Signed) Text() string { return s.Line + "\n" + s.Signature }

// ParseText reads what Text gives; it judges the form alone.
func ParseText(text string) (Signed, error) {
	line, signature, found := strings.Cut(text, "\n")
	if !found || len(line) > MaxLine || len(signature) > keys.MaxSignature || signature == "" || strings.ContainsAny(signature, "\r\n ") {
		return Signed{}, wrong("this is not a signed statement", "its form is a line, a line end and a signature")
	}
	return Signed{line, signature}, nil
}
