package tui

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"decenter/engine/api"
)

func screen(m *Model) string { return ansi.Strip(m.View().Content) }

func mustShow(t *testing.T, m *Model, what ...string) {
	t.Helper()
	for _, w := range what {
		if !strings.Contains(screen(m), w) {
			t.Errorf("%q is not on the screen:\n%s", w, screen(m))
		}
	}
}

// run executes what a console executes at once; the fake language notes it.
func executed(m *Model, cmd tea.Cmd) []string {
	if cmd != nil {
		cmd()
	}
	return m.lang.(*fakeLanguage).executed
}

func TestFirstFrameNeedsNoAnswer(t *testing.T) {
	m := newTest(t, 80, 24)
	mustShow(t, m, "connecting …", "asking the constellation …")
}

func TestLettersNeverAct(t *testing.T) {
	m := ready(t, 80, 24)
	openVM(m)
	for r := rune(' '); r < 0x7f; r++ {
		press(m, string(r))
	}
	if got := m.lang.(*fakeLanguage).executed; got != nil || m.act.line != "" || m.confirm != nil {
		t.Errorf("typing acted: %q", got)
	}
}

func TestEnterExecutesWhatIsTypedAndNoSuggestion(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "stop web")
	answer(m, testItems(5)) // "web-0" and more are in sight
	press(m, "<down><down>")
	cmd := press(m, "<enter>")
	defer func() { _ = recover() }() // there is no service; what was executed is noted before
	executed(m, cmd)
	if got := m.act.line; got != "stop web" {
		t.Errorf("executed %q", got)
	}
}

func TestEnterOnASearchSelectsThenOpens(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "web<enter>")
	answer(m, testItems(3))
	if it := m.search.selected(); it == nil || it.Name != "web-0" {
		t.Fatal("Enter did not select the first row")
	}
	press(m, "<enter>")
	mustShow(t, m, "vm name:web-0")
	press(m, "<esc>")
	if m.box.value() != "web" {
		t.Errorf("Esc brought back %q", m.box.value())
	}
}

func TestWhatIsTypedAfterASearchReplacesIt(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "web<enter>")
	answer(m, testItems(3))
	press(m, "satellites<enter>")
	answerPage(m, api.SatellitesReply{Satellites: testSatellites()})
	mustShow(t, m, "SATELLITE  STATE", "10.77.0.3")
	m = ready(t, 80, 24)
	press(m, "web<enter>quit<enter>") // no answer is waited for
	if !m.done {
		t.Errorf("did not quit: the line is %q", m.box.value())
	}
	m = ready(t, 80, 24)
	press(m, "web")
	answer(m, testItems(3))
	press(m, "<enter><enter><esc>db") // also after the page that it led to
	if got := m.box.value(); got != "db" {
		t.Errorf("typed over a search that was brought back: %q", got)
	}
	press(m, "<enter>")
	m.Update(tea.PasteMsg{Content: "jobs\n"})
	if got := m.box.value(); got != "jobs" {
		t.Errorf("pasted over a search: %q", got)
	}
}

func TestAKeyThatEditsGoesOnWithTheSearch(t *testing.T) {
	for _, c := range [][2]string{
		{"create<enter><tab>x", "createx"}, // the box holds a verb: it is no search, and nothing is replaced
		{"web<enter><backspace>x", "wex"},
		{"web<enter><left>x", "wexb"},
		{"web<enter><end>x", "webx"},
		{"web<enter><home>x", "xweb"},
		{"web<enter><tab>x", "webx"},
		{"web<enter><down><up>", "web"},
		{"web<enter><down>db", "db"}, // rows were looked at, the line was not touched
		{"web<enter><f7><esc>x", "x"},
		{"web<f7><esc>x", "webx"}, // never entered
		{"web<enter>a<enter>b", "b"},
	} {
		m := ready(t, 80, 24)
		press(m, c[0])
		if got := m.box.value(); got != c[1] {
			t.Errorf("%s leaves %q, want %q", c[0], got, c[1])
		}
	}
}

