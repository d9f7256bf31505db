package directory

import (
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"decenter/engine/api"
)

// Limits of a gate.
const (
	DefaultTimeout = 5 * time.Second
	MaxTimeout     = 30 * time.Second
	PositiveLife   = 60 * time.Second
	NegativeLife   = 10 * time.Second
	MaxStale       = 12 * time.Hour // as long as a login is good for
	MaxCached      = 4096
	MaxGroups      = 256 // in Config.Groups

	maxAccount  = 128
	maxPassword = 4096
	maxAnswer   = 8 << 20
	maxCalls    = 256
	minBackoff  = 250 * time.Millisecond
	maxBackoff  = 15 * time.Second
)

// NestedAD is a GroupAttribute: groups in groups, as Active Directory resolves them.
const NestedAD = "(member:1.2.840.113556.1.4.1941:={dn})"

// WhenDown says what holds while the directory does not answer.
type WhenDown string

// The policies. cached lets accounts go on as they were last known, for MaxStale; refuse is the default.
const (
	Refuse WhenDown = "refuse"
	Cached WhenDown = "cached"
)

// Config is what a gate needs.
type Config struct {
	URL      string // ldaps://HOST[:PORT], or ldap://HOST[:PORT] with StartTLS
	StartTLS bool
	CAFile   string // PEM; empty: the system's authorities

	BindDN       string // empty: anonymous
	PasswordFile string // read at each bind, for nobody but its owner; one line end at its end is not part of it

	Base             string // DN below which accounts are searched
	AccountAttribute string // whose value is the account's address
	GroupAttribute   string // or a filter, see the package's doc; empty: memberOf
	Groups           map[string]api.Role

	WhenDown WhenDown      // empty: refuse
	Timeout  time.Duration // of a call; 0: DefaultTimeout
	Now      func() time.Time
	Log      *slog.Logger

	// PlainLoopback allows ldap without TLS to a loopback address, for tests.
	PlainLoopback bool
}

// mapped is a group and its role.
type mapped struct {
	dn   string // as configured, to ask for
	role api.Role
}

// plan is a checked configuration.
type plan struct {
	Config
	address  string      // host:port
	tls      *tls.Config // nil: none
	implicit bool        // TLS from the first byte
	byName   map[string]api.Role
	groups   []mapped // from the highest role down
}

// roles that a group can give, from the least to the most.
var roles = []api.Role{api.RoleTenant, api.RoleReader, api.RoleOperator, api.RoleOwner}

func rank(r api.Role) int { return slices.Index(roles, r) }

