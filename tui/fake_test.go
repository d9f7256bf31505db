package tui

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// fakeLanguage is a grammar of a few verbs, enough to drive the console without the shell.
type fakeLanguage struct {
	executed []string
}

var fakeVerbs = map[string]string{
	"admit": "", "eject": "", "grant": "", "revoke": "", "trust": "trust", "audit": "audit",
	"create": "", "start": "", "stop": "", "pause": "", "resume": "", "reset": "", "delete": "", "cancel": "",
	"console": "console", "jobs": "jobs", "watch": "watch", "satellites": "satellites", "tree": "tree", "help": "help", "quit": "quit",
}

func (*fakeLanguage) Parse(line string) (Intent, error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return Intent{}, nil
	}
	view, verb := fakeVerbs[words[0]]
	if !verb {
		if i := strings.Index(line, "!"); i >= 0 {
			return Intent{}, &api.Error{Code: api.CodeInvalid, Message: `"!" is no word`, Hint: "leave it out", Column: len([]rune(line[:i])) + 1}
		}
		return Intent{Query: api.Query{Words: words}}, nil
	}
	in := Intent{Verb: words[0], View: view, Hint: words[0] + " NAME"}
	if words[0] == "tree" && len(words) > 2 {
		in.View, in.Object = "", words[2]
		return in, nil
	}
	if len(words) > 1 {
		in.Object = words[1]
	} else if view == "" || view == "console" || view == "watch" {
		return Intent{}, &api.Error{Code: api.CodeInvalid, Message: words[0] + " needs a name", Hint: words[0] + " NAME", Column: len(line) + 1}
	}
	if words[0] == "audit" {
		in.Audit.Verify = strings.Contains(line, "verify:yes")
	}
	if words[0] == "trust" {
		in.Object, in.Query.Words = "", words[1:]
	}
	if (words[0] == "delete" || words[0] == "eject") && !strings.Contains(line, "confirm:"+in.Object) {
		in.Confirm = in.Object
	}
	return in, nil
}

func (*fakeLanguage) Complete(line string, cursor int) []Suggestion {
	var out []Suggestion
	for _, v := range []string{"create", "console", "delete", "jobs"} {
		if line[:cursor] != "" && strings.HasPrefix(v, line[:cursor]) {
			out = append(out, Suggestion{0, v, "the verb " + v})
		}
	}
	return out
}

func (l *fakeLanguage) Execute(ctx context.Context, svc api.Service, line string) (Outcome, error) {
	l.executed = append(l.executed, line)
	words := strings.Fields(line)
	var job api.Job
	var err error
	switch words[0] {
	case "tree":
		return Outcome{Text: words[2] + " has priority " + words[3] + "\n"}, nil
	case "help":
		return Outcome{Text: strings.Repeat("help is a line\n", 40)}, nil
	case "admit", "eject":
		if svc == nil {
			return Outcome{}, nil
		}
		p, err := svc.Propose(ctx, api.ProposeRequest{Kind: api.StatementKind(words[0]), Key: words[1]})
		return Outcome{Proposal: &p}, err
	case "create":
		job, err = svc.Create(ctx, api.CreateRequest{Name: words[1], From: "tiny"})
	case "delete":
		job, err = svc.Delete(ctx, api.DeleteRequest{VM: words[1], Confirm: words[1]})
	default:
		job, err = svc.Control(ctx, api.ControlRequest{VM: words[1], Act: api.Act(words[0])})
	}
	return Outcome{Job: &job}, err
}

func (l *fakeLanguage) Declare(ctx context.Context, svc api.Service, s api.Signed) (Outcome, error) {
	l.executed = append(l.executed, "declare "+s.Signature)
	if svc == nil {
		return Outcome{Text: "in force: admit\n"}, nil
	}
	_, err := svc.Declare(ctx, s)
	return Outcome{Text: "in force: admit\n"}, err
}

var testNow = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

const testAccount = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"

// newTest makes a console without a service: the test is the service, and sends its answers itself.
func newTest(t testing.TB, w, h int) *Model {
	m := newModel(nil, &fakeLanguage{}, Options{Width: w, Height: h, Now: func() time.Time { return testNow }, Version: "0.1"})
	t.Cleanup(m.cancel)
	return m
}

// ready is newTest after the first answers.
func ready(t testing.TB, w, h int) *Model {
	m := newTest(t, w, h)
	m.Update(helloMsg{api.Hello{Satellite: "s1", Account: testAccount, Version: "0.1", Live: 3, Known: 3}})
	m.Update(countsMsg{satellites: api.SatellitesReply{Satellites: testSatellites()}, jobs: api.JobsReply{Jobs: testJobs()}})
	return m
}

func testSatellites() []api.Satellite {
	sat := func(i int, state api.SatelliteState, load float64) api.Satellite {
		return api.Satellite{
			Name: fmt.Sprintf("s%d", i), ID: fmt.Sprintf("SHA256:%d", i), State: state, Address: fmt.Sprintf("10.77.0.%d", i), Version: "0.1",
			VMs: 3, Running: 2, CPUs: 8, Memory: 16 << 30, MemoryFree: uint64(16-4*i) << 30, Load: load, Accel: "kvm", Uptime: 86400 * int64(i),
		}
	}
	return []api.Satellite{sat(1, api.SatelliteLive, 1.2), sat(2, api.SatelliteSilent, 6.5), sat(3, api.SatelliteLive, 0.1)}
}

