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

// Word is a first word that the program knows besides the grammar's.
type Word struct{ Text, Hint string }

// Answer prints what could stand at the end of left, a command line that begins with the program's name.
func Answer(w io.Writer, left string, names grammar.Names, own []Word) error {
	left = strings.TrimLeft(left, " \t")
	i := strings.IndexAny(left, " \t")
	if i < 0 {
		return nil
	}
	left = strings.TrimLeft(left[i:], " \t")
	for _, o := range own {
		if strings.HasPrefix(left, o.Text+" ") {
			return nil // what follows is the program's own
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
