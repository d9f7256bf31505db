package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"decenter/engine/api"
)

// hint is a key and the words that say the same.
type hint struct {
	key   rune
	label string
	line  string // what the key writes into the box, or the view it opens
	view  string // the view it opens at once, for a view changes nothing
	at    int    // where the cursor goes, from the line's end
}

// hints are the keys that mean something now. A key that acts only writes the line: Enter executes it.
func (m *Model) hints() []hint {
	if m.asked() {
		return nil
	}
	var out []hint
	if vm := m.target(); vm != nil {
		out = m.vmHints(vm)
	} else if it := m.search.selected(); it != nil && m.results() && it.Spacesuit != nil {
		from := " from:" + word(it.Name)
		out = append(out, hint{key: tea.KeyF3, label: "create", line: "create " + from, at: len([]rune(from))})
	} else if j := m.jobTarget(); j != nil && !j.State.Over() && m.verbs["cancel"] {
		out = append(out, hint{key: tea.KeyF8, label: "cancel", line: "cancel " + word(j.ID)})
	} else if !m.results() {
		out = m.trustHints()
	}
	return append(out,
		hint{key: tea.KeyF7, label: "jobs", view: "jobs"},
		hint{key: tea.KeyF9, label: "satellites", view: "satellites"},
		hint{key: tea.KeyF10, label: "tree", view: "tree"})
}

func (m *Model) jobTarget() *api.Job {
	if m.results() {
		if it := m.search.selected(); it != nil {
			return it.Job
		}
		return nil
	}
	switch p := m.page().(type) {
	case *watchPage:
		if p.ready {
			return &p.job.job
		}
	case *jobsPage:
		if p.lst.sel >= 0 && p.lst.sel < len(p.jobs) {
			return &p.jobs[p.lst.sel]
		}
	}
	return nil
}

// vmHints offers the verbs that fit a VM's state.
func (m *Model) vmHints(vm *api.VM) []hint {
	var out []hint
	add := func(key rune, verb string) {
		if m.verbs[verb] {
			out = append(out, hint{key: key, label: verb, line: verb + " " + word(vm.Name)})
		}
	}
	switch vm.State {
	case api.StateRunning:
		add(tea.KeyF2, "console")
		add(tea.KeyF4, "stop")
		add(tea.KeyF5, "pause")
		add(tea.KeyF6, "reset")
	case api.StatePaused:
		add(tea.KeyF2, "console")
		add(tea.KeyF3, "resume")
		add(tea.KeyF4, "stop")
	case api.StateStopped, api.StateCrashed:
		add(tea.KeyF3, "start")
	}
	if vm.State != api.StateDeleting {
		add(tea.KeyF8, "delete")
	}
	return out
}

// function takes an F-key.
func (m *Model) function(key rune) tea.Cmd {
	if m.asked() {
		return nil
	}
	if key == tea.KeyF1 {
		return m.help()
	}
	for _, h := range m.hints() {
		if h.key != key {
			continue
		}
		if h.view != "" {
			return m.openView(Intent{View: h.view}, h.view)
		}
		if m.results() { // go to what the line is about, so that it stays in sight
			if it := m.search.selected(); it != nil && (it.VM != nil || it.Job != nil) {
				cmd := m.openItem(it)
				return tea.Batch(cmd, m.write(h))
			}
		}
		return m.write(h)
	}
	return nil
}

func (m *Model) write(h hint) tea.Cmd {
	m.history.leave()
	m.box.set(h.line)
	m.box.pos -= h.at
	return m.edited()
}

// help opens the help of the verb in the box, or all of it.
func (m *Model) help() tea.Cmd {
	line := "help"
	if m.intent.Verb != "" && len(m.box.runes) > 0 {
		line += " " + strings.Fields(m.intent.Verb)[0]
	}
	if p, ok := m.page().(*textPage); ok && p.words == line {
		return nil
	}
	return m.open(&textPage{words: line, fetch: true})
}
