package tui

import (
	"math/rand/v2"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// player turns bytes into anything that can happen to a console.
type player struct {
	m  *Model
	in []byte
}

func (p *player) next() int {
	if len(p.in) == 0 {
		return 0
	}
	b := p.in[0]
	p.in = p.in[1:]
	return int(b)
}

// hostile is text that a guest or a broken satellite could send.
var hostile = []string{
	"web", "\x1b[2J\x1b[H", "日本語サーバー", "a\u0301\u0301\u0301\u0301\u0301", "\u202eevil\u202c", "x\r\ny", "\u009b31m", "👨‍👩‍👧‍👦", "🇯🇵🇯🇵", "\xff\xfe", "\x1b]0;title\x07",
	"", strings.Repeat("long-", 60), "\u200b\ufeff\ufe0f", "ﷺ", "각", "\x1b[31m", "\x1b]52;c;aGk=\x07", "\t\v\f",
}

func (p *player) text() string { return hostile[p.next()%len(hostile)] }

func (p *player) vm() *api.VM {
	v := testVM(p.next() % 6)
	v.Name, v.State, v.Satellite, v.From, v.Owner = p.text(), api.VMState(p.text()), p.text(), p.text(), p.text()
	v.NICs[0].Addresses[0], v.NICs[0].MAC, v.Disks[0].Name, v.Accel = p.text(), p.text(), p.text(), p.text()
	v.CPUTime, v.Memory = uint64(p.next())*1e8, uint64(p.next())<<p.next()
	return &v
}

func (p *player) job() *api.Job {
	j := testJobs()[p.next()%3]
	j.Verb, j.Object, j.Step, j.Error, j.Satellite, j.Account = p.text(), p.text(), p.text(), p.text(), p.text(), p.text()
	j.Done, j.Total = uint64(p.next()), uint64(p.next())
	return &j
}

func (p *player) satellites() (list []api.Satellite) {
	for range p.next() % 5 {
		s := testSatellites()[p.next()%3]
		s.Name, s.Address, s.Version, s.Accel, s.Load, s.Memory = p.text(), p.text(), p.text(), p.text(), float64(p.next()), uint64(p.next())
		list = append(list, s)
	}
	return list
}

func (p *player) items() []api.Item {
	var items []api.Item
	for range p.next() % 30 {
		it := mixedItems()[p.next()%6]
		switch {
		case it.VM != nil:
			it.VM = p.vm()
		case it.Job != nil:
			it.Job = p.job()
		}
		it.Name, it.State, it.Satellite = p.text(), p.text(), p.text()
		items = append(items, it)
	}
	return items
}

func (p *player) err() error {
	return &api.Error{Code: api.CodeFailed, Message: p.text(), Hint: p.text(), Column: p.next() - 5}
}

var fuzzKeys = typed("web-0 !:<enter><enter><esc><tab><shift+tab><up><down><down><pgup><pgdown><backspace><left><ctrl+c><ctrl+w><ctrl+y><f1><f2><f4><f7><f8><f9><f10><ctrl+]>日é")

var fuzzLines = []string{"jobs<enter>", "tree<enter>", "satellites<enter>", "watch 3f9a<enter>", "console web-1<enter>", "help<enter>", "delete web-1<enter>",
	"trust<enter>", "audit<enter>", "admit x<enter>", "eject s3<enter>s3<enter>", "web-1<enter>", "create web-9<enter>", "vm sta!e<enter>", "web", "stop web-"}

// pageAnswer gives the shown page an answer of its kind, or an error.
func (p *player) pageAnswer() tea.Msg {
	to := p.m.page()
	if p.next()%4 == 0 && to != nil {
		return pageMsg{to: to, err: p.err()}
	}
	switch to.(type) {
	case *vmPage:
		return pageMsg{to: to, value: *p.vm()}
	case *jobsPage, *watchPage:
		return pageMsg{to: to, value: api.JobsReply{Jobs: []api.Job{*p.job(), *p.job()}, Silent: []string{p.text()}}}
	case *satellitesPage:
		return pageMsg{to: to, value: api.SatellitesReply{Satellites: p.satellites()}}
	case *trustPage:
		r := testTrust()
		r.Constellation, r.Owners, r.Statements[0].Key, r.Statements[1].Account = p.text(), []string{p.text(), p.text()}, p.text(), p.text()
		r.Statements[2].Grantee, r.Statements[2].Object, r.Statements[3].Kind, r.Statements[1].Signed.Line = p.text(), p.text(), api.StatementKind(p.text()), p.text()
		return pageMsg{to: to, value: r}
	case *auditPage:
		r := testAudit()
		e := &r.Entries[p.next()%3]
		e.Satellite, e.Account, e.Key, e.Via, e.Action, e.Object, e.Reason, e.Verdict = p.text(), p.text(), p.text(), p.text(), p.text(), p.text(), p.text(), api.Verdict(p.text())
		r.Chains = []api.AuditChain{{Satellite: p.text(), Head: p.text(), Broken: p.text()}}
		return pageMsg{to: to, value: r}
	case *treePage:
		t := testTree()
		t.Satellite, t.Root, t.Nodes[1].Name, t.Nodes[2].Parent, t.Ports[1].Role = p.text(), p.text(), p.text(), "02:00:00:00:00:03", p.text()
		t.Links[0].APort, t.Ports[0].Name, t.Ports[0].Neighbour = p.text(), p.text(), p.text()
		return pageMsg{to: to, value: t}
	case *textPage:
		return pageMsg{to: to, value: Outcome{Text: p.text() + "\n" + p.text()}}
	}
	return nil
}

// message gives the next thing that happens.
func (p *player) message() tea.Msg {
	m := p.m
	switch p.next() % 17 {
	case 16:
		line := longestLine
		if p.next()%3 == 0 {
			line = p.text()
		}
		return actedMsg{seq: m.act.seq, outcome: Outcome{Proposal: &api.Proposal{Line: line, Account: p.text()}}}
	case 0:
		return tea.WindowSizeMsg{Width: p.next() % 220, Height: p.next() % 60}
	case 1:
		return searchMsg{m.search.seq, api.SearchReply{Items: p.items(), Silent: []string{p.text()}, Refused: []api.Refusal{{Satellite: p.text(), Reason: p.text()}}}, nil}
	case 2:
		return searchMsg{m.search.seq, api.SearchReply{}, p.err()}
	case 3:
		return eventsMsg{m.feed.gen, []api.Event{{Kind: api.EventVM, VM: p.vm(), Gone: p.next()%5 == 0}, {Kind: api.EventJob, Job: p.job()}, {Kind: api.EventLost}}}
	case 4:
		return countsMsg{satellites: api.SatellitesReply{Satellites: p.satellites()}, jobs: api.JobsReply{Jobs: []api.Job{*p.job()}}}
	case 5:
		return actedMsg{seq: m.act.seq, outcome: Outcome{Text: strings.Repeat(p.text()+"\n", p.next()%12), Job: p.job()}}
	case 6:
		return actedMsg{seq: m.act.seq, err: p.err()}
	case 7:
		return helloMsg{api.Hello{Satellite: p.text(), Account: p.text(), Scope: api.Scope(p.text())}}
	case 8, 9:
		return p.pageAnswer()
	case 10:
		return tea.PasteMsg{Content: p.text()}
	case 11:
		if c, ok := m.page().(*consolePage); ok {
			return consoleMsg{to: c, data: []byte(p.text() + p.text())}
		}
		return beatMsg{}
	case 12:
		for _, k := range typed(fuzzLines[p.next()%len(fuzzLines)]) {
			m.Update(k)
		}
		return nil
	}
	return fuzzKeys[p.next()%len(fuzzKeys)]
}

// play runs a whole input and checks each frame.
func play(t *testing.T, in []byte) {
	p := player{m: ready(t, 80, 24), in: in}
	for len(p.in) > 0 {
		msg := p.message()
		if p.m.done { // quit: begin again
			p.m = ready(t, p.m.w, p.m.h)
		}
		if msg != nil {
			p.m.Update(msg)
		}
		v := p.m.View()
		if bad := checkFrame(v.Content, p.m.w, p.m.h); bad != "" {
			t.Fatalf("after %#v: %s\n%s", msg, bad, v.Content)
		}
		if c := v.Cursor; c != nil && (c.X < 0 || c.X >= p.m.w || c.Y < 0 || c.Y >= p.m.h) {
			t.Fatalf("cursor at %d,%d of %dx%d", c.X, c.Y, p.m.w, p.m.h)
		}
		if strings.ContainsFunc(v.WindowTitle, func(r rune) bool { return r < ' ' || r >= 0x7f && r < 0xa0 }) {
			t.Fatalf("title %q", v.WindowTitle)
		}
	}
}

func FuzzUpdate(f *testing.F) {
	f.Add([]byte("\x0c\x00\x08\x01\x01\x02"))
	f.Add([]byte{0, 20, 5, 12, 4, 11, 1, 2, 0, 1, 1})
	f.Fuzz(func(t *testing.T, in []byte) { play(t, in[:min(len(in), 2000)]) })
}

// TestAnythingCanHappen plays inputs from one seed: the fuzzer's part of every run.
func TestAnythingCanHappen(t *testing.T) {
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 7))
		in := make([]byte, 400)
		for i := range in {
			in[i] = byte(r.UintN(256))
		}
		play(t, in)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}
