package output

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"decenter/engine/api"
)

// On a screen of 80 columns an entry and a statement are still told apart; a pipe gets all of both.
func TestTrustAndAuditOnANarrowScreen(t *testing.T) {
	const key, account = "SHA256:1xW0OZkTVhIQrNwHRG1C1ZMTZpOA8mT3DCJcDsRCkzg", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	entries := []api.AuditEntry{{Satellite: "s1", Time: at, Account: account, Via: "ssh", Action: "read", Count: 12, Object: "web-1", Verdict: api.VerdictDeny,
		Reason: "the scope is read\x1b[2J"}}
	trust := api.TrustReply{Constellation: "home", Statements: []api.Statement{{Kind: api.StatementAdmit, Account: account, Key: key, Time: at}}}
	for width, want := range map[int][]string{
		80: {"01-02 03:04:05  deny     read ×12  web-1", "bc1qw50…f3t4", "the scope is read", "admit  SHA256:1xW0OZ…Ckzg  bc1qw508d…f3t4  2026-01-02"},
		0:  {"2026-01-02 03:04:05  s1", account, "ssh", "the scope is read�[2J", key, "2026-01-02 03:04:05\n", "none but root"},
	} {
		var b bytes.Buffer
		p := Printer{W: &b, Width: width}
		if err := p.Audit(entries); err != nil {
			t.Fatal(err)
		}
		if err := p.Trust(trust); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(b.String(), w) {
				t.Errorf("at %d columns %q is missing:\n%s", width, w, b.String())
			}
		}
		for _, l := range strings.Split(b.String(), "\n") {
			if width > 0 && ansi.StringWidth(l) > width {
				t.Errorf("wider than %d: %s", width, l)
			}
		}
	}
}

func TestRefusalsAndStrangers(t *testing.T) {
	if got := Refused([]api.Refusal{{Satellite: "s2", Reason: "too old\x1b[2J"}}); got != "s2 refuses: too old�[2J\n" {
		t.Errorf("%q", got)
	}
	if Refused(nil) != "" || Strangers([]api.Satellite{{State: api.SatelliteLive}}) != "" {
		t.Error("something is told of nobody")
	}
	if got := Clocks([]api.Satellite{{Name: "s1", ClockOff: 1e9}, {Name: "s2", ClockOff: -12e9}}); got != "the clock of s2 is 12s behind this satellite's: beyond 30s they refuse each other; see to NTP on both\n" {
		t.Errorf("clocks: %q", got)
	}
	if got := Strangers([]api.Satellite{{State: api.SatelliteStranger}}); !strings.Contains(got, "admit SHA256:") {
		t.Errorf("%q", got)
	}
}
