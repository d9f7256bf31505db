package config

import (
	"net/url"
	"path/filepath"
	"slices"

	"decenter/keys"
	"decenter/keys/statement"
)

// Addresses gives the owners and the other accounts, parsed. It fails only on what Check refuses.
func (t Trust) Addresses() (network keys.Network, owners, accounts []keys.Address, err error) {
	if network, err = keys.ParseNetwork(t.Network); err != nil {
		return 0, nil, nil, err
	}
	for _, list := range []struct {
		from []string
		to   *[]keys.Address
	}{{t.Owners, &owners}, {t.Accounts, &accounts}} {
		for _, text := range list.from {
			a, err := keys.ParseAddress(network, text)
			if err != nil {
				return 0, nil, nil, err
			}
			*list.to = append(*list.to, a)
		}
	}
	return network, owners, accounts, nil
}

// Fingerprints gives the satellites, parsed.
func (t Trust) Fingerprints() (all []keys.Fingerprint, err error) {
	for _, text := range t.Satellites {
		f, err := keys.ParseFingerprint(text)
		if err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

func (t Trust) check(bad func(format string, args ...any)) {
	if err := statement.CheckConstellation(t.Constellation); err != nil {
		bad("trust.constellation: %w", err)
	}
	network, err := keys.ParseNetwork(t.Network)
	if err != nil {
		bad("trust.network: %w", err)
		return
	}
	for key, list := range map[string][]string{"owners": t.Owners, "accounts": t.Accounts} {
		for _, a := range list {
			if _, err := keys.ParseAddress(network, a); err != nil {
				bad("trust.%s: %w", key, err)
			}
		}
	}
	for _, f := range t.Satellites {
		if _, err := keys.ParseFingerprint(f); err != nil {
			bad("trust.satellites: %q is not a fingerprint: use SHA256: and 43 characters, as `decenter engine --fingerprint` prints", f)
		}
	}
}

var directoryRoles = []string{"owner", "operator", "reader", "tenant"}

// check leaves to package directory what only it can judge.
func (d Directory) check(bad func(format string, args ...any)) {
	if !slices.Contains([]string{"refuse", "cached"}, d.WhenDown) {
		bad("directory.when_down = %q: use refuse or cached", d.WhenDown)
	}
	for group, role := range d.Groups {
		if !slices.Contains(directoryRoles, role) {
			bad("directory.groups: %q is no role for %q: use owner, operator, reader or tenant", role, group)
		}
	}
	if d.URL == "" {
		return
	}
	u, err := url.Parse(d.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "ldap" && u.Scheme != "ldaps":
		bad("directory.url = %q: use ldaps://HOST, or ldap://HOST with start_tls", d.URL)
	case u.Scheme == "ldap" && !d.StartTLS:
		bad("directory.url = %q sends all in the clear: use ldaps://, or set start_tls", d.URL)
	}
	if d.Base == "" {
		bad("directory.base is empty: name where entries are, such as dc=example,dc=org")
	}
	if len(d.Groups) == 0 {
		bad("directory.groups is empty: no entry would have a role")
	}
	for key, path := range map[string]string{"ca": d.CA, "password_file": d.Password} {
		if path != "" && !filepath.IsAbs(path) {
			bad("directory.%s = %q is not an absolute path", key, path)
		}
	}
	if (d.BindDN == "") != (d.Password == "") {
		bad("directory.bind_dn and directory.password_file belong together: %q, %q", d.BindDN, d.Password)
	}
}
