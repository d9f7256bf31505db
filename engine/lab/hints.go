package lab

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"decenter/engine/api"
)

// say gives a lab command as it has to be typed for the lab in dir, which need not be said where it is the usual one.
func say(dir, words string) string {
	if dir == DefaultDir {
		return "`decenter lab " + words + "`"
	}
	return sayIn(dir, words)
}

// sayIn is say that names even the usual folder.
func sayIn(dir, words string) string {
	flag := " --dir " + quote(dir)
	if command, ok := strings.CutPrefix(words, "exec "); ok { // whose flags end at the satellite
		return "`decenter lab exec" + flag + " " + command + "`"
	}
	return "`decenter lab " + words + flag + "`"
}

var plainWord = regexp.MustCompile(`^[\w./:@%+=,-]+$`)

// quote makes one word of a shell's line.
func quote(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// elsewhere gives the folder of a lab that is on this machine and not in dir; empty when there is none.
func elsewhere(dir string) string {
	names, _ := filepath.Glob(nsPath("*")) // fails on a bad pattern only
	for _, path := range names {
		other := owner(strings.TrimPrefix(filepath.Base(path), nsName("")))
		if other != "" && other != dir {
			return other
		}
	}
	return ""
}

// noLab tells that the folder has no lab, and where one is. words are the command that was meant for it.
func noLab(dir, words string) error {
	e := &api.Error{Code: api.CodeNotFound, Message: "no lab is in " + dir, Hint: say(dir, "up") + " makes one"}
	if other := elsewhere(dir); other != "" {
		e.Hint = "one is up in " + other + ", " + sayIn(other, words) + " is for that one"
	}
	return e
}

// load is Load for the command line.
func (c *command) load(verb string) (*Lab, error) {
	l, err := Load(c.dir)
	if err == nil || api.CodeOf(err) != api.CodeNotFound {
		return l, err
	}
	if verb == "exec" {
		return nil, noLab(c.dir, "exec "+c.rest[0]+" …")
	}
	return nil, noLab(c.dir, strings.Join(append([]string{verb}, c.rest...), " ")+c.acts())
}

// acts repeats the flags without which a command would do something else.
func (c *command) acts() (s string) {
	for _, f := range []struct {
		name string
		on   bool
	}{{"silent", c.silent}, {"engine", c.engine}, {"no-restart", c.stay}, {"json", c.json}} {
		if f.on {
			s += " --" + f.name
		}
	}
	return s
}

// checkWords refuses more or fewer words than a command takes, and shows how it is written.
func (c *command) checkWords(verb string) error {
	form, ok := map[string]string{"up": "", "down": "", "status": "", "demo": "", "console": "s1", "exec": "s1 ip link",
		"cable": "cut s1 s2", "satellite": "kill s2"}[verb]
	n := len(strings.Fields(form))
	switch {
	case !ok || len(c.rest) == n || verb == "exec" && len(c.rest) >= 2:
		return nil
	case n == 0:
		e := &api.Error{Code: api.CodeInvalid, Message: fmt.Sprintf("lab %s takes flags only, not %q", verb, c.rest[0]), Hint: "see `decenter lab help`"}
		if _, err := ParseTopology(c.rest[0]); err == nil && (verb == "up" || verb == "demo") {
			e.Hint = say(c.dir, verb+" --topology "+quote(c.rest[0]))
		}
		return e
	}
	// The act that was asked for is not to be answered with another one.
	acts := map[string][]string{"cable": {"cut", "mend"}, "satellite": {"kill", "start", "freeze", "thaw"}}
	if len(c.rest) > 0 && slices.Contains(acts[verb], c.rest[0]) {
		_, ends, _ := strings.Cut(form, " ")
		form = c.rest[0] + " " + ends
	}
	return &api.Error{Code: api.CodeInvalid, Message: "write it like this", Hint: say(c.dir, verb+" "+form)}
}