func TestAFailedJobSaysItsWholeReason(t *testing.T) {
	for _, w := range []int{80, 120} {
		j := testJobs()[2]
		j.Error = "the disk " + strings.Repeat("could not be made here ", 8) + "at\x1b[2J last"
		m := ready(t, w, 24)
		press(m, "stop db-1<enter>")
		m.Update(actedMsg{seq: m.act.seq, outcome: Outcome{Job: &j}})
		mustShow(t, m, "✗ failed", "last")
		press(m, "jobs<enter>")
		answerPage(m, api.JobsReply{Jobs: []api.Job{j}})
		press(m, "<down>")
		mustShow(t, m, "last")
		press(m, "<enter>")
		answerPage(m, api.JobsReply{Jobs: []api.Job{j}})
		mustShow(t, m, "why", "last")
	}
}

func TestAnOutcomeStandsAboveNothingElse(t *testing.T) {
	for _, line := range []string{"create web-9<enter>", "create<enter>", "delete web-9<enter>"} {
		m := ready(t, 80, 24)
		press(m, "help<enter>"+line)
		if m.page() != nil {
			t.Errorf("%s leaves the help below", line)
		}
	}
	m := ready(t, 80, 24)
	openVM(m)
	press(m, "stop web-0<enter>")
	if m.page() == nil {
		t.Error("the VM that the line is about is no longer shown")
	}
}

func TestAnEditForgetsTheSelection(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "web")
	answer(m, testItems(3))
	press(m, "<down>-")
	if m.search.selected() != nil {
		t.Error("a row is still selected after the line changed")
	}
	press(m, "<enter>")
	if m.page() != nil {
		t.Error("Enter opened a row that was selected for another line")
	}
}

func TestTheSelectionStaysOnTheSameVM(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "web")
	answer(m, testItems(5))
	press(m, "<down><down><down>")
	items := slices.Delete(testItems(5), 0, 1)
	m.runSearch()
	answer(m, items)
	if it := m.search.selected(); it == nil || it.Name != "web-2" {
		t.Errorf("selected %v", it)
	}
	m.runSearch()
	answer(m, items[2:]) // web-2 is gone
	if it := m.search.selected(); it != nil {
		t.Errorf("selected %v, which nobody chose", it.Name)
	}
}

func TestStaleAnswersAreDropped(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "a")
	m.Update(searchDue{m.search.seq})
	old, cancelled := m.search.seq, false
	inner := m.search.cancel
	m.search.cancel = func() { cancelled = true; inner() }
	press(m, "b")
	if !cancelled {
		t.Error("the search under way was not cancelled")
	}
	m.Update(searchMsg{old, api.SearchReply{Items: testItems(3)}, nil})
	if m.search.ready {
		t.Error("a stale answer was shown")
	}
	if _, cmd := m.Update(searchDue{old}); cmd != nil {
		t.Error("a stale timer searched")
	}
	answer(m, testItems(1))
	if len(m.search.items) != 1 {
		t.Error("the right answer was not shown")
	}
}

func TestDeleteAsksForTheName(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "delete web-1<enter>")
	mustShow(t, m, "cannot be undone")
	press(m, "web-2<enter>")
	mustShow(t, m, "nothing was done")
	if m.act.line != "" {
		t.Fatal("a wrong name deleted")
	}
	press(m, "web-1<enter>")
	if m.act.line != "delete web-1 confirm:web-1" {
		t.Errorf("executed %q", m.act.line)
	}
	mustShow(t, m, "delete web-1 confirm:web-1") // an act shows the command that does the same
	m.Update(actedMsg{seq: m.act.seq, err: errors.New("it failed")})
	if m.box.value() != "delete web-1" {
		t.Errorf("the line that is given back is %q: Enter would delete unasked", m.box.value())
	}
	press(m, "<ctrl+c><up>")
	if m.box.value() != "delete web-1" {
		t.Errorf("the history gives %q", m.box.value())
	}
}

func TestEscLeavesAConfirmation(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "delete web-1<enter>we<esc>")
	if m.confirm != nil || m.act.line != "" || m.box.value() != "delete web-1" {
		t.Errorf("confirm %v, executed %q, box %q", m.confirm, m.act.line, m.box.value())
	}
	mustShow(t, m, "nothing was done")
}

func TestKeysWriteTheCommandAndDoNotAct(t *testing.T) {
	m := ready(t, 80, 24)
	openVM(m)
	for key, want := range map[string]string{"<f2>": "console web-0", "<f4>": "stop web-0", "<f8>": "delete web-0"} {
		press(m, key)
		if m.box.value() != want || m.act.line != "" || len(m.pages) != 1 {
			t.Errorf("%s wrote %q", key, m.box.value())
		}
	}
}

