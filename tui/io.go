package tui

import (
	"context"
	"errors"
	"time"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// The messages that commands bring back.
type (
	beatMsg   struct{}
	helloMsg  struct{ hello api.Hello }
	helloFail struct{ err error }
	countsMsg struct {
		satellites api.SatellitesReply
		jobs       api.JobsReply
		err        error
	}
	// pageMsg is an answer to the page that asked.
	pageMsg struct {
		to    page
		value any
		err   error
	}
	eventsMsg struct {
		gen  uint64
		list []api.Event
	}
	feedEnded struct {
		gen uint64
		err error
	}
	feedAgain struct{ gen uint64 }
	actedMsg  struct {
		seq     uint64
		outcome Outcome
		err     error
	}
)

// after sends msg in a while, or nothing once ctx ends.
func after(ctx context.Context, d time.Duration, msg tea.Msg) tea.Cmd {
	return func() tea.Msg {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			return msg
		case <-ctx.Done():
			return nil
		}
	}
}

func (m *Model) beat() tea.Cmd { return after(m.ctx, heartbeat, beatMsg{}) }

func (m *Model) askHello() tea.Cmd {
	svc, base := m.svc, m.ctx
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(base, askTimeout)
		defer cancel()
		h, err := svc.Hello(ctx)
		if err != nil {
			return helloFail{err}
		}
		return helloMsg{h}
	}
}

// askCounts asks for the line below the box, one question at a time.
func (m *Model) askCounts() tea.Cmd {
	if m.counts.asking {
		m.counts.stale = true
		return nil
	}
	m.counts.asking, m.counts.stale, m.counts.age = true, false, 0
	svc, base := m.svc, m.ctx
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(base, askTimeout)
		defer cancel()
		var c countsMsg
		if c.satellites, c.err = svc.Satellites(ctx); c.err == nil {
			c.jobs, c.err = svc.Jobs(ctx, api.JobsRequest{})
		}
		return c
	}
}

// ask runs a page's question; its answer comes as a pageMsg. The question ends with the page.
func (m *Model) ask(p page, question func(ctx context.Context) (any, error)) tea.Cmd {
	if p.base().asking {
		return nil
	}
	p.base().asking = true
	base := p.base().ctx
	return func() tea.Msg {
		ctx, cancel := context.WithTimeout(base, askTimeout)
		defer cancel()
		v, err := question(ctx)
		return pageMsg{p, v, err}
	}
}

// The bounds of the event feed.
const (
	feedRoom    = 256 // events between the service and the screen; the service drops what is beyond its own bound
	feedMinWait = time.Second
	feedMaxWait = 30 * time.Second
)

// feed is the stream of changes.
type feed struct {
	gen  uint64 // counts subscriptions
	ch   chan api.Event
	wait time.Duration // before the next try
}

// subscribe begins to listen to changes.
func (m *Model) subscribe() tea.Cmd {
	m.feed.gen++
	gen, ch, svc, ctx := m.feed.gen, make(chan api.Event, feedRoom), m.svc, m.ctx
	m.feed.ch = ch
	return tea.Batch(m.nextEvents(), func() tea.Msg {
		defer close(ch)
		err := svc.Events(ctx, api.EventsRequest{}, func(e api.Event) error {
			select {
			case ch <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		return feedEnded{gen, err}
	})
}

// nextEvents waits for a change and takes what else has come by then.
func (m *Model) nextEvents() tea.Cmd {
	gen, ch, ctx := m.feed.gen, m.feed.ch, m.ctx
	return func() tea.Msg {
		var list []api.Event
		select {
		case e, ok := <-ch:
			if !ok {
				return nil
			}
			list = append(list, e)
		case <-ctx.Done():
			return nil
		}
		for len(list) < feedRoom {
			select {
			case e, ok := <-ch:
				if !ok {
					return eventsMsg{gen, list}
				}
				list = append(list, e)
			default:
				return eventsMsg{gen, list}
			}
		}
		return eventsMsg{gen, list}
	}
}

// act is the line being executed, and then what came of it.
type act struct {
	seq     uint64
	line    string // executed
	typed   string // without what confirmed it
	busy    bool
	cancel  context.CancelFunc
	started time.Time
	text    []string
	job     *follow // nil: none was begun
}

// execute runs a line that is no view. One runs at a time.
func (m *Model) execute(typed, confirmation string) tea.Cmd {
	line := typed + confirmation
	m.act = act{seq: m.act.seq + 1, line: line, typed: typed, busy: true, started: m.opt.Now()}
	ctx, cancel := context.WithTimeout(m.ctx, actTimeout)
	m.act.cancel = cancel
	seq, lang, svc := m.act.seq, m.lang, m.svc
	return func() tea.Msg {
		defer cancel()
		out, err := lang.Execute(ctx, svc, line)
		return actedMsg{seq, out, err}
	}
}

// apiError gives any error the form in which it is shown.
func apiError(err error) *api.Error {
	var e *api.Error
	if errors.As(err, &e) {
		return e
	}
	return &api.Error{Code: api.CodeOf(err), Message: err.Error()}
}
