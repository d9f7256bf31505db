package grammar

import (
	"fmt"
	"strings"

	"decenter/engine/api"
)

// Parse reads a line. Every error is an *api.Error of CodeInvalid with a column, and a hint of what would be
// right. A line without terms is a search for everything.
func Parse(line string) (Command, error) {
	terms, err := scan(line, false)
	if err != nil {
		return Command{}, err
	}
	c := Command{Verb: &verbs[0], line: line}
	if err := c.takeVerb(&terms); err != nil {
		return Command{}, err
	}
	for _, t := range terms {
		var err *api.Error
		switch {
		case t.flag != "":
			err = c.takeFlag(t)
		case t.key != "":
			err = c.takeArg(t)
		default:
			err = c.takeWord(t)
		}
		if err != nil {
			return Command{}, err
		}
	}
	if err := c.checkWhole(); err != nil {
		return Command{}, err
	}
	return c, nil
}

// takeVerb sets the verb and takes its term out.
func (c *Command) takeVerb(terms *[]term) error {
	for i, t := range *terms {
		if t.flag != "" {
			continue
		}
		if t.key != "" || t.text.Quoted {
			return nil
		}
		if v, ok := find(t.text.Value); ok {
			c.Verb = v
			*terms = append((*terms)[:i:i], (*terms)[i+1:]...)
			return nil
		}
		if v, ok := misspelt(t.text.Value, (*terms)[i+1:]); ok {
			return wrong(c.line, t.at, fmt.Sprintf("no verb %q", t.text.Value),
				fmt.Sprintf("did you mean %q? To search for the word, quote it", v.Name))
		}
		return nil
	}
	return nil
}

func (c *Command) takeFlag(t term) *api.Error {
	var names []string
	for _, f := range Flags() {
		names = append(names, f.Name)
		if f.Name != t.flag {
			continue
		}
		if f.Name == FlagDetach && !c.Verb.Work {
			return wrong(c.line, t.at, c.Verb.Title()+" does not start a job, so there is nothing to detach from", "leave --detach out")
		}
		if !c.Flag(f.Name) {
			c.Flags = append(c.Flags, f.Name)
		}
		return nil
	}
	hint := "use --" + strings.Join(names, ", --")
	if near, ok := nearest(t.flag, names); ok {
		hint = fmt.Sprintf(`did you mean "--%s"?`, near)
	}
	return wrong(c.line, t.at, fmt.Sprintf(`no flag "--%s"`, t.flag), hint)
}

func (c *Command) takeWord(t term) *api.Error {
	w := t.text
	p, ok := c.Verb.param(len(c.Words))
	if !w.Quoted && strings.HasPrefix(w.Value, "-") && p.Type != TypePriority { // of a number below nought the type tells more
		return wrong(c.line, t.at, "a word does not begin with a hyphen", "exclude with -key:value, or quote the word")
	}
	if !w.Quoted && strings.HasPrefix(w.Value, ":") {
		return wrong(c.line, t.at, "a key is missing before the colon", "use key:value, or quote the word")
	}
	if !w.Quoted && strings.Contains(w.Value, ":") && !addressForm.MatchString(w.Value) && !strings.HasPrefix(w.Value, "SHA256:") {
		key, _, _ := strings.Cut(w.Value, ":")
		return c.noKey(term{at: t.at, end: t.end, key: key})
	}
	if c.Verb.Name == "" {
		c.Words = append(c.Words, w)
		return nil
	}
	if !ok {
		return wrong(c.line, t.at, fmt.Sprintf("%s takes %s", c.Verb.Name, count(len(c.Verb.Params), "word")), c.Verb.Usage())
	}
	value, err := p.Type.normal(w.Value, 0, 0)
	if err != nil {
		err.Column = column(c.line, t.at)
		return err
	}
	w.Value = value
	c.Words = append(c.Words, w)
	return nil
}

