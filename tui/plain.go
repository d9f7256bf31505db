package tui

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"decenter/engine/api"
)

// runPlain is the console without a screen: a line in, lines out. Screen readers and dumb terminals use it.
func runPlain(ctx context.Context, svc api.Service, lang Language, opt Options, in io.Reader, out io.Writer) error {
	p := plain{svc: svc, lang: lang, out: out, lines: make(chan string)}
	go p.read(ctx, in)
	if h, err := svc.Hello(ctx); err != nil {
		p.fail(err)
	} else {
		p.say(fmt.Sprintf("%s at %s. A line is a search or begins with a verb; help says more, quit leaves.", h.Account, h.Satellite))
	}
	for {
		fmt.Fprint(out, "> ")
		line, ok := p.next(ctx)
		if !ok {
			fmt.Fprintln(out)
			return nil
		}
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if quit := p.line(ctx, line); quit {
			return nil
		}
	}
}

type plain struct {
	svc   api.Service
	lang  Language
	out   io.Writer
	lines chan string
}

// read gives lines to next until the input ends. A read that blocks for ever ends with the process or the session.
func (p *plain) read(ctx context.Context, in io.Reader) {
	defer close(p.lines)
	s := bufio.NewScanner(in)
	s.Buffer(nil, maxLine*4)
	for s.Scan() {
		select {
		case p.lines <- s.Text():
		case <-ctx.Done():
			return
		}
	}
}

func (p *plain) next(ctx context.Context) (string, bool) {
	select {
	case l, ok := <-p.lines:
		return l, ok
	case <-ctx.Done():
		return "", false
	}
}

func (p *plain) say(text string) {
	for _, l := range cleanLines(text, maxTextLines) {
		fmt.Fprintln(p.out, l)
	}
}

func (p *plain) fail(err error) { fmt.Fprintln(p.out, "error: "+clean(apiError(err).Error())) }

// line does what one line says, and tells whether it was to quit.
func (p *plain) line(ctx context.Context, line string) (quit bool) {
	in, err := p.lang.Parse(line)
	switch {
	case err != nil:
		p.fail(err)
		return false
	case in.View == "quit":
		return true
	case in.View == "console":
		p.console(ctx, in.Object)
		return false
	case in.View == "watch":
		p.watch(ctx, in.Object)
		return false
	case in.Confirm != "":
		p.say(fmt.Sprintf("This cannot be undone. Type %s to do it.", in.Confirm))
		fmt.Fprint(p.out, "name? ")
		if name, _ := p.next(ctx); strings.TrimSpace(name) != in.Confirm {
			p.say("nothing was done")
			return false
		}
		line += " confirm:" + word(in.Confirm)
	}
	got, err := p.lang.Execute(ctx, p.svc, line)
	if err != nil {
		p.fail(err)
		return false
	}
	p.say(got.Text)
	if got.Job != nil {
		p.watch(ctx, got.Job.ID)
	}
	return false
}

// watch says each step of a job once, until it is over.
func (p *plain) watch(ctx context.Context, id string) {
	r, err := p.svc.Jobs(ctx, api.JobsRequest{ID: id})
	if err != nil || len(r.Jobs) == 0 {
		p.fail(errors.Join(err, api.Errorf(api.CodeNotFound, "no job %q", id)))
		return
	}
	var said string
	err = p.svc.Events(ctx, api.EventsRequest{Job: r.Jobs[0].ID}, func(e api.Event) error {
		if j := e.Job; j != nil {
			now := fmt.Sprintf("job %s: %s %s: %s", j.ID, j.Verb, j.Object, j.State)
			if detail := strings.TrimSpace(j.Step + " " + j.Error); detail != "" && j.State != api.JobDone {
				now += ", " + detail
			}
			if now != said {
				p.say(now)
			}
			said = now
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		p.fail(err)
	}
}

// console gives lines to a guest and shows what it says, until a line holds Ctrl-] or the guest ends.
func (p *plain) console(ctx context.Context, name string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wire, err := p.svc.Console(ctx, name)
	if err != nil {
		p.fail(err)
		return
	}
	context.AfterFunc(ctx, func() { _ = wire.Close() })
	p.say("console of " + name + "; a line with Ctrl-] leaves")
	ended := make(chan struct{})
	defer func() { cancel(); <-ended }()
	go func() {
		defer close(ended)
		buf := make([]byte, consoleRead)
		for {
			n, err := wire.Read(buf)
			fmt.Fprint(p.out, plainStream(string(buf[:n])))
			if err != nil {
				return
			}
		}
	}()
	for {
		select {
		case <-ended:
			p.say("the console ended")
			return
		case <-ctx.Done():
			return
		case line, ok := <-p.lines:
			if !ok || strings.Contains(line, "\x1d") {
				return
			}
			if _, err := io.WriteString(wire, line+"\r"); err != nil {
				p.fail(err)
				return
			}
		}
	}
}

// plainStream is clean for a part of a guest's output: its lines stay lines, its prompts come at once.
func plainStream(s string) string {
	lines := strings.Split(strings.ReplaceAll(ansi.Strip(s), "\r", ""), "\n")
	for i, l := range lines {
		lines[i] = clean(l)
	}
	return strings.Join(lines, "\n")
}
