package keycmd

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"

	"decenter/engine/api"
	"decenter/keys"
	"decenter/keys/statement"
	"decenter/shell/keycmd/hostcert"
)

// Bounds of what known-hosts reads.
const (
	maxOwners     = 1000
	maxOwnersFile = 64 << 10
)

// What OpenSSH puts for %I and %K: ssh_config(5), sshconnect.c.
const (
	orderLookup   = "ORDER"   // no key is known yet; ssh wants to know which kinds to prefer
	addressLookup = "ADDRESS" // after HOSTNAME, where CheckHostIP is set
	noneYet       = "NONE"
)

// hostForm is a host as OpenSSH writes it into known_hosts: a name or address, in brackets with a port if it is not 22.
// No character has a meaning in that file's patterns.
var hostForm = regexp.MustCompile(`^([A-Za-z0-9_.:%-]{1,255}|\[[A-Za-z0-9_.:%-]{1,255}\]:[0-9]{1,5})$`)

// ownerFlags are whose word counts for known-hosts.
type ownerFlags struct {
	owners              list
	file, constellation string
}

func (o *ownerFlags) add(f *flags) {
	f.Var(&o.owners, "owner", "`ACCOUNT` whose admissions count; may be repeated")
	f.StringVar(&o.file, "owners", "", "`FILE` of such, one a line; else\n~/.config/decenter/owners")
	f.StringVar(&o.constellation, "constellation", "", "`NAME` of the one constellation that counts")
	f.withNetwork()
}

// trust reads the owners' accounts.
func (o *ownerFlags) trust(env Env, network string) (hostcert.Trust, error) {
	t := hostcert.Trust{Constellation: o.constellation}
	var err error
	if t.Network, err = keys.ParseNetwork(network); err != nil {
		return t, typed(err)
	}
	if o.constellation != "" {
		if err := statement.CheckConstellation(o.constellation); err != nil {
			return t, typed(err)
		}
	}
	named := []string(o.owners)
	if len(named) == 0 {
		if named, err = o.readFile(env); err != nil {
			return t, err
		}
	}
	if len(named) == 0 || len(named) > maxOwners {
		return t, invalid(fmt.Sprintf("%d owners are named", len(named)), fmt.Sprintf("give 1 to %d, with --owner ACCOUNT or one a line in a file", maxOwners))
	}
	for _, text := range named {
		a, err := keys.ParseAddress(t.Network, text)
		if err != nil {
			return t, typed(err)
		}
		t.Owners = append(t.Owners, a)
	}
	return t, nil
}

// readFile reads the file of owners: one a line, with comments after #.
func (o *ownerFlags) readFile(env Env) ([]string, error) {
	path := o.file
	if path == "" {
		path = filepath.Join(env.Getenv("HOME"), ".config", "decenter", "owners")
	}
	text, err := readSmall(path, maxOwnersFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, invalid("no owner is named, and there is no "+path, "add --owner ACCOUNT")
	}
	if err != nil {
		return nil, fmt.Errorf("read the owners: %w", err)
	}
	var named []string
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			named = append(named, line)
		}
	}
	return named, nil
}

// runKnownHosts answers OpenSSH's KnownHostsCommand. Whatever it finds, it ends well: ssh gives up where its command
// fails, and where it prints nothing ssh goes on as without it.
func runKnownHosts(_ context.Context, env Env, args []string) error {
	f := newFlags(env, "known-hosts")
	var o ownerFlags
	o.add(f)
	if err := f.parse(args, 4, 4); err != nil {
		return err
	}
	lookup, host, key := f.Arg(0), f.Arg(1), f.Arg(3)
	if lookup == orderLookup || key == noneYet {
		return nil
	}
	line, err := o.knownHost(env, f.network, host, key)
	if err != nil {
		if lookup != addressLookup { // it was told for the name
			fmt.Fprintf(env.Stderr, "decenter key: no owner's word for %s: %v\n", printable(host), err)
		}
		return nil
	}
	_, err = fmt.Fprintln(env.Stdout, line)
	return err
}

// knownHost gives the line of known_hosts by which ssh accepts the certificate key (base64) of host.
func (o *ownerFlags) knownHost(env Env, network, host, key string) (string, error) {
	t, err := o.trust(env, network)
	if err != nil {
		return "", err
	}
	if !hostForm.MatchString(host) {
		return "", &api.Error{Code: api.CodeFailed, Message: "its name is none that known_hosts can hold"}
	}
	wire, err := base64.StdEncoding.Strict().DecodeString(key)
	if err != nil {
		return "", &api.Error{Code: api.CodeFailed, Message: "its key is not base64", Hint: "end KnownHostsCommand with %I %H %t %K"}
	}
	satellite, _, err := t.Judge(wire, env.Now())
	if err != nil {
		return "", err
	}
	// Not as @cert-authority: ssh would then want the host's name among the certificate's principals, which no satellite
	// knows. It goes by the bare key where it knows no authority for a certificate.
	return host + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(satellite))), nil
}

// runSSHConfig prints a block for ~/.ssh/config.
func runSSHConfig(_ context.Context, env Env, args []string) error {
	f := newFlags(env, "ssh-config")
	f.withKey()
	var o ownerFlags
	o.add(f)
	var satellites list
	f.Var(&satellites, "satellite", "`HOST[:PORT]` as you will name it, or a pattern; may be repeated")
	account := f.String("account", "", "`ADDRESS` to log in as; else the key file's")
	if err := f.parse(args, 0, 0); err != nil {
		return err
	}
	t, err := o.trust(env, f.network)
	if err != nil {
		return err
	}
	if len(satellites) == 0 {
		return invalid("no satellite is named", "add --satellite HOST, as you will name it to ssh")
	}
	ports, hosts, err := parsePlaces(satellites)
	if err != nil {
		return err
	}
	if *account == "" {
		k, _, err := openKey(env, f.key)
		if err != nil {
			return err
		}
		*account = k.Account.String()
	} else if _, err := keys.ParseAddress(t.Network, *account); err != nil {
		return typed(err)
	}
	if env.Self == "" || strings.ContainsAny(env.Self, "\"\\%\n") {
		return &api.Error{Code: api.CodeFailed, Message: "this program's own path cannot be written into ssh_config", Hint: "put it into /usr/local/bin"}
	}
	command := fmt.Sprintf("%q key known-hosts --network %s", env.Self, t.Network)
	for _, owner := range t.Owners {
		command += " --owner " + owner.String()
	}
	if o.constellation != "" {
		command += " --constellation " + o.constellation
	}
	for _, port := range ports {
		if _, err = fmt.Fprintf(env.Stdout, "Host %s\n    Port %d\n    User %s\n    KnownHostsCommand %s %%I %%H %%t %%K\n",
			strings.Join(hosts[port], " "), port, *account, command); err != nil {
			return err
		}
	}
	return nil
}