func (c *Command) takeArg(t term) *api.Error {
	k, ok := c.Verb.Key(t.key)
	if !ok {
		return c.noKey(t)
	}
	if !k.Filter {
		switch {
		case t.arg.not:
			return wrong(c.line, t.at, c.Verb.Name+" does not exclude", "leave the hyphen out")
		case t.arg.op != api.OpIs:
			return wrong(c.line, t.at, c.Verb.Name+" does not compare", "leave "+string(t.arg.op)+" out")
		case len(t.arg.values) > 1:
			return wrong(c.line, t.arg.values[1].At, fmt.Sprintf("%s takes one value", k.Name), "quote it if the comma is part of it")
		}
		for _, a := range c.Args {
			if a.Key.Name == k.Name {
				return wrong(c.line, t.at, fmt.Sprintf("%s is given twice", k.Name), "leave one out")
			}
		}
	}
	if t.arg.op != api.OpIs && !k.Type.ordered() {
		return wrong(c.line, t.at, fmt.Sprintf("%s does not compare by %s", k.Name, t.arg.op), "numbers and sizes do")
	}
	if t.arg.op != api.OpIs && len(t.arg.values) > 1 {
		return wrong(c.line, t.arg.values[1].At, fmt.Sprintf("%s takes one value", t.arg.op), "use one, or leave "+string(t.arg.op)+" out")
	}
	for i, v := range t.arg.values {
		if v.Value == "" {
			return wrong(c.line, v.At, fmt.Sprintf("%s: lacks a value", k.Name), "use "+k.Type.Meaning())
		}
		value, err := k.Type.normal(v.Value, k.Min, k.Max)
		if err != nil {
			err.Column = column(c.line, v.At)
			return err
		}
		t.arg.values[i].Value = value
	}
	c.Args = append(c.Args, Arg{Key: k, Not: t.arg.not, Op: t.arg.op, Values: t.arg.values, At: t.at})
	return nil
}

// noKey is the error of a key that the verb does not have.
func (c *Command) noKey(t term) *api.Error {
	var names []string
	for _, k := range c.Verb.Keys {
		names = append(names, k.Name)
	}
	err := wrong(c.line, t.at, fmt.Sprintf("%s has no key %q", c.Verb.Title(), t.key), "")
	near, ok := nearest(t.key, names)
	others := takers(t.key)
	switch {
	case c.Verb.Name == "" && addressForm.MatchString(c.line[t.at:t.end]):
		err.Hint = "an address is found by address: or mac:"
	case strings.EqualFold(t.key, "sha256"):
		err.Hint = "a fingerprint begins with SHA256: in capitals"
	case ok:
		err.Hint = fmt.Sprintf(`did you mean "%s:"?`, near)
	case len(others) > 0 && c.Verb.Name == "":
		err.Hint = list(others) + " has it: begin with the verb"
	case len(names) == 0:
		err.Hint = c.Verb.Usage()
	default:
		err.Hint = "use " + list(names)
	}
	if c.Verb.Name == "" {
		err.Hint = fullStop(err.Hint) + " To search for the word, quote it"
	}
	return err
}

// fullStop ends a hint as a sentence.
func fullStop(s string) string {
	if strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// checkWhole finds what is missing once everything is read.
func (c *Command) checkWhole() error {
	if c.Flag(FlagHelp) {
		return nil
	}
	end := len(strings.TrimRight(c.line, " "))
	for i, p := range c.Verb.Params {
		needed := !p.Optional || p.Joined && i == len(c.Words) && i > 0
		if needed && i >= len(c.Words) {
			return wrong(c.line, end, fmt.Sprintf("%s lacks %s", c.Verb.Name, p.Name), c.Verb.Usage())
		}
	}
	for _, k := range c.Verb.Keys {
		if k.Required && c.Text(k.Name) == "" {
			return wrong(c.line, end, fmt.Sprintf("%s lacks %s", c.Verb.Name, k.Name), "add "+k.Name+":"+k.Type.Placeholder())
		}
	}
	return c.checkConfirm()
}

// checkConfirm refuses a confirmation that names another thing. Of an id only the engine knows the name.
func (c *Command) checkConfirm() error {
	for _, a := range c.Args {
		if a.Key.Name != KeyConfirm || a.Values[0].Value == c.Word(0) || IsID(c.Word(0)) {
			continue
		}
		// Of a name and a fingerprint too, only the engine knows whether they are one satellite's.
		if IsFingerprint(a.Values[0].Value) == IsFingerprint(c.Word(0)) {
			return wrong(c.line, a.Values[0].At, fmt.Sprintf("%q does not confirm %q", a.Values[0].Value, c.Word(0)), "confirm with the same name")
		}
	}
	return nil
}

// param gives the i-th word's.
func (v *Verb) param(i int) (Param, bool) {
	if n := len(v.Params); n > 0 && i >= n && v.Params[n-1].Many {
		i = n - 1
	}
	if i >= len(v.Params) {
		return Param{}, false
	}
	return v.Params[i], true
}

func count(n int, noun string) string {
	switch n {
	case 0:
		return "no " + noun
	case 1:
		return "one " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
