package output

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"decenter/engine/api"
)

const dayAndTime = "2006-01-02 15:04:05"

func utc(t time.Time) string { return t.UTC().Format(dayAndTime) }

// Trust writes whom a satellite trusts; as JSON the whole reply, one object.
func (p Printer) Trust(r api.TrustReply) error {
	if p.JSON {
		return objects(p.W, []api.TrustReply{r})
	}
	owners := "none but root on a satellite itself"
	if len(r.Owners) > 0 {
		owners = Clean(strings.Join(r.Owners, ", "))
	}
	if _, err := fmt.Fprintf(p.W, "constellation %s\nowners by configuration: %s\n", Clean(r.Constellation), owners); err != nil {
		return err
	}
	if len(r.Statements) == 0 {
		return nil
	}
	if _, err := io.WriteString(p.W, "\n"); err != nil {
		return err
	}
	t, at := newTable("SAYS", "ABOUT", "SIGNED BY", "SINCE (UTC)", "UNTIL (UTC)"), dayAndTime
	if p.narrow() {
		at = "2006-01-02"
	}
	for _, s := range r.Statements {
		until := ""
		if s.Until != nil {
			until = s.Until.UTC().Format(at)
		}
		if p.narrow() {
			s.Key, s.Grantee, s.Account = middle(s.Key, 18), middle(s.Grantee, 14), middle(s.Account, 14)
		}
		t.add(text(string(s.Kind)), text(s.About()), text(s.Account), text(s.Time.UTC().Format(at)), text(until))
	}
	return p.table(t)
}

// Proposal writes the line to be signed, alone.
func (p Printer) Proposal(r api.Proposal) error {
	if p.JSON {
		return objects(p.W, []api.Proposal{r})
	}
	_, err := fmt.Fprintln(p.W, Clean(r.Line))
	return err
}

// Declared writes a statement that is in force now.
func (p Printer) Declared(s api.Statement) error {
	if p.JSON {
		return objects(p.W, []api.Statement{s})
	}
	_, err := fmt.Fprintf(p.W, "in force: %s %s, signed by %s\n", Clean(string(s.Kind)), Clean(s.About()), Clean(s.Account))
	return err
}

// narrow tells whether the screen has no room for whole addresses and fingerprints.
func (p Printer) narrow() bool { return p.Width > 0 && p.Width < 120 }

// middle leaves out the middle of an address or a fingerprint: its ends tell more than either half.
func middle(s string, w int) string {
	if len(s) <= w {
		return s
	}
	return s[:w-5] + "…" + s[len(s)-4:]
}

// Audit writes entries: nothing for none, not even headings. A narrow screen does not get every column.
func (p Printer) Audit(entries []api.AuditEntry) error {
	if p.JSON {
		return objects(p.W, entries)
	}
	if len(entries) == 0 {
		return nil
	}
	if p.narrow() {
		t := newTable("AT (UTC)", "VERDICT", "ACTION", "OBJECT", "ACCOUNT", "REASON")
		for _, e := range entries {
			t.add(text(e.Time.UTC().Format("01-02 15:04:05")), verdict(e.Verdict), text(times(e)), text(e.Object), text(middle(e.Account, 12)), text(e.Reason))
		}
		return p.table(t)
	}
	t := newTable("TIME (UTC)", "SATELLITE", "VERDICT", "ACTION", "OBJECT", "ACCOUNT", "VIA", "REASON")
	for _, e := range entries {
		t.add(text(utc(e.Time)), text(e.Satellite), verdict(e.Verdict), text(times(e)), text(e.Object), text(e.Account), text(e.Via), text(e.Reason))
	}
	return p.table(t)
}

// times is an entry's action, and how many it stands for.
func times(e api.AuditEntry) string {
	if e.Count > 1 {
		return e.Action + " ×" + strconv.Itoa(e.Count)
	}
	return e.Action
}

