package grammar

import (
	"cmp"
	"slices"
	"strings"

	"decenter/engine/api"
)

// MaxCompletions bounds what Complete gives.
const MaxCompletions = 12

// Completion is one text that could stand at the cursor: it replaces line[From:cursor].
type Completion struct {
	From int // byte offset
	Term int // byte offset of the beginning of its term: before From where a key comes first
	Text string
	Hint string // what it is, in a few words
}

// Names gives the known names of a kind, in any order; of every kind for "*". It must not wait. Nil knows none.
type Names func(kind api.Kind) []string

// Complete gives what could stand at the cursor, a byte offset: what begins as typed, in the order of the
// table, names in alphabetical order. What stands right of the cursor does not matter.
func Complete(line string, cursor int, names Names) []Completion {
	left := line[:max(0, min(cursor, len(line)))]
	terms, err := scan(left, true)
	if err != nil {
		return nil
	}
	here := term{at: len(left), end: len(left), text: Text{At: len(left)}}
	if n := len(terms); n > 0 && terms[n-1].end == len(left) {
		here, terms = terms[n-1], terms[:n-1]
	}
	c := completer{left: left, here: here, names: names}
	c.before(terms)
	return c.give()
}

// completer holds what is known of the line left of the cursor.
type completer struct {
	left  string
	here  term // being typed
	names Names

	begun bool  // a term that is no flag comes before
	verb  *Verb // which the line has, or the search
	words int   // words of the verb so far
	used  []string
	found []Completion
}

// before takes account of the terms before the one being typed.
func (c *completer) before(terms []term) {
	c.verb = &verbs[0]
	for _, t := range terms {
		switch {
		case t.flag != "":
			c.used = append(c.used, "--"+t.flag)
			continue
		case t.key != "":
			c.used = append(c.used, t.key)
		default:
			v, ok := find(t.text.Value)
			if ok && !c.begun && !t.text.Quoted {
				c.verb = v
			} else {
				c.words++
			}
		}
		c.begun = true
	}
}

func (c *completer) give() []Completion {
	switch typed := c.left[c.here.at:]; {
	case c.here.key != "":
		c.values()
	case strings.HasPrefix(typed, "--"):
		c.flags(typed)
	case strings.HasPrefix(typed, "-"):
		c.keys("-", strings.TrimPrefix(typed, "-"))
	case c.here.text.Quoted:
		c.objects(c.here.text.Value)
	default:
		if !c.begun {
			c.verbs(typed)
		}
		c.objects(typed)
		if typed != "" || c.begun {
			c.keys("", typed)
		}
	}
	return c.found[:min(len(c.found), MaxCompletions)]
}

func (c *completer) add(from int, text, hint string) {
	if !slices.ContainsFunc(c.found, func(o Completion) bool { return o.Text == text && o.From == from }) {
		c.found = append(c.found, Completion{From: from, Term: c.here.at, Text: text, Hint: hint})
	}
}

func (c *completer) verbs(typed string) {
	for _, v := range verbs[1:] {
		if strings.HasPrefix(v.Name, typed) {
			c.add(c.here.at, v.Name, v.Summary)
		}
	}
}

func (c *completer) flags(typed string) {
	for _, f := range Flags() {
		if f.Name == FlagDetach && !c.verb.Work || slices.Contains(c.used, "--"+f.Name) {
			continue
		}
		if s := "--" + f.Name; strings.HasPrefix(s, typed) {
			c.add(c.here.at, s, f.Meaning)
		}
	}
}

// keys gives those that can still be given, the required ones first.
func (c *completer) keys(sign, typed string) {
	for _, required := range []bool{true, false} {
		for _, k := range c.verb.Keys {
			if k.Required != required || !k.Filter && (sign != "" || slices.Contains(c.used, k.Name)) {
				continue
			}
			if strings.HasPrefix(k.Name, typed) {
				c.add(c.here.at, sign+k.Name+":", k.Meaning)
			}
		}
	}
}

// objects gives names for the next word.
func (c *completer) objects(typed string) {
	if c.verb.Name == "" {
		for _, k := range []api.Kind{api.KindVM, api.KindSpacesuit, api.KindSatellite, api.KindJob} {
			if typed != "" && strings.HasPrefix(string(k), typed) {
				c.add(c.here.at, string(k), "every "+string(k))
			}
		}
		if typed != "" {
			c.known("*", typed, c.here.at)
		}
		return
	}
	p, ok := c.verb.param(c.words)
	if !ok {
		return
	}
	for _, s := range p.Type.Options() {
		hint := optionHints[s]
		if v, ok := Find(s); ok && p.Type == TypeVerb {
			hint = v.Summary
		}
		if strings.HasPrefix(s, typed) {
			c.add(c.here.at, s, hint)
		}
	}
	c.known(p.Kind, typed, c.here.at)
}

// values gives what can stand after the colon, or after the last comma.
func (c *completer) values() {
	k, ok := c.verb.Key(c.here.key)
	if !ok {
		return
	}
	last := c.here.arg.values[len(c.here.arg.values)-1]
	for _, s := range k.Type.Options() {
		if strings.HasPrefix(s, last.Value) {
			c.add(last.At, s, cmp.Or(optionHints[s], k.Meaning))
		}
	}
	c.known(k.Kind, last.Value, last.At)
}

// known gives the names of a kind.
func (c *completer) known(kind, typed string, from int) {
	if kind == "" || c.names == nil {
		return
	}
	hint := kind
	if kind == "*" {
		hint = ""
	}
	var fit []string
	for _, n := range c.names(api.Kind(kind)) {
		if strings.HasPrefix(n, typed) {
			fit = append(fit, n)
		}
	}
	slices.Sort(fit)
	fit = slices.Compact(fit)
	for _, n := range fit[:min(len(fit), MaxCompletions)] {
		c.add(from, word(n), hint)
	}
}
