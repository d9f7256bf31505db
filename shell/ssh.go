package shell

import (
	"context"
	"strings"

	"decenter/shell/sshd"
)

// SSH carries out the command of an ssh session: it is a sshd.Config's Exec.
func SSH(ctx context.Context, call sshd.Call) int {
	s := Streams{In: call.In, Out: call.Out, Err: call.Err, Interrupts: true}
	s.Look(func(name string) string {
		for _, v := range call.Env {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value
			}
		}
		return ""
	})
	if t := call.Terminal; t != nil {
		s.InTerminal, s.OutTerminal, s.ErrTerminal = true, true, true
		s.Width = func() int { width, _ := t.Size(); return width }
	}
	return Run(ctx, call.Service, call.Raw, s, Options{})
}
