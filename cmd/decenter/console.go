package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
	"decenter/shell"
	"decenter/shell/sshd"
	"decenter/tui"
)

// console is the full-screen console on this process's terminal.
func console(ctx context.Context, svc api.Service, in io.Reader, out io.Writer) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opt := consoleOptions(os.Getenv)
	if err := tui.Run(ctx, svc, language(ctx, svc), opt, in, out); err != nil {
		fmt.Fprintln(os.Stderr, "decenter:", err)
		return api.ExitFailed
	}
	return api.ExitDone
}

func consoleOptions(env func(string) string) tui.Options {
	return tui.Options{NoColor: env("NO_COLOR") != "", Version: buildVersion()}
}

// language is the grammar, with completion of names that are known at the moment.
func language(ctx context.Context, svc api.Service) *shell.Language {
	return shell.NewLanguage(shell.NewKnown(ctx, svc).Names)
}

// sshConsole is the console of an ssh session.
func sshConsole(ctx context.Context, svc api.Service, screen sshd.Screen) tea.Model {
	opt := consoleOptions(lookup(screen.Env))
	opt.Context, opt.Width, opt.Height = ctx, screen.Width, screen.Height
	return tui.New(svc, language(ctx, svc), opt)
}

// lookup reads variables of a session's environment.
func lookup(env []string) func(string) string {
	return func(name string) string {
		for _, e := range env {
			if value, ok := strings.CutPrefix(e, name+"="); ok {
				return value
			}
		}
		return ""
	}
}
