package shell

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"decenter/engine/api"
	"decenter/shell/complete"
	"decenter/shell/grammar"
)

// Program is what Main needs of the program around it.
type Program struct {
	Name    string // decenter
	Version string
	// Dial opens the constellation. It is called at most once, and not at all for what needs no engine. A
	// Service that is an io.Closer is closed at the end.
	Dial func(ctx context.Context) (api.Service, error)
	// Console is the full-screen console; it gives the exit code. Nil where there is none.
	Console func(ctx context.Context, svc api.Service) int
	// Commands are the program's own: a first argument that is exactly such a name is never a line.
	Commands []Command
}

// Command is one that is no verb of the grammar, because it is about this machine: engine, lab, key. With the one
// argument "help" it tells about itself.
type Command struct {
	Name    string
	Summary string
	Words   []complete.Word                                         // that may follow its name, for completion
	Run     func(ctx context.Context, args []string, s Streams) int // args without the name
}

// Main is the program: it gives the exit code for the process's arguments, without its name.
//
//	decenter                       the console; line mode where there is no terminal, with --plain or on a dumb one
//	decenter [--json] WORDS…       one line; each argument is one term of it (grammar.Quote)
//	decenter COMMAND …             one of p.Commands
//	decenter completion SHELL      prints a completion script
//	decenter --help, --version
func Main(ctx context.Context, args []string, p Program, s Streams) int {
	m := program{p, s, NewRunner(nil, s, Options{})}
	defer m.r.Close()
	var lead []string // flags before the first word
	plain := false
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		switch a := args[0]; a {
		case "--plain":
			plain = true
		case "--version":
			return m.print(fmt.Sprintf("%s %s\n", p.Name, p.Version))
		case "-h":
			lead = append(lead, "--"+grammar.FlagHelp)
		default:
			lead = append(lead, a)
		}
		args = args[1:]
	}
	if len(lead) == 0 && len(args) > 0 && !plain {
		if code, ok := m.own(ctx, args); ok {
			return code
		}
	}
	if len(args) == 0 && (len(lead) == 0 || slices.Equal(lead, []string{"--" + grammar.FlagJSON})) {
		return m.many(ctx, plain || len(lead) > 0, Options{JSON: len(lead) > 0})
	}
	if len(args) == 0 && slices.Contains(lead, "--"+grammar.FlagHelp) {
		return m.print(m.usage())
	}
	return m.one(ctx, grammar.Quote(append(lead, args...)))
}

// program is Main at work.
type program struct {
	Program
	s Streams
	r *Runner // without a constellation, for what goes wrong before there is one
}

func (m *program) print(text string) int {
	if _, err := io.WriteString(m.s.Out, text); err != nil {
		return api.ExitFailed
	}
	return api.ExitDone
}

// usage is --help.
func (m *program) usage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s                     the console\n%s LINE                one line:\n\n%s", m.Name, m.Name, grammar.Overview())
	b.WriteString("\nThe program's own:\n\n")
	for _, c := range m.words() {
		fmt.Fprintf(&b, "  %-12s%s\n", c.Text, c.Hint)
	}
	b.WriteString("  --plain     line mode: no colour, no drawing\n  --version   which version this is\n")
	return b.String()
}

// words are the first words that are the program's own.
func (m *program) words() []complete.Word {
	var words []complete.Word
	for _, c := range m.Commands {
		words = append(words, complete.Word{Text: c.Name, Hint: c.Summary, More: c.Words})
	}
	return append(words, complete.Word{Text: "completion", Hint: "print the completion script of " + strings.Join(complete.Shells(), ", ")})
}

// own runs what is no line of the grammar.
func (m *program) own(ctx context.Context, args []string) (int, bool) {
	switch args[0] {
	case "help":
		return m.help(ctx, args[1:])
	case "completion":
		return m.completion(args[1:]), true
	case "complete":
		return m.complete(ctx, args[1:]), true
	}
	for _, c := range m.Commands {
		if c.Name == args[0] {
			return c.Run(ctx, args[1:], m.s), true
		}
	}
	return m.misspelt(args)
}

