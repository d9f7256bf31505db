package main

import (
	"bytes"
	"context"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"decenter/engine/lab"
	"decenter/shell"
	"decenter/shell/complete"
	"decenter/shell/keycmd"
)

var flagForm = regexp.MustCompile(`(?m)(?:^|\s)(--?[a-z][a-z-]+)`)

// flagsIn gives the flags that a help text begins words with, as two hyphens write them.
func flagsIn(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range flagForm.FindAllStringSubmatch(text, -1) {
		f := m[1]
		if f[1] != '-' {
			f = "-" + f
		}
		found[f] = true
	}
	return found
}

// flagsOf gives the flags among words, and below them.
func flagsOf(list []complete.Word) map[string]bool {
	found := map[string]bool{}
	for _, w := range list {
		if w.Text[0] == '-' {
			found[w.Text] = true
		}
		maps.Copy(found, flagsOf(w.More))
	}
	return found
}

func same(t *testing.T, what string, table, real map[string]bool) {
	t.Helper()
	if !maps.Equal(table, real) {
		t.Errorf("%s: completion has %v, the command %v", what, slices.Sorted(maps.Keys(table)), slices.Sorted(maps.Keys(real)))
	}
}

// Completion knows every flag of the program's own commands, and no other.
func TestWordsAreThoseOfTheCommands(t *testing.T) {
	for _, c := range words(keyWords) {
		var out, errs bytes.Buffer
		env := keycmd.OSEnv()
		env.Stdout, env.Stderr = &out, &errs
		keycmd.Run(context.Background(), []string{c.Text, "-h"}, env)
		listed := regexp.MustCompile(`(?m)^  -.*`).FindAllString(out.String(), -1)
		real := map[string]bool{}
		for _, l := range listed {
			maps.Copy(real, flagsIn(regexp.MustCompile(`^  -\S+`).FindString(l)))
		}
		same(t, "key "+c.Text, flagsOf(c.More), real)
	}
	var help bytes.Buffer
	keycmd.Run(context.Background(), []string{"help"}, keycmd.Env{Stdout: &help, Stderr: &help})
	for _, l := range regexp.MustCompile(`(?m)^  ([a-z-]+)`).FindAllStringSubmatch(help.String(), -1) {
		if !slices.ContainsFunc(words(keyWords), func(w complete.Word) bool { return w.Text == l[1] }) {
			t.Errorf("completion lacks key %s", l[1])
		}
	}
	same(t, "lab", flagsOf(words(labWords)), flagsIn(lab.Usage))
	var out bytes.Buffer
	engineCommand(context.Background(), []string{"-h"}, shell.Streams{Out: &out, Err: &out})
	real := map[string]bool{}
	for _, l := range regexp.MustCompile(`(?m)^  -\S+`).FindAllString(out.String(), -1) {
		maps.Copy(real, flagsIn(l))
	}
	same(t, "engine", flagsOf(words(engineWords)), real)
}

// What a person asks about the program's own commands is answered by them, and the summary names what a key is for.
func TestHelpTellsOfTheProgramsOwnCommands(t *testing.T) {
	if os.Getenv(asHelp) != "" {
		os.Args = append([]string{"decenter"}, strings.Fields(os.Getenv(asHelp))...)
		os.Exit(run())
	}
	for _, c := range []struct{ line, want string }{
		{"help", "  lab         a constellation"}, {"help", "  engine      "}, {"help", "words, sign, delegate, revoke"}, {"help", "  create  "},
		{"--help", "words, sign, delegate, revoke"}, {"help key", "decenter key COMMAND"}, {"help lab", "decenter lab up "},
		{"help engine", "--fingerprint"}, {"help create", "create NAME from:NAME"}, {"lab -h", "decenter lab up "}, {"key --help", "decenter key COMMAND"},
	} {
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), asHelp+"="+c.line)
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("decenter %s: %v, no %q in\n%s", c.line, err, c.want, out)
		}
	}
}

// asHelp makes the test's binary be the program.
const asHelp = "DECENTER_TEST_HELP"
