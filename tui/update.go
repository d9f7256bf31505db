package tui

import (
	"slices"
	"strings"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// Update takes one message.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	if m.done {
		return m, nil
	}
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.resize(msg.Width, msg.Height)
	case tea.KeyPressMsg:
		return m, m.key(msg)
	case tea.PasteMsg:
		return m, m.paste(msg.Content)
	case beatMsg:
		return m, m.beaten()
	case helloMsg:
		m.hello, m.known, m.offline = msg.hello, true, ""
	case helloFail:
		m.offline = "no answer: " + apiError(msg.err).Message
	case countsMsg:
		return m, m.counted(msg)
	case searchDue:
		if msg.seq == m.search.seq && m.search.on {
			return m, m.runSearch()
		}
	case searchMsg:
		m.found(msg)
	case pageMsg:
		m.answered(msg)
	case eventsMsg:
		return m, m.changed(msg)
	case feedEnded:
		return m, m.feedLost(msg)
	case feedAgain:
		if msg.gen == m.feed.gen {
			return m, m.subscribe()
		}
	case actedMsg:
		return m, m.acted(msg)
	case consoleMsg:
		return m, msg.to.take(m, msg)
	}
	return m, nil
}

func (m *Model) resize(w, h int) {
	m.w, m.h = max(w, 0), max(h, 0)
	for _, p := range m.pages {
		if c, ok := p.(*consolePage); ok {
			c.screen.Resize(m.consoleSize())
		}
	}
}

func (m *Model) paste(text string) tea.Cmd {
	if c, ok := m.page().(*consolePage); ok {
		return c.paste(text)
	}
	m.history.leave()
	if m.sign != nil {
		text = joined(text)
	}
	m.box.insert(strings.TrimRight(text, "\r\n"))
	return m.edited()
}

// beaten is what happens once a second.
func (m *Model) beaten() tea.Cmd {
	cmds := []tea.Cmd{m.beat()}
	if m.counts.age++; m.counts.stale || m.counts.age >= countsEvery {
		cmds = append(cmds, m.askCounts())
		if !m.known {
			cmds = append(cmds, m.askHello())
		}
	}
	if m.search.on && m.search.stale && !m.search.busy {
		cmds = append(cmds, m.runSearch())
	}
	if p := m.page(); p != nil {
		b := p.base()
		if b.beats++; p.every() > 0 && b.beats >= p.every() {
			b.beats = 0
			cmds = append(cmds, p.load(m))
		}
	}
	return tea.Batch(cmds...)
}

func (m *Model) counted(msg countsMsg) tea.Cmd {
	c := &m.counts
	c.asking = false
	if msg.err != nil {
		m.offline = "no answer: " + apiError(msg.err).Message
		return nil
	}
	m.offline = ""
	*c = counts{ready: true, stale: c.stale}
	m.silent, m.down, m.names = nil, nil, map[string]string{}
	for _, s := range msg.satellites.Satellites {
		if s.ID != "" {
			m.names[s.ID] = s.Name
		}
		switch s.State {
		case api.SatelliteLive:
			c.live++
		case api.SatelliteSilent:
			m.silent = append(m.silent, s.Name)
		case api.SatelliteFailed:
			m.down = append(m.down, s.Name)
		}
		if s.State != api.SatelliteLeft && s.State != api.SatelliteStranger {
			c.all++
		}
		c.vms += s.VMs
		c.running += s.Running
	}
	for _, j := range msg.jobs.Jobs {
		if !j.State.Over() {
			c.jobs++
		}
	}
	return nil
}

// changed brings events into everything shown.
func (m *Model) changed(msg eventsMsg) tea.Cmd {
	if msg.gen != m.feed.gen {
		return nil
	}
	m.feed.wait = 0
	m.counts.stale = true
	for _, e := range msg.list {
		if e.Kind == api.EventLost {
			m.search.stale = true
			if p := m.page(); p != nil {
				p.base().beats = p.every()
			}
		}
		m.search.event(e)
		for _, p := range m.pages {
			p.event(m, e)
		}
		if f := m.act.job; f != nil && e.Job != nil && e.Job.ID == f.job.ID {
			f.set(*e.Job, m.opt.Now())
		}
	}
	return m.nextEvents()
}

// feedLost tries to listen again, later each time.
func (m *Model) feedLost(msg feedEnded) tea.Cmd {
	if msg.gen != m.feed.gen || m.ctx.Err() != nil {
		return nil
	}
	m.feed.wait = min(max(2*m.feed.wait, feedMinWait), feedMaxWait)
	m.search.stale, m.counts.stale = true, true
	return after(m.ctx, m.feed.wait, feedAgain{msg.gen})
}

// edited follows a change of the box: the line is read, and what it searches for is searched.
func (m *Model) edited() tea.Cmd {
	m.failed, m.note = nil, ""
	m.tab = completion{}
	m.search.list.sel = -1
	line := m.box.value()
	if m.asked() {
		return nil
	}
	m.offers = nil
	if strings.TrimSpace(line) == "" {
		m.intent, m.unready = Intent{}, nil
		m.leaveSearch()
		return nil
	}
	m.offer()
	in, err := m.lang.Parse(line)
	m.unready = err
	if err != nil {
		return nil // unfinished: what was found last stays
	}
	m.intent = in
	switch {
	case in.Verb == "" && in.View == "":
		return m.want(in.Query)
	case in.Object != "" && m.page() == nil:
		return m.want(api.Query{Words: []string{in.Object}})
	}
	m.leaveSearch()
	return nil
}

// offer asks the language how the line may go on; what is typed in full already is no offer.
func (m *Model) offer() {
	line, cursor := m.box.value(), m.box.offset()
	m.offers = slices.DeleteFunc(slices.Clone(m.lang.Complete(line, cursor)), func(s Suggestion) bool {
		return s.From >= 0 && s.From <= cursor && s.Text == line[s.From:cursor]
	})
}

// acted takes what came of a line.
func (m *Model) acted(msg actedMsg) tea.Cmd {
	if msg.seq != m.act.seq || !m.act.busy {
		return nil
	}
	m.act.busy = false
	m.counts.stale, m.search.stale = true, true
	if p := m.page(); p != nil {
		p.base().beats = p.every()
	}
	if m.sign != nil {
		return m.declared(msg)
	}
	if msg.outcome.Proposal != nil && msg.err == nil {
		return m.askSignature(*msg.outcome.Proposal)
	}
	if msg.err != nil {
		var cmd tea.Cmd
		if len(m.box.runes) == 0 { // give the line back, to be put right
			m.box.set(m.act.typed)
			cmd = m.edited()
		}
		m.failed = &failure{m.act.line, apiError(msg.err)}
		m.act.line = ""
		return cmd
	}
	if msg.outcome.Job != nil {
		m.act.job = &follow{}
		m.act.job.set(*msg.outcome.Job, m.opt.Now())
	}
	lines := cleanLines(msg.outcome.Text, maxTextLines)
	if len(lines) > maxOutcome {
		p := &textPage{words: m.act.line, lines: lines}
		p.ready = true
		line := m.box.value()
		cmd := m.open(p)
		m.box.set(line)
		return tea.Batch(cmd, m.edited())
	}
	m.act.text = lines
	return nil
}
