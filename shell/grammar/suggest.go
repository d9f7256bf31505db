package grammar

import (
	"strings"

	"github.com/agext/levenshtein"

	"decenter/engine/api"
)

// distance counts the letters to insert, delete or replace; two neighbours exchanged count as one.
func distance(a, b string) int {
	if len(a) == len(b) {
		for i := 0; i+1 < len(a); i++ {
			if a[i] == b[i+1] && a[i+1] == b[i] && a[:i] == b[:i] && a[i+2:] == b[i+2:] && a[i] != a[i+1] {
				return 1
			}
		}
	}
	return levenshtein.Distance(a, b, nil)
}

// reach is how far a typed word may be from the one that was meant: a short word has too many neighbours.
func reach(typed string) int {
	if len(typed) <= 5 {
		return 1
	}
	return 2
}

// Closest gives the word that was probably meant, within reach of what was typed.
func Closest(typed string, words []string) (string, bool) {
	best, found := reach(typed)+1, ""
	for _, w := range words {
		if d := distance(strings.ToLower(typed), w); d < best {
			best, found = d, w
		}
	}
	return found, found != ""
}

// nearest is Closest, or else the only word that begins as typed.
func nearest(typed string, words []string) (string, bool) {
	found, ok := Closest(typed, words)
	if ok || len(typed) < 2 {
		return found, ok
	}
	for _, w := range words {
		if strings.HasPrefix(w, strings.ToLower(typed)) {
			if found != "" {
				return "", false
			}
			found = w
		}
	}
	return found, found != ""
}

// misspelt gives the verb that a line's first word was probably meant to be, where the rest of the line goes
// on as that verb would: with a word if it takes one, or with one of its keys.
func misspelt(first string, rest []term) (*Verb, bool) {
	switch api.Kind(strings.ToLower(first)) {
	case api.KindVM, api.KindSpacesuit, api.KindSatellite, api.KindJob:
		return nil, false
	}
	best := reach(first) + 1
	var meant *Verb
	for i := range verbs {
		v := &verbs[i]
		for _, name := range append([]string{v.Name}, v.Aliases...) {
			if name == "" || !goesOn(v, rest) {
				continue
			}
			if d := distance(strings.ToLower(first), name); d < best {
				best, meant = d, v
			}
		}
	}
	return meant, meant != nil
}

// Near gives the verb that a search for one bare word was perhaps meant to be.
func Near(c Command) (string, bool) {
	if c.Verb.Name != "" || len(c.Words) != 1 || len(c.Args) > 0 || c.Words[0].Quoted {
		return "", false
	}
	var names []string
	for _, v := range verbs[1:] {
		names = append(names, v.Name)
	}
	switch w := c.Word(0); api.Kind(w) {
	case api.KindVM, api.KindSpacesuit, api.KindSatellite, api.KindJob:
		return "", false
	default:
		return Closest(w, names)
	}
}

// goesOn tells whether the terms after a verb look like that verb's.
func goesOn(v *Verb, rest []term) bool {
	for _, t := range rest {
		switch {
		case t.flag != "":
		case t.key != "":
			if _, ok := v.Key(t.key); ok && !t.arg.not {
				return true
			}
		case len(v.Params) > 0 && v.Params[0].Type == TypeSetting:
			_, ok := nearest(t.text.Value, v.Params[0].Type.Options())
			return ok
		case len(v.Params) > 0:
			return true
		}
	}
	return false
}

// takers names the verbs that take a key, for a hint.
func takers(key string) []string {
	var names []string
	for i := range verbs {
		if _, ok := verbs[i].Key(key); ok {
			names = append(names, verbs[i].Title())
		}
	}
	return names
}

// list writes a, b or c.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