func TestAnErrorGivesTheLineBack(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "create web-1<enter>")
	m.Update(actedMsg{seq: m.act.seq, err: &api.Error{Code: api.CodeInvalid, Message: "no such spacesuit", Hint: "tiny is one", Column: 8}})
	if m.box.value() != "create web-1" {
		t.Errorf("box holds %q", m.box.value())
	}
	mustShow(t, m, "✗ no such spacesuit", "tiny is one", "^ column 8")
	press(m, "x")
	if strings.Contains(screen(m), "no such spacesuit") {
		t.Error("the error stays after an edit")
	}
}

func TestCtrlC(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "web<ctrl+c>")
	if m.box.value() != "" || m.done {
		t.Error("the first Ctrl-C clears the line")
	}
	press(m, "<ctrl+c>")
	mustShow(t, m, "Ctrl-C again to quit")
	press(m, "a<ctrl+c><ctrl+c>")
	if m.done {
		t.Error("another key in between takes the first Ctrl-C back")
	}
	press(m, "<ctrl+c>")
	if !m.done || m.ctx.Err() == nil {
		t.Error("two in a row quit and end what is under way")
	}
}

func TestCtrlDQuitsOnAnEmptyLineAlone(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "web<ctrl+d>")
	if m.done {
		t.Error("quit with a line typed")
	}
	press(m, "<ctrl+c><ctrl+d>")
	if !m.done {
		t.Error("did not quit")
	}
}

func TestHistory(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "jobs<enter><esc>tree<enter><esc>")
	var seen []string
	for _, k := range []string{"<up>", "<up>", "<up>", "<down>", "<down>"} {
		press(m, k)
		seen = append(seen, m.box.value())
	}
	if want := []string{"tree", "jobs", "jobs", "tree", ""}; !slices.Equal(seen, want) {
		t.Errorf("history gave %q, want %q", seen, want)
	}
}

// Who sets the root while the tree is shown sees it move.
func TestTheTreeStaysWhileItsRootIsSet(t *testing.T) {
	m := ready(t, 100, 30)
	press(m, "tree<enter>")
	tree := testTree()
	tree.Ports = append(tree.Ports, api.TreePort{Name: "9", Role: "down", Note: api.NoteStranger})
	tree.Nodes[0].Set = true
	answerPage(m, tree)
	press(m, "tree priority s2 50<enter>")
	if _, is := m.page().(*treePage); !is {
		t.Errorf("the page is %T", m.page())
	}
	shown := strings.Join(m.page().draw(m, 100, 30), "\n")
	for _, want := range []string{"priority 4096 set", "NOTE", api.NoteStranger} {
		if !strings.Contains(shown, want) {
			t.Errorf("the page lacks %q:\n%s", want, shown)
		}
	}
	m = ready(t, 100, 30)
	press(m, "tree<enter>create web-7<enter>")
	if m.page() != nil {
		t.Errorf("after another line the page is %T", m.page())
	}
}

func TestTabCompletesAndCycles(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "c<tab>")
	first := m.box.value()
	press(m, "<tab>")
	second := m.box.value()
	press(m, "<tab>")
	if first != "create" || second != "console" || m.box.value() != "create" {
		t.Errorf("%q, %q, %q", first, second, m.box.value())
	}
	press(m, "<shift+tab><esc>")
	if m.box.value() != "c" {
		t.Errorf("Esc left %q", m.box.value())
	}
}

func TestTabCompletesNamesThatAreInSight(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "stop we")
	answer(m, testItems(1))
	press(m, "<tab>")
	if m.box.value() != "stop web-0" {
		t.Errorf("%q", m.box.value())
	}
}

func TestEventsChangeWhatIsShownAtOnce(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "web")
	answer(m, testItems(1))
	v := testVM(0)
	v.State = api.StateCrashed
	m.Update(eventsMsg{m.feed.gen, []api.Event{{Kind: api.EventVM, VM: &v}}})
	mustShow(t, m, "✗ crashed")
	openVM(m)
	v.State = api.StatePaused
	m.Update(eventsMsg{m.feed.gen, []api.Event{{Kind: api.EventVM, VM: &v}}})
	mustShow(t, m, "‖ paused")
	m.Update(eventsMsg{m.feed.gen, []api.Event{{Kind: api.EventVM, VM: &v, Gone: true}}})
	mustShow(t, m, "web-0 is no more")
}