// help tells, besides what the grammar knows, of the program's own commands, which tell about themselves.
func (m *program) help(ctx context.Context, about []string) (int, bool) {
	if len(about) == 0 {
		return m.print(m.usage()), true
	}
	for _, c := range m.Commands {
		if len(about) == 1 && c.Name == about[0] {
			return c.Run(ctx, []string{"help"}, m.s), true
		}
	}
	return 0, false
}

// misspelt refuses what is no verb and nearly one of the program's own commands with something to do: `lba up`
// is no search.
func (m *program) misspelt(args []string) (int, bool) {
	if _, verb := grammar.Find(args[0]); verb || len(args) < 2 || strings.Contains(args[1], ":") {
		return 0, false
	}
	var names []string
	for _, w := range m.words() {
		names = append(names, w.Text)
	}
	near, ok := grammar.Closest(args[0], names)
	if !ok {
		return 0, false
	}
	return m.r.report(grammar.Quote(args), &api.Error{Code: api.CodeInvalid, Column: 1, Message: fmt.Sprintf("no command %q", args[0]),
		Hint: fmt.Sprintf("did you mean %q? To search for the word, write '%q'", near, args[0])}), true
}

func (m *program) completion(args []string) int {
	if len(args) == 1 {
		if script, ok := complete.Script(args[0]); ok {
			return m.print(script)
		}
	}
	return m.r.report("", &api.Error{Code: api.CodeInvalid, Message: "completion takes the name of a shell", Hint: "use " + strings.Join(complete.Shells(), ", ")})
}

// complete answers a completion script. What it cannot find out it leaves out.
func (m *program) complete(ctx context.Context, args []string) int {
	if len(args) != 1 {
		return m.r.report("", &api.Error{Code: api.CodeInvalid, Message: "complete takes the command line up to the cursor", Hint: "it is for completion scripts"})
	}
	ctx, cancel := context.WithTimeout(ctx, complete.Patience)
	defer cancel()
	found := sync.OnceValue(func() []api.Item { return m.everything(ctx) })
	names := func(kind api.Kind) []string {
		var names []string
		for _, i := range found() {
			if kind == "*" || i.Kind == kind {
				names = append(names, i.Name)
			}
		}
		return names
	}
	if complete.Answer(m.s.Out, args[0], names, m.words()) != nil {
		return api.ExitFailed
	}
	return api.ExitDone
}

// everything is what a search finds, or nothing.
func (m *program) everything(ctx context.Context) []api.Item {
	svc, err := m.Dial(ctx)
	if err != nil {
		return nil
	}
	defer hangUp(svc)
	reply, err := svc.Search(ctx, api.Query{})
	if err != nil {
		return nil
	}
	return reply.Items
}

// one carries out one line; it dials only where the line makes sense and needs an engine.
func (m *program) one(ctx context.Context, line string) int {
	c, err := grammar.Parse(line)
	if err != nil {
		return m.r.report(line, err)
	}
	if _, helps := helpOf(c); helps || c.Verb.Offline {
		return m.r.Run(ctx, line)
	}
	if needsConfirm(c) && !m.s.InTerminal {
		return m.r.report(line, unconfirmed(c))
	}
	svc, err := m.Dial(ctx)
	if err != nil {
		if near, ok := grammar.Near(c); ok { // a search for it could not be meant as it stands
			return m.r.report(line, &api.Error{Code: api.CodeInvalid, Column: 1, Message: fmt.Sprintf("no verb %q", c.Word(0)),
				Hint: fmt.Sprintf("did you mean %q? To search for the word an engine must run: %v", near, err)})
		}
		return m.r.report("", err)
	}
	defer hangUp(svc)
	return Run(ctx, svc, line, m.s, Options{})
}

// many opens the console, or line mode where that cannot be.
func (m *program) many(ctx context.Context, plain bool, opt Options) int {
	svc, err := m.Dial(ctx)
	if err != nil {
		return m.r.report("", err)
	}
	defer hangUp(svc)
	if m.Console == nil || plain || m.s.Dumb || !m.s.InTerminal || !m.s.OutTerminal {
		return REPL(ctx, svc, m.s, opt)
	}
	return m.Console(ctx, svc)
}

func hangUp(svc api.Service) {
	if c, ok := svc.(io.Closer); ok {
		_ = c.Close() // the answer is already here
	}
}