var attributeForm = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$|^[0-9]+(\.[0-9]+){1,20}$`)

// check makes a plan of the configuration, or says what is wrong with it.
func (c Config) check() (*plan, error) {
	c.WhenDown = cmp.Or(c.WhenDown, Refuse)
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.GroupAttribute = cmp.Or(c.GroupAttribute, "memberOf")
	p := &plan{Config: c}
	switch {
	case c.WhenDown != Refuse && c.WhenDown != Cached:
		return nil, wrong(fmt.Sprintf("when_down %q is no policy", c.WhenDown), "use refuse or cached")
	case c.Timeout < 100*time.Millisecond || c.Timeout > MaxTimeout:
		return nil, wrong(fmt.Sprintf("a timeout of %v is out of range", c.Timeout), fmt.Sprintf("use 100ms to %v", MaxTimeout))
	case !attributeForm.MatchString(c.AccountAttribute):
		return nil, wrong(fmt.Sprintf("%q is not the name of an attribute", c.AccountAttribute), "name the one that holds accounts' addresses")
	case (c.BindDN == "") != (c.PasswordFile == ""):
		return nil, wrong("a bind needs both a name and a password file", "give both, or none for an anonymous bind")
	}
	for _, step := range []func() error{p.checkURL, p.checkNames, p.checkGroups, p.checkFiles} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *plan) checkURL() error {
	const hint = "use ldaps://HOST, or ldap://HOST with StartTLS"
	u, err := url.Parse(p.URL)
	if err != nil || u.Hostname() == "" || (u.Path != "" && u.Path != "/") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return wrong(fmt.Sprintf("%q is not a directory's URL", p.URL), hint)
	}
	port := map[string]string{"ldap": "389", "ldaps": "636"}[u.Scheme]
	if port == "" {
		return wrong(fmt.Sprintf("%q is not a directory's URL", p.URL), hint)
	}
	p.address = net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
	p.implicit = u.Scheme == "ldaps"
	if p.implicit && p.StartTLS {
		return wrong("ldaps has TLS from the first byte: StartTLS does not go with it", hint)
	}
	if p.implicit || p.StartTLS {
		p.tls = &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}
		return nil
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if !p.PlainLoopback || err != nil || !ip.IsLoopback() {
		return wrong(fmt.Sprintf("%s would be asked without TLS, and anybody on the way could answer", p.URL), hint)
	}
	return nil
}

func (p *plan) checkNames() error {
	for what, dn := range map[string]string{"base": p.Base, "bind_dn": p.BindDN} {
		if _, err := ldap.ParseDN(dn); err != nil || (dn == "" && what == "base") {
			return wrong(fmt.Sprintf("%s %q is not a name of a directory", what, dn), "write it like dc=example,dc=org")
		}
	}
	if !p.byFilter() {
		if !attributeForm.MatchString(p.GroupAttribute) {
			return wrong(fmt.Sprintf("%q is neither an attribute nor a filter in parentheses", p.GroupAttribute), "use memberOf, or (member={dn})")
		}
		return nil
	}
	if _, err := ldap.CompileFilter(p.groupFilter("cn=x", "x")); err != nil || p.groupFilter("cn=x", "x") == p.GroupAttribute {
		return wrong(fmt.Sprintf("%q is no filter with {dn} or {account} in it", p.GroupAttribute), "use (member={dn})")
	}
	return nil
}

func (p *plan) checkGroups() error {
	if n := len(p.Groups); n == 0 || n > MaxGroups {
		return wrong(fmt.Sprintf("%d groups are mapped to roles", n), fmt.Sprintf("map 1 to %d", MaxGroups))
	}
	p.byName = make(map[string]api.Role, len(p.Groups))
	for dn, role := range p.Groups {
		name, err := foldName(dn)
		if err != nil || name == "" {
			return wrong(fmt.Sprintf("the group %q is not a name of a directory", dn), "write it like cn=operators,ou=groups,dc=example,dc=org")
		}
		if rank(role) < 0 {
			return wrong(fmt.Sprintf("the group %q is given the role %q", dn, role), "use owner, operator, reader or tenant")
		}
		if _, twice := p.byName[name]; twice {
			return wrong(fmt.Sprintf("the group %q is mapped twice", dn), "name it once")
		}
		p.byName[name] = role
		p.groups = append(p.groups, mapped{dn, role})
	}
	slices.SortFunc(p.groups, func(a, b mapped) int {
		return cmp.Or(-cmp.Compare(rank(a.role), rank(b.role)), strings.Compare(a.dn, b.dn))
	})
	return nil
}

func (p *plan) checkFiles() error {
	if p.PasswordFile != "" {
		if _, err := p.password(); err != nil {
			return err
		}
	}
	if p.CAFile == "" || p.tls == nil {
		return nil
	}
	text, err := os.ReadFile(p.CAFile)
	if err != nil {
		return wrong("the directory's authorities cannot be read: "+err.Error(), "name a file of certificates in PEM")
	}
	p.tls.RootCAs = x509.NewCertPool()
	if !p.tls.RootCAs.AppendCertsFromPEM(text) {
		return wrong(fmt.Sprintf("%s has no certificate", p.CAFile), "name a file of certificates in PEM")
	}
	return nil
}

// password reads the password file.
func (p *plan) password() (string, error) {
	const hint = "put the password in a file of mode 0600"
	info, err := os.Stat(p.PasswordFile)
	if err != nil {
		return "", wrong("the directory's password cannot be read: "+err.Error(), hint)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", wrong(fmt.Sprintf("%s can be read by others than its owner (mode %04o)", p.PasswordFile, info.Mode().Perm()), hint)
	}
	if !info.Mode().IsRegular() || info.Size() > maxPassword {
		return "", wrong(fmt.Sprintf("%s is no file of at most %d bytes", p.PasswordFile, maxPassword), hint)
	}
	text, err := os.ReadFile(p.PasswordFile)
	if err != nil {
		return "", wrong("the directory's password cannot be read: "+err.Error(), hint)
	}
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) == 0 {
		return "", wrong(p.PasswordFile+" is empty, which would be an anonymous bind", hint)
	}
	return string(text), nil
}

func (p *plan) byFilter() bool { return strings.HasPrefix(p.GroupAttribute, "(") }

// groupFilter puts an entry's name and an account in place.
func (p *plan) groupFilter(dn, account string) string {
	return strings.NewReplacer("{dn}", ldap.EscapeFilter(dn), "{account}", ldap.EscapeFilter(account)).Replace(p.GroupAttribute)
}

// foldName gives equal text for equal names of a directory.
func foldName(dn string) (string, error) {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, part := range parsed.RDNs {
		var pairs []string
		for _, a := range part.Attributes {
			value := strings.ToLower(strings.Join(strings.Fields(a.Value), " "))
			pairs = append(pairs, fmt.Sprintf("%q=%q", strings.ToLower(a.Type), value))
		}
		slices.Sort(pairs)
		b.WriteString(strings.Join(pairs, "+") + ",")
	}
	return b.String(), nil
}

func wrong(problem, hint string) error {
	return &api.Error{Code: api.CodeInvalid, Message: problem, Hint: hint}
}
