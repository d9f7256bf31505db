package tui

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// Options say how the console runs; the zero value is of use.
type Options struct {
	// Context ends everything the console has under way; nil never does.
	Context context.Context
	// Width and Height are the screen's size where it is known before the first message; 80 by 24 where not.
	Width, Height int
	// NoColor draws without colours; signs and words say the same.
	NoColor bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Name is the program's name on the first screen; empty is DECENTER.
	Name string
	// Version is shown beside it; may be empty.
	Version string
}

// Our own limits.
const (
	debounce     = 40 * time.Millisecond // from the last key to the search
	askTimeout   = 5 * time.Second       // for one question; a search is over after two
	actTimeout   = 2 * time.Minute       // for an act to be done or become a job
	heartbeat    = time.Second
	countsEvery  = 5 // heartbeats between counts that no event asked for
	quitWindow   = 2 * time.Second
	maxPages     = 16 // one can go back through
	maxOutcome   = 6  // lines shown under the box; longer ones get a page
	maxTextLines = 10_000
)

// Model is the console's state. It is used by one tea.Program at a time.
type Model struct {
	svc    api.Service
	lang   Language
	opt    Options
	theme  theme
	ctx    context.Context
	cancel context.CancelFunc
	w, h   int

	box     box
	history history
	intent  Intent // of the box's line
	unready error  // why the line cannot be executed yet
	offers  []Suggestion
	tab     completion
	verbs   map[string]bool // which verbs the language has, of those that keys offer

	pages   []page // below the box, the last one shown; empty: home
	search  search
	act     act
	confirm *confirm
	sign    *signing
	failed  *failure
	note    string // one line, until the next key

	hello   api.Hello
	known   bool // hello was answered
	counts  counts
	silent  []string          // satellites that did not answer the last question
	down    []string          // satellites that are known to have failed
	names   map[string]string // of satellites, by fingerprint
	refused []api.Refusal     // satellites that answered the last search, but not this account
	offline string            // why events do not come
	feed    feed
	quitAt  time.Time // of a first Ctrl-C on an empty box
	done    bool
}

// counts is the line below the box.
type counts struct {
	ready         bool
	vms, running  int
	live, all     int
	jobs          int
	asking, stale bool
	age           int // heartbeats
}

// failure is an error as it is shown.
type failure struct {
	line string // what was executed; empty: nothing was
	err  *api.Error
}

// New makes a console over a service. It does no I/O; the program's Init begins it.
func New(svc api.Service, lang Language, opt Options) tea.Model {
	return newModel(svc, lang, opt)
}

func newModel(svc api.Service, lang Language, opt Options) *Model {
	if opt.Context == nil {
		opt.Context = context.Background()
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	if opt.Name == "" {
		opt.Name = "DECENTER"
	}
	if opt.Width <= 0 || opt.Height <= 0 {
		opt.Width, opt.Height = 80, 24
	}
	m := &Model{svc: svc, lang: lang, opt: opt, theme: newTheme(opt.NoColor), w: opt.Width, h: opt.Height}
	m.ctx, m.cancel = context.WithCancel(opt.Context)
	m.search.list.sel = -1
	m.verbs = make(map[string]bool)
	for _, v := range []string{"console", "start", "stop", "pause", "resume", "reset", "delete", "cancel"} {
		_, err := lang.Parse(v + " x1")
		m.verbs[v] = err == nil
	}
	for v, line := range trustVerbs {
		_, err := lang.Parse(line)
		m.verbs[v] = err == nil
	}
	return m
}

// Init asks for what the first screen shows. The screen is drawn before any answer.
func (m *Model) Init() tea.Cmd {
	return tea.Batch(m.askHello(), m.askCounts(), m.subscribe(), m.beat())
}

// page is the one shown, nil at home.
func (m *Model) page() page {
	if len(m.pages) == 0 {
		return nil
	}
	return m.pages[len(m.pages)-1]
}

// open shows a page above the present one. Esc brings back the present one, with the line as it is now.
func (m *Model) open(p page) tea.Cmd {
	if top := m.page(); top != nil && top.command() == p.command() {
		m.box.set("")
		m.edited()
		return top.load(m)
	}
	if !m.act.busy && (m.act.job == nil || m.act.job.job.State.Over()) {
		m.act.line, m.act.text, m.act.job = "", nil, nil // said long enough
	}
	b := p.base()
	b.ctx, b.cancel = context.WithCancel(m.ctx)
	b.line, b.old = m.box.value(), m.box.entered
	if len(m.pages) == maxPages {
		m.pages[0].base().cancel()
		m.pages = m.pages[1:]
	}
	m.pages = append(m.pages, p)
	m.confirm, m.sign, m.failed = nil, nil, nil
	m.box.set("")
	m.edited()
	return p.load(m)
}

// back closes the page shown.
func (m *Model) back() tea.Cmd {
	p := m.page()
	m.pages = m.pages[:len(m.pages)-1]
	p.base().cancel()
	var cmds []tea.Cmd
	if c, ok := p.(*consolePage); ok {
		cmds = append(cmds, c.hangUp())
	}
	m.box.set(p.base().line)
	m.box.entered = p.base().old
	cmds = append(cmds, m.edited())
	if below := m.page(); below != nil {
		cmds = append(cmds, below.load(m))
	}
	return tea.Batch(cmds...)
}

// leavePages goes home, but for a page about the object that a line names: what comes of the line must not stand
// above the view of something else.
func (m *Model) leavePages(object string) {
	switch p := m.page().(type) {
	case *vmPage:
		if object != "" && (object == p.name || object == p.vm.ID) {
			return
		}
	case *watchPage:
		if object != "" && object == p.id {
			return
		}
	}
	for _, p := range m.pages {
		p.base().cancel()
	}
	m.pages = nil
}

// quit ends the program and everything under way.
func (m *Model) quit() tea.Cmd {
	m.done = true
	m.cancel()
	return tea.Quit
}

// target is the VM that keys are about: the selected result or the page's.
func (m *Model) target() *api.VM {
	if m.results() {
		if it := m.search.selected(); it != nil {
			return it.VM
		}
		return nil
	}
	if p, ok := m.page().(*vmPage); ok && p.ready {
		return &p.vm
	}
	return nil
}

// results tells whether found items are shown, in the page's place.
func (m *Model) results() bool {
	if !m.search.on || m.asked() {
		return false
	}
	return m.searchLine() || m.page() == nil && len(m.search.items) > 0
}

// searchLine tells whether the box holds a search.
func (m *Model) searchLine() bool {
	return m.search.on && m.intent.Verb == "" && m.intent.View == ""
}
