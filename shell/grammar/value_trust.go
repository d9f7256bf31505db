package grammar

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
)

// The types of what is about trust.
const (
	TypeFingerprint Type = "fingerprint" // SHA256:…
	TypeKeyOrEvery  Type = "key"         // a fingerprint, or every
	TypeSatellite   Type = "satellite"   // a name or a fingerprint
	TypeAccount     Type = "account"     // a Bitcoin address
	TypeRole        Type = "role"        // of Roles
	TypeObject      Type = "object"      // of a grant
	TypeStatement   Type = "statement"   // a line
	TypeSignature   Type = "signature"   // base64
	TypeVerdict     Type = "verdict"
	TypeVia         Type = "via"
	TypeSince       Type = "since" // 2h, or a time: a span as typed, or RFC 3339
)

// everyKey is the key that is all of them.
const everyKey = "every"

// trustMeaning is Type.Meaning for these types.
func (t Type) trustMeaning() string {
	return map[Type]string{
		TypeFingerprint: "SHA256: and 43 characters, as ssh-keygen -l and satellites --json show it",
		TypeKeyOrEvery:  "a fingerprint, SHA256: and 43 characters, or every",
		TypeSatellite:   "a satellite's name, or its fingerprint SHA256:…",
		TypeAccount:     "a Bitcoin address: 1…, 3…, bc1q… or bc1p…",
		TypeRole:        "one of " + strings.Join(t.Options(), ", "),
		TypeObject:      "all, array, array@SATELLITE, or a VM's name or id",
		TypeStatement:   "the line that was signed, between quotes: decenter admit 1 in …",
		TypeSignature:   "the signature as the wallet gave it: base64, BIP-322 or a signed message",
		TypeVerdict:     "allow or deny",
		TypeVia:         "socket, ssh or peer",
		TypeSince:       "a span such as 30m, 2h or 7d, or a time in UTC such as 2026-01-02 or 2026-01-02T15:04:05Z",
	}[t]
}

// optionHints tell what an option means, where its name does not.
var optionHints = map[string]string{
	string(api.RoleOwner): "may do everything", string(api.RoleOperator): "all but what concerns trust", string(api.RoleReader): "may look",
	string(api.RoleTenant): "may have VMs of its own", string(api.RoleNone): "takes the role back",
	string(statement.ObjectAll): "everything in the constellation", string(statement.ObjectArray): "what you have, on every satellite",
	everyKey: "every key so far", SettingPriority: "who becomes root", PriorityDefault: "what the configuration says",
}

// trustOptions is Type.Options for these types.
func (t Type) trustOptions() []string {
	switch t {
	case TypeRole:
		return []string{string(api.RoleOwner), string(api.RoleOperator), string(api.RoleReader), string(api.RoleTenant), string(api.RoleNone)}
	case TypeVerdict:
		return []string{string(api.VerdictAllow), string(api.VerdictDeny)}
	case TypeVia:
		return []string{"socket", "ssh", "peer"}
	case TypeKeyOrEvery:
		return []string{everyKey}
	case TypeObject:
		return []string{string(statement.ObjectAll), string(statement.ObjectArray)}
	}
	return nil
}

// networks are those that an address may be of; which one it must be, the constellation knows.
var networks = []keys.Network{keys.Mainnet, keys.Testnet, keys.Regtest}

var (
	grantForm = regexp.MustCompile(`^(all|array|array@[a-z0-9]([a-z0-9-]*[a-z0-9])?|vm:[0-9a-f]{32})$`)
	spanForm  = regexp.MustCompile(`^[0-9]{1,5}[smhdw]$`)
	base64    = regexp.MustCompile(`^[A-Za-z0-9+/]+={0,2}$`)
)

// trustNormal is Type.normal for these types.
func (t Type) trustNormal(s string) (string, *api.Error) {
	switch t {
	case TypeFingerprint:
		return fingerprint(s)
	case TypeKeyOrEvery:
		if strings.EqualFold(s, everyKey) {
			return everyKey, nil
		}
		f, err := fingerprint(s)
		if err != nil {
			err.Hint += "; or every"
		}
		return f, err
	case TypeSatellite:
		if strings.HasPrefix(s, "SHA256:") {
			return fingerprint(s)
		}
		if api.CheckName(s) != nil {
			return "", t.not(s)
		}
		return s, nil
	case TypeAccount:
		return account(s)
	case TypeObject:
		if low := strings.ToLower(s); grantForm.MatchString(low) || IsID(low) {
			return low, nil
		}
		if api.CheckName(s) != nil {
			return "", t.not(s)
		}
		return s, nil
	case TypeStatement:
		return line(s)
	case TypeSignature:
		return signature(s)
	case TypeSince:
		return since(s)
	}
	return t.option(strings.ToLower(s))
}

