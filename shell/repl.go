package shell

import (
	"context"
	"errors"
	"strings"

	"decenter/engine/api"
)

// prompt is what a person sees who can be asked.
const prompt = "decenter> "

// REPL carries out line after line until quit, the end of In or the end of ctx. It gives the exit code of the
// last line, as a shell does; 0 where a person ended it.
func REPL(ctx context.Context, svc api.Service, s Streams, opt Options) int {
	opt.Interactive = true
	s.Dumb, s.Colour = true, false // what is drawn over or coloured says nothing to a screen reader
	r := NewRunner(svc, s, opt)
	defer r.Close()
	code := api.ExitDone
	for {
		if s.InTerminal {
			r.say(prompt)
		}
		line, err := r.readLine(ctx)
		switch {
		case errors.Is(err, errInterrupted):
			continue
		case err != nil:
			if s.InTerminal {
				return api.ExitDone
			}
			return code
		case strings.TrimSpace(line) == "":
			continue
		}
		code = r.Run(ctx, line)
		if r.left {
			return api.ExitDone
		}
	}
}
