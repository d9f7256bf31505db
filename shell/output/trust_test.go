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
		60: {"01-02 03:04:05  deny     read ×12  bc1qw508d…f3t4  web-1", "admit  SHA256:1xW0OZ…Ckzg  bc1qw508d…f3t4\n"},
		80: {"01-02 03:04:05  deny     read ×12  bc1qw508d…f3t4  web-1", "the scope is read", "admit  SHA256:1xW0OZ…Ckzg  bc1qw508d…f3t4  2026-01-02"},
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

// Whatever an entry is about and why, it is told who asked; and a pipe has no column as wide as a statement.
func TestALongObjectLeavesRoomForWhoAsked(t *testing.T) {
	object := strings.Repeat("decenter admit 1 in home ", 7)
	entries := []api.AuditEntry{
		{Satellite: "s1", Account: longAccount, Action: "read", Count: 12345, Object: object, Verdict: api.VerdictAllow, Reason: "owns it", Via: "ssh"},
		{Satellite: "s1", Account: longAccount, Action: "declare", Object: "web-1", Verdict: api.VerdictDeny, Reason: strings.Repeat("why ", 40), Via: "ssh"},
	}
	for _, width := range []int{60, 80, 120, 200} {
		var b bytes.Buffer
		if err := (Printer{W: &b, Width: width}).Audit(entries); err != nil {
			t.Fatal(err)
		}
		who := longAccount[:9] + "…" + longAccount[len(longAccount)-4:]
		if width >= 160 {
			who = longAccount
		}
		if strings.Count(b.String(), who) != 2 || !strings.Contains(b.String(), "read ×12345") {
			t.Errorf("at %d columns it is not told who asked for what:\n%s", width, b.String())
		}
	}
	var b bytes.Buffer
	if err := (Printer{W: &b}).Audit(entries); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(b.String(), "\n"); !strings.Contains(lines[1], strings.TrimSpace(object)+"   owns it") ||
		!strings.Contains(lines[2], "web-1"+strings.Repeat(" ", 64-len("web-1")+2)+"why why") {
		t.Errorf("in a pipe:\n%s", b.String())
	}
}

const longAccount = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"

// A head is written down by people: no screen is so narrow that a part of one is missing.
func TestHeadsAreWhole(t *testing.T) {
	head := strings.Repeat("0123456789abcdef", 4)
	chains := []api.AuditChain{{Satellite: "s1", Entries: 3, First: 1, Head: head}, {Satellite: "s2", Head: head, Broken: "entry 2 does not follow entry 1"}}
	for width, want := range map[int]string{0: "1     " + head, 200: head, 80: "\n  " + head + "\ns2 ", 60: "\n  " + head[:32] + "\n  " + head[32:] + "\n", 20: "\n  " + head[:16] + "\n  "} {
		var b bytes.Buffer
		if err := (Printer{W: &b, Width: width}).Chains(chains); err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(strings.ReplaceAll(b.String(), "\n  ", ""), head); n != 2 || !strings.Contains(b.String(), want) {
			t.Errorf("at %d columns %d of 2 heads are whole:\n%s", width, n, b.String())
		}
	}
}

func TestOwnersAreNotCut(t *testing.T) {
	owners := []string{longAccount, longAccount[:41] + "5"}
	for width, want := range map[int]string{0: longAccount + ", " + owners[1], 60: ":\n  " + longAccount + "\n  " + owners[1] + "\n", 80: ":\n  " + longAccount + "\n"} {
		var b bytes.Buffer
		if err := (Printer{W: &b, Width: width}).Trust(api.TrustReply{Constellation: "home", Owners: owners}); err != nil || !strings.Contains(b.String(), want) {
			t.Errorf("at %d columns %q is missing:\n%s%v", width, want, b.String(), err)
		}
	}
}

func TestSatellitesShowTheirFingerprintWhereThereIsRoom(t *testing.T) {
	const key = "SHA256:1xW0OZkTVhIQrNwHRG1C1ZMTZpOA8mT3DCJcDsRCkzg"
	nodes := []api.Satellite{
		{Name: "s1", ID: key, State: api.SatelliteLive, Address: "192.168.100.100", Memory: 16 << 30, MemoryFree: 12345678, Accel: "kvm"},
		{Name: "02:00:00:00:00:09", State: api.SatelliteStranger, Address: "eth2"},
	}
	for width, there := range map[int]bool{0: true, 80: false, 119: false, 120: true, 200: true} {
		var b bytes.Buffer
		if err := (Printer{W: &b, Width: width}).Satellites(nodes); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), key) != there || width != 80 && width != 119 && !strings.Contains(b.String(), "192.168.100.100") {
			t.Errorf("at %d columns:\n%s", width, b.String())
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

func TestWhoamiTellsTheRoleAndAnEjection(t *testing.T) {
	var b strings.Builder
	h := api.Hello{Satellite: "s3", ID: "SHA256:x", Account: "bc1q", Via: "ssh", Role: api.RoleTenant, Ejected: true}
	if err := (Printer{W: &b}).Hello(h); err != nil || !strings.Contains(b.String(), "role       tenant: VMs of its own") || !strings.Contains(b.String(), "put out") {
		t.Errorf("%v: %s", err, b.String())
	}
}
