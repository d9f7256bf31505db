package tui

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"decenter/engine/api"

	_ "github.com/charmbracelet/x/exp/teatest/v2" // brings the flag -update
)

// screens are the states that are compared with what is kept in testdata/golden, at each size.
var screens = []struct {
	name string
	make func(m *Model)
}{
	{"home", func(*Model) {}},
	{"results", func(m *Model) { press(m, "web"); answer(m, testItems(40), "s2") }},
	{"selected", func(m *Model) { press(m, "web"); answer(m, mixedItems()); press(m, "<down><down>") }},
	{"nothing", func(m *Model) { press(m, "zzz"); answer(m, nil) }},
	{"vm", func(m *Model) { openVM(m); m.page().(*vmPage).meter.values = []float64{0, .2, .5, .9, 1, .4} }},
	{"vm-stop", func(m *Model) { openVM(m); press(m, "<f4>") }},
	{"jobs", func(m *Model) {
		press(m, "jobs<enter>")
		answerPage(m, api.JobsReply{Jobs: testJobs()})
		press(m, "<down>")
	}},
	{"watch", func(m *Model) {
		press(m, "watch 3f9a<enter>")
		answerPage(m, api.JobsReply{Jobs: testJobs()[:1]})
	}},
	{"satellites", func(m *Model) {
		press(m, "satellites<enter>")
		answerPage(m, api.SatellitesReply{Satellites: testSatellites()})
	}},
	{"tree", func(m *Model) { press(m, "tree<enter>"); answerPage(m, testTree()) }},
	{"console", func(m *Model) {
		press(m, "console web-1<enter>")
		m.Update(consoleMsg{to: m.page().(*consolePage), data: []byte("boot\r\n\x1b[32mok\x1b[0m\r\nlogin: ")})
	}},
	{"error", func(m *Model) { press(m, "vm sta!e<enter>") }},
	{"confirm", func(m *Model) { press(m, "delete web-1<enter>web-2<enter>") }},
	{"working", func(m *Model) {
		press(m, "create web-9<enter>")
		m.Update(actedMsg{seq: m.act.seq, outcome: Outcome{Job: &testJobs()[0]}})
	}},
	{"strangers", func(m *Model) {
		press(m, "satellites<enter>")
		answerPage(m, api.SatellitesReply{Satellites: append(testSatellites(), api.Satellite{Name: "02:00:00:00:00:09", State: api.SatelliteStranger, Address: "eth2"})})
		press(m, "<up><down><down><down><down>")
	}},
	{"refused", func(m *Model) {
		press(m, "web")
		m.Update(searchMsg{m.search.seq, api.SearchReply{Items: testItems(3), Took: 3e6,
			Refused: []api.Refusal{{Satellite: "s2", Reason: "the proof was made 41 seconds ago by its clock, more than 30"}}}, nil})
	}},
	{"readonly", func(m *Model) {
		m.Update(helloMsg{api.Hello{Satellite: "s1", Account: testAccount, Scope: api.ScopeRead, Via: "ssh"}})
	}},
	{"denied", func(m *Model) {
		press(m, "stop web-1<enter>")
		m.Update(actedMsg{seq: m.act.seq, err: &api.Error{Code: api.CodeDenied, Message: "this login may only look",
			Hint: "log in with an SSH key, or have your wallet sign for one: decenter key delegate"}})
	}},
	{"jobs-refused", func(m *Model) {
		press(m, "jobs<enter>")
		answerPage(m, api.JobsReply{Jobs: testJobs(), Refused: testRefused})
	}},
	{"satellites-refused", func(m *Model) {
		press(m, "satellites<enter>")
		answerPage(m, api.SatellitesReply{Satellites: testSatellites(), Refused: testRefused})
	}},
	{"audit-refused", func(m *Model) {
		press(m, "audit<enter>")
		r := testAudit()
		r.Refused = testRefused
		answerPage(m, r)
	}},
	{"owners", func(m *Model) {
		press(m, "trust<enter>")
		r := testTrust()
		r.Owners = append(r.Owners, longAccount, "1BitcoinEaterAddressDontSendf59kuE")
		answerPage(m, r)
	}},
	{"eject-nosuch", func(m *Model) { press(m, "eject nosuch<enter>") }},
	{"sign", proposed},
	{"sign-copied", func(m *Model) { proposed(m); press(m, "<ctrl+y>") }},
	{"sign-pasted", func(m *Model) { proposed(m); m.Update(tea.PasteMsg{Content: strings.Repeat("H9L5", 22)}) }},
	{"sign-refused", func(m *Model) {
		proposed(m)
		press(m, "H9L5<enter>")
		m.Update(actedMsg{seq: m.act.seq, err: &api.Error{Code: api.CodeDenied, Message: "the signature is not that of " + testAccount,
			Hint: "sign the whole line, as that account, and nothing else"}})
	}},
	{"signed", func(m *Model) {
		proposed(m)
		press(m, "H9L5<enter>")
		m.Update(actedMsg{seq: m.act.seq, outcome: Outcome{Text: "in force, signed by " + testAccount + "\n"}})
	}},
	{"trust", func(m *Model) {
		press(m, "trust<enter>")
		answerPage(m, testTrust())
		press(m, "<down><down>")
	}},
	{"statement", func(m *Model) {
		press(m, "trust<enter>")
		answerPage(m, testTrust())
		press(m, "<down><enter>")
	}},
	{"audit", func(m *Model) {
		press(m, "audit<enter>")
		answerPage(m, testAudit())
		press(m, "<down><down>")
	}},
	{"audit-verify", func(m *Model) {
		press(m, "audit verify:yes<enter>")
		r := testAudit()
		r.Chains = []api.AuditChain{{Satellite: "s1", Entries: 41_205, First: 1, Head: strings.Repeat("ab", 32)},
			{Satellite: "s2", Entries: 77, First: 1, Head: strings.Repeat("cd", 32), Broken: "entry 41 does not follow entry 40"}}
		answerPage(m, r)
	}},
	{"entry", func(m *Model) {
		press(m, "audit<enter>")
		answerPage(m, testAudit())
		press(m, "<down><enter>")
	}},
	{"offers", func(m *Model) { press(m, "c<tab>") }},
	{"help", func(m *Model) { press(m, "<f1>"); answerPage(m, Outcome{Text: strings.Repeat("a line of help\n", 60)}) }},
}