// fromKeys makes an error of package keys one of ours.
func fromKeys(err error) *api.Error {
	e := &api.Error{Code: api.CodeInvalid, Message: err.Error()}
	var k *keys.Error
	if errors.As(err, &k) {
		e.Message, e.Hint = k.Problem, k.Hint
	}
	return e
}

func fingerprint(s string) (string, *api.Error) {
	f, err := keys.ParseFingerprint(s)
	if err == nil {
		return f.String(), nil
	}
	e := TypeFingerprint.not(s)
	switch body, ok := strings.CutPrefix(s, "SHA256:"); {
	case !ok && len(s) == 43 && base64.MatchString(s):
		e.Hint = "begin it with SHA256:"
	case ok && len(body) != 43:
		e.Hint = fmt.Sprintf("43 characters follow SHA256:, here are %d", len(body))
	}
	return "", e
}

func account(s string) (string, *api.Error) {
	var first error
	for _, n := range networks {
		a, err := keys.ParseAddress(n, s)
		if err == nil {
			return a.String(), nil
		}
		if first == nil {
			first = err
		}
	}
	e := fromKeys(first)
	if e.Hint == "" {
		e.Hint = "use " + TypeAccount.Meaning()
	}
	return "", e
}

// line checks a statement's form. Who may say so, and whether it really was signed, the constellation judges.
func line(s string) (string, *api.Error) {
	s = strings.TrimSpace(s)
	var first error
	for _, n := range networks {
		_, err := statement.Parse(n, s)
		if err == nil {
			return s, nil
		}
		if first == nil {
			first = err
		}
	}
	e := fromKeys(first)
	if !strings.HasPrefix(s, "decenter ") {
		e.Hint = "put the whole line between quotes: \"decenter admit 1 in …\""
	}
	return "", e
}

// signature takes the blanks out that a wallet or a terminal broke it with.
func signature(s string) (string, *api.Error) {
	joined := strings.Join(strings.Fields(s), "")
	e := &api.Error{Code: api.CodeInvalid, Message: "this is not a signature", Hint: "use " + TypeSignature.Meaning()}
	switch {
	case strings.HasPrefix(s, "decenter "):
		e.Message, e.Hint = "this is the line, not its signature", "sign it with the account's wallet, and give what the wallet gives"
	case len(joined) > keys.MaxSignature:
		e.Hint = fmt.Sprintf("it has %d characters, a signature at most %d", len(joined), keys.MaxSignature)
	case base64.MatchString(joined):
		return joined, nil
	}
	return "", e
}

// spans are the units of TypeSince.
var spans = map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}

func since(s string) (string, *api.Error) {
	if low := strings.ToLower(s); spanForm.MatchString(low) {
		return low, nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(form, strings.ToUpper(s)); err == nil && t.Year() >= 0 && t.UTC().Year() <= 9999 {
			return t.UTC().Format(time.RFC3339), nil
		}
	}
	return "", TypeSince.not(s)
}

// before gives the time that a value of TypeSince means.
func before(value string, now time.Time) string {
	if spanForm.MatchString(value) {
		n, _ := strconv.Atoi(value[:len(value)-1]) // the form has checked it
		now = now.Add(-time.Duration(n) * spans[value[len(value)-1]])
		return now.UTC().Format(time.RFC3339)
	}
	return value
}

// Propose is what the verbs with Sign ask. A satellite's name must become its fingerprint before it is asked.
func (c Command) Propose() api.ProposeRequest {
	r := api.ProposeRequest{Kind: c.Verb.Sign, Account: c.Text(KeyAs)}
	switch {
	case c.Verb.Sign == api.StatementGrant:
		r.Role, r.Grantee, r.Object = api.Role(c.Word(0)), c.Word(1), c.Text(KeyOn)
	case c.Word(0) != everyKey:
		r.Key = c.Word(0)
	}
	return r
}

// Signed is what the verb declare brings; a part that the line does not have is empty.
func (c Command) Signed() api.Signed { return api.Signed{Line: c.Word(0), Signature: c.Word(1)} }

// CheckSigned tells what is wrong with a statement that was not part of a line, and gives it in the form of requests.
func CheckSigned(s api.Signed) (api.Signed, error) {
	l, err := line(s.Line)
	if err != nil {
		return s, err
	}
	sig, err := signature(s.Signature)
	if err != nil {
		return s, err
	}
	return api.Signed{Line: l, Signature: sig}, nil
}

// Audit is what the verb audit asks at a time.
func (c Command) Audit(now time.Time) api.AuditRequest {
	r := api.AuditRequest{Query: c.Query(), Verify: c.Yes(KeyVerify)}
	r.Query.Filters = slices.DeleteFunc(r.Query.Filters, func(f api.Filter) bool { return f.Key == KeyVerify })
	for i := range r.Query.Filters {
		if f := &r.Query.Filters[i]; f.Key == api.KeySince {
			f.Values = []string{before(f.Values[0], now)}
		}
	}
	return r
}
