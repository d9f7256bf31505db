package grammar

import "strings"

// Quote joins arguments of a command line, which a shell has already split, into one line in which each is
// one term. What is a term already stays as it is, so that `name:"a b"` and `"create"` that came through the
// shell with their quotes mean the same here. Anything else becomes a word, or a key with one value, quoted.
func Quote(args []string) string {
	terms := make([]string, len(args))
	for i, a := range args {
		terms[i] = argument(a)
	}
	return strings.Join(terms, " ")
}

func argument(a string) string {
	if oneTerm(a) {
		return a
	}
	if loc := keyForm.FindStringIndex(a); loc != nil {
		if s := a[:loc[1]] + value(a[loc[1]:]); oneTerm(s) {
			return s
		}
	}
	return quoted(a)
}

// word writes a text as a word: bare where that reads back as the same.
func word(s string) string {
	terms, err := scan(s, false)
	if err == nil && len(terms) == 1 && terms[0].text.Value == s && !strings.HasPrefix(s, "-") && !strings.HasPrefix(s, ":") && oneTerm(s) {
		return s
	}
	return quoted(s)
}

// value writes a text as a value: bare where that reads back as the same.
func value(s string) string {
	if s != "" && oneTerm("k:"+s) && !strings.ContainsAny(s, `",`) && !strings.ContainsAny(s[:1], "<>") {
		return s
	}
	return quoted(s)
}

// quoted writes a text between quotes.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// oneTerm tells whether a text is exactly one term.
func oneTerm(s string) bool {
	terms, err := scan(s, false)
	return err == nil && len(terms) == 1 && terms[0].at == 0 && terms[0].end == len(s)
}