func verdict(v api.Verdict) cell {
	if v == api.VerdictDeny {
		return cell{string(v), red}
	}
	return cell{string(v), plain}
}

// Chains writes the state of satellites' logs.
func (p Printer) Chains(chains []api.AuditChain) error {
	if p.JSON {
		return objects(p.W, chains)
	}
	if len(chains) == 0 {
		return nil
	}
	t := newTable("SATELLITE", "CHAIN", "ENTRIES", "FROM", "HEAD")
	for _, c := range chains {
		is := cell{"whole", green}
		if c.Broken != "" {
			is = cell{"broken: " + c.Broken, red}
		}
		t.add(text(c.Satellite), is, text(strconv.FormatUint(c.Entries, 10)), text(strconv.FormatUint(c.First, 10)), text(c.Head))
	}
	return p.table(t)
}

// Hello writes who the caller is.
func (p Printer) Hello(h api.Hello) error {
	if p.JSON {
		return objects(p.W, []api.Hello{h})
	}
	var b strings.Builder
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-11s%s\n", name, Clean(value))
		}
	}
	row("account", h.Account)
	if h.Account == api.AccountLocal {
		row("", "root, on this satellite alone: the others")
		row("", "ask for an account's signature")
	}
	row("scope", scopeText(h.Scope))
	if !h.Scope.Full() {
		for _, hint := range scopeHint(h.Scope) {
			row("", hint)
		}
	}
	row("via", map[string]string{"socket": "this machine's own socket", "ssh": "ssh", "peer": "another satellite"}[h.Via])
	row("key", cmp.Or(h.Key, map[bool]string{true: "no SSH key was proved at the login"}[h.Via == "ssh"]))
	if h.Until != nil {
		row("until", utc(*h.Until)+" UTC")
	}
	row("satellite", h.Satellite+", "+h.ID)
	row("live", fmt.Sprintf("%d of %d satellites", h.Live, h.Known))
	_, err := io.WriteString(p.W, b.String())
	return err
}

// scopeText says what a scope lets one do.
func scopeText(s api.Scope) string {
	switch s {
	case api.ScopeRead:
		return "read: this login may only look"
	case api.ScopeOperate:
		return "operate: nothing for good, and no trust"
	}
	return "all that the account may do"
}

// scopeHint says how to have more than a scope, in lines that fit a narrow screen.
func scopeHint(s api.Scope) []string {
	if s == api.ScopeRead {
		return []string{"to do more, log in with an SSH key,", "or have your wallet sign for one:", "decenter key delegate"}
	}
	return []string{"to do more, log in with a signature", "of your wallet"}
}

// Refused are the lines about satellites that answered, but not this caller; empty for none.
func Refused(list []api.Refusal) string {
	s := ""
	for _, r := range list {
		s += Clean(r.Satellite) + " refuses: " + Clean(r.Reason) + "\n"
	}
	return s
}

// clockOff is from when on a clock's difference is worth a word; the constellation takes 30 s.
const clockOff = 5 * time.Second

// Clocks is a line about each satellite whose clock is not that of the asked one; empty where all agree.
func Clocks(nodes []api.Satellite) (text string) {
	for _, n := range nodes {
		off, way := time.Duration(n.ClockOff).Round(time.Second), "ahead of"
		if off < 0 {
			off, way = -off, "behind"
		}
		if off >= clockOff {
			text += fmt.Sprintf("the clock of %s is %s %s this satellite's: beyond 30s they refuse each other; see to NTP on both\n", Clean(n.Name), off, way)
		}
	}
	return text
}

// Strangers is the line about machines on a cable that nobody admitted; empty for none.
func Strangers(nodes []api.Satellite) string {
	for _, n := range nodes {
		if n.State == api.SatelliteStranger {
			return "a stranger is on a cable, and nothing is forwarded for it; if it is yours, see there\n" +
				"what decenter engine --fingerprint tells, and then: admit SHA256:…\n"
		}
	}
	return ""
}
