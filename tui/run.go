package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"

	"decenter/engine/api"
)

// framesPerSecond bounds how long a key waits for its frame: 8 ms.
const framesPerSecond = 120

// ProgramOptions are what a tea.Program needs for the console, besides its input and output: whoever serves the
// console over ssh adds those of the session.
func ProgramOptions(opt Options) []tea.ProgramOption {
	list := []tea.ProgramOption{tea.WithFPS(framesPerSecond), tea.WithoutSignalHandler()}
	if opt.Context != nil {
		list = append(list, tea.WithContext(opt.Context))
	}
	if opt.Width > 0 && opt.Height > 0 {
		list = append(list, tea.WithWindowSize(opt.Width, opt.Height))
	}
	if opt.NoColor {
		list = append(list, tea.WithColorProfile(colorprofile.ASCII))
	}
	return list
}

// Run runs the console on a terminal until the person leaves or ctx ends, which both are no error. Signals are the
// caller's: it ends ctx, and the terminal is as it was when Run returns. Where a terminal has no screen to draw on
// (TERM=dumb, a screen reader), the shell's line mode takes the console's place.
func Run(ctx context.Context, svc api.Service, lang Language, opt Options, in io.Reader, out io.Writer) error {
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	opt.Context = ctx
	if f, ok := out.(*os.File); ok && opt.Width == 0 {
		if w, h, err := term.GetSize(int(f.Fd())); err == nil {
			opt.Width, opt.Height = w, h
		}
	}
	list := append(ProgramOptions(opt), tea.WithInput(in), tea.WithOutput(out))
	m := newModel(svc, lang, opt)
	defer m.cancel()
	_, err := tea.NewProgram(m, list...).Run()
	if err != nil && !(errors.Is(err, tea.ErrProgramKilled) && ctx.Err() != nil) {
		return fmt.Errorf("console: %w", err)
	}
	return nil
}
