package output

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"

	"decenter/engine/api"
)

func items() []api.Item {
	vm := api.VM{Name: "web-1", State: api.StateRunning, Satellite: "s1", From: "tiny", CPU: 16, Memory: 192 << 20}
	return []api.Item{
		{Kind: api.KindVM, Name: vm.Name, State: string(vm.State), Satellite: "s1", VM: &vm},
		{Kind: api.KindVM, Name: strings.Repeat("long-", 12) + "日本", State: "crashed", Satellite: strings.Repeat("s", 40), VM: &vm},
		{Kind: api.KindSpacesuit, Name: "evil\x1b[2J\u202e", Satellite: "s1", Spacesuit: &api.Spacesuit{Size: 64 << 20}},
	}
}

func TestTablesFitTheScreen(t *testing.T) {
	for _, width := range []int{20, 60, 80, 200} {
		var b bytes.Buffer
		if err := (Printer{W: &b, Width: width, Colour: true}).Items(items()); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(b.String(), "\n") {
			if w := ansi.StringWidth(line); w > max(width, 40) {
				t.Errorf("at %d columns a line has %d: %s", width, w, line)
			}
		}
	}
	var b bytes.Buffer
	if err := (Printer{W: &b}).Items(items()); err != nil || !strings.Contains(b.String(), items()[1].Name) {
		t.Errorf("a pipe does not get the whole name: %s, %v", b.String(), err)
	}
}

// What others named cannot move the cursor; and a colour only repeats the word.
func TestOnlyOurOwnEscapes(t *testing.T) {
	var plain, coloured bytes.Buffer
	_ = Printer{W: &plain}.Items(items())
	_ = Printer{W: &coloured, Colour: true}.Items(items())
	if strings.ContainsAny(plain.String(), "\x1b\u202e") || !strings.Contains(plain.String(), "evil�[2J�") {
		t.Errorf("an escape came through: %q", plain.String())
	}
	if ansi.Strip(coloured.String()) != plain.String() || coloured.String() == plain.String() {
		t.Errorf("colour says more than the words: %q", coloured.String())
	}
}

func TestJSONHasTheNamesOfTheAPI(t *testing.T) {
	var b bytes.Buffer
	p := Printer{W: &b, JSON: true, Width: 20, Colour: true}
	if err := p.Items(items()); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 3 {
		t.Fatalf("%d lines for three items", len(lines))
	}
	var back api.Item
	if err := json.Unmarshal([]byte(lines[0]), &back); err != nil || back.VM.Memory != 192<<20 {
		t.Errorf("%s became %+v, %v", lines[0], back, err)
	}
}

func TestErrors(t *testing.T) {
	err := &api.Error{Code: api.CodeInvalid, Message: "no", Hint: "yes", Column: 50}
	for _, c := range []struct{ line, want string }{
		{strings.Repeat("a", 45) + "日本xy" + strings.Repeat("b", 60), "error: no (column 50)\n  …" + strings.Repeat("a", 32) + "日本xy" + strings.Repeat("b", 36) + "…\n"},
		{"short", "error: no: yes\n"}, // a column beyond the line is not drawn
	} {
		if got := Error(c.line, err, false); !strings.HasPrefix(got, c.want) {
			t.Errorf("got\n%swant\n%s", got, c.want)
		}
	}
	caret := strings.Split(Error("日本 x", &api.Error{Message: "m", Column: 4}, false), "\n")[2]
	if caret != "       ^" { // two of indent, two wide characters, a blank
		t.Errorf("the caret is in column %d: %q", len(caret), caret)
	}
	if got := Error("x", &api.Error{Message: "bad\x1b[2J"}, false); strings.Contains(got, "\x1b") {
		t.Errorf("an escape came through: %q", got)
	}
}

func TestProgress(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		job  api.Job
		want string
	}{
		{api.Job{Verb: "stop", Object: "web-1", Step: "asking", Started: start}, "stop web-1: asking"},
		{api.Job{Verb: "create", Object: "a", Step: "copying", Done: 1 << 30, Total: 4 << 30, Started: start}, "create a: copying, 1GiB of 4GiB (25%), 30 s left"},
		{api.Job{Verb: "create", Object: "a", Done: 1, Total: 3, Started: start}, "create a: 1 of 3 (33%), 20 s left"},
		{api.Job{Verb: "create", Object: "a", Done: 5, Total: 3, Started: start}, "create a: 5 of 3 (100%)"},
	} {
		if got := Progress(c.job, start.Add(10*time.Second)); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestSizesForPeople(t *testing.T) {
	for n, want := range map[uint64]string{0: "0B", 1023: "1023B", 1536: "1.5KiB", 192 << 20: "192MiB", 8<<30 + 1<<29: "8.5GiB", 12345678: "11.8MiB"} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %s, want %s", n, got, want)
		}
	}
}

// A fabric that tells nonsense, such as a circle of parents, is still drawn, and once.
func TestTreeOfAConfusedFabric(t *testing.T) {
	var b bytes.Buffer
	tree := api.Tree{Satellite: "s1", Nodes: []api.TreeNode{{ID: "a", Parent: "gone"}, {ID: "b", Parent: "a"}, {ID: "c", Parent: "d"}, {ID: "d", Parent: "c"}, {ID: "b", Parent: "a"}}}
	if err := (Printer{W: &b}).Tree(tree); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b", "c", "d"} {
		if n := strings.Count(b.String(), "  "+id+"\n"); n != 1 { // the last column
			t.Errorf("%s is drawn %d times:\n%s", id, n, b.String())
		}
	}
}
