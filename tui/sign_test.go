package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// What is selected over several rows of a screen has line ends in it; the clipboard gets the line as it is.
func TestTheLineToSignIsCopiedWhole(t *testing.T) {
	for _, size := range [][2]int{{20, 5}, {60, 16}, {80, 24}} {
		m := ready(t, size[0], size[1])
		proposed(m)
		cmd := press(m, "<ctrl+y>")
		if cmd == nil || cmd() != tea.SetClipboard(longestLine)() {
			t.Fatalf("at %v Ctrl-Y copies something else", size)
		}
		if size[1] > 5 { // the rows of the screen, put together, are the line and nothing else
			rows := strings.Split(screen(m), "\n")
			var all strings.Builder
			for _, r := range rows {
				all.WriteString(r + strings.Repeat(" ", max(0, size[0]-len(r))))
			}
			if !strings.Contains(all.String(), longestLine) {
				t.Errorf("at %v the rows do not make the line:\n%s", size, screen(m))
			}
		}
	}
}

func TestAPastedSignatureIsHandedIn(t *testing.T) {
	for _, pasted := range []string{"H9L5yLFj", "  H9L5yLFj \r\n", "H9L5\r\nyLFj\n"} {
		m := ready(t, 80, 24)
		proposed(m)
		if m.lang.(*fakeLanguage).executed != nil || m.act.line != "" {
			t.Fatal("something was done before it was signed")
		}
		m.Update(tea.PasteMsg{Content: pasted})
		got := executed(m, press(m, "<enter>"))
		if len(got) != 1 || got[0] != "declare H9L5yLFj" {
			t.Errorf("%q: handed in %q", pasted, got)
		}
		mustShow(t, m, "handing it in")
		press(m, "<enter>")
		m.Update(actedMsg{seq: m.act.seq, outcome: Outcome{Text: "in force\n"}})
		mustShow(t, m, "in force", "admit "+testKey)
		if m.sign != nil || m.box.value() != "" {
			t.Error("the signature is still asked for")
		}
	}
}

func TestARefusedSignatureCanBeGivenAgain(t *testing.T) {
	m := ready(t, 80, 24)
	proposed(m)
	press(m, "<enter>")
	mustShow(t, m, "paste the signature first")
	press(m, "AAAA<enter>")
	m.Update(actedMsg{seq: m.act.seq, err: &api.Error{Code: api.CodeDenied, Message: "another key made it"}})
	mustShow(t, m, "another key made it", "signature?")
	press(m, "B")
	if strings.Contains(screen(m), "another key made it") {
		t.Error("the error stays after an edit")
	}
	if m.sign == nil || m.sign.proposal.Line != longestLine {
		t.Fatal("the line is gone")
	}
}

func TestEscLeavesASignature(t *testing.T) {
	for _, keys := range []string{"<esc>", "H9<esc>", "<ctrl+c>", "H9L5<enter><esc>", "<f1><f7><tab><up><down><ctrl+d><esc>"} {
		m := ready(t, 80, 24)
		proposed(m)
		seq := m.act.seq
		press(m, keys)
		if m.sign != nil || m.page() != nil || m.done || m.box.value() != "admit "+testKey {
			t.Errorf("%s: still asked, or elsewhere; the box holds %q", keys, m.box.value())
		}
		mustShow(t, m, "nothing was done")
		m.Update(actedMsg{seq: seq, outcome: Outcome{Proposal: &api.Proposal{Line: longestLine}}}) // too late
		if m.sign != nil {
			t.Errorf("%s: asked again", keys)
		}
	}
}

// A satellite could hide in a line what the person does not see.
func TestALineThatCannotBeShownIsNotSigned(t *testing.T) {
	for _, line := range []string{"", "decenter\x1b[8m admit", "decenter admit\nx", "decenter \u202eadmit", "decénter", strings.Repeat("x", 241)} {
		m := ready(t, 80, 24)
		press(m, "admit "+testKey+"<enter>")
		m.Update(actedMsg{seq: m.act.seq, outcome: Outcome{Proposal: &api.Proposal{Line: line, Account: testAccount}}})
		if m.sign != nil {
			t.Errorf("%q is to be signed", line)
		}
		mustShow(t, m, "sign nothing of it")
	}
}

