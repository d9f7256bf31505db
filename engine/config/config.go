// Package config is the engine's one configuration file: TOML 1.0, parsed strictly. An unknown key, a wrong
// type or a value out of range is an error that names its line; nothing is guessed. Every key has a default but one: who owns
// the constellation ([trust] owners), because a guess there would be an open door; without owners nobody logs in over
// ssh, and root still works on the satellite itself.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"decenter/engine/api"
)

// DefaultPath is where the engine looks when nothing else is said.
const DefaultPath = "/etc/decenter/engine.toml"

// Config is the file. Durations are not in it on purpose: the protocols' times are theirs.
type Config struct {
	// Name of this satellite: a DNS label. Default: the host's name up to its first dot.
	Name string `toml:"name" comment:"Name of this satellite: a DNS label. Default: the host's name."`
	// Data is the folder that must outlive a restart: keys, journal, volumes. Default /var/lib/decenter.
	Data string `toml:"data" comment:"Folder that outlives a restart: the satellite's key, the journal, volumes."`
	// Run is the folder of sockets. Default /run/decenter.
	Run string `toml:"run" comment:"Folder of sockets."`

	SSH   SSH   `toml:"ssh" comment:"Login by ssh: a Bitcoin address as user name, a signature instead of a password."`
	Peer  Peer  `toml:"peer" comment:"Talk between satellites: gossip (UDP and TCP) and requests (TLS 1.3)."`
	Trust Trust `toml:"trust" comment:"Who may come in."`
	// Directory is a second gate: with it, an account must also have an entry there.
	Directory Directory `toml:"directory" comment:"LDAP or Active Directory as a second gate: after the signature, an account must have an entry there, whose groups give its role."`
	Metrics   Metrics   `toml:"metrics" comment:"Figures for Prometheus, over HTTP at /metrics."`
	Virt      Virt      `toml:"virt" comment:"Guests."`
	Net       Net       `toml:"net" comment:"The layer-2 fabric."`
	Log       Log       `toml:"log"`
}

// SSH is the login server.
type SSH struct {
	Listen []string `toml:"listen" comment:"Addresses with port; empty: no login by ssh."`
	Pasted string   `toml:"pasted" comment:"What a login by a pasted signature alone, without an SSH key, may do: no or read. It could be relayed by a false satellite."`
}

// Peer is what satellites say to each other.
type Peer struct {
	Port int      `toml:"port" comment:"UDP and TCP port of the gossip; requests use the next TCP port."`
	Join []string `toml:"join" comment:"Addresses of other satellites across routed networks. On the fabric none are needed."`
}

// Trust is who may come in.
type Trust struct {
	Constellation string   `toml:"constellation" comment:"The constellation's name; what its owners sign holds in it alone."`
	Owners        []string `toml:"owners" comment:"Bitcoin addresses that may do everything, and whose signatures admit satellites and grant roles. No default."`
	Accounts      []string `toml:"accounts" comment:"Bitcoin addresses that may log in and have VMs of their own."`
	Satellites    []string `toml:"satellites" comment:"Key fingerprints (SHA256:…) of satellites that are trusted without an owner's signature; 'decenter engine --fingerprint' prints a machine's own."`
	Network       string   `toml:"network" comment:"Bitcoin network of all addresses: mainnet, or testnet or regtest to play."`
}

// Directory is LDAP as a second gate behind the signature.
type Directory struct {
	URL      string            `toml:"url" comment:"ldaps://HOST or ldap://HOST; empty: no directory is asked."`
	StartTLS bool              `toml:"start_tls" comment:"With ldap://: encrypt the connection by StartTLS. Without either nothing is sent."`
	CA       string            `toml:"ca" comment:"File with the certificates that the directory's is checked against; empty: the machine's."`
	BindDN   string            `toml:"bind_dn" comment:"Who asks; empty: anonymously."`
	Password string            `toml:"password_file" comment:"File with the password of bind_dn."`
	Base     string            `toml:"base" comment:"Where entries are searched."`
	Account  string            `toml:"account" comment:"Attribute that holds a person's Bitcoin address."`
	Member   string            `toml:"member" comment:"Attribute that names a person's groups, or a filter in parentheses for groups that name {dn} or {account}."`
	Groups   map[string]string `toml:"groups" comment:"Role by group: 'cn=admins,dc=example,dc=org' = 'owner'. Roles are owner, operator, reader and tenant."`
	WhenDown string            `toml:"when_down" comment:"While the directory does not answer: refuse, or cached (what it said in the last 12 hours holds)."`
}

// Metrics is the Prometheus endpoint.
type Metrics struct {
	Listen string `toml:"listen" comment:"Address with port; empty: none."`
}

// Virt is the hypervisor.
type Virt struct {
	URI   string `toml:"uri" comment:"libvirt's connection."`
	Accel string `toml:"accel" comment:"auto (a guest is started once to see whether KVM works), kvm or tcg."`
}

// Net is the fabric.
type Net struct {
	Exclude  []string `toml:"exclude" comment:"Ports that are not part of the fabric; names or patterns like 'wl*'. The port of the default route is always kept out unless it stands in include."`
	Include  []string `toml:"include" comment:"Ports that are part of the fabric in any case."`
	Host     string   `toml:"host" comment:"Name of the satellite's own port on the fabric."`
	Priority int      `toml:"priority" comment:"Root priority of the satellite tree, 0 to 65535; the lowest becomes root. 'tree priority' at any console goes before it, until 'tree priority NAME default'."`
	BPF      string   `toml:"bpf" comment:"Folder on a bpffs where the data path is pinned, so that it outlives the engine."`
}