// testKey is a fingerprint, and longestLine a statement as long as one can be.
const (
	testKey     = "SHA256:1xW0OZkTVhIQrNwHRG1C1ZMTZpOA8mT3DCJcDsRCkzg"
	longAccount = "bcrt1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqvg32hk"
	longestLine = "decenter grant 1 in constellati as " + longAccount + " operator to " + longAccount + " on vm:0123456789abcdef0123456789abcdef at 2026-01-02T03:04:05Z"
)

// proposed is a console that waits for a signature of the longest line.
func proposed(m *Model) {
	press(m, "admit "+testKey+"<enter>")
	m.Update(actedMsg{seq: m.act.seq, outcome: Outcome{Proposal: &api.Proposal{Line: longestLine, Account: longAccount}}})
}

func testTrust() api.TrustReply {
	until := testNow.AddDate(0, 1, 0)
	signed := func(s api.Statement) api.Statement {
		s.Account, s.Time = testAccount, testNow.Add(-time.Duration(len(s.About()))*time.Hour)
		s.Signed = api.Signed{Line: "decenter " + string(s.Kind) + " 1 in home as " + testAccount + " …", Signature: strings.Repeat("H9L5yLFj", 11)}
		return s
	}
	return api.TrustReply{Constellation: "home", Owners: []string{testAccount}, Statements: []api.Statement{
		signed(api.Statement{Kind: api.StatementDelegate, Key: testKey, Scope: api.ScopeOperate, Until: &until}),
		signed(api.Statement{Kind: api.StatementAdmit, Key: testKey}),
		signed(api.Statement{Kind: api.StatementGrant, Role: api.RoleOperator, Grantee: "1BitcoinEaterAddressDontSendf59kuE", Object: "array@s1"}),
		signed(api.Statement{Kind: api.StatementRevoke}),
	}}
}

var testRefused = []api.Refusal{{Satellite: "s2", Reason: "the proof was made 41 seconds ago by its clock, more than 30"}}

func testAudit() api.AuditReply {
	entry := func(seq uint64, action, object string, v api.Verdict, reason string, n int) api.AuditEntry {
		return api.AuditEntry{Satellite: "s1", Seq: seq, Time: testNow.Add(time.Duration(seq) * time.Second), Account: testAccount, Key: testKey, Via: "ssh",
			Action: action, Object: object, Verdict: v, Reason: reason, Count: n}
	}
	return api.AuditReply{Entries: []api.AuditEntry{
		entry(9, "delete", "web-1", api.VerdictDeny, "the delegation's scope is operate: what cannot be undone needs all", 0),
		entry(8, "read", "", api.VerdictAllow, "owns the constellation", 12),
		entry(7, "login", "s1", api.VerdictAllow, "any account may", 0),
	}}
}

func openVM(m *Model) {
	press(m, "web-0")
	answer(m, testItems(1))
	press(m, "<down><enter>")
	v := testVM(0)
	answerPage(m, v)
}

func mixedItems() []api.Item {
	sat, job := testSatellites()[0], testJobs()[0]
	suit := api.Spacesuit{Name: "webby", Satellite: "s3", Size: 8 << 30, Allocated: 1 << 30, Created: testNow.AddDate(0, -1, 0)}
	return append(testItems(3),
		api.Item{Kind: api.KindSpacesuit, Name: suit.Name, Satellite: suit.Satellite, Spacesuit: &suit},
		api.Item{Kind: api.KindSatellite, Name: sat.Name, State: string(sat.State), Satellite: sat.Name, Node: &sat},
		api.Item{Kind: api.KindJob, Name: job.ID, State: string(job.State), Satellite: job.Satellite, Job: &job})
}

var sizes = [][2]int{{20, 5}, {60, 16}, {80, 24}, {200, 50}}

func TestGoldenScreens(t *testing.T) {
	update := flag.Lookup("update").Value.String() == "true"
	for _, s := range screens {
		for _, size := range sizes {
			name := fmt.Sprintf("%s-%dx%d", s.name, size[0], size[1])
			t.Run(name, func(t *testing.T) {
				m := ready(t, size[0], size[1])
				s.make(m)
				v := m.View()
				if bad := checkFrame(v.Content, size[0], size[1]); bad != "" {
					t.Error(bad)
				}
				var got strings.Builder
				for line := range strings.Lines(ansi.Strip(v.Content) + "\n") {
					got.WriteString(strings.TrimRight(line, " \n") + "\n")
				}
				if v.Cursor != nil {
					fmt.Fprintf(&got, "[cursor %d,%d]\n", v.Cursor.X, v.Cursor.Y)
				}
				path := filepath.Join("testdata", "golden", name+".txt")
				if update {
					if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if got.String() != string(want) {
					t.Errorf("got\n%s\nwant\n%s(go test ./tui -update takes the new screens)", got.String(), want)
				}
			})
		}
	}
}