func testVM(i int) api.VM {
	states := []api.VMState{api.StateRunning, api.StateRunning, api.StateStopped, api.StatePaused, api.StateCrashed}
	return api.VM{
		ID: fmt.Sprintf("00000000-0000-4000-8000-%012d", i), Name: fmt.Sprintf("web-%d", i), State: states[i%5], Satellite: fmt.Sprintf("s%d", i%3+1),
		From: "tiny", Owner: testAccount, CPU: 2, Memory: 2 << 30, Accel: "kvm", Created: testNow.Add(-time.Duration(i+1) * time.Hour), CPUTime: 9e9,
		Disks: []api.Disk{{Name: "vda", Size: 20 << 30, Allocated: 3 << 30}}, Agent: true,
		NICs: []api.NIC{{MAC: fmt.Sprintf("52:54:00:00:00:%02x", i%256), Addresses: []string{fmt.Sprintf("10.80.%d.%d", i/250, i%250+1), "fe80::1"}}},
	}
}

func testItems(n int) []api.Item {
	items := make([]api.Item, n)
	for i := range items {
		v := testVM(i)
		items[i] = api.Item{Kind: api.KindVM, Name: v.Name, State: string(v.State), Satellite: v.Satellite, VM: &v}
	}
	return items
}

func testJobs() []api.Job {
	ended := testNow.Add(-time.Minute)
	return []api.Job{
		{ID: "3f9a0001", Verb: "create", Object: "web-9", Satellite: "s2", Account: testAccount, State: api.JobRunning, Step: "copying the disk", Done: 3 << 30, Total: 8 << 30, Started: testNow.Add(-20 * time.Second)},
		{ID: "3f9a0002", Verb: "delete", Object: "old", Satellite: "s1", Account: testAccount, State: api.JobDone, Done: 2, Total: 2, Started: ended.Add(-2 * time.Second), Ended: &ended},
		{ID: "3f9a0003", Verb: "stop", Object: "db-1", Satellite: "s3", Account: testAccount, State: api.JobFailed, Error: "the guest does not answer", Started: ended.Add(-time.Minute), Ended: &ended},
	}
}

func testTree() api.Tree {
	return api.Tree{
		Satellite: "s2", Root: "s1",
		Nodes: []api.TreeNode{
			{ID: "02:00:00:00:00:01", Name: "s1", Priority: 4096, MACs: 3},
			{ID: "02:00:00:00:00:02", Name: "s2", Priority: 32768, Parent: "02:00:00:00:00:01", Distance: 20, MACs: 2},
			{ID: "02:00:00:00:00:03", Name: "s3", Priority: 32768, Parent: "02:00:00:00:00:02", Distance: 40, MACs: 1},
			{ID: "02:00:00:00:00:04", Name: "s4", Priority: 32768, Parent: "02:00:00:00:00:01", Distance: 20},
		},
		Links: []api.TreeLink{
			{A: "02:00:00:00:00:01", APort: "eth0", B: "02:00:00:00:00:02", BPort: "eth0", Cost: 20, Tree: true},
			{A: "02:00:00:00:00:02", APort: "eth1", B: "02:00:00:00:00:03", BPort: "eth0", Cost: 20, Tree: true},
			{A: "02:00:00:00:00:01", APort: "eth1", B: "02:00:00:00:00:04", BPort: "eth0", Cost: 20, Tree: true},
			{A: "02:00:00:00:00:03", APort: "eth1", B: "02:00:00:00:00:04", BPort: "eth1", Cost: 20},
		},
		Ports: []api.TreePort{
			{Name: "eth0", Role: "root", Neighbour: "02:00:00:00:00:01", RX: 1234567, TX: 7654321, Dropped: 2},
			{Name: "eth1", Role: "child", Neighbour: "02:00:00:00:00:03", RX: 42, TX: 43},
			{Name: "eth2", Role: "down"}, {Name: "vnet0", Role: "vm", RX: 9, TX: 8},
		},
	}
}

// typed makes the keys of a text; words in angle brackets are keys by name.
func typed(text string) []tea.KeyPressMsg {
	named := map[string]tea.KeyPressMsg{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "tab": {Code: tea.KeyTab}, "up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown},
		"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "backspace": {Code: tea.KeyBackspace}, "left": {Code: tea.KeyLeft},
		"home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
		"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+d": {Code: 'd', Mod: tea.ModCtrl}, "ctrl+]": {Code: ']', Mod: tea.ModCtrl},
		"ctrl+w": {Code: 'w', Mod: tea.ModCtrl}, "ctrl+y": {Code: 'y', Mod: tea.ModCtrl}, "f1": {Code: tea.KeyF1}, "f2": {Code: tea.KeyF2}, "f4": {Code: tea.KeyF4},
		"f7": {Code: tea.KeyF7}, "f8": {Code: tea.KeyF8}, "f9": {Code: tea.KeyF9}, "f10": {Code: tea.KeyF10}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift},
	}
	var out []tea.KeyPressMsg
	for text != "" {
		if end := strings.IndexByte(text, '>'); text[0] == '<' && end > 0 {
			if k, ok := named[text[1:end]]; ok {
				out, text = append(out, k), text[end+1:]
				continue
			}
		}
		r := []rune(text)[0]
		out, text = append(out, tea.KeyPressMsg{Code: r, Text: string(r)}), text[len(string(r)):]
	}
	return out
}

// press types into a console and gives the last key's command.
func press(m *Model, text string) (cmd tea.Cmd) {
	for _, k := range typed(text) {
		_, cmd = m.Update(k)
	}
	return cmd
}

// answer gives the present search its answer.
func answer(m *Model, items []api.Item, silent ...string) {
	m.Update(searchMsg{m.search.seq, api.SearchReply{Items: items, Silent: silent, Took: 3e6}, nil})
}

// answerPage gives the shown page its answer.
func answerPage(m *Model, v any) { m.Update(pageMsg{to: m.page(), value: v}) }