// Log is what the engine writes to standard error.
type Log struct {
	Level  string `toml:"level" comment:"debug, info, warn or error."`
	Format string `toml:"format" comment:"text or json."`
}

// Default gives the configuration of an empty file on a host with that name.
func Default(hostname string) Config {
	name, _, _ := strings.Cut(strings.ToLower(hostname), ".")
	return Config{
		Name:      name,
		Data:      "/var/lib/decenter",
		Run:       "/run/decenter",
		SSH:       SSH{Listen: []string{"[::]:2222"}, Pasted: "read"},
		Peer:      Peer{Port: 7717, Join: []string{}},
		Trust:     Trust{Constellation: "decenter", Owners: []string{}, Accounts: []string{}, Satellites: []string{}, Network: "mainnet"},
		Directory: Directory{Account: "uid", Member: "memberOf", Groups: map[string]string{}, WhenDown: "refuse"},
		Metrics:   Metrics{Listen: "127.0.0.1:9717"},
		Virt:      Virt{URI: "qemu:///system", Accel: "auto"},
		Net: Net{Exclude: []string{}, Include: []string{}, Host: "decenter0", Priority: 32768,
			BPF: "/sys/fs/bpf/decenter"},
		Log: Log{Level: "info", Format: "text"},
	}
}

// Load reads and checks the file. A missing file at DefaultPath is an empty one; a missing file elsewhere is an error.
func Load(path, hostname string) (Config, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && path == DefaultPath {
		text, err = nil, nil
	}
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	c, err := Parse(text, hostname)
	if err != nil {
		return Config{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Parse reads and checks the text of a file.
func Parse(text []byte, hostname string) (Config, error) {
	c := Default(hostname)
	d := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		return Config{}, explain(err)
	}
	return c, c.Check()
}

// explain turns the decoder's errors into ones that name line and key.
func explain(err error) error {
	var strict *toml.StrictMissingError
	if errors.As(err, &strict) {
		var lines []string
		for _, e := range strict.Errors {
			row, col := e.Position()
			lines = append(lines, fmt.Sprintf("line %d, column %d: unknown key %q", row, col, strings.Join(e.Key(), ".")))
		}
		return errors.New(strings.Join(lines, "\n"))
	}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		row, col := decode.Position()
		return fmt.Errorf("line %d, column %d: %s", row, col, explainType(strings.TrimPrefix(decode.Error(), "toml: ")))
	}
	return err
}

var wrongType = regexp.MustCompile(`^cannot decode TOML (.+) into struct field config\.(\w+)\.(\w+) of type (\S+)$`)

// explainType says in the file's words what the decoder says in Go's. Keys are fields' names in lower case.
func explainType(message string) string {
	m := wrongType.FindStringSubmatch(message)
	if m == nil {
		return message
	}
	key := strings.TrimPrefix(strings.ToLower(m[2]+"."+m[3]), "config.") // what is in Config itself has no table
	takes := map[string]string{"int": "a whole number", "string": "text in quotes", "[]string": "a list of texts in quotes"}[m[4]]
	if takes == "" {
		takes = "[" + key + "] and keys below it"
	}
	return fmt.Sprintf("%s takes %s, not TOML's %s", key, takes, m[1])
}

// Append writes the configuration as a file with every key and its meaning.
func (c Config) Append() ([]byte, error) { return toml.Marshal(c) }

// Check tells everything that is out of range, one line each.
func (c Config) Check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if err := api.CheckName(c.Name); err != nil {
		bad("name: %w", err)
	}
	for key, path := range map[string]string{"data": c.Data, "run": c.Run, "net.bpf": c.Net.BPF} {
		if !filepath.IsAbs(path) {
			bad("%s = %q is not an absolute path", key, path)
		}
	}
	for _, a := range append(slices.Clone(c.SSH.Listen), c.Metrics.Listen) {
		if a == "" {
			continue
		}
		if _, err := netip.ParseAddrPort(a); err != nil {
			bad("listen address %q: use ADDRESS:PORT such as 127.0.0.1:2222 or [::]:2222", a)
		}
	}
	if c.Peer.Port < 1 || c.Peer.Port > 65534 {
		bad("peer.port = %d is out of range: use 1 to 65534", c.Peer.Port)
	}
	c.Trust.check(bad)
	c.Directory.check(bad)
	if !slices.Contains([]string{"no", "read"}, c.SSH.Pasted) {
		bad("ssh.pasted = %q: use no or read", c.SSH.Pasted)
	}
	if !slices.Contains([]string{"auto", "kvm", "tcg"}, c.Virt.Accel) {
		bad("virt.accel = %q: use auto, kvm or tcg", c.Virt.Accel)
	}
	if n := len(c.Net.Host); n < 1 || n > 15 {
		bad("net.host = %q: a network device's name has 1 to 15 characters", c.Net.Host)
	}
	if c.Net.Priority < 0 || c.Net.Priority > 65535 {
		bad("net.priority = %d is out of range: use 0 to 65535", c.Net.Priority)
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level) {
		bad("log.level = %q: use debug, info, warn or error", c.Log.Level)
	}
	if !slices.Contains([]string{"text", "json"}, c.Log.Format) {
		bad("log.format = %q: use text or json", c.Log.Format)
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}
