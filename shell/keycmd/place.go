package keycmd

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// sshPort is where satellites listen unless their configuration says otherwise (ssh.listen).
const sshPort = 2222

// hostPattern is a host as one names it to ssh, or a pattern of such: ssh_config(5), PATTERNS, without negation.
var hostPattern = regexp.MustCompile(`^[A-Za-z0-9_.:%*?][A-Za-z0-9_.:%*?-]{0,254}$`)

// bracketed is an address apart from its port.
var bracketed = regexp.MustCompile(`^\[([^][]*)\](:.*)?$`)

// place is a satellite as ssh is to find it.
type place struct {
	host string // or a pattern
	port int
}

// parsePlace reads HOST, HOST:PORT or [HOST]:PORT. An IPv6 address with a port has brackets; without them all is address.
func parsePlace(text string) (place, error) {
	host, port := text, ""
	if m := bracketed.FindStringSubmatch(text); m != nil {
		host, port = m[1], m[2]
	} else if strings.Count(text, ":") == 1 {
		colon := strings.IndexByte(text, ':')
		host, port = text[:colon], text[colon:]
	}
	if !hostPattern.MatchString(host) {
		return place{}, invalid(fmt.Sprintf("%q is not a host", printable(text)), "use a name, an address or a pattern, and :PORT after it where that is not 2222")
	}
	if strings.Contains(host, ":") && !strings.ContainsAny(host, "*?") {
		if _, err := netip.ParseAddr(host); err != nil {
			return place{}, invalid(fmt.Sprintf("%q is not an IPv6 address", printable(host)), "write HOST:PORT or [ADDRESS]:PORT")
		}
	}
	if port == "" {
		return place{host, sshPort}, nil
	}
	n, err := strconv.ParseUint(port[1:], 10, 16)
	if err != nil || n == 0 {
		return place{}, invalid(fmt.Sprintf("%q is not a port", printable(port[1:])), "write HOST:PORT, with a port from 1 to 65535")
	}
	return place{host, int(n)}, nil
}

// parsePlaces reads them all, and gives those of each port, in the order of the ports' first mention.
func parsePlaces(texts []string) (ports []int, hosts map[int][]string, err error) {
	hosts = map[int][]string{}
	known := map[string]int{}
	for _, text := range texts {
		p, err := parsePlace(text)
		if err != nil {
			return nil, nil, err
		}
		if other, found := known[p.host]; found && other != p.port {
			return nil, nil, invalid(fmt.Sprintf("%s is named with ports %d and %d: of two blocks for a name ssh takes the first", p.host, other, p.port),
				"name it once, and the other port to ssh itself (-p)")
		}
		known[p.host] = p.port
		if hosts[p.port] == nil {
			ports = append(ports, p.port)
		}
		hosts[p.port] = append(hosts[p.port], p.host)
	}
	return ports, hosts, nil
}
