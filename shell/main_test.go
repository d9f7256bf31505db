package shell

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"decenter/engine/api"
	"decenter/engine/api/apitest"
)

// asProgram makes the test's binary be the program `decenter` on a constellation in memory, for tests that
// need a process of their own.
const asProgram = "DECENTER_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) == "" {
		os.Exit(m.Run())
	}
	c := apitest.New()
	c.AddVM(api.VM{Name: "web-1"})
	c.AddVM(api.VM{Name: "web-2"})
	p := testProgram(func(context.Context) (api.Service, error) { return c, nil })
	code := Main(context.Background(), os.Args[1:], p, StdStreams(os.Getenv))
	c.Close()
	os.Exit(code)
}

func testProgram(dial func(context.Context) (api.Service, error)) Program {
	return Program{
		Name: "decenter", Version: "test", Dial: dial,
		Commands: []Command{{Name: "engine", Summary: "be a satellite", Run: func(_ context.Context, args []string, s Streams) int {
			fmt.Fprintf(s.Out, "engine %q\n", args)
			return 7
		}}},
	}
}

func TestProgram(t *testing.T) {
	noEngine := func(context.Context) (api.Service, error) {
		return nil, &api.Error{Code: api.CodeUnavailable, Message: "no engine runs here", Hint: "start it with `decenter engine`"}
	}
	ctx, c := world(t)
	c.AddVM(api.VM{Name: "web-1"})
	engine := func(context.Context) (api.Service, error) { return c, nil }
	for _, story := range []struct {
		args string // separated by |
		dial func(context.Context) (api.Service, error)
		code int
		out  string
		err  string
	}{
		{"--version", noEngine, 0, "decenter test\n", ""},
		{"--help", noEngine, 0, "be a satellite", ""},
		{"-h", noEngine, 0, "completion", ""},
		{"help", noEngine, 0, "be a satellite", ""},
		{"help|engine", noEngine, 7, `engine ["help"]`, ""},
		{"help|create", noEngine, 0, "create NAME from:NAME", ""},
		{"create|--help", noEngine, 0, "create NAME from:NAME", ""},
		{"--json|help|quit", noEngine, 0, `"name":"quit"`, ""},
		{"completion|bash", noEngine, 0, "complete -o nosort", ""},
		{"completion|tcsh", noEngine, 2, "", "use bash, zsh, fish"},
		{"engine|--check|x", noEngine, 7, `engine ["--check" "x"]`, ""},
		{"engnie|--check", noEngine, 2, "", `did you mean "engine"`},
		{`"engnie"|--json`, engine, 0, "", "nothing found"},
		{"vm|state:live", engine, 0, "", "nothing found"},
		{"--plain|engine", engine, 0, "", "nothing found"},
		{"creat|web-1|from:tiny", noEngine, 2, "", `did you mean "create"`},
		{"delete|web-1", noEngine, 2, "", "add confirm:web-1"},
		{"--jsno|web", noEngine, 2, "", `"--json"`},
		{"web", noEngine, 1, "", "start it with"},
		{"satelites", noEngine, 2, "", `did you mean "satellites"? To search for the word an engine must run`},
		{`"satelites"`, noEngine, 1, "", "start it with"},
		{"satelites", engine, 0, "", `there is a verb "satellites"`},
		{"admit|s3", noEngine, 2, "", "is not a fingerprint"},
		{"eject|s3", noEngine, 2, "", "add confirm:s3"},
		{"audit|verdict:deny|since:2h", engine, 0, "", "nothing found"},
		{"", noEngine, 1, "", "no engine runs"},
		{"vm", engine, 0, "vm    web-1", ""},
		{"vm|--json", engine, 0, `{"kind":"vm"`, ""},
		{"--json|vm", engine, 0, `{"kind":"vm"`, ""},
		{"owner:a b", engine, 0, "", "nothing found"},
		{"web server", engine, 0, "", "nothing found"},
		{"pause|web-1", engine, 0, "done", "job "},
	} {
		var args []string
		if story.args != "" {
			args = strings.Split(story.args, "|")
		}
		var out, errs bytes.Buffer
		code := Main(ctx, args, testProgram(story.dial), Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
		if code != story.code || !strings.Contains(out.String(), story.out) || !strings.Contains(errs.String(), story.err) {
			t.Errorf("decenter %s: exit code %d\nout: %s\nerr: %s", strings.ReplaceAll(story.args, "|", " "), code, out.String(), errs.String())
		}
	}
}

// Where there is a terminal the console opens; --plain, a dumb terminal and a pipe get line mode.
func TestWhenTheConsoleOpens(t *testing.T) {
	ctx, c := world(t)
	for name, story := range map[string]struct {
		args   []string
		change func(*Streams)
		opens  bool
	}{
		"terminal":   {nil, func(*Streams) {}, true},
		"--plain":    {[]string{"--plain"}, func(*Streams) {}, false},
		"dumb":       {nil, func(s *Streams) { s.Dumb = true }, false},
		"input pipe": {nil, func(s *Streams) { s.InTerminal, s.In = false, nil }, false},
		"output":     {nil, func(s *Streams) { s.OutTerminal = false }, false},
	} {
		opened := false
		p := testProgram(func(context.Context) (api.Service, error) { return c, nil })
		p.Console = func(context.Context, api.Service) int { opened = true; return 0 }
		s := Streams{In: strings.NewReader("\x04"), Out: io.Discard, Err: io.Discard, InTerminal: true, OutTerminal: true, ErrTerminal: true}
		story.change(&s)
		if code := Main(ctx, story.args, p, s); code != 0 || opened != story.opens {
			t.Errorf("%s: exit code %d, opened %v", name, code, opened)
		}
	}
}

func TestLookOfATerminal(t *testing.T) {
	for _, c := range []struct {
		term, noColor string
		colour, dumb  bool
	}{{"xterm", "", true, false}, {"xterm", "1", false, false}, {"dumb", "", false, true}, {"", "", false, true}} {
		var s Streams
		s.Look(func(k string) string { return map[string]string{"TERM": c.term, "NO_COLOR": c.noColor}[k] })
		if s.Colour != c.colour || s.Dumb != c.dumb {
			t.Errorf("TERM=%s NO_COLOR=%s: colour %v, dumb %v", c.term, c.noColor, s.Colour, s.Dumb)
		}
	}
}
