package output

import (
	"cmp"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"decenter/engine/api"
)

const dayAndTime = "2006-01-02 15:04:05"

func utc(t time.Time) string { return t.UTC().Format(dayAndTime) }

// Trust writes whom a satellite trusts; as JSON the whole reply, one object.
func (p Printer) Trust(r api.TrustReply) error {
	if p.JSON {
		return objects(p.W, []api.TrustReply{r})
	}
	if _, err := io.WriteString(p.W, "constellation "+Clean(r.Constellation)+"\n"+p.owners(r.Owners)); err != nil {
		return err
	}
	if len(r.Statements) == 0 {
		return nil
	}
	if _, err := io.WriteString(p.W, "\n"); err != nil {
		return err
	}
	return p.table(p.statements(r.Statements))
}

// owners are the accounts that the configuration names: on one line, or where that is too long, each on its own.
func (p Printer) owners(accounts []string) string {
	const lead = "owners by configuration:"
	all := make([]string, len(accounts))
	for i, a := range accounts {
		all[i] = Clean(a)
	}
	line := lead + " " + strings.Join(all, ", ")
	switch {
	case len(all) == 0:
		return lead + " none but root on a satellite itself\n"
	case p.Width == 0 || ansi.StringWidth(line) <= p.Width:
		return line + "\n"
	}
	return lead + "\n  " + strings.Join(all, "\n  ") + "\n"
}

// statements is the table of them; where it is tight, who signed goes before the times.
func (p Printer) statements(list []api.Statement) *table {
	tight := p.Width > 0 && p.Width < 80
	at, headings := dayAndTime, []string{"SAYS", "ABOUT", "SIGNED BY", "SINCE (UTC)", "UNTIL (UTC)"}
	switch {
	case tight:
		headings = headings[:3]
	case p.narrow():
		at = "2006-01-02"
	}
	t := newTable(headings...)
	for _, s := range list {
		until := ""
		if s.Until != nil {
			until = s.Until.UTC().Format(at)
		}
		if p.narrow() {
			s.Key, s.Grantee, s.Account = middle(s.Key, 18), middle(s.Grantee, 14), middle(s.Account, 14)
		}
		row := []cell{text(string(s.Kind)), text(s.About()), {text: s.Account, keep: true}, text(s.Time.UTC().Format(at)), text(until)}
		t.add(row[:len(headings)]...)
	}
	return t
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

// Audit writes entries: nothing for none, not even headings. A narrow screen does not get every column; who asked is on
// each. What an entry is about may be as long as a statement; where there is no screen, such a one stands out.
func (p Printer) Audit(entries []api.AuditEntry) error {
	if p.JSON {
		return objects(p.W, entries)
	}
	if len(entries) == 0 {
		return nil
	}
	if p.narrow() {
		return p.table(p.fewColumns(entries))
	}
	t := newTable("TIME (UTC)", "SATELLITE", "VERDICT", "ACTION", "ACCOUNT", "VIA", "OBJECT", "REASON")
	t.aligned = 64 // an address, a fingerprint
	for _, e := range entries {
		account := e.Account
		if p.Width > 0 && p.Width < 160 {
			account = middle(account, 14)
		}
		t.add(kept(utc(e.Time)), kept(e.Satellite), verdict(e.Verdict), kept(times(e)), kept(account), kept(e.Via), text(e.Object), text(e.Reason))
	}
	return p.table(t)
}

// fewColumns is the table of entries for a narrow screen.
func (p Printer) fewColumns(entries []api.AuditEntry) *table {
	headings := []string{"AT (UTC)", "VERDICT", "ACTION", "WHO", "OBJECT", "REASON"}
	if p.Width < 80 {
		headings = headings[:5]
	}
	t := newTable(headings...)
	for _, e := range entries {
		row := []cell{kept(e.Time.UTC().Format("01-02 15:04:05")), verdict(e.Verdict), kept(times(e)), kept(middle(e.Account, 14)), text(e.Object), text(e.Reason)}
		t.add(row[:len(headings)]...)
	}
	return t
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
		return cell{text: string(v), style: red, keep: true}
	}
	return cell{text: string(v), keep: true}
}

// Chains writes the state of satellites' logs. Heads are written down elsewhere, so none is ever cut: one that does not
// fit the screen beside the rest has lines of its own.
func (p Printer) Chains(chains []api.AuditChain) error {
	if p.JSON {
		return objects(p.W, chains)
	}
	if len(chains) == 0 {
		return nil
	}
	t := newTable("SATELLITE", "CHAIN", "ENTRIES", "FROM", "HEAD")
	for _, c := range chains {
		is := cell{text: "whole", style: green}
		if c.Broken != "" {
			is = cell{text: "broken: " + c.Broken, style: red}
		}
		t.add(text(c.Satellite), is, text(strconv.FormatUint(c.Entries, 10)), text(strconv.FormatUint(c.First, 10)), text(c.Head))
	}
	if p.Width == 0 || t.natural() <= p.Width {
		return p.table(t)
	}
	t = t.without("HEAD")
	for _, c := range chains {
		t.below = append(t.below, pieces(Clean(c.Head), p.Width-len(gap)))
	}
	return p.table(t)
}

// pieces breaks a hash into equal parts that fit a width: halves, quarters and so on.
func pieces(hash string, w int) []string {
	n := len(hash)
	for n > w && n > 8 {
		n = (n + 1) / 2
	}
	var out []string
	for ; len(hash) > n; hash = hash[n:] {
		out = append(out, hash[:n])
	}
	return append(out, hash)
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
	row("role", roleText(h.Role))
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
	if h.Ejected {
		row("", "which was put out of the constellation:")
		row("", "the others hear it no more")
	}
	row("live", fmt.Sprintf("%d of %d satellites", h.Live, h.Known))
	_, err := io.WriteString(p.W, b.String())
	return err
}

// roleText says what a role with all is; nothing where the satellite did not tell.
func roleText(r api.Role) string {
	switch r {
	case api.RoleOwner:
		return "owner: everything"
	case api.RoleOperator:
		return "operator: all VMs, but for deleting them"
	case api.RoleReader:
		return "reader: looks at everything"
	case api.RoleTenant:
		return "tenant: VMs of its own"
	case api.RoleNone:
		return "none: what was granted of single VMs"
	}
	return ""
}

// scopeText says what a scope lets one do.
func scopeText(s api.Scope) string {
	switch s {
	case api.ScopeRead:
		return "read: this login may only look"
	case api.ScopeOperate:
		return "operate: all but what cannot be undone"
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