func TestUnknownVMsAreSearchedForAtTheNextHeartbeat(t *testing.T) {
	m := ready(t, 80, 24)
	press(m, "web")
	answer(m, testItems(1))
	seq, v := m.search.seq, testVM(7)
	m.Update(eventsMsg{m.feed.gen, []api.Event{{Kind: api.EventVM, VM: &v}}})
	m.Update(beatMsg{})
	if m.search.seq == seq || !m.search.busy {
		t.Error("not searched again")
	}
}

func TestAFeedThatEndsIsTriedAgainLaterAndLater(t *testing.T) {
	m := ready(t, 80, 24)
	var waits []time.Duration
	for range 7 {
		m.Update(feedEnded{m.feed.gen, errors.New("gone")})
		waits = append(waits, m.feed.wait)
	}
	if waits[0] != feedMinWait || waits[1] != 2*feedMinWait || waits[6] != feedMaxWait {
		t.Errorf("waits %v", waits)
	}
}

func TestLoadIsTheDifferenceOfProcessorTime(t *testing.T) {
	var l meter
	for i, used := range []uint64{0, 1e9, 5e9, 5e9, 1e9, 2e9} { // the last but one: restarted
		l.add(&api.VM{CPU: 2, CPUTime: used}, testNow.Add(time.Duration(2*i)*time.Second))
	}
	if want := []float64{.25, 1, 0, .25}; !slices.Equal(l.values, want) {
		t.Errorf("%v, want %v", l.values, want)
	}
}

func TestTimeLeftComesFromWhatWasSeen(t *testing.T) {
	var f follow
	j := api.Job{ID: "1", State: api.JobRunning, Done: 100, Total: 1000, Started: testNow.AddDate(-1, 0, 0)} // its clock is wrong
	f.set(j, testNow)
	j.Done = 400
	f.set(j, testNow.Add(3*time.Second))
	if got := f.left(testNow.Add(3 * time.Second)); got != "6.0 s left" {
		t.Errorf("%q", got)
	}
}

func TestPagesAreBounded(t *testing.T) {
	m := ready(t, 80, 24)
	for range 3 * maxPages {
		press(m, "jobs<enter>tree<enter>")
	}
	if len(m.pages) != maxPages {
		t.Errorf("%d pages", len(m.pages))
	}
	first := m.page().base().ctx
	press(m, "<esc>")
	if first.Err() == nil {
		t.Error("a closed page's questions go on")
	}
}

func TestALongLineIsShownAroundTheCursor(t *testing.T) {
	var b box
	b.set(strings.Repeat("日本", 40) + "end")
	text, x := b.view(20)
	if !strings.HasSuffix(text, "end") || x != ansi.StringWidth(text) || x > 19 {
		t.Errorf("%q, cursor %d", text, x)
	}
	b.pos = 0
	if text, x = b.view(20); x != 0 || ansi.StringWidth(text) != 20 {
		t.Errorf("%q, cursor %d", text, x)
	}
}

// Without colours there are attributes alone: SGR parameters from 30 on, but for those that end attributes, are colours.
func TestNoColor(t *testing.T) {
	colour := regexp.MustCompile(`\x1b\[([0-9]+;)*([34][0-8]|9[0-7]|10[0-7])[;m]`)
	for _, noColor := range []bool{true, false} {
		m := newModel(nil, &fakeLanguage{}, Options{Width: 80, Height: 24, NoColor: noColor, Now: func() time.Time { return testNow }})
		defer m.cancel()
		press(m, "web")
		answer(m, testItems(5), "s2")
		if has := colour.MatchString(m.View().Content); has == noColor {
			t.Errorf("NoColor is %v, the frame has colours: %v", noColor, has)
		}
		mustShow(t, m, "● running", "✗ crashed", "! s2 did not answer")
	}
}

func TestErrorsOfAnyKind(t *testing.T) {
	if e := apiError(context.DeadlineExceeded); e.Code != api.CodeUnavailable {
		t.Error(e.Code)
	}
}
