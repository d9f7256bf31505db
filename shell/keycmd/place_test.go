package keycmd

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPlaceHasAPort(t *testing.T) {
	for text, want := range map[string]place{
		"tokyo": {"tokyo", 2222}, "tokyo:22": {"tokyo", 22}, "10.77.0.1:65535": {"10.77.0.1", 65535}, "*.example": {"*.example", 2222},
		"::1": {"::1", 2222}, "[::1]": {"::1", 2222}, "[::1]:22": {"::1", 22}, "[fe80::1%eth0]:2201": {"fe80::1%eth0", 2201}, "[tokyo]:22": {"tokyo", 22},
	} {
		if got, err := parsePlace(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for text, reason := range map[string]string{
		"": "not a host", ":22": "not a host", "-oProxyCommand=x": "not a host", "a b": "not a host", "a\nUser x": "not a host", `a"b`: "not a host",
		"!a": "not a host", "a,b": "not a host", "ssh://tokyo": "not a port", "me@tokyo": "not a host", "[::1": "not a host", "[]:22": "not a host",
		"tokyo:": "not a port", "tokyo:0": "not a port", "tokyo:65536": "not a port", "tokyo:ssh": "not a port", "tokyo:-1": "not a port",
		"[::1]:x": "not a port", "tokyo:22:33": "not an IPv6", strings.Repeat("a", 256): "not a host",
	} {
		if p, err := parsePlace(text); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q: %+v, %v; want %q", text, p, err, reason)
		}
	}
}

// A line that a person types after us must work with satellites as they are: they do not listen where ssh looks.
func TestAdviceNamesTheSatellitesPort(t *testing.T) {
	needs(t, "ssh-keygen")
	p := newPerson(t)
	account := p.gets("", "new")
	p.keygen("", "-t", "ed25519")
	if _, told, code := p.types("", "delegate"); code != 0 || !strings.Contains(told, "  ssh -p 2222 "+account+"@SATELLITE\n") {
		t.Errorf("delegate: exit %d, %q", code, told)
	}
	if _, told, code := p.types("", "askpass", filepath.Join(p.home, "login")); code != 0 || !strings.Contains(told, " ssh -p 2222 ACCOUNT@SATELLITE ") {
		t.Errorf("askpass: exit %d, %q", code, told)
	}
}

// ssh itself says what it makes of the block.
func TestSSHTakesThePortFromTheBlock(t *testing.T) {
	needs(t, "ssh")
	p := newPerson(t)
	account := p.gets("", "new")
	block := p.gets("", "ssh-config", "--owner", account, "--satellite", "tokyo", "--satellite", "lab-3:2203", "--satellite", "kyoto", "--satellite", "[fd00::1]:2203")
	config := mustWrite(t, filepath.Join(p.home, "config"), []byte(block+"\n"))
	for host, port := range map[string]string{"tokyo": "2222", "kyoto": "2222", "lab-3": "2203", "fd00::1": "2203", "elsewhere": "22"} {
		out, err := exec.CommandContext(t.Context(), "ssh", "-G", "-F", config, host).CombinedOutput()
		if err != nil || !strings.Contains("\n"+string(out), "\nport "+port+"\n") {
			t.Errorf("%s: %v, want port %s, with\n%s", host, err, port, block)
		}
		if mine := strings.Contains(string(out), "\nuser "+account+"\n") || strings.HasPrefix(string(out), "user "+account+"\n"); mine != (host != "elsewhere") {
			t.Errorf("%s: logs in as the account: %v", host, mine)
		}
	}
	p.fails(2, "ports 2201 and 2202", "", "ssh-config", "--owner", account, "--satellite", "127.0.0.1:2201", "--satellite", "127.0.0.1:2202")
	p.fails(2, "not a port", "", "ssh-config", "--owner", account, "--satellite", "tokyo:ssh")
}
