// Package complete makes the shells of others complete lines of the grammar: bash, zsh and fish.
//
// Each script gives the command line up to the cursor to `decenter complete`, which prints one line for each
// text that could stand there: the whole word, a tab, and what it is. The words and their order are the
// grammar's; a script holds none. Names come from the constellation if it answers in Patience.
package complete

import (
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"decenter/shell/grammar"
)

// Patience is how long a person who pressed Tab waits for names.
const Patience = 500 * time.Millisecond

//go:embed decenter.bash decenter.zsh decenter.fish
var scripts embed.FS

// Shells names those with a script.
func Shells() []string { return []string{"bash", "zsh", "fish"} }

// Script gives the script of a shell.
func Script(shell string) (string, bool) {
	if !slices.Contains(Shells(), shell) {
		return "", false
	}
	b, err := scripts.ReadFile("decenter." + shell)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(b), true
}

// Word is a first word that the program knows besides the grammar's, or one that follows such.
type Word struct {
	Text, Hint string
	More       []Word // what may follow it: flags, in any order, and one of the other words
}

// Answer prints what could stand at the end of left, a command line that begins with the program's name.
func Answer(w io.Writer, left string, names grammar.Names, own []Word) error {
	left = strings.TrimLeft(left, " \t")
	i := strings.IndexAny(left, " \t")
	if i < 0 {
		return nil
	}
	left = strings.TrimLeft(left[i:], " \t")
	for _, o := range own {
		if rest, ok := strings.CutPrefix(left, o.Text+" "); ok {
			return o.follow(w, rest) // none of it is the grammar's
		}
		if strings.HasPrefix(o.Text, left) {
			if _, err := fmt.Fprintf(w, "%s\t%s\n", o.Text, o.Hint); err != nil {
				return err
			}
		}
	}
	for _, c := range grammar.Complete(left, len(left), names) {
		if _, err := fmt.Fprintf(w, "%s%s\t%s\n", left[c.Term:c.From], c.Text, c.Hint); err != nil {
			return err
		}
	}
	return nil
}

// follow prints what could stand at the end of rest, which comes after the word.
func (o Word) follow(w io.Writer, rest string) error {
	words := strings.Fields(rest)
	last := ""
	if n := len(words); n > 0 && strings.HasSuffix(rest, words[n-1]) {
		last, words = words[n-1], words[:n-1]
	}
	level, flags := o.More, []Word(nil)
	for _, typed := range words {
		i := slices.IndexFunc(level, func(m Word) bool { return m.Text == typed })
		switch {
		case i < 0: // a name or a file
		case strings.HasPrefix(typed, "-"):
			level = slices.Delete(slices.Clone(level), i, i+1)
		default:
			for _, m := range level {
				if strings.HasPrefix(m.Text, "-") {
					flags = append(flags, m)
				}
			}
			level = append(slices.Clone(level[i].More), flags...)
		}
	}
	for _, m := range level {
		if !strings.HasPrefix(m.Text, last) {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s\t%s\n", m.Text, m.Hint); err != nil {
			return err
		}
	}
	return nil
}
