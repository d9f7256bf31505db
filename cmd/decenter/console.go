package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"

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

// namesEvery is how old the names may be that Tab completes.
const namesEvery = 10 * time.Second

// language is the grammar, with completion of names that a search found a moment ago.
func language(ctx context.Context, svc api.Service) *shell.Language {
	var items atomic.Pointer[[]api.Item]
	go func() {
		tick := time.NewTicker(namesEvery)
		defer tick.Stop()
		for {
			if reply, err := svc.Search(ctx, api.Query{}); err == nil {
				items.Store(&reply.Items)
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	}()
	return shell.NewLanguage(func(kind api.Kind) (names []string) {
		if p := items.Load(); p != nil {
			for _, it := range *p {
				if kind == "*" || it.Kind == kind {
					names = append(names, it.Name)
				}
			}
		}
		return names
	})
}

// sshConsole is the console of an ssh session.
func sshConsole(ctx context.Context, svc api.Service, screen sshd.Screen) tea.Model {
	opt := consoleOptions(lookup(screen.Env))
	opt.Context, opt.Width, opt.Height = ctx, screen.Width, screen.Height
	return tui.New(svc, language(ctx, svc), opt)
}

// sshExec carries out one line of an ssh session.
func sshExec(ctx context.Context, call sshd.Call) int {
	s := shell.Streams{In: call.In, Out: call.Out, Err: call.Err}
	if t := call.Terminal; t != nil {
		s.InTerminal, s.OutTerminal, s.ErrTerminal = true, true, true
		s.Width = func() int { w, _ := t.Size(); return w }
		s.Look(lookup(call.Env))
	}
	return shell.Run(ctx, call.Service, call.Raw, s, shell.Options{})
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