func TestEjectAsksForTheNameAndThenForTheSignature(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "eject s3<enter>")
	mustShow(t, m, "Its connections end", "Type s3")
	press(m, "s3<enter>")
	if m.act.line != "eject s3 confirm:s3" {
		t.Fatalf("executed %q", m.act.line)
	}
	m.Update(actedMsg{seq: m.act.seq, outcome: Outcome{Proposal: &api.Proposal{Line: longestLine, Account: longAccount}}})
	mustShow(t, m, "signature?", "! eject s3 confirm:s3")
	press(m, "<esc>")
	if m.box.value() != "eject s3" {
		t.Errorf("the line given back is %q: Enter would go on unasked", m.box.value())
	}
}

// Of a satellite that is known, the name is asked for: nobody types a fingerprint.
func TestEjectByFingerprintAsksForTheName(t *testing.T) {
	m := ready(t, 80, 24)
	sats := testSatellites()
	sats[2].ID = testKey
	m.Update(countsMsg{satellites: api.SatellitesReply{Satellites: sats}})
	press(m, "eject "+testKey+"<enter>")
	mustShow(t, m, "Type s3 and Enter")
	press(m, "s3<enter>")
	if m.act.line != "eject "+testKey+" confirm:s3" {
		t.Errorf("executed %q", m.act.line)
	}
	m = ready(t, 80, 24)
	press(m, "eject "+testKey+"<enter>")
	mustShow(t, m, "\n  "+testKey) // in full, to be compared
}

func TestTrustAndAuditAreFilteredByTheirLine(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "trust grant<enter>")
	answerPage(m, testTrust())
	mustShow(t, m, "operator to")
	if len(m.page().(*trustPage).reply.Statements) != 1 {
		t.Errorf("%d statements", len(m.page().(*trustPage).reply.Statements))
	}
	press(m, "<down><f8>")
	if got := m.box.value(); got != "grant none 1BitcoinEaterAddressDontSendf59kuE on:array@s1" {
		t.Errorf("F8 writes %q", got)
	}
	m = ready(t, 80, 24)
	press(m, "audit<enter>")
	answerPage(m, testAudit())
	press(m, "<down>")
	r := testAudit()
	r.Entries = append([]api.AuditEntry{{Satellite: "s2", Seq: 1, Time: testNow, Action: "read", Verdict: api.VerdictAllow}}, r.Entries...)
	answerPage(m, r)
	if e := m.page().(*auditPage).selected(); e == nil || e.Seq != 9 {
		t.Errorf("selected %+v", e)
	}
}

// However small the screen, every head can be read in full, by scrolling.
func TestHeadsOfLogsAreNeverCut(t *testing.T) {
	head := strings.Repeat("0123456789abcdef", 4)
	for _, size := range [][2]int{{20, 5}, {60, 16}, {80, 24}, {200, 50}} {
		m := ready(t, size[0], size[1])
		press(m, "audit verify:yes<enter>")
		r := api.AuditReply{}
		for _, name := range []string{"s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9"} {
			r.Chains = append(r.Chains, api.AuditChain{Satellite: name, Entries: 1, First: 1, Head: head})
		}
		answerPage(m, r)
		part := pieces(head, size[0]-2)
		screen(m) // tells the page how many lines there are
		for range m.page().(*chainsPage).all {
			press(m, "<down>")
		}
		last := strings.Join(strings.Fields(screen(m)), " ")
		if !strings.Contains(last, strings.Join(part[max(0, len(part)-2):], " ")) {
			t.Errorf("at %v the last head is not whole at the end:\n%s", size, screen(m))
		}
	}
}
